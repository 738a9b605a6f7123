"""How long and how often a cancel is tried: time bounds the tries, not their number."""

import math

from msgspec import Struct

from runcancel.errors import IN_DOUBT, CloudError
from runcancel.model.states import Reason

DEFAULT_TIMEOUT = 60.0  # seconds
DEFAULT_GIVE_UP_AFTER = 600.0  # seconds
READ_WITHIN = 15.0  # seconds for a reading that a cancel waits for; then it is sent unseen

_NOT_DONE = frozenset({Reason.BUSY, Reason.UNREACHABLE})
"""Throttled, or never connected: the cancel certainly did nothing."""

NO_ANSWER = frozenset({Reason.LOST, Reason.UNREACHABLE})
"""The scope was silent."""

_UNCERTAIN = IN_DOUBT | {Reason.NOT_FOUND}
_REQUEUED = 0.2  # seconds before a throttled request joins its queue again, to be read first
ONE_TRY = 1.0  # seconds for a reading that can change nothing: the cancel never left
_LAST_REPLY = 1.0  # seconds that are left for the reply to the last try
_LONGEST_PAUSE = 20.0  # seconds
_LEAST_SILENCE = 5.0  # seconds without a reply before a scope may be called silent


class WaitPolicy(Struct, frozen=True, kw_only=True):
    """How long to try and to watch, in seconds.

    `timeout` bounds watching, per run, from its accepted answer (0 looks once), and the tries of a cancel whose answer
    is in doubt (0 is one try). `give_up_after` bounds those of one that certainly did nothing; 0 is no end.
    """

    wait: bool = True
    timeout: float = DEFAULT_TIMEOUT
    give_up_after: float = DEFAULT_GIVE_UP_AFTER

    def limit(self, reason: Reason, *, doubtful: bool) -> float | None:
        """Seconds from the first try for which a cancel is repeated after `reason`; None: it is not repeated.

        `doubtful`: one of its tries may have been accepted.
        """
        if reason not in _NOT_DONE | _UNCERTAIN or not self.timeout:
            return None
        if reason in _UNCERTAIN or (doubtful and reason is Reason.UNREACHABLE):
            return self.timeout
        return self.give_up_after or math.inf

    def silence(self, *, lost: bool) -> float:
        """Seconds of silence after which a scope is given up. `lost`: requests went out and no answer came."""
        return max(_LEAST_SILENCE, self.timeout if lost or not self.timeout else self.give_up_after or math.inf)


def pause(error: CloudError, tries: int, jitter: float) -> float:
    """Seconds before a cancel is tried again, after its try number `tries`; `jitter` is in [0, 1)."""
    if error.retry_after:
        return error.retry_after
    if error.reason is Reason.BUSY:
        return _REQUEUED * (1 + jitter)
    return min(_LONGEST_PAUSE, (1 << min(tries - 1, 10)) * (1 + jitter / 2))


def last_try(now: float, within: float) -> float:
    """The monotonic second after which nothing is repeated, where a result is waited for `within` seconds from `now`.

    It is a little before their end, so that the last failure arrives in time: else nobody learns the reason.
    """
    return now + within - min(_LAST_REPLY, within / 4)
