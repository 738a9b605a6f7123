"""Our signatures against those of the vendors' own SDKs, byte for byte."""

import json
import string
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alibabacloud_tea_openapi.utils import Utils
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.common.retry import NoopRetryer

from runcancel.providers.alibaba.signature import ALGORITHM, EMPTY_BODY, authorization
from runcancel.providers.aws.signature import Keys, signed
from runcancel.providers.common.credentials import Credentials
from runcancel.providers.common.exchange import plain_path
from runcancel.providers.tencent.signature import Signer

WORDS = st.text(min_size=1, max_size=30)
KEYS = st.text(string.ascii_letters + string.digits + "+/=", min_size=1, max_size=40)
NAMES = st.text(string.ascii_lowercase + "-", min_size=1, max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | WORDS
HOST = "127.0.0.1:8080"


@dataclass
class AsTheirs:
    """What Alibaba's signer reads of a request."""

    query: dict[str, str]
    headers: dict[str, str]
    method: str = "POST"
    pathname: str = "/"


@given(query=st.dictionaries(WORDS, WORDS, max_size=6), key_id=KEYS, secret=KEYS, values=st.lists(KEYS, max_size=5))
def test_alibaba_signs_as_the_sdk_does(query: dict[str, str], key_id: str, secret: str, values: list[str]) -> None:
    query = {f"Name.{place}": value for place, value in enumerate(query.values())}  # names are ASCII, ours to choose
    headers = {"host": HOST, **{f"X-Acs-{place}": f" {value} " for place, value in enumerate(values)}}

    ours = authorization(query, headers, key_id=key_id, secret=secret)

    assert ours == Utils.get_authorization(AsTheirs(query, headers), ALGORITHM, EMPTY_BODY, key_id, secret)


@given(
    params=st.dictionaries(WORDS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
    id=KEYS,
    secret=KEYS,
    token=st.none() | KEYS,
    region=NAMES,
)
def test_tencent_sends_the_headers_that_the_sdk_sends(
    params: dict[str, Any], id: str, secret: str, token: str | None, region: str
) -> None:
    sent = Overheard()
    profile = ClientProfile(
        httpProfile=HttpProfile(endpoint=HOST), language="en-US", request_client="test-1", retryer=NoopRetryer()
    )
    client = CommonClient("tat", "2020-10-28", Credential(id, secret, token), region, profile)
    client.request.conn = sent
    client.call("DescribeInvocations", params)
    del sent.headers["X-TC-TraceId"]

    signer = Signer(product="tat", version="2020-10-28", host=HOST, region=region, request_client="test-1")
    body = json.dumps(params).encode()
    keys = Credentials(id=id, secret=secret, token=token)
    ours = signer.headers("DescribeInvocations", body, keys, now=int(sent.headers["X-TC-Timestamp"]))
    assert sent.headers.pop("X-TC-RequestClient").endswith(ours.pop("X-TC-RequestClient"))  # who speaks: not signed

    assert (ours, body) == (sent.headers, sent.body)


class Accepted:
    status_code = 200
    content = b"{}"

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


@dataclass
class Overheard:
    """Takes the place of the SDK's connection and answers everything with success."""

    request_length: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def request(self, _method: str, _url: str, body: str, headers: dict[str, str]) -> Any:
        self.headers, self.body = dict(headers), body.encode()
        return Accepted()


def test_keys_never_show_themselves() -> None:
    assert "sikrit" not in repr(Credentials(id="a", secret="sikrit", token="sikrit"))


@given(
    body=st.binary(max_size=60),
    values=st.lists(st.text(string.printable.strip() + " ", max_size=20), max_size=4),
    path=st.sampled_from(["/", "/aws/", "/a b/", "/%2F/", "/./", "/a/../b/", "/a/./b/"]),
    id=KEYS,
    secret=KEYS,
    token=st.none() | KEYS,
    region=NAMES,
    time=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),
)
def test_aws_signs_as_botocore_does(
    body: bytes, values: list[str], path: str, id: str, secret: str, token: str | None, region: str, time: datetime
) -> None:
    headers = {"Host": HOST, **{f"X-Amz-{place}": value for place, value in enumerate(values)}}
    now = time.strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest("POST", f"https://{HOST}{path}", {**headers, "X-Amz-Date": now}, body)
    request.context["timestamp"] = now
    judge = SigV4Auth(ReadOnlyCredentials(id, secret, token), "ssm", region)
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = judge.canonical_request(request)
    theirs = judge.signature(judge.string_to_sign(request, canonical), request)

    ours = signed(plain_path(path), headers, body, Keys(id, secret, token), region=region, service="ssm", time=now)

    assert ours["Authorization"].endswith(f"Signature={theirs}")
    assert f"Credential={id}/{judge.credential_scope(request)}, " in ours["Authorization"]
    assert ours.get("X-Amz-Security-Token") == token
