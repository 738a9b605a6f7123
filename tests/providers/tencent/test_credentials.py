"""Where keys and regions come from."""

import json
from pathlib import Path

import pytest
from fakes import HandClock
from opened import GUANGZHOU, refused

from runcancel.pace import Pace
from runcancel.providers import Connection, tencent
from runcancel.providers.keys import Keys
from runcancel.providers.tencent import credentials
from runcancel.providers.tencent.credentials import AssumedRole
from runcancel.values import Choice
from runcancel.vocabulary import Reason


def tccli(tmp_path: Path, name: str, credential: object, region: str | None = None) -> dict[str, str]:
    folder = tmp_path / ".tccli"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.credential").write_text(credential if isinstance(credential, str) else json.dumps(credential))
    if region:
        (folder / f"{name}.configure").write_text(json.dumps({"_sys_param": {"region": region}}))
    return {"HOME": str(tmp_path)}


def said(keys: Keys) -> tuple[str, str, str | None]:
    return keys.id, keys.secret, keys.token


PAIR = {"secretId": "file-id", "secretKey": "file-key"}
ENVIRON = {"TENCENTCLOUD_SECRET_ID": "env-id", "TENCENTCLOUD_SECRET_KEY": "env-key", "TENCENTCLOUD_TOKEN": "env-token"}


def test_the_environment_comes_before_files_and_after_a_named_profile(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", PAIR) | ENVIRON

    assert said(credentials.find(environ, None).keys) == ("env-id", "env-key", "env-token")
    assert said(credentials.find(environ, "default").keys) == ("file-id", "file-key", None)


def test_the_profile_of_a_variable_gives_keys_and_region(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "games", {**PAIR, "token": "t"}, "ap-shanghai") | {"TCCLI_PROFILE": "games"}

    assert credentials.find(environ, None).keys.source == "profile games of tccli"
    assert tencent.resolve(environ, None).region == Choice(
        "ap-shanghai", f"profile games in {tmp_path}/.tccli/games.configure"
    )
    assert tencent.resolve(environ | {"TENCENTCLOUD_REGION": "x"}, None).region == Choice("x", "TENCENTCLOUD_REGION")
    assert tencent.configured(environ)


def test_the_file_of_the_sdk_comes_last_and_may_quote(tmp_path: Path) -> None:
    folder = tmp_path / ".tencentcloud"
    folder.mkdir()
    (folder / "credentials").write_text('[default]\nsecret_id = "a%b"\nsecret_key = c\n')

    assert said(credentials.find({"HOME": str(tmp_path)}, None).keys) == ("a%b", "c", None)


def test_a_login_that_has_ended_is_expired(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", {**PAIR, "expiresAt": 1000})

    assert refused(lambda: credentials.find(environ, None, now=1000)).reason is Reason.EXPIRED_CREDENTIALS
    assert credentials.find(environ, None, now=999).keys.expires_at == 1000


@pytest.mark.parametrize("content", ["{'secretKey': 'sikrit'", "[]", '"sikrit"', "null", '{"type": "cvm-role"}'])
def test_a_broken_file_is_named_and_not_quoted(content: str, tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", content)

    error = refused(lambda: credentials.find(environ, None))

    assert error.reason is Reason.NO_CREDENTIALS
    assert "default.credential" in error.message
    assert "sikrit" not in error.message


@pytest.mark.parametrize("name", ["../default", "a/b", "..", "", "a\\b", "-x"])
def test_a_profile_name_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    if name:
        assert refused(lambda: credentials.find({"HOME": str(tmp_path)}, name)).reason is Reason.NO_CREDENTIALS
    assert tencent.resolve({"HOME": str(tmp_path)}, name).region is None


def test_a_role_is_assumed_once_and_renewed_before_it_ends() -> None:
    now = [0.0]
    given = [
        Keys(id="1", secret="s", token="t", expires_at=7200),
        Keys(id="2", secret="s", token="t", expires_at=14400),
    ]
    role = AssumedRole(lambda: given.pop(0), now=lambda: now[0])

    first = [role().id for _ in range(3)]
    now[0] = 7000.0

    assert first == ["1", "1", "1"]
    assert role().id == "2"


def test_sts_keys_are_read_or_refused() -> None:
    given = {"Credentials": {"TmpSecretId": "a", "TmpSecretKey": "b", "Token": "c"}, "ExpiredTime": 5}

    assert credentials.assumed(given).expires_at == 5
    assert refused(lambda: credentials.assumed({"Credentials": None})).reason is Reason.UNPROVEN


def test_an_endpoint_in_clear_text_is_refused() -> None:
    connection = Connection(scope=GUANGZHOU, endpoint_url="http://tat.tencentcloudapi.com")

    assert refused(lambda: tencent.connect(connection, ENVIRON, Pace(HandClock()))).reason is Reason.USAGE
