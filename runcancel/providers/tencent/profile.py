"""Profile, account and region in use, from Tencent Cloud's variables and tccli's files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcancel.environment import Choice
from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import VendorSettings
from runcancel.providers.common.fields import text
from runcancel.providers.common.files import home, json_object, there
from runcancel.text import quoted

SYSTEM_FILE = Path("/etc/tencentcloud/credentials")
KEYS = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")
ROLE = ("TENCENTCLOUD_ROLE_ARN", "TENCENTCLOUD_ROLE_SESSION_NAME")
OIDC = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")
"""What a pod of Tencent Kubernetes Engine has; all four count together."""

_ROLE_ACCOUNT = re.compile(r"qcs::cam::uin/([0-9]{1,20}):")

JsonObject = Mapping[str, Any]


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """See `Provider.resolve`."""
    choice = profile_in_use(environ, profile)
    by_variable = environ.get("TENCENTCLOUD_REGION")
    variable = Choice(by_variable, "TENCENTCLOUD_REGION") if by_variable else None
    try:
        by_file = _region(environ, choice)
        credential = json_object(tccli_file(environ, choice.value, "credential"))
        keys_there = profile is None and (any(environ.get(name) for name in KEYS) or oidc_in(environ))
        nowhere = credential is None and by_file is None and choice.origin != "default"
        if nowhere and (not keys_there or variable is None):
            raise missing(environ, choice)
    except CloudError as error:
        return VendorSettings(profile=choice, region=variable, error=error)
    regions = (by_file, variable) if profile is not None else (variable, by_file)  # tccli's order
    account = _account(environ, credential or {}, choice, by_name=profile is not None)
    return VendorSettings(
        profile=choice, region=next((one for one in regions if one is not None), None), account=account
    )


def profile_in_use(environ: Mapping[str, str], profile: str | None) -> Choice[str]:
    """The name of tccli's profile in use."""
    if profile is not None:
        return Choice(profile, "profile")
    variable = environ.get("TCCLI_PROFILE")
    return Choice(variable, "TCCLI_PROFILE") if variable else Choice("default", "default")


def missing(environ: Mapping[str, str], profile: Choice[str]) -> CloudError:
    """The failure of a profile that has no file."""
    by = "" if profile.origin == "profile" else f", which {profile.origin} names"
    path = tccli_file(environ, profile.value, "credential")
    message = f"there is no profile “{profile.value}” of tccli{by}: no file {path}"
    return CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=_near(path))


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    if any(environ.get(name) for name in (*KEYS, "TCCLI_PROFILE", ROLE[0])) or oidc_in(environ):
        return True
    files = (tccli_file(environ, "default", "credential"), ini_file(environ), SYSTEM_FILE)
    return any(there(path) for path in files)


def oidc_in(environ: Mapping[str, str]) -> bool:
    """Whether the variables of a pod name a role for its token."""
    return all(environ.get(name) for name in OIDC)


def tccli_file(environ: Mapping[str, str], name: str, ending: str) -> Path:
    """A file of tccli's. Raises `Reason.NO_CREDENTIALS` for a name that cannot be part of a file name."""
    if not name.isprintable() or "/" in name or "\\" in name or name.startswith((".", "-")) or len(name) > 128:
        message = f"“{quoted(name)}” cannot be the name of a profile of tccli"
        raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials")
    return home(environ) / ".tccli" / f"{name}.{ending}"


def ini_file(environ: Mapping[str, str]) -> Path:
    """Where the vendor's SDK keeps a key."""
    return home(environ) / ".tencentcloud" / "credentials"


def _region(environ: Mapping[str, str], profile: Choice[str]) -> Choice[str] | None:
    path = tccli_file(environ, profile.value, "configure")
    system = (json_object(path) or {}).get("_sys_param")
    region = text(system.get("region")) if isinstance(system, Mapping) else None
    return Choice(region, f"profile {profile.value} in {path}") if region else None


def _account(environ: Mapping[str, str], row: JsonObject, profile: Choice[str], *, by_name: bool) -> Choice[str] | None:
    """The account of the role that is assumed: the environment's, unless a profile was named, then the profile's."""
    own = text(row.get("role-arn"))
    roles = (
        None if by_name else Choice(environ.get(ROLE[0], ""), ROLE[0]),
        Choice(own, f"profile {profile.value} of tccli") if own else None,
        Choice(environ["TKE_ROLE_ARN"], "TKE_ROLE_ARN") if not by_name and oidc_in(environ) else None,
    )
    for role in roles:
        if role is not None and (number := _ROLE_ACCOUNT.match(role.value)):
            return Choice(number[1], role.origin)
    return None


def _near(path: Path) -> str | None:
    from difflib import get_close_matches

    try:
        names = [each.stem for each in path.parent.glob("*.credential")]
    except OSError:
        return None
    near = get_close_matches(path.stem, names, 1)
    return f"did you mean “{near[0]}”?" if near else None
