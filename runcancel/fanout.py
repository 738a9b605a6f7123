"""One function over many items on threads; only the caller's thread sees results, and signals reach it at once."""

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct

from runcancel.errors import Interrupted
from runcancel.pace import StoppableClock

T = TypeVar("T")
R = TypeVar("R")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.5  # seconds that requests in flight get after the first signal
_LANE_WIDTH = 8  # threads of one lane: enough for 20 calls a second at 0.4 s each
_TICK = 0.25  # seconds between two repaints while nothing happens


class Done(Struct, Generic[T, R], frozen=True):
    """What one item became: a result, or the exception its work raised."""

    item: T
    result: R | None
    error: BaseException | None

    def value(self) -> R:
        """The result. Raises what the work raised."""
        if self.error is not None:
            raise self.error
        return cast(R, self.result)


def in_daemon(work: Callable[[], None]) -> None:
    """Run `work` on a thread that never delays the exit."""
    threading.Thread(target=work, daemon=True).start()


class Desk:
    """Where the caller's thread waits: for results, for time to pass, for signals.

    The first signal ends the current pass: no new request begins, those in flight get `GRACE` seconds, then
    `Interrupted` is raised. A second one leaves at once. `tick` is called while the caller's thread waits; `spawn`
    runs a thread's work.
    """

    def __init__(self, clock: StoppableClock, spawn: Callable[[Callable[[], None]], None] = in_daemon) -> None:
        self.clock = clock
        self.spawn = spawn
        self.tick: Callable[[], None] = lambda: None
        self.signum: int | None = None
        self._leave_at: float | None = None
        self._inbox: SimpleQueue[Any] = SimpleQueue()

    def install(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP; call in the main thread. What the caller ignores stays ignored."""
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._on_signal)

    def fanout(
        self, work: Callable[[T], R], items: Iterable[T], *, lane: Callable[[T], Hashable]
    ) -> Iterator[Done[T, R]]:
        """Run `work` on every item, each lane on its own few threads, and yield in order of arrival.

        Raises `Interrupted` after a signal, once what was in flight had its grace.
        """
        lanes = Pass[T, R](self, work)
        left = 0
        for item in items:
            lanes.submit(item, lane=lane(item))
            left += 1
        while left:
            done = lanes.next(None)
            if done is not None:
                left -= 1
                yield done

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises `Interrupted` at once when a signal comes."""
        Pass[None, None](self, lambda _: None).next(seconds)

    def listen(self, inbox: SimpleQueue[Any]) -> None:
        """From now on signals go to `inbox`; one that came before is raised."""
        self._inbox = inbox
        if self.signum is not None:
            self.clock.stop()
            raise Interrupted(self.signum)

    @property
    def leave_at(self) -> float | None:
        """Until when what is in flight is waited for, on this clock; None while no signal came."""
        if self.signum is not None and self._leave_at is None:
            self.clock.stop()
            self._leave_at = self.clock.monotonic() + GRACE
        return self._leave_at

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        # A handler may interrupt any line of this thread; of all queues only `SimpleQueue.put` is safe then.
        if self.signum is not None:
            os._exit(128 + signum)
        self.signum = signum
        self._inbox.put(signum)


class Pass(Generic[T, R]):
    """Work in lanes: a lane that hangs holds up no other. Threads are daemons: a hung socket never delays the exit."""

    def __init__(self, desk: Desk, work: Callable[[T], R]) -> None:
        self._desk = desk
        self._work = work
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, deque[T]] = {}
        self._threads: dict[Hashable, int] = {}
        self._in_flight = 0
        desk.listen(self._inbox)

    def submit(self, item: T, *, lane: Hashable) -> None:
        """Put one item into its lane; its result comes out of `next`."""
        with self._lock:
            self._waiting.setdefault(lane, deque()).append(item)
            if self._threads.get(lane, 0) >= _LANE_WIDTH:
                return
            self._threads[lane] = self._threads.get(lane, 0) + 1
        self._desk.spawn(lambda: self._serve(lane))

    def next(self, timeout: float | None) -> Done[T, R] | None:
        """The next result, or None when `timeout` seconds passed (None: wait for ever). Raises `Interrupted`."""
        clock = self._desk.clock
        until = math.inf if timeout is None else clock.monotonic() + timeout
        while True:
            leave_at = self._desk.leave_at
            drained = leave_at is not None and self._idle()  # asked first: then all that came is in the inbox
            rest = (until if leave_at is None else leave_at) - clock.monotonic()
            try:
                got = clock.take(self._inbox, 0.0 if drained else min(_TICK, max(0.0, rest)))
            except Empty:
                if not drained and rest > 0:
                    self._desk.tick()
                    continue
                if leave_at is None:
                    return None
                raise Interrupted(cast(int, self._desk.signum)) from None
            if not isinstance(got, int):  # a number is a signal, which the desk knows already
                return cast(Done[T, R], got)

    def _serve(self, lane: Hashable) -> None:
        while (item := self._take(lane)) is not None:
            try:
                done = Done[T, R](item[0], self._work(item[0]), None)
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                done = Done[T, R](item[0], None, error)
            self._inbox.put(done)
            with self._lock:
                self._in_flight -= 1

    def _idle(self) -> bool:
        with self._lock:
            return not self._in_flight

    def _take(self, lane: Hashable) -> tuple[T] | None:
        with self._lock:
            waiting = self._waiting[lane]
            if not waiting or self._desk.clock.stopped:
                self._threads[lane] -= 1
                return None
            self._in_flight += 1
            return (waiting.popleft(),)
