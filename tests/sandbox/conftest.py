"""Sandboxes and the real SDK clients that talk to them."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.utils_models import Config as AlibabaConfig
from botocore.config import Config as BotoConfig
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.tat.v20201028.tat_client import TatClient

from runcancel.sandbox import Sandbox, SandboxOptions
from runcancel.sandbox.accounts import Key, key

WINDOW = "02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
COMMAND = "4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
AUTOMATION = "6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"
FANOUT = "7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e"
ONE_SHOT = "t-7d2a745b412b4601b2d47f6a768d0001"
KILLED = "t-7d2a745b412b4601b2d47f6a768d0002"
SCHEDULE = "t-7d2a745b412b4601b2d47f6a768d0003"
TENCENT = "inv-ib2lld37"


class Box(Sandbox):
    """A sandbox with clients at hand and its control interface in Python."""

    def aws(self, service: str = "ssm", *, region: str = "us-east-2", using: Key | None = None) -> Any:
        pair = using or key("aws", 0)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=pair.id,
            aws_secret_access_key=pair.secret,
            aws_session_token=pair.token or None,
            config=BotoConfig(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=5),
        )

    def alibaba(self, *, using: Key | None = None) -> EcsClient:
        return EcsClient(self.alibaba_config(using=using))

    def alibaba_config(self, *, using: Key | None = None) -> AlibabaConfig:
        pair = using or key("alibaba", 0)
        return AlibabaConfig(
            access_key_id=pair.id,
            access_key_secret=pair.secret,
            security_token=pair.token or None,
            region_id="cn-hangzhou",
            endpoint=f"127.0.0.1:{self.port}",
            protocol="http",
            read_timeout=5000,
        )

    def tencent(self, *, region: str = "ap-guangzhou", using: Key | None = None) -> TatClient:
        pair = using or key("tencent", 0)
        http = HttpProfile(endpoint=f"127.0.0.1:{self.port}", protocol="http", reqTimeout=5)
        profile = ClientProfile(httpProfile=http, language="en-US")
        return TatClient(Credential(pair.id, pair.secret, pair.token or None), region, profile)

    def control(self, method: str, name: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{name}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def advance(self, seconds: float) -> None:
        self.control("POST", "advance", {"seconds": seconds})

    def truth(self, run: str) -> Any:
        return next(each for each in self.control("GET", "truth") if each["id"] == run)

    def states(self, run: str) -> dict[str, int]:
        words = [target["state"] for target in self.truth(run)["targets"]]
        return {word: words.count(word) for word in sorted(set(words))}

    def last(self) -> Any:
        return self.control("GET", "requests")[-1]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs would send loopback requests through a proxy of the machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start() -> Iterator[Callable[..., Box]]:
    """Start sandboxes in which time stands still until it is told to move."""
    made: list[Box] = []

    def begin(**options: Any) -> Box:
        made.append(Box(SandboxOptions(**({"speed": 0} | options))))
        return made[-1]

    yield begin
    for box in made:
        box.close()


@pytest.fixture
def box(start: Callable[..., Box]) -> Box:
    return start()


@pytest.fixture(scope="module")
def still() -> Iterator[Box]:
    """One sandbox for a whole module of tests that only read."""
    with Box(SandboxOptions(speed=0)) as made:
        yield made
