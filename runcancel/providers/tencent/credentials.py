"""Where the keys for Tencent Cloud come from: variables, tccli's profiles, the SDK's file; in tccli's order."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.credentials import Credentials, CredentialSource, Fixed
from runcancel.providers.common.fields import number, text
from runcancel.providers.common.files import ini, json_object
from runcancel.providers.tencent.facts import CREDENTIALS
from runcancel.providers.tencent.profile import (
    KEYS,
    OIDC,
    ROLE,
    SYSTEM_FILE,
    ini_file,
    missing,
    oidc_in,
    profile_in_use,
    tccli_file,
)

if TYPE_CHECKING:
    from runcancel.providers.tencent.sources import Sources

OpenSources: TypeAlias = "Callable[[], Sources]"
"""Opens the sources of keys that have to be requested; fixed keys open none."""

_CVM_ROLE = "cvm-role"
_SESSION = "runcancel"


class _Role(Struct, frozen=True):
    """A role to be assumed, and where it is named."""

    arn: str
    session: str
    source: str


class _Profile(Struct, frozen=True, kw_only=True):
    """What a profile of tccli holds."""

    keys: Credentials | None
    role: _Role | None
    machine: bool
    name: str
    path: Path


def find(
    environ: Mapping[str, str], profile: str | None, sources: OpenSources, *, now: float | None = None
) -> CredentialSource:
    """The first source that has something; a named profile excludes every other.

    As tccli does it, a role comes first (of the environment, else of the profile), then a pod's token, then plain keys.
    Raises `Reason.NO_CREDENTIALS`, naming what was tried, or `EXPIRED_CREDENTIALS` for a login that has ended. `now` is
    epoch seconds.
    """
    moment = time.time() if now is None else now
    choice = profile_in_use(environ, profile)
    by_variables = _of_variables(environ) if profile is None else None
    tccli = _of_tccli(environ, choice.value, moment, keys_needed=by_variables is None)
    if tccli is None and (profile is not None or (choice.origin != "default" and by_variables is None)):
        raise missing(environ, choice)
    role = (_role_of_variables(environ) if profile is None else None) or (tccli.role if tccli else None)
    if role is None and profile is None and (pod := _of_pod(environ, sources)):
        return pod
    base = _base(environ, by_variables, tccli, sources, by_name=profile is not None)
    return base if role is None else sources().assumed(role.arn, role.session, base, source=role.source)


def _base(
    environ: Mapping[str, str],
    by_variables: Credentials | None,
    tccli: _Profile | None,
    sources: OpenSources,
    *,
    by_name: bool,
) -> CredentialSource:
    """The keys that answer themselves, or assume a role. Raises `Reason.NO_CREDENTIALS`."""
    if by_variables is not None:
        return Fixed(by_variables)
    if tccli is not None and tccli.keys is not None:
        return Fixed(tccli.keys)
    if tccli is not None and tccli.machine:
        return sources().of_machine(source=f"the machine's role, profile {tccli.name} of tccli")
    for path in () if by_name else (ini_file(environ), SYSTEM_FILE):
        if keys := _of_ini_file(path):
            return Fixed(keys)
    if tccli is not None:
        raise CloudError(Reason.NO_CREDENTIALS, f"{tccli.path} has no secretId and secretKey", action="credentials")
    raise CloudError(Reason.NO_CREDENTIALS, "no credentials for Tencent Cloud", hint=f"Looked for {CREDENTIALS}.")


def _of_variables(environ: Mapping[str, str]) -> Credentials | None:
    id, secret = (environ.get(name) for name in KEYS)
    if id and secret:
        token = environ.get("TENCENTCLOUD_TOKEN") or None
        source = "TENCENTCLOUD_SECRET_ID of the environment"
        return Credentials(id=id.strip(), secret=secret.strip(), token=token, source=source).checked()
    if id or secret:
        there, absent = KEYS if id else KEYS[::-1]
        raise CloudError(Reason.NO_CREDENTIALS, f"{there} is set but {absent} is not", action="credentials")
    return None


def _role_of_variables(environ: Mapping[str, str]) -> _Role | None:
    arn, session = (environ.get(name) for name in ROLE)
    if arn and not session:
        message = f"{ROLE[0]} is set but {ROLE[1]} is not"
        hint = f"set {ROLE[1]}, or unset {ROLE[0]} to use the keys directly"
        raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=hint)
    return _Role(arn, session, ROLE[0]) if arn and session else None


def _of_pod(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    """The role of a pod of Tencent Kubernetes Engine.

    Raises `Reason.NO_CREDENTIALS` when only a part of it is named: the base account never answers in its place.
    """
    if not environ.get("TKE_ROLE_ARN"):
        return None
    if not oidc_in(environ):
        absent = next(name for name in OIDC if not environ.get(name))
        raise CloudError(Reason.NO_CREDENTIALS, f"TKE_ROLE_ARN is set but {absent} is not", action="credentials")
    region, provider, token_file, role = (environ[name] for name in OIDC)
    return sources().by_oidc(role, provider=provider, token_file=token_file, region=region)


def _of_tccli(environ: Mapping[str, str], name: str, now: float, *, keys_needed: bool) -> _Profile | None:
    path = tccli_file(environ, name, "credential")
    row = json_object(path)
    if row is None:
        return None
    source = f"profile {name} of tccli"
    id, secret = text(row.get("secretId")), text(row.get("secretKey"))
    ends = number(row.get("expiresAt"))
    if keys_needed and ends is not None and ends <= now:
        hint = f"Sign in again: tccli auth login --profile {name}"
        raise CloudError(Reason.EXPIRED_CREDENTIALS, f"the login in {path} has expired", hint=hint)
    arn, token = text(row.get("role-arn")), text(row.get("token"))
    whole = Credentials(id=id, secret=secret, token=token, source=source, expires_at=ends) if id and secret else None
    return _Profile(
        keys=whole.checked() if whole else None,
        role=_Role(arn, text(row.get("role-session-name")) or _SESSION, source) if arn else None,
        machine=row.get("type") == _CVM_ROLE,
        name=name,
        path=path,
    )


def _of_ini_file(path: Path) -> Credentials | None:
    sections = ini(path)
    if sections is None:
        return None
    values = (sections.get("default", {}).get(name, "") for name in ("secret_id", "secret_key"))
    id, secret = (value.strip().strip("\"'") for value in values)
    if not id or not secret:
        message = f"{path} has no secret_id and secret_key under [default]"
        raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials")
    return Credentials(id=id, secret=secret, source=str(path)).checked()
