"""Where the keys for Alibaba Cloud come from: the vendor's chain, in its order, with every source named."""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from runcancel.errors import CloudError
from runcancel.providers.alibaba import CREDENTIALS
from runcancel.providers.alibaba.profile import OIDC, PREFIXES, cli_file, in_use, ini_file, missing, sections
from runcancel.providers.keys import Keys, KeySource
from runcancel.providers.reading import text
from runcancel.vocabulary import Reason

_NOISY = ("credentials", "darabonba-core", "alibabacloud-tea", "apscheduler")
_CODE = re.compile(r"""["']?(?:Code|error)["']?\s*[:=]\s*["']?([A-Za-z][A-Za-z.]{2,60})""")


def find(environ: Mapping[str, str], profile: str | None) -> KeySource:
    """The first source that has something, in the vendor's order; a named profile excludes every other.

    Fixed keys are read at once; what needs the network is asked at the first request, by the vendor's own provider.
    Raises `Reason.NO_CREDENTIALS`, naming what was tried.
    """
    if profile is not None:
        return _of_profile(environ, profile)
    found = next((source for look in _CHAIN if (source := look(environ)) is not None), None)
    if found is None:
        raise CloudError(Reason.NO_CREDENTIALS, "no credentials for Alibaba Cloud", hint=f"Looked for {CREDENTIALS}.")
    return found


def _of_variables(environ: Mapping[str, str]) -> KeySource | None:
    """The keys of the first spelling that has any part; id and secret are never mixed from two spellings."""
    for prefix in PREFIXES:
        id, secret = (environ.get(f"{prefix}_ACCESS_KEY_{part}") for part in ("ID", "SECRET"))
        if id and secret:
            token = environ.get(f"{prefix}_SECURITY_TOKEN") or None
            return _fixed(Keys(id=id, secret=secret, token=token, source=f"{prefix}_ACCESS_KEY_ID of the environment"))
        if id or secret:
            missing = "SECRET" if id else "ID"
            raise CloudError(Reason.NO_CREDENTIALS, f"half a key in the environment: no {prefix}_ACCESS_KEY_{missing}")
    return None


def _of_oidc(environ: Mapping[str, str]) -> KeySource | None:
    token_file, role, provider = (environ.get(name) for name in OIDC)
    if not (token_file and role and provider):
        return None
    options = {"oidc_token_file_path": token_file, "role_arn": role, "oidc_provider_arn": provider}
    session = environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME")
    return _asked("OIDC role", {**options, "role_session_name": session}, provider="OIDCRoleArnCredentialsProvider")


def _of_cli_file(environ: Mapping[str, str]) -> KeySource | None:
    _, row = in_use(environ, None)
    return None if row is None else _of_row(environ, row)


def _of_ini_file(environ: Mapping[str, str], name: str | None = None) -> KeySource | None:
    path = ini_file(environ)
    section = name or in_use(environ, None)[0].value
    if section not in (sections(environ) or {}):
        return None
    options = {"profile_file": str(path), "profile_name": section}
    return _asked(f"{path} [{options['profile_name']}]", options, provider="ProfileCredentialsProvider")


def _of_metadata(environ: Mapping[str, str]) -> KeySource | None:
    role = environ.get("ALIBABA_CLOUD_ECS_METADATA")
    if not role or environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() == "true":
        return None
    return _asked(f"the metadata role {role}", {"role_name": role}, provider="EcsRamRoleCredentialsProvider")


def _of_uri(environ: Mapping[str, str]) -> KeySource | None:
    uri = environ.get("ALIBABA_CLOUD_CREDENTIALS_URI")
    return _asked("ALIBABA_CLOUD_CREDENTIALS_URI", {"uri": uri}, provider="URLCredentialsProvider") if uri else None


_CHAIN: tuple[Callable[[Mapping[str, str]], KeySource | None], ...] = (
    _of_variables,
    _of_oidc,
    _of_cli_file,
    _of_ini_file,
    _of_metadata,
    _of_uri,
)


def _of_profile(environ: Mapping[str, str], name: str) -> KeySource:
    """The keys of one profile of the CLI's file, or of the SDK's ini file when only that exists."""
    chosen, row = in_use(environ, name)
    source = _of_row(environ, row) if row is not None else _of_ini_file(environ, name)
    if source is None:
        raise missing(environ, chosen)
    return source


def _of_row(environ: Mapping[str, str], profile: Mapping[str, Any]) -> KeySource:
    name, mode = text(profile.get("name")), profile.get("mode")
    if mode not in ("AK", "StsToken"):
        options = {"profile_file": str(cli_file(environ)), "profile_name": name}
        return _asked(f"profile {name}", options, provider="CLIProfileCredentialsProvider")
    id, secret = text(profile.get("access_key_id")), text(profile.get("access_key_secret"))
    if not id or not secret:
        raise CloudError(Reason.NO_CREDENTIALS, f"profile {name!r} holds no whole access key")
    token = text(profile.get("sts_token")) if mode == "StsToken" else None
    return _fixed(Keys(id=id, secret=secret, token=token, source=f"profile {name} in ~/.aliyun/config.json"))


def _fixed(keys: Keys) -> KeySource:
    keys.checked()
    return lambda: keys


def _asked(source: str, options: Mapping[str, str | None], *, provider: str) -> KeySource:
    """Keys by one of the vendor's own providers: it asks, caches and renews. One thread at a time."""
    from importlib import import_module

    lock = threading.Lock()
    built: list[Any] = []

    def keys() -> Keys:
        with lock:
            try:
                if not built:
                    built.append(getattr(import_module("alibabacloud_credentials.provider"), provider)(**options))
                    _hush()
                found = built[0].get_credentials()
            except Exception as error:  # noqa: BLE001 - the vendor's providers raise whatever came their way
                raise _unusable(source, error) from None
        id, secret = text(found.get_access_key_id()), text(found.get_access_key_secret())
        if not id or not secret:
            raise CloudError(Reason.NO_CREDENTIALS, f"{source} gave no whole access key")
        return Keys(id=id, secret=secret, token=text(found.get_security_token()), source=source).checked()

    return keys


def _hush() -> None:
    """The SDK's loggers print to stderr, tracebacks and headers included."""
    for name in _NOISY:
        logging.getLogger(name).disabled = True


def _unusable(source: str, error: Exception) -> CloudError:
    """What went wrong, without the vendor's text: it may quote an answer that holds keys."""
    code = _CODE.search(str(getattr(error, "message", error)))
    said = code.group(1) if code else None
    expired = said is not None and ("Expired" in said or said == "invalid_grant")
    reason = Reason.EXPIRED_CREDENTIALS if expired else Reason.NO_CREDENTIALS
    message = f"{source} gave no credentials: {said or type(error).__name__}"
    return CloudError(
        reason, message, provider_code=said, hint="Sign in again with the vendor's CLI, or name a profile."
    )
