"""Where the keys for Alibaba Cloud come from: the chain of the vendor's SDK, in its order, with every source named."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.alibaba.facts import CREDENTIALS
from runcancel.providers.alibaba.modes import OpenSources, of_row, of_section
from runcancel.providers.alibaba.profile import (
    OIDC,
    PREFIXES,
    in_use,
    missing,
    sections,
    spelled,
)
from runcancel.providers.common.credentials import Credentials, CredentialSource, Fixed

if TYPE_CHECKING:
    from runcancel.providers.alibaba.sources import Role

_ROLE, _SESSION = "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_ROLE_SESSION_NAME"


def find(environ: Mapping[str, str], profile: str | None, sources: OpenSources) -> CredentialSource:
    """The first source with credentials, in the vendor's order; a named profile excludes every other.

    A role in the environment is assumed with the keys that are found, unless these are a role's own. Fixed keys are
    read at once; what needs the network is asked at the first request. Raises `Reason.NO_CREDENTIALS`.
    """
    if profile is not None:
        return _of_profile(environ, profile, sources)
    first_source = next((source for read in _CHAIN if (source := read(environ, sources)) is not None), None)
    if first_source is None:
        raise _nothing(environ)
    return first_source


def _nothing(environ: Mapping[str, str]) -> CloudError:
    if role := spelled(environ, _ROLE):
        message = f"{_ROLE} names {role}, but there are no keys to assume it with"
        return CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=f"Looked for {CREDENTIALS}.")
    return CloudError(Reason.NO_CREDENTIALS, "no credentials for Alibaba Cloud", hint=f"Looked for {CREDENTIALS}.")


def _of_variables(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    """The keys of the first spelling that has any part; id and secret are never mixed from two spellings."""
    for prefix in PREFIXES:
        id, secret = (environ.get(f"{prefix}_ACCESS_KEY_{part}") for part in ("ID", "SECRET"))
        if id and secret:
            token = environ.get(f"{prefix}_SECURITY_TOKEN") or None
            keys = Credentials(id=id, secret=secret, token=token, source=f"{prefix}_ACCESS_KEY_ID of the environment")
            return _in_role(environ, Fixed(keys.checked()), sources)
        if id or secret:
            there, absent = ("ID", "SECRET") if id else ("SECRET", "ID")
            message = f"{prefix}_ACCESS_KEY_{there} is set but {prefix}_ACCESS_KEY_{absent} is not"
            raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials")
    return None


def _of_oidc(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    if not spelled(environ, OIDC[0]):
        return None
    for name in OIDC:
        if not spelled(environ, name):
            message = f"{OIDC[0]} is set but {name} is not"
            raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials")
    token_file, role, provider = (spelled(environ, name) or "" for name in OIDC)
    return sources().by_oidc(_role(environ, role), provider=provider, token_file=token_file)


def _of_cli_file(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    profile, row = in_use(environ, None)
    if row is None:
        return None
    source = of_row(environ, row, sources, origin=f"profile {profile.value}")
    return _in_role(environ, source, sources) if isinstance(source, Fixed) else source


def _of_ini_file(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    profile, _ = in_use(environ, None)
    section = (sections(environ) or {}).get(profile.value)
    if section is None:
        return None
    source = of_section(environ, section, sources, name=profile.value)
    return _in_role(environ, source, sources) if isinstance(source, Fixed) else source


def _of_metadata(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    role = environ.get("ALIBABA_CLOUD_ECS_METADATA")
    if not role or environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() == "true":
        return None
    machine = sources().of_machine(role, source=f"the metadata role {role} (ALIBABA_CLOUD_ECS_METADATA)")
    return _in_role(environ, machine, sources)


def _of_uri(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    uri = environ.get("ALIBABA_CLOUD_CREDENTIALS_URI")
    return _in_role(environ, sources().at(uri, source="ALIBABA_CLOUD_CREDENTIALS_URI"), sources) if uri else None


_CHAIN: tuple[Callable[[Mapping[str, str], OpenSources], CredentialSource | None], ...] = (
    _of_variables,
    _of_oidc,
    _of_cli_file,
    _of_ini_file,
    _of_metadata,
    _of_uri,
)


def _of_profile(environ: Mapping[str, str], name: str, sources: OpenSources) -> CredentialSource:
    """The keys of one profile of the CLI's file, else of the SDK's ini file."""
    profile, row = in_use(environ, name)
    if row is not None:
        return of_row(environ, row, sources, origin=f"profile {name}")
    section = (sections(environ) or {}).get(name)
    if section is None:
        raise missing(environ, profile)
    return of_section(environ, section, sources, name=name)


def _in_role(environ: Mapping[str, str], base: CredentialSource, sources: OpenSources) -> CredentialSource:
    """The keys of the environment's role, where it names one: the base account never answers in its place."""
    role = spelled(environ, _ROLE)
    return base if role is None else sources().assumed(_role(environ, role), base)


def _role(environ: Mapping[str, str], arn: str) -> "Role":
    from runcancel.providers.alibaba.sources import Role

    return Role(
        arn=arn,
        source=_ROLE,
        session=environ.get(_SESSION) or None,
        external_id=spelled(environ, "ALIBABA_CLOUD_EXTERNAL_ID"),
        sts_region=environ.get("ALIBABA_CLOUD_STS_REGION") or None,
    )
