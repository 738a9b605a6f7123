"""The keys of one profile of Alibaba Cloud, by its mode: of `~/.aliyun/config.json` and of the SDK's ini file."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.alibaba.profile import cli_file, ini_file, row_of
from runcancel.providers.common.credentials import Credentials, CredentialSource, Fixed
from runcancel.providers.common.fields import JsonObject, number, text

if TYPE_CHECKING:
    from runcancel.providers.alibaba.sources import Role, Sources

OpenSources: TypeAlias = "Callable[[], Sources]"
"""Opens the sources of keys that have to be requested; fixed keys open none."""


_ENOUGH = 60  # seconds that a stored sign-in has to be good for


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
        return fixed_keys(Credentials(id=id, secret=secret, token=session_token, source=self.origin))

    def stored(self) -> CredentialSource | None:
        """The keys that the CLI stored at a sign-in, while they are good."""
        ends = number(self.row.get("sts_expiration")) or 0
        if ends <= time.time() + _ENOUGH or not text(self.row.get("sts_token")):
            return None
        keys = self.fixed(token=True)()
        return fixed_keys(
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
        raise one.refused(f"source_profile names “{name}”, but there is no such profile")
    role = one.role()
    base = of_row(one.environ, row, one.sources, origin=f"profile {name}", path=(*one.path, name))
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


def of_row(
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


def of_section(
    environ: Mapping[str, str], section: Mapping[str, str], sources: OpenSources, *, name: str
) -> CredentialSource:
    """The keys of one section. What stands behind `#` is a comment, as the SDK reads it."""
    values = {key: value.partition("#")[0].strip() for key, value in section.items()}
    kind = values.get("type", "")
    path = ini_file(environ)
    if kind not in _TYPES:
        message = f"[{name}] in {path}: the type “{kind}” is not supported"
        hint = f"use one of {', '.join(_TYPES)}, or variables"
        raise CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=hint)
    row = {**values, **{key: values[theirs] for key, theirs in _SPELLED.items() if theirs in values}}
    return _MODES[_TYPES[kind]](_Profile(environ, row, sources, f"[{name}] in {path}", (name,), spelled=_SPELLED))


def fixed_keys(keys: Credentials) -> Fixed:
    """Keys that stand in the file. Raises `CloudError` for a key that no cloud can have issued."""
    return Fixed(keys.checked())
