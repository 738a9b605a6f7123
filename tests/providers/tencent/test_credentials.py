"""Where keys and regions come from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakes import HandClock
from opened import GUANGZHOU, refused

from runcancel.environment import Choice
from runcancel.model.states import Reason
from runcancel.providers import tencent
from runcancel.providers.base import Connection
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credentials import Credentials, CredentialSource
from runcancel.providers.common.http import Endpoint
from runcancel.providers.tencent import credentials
from runcancel.providers.tencent.sources import Sources
from runcancel.providers.tencent.wire import Wire
from runcancel.runtime.throttle import Pace


def tccli(tmp_path: Path, name: str, credential: object, region: str | None = None) -> dict[str, str]:
    folder = tmp_path / ".tccli"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.credential").write_text(credential if isinstance(credential, str) else json.dumps(credential))
    if region:
        (folder / f"{name}.configure").write_text(json.dumps({"_sys_param": {"region": region}}))
    return {"HOME": str(tmp_path)}


def found(environ: Mapping[str, str], profile: str | None, *, now: float | None = None) -> Credentials:
    """The keys of a source that asks no STS."""

    def dial(_base: CredentialSource) -> Wire:
        raise AssertionError("STS was asked")

    sts = Endpoint.of("https://sts.tencentcloudapi.com")
    return credentials.find(environ, profile, lambda: Sources(CredentialClient(environ), dial, sts), now=now)()


def said(keys: Credentials) -> tuple[str, str, str | None]:
    return keys.id, keys.secret, keys.token


PAIR = {"secretId": "file-id", "secretKey": "file-key"}
ENVIRON = {"TENCENTCLOUD_SECRET_ID": "env-id", "TENCENTCLOUD_SECRET_KEY": "env-key", "TENCENTCLOUD_TOKEN": "env-token"}


def test_the_environment_comes_before_files_and_after_a_named_profile(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", PAIR) | ENVIRON

    assert said(found(environ, None)) == ("env-id", "env-key", "env-token")
    assert said(found(environ, "default")) == ("file-id", "file-key", None)


def test_the_profile_of_a_variable_gives_keys_and_region(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "games", {**PAIR, "token": "t"}, "ap-shanghai") | {"TCCLI_PROFILE": "games"}

    assert found(environ, None).source == "profile games of tccli"
    assert tencent.resolve(environ, None).region == Choice(
        "ap-shanghai", f"profile games in {tmp_path}/.tccli/games.configure"
    )
    assert tencent.resolve(environ | {"TENCENTCLOUD_REGION": "x"}, None).region == Choice("x", "TENCENTCLOUD_REGION")
    assert tencent.configured(environ)


def test_the_file_of_the_sdk_comes_last_and_may_quote(tmp_path: Path) -> None:
    folder = tmp_path / ".tencentcloud"
    folder.mkdir()
    (folder / "credentials").write_text('[default]\nsecret_id = "a%b"\nsecret_key = c\n')

    assert said(found({"HOME": str(tmp_path)}, None)) == ("a%b", "c", None)


def test_a_login_that_has_ended_is_expired(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", {**PAIR, "expiresAt": 1000})

    assert refused(lambda: found(environ, None, now=1000)).reason is Reason.EXPIRED_CREDENTIALS
    assert found(environ, None, now=999).expires_at == 1000


@pytest.mark.parametrize("content", ["{'secretKey': 'sikrit'", "[]", '"sikrit"', "null", '{"type": "oauth"}'])
def test_a_broken_file_is_named_and_not_quoted(content: str, tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", content)

    error = refused(lambda: found(environ, None))

    assert error.reason is Reason.NO_CREDENTIALS
    assert "default.credential" in error.message
    assert "sikrit" not in error.message


@pytest.mark.parametrize("name", ["../default", "a/b", "..", "", "a\\b", "-x"])
def test_a_profile_name_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    if name:
        assert refused(lambda: found({"HOME": str(tmp_path)}, name)).reason is Reason.NO_CREDENTIALS
    assert tencent.resolve({"HOME": str(tmp_path)}, name).region is None


def test_an_endpoint_in_clear_text_is_refused() -> None:
    connection = Connection(scope=GUANGZHOU, endpoint_url="http://tat.tencentcloudapi.com")

    assert refused(lambda: tencent.connect(connection, ENVIRON, Pace(HandClock()))).reason is Reason.NOT_CONFIGURED
