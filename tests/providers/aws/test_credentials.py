"""Where credentials and regions come from."""

from pathlib import Path

import pytest
from fakes import HandClock
from opened import refused

from providers.aws.scripted import connect
from runcancel.model.states import Reason
from runcancel.providers import provider


def test_no_credentials_says_what_was_tried(clock: HandClock) -> None:
    said = refused(lambda: connect(clock))

    assert said.reason is Reason.NO_CREDENTIALS
    assert "AWS_ACCESS_KEY_ID" in said.message
    assert 'profile "default"' in said.message


def test_an_unknown_profile_is_no_credentials(clock: HandClock) -> None:
    said = refused(lambda: connect(clock, profile="nope"))

    assert said.reason is Reason.NO_CREDENTIALS
    assert 'profile "nope"' in said.message


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
