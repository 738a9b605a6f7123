"""Who may ask: every signature is checked, and refused in the vendor's own words."""

import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from botocore.exceptions import ClientError
from darabonba.exceptions import DaraException
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from runcancel.sandbox.accounts import key, keyring
from runcancel.sandbox.signing import Nonces, check_alibaba, check_aws, check_tencent
from runcancel.sandbox.wire import Refusal, Request

from .conftest import Box

UNKNOWN = "AKIDOESNOTEXIST00000"


def aws_code(box: Box, *, service: str = "ssm", region: str = "us-east-2", **keys: object) -> tuple[str, int]:
    client = box.aws(service, region=region, using=keys["using"])  # type: ignore[arg-type]
    with pytest.raises(ClientError) as caught:
        client.list_commands() if service == "ssm" else client.get_caller_identity()
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def alibaba_code(box: Box, using: object) -> tuple[str, int]:
    with pytest.raises(DaraException) as caught:
        box.alibaba(using=using).describe_invocations(  # type: ignore[arg-type]
            ecs.DescribeInvocationsRequest(region_id="cn-hangzhou")
        )
    return caught.value.code, caught.value.status_code  # type: ignore[attr-defined]


def tencent_code(box: Box, using: object) -> str:
    with pytest.raises(TencentCloudSDKException) as caught:
        box.tencent(using=using).call_json("DescribeInvocations", {})  # type: ignore[arg-type]
    return str(caught.value.code)


def test_a_wrong_secret_is_refused(still: Box) -> None:
    assert aws_code(still, using=replace(key("aws", 0), secret="x" * 40)) == ("InvalidSignatureException", 400)
    assert aws_code(still, service="sts", using=replace(key("aws", 0), secret="x")) == ("SignatureDoesNotMatch", 403)
    assert alibaba_code(still, replace(key("alibaba", 0), secret="x" * 30)) == ("SignatureDoesNotMatch", 400)
    assert tencent_code(still, replace(key("tencent", 0), secret="x" * 32)) == "AuthFailure.SignatureFailure"


def test_an_unknown_key_is_refused(still: Box) -> None:
    assert aws_code(still, using=replace(key("aws", 0), id=UNKNOWN)) == ("UnrecognizedClientException", 400)
    assert aws_code(still, service="sts", using=replace(key("aws", 0), id=UNKNOWN)) == ("InvalidClientTokenId", 403)
    assert alibaba_code(still, replace(key("alibaba", 0), id=UNKNOWN)) == ("InvalidAccessKeyId.NotFound", 404)
    assert tencent_code(still, replace(key("tencent", 0), id=UNKNOWN)) == "AuthFailure.SecretIdNotFound"


def test_a_region_that_is_not_enabled_does_not_know_the_key(still: Box) -> None:
    assert aws_code(still, region="ap-east-1", using=key("aws", 0))[0] == "UnrecognizedClientException"


def test_temporary_keys_work_with_their_token_only(still: Box) -> None:
    aws, alibaba, tencent = (key(name, 0, "temporary") for name in ("aws", "alibaba", "tencent"))
    still.aws(using=aws).list_commands()
    still.alibaba(using=alibaba).describe_invocations(ecs.DescribeInvocationsRequest(region_id="cn-hangzhou"))
    still.tencent(using=tencent).call_json("DescribeInvocations", {})

    assert aws_code(still, using=replace(aws, token="other"))[0] == "UnrecognizedClientException"
    assert alibaba_code(still, replace(alibaba, token="other"))[0] == "InvalidSecurityToken.Malformed"
    assert alibaba_code(still, replace(alibaba, token=""))[0] == "MissingSecurityToken"
    assert tencent_code(still, replace(tencent, token="")) == "AuthFailure.TokenFailure"


def test_expired_keys_are_called_expired(still: Box) -> None:
    aws, alibaba, tencent = (key(name, 0, "expired") for name in ("aws", "alibaba", "tencent"))
    assert aws_code(still, using=aws) == ("ExpiredTokenException", 400)
    assert alibaba_code(still, alibaba)[0] == "InvalidSecurityToken.Expired"
    assert tencent_code(still, tencent) == "AuthFailure.TokenFailure"


def test_a_key_sees_only_its_own_account(start: Callable[..., Box]) -> None:
    box = start(accounts=2)
    other = box.aws(using=key("aws", 1))

    assert box.aws().list_commands(CommandId="4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b")["Commands"]
    assert not other.list_commands(CommandId="4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b")["Commands"]
    assert other.list_commands()["Commands"]
    assert box.aws("sts", using=key("aws", 1)).get_caller_identity()["Account"] == "111122223334"


@pytest.fixture(scope="module")
def sdks(still: Box) -> tuple[Any, Any, Any]:
    """A client of each vendor, for all examples: to make one of botocore takes as long as three requests."""
    return still.aws(), still.alibaba(), still.tencent()


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_strange_characters_are_signed_alike(sdks: tuple[Any, Any, Any], text: str) -> None:
    aws, alibaba, tencent = sdks
    aws.list_commands(Filters=[{"key": "DocumentName", "value": text}])
    tencent.call_json("DescribeInvocations", {"Filters": [{"Name": "command-id", "Values": [text]}]})
    alibaba.describe_invocations(ecs.DescribeInvocationsRequest(region_id="cn-hangzhou", command_name=text))


def recorded(box: Box, monkeypatch: pytest.MonkeyPatch) -> dict[str, Request]:
    """One good request of each cloud, as it came over the wire."""
    seen: list[Request] = []
    for dialect in box._dialects.values():
        monkeypatch.setattr(dialect, "read", _spy(dialect.read, seen))
    box.aws().list_commands()
    box.alibaba().describe_invocations(ecs.DescribeInvocationsRequest(region_id="cn-hangzhou"))
    box.tencent().call_json("DescribeInvocations", {})
    return dict(zip(("aws", "alibaba", "tencent"), seen, strict=True))


def _spy(read: Callable[[Request], object], seen: list[Request]) -> Callable[[Request], object]:
    def remember(request: Request) -> object:
        seen.append(request)
        return read(request)

    return remember


def refused(check: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        check()
    return caught.value.code


def test_clocks_that_differ_too_much_are_refused(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, now = recorded(box, monkeypatch), time.time()
    aws, alibaba, tencent = (keyring(name, 1) for name in ("aws", "alibaba", "tencent"))

    late = now + 1000
    assert refused(lambda: check_aws(sent["aws"], aws, service="ssm", now=late)) == "InvalidSignatureException"
    assert refused(lambda: check_alibaba(sent["alibaba"], alibaba, Nonces(), now=late)) == "InvalidTimeStamp.Expired"
    assert (
        refused(lambda: check_tencent(sent["tencent"], tencent, service="tat", now=late))
        == "AuthFailure.SignatureExpire"
    )
    assert check_alibaba(sent["alibaba"], alibaba, Nonces(), now=now + 800).key.account == 0


def test_a_nonce_is_good_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, nonces = recorded(box, monkeypatch)["alibaba"], Nonces()
    check_alibaba(sent, keyring("alibaba", 1), nonces)
    assert refused(lambda: check_alibaba(sent, keyring("alibaba", 1), nonces)) == "SignatureNonceUsed"


def test_a_changed_request_is_refused(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = recorded(box, monkeypatch)
    aws = replace(sent["aws"], body=b'{"MaxResults": 1}')
    alibaba = replace(sent["alibaba"], target=sent["alibaba"].target + "&InvokeId=t-1")
    tencent = replace(sent["tencent"], body=b'{"Limit": 1}')

    assert refused(lambda: check_aws(aws, keyring("aws", 1), service="ssm")) == "InvalidSignatureException"
    assert refused(lambda: check_alibaba(alibaba, keyring("alibaba", 1), Nonces())) == "SignatureDoesNotMatch"
    code = refused(lambda: check_tencent(tencent, keyring("tencent", 1), service="tat"))
    assert code == "AuthFailure.SignatureFailure"


def test_the_host_may_be_signed_without_its_port_as_the_node_sdk_of_tencent_does(still: Box) -> None:
    pair, at, body = key("tencent", 0), int(time.time()), b"{}"
    day = time.strftime("%Y-%m-%d", time.gmtime(at))

    def sent(host: str, service: str = "tat", secret: str = pair.secret) -> str:
        def mac(with_key: bytes, text: str) -> bytes:
            return hmac.new(with_key, text.encode(), hashlib.sha256).digest()

        digest = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{digest}"
        scope = f"{day}/{service}/tc3_request"
        text = f"TC3-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = mac(mac(mac(mac(b"TC3" + secret.encode(), day), service), "tc3_request"), text).hex()
        headers = {
            "Content-Type": "application/json",
            "X-TC-Action": "DescribeInvocations",
            "X-TC-Version": "2020-10-28",
            "X-TC-Region": "ap-guangzhou",
            "X-TC-Timestamp": str(at),
            "Authorization": f"TC3-HMAC-SHA256 Credential={pair.id}/{scope}, "
            f"SignedHeaders=content-type;host, Signature={signature}",
        }
        with urllib.request.urlopen(urllib.request.Request(still.url, body, headers), timeout=5) as reply:
            answer = json.load(reply)["Response"]
        return str(answer["Error"]["Code"] if "Error" in answer else answer["TotalCount"] > 0)

    assert sent(f"127.0.0.1:{still.port}") == sent("127.0.0.1") == sent("127.0.0.1", "127") == "True"
    wrong = (sent("127.0.0.2"), sent("127.0.0.1", "sts"), sent("127.0.0.1", secret="x"))
    assert set(wrong) == {"AuthFailure.SignatureFailure"}


def test_a_foreign_service_scope_is_refused(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = recorded(box, monkeypatch)
    assert refused(lambda: check_aws(sent["aws"], keyring("aws", 1), service="sts")) == "SignatureDoesNotMatch"
    code = refused(lambda: check_tencent(sent["tencent"], keyring("tencent", 1), service="sts"))
    assert code == "AuthFailure.SignatureFailure"


def test_no_signature_at_all_is_refused(still: Box) -> None:
    bare = Request("POST", "/", (("X-Amz-Target", "AmazonSSM.ListCommands"),), b"{}")
    assert refused(lambda: check_aws(bare, keyring("aws", 1), service="ssm")) == "MissingAuthenticationTokenException"
    assert refused(lambda: check_alibaba(bare, keyring("alibaba", 1), Nonces())) == "IncompleteSignature"
    assert refused(lambda: check_tencent(bare, {}, service="tat")) == "AuthFailure.InvalidAuthorization"
