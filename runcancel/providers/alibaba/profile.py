"""Profile, account and region in use, from Alibaba Cloud's variables and files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runcancel.environment import Choice
from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.alibaba.facts import PROFILE_VARIABLES, REGION_VARIABLES
from runcancel.providers.base import VendorSettings
from runcancel.providers.common.fields import text
from runcancel.providers.common.files import Sections, home, ini, json_object, there, unusable

PREFIXES = ("ALIBABA_CLOUD", "ALIBABACLOUD", "ALICLOUD")
"""The SDK reads the first; the vendor's CLI reads all three."""

OIDC = ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN")

_CREDENTIAL_VARIABLES = (
    *(f"{prefix}_{name}" for prefix in PREFIXES for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "PROFILE")),
    *(name for prefix in PREFIXES[:2] for name in (f"{prefix}_OIDC_TOKEN_FILE", f"{prefix}_ROLE_ARN")),
    *("ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_ECS_METADATA"),
)
_ROLE_ACCOUNT = re.compile(r"acs:ram::([0-9]{1,20}):")

JsonObject = Mapping[str, Any]


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """See `Provider.resolve`."""
    by_variable = _region_variable(environ)
    try:
        choice, row = in_use(environ, profile)
    except CloudError as error:
        by_name = _profile_name(environ, profile)
        broken = error if profile is not None or not keys_in(environ) or by_variable is None else None
        return VendorSettings(profile=by_name or Choice("default", "default"), region=by_variable, error=broken)
    region_id = text(row.get("region_id")) if row else None
    by_file = Choice(region_id, f"profile {choice.value} in {cli_file(environ)}") if region_id else None
    regions = (by_file, by_variable) if profile is not None else (by_variable, by_file)
    region = next((one for one in regions if one is not None), None)
    lost = region is None and row is None and choice.origin in PROFILE_VARIABLES
    nowhere = missing(environ, choice) if lost and choice.value not in (sections(environ) or {}) else None
    account = _account(_role(environ, row, profile))
    return VendorSettings(profile=choice, region=region, account=account, error=nowhere)


def in_use(environ: Mapping[str, str], profile: str | None) -> tuple[Choice[str], JsonObject | None]:
    """The profile in use, and its row in the CLI's file where that has one.

    A flag, then the CLI's variables in its order, then the file's `current`. Raises `Reason.NO_CREDENTIALS` for a file
    that cannot be read, and for a profile that was named and is in neither file.
    """
    rows = _rows(environ)
    choice = _profile_name(environ, profile)
    if choice is None:
        current = text(_document(environ).get("current")) if rows is not None else None
        choice = Choice(current, f"“current” of {cli_file(environ)}") if current else Choice("default", "default")
    row = next((one for one in rows or () if one.get("name") == choice.value), None)
    if row is None and choice.origin != "default" and choice.value not in (sections(environ) or {}):
        if profile is None and keys_in(environ):
            return choice, None  # the environment's keys are used, whatever profile is named beside them
        raise missing(environ, choice)
    return choice, row


def missing(environ: Mapping[str, str], profile: Choice[str]) -> CloudError:
    """The failure of a profile that is nowhere."""
    from difflib import get_close_matches

    names = [str(one.get("name")) for one in _rows(environ) or ()]
    near = get_close_matches(profile.value, names, 1)
    by = "" if profile.origin == "profile" else f", which {profile.origin} names,"
    return CloudError(
        Reason.NO_CREDENTIALS,
        f"there is no profile “{profile.value}”{by} in {cli_file(environ)} or {ini_file(environ)}",
        action="credentials",
        hint=f"did you mean “{near[0]}”?" if near else None,
    )


def row_of(environ: Mapping[str, str], name: str) -> JsonObject | None:
    """A profile of the CLI's file by its name. Raises `Reason.NO_CREDENTIALS` for a file that cannot be read."""
    return next((one for one in _rows(environ) or () if one.get("name") == name), None)


def sections(environ: Mapping[str, str]) -> Sections | None:
    """The sections of the SDK's ini file. Raises `Reason.NO_CREDENTIALS` for one that cannot be read."""
    return ini(ini_file(environ))


def keys_in(environ: Mapping[str, str]) -> bool:
    """Whether the variables contain a key, whole or half. Then no file is read for one."""
    parts = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET")
    return any(environ.get(f"{prefix}_{part}") for prefix in PREFIXES for part in parts) or oidc_in(environ)


def oidc_in(environ: Mapping[str, str]) -> bool:
    """Whether the variables name a role for an OIDC token."""
    return all(spelled(environ, name) for name in OIDC)


def spelled(environ: Mapping[str, str], name: str) -> str | None:
    """The value of a variable in either spelling of the CLI: ALIBABA_CLOUD_… or ALIBABACLOUD_…."""
    return environ.get(name) or environ.get(name.replace("ALIBABA_CLOUD", "ALIBABACLOUD")) or None


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    by_variable = any(environ.get(name) for name in _CREDENTIAL_VARIABLES)
    return by_variable or (_reads_cli_file(environ) and there(cli_file(environ))) or there(ini_file(environ))


def cli_file(environ: Mapping[str, str]) -> Path:
    """Where the vendor's CLI keeps its profiles."""
    return home(environ) / ".aliyun" / "config.json"


def ini_file(environ: Mapping[str, str]) -> Path:
    """Where the vendor's SDKs keep theirs."""
    from_variable = environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE")
    return Path(from_variable) if from_variable else home(environ) / ".alibabacloud" / "credentials.ini"


def _profile_name(environ: Mapping[str, str], profile: str | None) -> Choice[str] | None:
    if profile is not None:
        return Choice(profile, "profile")
    return next((Choice(environ[name], name) for name in PROFILE_VARIABLES if environ.get(name)), None)


def _region_variable(environ: Mapping[str, str]) -> Choice[str] | None:
    return next((Choice(environ[name], name) for name in REGION_VARIABLES if environ.get(name)), None)


def _document(environ: Mapping[str, str]) -> JsonObject:
    document = json_object(cli_file(environ)) if _reads_cli_file(environ) else None
    return {} if document is None else document


def _rows(environ: Mapping[str, str]) -> tuple[JsonObject, ...] | None:
    """The profiles in the CLI's file, None where there is no such file."""
    document = _document(environ)
    if not document and not (_reads_cli_file(environ) and there(cli_file(environ))):
        return None
    listed = document.get("profiles")
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise unusable(cli_file(environ), "has no list of profiles")
    return tuple(_objects(listed))


def _objects(listed: Sequence[object]) -> Iterator[JsonObject]:
    return (one for one in listed if isinstance(one, Mapping))


def _reads_cli_file(environ: Mapping[str, str]) -> bool:
    """Whether the CLI's file counts: the SDK and the CLI each have a variable that disables it."""
    ignored = any(environ.get(f"{prefix}_IGNORE_PROFILE", "") == "TRUE" for prefix in PREFIXES[:2])
    return not ignored and environ.get("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() != "true"


def _role(environ: Mapping[str, str], row: JsonObject | None, profile: str | None) -> Choice[str] | None:
    """The role that is assumed in the end: the profile's own, else the environment's."""
    if profile is None and keys_in(environ):
        row = None
    if row is not None and (own := text(row.get("ram_role_arn"))):
        return Choice(own, f"profile {text(row.get('name'))}")
    role = spelled(environ, "ALIBABA_CLOUD_ROLE_ARN") if profile is None else None
    return None if role is None else Choice(role, "ALIBABA_CLOUD_ROLE_ARN")


def _account(role: Choice[str] | None) -> Choice[str] | None:
    number = None if role is None else _ROLE_ACCOUNT.match(role.value)
    return None if role is None or number is None else Choice(number[1], role.origin)
