"""Where the keys for Alibaba Cloud come from: the chain of the vendor's SDK, in its order, with every source named."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.alibaba.facts import CREDENTIALS
from runcancel.providers.alibaba.profile import (
    OIDC,
    PREFIXES,
    cli_file,
    in_use,
    ini_file,
    missing,
    row_of,
    sections,
    spelled,
)
from runcancel.providers.common.credentials import Credentials, CredentialSource, Fixed
from runcancel.providers.common.fields import number, text

if TYPE_CHECKING:
    from runcancel.providers.alibaba.sources import Role, Sources

OpenSources: TypeAlias = "Callable[[], Sources]"
"""Opens the sources of keys that have to be requested; fixed keys open none."""


_ROLE, _SESSION = "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_ROLE_SESSION_NAME"
_ENOUGH = 60  # seconds that a stored sign-in has to be good for

JsonObject = Mapping[str, Any]


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
            return _in_role(environ, _fixed(keys), sources)
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
    chosen, row = in_use(environ, None)
    if row is None:
        return None
    source = _of_row(environ, row, sources, origin=f"profile {chosen.value}")
    return _in_role(environ, source, sources) if isinstance(source, Fixed) else source


def _of_ini_file(environ: Mapping[str, str], sources: OpenSources) -> CredentialSource | None:
    chosen, _ = in_use(environ, None)
    section = (sections(environ) or {}).get(chosen.value)
    if section is None:
        return None
    source = _of_section(environ, section, sources, name=chosen.value)
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
    chosen, row = in_use(environ, name)
    if row is not None:
        return _of_row(environ, row, sources, origin=f"profile {name}")
    section = (sections(environ) or {}).get(name)
    if section is None:
        raise missing(environ, chosen)
    return _of_section(environ, section, sources, name=name)


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


# profiles of ~/.aliyun/config.json, mode by mode


class _Profile:
    """One profile while its keys are looked for. `path` is the chain of profiles that led here.

    `spelled`: what a key is called in the file, where that differs.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        row: JsonObject,
        sources: OpenSources,
        origin: str,
        path: tuple[str, ...],
        *,
        spelled: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.environ = environ
        self.row = row
        self.sources = sources
        self.origin = origin
        self.path = path
        self._spelled = spelled

    def needed(self, key: str) -> str:
        """A value without which the mode cannot work. Raises `Reason.NO_CREDENTIALS`."""
        value = text(self.row.get(key))
        if value is None:
            raise self.refused(f"{self._spelled.get(key, key)} is missing")
        return value

    def refused(self, why: str, hint: str | None = None, *, reason: Reason = Reason.NO_CREDENTIALS) -> CloudError:
        return CloudError(reason, f"{self.origin}: {why}", action="credentials", hint=hint)

    def role(self) -> "Role":
        from runcancel.providers.alibaba.sources import Role

        return Role(
            arn=self.needed("ram_role_arn"),
            source=self.origin,
            session=text(self.row.get("ram_session_name")) or text(self.row.get("role_session_name")),
            seconds=number(self.row.get("expired_seconds")) or None,
            external_id=text(self.row.get("external_id")),
            policy=text(self.row.get("policy")),
            sts_region=text(self.row.get("sts_region")),
        )

    def fixed(self, *, token: bool) -> CredentialSource:
        id, secret = self.needed("access_key_id"), self.needed("access_key_secret")
        session_token = self.needed("sts_token") if token else None
        return _fixed(Credentials(id=id, secret=secret, token=session_token, source=self.origin))

    def stored(self) -> CredentialSource | None:
        """The keys that the CLI stored at a sign-in, while they are good."""
        ends = number(self.row.get("sts_expiration")) or 0
        if ends <= time.time() + _ENOUGH or not text(self.row.get("sts_token")):
            return None
        keys = self.fixed(token=True)()
        return _fixed(
            Credentials(id=keys.id, secret=keys.secret, token=keys.token, source=self.origin, expires_at=ends)
        )


def _ak(one: _Profile) -> CredentialSource:
    return one.fixed(token=False)


def _sts_token(one: _Profile) -> CredentialSource:
    return one.fixed(token=True)


def _ram_role_arn(one: _Profile) -> CredentialSource:
    return one.sources().assumed(one.role(), one.fixed(token=text(one.row.get("sts_token")) is not None))


def _ecs_ram_role(one: _Profile) -> CredentialSource:
    return one.sources().of_machine(text(one.row.get("ram_role_name")), source=one.origin)


def _role_of_machine(one: _Profile) -> CredentialSource:
    return one.sources().assumed(one.role(), _ecs_ram_role(one))


def _chained(one: _Profile) -> CredentialSource:
    name = one.needed("source_profile")
    if name in one.path:
        raise one.refused(f"source_profile is a loop: {' → '.join((*one.path, name))}")
    row = row_of(one.environ, name)
    if row is None:
        raise one.refused(f'source_profile names "{name}", but there is no such profile')
    role = one.role()
    base = _of_row(one.environ, row, one.sources, origin=f"profile {name}", path=(*one.path, name))
    return one.sources().assumed(role, base)


def _oidc(one: _Profile) -> CredentialSource:
    provider, token_file = one.needed("oidc_provider_arn"), one.needed("oidc_token_file")
    return one.sources().by_oidc(one.role(), provider=provider, token_file=token_file)


def _credentials_uri(one: _Profile) -> CredentialSource:
    uri = text(one.row.get("credentials_uri")) or one.environ.get("ALIBABA_CLOUD_CREDENTIALS_URI")
    return one.sources().at(uri or one.needed("credentials_uri"), source=f"credentials_uri of {one.origin}")


def _external(one: _Profile) -> CredentialSource:
    return one.sources().of_command(one.needed("process_command"), source=one.origin)


def _cloud_sso(one: _Profile) -> CredentialSource:
    if stored := one.stored():
        return stored
    if (number(one.row.get("cloud_sso_access_token_expire")) or 0) <= time.time():
        raise _signed_out(one)
    body = {"AccountId": one.needed("cloud_sso_account_id")}
    body["AccessConfigurationId"] = one.needed("cloud_sso_access_config")
    url = one.needed("cloud_sso_sign_in_url")
    base = "/".join(url.split("/")[:3])
    return one.sources().of_cloud_sso(base, one.needed("access_token"), body, source=one.origin)


def _oauth(one: _Profile) -> CredentialSource:
    if stored := one.stored():
        return stored
    raise _signed_out(one)


def _signed_out(one: _Profile) -> CloudError:
    name = text(one.row.get("name"))
    hint = f"sign in again: aliyun configure --profile {name} --mode {one.row.get('mode')}"
    return one.refused("the sign-in has expired", hint, reason=Reason.EXPIRED_CREDENTIALS)


def _not_taken(one: _Profile) -> CredentialSource:
    mode = one.row.get("mode")
    raise one.refused(f"the mode {mode} is not supported", f"use one of {', '.join(MODES_TAKEN)}, or variables")


_MODES: Mapping[str, Callable[[_Profile], CredentialSource]] = {
    "AK": _ak,
    "StsToken": _sts_token,
    "RamRoleArn": _ram_role_arn,
    "EcsRamRole": _ecs_ram_role,
    "RamRoleArnWithRoleName": _role_of_machine,
    "ChainableRamRoleArn": _chained,
    "External": _external,
    "CredentialsURI": _credentials_uri,
    "OIDC": _oidc,
    "CloudSSO": _cloud_sso,
    "OAuth": _oauth,
}
MODES_TAKEN = tuple(_MODES)
"""The modes of the CLI's profiles that work here."""


def _of_row(
    environ: Mapping[str, str], row: JsonObject, sources: OpenSources, *, origin: str, path: tuple[str, ...] = ()
) -> CredentialSource:
    one = _Profile(environ, row, sources, f"{origin} in {cli_file(environ)}", path or (str(row.get("name")),))
    return _MODES.get(_mode(row), _not_taken)(one)


def _mode(row: JsonObject) -> str:
    """The mode of a profile, as the CLI recognises it where none is written."""
    written = text(row.get("mode"))
    if written is not None:
        return next((mode for mode in _MODES if mode.lower() == written.lower()), written)
    if text(row.get("sts_token")):
        return "StsToken"
    if text(row.get("access_key_id")):
        return "RamRoleArn" if text(row.get("ram_role_arn")) else "AK"
    return "EcsRamRole" if text(row.get("ram_role_name")) else "External" if row.get("process_command") else "AK"


# sections of ~/.alibabacloud/credentials.ini: the same under other names

_TYPES = {"access_key": "AK", "ram_role_arn": "RamRoleArn", "oidc_role_arn": "OIDC", "ecs_ram_role": "EcsRamRole"}
_SPELLED = {
    "ram_role_arn": "role_arn",
    "ram_session_name": "role_session_name",
    "oidc_token_file": "oidc_token_file_path",
    "ram_role_name": "role_name",
}


def _of_section(
    environ: Mapping[str, str], section: Mapping[str, str], sources: OpenSources, *, name: str
) -> CredentialSource:
    """The keys of one section. What stands behind `#` is a comment, as the SDK reads it."""
    values = {key: value.partition("#")[0].strip() for key, value in section.items()}
    kind = values.get("type", "")
    path = ini_file(environ)
    if kind not in _TYPES:
        message = f"[{name}] in {path}: the type {kind!r} is not supported"
        hint = f"use one of {', '.join(_TYPES)}, or variables"
        raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=hint)
    row = {**values, **{key: values[theirs] for key, theirs in _SPELLED.items() if theirs in values}}
    return _MODES[_TYPES[kind]](_Profile(environ, row, sources, f"[{name}] in {path}", (name,), spelled=_SPELLED))


def _fixed(keys: Credentials) -> Fixed:
    return Fixed(keys.checked())
