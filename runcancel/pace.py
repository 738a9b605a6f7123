"""When the next call may go: rate per scope and API, back-off with jitter, retry. The SDKs' own retries are off."""

import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeVar

from runcancel.errors import CloudError
from runcancel.vocabulary import Reason

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

READ_AGAIN = frozenset({Reason.BUSY, Reason.DOWN, Reason.LOST, Reason.UNREACHABLE, Reason.UNPROVEN})
"""A read is repeated after these."""

ASK_AGAIN = frozenset({Reason.BUSY, Reason.UNREACHABLE})
"""A cancel is repeated only when it certainly did nothing."""

GIVE_UP_AFTER = 3
"""So many calls in a row that ended without an answer, repetitions included, and a scope is given up for a while."""

GIVE_UP_FOR = 30.0
"""Seconds for which a scope is given up."""

_NO_ANSWER = frozenset({Reason.DOWN, Reason.LOST, Reason.UNREACHABLE, Reason.UNPROVEN})
_NO_KEYS = frozenset({Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.BAD_CREDENTIALS})
_MARGIN = 0.95  # of a documented rate: calls that leave evenly do not arrive evenly
_SLOWEST = 16  # times the interval to begin with
_FASTEST = 10  # times the rate to begin with, where no limit is documented
_ATTEMPTS = 5
_LONGEST_WAIT = 20.0  # seconds; a server that asks for more is obeyed


class Clock(Protocol):
    """Time as a parameter: seconds that never go back, a sleep that a stop wakes, and whether it was stopped."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    @property
    def stopped(self) -> bool: ...


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


class Bucket:
    """A token bucket: `rate` calls a second, `burst` of them at once. It hands out waiting times and never sleeps.

    The account is shared with others, so the rate gives way when the cloud says busy and comes back call by call. Where
    nobody documents a limit (`documented` false) it also grows beyond `rate`, until the cloud says busy.
    """

    def __init__(self, rate: float, burst: float, *, documented: bool = True) -> None:
        self._interval = 1 / rate
        self._least = self._interval if documented else self._interval / _FASTEST
        self._most = self._interval * _SLOWEST
        self._slack = (burst - 1) / rate
        self._due = 0.0  # when the next call would be due if calls came evenly
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take one token; the seconds to wait before using it."""
        with self._lock:
            due = max(self._due, now)
            self._due = due + self._interval
            return max(0.0, due - self._slack - now)

    def slower(self) -> None:
        """The cloud was busy: half the rate from now on."""
        with self._lock:
            self._interval = min(self._interval * 2, self._most)

    def faster(self) -> None:
        """The cloud answered: a tenth more, up to what is documented."""
        with self._lock:
            self._interval = max(self._interval * 0.9, self._least)

    def hold(self, until: float) -> None:
        """Let nobody who comes from now on through before `until`: the server asked for a pause."""
        with self._lock:
            self._due = max(self._due, until + self._slack)


class Circuit:
    """Whether a scope is worth asking: shared by its threads, closed again by any answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._refusal: CloudError | None = None
        self._until = 0.0

    def check(self, now: float) -> None:
        """Raise `CloudError` while the scope is given up: nothing was sent."""
        with self._lock:
            refusal = self._refusal
            if refusal is None or now >= self._until:
                return
        if refusal.reason in _NO_KEYS:
            raise refusal
        raise CloudError(
            Reason.UNREACHABLE, f"not asked: the last {GIVE_UP_AFTER} calls had no answer ({refusal.message})"
        )

    def failed(self, error: CloudError, now: float) -> None:
        """Count a call that failed for good."""
        with self._lock:
            if error.reason in _NO_KEYS:
                self._refusal, self._until = error, now + GIVE_UP_FOR
            elif error.reason in _NO_ANSWER:
                self._in_a_row += 1
                if self._in_a_row >= GIVE_UP_AFTER:
                    self._refusal, self._until = error, now + GIVE_UP_FOR
            elif error.reason is not Reason.INTERRUPTED:
                self._in_a_row = 0

    def answered(self) -> None:
        """The scope answered."""
        with self._lock:
            self._in_a_row, self._refusal = 0, None


class Traffic:
    """What goes to the clouds, for whoever shows it: written by many threads, read by one."""

    def __init__(self) -> None:
        self.calls = 0
        self._waits: dict[str, tuple[float, Reason]] = {}
        self._lock = threading.Lock()

    def called(self) -> None:
        """A request is about to go."""
        with self._lock:
            self.calls += 1

    def waits(self, scope: str, reason: Reason, *, until: float) -> None:
        """A scope asks again at the monotonic second `until`, because of what it was answered."""
        with self._lock:
            self._waits[scope] = max(self._waits.get(scope, (0.0, reason)), (until, reason))

    def waiting(self, scope: str, now: float) -> tuple[float, Reason] | None:
        """For how many seconds a scope still waits, and why; None while it does not."""
        until, reason = self._waits.get(scope, (now, Reason.BUSY))
        return (until - now, reason) if until > now else None


class Pace:
    """The pace of one scope: one bucket per API, one retry rule. `jitter` gives numbers in [0, 1)."""

    def __init__(
        self,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
        attempts: int = _ATTEMPTS,
        on_call: Callable[[], None] = lambda: None,
        on_wait: Callable[[Reason, float], None] = lambda reason, seconds: None,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._attempts = attempts
        self._on_call = on_call
        self._on_wait = on_wait
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()
        self._circuit = Circuit()

    def call(
        self,
        api: str,
        attempt: Callable[[], T],
        *,
        rate: float,
        documented: bool = True,
        again: frozenset[Reason] = READ_AGAIN,
    ) -> T:
        """Run `attempt` when its API's rate allows, again after the reasons in `again`, and return what it returns.

        `rate` is calls per second as the vendor documents it, or to begin with where `documented` is false. Raises the
        last `CloudError`, or one with `Reason.INTERRUPTED` when the clock was stopped before the call could begin. A
        scope whose credentials were refused, or that does not answer, is given up: then the call is refused here and
        nothing is sent.
        """
        import tenacity  # 10 ms that help, completion and wrong usage do without

        self._circuit.check(self._clock.monotonic())
        bucket = self._bucket(api, rate, documented=documented)

        def paced() -> T:
            wait = bucket.reserve(self._clock.monotonic())
            if wait > 0:
                self._clock.sleep(wait)
            if self._clock.stopped:
                raise CloudError(Reason.INTERRUPTED, f"{api} was not asked: interrupted", action=api)
            self._on_call()
            try:
                result = attempt()
            except CloudError as error:
                if error.reason is Reason.BUSY:
                    bucket.slower()
                    bucket.hold(self._clock.monotonic() + (error.retry_after or 0.0))
                raise
            bucket.faster()
            return result

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, CloudError) and error.reason in again),
            before_sleep=self._tell,
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            result = retrying(paced)
        except CloudError as error:
            self._circuit.failed(error, self._clock.monotonic())
            raise
        self._circuit.answered()
        return result

    def apart(self) -> "Pace":
        """The pace for a service beside the one that matters: its silence or refusal does not give that one up."""
        return Pace(
            self._clock, jitter=self._jitter, attempts=self._attempts, on_call=self._on_call, on_wait=self._on_wait
        )

    def pause(self, seconds: float) -> None:
        """Wait on this scope's clock, outside any call: a stop ends the wait."""
        self._clock.sleep(seconds)

    def _tell(self, state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, CloudError):
            self._on_wait(error.reason, state.upcoming_sleep)

    def _wait(self, state: "RetryCallState") -> float:
        """The server's word wins; else full jitter under a doubling ceiling, a second to begin with when throttled."""
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, CloudError) and error.retry_after:
            return error.retry_after
        first = 1.0 if isinstance(error, CloudError) and error.reason is Reason.BUSY else 0.2
        ceiling = min(_LONGEST_WAIT, first * float(2 ** (state.attempt_number - 1)))
        return ceiling * self._jitter()

    def _bucket(self, api: str, rate: float, *, documented: bool) -> Bucket:
        with self._lock:
            if api not in self._buckets:
                even = rate * _MARGIN if documented else rate
                self._buckets[api] = Bucket(even, burst=max(1.0, rate), documented=documented)
            return self._buckets[api]
