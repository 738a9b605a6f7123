"""One function over many items on threads; only the caller's thread gets results, and signals reach it at once."""

import _thread
import contextlib
import math
import os
import signal
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from msgspec import Struct

from runcancel.errors import Interrupted
from runcancel.runtime.schedule import THREADS, Entry, Schedule
from runcancel.runtime.throttle import StoppableClock

T = TypeVar("T")
R = TypeVar("R")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.5  # seconds that requests in flight get after the first signal
_STACK = 1 << 20  # bytes
_TICK = 0.25  # seconds between two repaints while nothing happens
_BEGINS_WITHIN = 5.0  # seconds after which a thread that does not run is taken for one that died


class Done(Struct, Generic[T, R], frozen=True):
    """One item with the result of its work."""

    item: T
    result: R
    error: None = None

    def value(self) -> R:
        """What the work returned; of a `Failed` it raises what the work raised."""
        return self.result


class Failed(Struct, Generic[T], frozen=True):
    """One item with what its work raised."""

    item: T
    error: BaseException

    def value(self) -> NoReturn:
        """Raise the exception that the work raised, on the caller's thread."""
        raise self.error


TaskResult: TypeAlias = Done[T, R] | Failed[T]
"""What one item became."""


def start_daemon(work: Callable[[], None]) -> None:
    """Run `work` on a thread that never delays the exit. Raises RuntimeError when the system has no thread left.

    `threading.Thread.start` waits until the thread runs, for ever where that found no memory and died.
    """
    _thread.start_new_thread(work, ())


def to_stderr(line: str) -> None:
    """Write a line to stderr past its buffer, which a signal may have interrupted."""
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode())


class Workers:
    """The threads of the process, and where the caller's thread waits: for results, for time to pass, for signals.

    One bound holds for all threads, whichever group a task belongs to; `schedule.Schedule` decides which task starts.
    Where the system gives no thread at all, tasks run on the caller's. The first signal ends the current wait: no new
    task starts, those in flight get `GRACE` seconds, then `Interrupted` is raised. A second one leaves at once. `tick`
    is called while the caller's thread waits; `spawn` runs a thread's work.
    """

    def __init__(
        self,
        clock: StoppableClock,
        spawn: Callable[[Callable[[], None]], None] = start_daemon,
        *,
        threads: int = THREADS,
    ) -> None:
        self.clock = clock
        self.tick: Callable[[], None] = lambda: None
        self.signum: int | None = None
        self.acknowledge: Callable[[str], None] = to_stderr
        """Prints one line about the first signal; called only while this thread waits."""
        self.last_words = "stopped at once; cancels already sent continue"
        """What the second signal prints: what continues, and how to do the rest."""
        self._waiting = False
        self._at_input = False
        self._spawn = spawn
        self._lock = threading.Lock()
        self._threads = threads
        self._schedule = Schedule(threads)
        self._without_threads = False
        self._starting: dict[Entry, float] = {}  # whoever takes an entry out runs it; since when its thread is started
        self._here = threading.local()
        self._leave_at: float | None = None
        self._inbox: SimpleQueue[Any] = SimpleQueue()

    def install(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP; call in the main thread. What the caller ignores stays ignored.

        Threads get small stacks: 64 of the usual 8 MB are half a gigabyte of a limit on memory.
        """
        threading.stack_size(_STACK)
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._on_signal)

    def map(
        self, work: Callable[[T], R], items: Iterable[T], *, queue: Callable[[T], Hashable]
    ) -> Iterator[TaskResult[T, R]]:
        """Run `work` on every item, each in its queue, and yield in order of arrival.

        Raises `Interrupted` after a signal, once what was in flight had its grace. Whoever stops iterating drops what
        has not started.
        """
        group = TaskGroup[T, R](self, work)
        try:
            pending = group.submit_all(items, queue=queue)
            while pending:
                result = group.next(None)
                if result is not None:
                    pending -= 1
                    yield result
            self.check()
        finally:
            group.close()

    def read_input(self, read: Callable[[], R]) -> R:
        """What `read` returns, which waits for a person or a pipe and which no signal wakes: it has its own thread.

        Raises `Interrupted` at once when a signal comes.
        """
        group = TaskGroup[None, R](self, lambda _: read())
        self._at_input = True
        try:
            self._spawn(Task(group, None).run)
            while (result := group.next(None)) is None:
                continue
        except (RuntimeError, MemoryError):  # no thread can be had
            return read()
        finally:
            self._at_input = False
        self.check()  # it may have come just before the end of the input
        return result.value()

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises `Interrupted` at once when a signal comes."""
        TaskGroup[None, None](self, lambda _: None).next(seconds)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self.signum is not None:
            self.clock.stop()
            raise Interrupted(self.signum)

    def record_response(self, queue: Hashable, *, responsive: bool) -> None:
        """Report that the scope of a queue answered, or was silent: until it answers it has one thread."""
        with self._lock:
            self._schedule.record_response(queue, responsive=responsive)

    @property
    def leave_at(self) -> float | None:
        """Until when what is in flight is waited for, on this clock; None while no signal came."""
        if self.signum is not None and self._leave_at is None:
            self.clock.stop()
            self._leave_at = self.clock.monotonic() + GRACE
        return self._leave_at

    @property
    def next_due(self) -> float:
        """The monotonic second at which a delayed task is due."""
        with self._lock:
            return self._schedule.next_due

    def listen(self, inbox: SimpleQueue[Any]) -> None:
        """From now on signals go to `inbox`; one that came before is raised."""
        self._inbox = inbox
        self.check()

    def take(self, inbox: SimpleQueue[T], timeout: float) -> T:
        """The next thing out of `inbox`. Raises `queue.Empty` when none comes within `timeout` seconds."""
        self._waiting = True
        try:
            return self.clock.take(inbox, timeout)
        finally:
            self._waiting = False

    def add(self, task: "Task", *, queue: Hashable, send: bool, not_before: float | None) -> None:
        """Schedule a task; `start` starts it when a thread is free for it."""
        with self._lock:
            self._schedule.add(task, queue=queue, send=send, not_before=not_before)

    def start(self) -> None:
        """Start what may start, on threads as far as the system has some."""
        if getattr(self._here, "starting", False):  # a spawn that runs the work at once came back here
            return
        self._here.starting = True
        with self._lock:  # a thread that the system refused before may be had by now
            self._schedule.limit = min(self._threads, self._schedule.limit + 1)
        try:
            self._start()
        finally:
            self._here.starting = False

    def _start(self) -> None:
        now = self.clock.monotonic()
        for late, since in list(self._starting.items()):
            if now - since >= _BEGINS_WITHIN:
                self._fewer_threads(late)
        while (entry := self._take()) is not None:
            self._starting[entry] = now
            try:
                self._spawn(partial(self._serve, entry))
            except (RuntimeError, MemoryError):
                self._fewer_threads(entry)
                return

    def start_here(self) -> None:
        """Run one task on the caller's thread when no other thread can be had."""
        if self._without_threads:
            self._without_threads = False
            entry = self._take()
            if entry is not None:
                entry.task.run()
                with self._lock:
                    entry.task.group.in_flight -= 1
                    self._schedule.done(entry)

    def _fewer_threads(self, entry: Entry) -> None:
        """The system gave no thread, or one that died before it ran: go on with those there are."""
        if self._starting.pop(entry, None) is None:
            return
        with self._lock:
            entry.task.group.in_flight -= 1
            self._schedule.put_back(entry)
            self._schedule.limit = max(1, self._schedule.out)
            self._without_threads = self._schedule.out == 0

    def _serve(self, entry: Entry) -> None:
        """The life of a thread: the task it was started for, then others, until none is left for it."""
        if self._starting.pop(entry, None) is None:
            return
        following: Entry | None = entry
        while following is not None:
            if not self.clock.stopped:
                following.task.run()
            following = self._take(after=following)
            if following is not None:
                self.start()

    def _take(self, *, after: Entry | None = None) -> Entry | None:
        """The task to start now; `after` is the one that this thread has done, and whose place it takes."""
        with self._lock:
            if after is not None:
                after.task.group.in_flight -= 1
                self._schedule.done(after)
            if self.clock.stopped:
                return None
            self._schedule.ripen(self.clock.monotonic())
            entry = self._schedule.take()
            if entry is not None:
                entry.task.group.in_flight += 1
            return entry

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        # A handler may interrupt any line of this thread; of all queues only `SimpleQueue.put` is safe then, and a
        # stream only while this thread waits.
        if self.signum is not None:
            to_stderr(f"\nruncancel: {self.last_words}")
            os._exit(128 + signum)
        self.signum = signum
        self._inbox.put(signum)
        if self._at_input:
            to_stderr("")
        else:
            name = signal.Signals(signum).name
            text = f"{name}: no new requests; waiting {GRACE:g} s for replies; repeat to stop at once"
            if self._waiting:
                self.acknowledge(text)
            else:
                to_stderr(f"runcancel: {text}")


class Task:
    """One item of a group on its way to a thread."""

    __slots__ = ("group", "item")

    def __init__(self, group: "TaskGroup[Any, Any]", item: Any) -> None:
        self.group = group
        self.item = item

    @property
    def dropped(self) -> bool:
        """Whether no caller waits for it any more."""
        return self.group.closed

    def run(self) -> None:
        """Do the work; the result, or what was raised, goes to the caller's thread."""
        group = self.group
        try:
            result: TaskResult[Any, Any] = Done(self.item, group.work(self.item))
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            result = Failed(self.item, error)
        group.inbox.put(result)


class TaskGroup(Generic[T, R]):
    """Tasks whose results one caller takes: a scope that hangs holds up no other."""

    def __init__(self, workers: Workers, work: Callable[[T], R]) -> None:
        self.work = work
        self.inbox: SimpleQueue[TaskResult[T, R] | int] = SimpleQueue()  # a number is a signal
        self.in_flight = 0  # written under the lock of `workers`
        self.closed = False
        self._workers = workers
        workers.listen(self.inbox)

    def submit(self, item: T, *, queue: Hashable, send: bool = False, not_before: float | None = None) -> None:
        """Put one item into a queue; its result comes out of `next`.

        `send`: it goes before the reads of its queue. `not_before` is a second of the workers' monotonic clock.
        """
        self._workers.add(Task(self, item), queue=queue, send=send, not_before=not_before)
        self._workers.start()

    def submit_all(self, items: Iterable[T], *, queue: Callable[[T], Hashable]) -> int:
        """Put many items into their queues before the first one starts; their number."""
        number = 0
        for number, item in enumerate(items, 1):  # noqa: B007 - the last one counts
            self._workers.add(Task(self, item), queue=queue(item), send=False, not_before=None)
        self._workers.start()
        return number

    def next(self, timeout: float | None) -> TaskResult[T, R] | None:
        """The next result, or None when `timeout` seconds passed (None: wait for ever). Raises `Interrupted`."""
        workers = self._workers
        clock = workers.clock
        until = math.inf if timeout is None else clock.monotonic() + timeout
        while True:
            leave_at = workers.leave_at
            drained = leave_at is not None and not self.in_flight  # read first: then all that came is in the inbox
            if leave_at is None:
                workers.start()
                workers.start_here()
            now = clock.monotonic()
            rest = (until if leave_at is None else leave_at) - now
            due = workers.next_due - now if leave_at is None else math.inf
            nap = 0.0 if drained else min(_TICK, max(0.0, min(rest, due)))
            try:
                got = workers.take(self.inbox, nap)
            except Empty:
                if not drained and rest > 0:
                    workers.tick()
                    continue
                if leave_at is None:
                    return None
                workers.check()  # a signal has set `leave_at`: it raises
                continue
            if not isinstance(got, int):  # the workers know the signal already
                return got

    def close(self) -> None:
        """Nobody takes results any more: what has not started is dropped."""
        self.closed = True
