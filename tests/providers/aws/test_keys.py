"""Keys and endpoints that are found without botocore are those that botocore finds."""

import os
from pathlib import Path
from unittest import mock

import botocore.session
import pytest
from fakes import HandClock
from opened import refused

from providers.aws.scripted import COMMAND, Scripted, connect
from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.keys import fixed_keys
from runcancel.providers.aws.regions import REGIONS, host

ID, SECRET = "AKIDOFVARIABLES", "secret-of-variables"
PLAIN = {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET}
FILE = """\
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key = secret-of-default
[token]
aws_access_key_id = AKIDTOKEN
aws_secret_access_key = secret-of-token
aws_session_token = token-of-token
[half]
aws_access_key_id = AKIDHALF
[two]
aws_access_key_id = AKIDTWO
aws_secret_access_key = secret-of-two
aws_session_token = newer
aws_security_token = older
[role]
aws_access_key_id = AKIDROLE
aws_secret_access_key = secret-of-role
[sign-on]
aws_access_key_id = AKIDSIGNON
aws_secret_access_key = secret-of-sign-on
"""
CONFIG = """\
[profile role]
role_arn = arn:aws:iam::111122223333:role/ops
source_profile = default
[profile sign-on]
sso_role_name = ops
[profile process]
credential_process = false
[profile config]
aws_access_key_id = AKIDCONFIG
aws_secret_access_key = secret-of-config
"""
FIXED: list[tuple[dict[str, str], str | None]] = [
    (PLAIN, None),
    ({**PLAIN, "AWS_SESSION_TOKEN": "token"}, None),
    ({**PLAIN, "AWS_SECURITY_TOKEN": "token"}, None),
    ({**PLAIN, "AWS_PROFILE": "token"}, None),
    ({}, None),
    ({"AWS_PROFILE": "token"}, None),
    ({"AWS_DEFAULT_PROFILE": "token"}, None),
    (PLAIN, "token"),
    ({"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/ops", "AWS_WEB_IDENTITY_TOKEN_FILE": "/none"}, "default"),
]
LEFT: list[tuple[dict[str, str], str | None]] = [
    ({"AWS_ACCESS_KEY_ID": ID}, None),
    ({**PLAIN, "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}, None),
    ({**PLAIN, "AWS_SESSION_TOKEN": "newer", "AWS_SECURITY_TOKEN": "older"}, None),
    ({"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/ops", "AWS_WEB_IDENTITY_TOKEN_FILE": "/none"}, None),
    *(({}, name) for name in ("half", "two", "role", "sign-on", "process", "config")),
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, content in (("credentials", FILE), ("config", CONFIG)):
        (tmp_path / name).write_text(content)
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "HOME": str(tmp_path),
    }


@pytest.mark.parametrize(("environ", "profile"), FIXED)
def test_fixed_keys_are_those_of_botocore(environ: dict[str, str], profile: str | None, files: dict[str, str]) -> None:
    with mock.patch.dict(os.environ, {**files, **environ}):
        found = botocore.session.Session(profile=profile).get_credentials()
        assert found is not None
        theirs = found.get_frozen_credentials()

    ours = fixed_keys({**files, **environ}, profile)

    assert ours is not None
    keys = ours.get_frozen_credentials()
    assert (keys.access_key, keys.secret_key, keys.token) == (theirs.access_key, theirs.secret_key, theirs.token)


@pytest.mark.parametrize(("environ", "profile"), LEFT)
def test_other_keys_are_left_to_botocore(environ: dict[str, str], profile: str | None, files: dict[str, str]) -> None:
    assert fixed_keys({**files, **environ}, profile) is None


def test_a_key_that_no_header_can_carry_is_named_by_its_source() -> None:
    error = refused(lambda: fixed_keys({**PLAIN, "AWS_SECRET_ACCESS_KEY": "line\nend"}, None))

    assert error.reason is Reason.NO_CREDENTIALS
    assert "AWS_ACCESS_KEY_ID of the environment" in error.message


def test_the_usual_hosts_are_those_of_botocore() -> None:
    session = botocore.session.Session()
    keys = {"aws_access_key_id": ID, "aws_secret_access_key": SECRET}
    one_of_each = {session.get_partition_for_region(region): region for region in REGIONS}.values()
    theirs = {region: session.create_client("ssm", region, **keys).meta.endpoint_url for region in one_of_each}

    assert len(theirs) >= 8
    assert {region: f"https://{host(region, None)}" for region in theirs} == theirs


UNUSUAL = [
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, "us-east-2", "https://ssm-fips.us-east-2.amazonaws.com"),
    ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "us-east-2", "https://ssm.us-east-2.api.aws"),
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, "us-gov-west-1", "https://ssm.us-gov-west-1.amazonaws.com"),
    ({"AWS_USE_FIPS_ENDPOINT": "false"}, "us-east-2", "https://ssm.us-east-2.amazonaws.com"),
    ({}, "us-newplace-1", "https://ssm.us-newplace-1.amazonaws.com"),
    ({}, "cn-north-1", "https://ssm.cn-north-1.amazonaws.com.cn"),
]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("environ", "region", "url"), UNUSUAL)
def test_an_endpoint_is_where_botocore_finds_it(
    environ: dict[str, str], region: str, url: str, keys: None, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert connect(clock, region=region).checkup().endpoint == url


@pytest.mark.parametrize("kind", ["FIPS", "DUALSTACK"])
def test_no_endpoint_is_both_chosen_and_of_another_kind(
    kind: str, keys: None, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AWS_USE_{kind}_ENDPOINT", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://ssm.example.com")

    assert "exclude each other; nothing was sent" in refused(lambda: connect(clock)).message


@pytest.mark.parametrize(
    ("app", "named"),
    [("night-watch", "night-watch"), ("team-日本", "team---"), ("a/b (c)", "a-b--c-"), ("a\nX-Y: z", "a-X-Y--z")],
)
def test_an_application_is_named_in_the_user_agent_and_a_path_stays_before_the_service(
    app: str, named: str, wire: Scripted, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", app)
    wire.script = lambda action, params: {"Commands": []}

    with pytest.raises(CloudError):
        list(connect(clock, endpoint_url=f"{wire.url}/aws").script(COMMAND) or ())

    assert wire.asked == [("ListCommands", {"CommandId": COMMAND.id})]
    assert wire.heads[-1][0] == "/aws/"
    assert wire.heads[-1][1].endswith(f" app/{named}")


def test_slashes_of_a_path_are_sent_as_they_are_signed(wire: Scripted, clock: HandClock) -> None:
    wire.script = lambda action, params: {"Commands": []}

    with pytest.raises(CloudError):
        list(connect(clock, endpoint_url=f"{wire.url}/aws///ssm//").script(COMMAND) or ())

    assert wire.heads[-1][0] == "/aws/ssm/"
