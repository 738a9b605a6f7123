"""Where to connect: flag before variable before the vendor's own word, and nothing taken that nobody meant."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from fakes import UUID

from runcancel.config import references
from runcancel.config.file import Config, Context
from runcancel.config.provenance import origins
from runcancel.config.settings import Settings, connection, gather, scopes_of
from runcancel.environment import duration, plain, switch, text, variable
from runcancel.errors import UsageError
from runcancel.model.runs import Scope
from runcancel.providers import PROVIDERS, provider

NOWHERE = {"HOME": "/nowhere"}
INV, ALI = "inv-ib2lld37", "t-7d2a745b412b4601"


def settings(environ: Mapping[str, str] = MappingProxyType({}), **given: Any) -> Settings:
    return gather(environ=NOWHERE | dict(environ), **given)


def scopes(text: str, environ: Mapping[str, str] = MappingProxyType({}), **given: Any) -> list[str]:
    return [str(scope) for scope in scopes_of(settings(environ, **given), references.parse(text))]


def test_a_flag_wins_over_its_variable_and_each_says_where_it_came_from() -> None:
    environ = {
        "RUNCANCEL_PROVIDER": "alibaba",
        "RUNCANCEL_REGION": "us-east-1, eu-west-1",
        "RUNCANCEL_PROFILE": "audit",
    }

    from_variables = settings(environ)
    from_flags = settings(environ, providers=["aws,tencent", "aws"], regions=["us-west-2"], profile="me")

    assert (from_variables.providers.value, from_variables.providers.origin) == (("alibaba",), "RUNCANCEL_PROVIDER")
    assert (from_variables.regions.value, from_variables.regions.typed) == (("us-east-1", "eu-west-1"), False)
    assert (from_variables.profile.value, from_variables.profile.origin) == ("audit", "RUNCANCEL_PROFILE")
    assert (from_flags.providers.value, from_flags.providers.origin) == (("aws", "tencent"), "--provider")
    assert (from_flags.regions.value, from_flags.regions.typed) == (("us-west-2",), True)
    assert (from_flags.profile.value, from_flags.profile.typed) == ("me", True)
    assert settings().providers.origin == "default"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"providers": ["asw"]}, "did you mean aws?"),
        ({"providers": [""]}, "is empty"),
        ({"providers": ["aws,,tencent"]}, "is empty"),
        ({"regions": [""]}, "is empty"),
        ({"regions": ["-y"]}, "looks like an option"),
        ({"profile": ""}, "is empty"),
        ({"profile": "--region"}, "looks like an option"),
        ({"regions": ["evil.example/x"]}, "is not a region such as"),
        ({"regions": ["us east 1"]}, "is not a region such as"),
        ({"regions": ["aws:"]}, "is not a region such as"),
        ({"regions": ["asw:us-east-1"]}, "did you mean aws?"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match="othing was sent") as caught:
        settings(**given)

    assert says in caught.value.message


@pytest.mark.parametrize(
    ("environ", "value"), [({}, None), ({"RUNCANCEL_OUTPUT": ""}, None), ({"RUNCANCEL_OUTPUT": "json"}, "json")]
)
def test_an_empty_variable_is_no_variable(environ: dict[str, str], value: str | None) -> None:
    assert text("--output", None, environ).value == value


@pytest.mark.parametrize(
    ("given", "value", "on"),
    [
        (True, "0", True),
        (False, "1", True),
        (None, "yes", True),
        (None, " TRUE ", True),
        (None, "on", True),
        (None, "0", False),
        (None, "off", False),
        (None, "", False),
        (False, "no", False),
    ],
)
def test_a_switch_is_on_by_its_flag_or_its_variable(given: bool | None, value: str, on: bool) -> None:
    assert switch("--no-input", given, {"RUNCANCEL_NO_INPUT": value}) is on


def test_a_switch_that_is_neither_on_nor_off_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"RUNCANCEL_QUIET is “maybe”\. Expected 1 or 0"):
        switch("--quiet", None, {"RUNCANCEL_QUIET": "maybe"})


@pytest.mark.parametrize(
    ("word", "seconds"),
    [("90", 90), ("0", 0), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("250ms", 0.25), (" 5s ", 5)],
)
def test_a_duration_has_a_unit_or_means_seconds(word: str, seconds: float) -> None:
    assert duration("--timeout", word) == pytest.approx(seconds)


@pytest.mark.parametrize("word", ["", "soon", "-5", "5 s", "1e3", "inf", "nan", ".5"])
def test_what_is_no_duration_says_so(word: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        duration("--timeout", word)


def test_names_of_variables_follow_the_flags() -> None:
    assert [variable(flag) for flag in ("--no-input", "--region", "tencent")] == [
        "RUNCANCEL_NO_INPUT",
        "RUNCANCEL_REGION",
        "RUNCANCEL_TENCENT",
    ]
    assert plain("--target", "i-1") == "i-1"


@pytest.mark.parametrize(
    ("reference", "environ", "given", "found"),
    [
        # what a reference says always wins
        (f"us-west-2:{UUID}", {"AWS_REGION": "eu-west-1"}, {}, ["aws:us-west-2"]),
        (f"us-west-2:{UUID}", {"RUNCANCEL_REGION": "eu-west-1"}, {}, ["aws:us-west-2"]),
        (f"us-west-2:{UUID}", {"RUNCANCEL_REGION": "xx-new-1"}, {}, ["aws:us-west-2"]),
        (f"prod@us-west-2:{UUID}", {"RUNCANCEL_PROFILE": "audit"}, {}, ["prod@aws:us-west-2"]),
        (f"aws:us-west-2:{UUID}", {"RUNCANCEL_PROVIDER": "tencent"}, {}, ["aws:us-west-2"]),
        (f"us-west-2:{UUID}", {}, {"regions": ["us-west-2", "eu-west-1"]}, ["aws:us-west-2"]),
        # then a flag, then its variable, then the vendor's own
        (UUID, {"AWS_REGION": "eu-west-1"}, {"regions": ["us-west-2"]}, ["aws:us-west-2"]),
        (UUID, {"AWS_REGION": "eu-west-1", "RUNCANCEL_REGION": "us-east-1"}, {}, ["aws:us-east-1"]),
        (UUID, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, {}, ["aws:eu-west-1"]),
        (ALI, {"ALIBABA_CLOUD_REGION_ID": "cn-beijing"}, {}, ["alibaba:cn-beijing"]),
        (INV, {"TENCENTCLOUD_REGION": "ap-tokyo"}, {"profile": "me"}, ["me@tencent:ap-tokyo"]),
        # each provider takes the regions it knows
        (UUID, {}, {"regions": ["cn-hangzhou,us-east-1", "eu-west-2"]}, ["aws:us-east-1", "aws:eu-west-2"]),
        (ALI, {}, {"regions": ["us-east-1", "ap-guangzhou"]}, ["alibaba:us-east-1"]),
        (INV, {}, {"regions": ["us-east-1", "ap-guangzhou"]}, ["tencent:ap-guangzhou"]),
        (UUID, {}, {"regions": ["aws:us-east-1", "alibaba:us-east-1"]}, ["aws:us-east-1"]),
        (UUID, {}, {"regions": ["aws:xx-new-1"]}, ["aws:xx-new-1"]),
        (UUID, {}, {"regions": ["xx-new-1"], "providers": ["aws"]}, ["aws:xx-new-1"]),
        (UUID, {}, {"regions": ["us-east-1", "aws:us-east-1"]}, ["aws:us-east-1"]),
    ],
)
def test_where_a_reference_is_looked_for(
    reference: str, environ: dict[str, str], given: dict[str, Any], found: list[str]
) -> None:
    assert scopes(reference, environ, **given) == found


@pytest.mark.parametrize("word", ["all", "aws:all"])
def test_all_regions_are_those_of_the_table(word: str) -> None:
    assert scopes(UUID, regions=[word]) == [f"aws:{region}" for region in sorted(provider("aws").regions)]


@pytest.mark.parametrize(
    ("reference", "given", "says"),
    [
        (f"us-west-2:{UUID}", {"regions": ["eu-west-1"]}, "-r eu-west-1 excludes"),
        (f"aws:us-west-2:{UUID}", {"providers": ["tencent"]}, "-p tencent excludes"),
        (INV, {"providers": ["aws", "alibaba"]}, "-p aws,alibaba excludes"),
        (f"prod@us-west-2:{UUID}", {"profile": "audit"}, "--profile audit excludes"),
        (UUID, {}, "no region for"),
        (ALI, {"regions": ["us-east-2"]}, "names no region of Alibaba Cloud"),
        (UUID, {"regions": ["xx-new-1"]}, "no provider has a known region “xx-new-1”"),
    ],
)
def test_what_was_typed_and_excludes_a_reference_is_wrong_usage(
    reference: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match="nothing was sent") as caught:
        scopes(reference, **given)

    assert says in caught.value.message


def test_the_vendors_profile_file_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile audit]\nregion = ap-east-1\n")

    assert scopes(UUID, {"HOME": str(tmp_path)}, profile="audit") == ["audit@aws:ap-east-1"]


@pytest.mark.parametrize(
    ("reference", "environ", "given", "says"),
    [
        (f"us-west-2:{UUID}", {}, {}, "aws:us-west-2: region from the reference, credentials from the vendor"),
        (UUID, {}, {"regions": ["eu-west-1"]}, "region from --region"),
        (UUID, {"RUNCANCEL_REGION": "eu-west-1"}, {}, "region from RUNCANCEL_REGION"),
        (UUID, {"AWS_REGION": "eu-west-1"}, {"profile": "me"}, "region from AWS_REGION, credentials from profile me"),
    ],
)
def test_every_choice_says_where_it_came_from(
    reference: str, environ: dict[str, str], given: dict[str, Any], says: str
) -> None:
    (line,) = origins(settings(environ, **given), references.parse(reference))

    assert says in line


@pytest.mark.parametrize("name", PROVIDERS)
def test_endpoints_come_from_the_providers_own_variables(name: str) -> None:
    prefix = f"RUNCANCEL_{name.upper()}"
    scope = Scope(provider=name, region="us-east-1", context="me")
    environ = {f"{prefix}_ENDPOINT_URL": "http://127.0.0.1:1", f"{prefix}_STS_ENDPOINT_URL": "http://127.0.0.1:2"}

    found = connection(settings(environ), scope)
    bare = connection(settings({f"{prefix}_ENDPOINT_URL": ""}), scope)

    assert (found.scope, found.profile) == (scope, "me")
    assert (found.endpoint_url, found.sts_endpoint_url) == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert (bare.endpoint_url, bare.sts_endpoint_url, bare.site) == (None, None, None)


@pytest.mark.parametrize("site", ["tencentcloudapi.com", "intl.tencentcloudapi.com"])
def test_tencent_has_two_sites_and_no_other(site: str) -> None:
    scope = Scope(provider="tencent", region="ap-guangzhou")

    assert connection(settings({"RUNCANCEL_TENCENT_SITE": site}), scope).site == site
    with pytest.raises(UsageError, match=r"expected tencentcloudapi\.com or intl"):
        connection(settings({"RUNCANCEL_TENCENT_SITE": "evil.example"}), scope)


def test_a_wrong_site_is_blamed_on_who_said_it() -> None:
    config = Config(contexts={"cn": Context(provider="tencent", site="evil.example")})

    with pytest.raises(UsageError, match=r"the site of context cn is “evil\.example”"):
        connection(settings(config=config), Scope(provider="tencent", region="ap-guangzhou", context="cn"))
