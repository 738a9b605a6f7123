"""Where keys and regions come from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from opened import refused

from runcancel.providers import alibaba
from runcancel.providers.alibaba import credentials
from runcancel.providers.alibaba.profile import PREFIXES
from runcancel.providers.alibaba.sources import Sources
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.keys import KeySource
from runcancel.providers.transport import CredentialClient, Endpoint
from runcancel.values import Choice
from runcancel.vocabulary import Reason


def found(environ: Mapping[str, str], profile: str | None) -> KeySource:
    """The keys of a source that asks no STS."""

    def dial(_endpoint: Endpoint, _base: KeySource) -> Wire:
        raise AssertionError("STS was asked")

    sts = Endpoint.of("https://sts.aliyuncs.com")
    return credentials.find(environ, profile, Sources(CredentialClient(environ), dial, sts, fixed=True))


def home(tmp_path: Path, *profiles: dict[str, str], current: str = "default") -> dict[str, str]:
    folder = tmp_path / ".aliyun"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"current": current, "profiles": profiles}))
    return {"HOME": str(tmp_path)}


def profile(name: str, **more: str) -> dict[str, str]:
    return {"name": name, "mode": "AK", "access_key_id": f"{name}-id", "access_key_secret": f"{name}-secret", **more}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_spelling_of_the_variables_is_read(prefix: str) -> None:
    environ = {
        "HOME": "/nowhere",
        f"{prefix}_ACCESS_KEY_ID": "one",
        f"{prefix}_ACCESS_KEY_SECRET": "two",
        f"{prefix}_SECURITY_TOKEN": "three",
        f"{prefix}_REGION_ID": "cn-beijing",
    }

    keys = found(environ, None)()

    assert (keys.id, keys.secret, keys.token) == ("one", "two", "three")
    assert alibaba.resolve(environ, None).region == Choice("cn-beijing", f"{prefix}_REGION_ID")
    assert alibaba.configured(environ)


def test_a_named_profile_wins_over_the_environment(tmp_path: Path) -> None:
    environ = home(tmp_path, profile("default"), profile("prod", region_id="cn-shanghai"))
    environ |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env"}

    assert found(environ, "prod")().id == "prod-id"
    assert found(environ, None)().id == "env"
    assert alibaba.resolve(environ, "prod").region == Choice(
        "cn-shanghai", f"profile prod in {tmp_path}/.aliyun/config.json"
    )


def test_the_current_profile_is_used_and_a_static_token_travels(tmp_path: Path) -> None:
    environ = home(tmp_path, profile("a"), profile("b", mode="StsToken", sts_token="tok"), current="b")

    assert found(environ, None)().token == "tok"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_half_a_key_names_its_other_half_in_the_same_spelling(prefix: str) -> None:
    for here, missing in (("ID", "SECRET"), ("SECRET", "ID")):
        error = refused(lambda: found({"HOME": "/nowhere", f"{prefix}_ACCESS_KEY_{here}": "x"}, None))  # noqa: B023

        assert error.reason is Reason.NO_CREDENTIALS
        assert f"{prefix}_ACCESS_KEY_{missing}" in error.message


def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    environ = home(tmp_path)
    (tmp_path / ".aliyun" / "config.json").write_text('{"access_key_secret": "sikrit"')

    error = refused(lambda: found(environ, None))

    assert "config.json" in error.message
    assert "sikrit" not in error.message
    assert alibaba.resolve(environ, None).region is None


def test_an_unknown_profile_is_said(tmp_path: Path) -> None:
    assert '"prod"' in refused(lambda: found(home(tmp_path, profile("a")), "prod")).message


def test_a_profile_that_the_sdk_must_ask_for_fails_in_our_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = home(tmp_path, {"name": "x", "mode": "External", "process_command": "/nowhere/tool --key sikrit"})

    error = refused(lambda: found(environ, "x")())

    assert error.reason is Reason.NO_CREDENTIALS
    assert "profile x" in error.message
    assert "sikrit" not in f"{error.message}{error.hint}"
    assert capfd.readouterr() == ("", "")
