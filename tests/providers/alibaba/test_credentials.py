"""Where keys and regions come from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from opened import refused

from runcancel.environment import Choice
from runcancel.model.states import Reason
from runcancel.providers import alibaba
from runcancel.providers.alibaba import credentials
from runcancel.providers.alibaba.profile import PREFIXES
from runcancel.providers.alibaba.sources import Role, Sources
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credentials import CredentialSource
from runcancel.providers.common.fields import number
from runcancel.providers.common.http import Endpoint


def found(environ: Mapping[str, str], profile: str | None) -> CredentialSource:
    """The keys of a source that asks no STS."""

    def dial(_endpoint: Endpoint, _base: CredentialSource) -> Wire:
        raise AssertionError("STS was asked")

    sts = Endpoint.of("https://sts.aliyuncs.com")
    return credentials.find(environ, profile, lambda: Sources(CredentialClient(environ), dial, sts, fixed=True))


def home(tmp_path: Path, *profiles: Mapping[str, object], current: str = "default") -> dict[str, str]:
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
    assert "“prod”" in refused(lambda: found(home(tmp_path, profile("a")), "prod")).message


def test_a_profile_that_the_sdk_must_ask_for_fails_in_our_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = home(tmp_path, {"name": "x", "mode": "External", "process_command": "/nowhere/tool --key sikrit"})

    error = refused(lambda: found(environ, "x")())

    assert error.reason is Reason.NO_CREDENTIALS
    assert "profile x" in error.message
    assert "sikrit" not in f"{error.message}{error.hint}"
    assert capfd.readouterr() == ("", "")


ROLE = "acs:ram::1:role/ops"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"mode": "RsaKeyPair", "private_key": "sikrit"}, "the mode RsaKeyPair is not supported"),
        ({"mode": "BearerToken", "bearer_token": "sikrit"}, "the mode BearerToken is not supported"),
        ({"mode": "Anonymous"}, "the mode Anonymous is not supported"),
        ({"mode": "AK", "access_key_secret": ""}, "access_key_secret is missing"),
        ({"mode": "StsToken"}, "sts_token is missing"),
        ({"mode": "RamRoleArn"}, "ram_role_arn is missing"),
        ({"mode": "OIDC", "ram_role_arn": ROLE}, "oidc_provider_arn is missing"),
        ({"mode": "External"}, "process_command is missing"),
        ({"mode": "CredentialsURI"}, "credentials_uri is missing"),
        ({"mode": "ChainableRamRoleArn"}, "source_profile is missing"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "none"}, "source_profile names “none”, but there is no"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "x", "ram_role_arn": ROLE}, "a loop: x → x"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "y", "ram_role_arn": ROLE}, "a loop: x → y → x"),
        ({"mode": "CloudSSO"}, "the sign-in has expired"),
        ({"mode": "OAuth"}, "the sign-in has expired"),
    ],
)
def test_a_mode_works_or_is_refused_by_name(row: dict[str, str], says: str, tmp_path: Path) -> None:
    back = profile("y", mode="ChainableRamRoleArn", source_profile="x", ram_role_arn=ROLE)
    environ = home(tmp_path, profile("x", **row), back)

    error = refused(lambda: found(environ, "x"))

    assert error.reason in (Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS)
    assert says in error.message
    assert "config.json" in error.message
    assert "sikrit" not in f"{error.message}{error.hint}"


@pytest.mark.parametrize("mode", ["CloudSSO", "OAuth"])
def test_a_stored_sign_in_is_good_until_it_ends(mode: str, tmp_path: Path) -> None:
    row = {"mode": mode, "sts_token": "tok", "sts_expiration": 4_000_000_000}
    environ = home(tmp_path, {**profile("x"), **row})

    keys = found(environ, "x")()

    assert (keys.id, keys.token, keys.expires_at) == ("x-id", "tok", 4_000_000_000)


@pytest.mark.parametrize(("seconds", "asked"), [(0, "3600"), (None, "3600"), (900, "900"), ("7200", "7200")])
def test_a_lifetime_of_0_is_the_default(seconds: object, asked: str) -> None:
    assert Role(arn=ROLE, source="x", seconds=number(seconds) or None).parameters()["DurationSeconds"] == asked


@pytest.mark.parametrize("uri", ["http://10.0.0.1/keys", "ftp://127.0.0.1/keys", "keys"])
def test_an_address_that_must_not_be_asked_is_refused(uri: str, tmp_path: Path) -> None:
    environ = home(tmp_path, {"name": "x", "mode": "CredentialsURI", "credentials_uri": uri})

    assert refused(found(environ, "x")).reason is Reason.NO_CREDENTIALS
