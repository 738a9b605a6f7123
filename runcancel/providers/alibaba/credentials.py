"""Where the keys for Alibaba Cloud come from: the vendor's chain, in its order, with every source named."""

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runcancel.errors import CloudError
from runcancel.providers.alibaba import CREDENTIALS
from runcancel.providers.keys import Keys, KeySource
from runcancel.providers.reading import home, text
from runcancel.vocabulary import Reason

PREFIXES = ("ALIBABA_CLOUD", "ALIBABACLOUD", "ALICLOUD")
"""The SDK reads the first; the vendor's CLI reads all three."""

_NOISY = ("credentials", "darabonba-core", "alibabacloud-tea", "apscheduler")
_OIDC = ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN")
_CODE = re.compile(r"""["']?(?:Code|error)["']?\s*[:=]\s*["']?([A-Za-z][A-Za-z.]{2,60})""")


def default_region(environ: Mapping[str, str], profile: str | None) -> tuple[str, str] | None:
    """The region of the vendor's variables, else of the CLI's profile, and where it stood."""
    for prefix in PREFIXES:
        if value := environ.get(f"{prefix}_REGION_ID"):
            return value, f"{prefix}_REGION_ID"
    try:
        found = _profile(environ, profile or _profile_variable(environ))
    except CloudError:
        return None  # `connect` says what is wrong with the file
    region = text(found.get("region_id")) if found else None
    return (region, f"profile {text(found.get('name'))} in ~/.aliyun/config.json") if found and region else None


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    named = [f"{prefix}_ACCESS_KEY_ID" for prefix in PREFIXES]
    named += [f"{prefix}_PROFILE" for prefix in PREFIXES]
    named += [_OIDC[0], "ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_ECS_METADATA"]
    return any(environ.get(name) for name in named) or _cli_file(environ).is_file() or _ini_file(environ).is_file()


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
    token_file, role, provider = (environ.get(name) for name in _OIDC)
    if not (token_file and role and provider):
        return None
    options = {"oidc_token_file_path": token_file, "role_arn": role, "oidc_provider_arn": provider}
    session = environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME")
    return _asked("OIDC role", {**options, "role_session_name": session}, provider="OIDCRoleArnCredentialsProvider")


def _of_cli_file(environ: Mapping[str, str]) -> KeySource | None:
    if environ.get("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "").lower() == "true":
        return None
    found = _profile(environ, _profile_variable(environ))
    return None if found is None else _of_row(environ, found)


def _of_ini_file(environ: Mapping[str, str], name: str | None = None) -> KeySource | None:
    path = _ini_file(environ)
    if not path.is_file():
        return None
    options = {"profile_file": str(path), "profile_name": name or _profile_variable(environ) or "default"}
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
    found = _profile(environ, name)
    source = _of_row(environ, found) if found is not None else _of_ini_file(environ, name)
    if source is None:
        message = f"no profile {name!r} for Alibaba Cloud"
        raise CloudError(Reason.NO_CREDENTIALS, message, hint=f"Looked into {_cli_file(environ)}.")
    return source


def _of_row(environ: Mapping[str, str], profile: Mapping[str, Any]) -> KeySource:
    name, mode = text(profile.get("name")), profile.get("mode")
    if mode not in ("AK", "StsToken"):
        options = {"profile_file": str(_cli_file(environ)), "profile_name": name}
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


def _profile_variable(environ: Mapping[str, str]) -> str | None:
    return next((value for prefix in PREFIXES if (value := environ.get(f"{prefix}_PROFILE"))), None)


def _profile(environ: Mapping[str, str], name: str | None) -> Mapping[str, Any] | None:
    """The named (else the current) profile of the CLI's file. Raises `Reason.NO_CREDENTIALS` for a broken file."""
    path = _cli_file(environ)
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} cannot be read as JSON") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("profiles"), list):
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} holds no list of profiles")
    wanted = name or text(document.get("current")) or "default"
    return next((one for one in document["profiles"] if isinstance(one, Mapping) and one.get("name") == wanted), None)


def _cli_file(environ: Mapping[str, str]) -> Path:
    return home(environ) / ".aliyun" / "config.json"


def _ini_file(environ: Mapping[str, str]) -> Path:
    named = environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE")
    return Path(named) if named else home(environ) / ".alibabacloud" / "credentials.ini"
