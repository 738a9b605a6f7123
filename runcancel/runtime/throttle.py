"""When the next call may go: rate per scope and API, repetition within time, scopes given up.

The SDKs' own retries are off.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Protocol, TypeVar

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.runtime.limiter import Limiter, Rate, Ticket

__all__ = [
    "Circuit",
    "Clock",
    "GivenUp",
    "Pace",
    "Rate",
    "StoppableClock",
    "Traffic",
    "Tries",
    "departures",
    "no_later_than",
]

T = TypeVar("T")

_NO_ANSWER = frozenset({Reason.DOWN, Reason.LOST, Reason.UNREACHABLE, Reason.UNPROVEN})
_NO_KEYS = frozenset({Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.BAD_CREDENTIALS})
_NO_KEYS_FOR = 30.0  # seconds for which refused credentials are not tried again
_LEAST_SILENCE = 10.0  # seconds: however short the timeout, a scope is not given up before
_LEAST_SLEEP = 0.001  # seconds: a clock must move
_LONGEST_NAP = 0.25  # seconds: another call's reply may have freed this one long before its turn
_LEAST_ANSWER, _LONGEST_ANSWER = 1.0, 20.0  # seconds for one answer, whatever the timeout
_LEAST_SENT = 5.0  # seconds for the answer to a cancel: a short timeout must not leave it in doubt
_FIRST_PAUSE = 1.0  # seconds before a repetition, doubled each time
_LONGEST_PAUSE = 20.0  # seconds; a server can request more


class Tries(Struct, frozen=True, kw_only=True):
    """For how many seconds a read is repeated, counted from its first try.

    `throttled` holds while the cloud throttles it, `within` after any other failure that time may mend: never
    connected, a 5xx, a lost answer or one that proves nothing. With 0 there is one try. `silence` is how long a scope
    may give no answer before it is given up, `answer` how long one call waits for its own.
    """

    within: float = 15.0
    throttled: float = 60.0
    silence: float = 60.0
    answer: float = 20.0

    @classmethod
    def of(cls, timeout: float) -> "Tries":
        """For a verb that only reads: everything within the `timeout`."""
        answer = min(_LONGEST_ANSWER, max(timeout, _LEAST_ANSWER)) if timeout else _LONGEST_ANSWER
        return cls(within=timeout, throttled=timeout, silence=timeout, answer=answer)

    @classmethod
    def watching(cls, timeout: float) -> "Tries":
        """For a verb that watches runs until the `timeout` and goes on without a read that fails."""
        answer = min(_LONGEST_ANSWER, max(timeout, _LEAST_SENT)) if timeout else _LONGEST_ANSWER
        return cls(within=min(timeout, cls().within), throttled=timeout, silence=timeout, answer=answer)

    def bound(self, reason: Reason) -> float:
        """The seconds within which a read that failed for `reason` may be repeated; 0 where it may not."""
        if reason is Reason.BUSY:
            return self.throttled
        return self.within if reason in _NO_ANSWER else 0.0


_latest: ContextVar[float] = ContextVar("latest", default=math.inf)


@contextmanager
def no_later_than(moment: float) -> Iterator[None]:
    """Bound every call of this thread: nothing is repeated after this monotonic second."""
    token = _latest.set(min(moment, _latest.get()))
    try:
        yield
    finally:
        _latest.reset(token)


_departures: ContextVar[list[float] | None] = ContextVar("departures", default=None)


@contextmanager
def departures() -> Iterator[list[float]]:
    """The monotonic seconds at which the calls of this thread leave, while they are made."""
    moments: list[float] = []
    token = _departures.set(moments)
    try:
        yield moments
    finally:
        _departures.reset(token)


class GivenUp(CloudError):
    """The call was not sent: its scope was silent for too long, and another call tests whether it replies again."""


class Clock(Protocol):
    """Time as a parameter: seconds that never go back, a sleep that a stop wakes, and whether it was stopped."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; they never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds, or until the clock is stopped."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether nobody waits for anything any more."""
        ...


class StoppableClock:
    """The real clock. After `stop` every sleep returns at once."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def take(self, inbox: SimpleQueue[T], timeout: float) -> T:
        """The next thing out of `inbox`. Raises `queue.Empty` when none comes within `timeout` seconds."""
        return inbox.get(timeout=timeout)

    def stop(self) -> None:
        """Wake every sleeper, now and from now on."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called: no new request may begin."""
        return self._stopped.is_set()


class Circuit:
    """Whether a scope is worth a call: shared by its threads, closed again by any answer.

    A scope that was silent for long enough is given up as a whole: one call at a time, after 1 to 20 s, tests whether
    it is back; every other is refused here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusal: CloudError | None = None  # of the credentials
        self._until = 0.0
        self._silent_since: float | None = None
        self._last: CloudError | None = None
        self._given_up = False
        self._probes = 0
        self._probe_at = 0.0

    def check(self, now: float) -> None:
        """Raise a `CloudError` of its own for each call that must not go: nothing was sent."""
        with self._lock:
            if self._refusal is not None and now < self._until:
                raise self._refusal.fresh()
            if not self._given_up:
                return
            if now < self._probe_at:
                since = now - (self._silent_since or now)
                last = self._last.message if self._last is not None else ""
                raise GivenUp(Reason.UNREACHABLE, f"not sent: no reply from this scope for {since:.0f} s ({last})")
            self._probe_at = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self._probes)
            self._probes += 1

    def failed(self, error: CloudError, *, began: float, now: float, silence: float) -> None:
        """Count a call that began at `began` and failed; after `silence` seconds without a reply, give up."""
        with self._lock:
            if error.reason in _NO_KEYS:
                self._refusal, self._until = error, now + _NO_KEYS_FOR
            elif error.reason in _NO_ANSWER:
                self._silent_since = began if self._silent_since is None else self._silent_since
                self._last = error
                if not self._given_up and now - self._silent_since >= max(silence, _LEAST_SILENCE):
                    self._given_up, self._probes, self._probe_at = True, 0, now + _FIRST_PAUSE
            elif error.reason not in (Reason.INTERRUPTED, Reason.INTERNAL):
                self._hear()

    def record_reply(self) -> None:
        """The scope has answered: it is silent no more, and calls may go to it again."""
        with self._lock:
            self._hear()

    def _hear(self) -> None:
        self._refusal = self._last = self._silent_since = None
        self._given_up = False


class Traffic:
    """What goes to the clouds, for whoever shows it: written by many threads, read by one."""

    def __init__(self) -> None:
        self.calls = 0
        self._waits: dict[str, tuple[float, Reason]] = {}
        self._failures: dict[str, CloudError | None] = {}  # the first of each scope; None once it was told
        self._lock = threading.Lock()

    def called(self) -> None:
        """A request is about to go."""
        with self._lock:
            self.calls += 1

    def failed(self, scope: str, error: CloudError) -> None:
        """A call to a scope got no answer that counts."""
        with self._lock:
            self._failures.setdefault(scope, error)

    def failures(self) -> list[tuple[str, CloudError]]:
        """The first failure of each scope that was not reported yet."""
        with self._lock:
            fresh = [(scope, error) for scope, error in self._failures.items() if error is not None]
            self._failures |= {scope: None for scope, _ in fresh}
        return fresh

    def waits(self, scope: str, reason: Reason, *, until: float) -> None:
        """A scope sends again at the monotonic second `until`, because of its last reply."""
        with self._lock:
            self._waits[scope] = max(self._waits.get(scope, (0.0, reason)), (until, reason))

    def waiting(self, scope: str, now: float) -> tuple[float, Reason] | None:
        """For how many seconds a scope still waits, and why; None while it does not."""
        until, reason = self._waits.get(scope, (now, Reason.BUSY))
        return (until - now, reason) if until > now else None


class Pace:
    """The pace of one scope: one limiter per API. `jitter` gives numbers in [0, 1), `common` is what scopes share."""

    def __init__(
        self,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
        tries: Callable[[], Tries] = Tries,
        on_call: Callable[[], None] = lambda: None,
        on_wait: Callable[[Reason, float], None] = lambda reason, seconds: None,
        on_failure: Callable[[CloudError], None] = lambda error: None,
        common: "dict[Hashable, Pace] | None" = None,
    ) -> None:
        self._clock, self._common = clock, {} if common is None else common
        self._jitter = jitter
        self._tries = tries
        self._on_call = on_call
        self._on_wait = on_wait
        self._on_failure = on_failure
        self._limiters: dict[str, Limiter] = {}
        self._lock = threading.Lock()
        self._circuit = Circuit()

    def call(self, api: str, attempt: Callable[[], T], *, rate: Rate, once: bool = False) -> T:
        """Run `attempt` when the rate of its API allows, and return what it returns.

        A read is repeated while `Tries` allows: throttled at the scope's rate, after other failures in 1 to 20 s, never
        before the server's `retry_after`. With `once`, for what changes something, there is one try. Raises the last
        `CloudError`. Nothing was sent with `Reason.INTERRUPTED`, when the clock was stopped before a call could begin,
        with `GivenUp`, for a scope that was silent for the timeout, and while credentials are refused.
        """
        limiter = self._limiter(api, rate)
        began = self._clock.monotonic()
        self._circuit.check(began)
        tries = self._tries()
        error: CloudError | None = None
        number = 0
        while True:
            ticket = self._leave(api, limiter, until=min(began + tries.bound(Reason.BUSY), _latest.get()))
            if ticket is None:
                raise error or CloudError(
                    Reason.BUSY, f"{api} was not sent: the cloud throttles this scope", action=api
                )
            try:
                return self._once(ticket, limiter, attempt, silence=tries.silence)
            except CloudError as failure:
                error = failure
            bound = 0.0 if once else tries.bound(error.reason)
            until = min(began + bound, _latest.get())
            pause = self._pause(error, number)
            now = self._clock.monotonic()
            if now >= until or (error.retry_after and now + error.retry_after > until):
                raise error
            self._on_wait(error.reason, pause)
            self._clock.sleep(min(pause, until - now))
            try:
                self._circuit.check(self._clock.monotonic())
            except CloudError:
                raise error from None
            number += 1

    def apart(self) -> "Pace":
        """The pace for a service beside the one that matters: its silence or refusal does not give that one up."""
        return Pace(self._clock, jitter=self._jitter, tries=self._tries, on_call=self._on_call, on_wait=self._on_wait)

    def shared(self, name: Hashable) -> "Pace":
        """The pace of a service that many scopes use: the same one for all of them."""
        return self._common.setdefault(name, self.apart())

    def pause(self, seconds: float) -> None:
        """Wait on this scope's clock, outside any call: a stop ends the wait."""
        self._clock.sleep(seconds)

    def _once(self, ticket: Ticket, limiter: Limiter, attempt: Callable[[], T], *, silence: float) -> T:
        """One attempt; the limiter and the circuit learn from how it ends."""
        moments = _departures.get()
        if moments is not None:
            moments.append(ticket.sent_at)
        self._on_call()
        try:
            result = attempt()
        except CloudError as error:
            now = self._clock.monotonic()
            if error.reason is Reason.BUSY:
                limiter.refused(ticket, now, error.retry_after)
            elif error.reason in _NO_ANSWER:
                limiter.lost(ticket, now)
                self._on_failure(error)
            else:
                limiter.record_reply(ticket, now)
            self._circuit.failed(error, began=ticket.sent_at, now=now, silence=silence)
            raise
        except BaseException:
            limiter.lost(ticket, self._clock.monotonic())
            raise
        limiter.record_reply(ticket, self._clock.monotonic())
        self._circuit.record_reply()
        return result

    def _leave(self, api: str, limiter: Limiter, *, until: float) -> Ticket | None:
        """Wait for the next call's turn. None when the cloud throttles and that will not come before `until`."""
        while True:
            if self._clock.stopped:
                raise CloudError(Reason.INTERRUPTED, f"{api} was not sent: interrupted", action=api)
            now = self._clock.monotonic()
            leave = limiter.take(now)
            if isinstance(leave, Ticket):
                return leave
            if limiter.throttled:
                if now + leave > until:
                    return None
                self._on_wait(Reason.BUSY, leave)
            self._clock.sleep(min(max(leave, _LEAST_SLEEP), _LONGEST_NAP))

    def _pause(self, error: CloudError, number: int) -> float:
        """Seconds before the next try. The limiter alone holds a throttled call."""
        if error.reason is Reason.BUSY:
            return error.retry_after or 0.0
        pause = min(_LONGEST_PAUSE / 2, _FIRST_PAUSE * 2.0**number) * (1 + self._jitter())
        return max(pause, error.retry_after or 0.0)

    def _limiter(self, api: str, rate: Rate) -> Limiter:
        with self._lock:
            if api not in self._limiters:
                self._limiters[api] = Limiter(rate)
            return self._limiters[api]
