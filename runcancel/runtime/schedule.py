"""The threads: how many fit, and which task starts next.

One queue per scope, providers in turn, and a share of the threads for each. A limit on address space (`ulimit -v`)
leaves as many threads as fit, or refuses before anything is sent.
"""

import contextlib
import heapq
import itertools
import math
import resource
from collections import deque
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

from runcancel.errors import CloudError
from runcancel.model.states import Reason

THREADS = 64
"""Threads of the whole process."""

QUEUE_THREADS = 8
"""Threads of one queue: enough for 20 calls a second at 0.4 s each."""

THREAD = 3 << 20
"""Bytes that a thread needs at most: its stack, a connection and an answer."""

NEEDED = 48 << 20
"""Bytes that must be free at the start: the clouds' modules, certificates, and the largest usual answers."""

_M_ARENA_MAX = -8  # of malloc.h

_FOR_READS = 2  # of them, while reads wait behind sends: accepted runs are watched while others are sent
_UNANSWERED = 3 / 4  # of a provider's threads at most, for scopes that have not answered yet


class Droppable(Protocol):
    """One item of work. It is not started once it is `dropped`."""

    @property
    def dropped(self) -> bool: ...


class Entry:
    """A task on its way through the schedule."""

    __slots__ = ("queue", "send", "task", "trial")

    def __init__(self, task: Any, queue: "_Queue", *, send: bool) -> None:
        self.task = task
        self.queue = queue
        self.send = send
        self.trial = False  # it was started before its queue had answered


class _Queue:
    """The waiting tasks of one scope. `responsive` is None while nothing is known of it."""

    __slots__ = ("line", "reading", "reads", "responsive", "sending", "sends", "sent_last", "share")

    def __init__(self, share: "_Share") -> None:
        self.share = share
        self.sends: deque[Entry] = deque()
        self.reads: deque[Entry] = deque()
        self.sending = 0
        self.reading = 0
        self.sent_last = False
        self.responsive: bool | None = None
        self.line: deque[_Queue] | None = None

    @property
    def may_start(self) -> bool:
        """Whether a task waits and a thread of this queue is free for it."""
        width = QUEUE_THREADS if self.responsive else 1
        return bool(self.sends or self.reads) and self.sending + self.reading < width

    def next(self) -> Entry:
        """Sends go first, but while reads wait they leave some threads, or every other turn of a single one."""
        enough = self.sending >= QUEUE_THREADS - _FOR_READS if self.responsive else self.sent_last
        send = bool(self.sends) and not (self.reads and enough)
        self.sent_last = send
        return self.sends.popleft() if send else self.reads.popleft()


class _Share:
    """The queues of one provider, in two lines: scopes that have answered, and scopes that have not."""

    __slots__ = ("busy", "new", "responsive", "trials")

    def __init__(self) -> None:
        self.busy = 0  # threads at work
        self.trials = 0  # of them, for scopes that had not answered
        self.responsive: deque[_Queue] = deque()
        self.new: deque[_Queue] = deque()


class Schedule:
    """Tasks in queues; it knows no thread and no clock. The caller holds a lock.

    At most `limit` tasks are out at once. A provider has at most half of what the others leave, so that one more finds
    a free thread whatever hangs. A queue has one task out until its scope answers, then `QUEUE_THREADS`.
    """

    def __init__(self, limit: int = THREADS) -> None:
        self.limit = limit
        self.out = 0
        self._queues: dict[Hashable, _Queue] = {}
        self._shares: dict[Hashable, _Share] = {}
        self._turns: deque[_Share] = deque()
        self._delayed: list[tuple[float, int, Entry]] = []
        self._number = itertools.count()

    @property
    def next_due(self) -> float:
        """The monotonic second at which the first delayed task is due; infinite without one."""
        return self._delayed[0][0] if self._delayed else math.inf

    def add(self, task: Droppable, *, queue: Hashable, send: bool, not_before: float | None) -> None:
        """Put a task at the end of its queue, once `not_before` has come."""
        entry = Entry(task, self._queue(queue), send=send)
        if not_before is None:
            self._enqueue(entry)
        else:
            heapq.heappush(self._delayed, (not_before, next(self._number), entry))

    def ripen(self, now: float) -> None:
        """Put delayed tasks that are due into their queues."""
        while self._delayed and self._delayed[0][0] <= now:
            self._enqueue(heapq.heappop(self._delayed)[2])

    def take(self) -> Entry | None:
        """The task to start now, or None. Providers take turns, and so do the queues of each."""
        for _ in range(len(self._turns) if self.out < self.limit else 0):
            share = self._turns[0]
            self._turns.rotate(-1)
            entry = self._take_from(share)
            if entry is not None:
                return entry
        return None

    def done(self, entry: Entry) -> None:
        """A task has ended: its thread is free. Its queue has replied unless it was reported as silent."""
        queue = entry.queue
        self._count(entry, -1)
        if queue.responsive is None:
            queue.responsive = True
        self._line_up(queue)

    def put_back(self, entry: Entry) -> None:
        """A task that was taken could not be started: it waits at the head of its queue."""
        self._count(entry, -1)
        (entry.queue.sends if entry.send else entry.queue.reads).appendleft(entry)
        self._line_up(entry.queue)

    def record_response(self, queue: Hashable, *, responsive: bool) -> None:
        """The scope of a queue answered, or was silent. One that answered once keeps its threads."""
        its_queue = self._queue(queue)
        if not its_queue.responsive:
            its_queue.responsive = responsive
            self._line_up(its_queue)

    def _take_from(self, share: _Share) -> Entry | None:
        most = max(1, (self.limit - (self.out - share.busy)) // 2)
        if share.busy >= most:
            return None
        # What was begun is finished before more is begun, so that few connections are open at a time; but some threads
        # are for new scopes, which would wait for ever behind long queues.
        few = share.trials < max(1, int(most * (1 - _UNANSWERED)))
        for line in (share.new, share.responsive) if few else (share.responsive, share.new):
            full = line is share.new and share.trials >= max(1, int(most * _UNANSWERED))
            entry = None if full else self._take_in(line)
            if entry is not None:
                return entry
        return None

    def _take_in(self, line: deque[_Queue]) -> Entry | None:
        while line:
            queue = line.popleft()
            if queue.line is not line:  # it stands in the other line by now
                continue
            queue.line = None
            while queue.may_start:
                entry = queue.next()
                if not entry.task.dropped:
                    entry.trial = not queue.responsive
                    self._count(entry, 1)
                    self._line_up(queue)
                    return entry
        return None

    def _count(self, entry: Entry, number: int) -> None:
        queue, share = entry.queue, entry.queue.share
        self.out += number
        share.busy += number
        share.trials += number if entry.trial else 0
        queue.sending += number if entry.send else 0
        queue.reading += 0 if entry.send else number

    def _enqueue(self, entry: Entry) -> None:
        (entry.queue.sends if entry.send else entry.queue.reads).append(entry)
        self._line_up(entry.queue)

    def _line_up(self, queue: _Queue) -> None:
        line = queue.share.responsive if queue.responsive else queue.share.new
        if queue.line is not line and queue.may_start:
            queue.line = line
            line.append(queue)

    def _queue(self, key: Hashable) -> _Queue:
        if key not in self._queues:
            name = getattr(key, "provider", None)
            if name not in self._shares:
                self._shares[name] = _Share()
                self._turns.append(self._shares[name])
            self._queues[key] = _Queue(self._shares[name])
        return self._queues[key]


def threads_that_fit(most: int) -> int:
    """Up to `most` threads, as many as the limit on address space allows.

    Raises `CloudError` with `Reason.INTERNAL` where too little is left to do anything; nothing was sent then.
    """
    free = free_bytes()
    if free is None:
        return most
    _share_one_arena()
    if free < NEEDED:
        raise CloudError(
            Reason.INTERNAL,
            f"out of memory: the limit on address space leaves {free >> 20} MB and {NEEDED >> 20} MB are needed; "
            "nothing was sent",
            hint="raise the limit (ulimit -v)",
        )
    return max(1, min(most, (free - NEEDED) // THREAD))


def free_bytes() -> int | None:
    """What the limit on address space leaves to this process; None without a limit or a report of it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - pages * resource.getpagesize())


def _share_one_arena() -> None:
    """Let all threads allocate from one arena: glibc takes 64 MB of address space for that of each thread.

    A thread that got none fails at a random place, and an import that failed there fails for ever.
    """
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
