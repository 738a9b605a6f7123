"""Where credentials and regions come from."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.credentials import RefreshableCredentials
from fakes import HandClock
from opened import refused

from providers.aws.scripted import connect
from runcancel.errors import CloudError
from runcancel.model.runs import Scope
from runcancel.model.states import Reason
from runcancel.providers import provider
from runcancel.providers.aws.credentials import Once
from runcancel.providers.base import Connection
from runcancel.runtime.throttle import Pace


def test_no_credentials_says_what_was_tried(clock: HandClock) -> None:
    said = refused(lambda: connect(clock))

    assert said.reason is Reason.NO_CREDENTIALS
    assert "AWS_ACCESS_KEY_ID" in said.message
    assert "profile “default”" in said.message


def test_an_unknown_profile_is_no_credentials(clock: HandClock) -> None:
    said = refused(lambda: connect(clock, profile="nope"))

    assert said.reason is Reason.NO_CREDENTIALS
    assert "profile “nope”" in said.message


CONFIG = '[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n[profile "prod"]\nregion=us-west-2\n'


@pytest.mark.parametrize(
    ("environ", "profile", "expected"),
    [
        ({"AWS_REGION": "a-1", "AWS_DEFAULT_REGION": "b-1"}, None, ("a-1", "AWS_REGION")),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "b-1"}, "prod", ("b-1", "AWS_DEFAULT_REGION")),
        ({}, None, ("eu-west-1", "default")),
        ({}, "prod", ("us-west-2", "prod")),
        ({"AWS_PROFILE": "prod"}, None, ("us-west-2", "prod")),
        ({"AWS_PROFILE": "nope"}, None, None),
    ],
)
def test_where_the_region_comes_from(
    tmp_path: Path, environ: dict[str, str], profile: str | None, expected: tuple[str, str] | None
) -> None:
    (tmp_path / "config").write_text(CONFIG)

    found = provider("aws").resolve({**environ, "AWS_CONFIG_FILE": str(tmp_path / "config")}, profile).region

    assert (found is None) == (expected is None)
    if found and expected:
        assert found.value == expected[0]
        assert expected[1] in found.origin


def test_configured_means_a_variable_or_a_file(tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path)}
    aws = provider("aws")

    assert not aws.configured({**here, "AWS_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": ""})
    assert aws.configured({**here, "AWS_ACCESS_KEY_ID": "A"})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("not a profile file\n")
    assert aws.configured(here)
    assert aws.resolve(here, None).region is None


@contextlib.contextmanager
def signed_for() -> Iterator[tuple[str, list[str]]]:
    """A server that refuses everybody, and the regions for which the requests were signed."""
    regions: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            regions.append(self.headers["authorization"].split("/")[2])
            self.send_response(403)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", regions
    server.shutdown()
    server.server_close()


ROLE = "arn:{}:iam::111122223333:role/ops"


@pytest.mark.parametrize(
    ("role", "region", "environ", "expected"),
    [
        (ROLE.format("aws"), "eu-west-1", {}, "eu-west-1"),
        (ROLE.format("aws"), "af-south-1", {}, "us-east-1"),  # may not be enabled
        (ROLE.format("aws"), "af-south-1", {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        (ROLE.format("aws"), "cn-north-1", {}, "us-east-1"),
        (ROLE.format("aws-cn"), "us-east-2", {}, "cn-north-1"),
        (ROLE.format("aws-cn"), "cn-northwest-1", {}, "cn-northwest-1"),
        (ROLE.format("aws-us-gov"), "us-east-2", {}, "us-gov-west-1"),
    ],
)
def test_sts_is_asked_in_the_partition_of_the_role(
    role: str,
    region: str,
    environ: dict[str, str],
    expected: str,
    clock: HandClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("aws_access_key_id", "aws_secret_access_key")
    pair = "".join(f"{name} = AKIDEXAMPLE\n" for name in names)
    (tmp_path / "config").write_text(f"[profile base]\n{pair}[profile ops]\nrole_arn = {role}\nsource_profile = base\n")
    with signed_for() as (url, regions):
        for name, value in {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_ENDPOINT_URL": url, **environ}.items():
            monkeypatch.setenv(name, value)
        scope = Scope(provider="aws", region=region, context="ops")
        with contextlib.suppress(CloudError):
            provider("aws").connect(Connection(scope=scope, profile="ops"), os.environ, Pace(clock))

    assert regions == [expected]


class Source:
    """Keys with nine minutes left, for which botocore asks anew at each use; what it answers is set by the test."""

    def __init__(self) -> None:
        self.times = 0
        self.down = False
        self.start = self.now = time.time()
        self.keys = RefreshableCredentials.create_from_metadata(self._ask(), refresh_using=self._ask, method="role")

    def _ask(self) -> dict[str, str]:
        self.times += 1
        if self.down:
            raise CloudError(Reason.DOWN, "HTTP 503")
        end = datetime.fromtimestamp(self.start + 540, UTC).isoformat()
        return {"access_key": f"AKIA{self.times}", "secret_key": "s", "token": "t", "expiry_time": end}


def test_a_renewal_that_fails_leaves_the_old_keys_while_they_are_good() -> None:
    source = Source()
    keys = Once(source.keys, "role ops", now=lambda: source.now)

    first = keys.get_frozen_credentials()
    source.down = True
    times = source.times
    assert keys.get_frozen_credentials() == first
    assert source.times == times, "it is asked once a minute"
    for minutes in range(2, 9):
        source.now = source.start + 60 * minutes
        assert keys.get_frozen_credentials() == first
    assert source.times == times + 7

    source.now = source.start + 541
    for _ in range(2):
        with pytest.raises(CloudError, match="role ops: HTTP 503") as ended:
            keys.get_frozen_credentials()
        assert ended.value.reason is Reason.NO_CREDENTIALS
    assert source.times == times + 8


def test_keys_that_end_soon_are_renewed_once_the_source_is_back() -> None:
    source = Source()
    keys = Once(source.keys, "role ops", now=lambda: source.now)

    first = keys.get_frozen_credentials()
    source.down = True
    source.now = source.start + 100
    assert keys.get_frozen_credentials() == first
    source.down = False
    source.now = source.start + 200
    assert keys.get_frozen_credentials() != first
