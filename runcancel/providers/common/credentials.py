"""What signs a request, for the vendors whose requests are signed here and not by their SDK."""

import re
import threading
import time
from collections.abc import Callable, Hashable
from datetime import datetime

from msgspec import Struct

from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import check_keys, moment
from runcancel.redaction import remember

_RENEW_BEFORE = 300  # seconds before the end, a tenth of the lifetime at most
RETRY_AFTER = 60  # seconds until a renewal that failed is tried again, while the old keys are good
_WORDS = r"[A-Za-z]['A-Za-z]{0,15}(?:[ ,.;:!?()-]{1,3}['A-Za-z]{1,16}){0,11}[.!?…]{0,3}"
_LINE = 80  # characters of a line that may be quoted


class Credentials(Struct, frozen=True, kw_only=True):
    """One key, and where it came from in words; `expires_at` is epoch seconds, None where it is not known.

    Never printed: `repr` names nothing.
    """

    id: str
    secret: str
    token: str | None = None
    source: str = ""
    expires_at: int | None = None

    def __post_init__(self) -> None:
        remember(self.secret, self.token)

    def __repr__(self) -> str:
        return "Keys(…)"

    def checked(self) -> "Credentials":
        """The same. Raises `Reason.NO_CREDENTIALS` when no HTTP header can carry them."""
        check_keys((self.id, self.secret, self.token), self.source)
        return self


CredentialSource = Callable[[], Credentials]
"""Asked before each request, by many threads. Raises `CloudError`."""


class Fixed(Struct, frozen=True):
    """Fixed credentials: a `CredentialSource`."""

    keys: Credentials

    def __call__(self) -> Credentials:
        """See `CredentialSource`."""
        return self.keys


class Renewed:
    """Keys that have to be requested: once, then again shortly before they end. Threads may share it.

    A failure is final for the process: asking again may send another second factor to a telephone, or lock an account.
    `source` names who is asked.
    """

    def __init__(self, ask: CredentialSource, *, source: str, now: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._keys: Credentials | None = None
        self._due = 0.0
        self._failure: CloudError | None = None

    def __call__(self) -> Credentials:
        """See `CredentialSource`."""
        with self._lock:
            if self._failure is not None:
                raise repeated(self._failure)
            if self._keys is None or self._now() >= self._due:
                self._keys = self._renewed()
            return self._keys

    def _renewed(self) -> Credentials:
        try:
            keys = self._ask().checked()
            if keys.expires_at is not None and keys.expires_at <= self._now():
                raise CloudError(Reason.EXPIRED_CREDENTIALS, "its keys have expired")
        except CloudError as error:
            old = self._keys
            if old is not None and old.expires_at is not None and old.expires_at > self._now():
                self._due = min(old.expires_at, self._now() + RETRY_AFTER)
                return old
            self._failure = failed_credentials(self._source, error)
            raise repeated(self._failure) from None
        self._due = _due(keys, self._now())
        return keys


def failed_credentials(source: str, error: CloudError) -> CloudError:
    """The failure of a source of credentials, whatever it was: it names the source, and repeating cannot mend it."""
    reason = error.reason if error.reason in CREDENTIALS else Reason.NO_CREDENTIALS
    message = error.message if source in error.message else f"{source}: {error.message}"
    return CloudError(
        reason,
        message,
        provider_code=error.provider_code,
        request_id=error.request_id,
        action=error.action or "credentials",
        hint=error.hint,
    )


def repeated(error: CloudError) -> CloudError:
    """The same failure for another caller: who receives an error may add words to it."""
    return CloudError(
        error.reason,
        error.message,
        provider_code=error.provider_code,
        request_id=error.request_id,
        action=error.action,
        hint=error.hint,
    )


_SHARED: dict[Hashable, Renewed] = {}
_LOCK = threading.Lock()


def shared(name: Hashable, ask: CredentialSource, *, source: str) -> CredentialSource:
    """The one `Renewed` of the process under this name: every scope of a credential shares one answer, or one failure.

    `name` is everything that decides about the keys: profile, role, command, address.
    """
    with _LOCK:
        return _SHARED.setdefault(name, Renewed(ask, source=source))


def expiry(value: object) -> int | None:
    """Epoch seconds of the end that a source gives, as ISO 8601 text or as a number; None where it gives none."""
    at: datetime | None = moment(value)
    return None if at is None else int(at.timestamp())


def plain_words(output: str) -> str | None:
    """The first line of what a command printed, when it is only words: then it holds no key and may be quoted."""
    line = next((line.strip() for line in output.splitlines() if line.strip()), "")
    return line if len(line) <= _LINE and re.fullmatch(_WORDS, line) else None


def _due(keys: Credentials, now: float) -> float:
    if keys.expires_at is None:
        return float("inf")
    return keys.expires_at - min(_RENEW_BEFORE, (keys.expires_at - now) / 10)
