"""The settings in AWS's variables and profile files, read without the SDK, in botocore's order of precedence."""

import os
import re
import shlex
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from runcancel.environment import Choice
from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.facts import PROFILE_VARIABLES, REGION_VARIABLES
from runcancel.providers.base import VendorSettings
from runcancel.providers.common.files import Sections, ini, stamp, there, unusable

if TYPE_CHECKING:
    from runcancel.providers.common.http import Endpoint

PREFIX = "AWS_"
HOMES = ("HOME", "USERPROFILE")
"""The variables that decide where profiles are and what they contain."""

CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_ROLE_ACCOUNT = re.compile(r"arn:[^:]*:iam::([0-9]{12}):")


class Profiles(Struct, frozen=True):
    """The two files as botocore merges them: profiles by name, and the `services` sections."""

    profiles: Mapping[str, Mapping[str, str]]
    services: Sections
    files: tuple[Path, Path]


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """See `Provider.resolve`."""
    choice = profile_in_use(environ, profile)
    variable = next((name for name in REGION_VARIABLES if environ.get(name)), None)
    region = None if variable is None else Choice(environ[variable], variable)
    try:
        section = _section(environ, choice)
        endpoint = endpoint_url(environ, choice.value, "ssm")
    except CloudError as error:
        return VendorSettings(profile=choice, region=region, endpoint_url=_by_variable(environ, "ssm"), error=error)
    where = f"profile “{choice.value}” in {_holder(environ, choice.value, 'region')}"
    if region is None and section.get("region"):
        region = Choice(section["region"], where)
    return VendorSettings(profile=choice, region=region, endpoint_url=endpoint, account=_account(section, choice))


def profile_in_use(environ: Mapping[str, str], profile: str | None) -> Choice[str]:
    """The name of the profile in use, as botocore chooses it: the first variable that is set, AWS_DEFAULT_PROFILE."""
    if profile is not None:
        return Choice(profile, "profile")
    variable = next((name for name in PROFILE_VARIABLES if environ.get(name)), None)
    return Choice("default", "default") if variable is None else Choice(environ[variable], variable)


_IN_SETTINGS = {"events": "eventbridge", "stepfunctions": "sfn"}
"""Services whose endpoints have another name in variables and files than their clients have."""


def endpoint_url(environ: Mapping[str, str], profile: str, service: str) -> Choice[str] | None:
    """The endpoint that variables or the profile choose for a service; None: AWS's own. Raises `CloudError`."""
    read = profiles(environ)
    section = read.profiles.get(profile, {})
    service = _IN_SETTINGS.get(service, service)
    if _ignored(environ, section):
        return None
    if by_variable := _by_variable(environ, service):
        return by_variable
    config, _ = read.files
    if name := section.get("services"):
        if name not in read.services:
            raise unusable(config, f"has no section “services {name}”, which profile “{profile}” names")
        if url := nested(read.services[name].get(service, "")).get("endpoint_url"):
            return Choice(url, f"services “{name}” of profile “{profile}” in {config}")
    if url := section.get("endpoint_url"):
        return Choice(url, f"profile “{profile}” in {_holder(environ, profile, 'endpoint_url')}")
    return None


def endpoint_of(url: str) -> "Endpoint":
    """Where a URL leads. Raises `Reason.NOT_CONFIGURED` for plain http beyond loopback, and for what is no URL."""
    from runcancel.providers.common.http import Endpoint

    try:
        parts = urlsplit(url)
    except ValueError:  # its text quotes the URL, and a password in it
        raise CloudError(Reason.NOT_CONFIGURED, "an endpoint URL cannot be read; nothing was sent") from None
    return Endpoint.of(f"{parts.scheme}://{parts.netloc}")


def own_endpoint_url(environ: Mapping[str, str], profile: str, service: str) -> Choice[str] | None:
    """The endpoint that is chosen for a service otherwise than for Systems Manager; None where none is."""
    choice = endpoint_url(environ, profile, service)
    return None if choice == endpoint_url(environ, profile, "ssm") else choice


def configured(environ: Mapping[str, str]) -> bool:
    """Whether any credential variable is set or a profile file exists."""
    return any(environ.get(name) for name in CREDENTIAL_VARIABLES) or any(there(path) for path in files(environ))


def files(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Where the config file and the credentials file are, whether they exist or not."""
    return (
        _path(environ, "AWS_CONFIG_FILE", "config"),
        _path(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    )


def profiles(environ: Mapping[str, str]) -> Profiles:
    """Both files, merged. Raises `Reason.NO_CREDENTIALS` for one that cannot be read."""
    config, credentials = files(environ)
    return _merged(config, credentials, (stamp(config), stamp(credentials)))


@lru_cache(maxsize=16)
def _merged(config: Path, credentials: Path, _stamps: object) -> Profiles:
    """The merging of thousands of profiles, once for all readers of one of them."""
    sections: dict[str, Mapping[str, str]] = {}
    services: dict[str, Mapping[str, str]] = {}
    for title, values in (ini(config) or {}).items():
        words = _words(title)
        if words[:1] == ("default",) or (len(words) == 2 and words[0] == "profile"):
            sections[words[-1]] = values
        elif len(words) == 2 and words[0] == "services":
            services[words[1]] = values
    for name, values in (ini(credentials) or {}).items():
        sections[name] = {**sections.get(name, {}), **values}  # botocore lets the credentials file win
    return Profiles(sections, services, (config, credentials))


def _section(environ: Mapping[str, str], profile: Choice[str]) -> Mapping[str, str]:
    """The values of the profile in use. Raises `Reason.NO_CREDENTIALS` for one that was named and is nowhere."""
    by_name = profiles(environ).profiles
    if profile.value in by_name or profile.origin == "default":
        return by_name.get(profile.value, {})
    from difflib import get_close_matches

    config, credentials = files(environ)
    by = "" if profile.origin == "profile" else f", which {profile.origin} names,"
    near = get_close_matches(profile.value, by_name, 1)
    raise CloudError(
        Reason.NO_CREDENTIALS,
        f"there is no profile “{profile.value}”{by} in {config} or {credentials}",
        action="credentials",
        hint=f"did you mean “{near[0]}”?" if near else None,
    )


def _holder(environ: Mapping[str, str], profile: str, key: str) -> Path:
    """The file of a value of a profile."""
    config, credentials = files(environ)
    return credentials if key in (ini(credentials) or {}).get(profile, {}) else config


def _account(section: Mapping[str, str], profile: Choice[str]) -> Choice[str] | None:
    role = _ROLE_ACCOUNT.match(section.get("role_arn", ""))
    number = role[1] if role else section.get("sso_account_id") or section.get("aws_account_id")
    return Choice(number, f"profile “{profile.value}”") if number else None


def _by_variable(environ: Mapping[str, str], service: str) -> Choice[str] | None:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
    return next((Choice(environ[name], name) for name in names if environ.get(name)), None)


def _ignored(environ: Mapping[str, str], section: Mapping[str, str]) -> bool:
    """Whether configured endpoints do not count: the variable, if it is set, decides."""
    setting = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or section.get("ignore_configured_endpoint_urls", "")
    return setting.lower() == "true"


def nested(value: str) -> dict[str, str]:
    """The indented `key = value` lines below a key."""
    pairs = (line.partition("=") for line in value.splitlines() if "=" in line)
    return {key.strip(): text.strip() for key, _, text in pairs}


@lru_cache(maxsize=4096)
def _words(title: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(title))
    except ValueError:
        return ()


def _path(environ: Mapping[str, str], variable: str, name: str) -> Path:
    home = next((environ[each] for each in HOMES if environ.get(each)), None)
    spelling = os.path.expandvars(environ.get(variable) or f"~/.aws/{name}")
    if home is not None and spelling.startswith("~/"):
        return Path(home + spelling[1:])
    return Path(os.path.expanduser(spelling))
