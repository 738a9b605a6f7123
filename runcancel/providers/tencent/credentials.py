"""Where the keys for Tencent Cloud come from: the environment, tccli's profiles, the SDK's file. Nothing is guessed."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.providers.keys import Keys
from runcancel.providers.reading import home, number, text
from runcancel.providers.tencent import CREDENTIALS
from runcancel.vocabulary import Reason

_PROFILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")
_SYSTEM_FILE = Path("/etc/tencentcloud/credentials")
_ROLE_LIVES = 7200  # seconds
_RENEW_BEFORE = 300  # seconds before the end


class Found(Struct, frozen=True, kw_only=True):
    """Keys as they stood somewhere. With `role`, they are only good for assuming that role."""

    keys: Keys
    role: str | None = None
    session: str = "runcancel"


class AssumedRole:
    """Keys of a role, renewed five minutes before they end; `assume` asks the vendor's STS. Threads may share it."""

    def __init__(self, assume: Callable[[], Keys], *, now: Callable[[], float] = time.time) -> None:
        self._assume = assume
        self._now = now
        self._lock = threading.Lock()
        self._keys: Keys | None = None

    def __call__(self) -> Keys:
        """See `KeySource`. Raises `CloudError` when the role cannot be assumed."""
        with self._lock:
            if self._keys is None or self._now() > (self._keys.expires_at or 0) - _RENEW_BEFORE:
                self._keys = self._assume()
            return self._keys


def default_region(environ: Mapping[str, str], profile: str | None) -> tuple[str, str] | None:
    """The region of TENCENTCLOUD_REGION, else of tccli's profile, and where it stood."""
    if value := environ.get("TENCENTCLOUD_REGION"):
        return value, "TENCENTCLOUD_REGION"
    try:
        name = _profile_name(environ, profile)
        settings = _document(_tccli(environ, name, "configure"))
    except CloudError:
        return None  # `connect` says what is wrong with the profile
    system = settings.get("_sys_param") if settings is not None else None
    region = text(system.get("region")) if isinstance(system, Mapping) else None
    return (region, f"profile {name} of tccli") if region else None


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    if environ.get("TENCENTCLOUD_SECRET_ID") or environ.get("TCCLI_PROFILE"):
        return True
    files = (_tccli(environ, "default", "credential"), home(environ) / ".tencentcloud" / "credentials", _SYSTEM_FILE)
    return any(path.is_file() for path in files)


def find(environ: Mapping[str, str], profile: str | None, *, now: float | None = None) -> Found:
    """The first source that has something; a named profile excludes every other.

    Raises `Reason.NO_CREDENTIALS`, naming what was tried, or `EXPIRED_CREDENTIALS` for a login that has ended. `now` is
    epoch seconds.
    """
    moment = time.time() if now is None else now
    if profile is not None:
        found = _of_tccli(environ, profile, moment)
        if found is None:
            path = _tccli(environ, _profile_name(environ, profile), "credential")
            raise CloudError(Reason.NO_CREDENTIALS, f"no profile {profile!r} of tccli", hint=f"Looked for {path}.")
        return _checked(found)
    found = _of_variables(environ) or _of_tccli(environ, None, moment)
    for path in (home(environ) / ".tencentcloud" / "credentials", _SYSTEM_FILE):
        found = found or _of_ini_file(path)
    if found is None:
        raise CloudError(Reason.NO_CREDENTIALS, "no credentials for Tencent Cloud", hint=f"Looked for {CREDENTIALS}.")
    return _checked(found)


def assumed(answer: Mapping[str, Any]) -> Keys:
    """The keys in an answer of AssumeRole. Raises `Reason.UNPROVEN` when there are none."""
    given = answer.get("Credentials")
    row: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    id, secret, token = (text(row.get(name)) for name in ("TmpSecretId", "TmpSecretKey", "Token"))
    if not id or not secret or not token:
        raise CloudError(Reason.UNPROVEN, "STS gave no keys for the role", action="AssumeRole")
    return Keys(id=id, secret=secret, token=token, expires_at=number(answer.get("ExpiredTime")))


def role_request(found: Found) -> dict[str, object]:
    """The parameters of AssumeRole."""
    return {"RoleArn": found.role, "RoleSessionName": found.session, "DurationSeconds": _ROLE_LIVES}


def _checked(found: Found) -> Found:
    found.keys.checked()
    return found


def _of_variables(environ: Mapping[str, str]) -> Found | None:
    id, secret = environ.get("TENCENTCLOUD_SECRET_ID"), environ.get("TENCENTCLOUD_SECRET_KEY")
    if id and secret:
        token = environ.get("TENCENTCLOUD_TOKEN") or None
        source = "TENCENTCLOUD_SECRET_ID of the environment"
        return Found(keys=Keys(id=id.strip(), secret=secret.strip(), token=token, source=source))
    if id or secret:
        missing = "KEY" if id else "ID"
        raise CloudError(Reason.NO_CREDENTIALS, f"half a key in the environment: no TENCENTCLOUD_SECRET_{missing}")
    return None


def _of_tccli(environ: Mapping[str, str], profile: str | None, now: float) -> Found | None:
    name = _profile_name(environ, profile)
    path = _tccli(environ, name, "credential")
    row = _document(path)
    if row is None:
        return None
    id, secret = text(row.get("secretId")), text(row.get("secretKey"))
    if not id or not secret:
        kind = text(row.get("type")) or "without keys"
        message = f"{path} holds no keys ({kind}); metadata roles are not used"
        raise CloudError(Reason.NO_CREDENTIALS, message)
    ends = number(row.get("expiresAt"))
    if ends is not None and ends <= now:
        message = f"the login in {path} has expired"
        raise CloudError(Reason.EXPIRED_CREDENTIALS, message, hint="Sign in again: tccli auth login")
    session = text(row.get("role-session-name")) or "runcancel"
    token, source = text(row.get("token")), f"profile {name} of tccli"
    keys = Keys(id=id, secret=secret, token=token, source=source, expires_at=ends)
    return Found(keys=keys, role=text(row.get("role-arn")), session=session)


def _of_ini_file(path: Path) -> Found | None:
    if not path.is_file():
        return None
    import configparser  # only for who has such a file

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} cannot be read as an ini file") from None
    values = (parser.get("default", name, fallback="") for name in ("secret_id", "secret_key"))
    id, secret = (value.strip().strip("\"'") for value in values)
    if not id or not secret:
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} has no secret_id and secret_key under [default]")
    return Found(keys=Keys(id=id, secret=secret, source=str(path)))


def _document(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file of tccli's; None when there is no such file."""
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, Mapping):
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} cannot be read as a JSON object")
    return document


def _profile_name(environ: Mapping[str, str], profile: str | None) -> str:
    """The profile's name, when it can stand in a file name."""
    name = profile or environ.get("TCCLI_PROFILE") or "default"
    if not _PROFILE_NAME.fullmatch(name):
        raise CloudError(Reason.USAGE, f"{name!r} cannot be the name of a profile of tccli")
    return name


def _tccli(environ: Mapping[str, str], name: str, ending: str) -> Path:
    return home(environ) / ".tccli" / f"{name}.{ending}"
