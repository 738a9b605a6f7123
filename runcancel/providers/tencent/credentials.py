"""Where the keys for Tencent Cloud come from: the environment, tccli's profiles, the SDK's file. Nothing is guessed."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.providers.files import ini, json_object
from runcancel.providers.keys import Keys
from runcancel.providers.reading import number, text
from runcancel.providers.tencent import CREDENTIALS
from runcancel.providers.tencent.profile import SYSTEM_FILE, ini_file, missing, profile_in_use, tccli_file
from runcancel.vocabulary import Reason

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


def find(environ: Mapping[str, str], profile: str | None, *, now: float | None = None) -> Found:
    """The first source that has something; a named profile excludes every other.

    Raises `Reason.NO_CREDENTIALS`, naming what was tried, or `EXPIRED_CREDENTIALS` for a login that has ended. `now` is
    epoch seconds.
    """
    moment = time.time() if now is None else now
    if profile is not None:
        found = _of_tccli(environ, profile, moment)
        if found is None:
            raise missing(environ, profile_in_use(environ, profile))
        return _checked(found)
    found = _of_variables(environ) or _of_tccli(environ, None, moment)
    if found is None and environ.get("TCCLI_PROFILE"):
        raise missing(environ, profile_in_use(environ, None))
    for path in (ini_file(environ), SYSTEM_FILE):
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
    name = profile_in_use(environ, profile).value
    path = tccli_file(environ, name, "credential")
    row = json_object(path)
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
    sections = ini(path)
    if sections is None:
        return None
    values = (sections.get("default", {}).get(name, "") for name in ("secret_id", "secret_key"))
    id, secret = (value.strip().strip("\"'") for value in values)
    if not id or not secret:
        raise CloudError(Reason.NO_CREDENTIALS, f"{path} has no secret_id and secret_key under [default]")
    return Found(keys=Keys(id=id, secret=secret, source=str(path)))
