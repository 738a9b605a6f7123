"""What exists in the pretended clouds: accounts, runs and targets whose state follows from their life and the clock."""

import heapq
import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any, TypeVar, overload

from runcancel.sandbox.accounts import Key
from runcancel.sandbox.clock import Clock
from runcancel.sandbox.dice import Dice

SETTLE_SECONDS = 1.2
RUNS_FOR = 1800.0
WAITS_FOR = 600.0


class Word(StrEnum):
    """The true state of a target, finer than that of any cloud; each wire has its own table of words for it."""

    PENDING = "pending"
    DELIVERING = "delivering"
    DELAYED = "delayed"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    TASK_TIMEOUT = "task_timeout"
    UNDELIVERED = "undelivered"
    START_FAILED = "start_failed"
    INVALID = "invalid"
    ERROR = "error"
    MAX_ERRORS = "max_errors"
    SKIPPED = "skipped"


WAITING = frozenset({Word.PENDING, Word.DELIVERING, Word.DELAYED, Word.SCHEDULED})
ACTIVE = WAITING | {Word.RUNNING, Word.CANCELLING}
STOPPED = frozenset({Word.CANCELLED, Word.TERMINATED})
NEVER_STARTED = frozenset({Word.CANCELLED, Word.UNDELIVERED, Word.START_FAILED, Word.INVALID, Word.MAX_ERRORS})


@dataclass(frozen=True, slots=True)
class Life:
    """When a target starts and ends if left alone, and what a cancel made of it. A value: targets may share one."""

    begins: float
    ends: float
    outcome: Word = Word.SUCCEEDED
    waits: Word = Word.PENDING
    settle: float = SETTLE_SECONDS
    stubborn: bool = False
    cancelled_at: float | None = None
    cancels: int = 0

    def word(self, now: float) -> Word:
        if self.cancelled_at is not None:
            if self.stubborn or now < self.cancelled_at + self.settle:
                return Word.CANCELLING
            return Word.TERMINATED if self.begins <= self.cancelled_at < self.ends else Word.CANCELLED
        if now < self.begins:
            return self.waits
        return Word.RUNNING if now < self.ends else self.outcome

    def over(self, now: float) -> bool:
        return self.word(now) not in ACTIVE

    def started(self, now: float) -> float | None:
        if self.begins > now or self.word(now) in NEVER_STARTED:
            return None
        return None if self.cancelled_at is not None and self.begins > self.cancelled_at else self.begins

    def ended(self, now: float) -> float | None:
        if not self.over(now):
            return None
        return self.ends if self.cancelled_at is None else self.cancelled_at + self.settle

    def cancelled(self, now: float, *, kills: bool) -> "Life":
        """The same life when the cancel has no effect; what already runs is touched only by a cancel that kills."""
        word = self.word(now)
        if word not in WAITING and not (word is Word.RUNNING and kills):
            return self
        return replace(self, cancelled_at=now, cancels=self.cancels + 1)

    def finished(self, now: float) -> "Life":
        return replace(self, ends=now) if self.word(now) is Word.RUNNING else self


@dataclass(slots=True)
class Target:
    id: str
    life: Life
    name: str = ""
    task: str = ""
    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    dropped: int = 0
    error: str = ""
    line_every: float = 0.0

    def cancel(self, now: float, *, kills: bool) -> bool:
        """True when the cancel took effect."""
        before, self.life = self.life, self.life.cancelled(now, kills=kills)
        return self.life is not before

    def output(self, now: float) -> bytes:
        """Both streams in one, as far as they are written: with `line_every` a line each so many seconds."""
        started = self.life.started(now)
        if started is None:
            return b""
        whole = written(self.stdout) + written(self.stderr)
        ended = self.life.ended(now)
        if not self.line_every or (ended is not None and self.life.cancelled_at is None):
            return whole
        lines = int(((now if ended is None else ended) - started) / self.line_every)
        return b"".join(whole.splitlines(keepends=True)[:lines])


def written(text: str) -> bytes:
    """What a process wrote: a lone surrogate stands for a byte that is no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


RunType = TypeVar("RunType", bound="Run")
Extra = TypeVar("Extra")


@dataclass(slots=True, kw_only=True)
class Run:
    """One thing that can be cancelled. `kills`: a cancel reaches what already runs; so many `fresh` reads miss it."""

    id: str
    kind: str
    name: str
    created: float
    targets: list[Target]
    kills: bool = True
    stubborn: bool = False
    fresh: int = 0
    document: str = ""
    bucket: str = ""
    upload_error: str = ""
    cancelled_at: float | None = None
    parent: str = ""
    script: str = ""
    started_by: str = "ops"

    def words(self, now: float) -> list[Word]:
        return [target.life.word(now) for target in self.targets]

    def started(self, now: float) -> float | None:
        return min((at for target in self.targets if (at := target.life.started(now)) is not None), default=None)

    def ended(self, now: float) -> float | None:
        ends = [target.life.ended(now) for target in self.targets]
        return None if any(end is None for end in ends) else max((end for end in ends if end is not None), default=None)

    def mark_stubborn(self) -> None:
        self.stubborn = True
        for target in self.targets:
            target.life = replace(target.life, stubborn=True)

    def finish(self, now: float) -> None:
        for target in self.targets:
            target.life = target.life.finished(now)

    def truth(self, now: float) -> Iterator[tuple[str, Word, int]]:
        for target in self.targets:
            yield target.id, target.life.word(now), target.life.cancels

    def state(self, now: float) -> Word:
        return roll_up(self.words(now))


_ROLL_UP = (
    ({Word.CANCELLING}, Word.CANCELLING),
    ({Word.RUNNING}, Word.RUNNING),
    (WAITING, Word.PENDING),
    ({Word.FAILED, Word.ERROR, Word.START_FAILED, Word.INVALID, Word.UNDELIVERED, Word.MAX_ERRORS}, Word.FAILED),
    ({Word.TIMED_OUT, Word.TASK_TIMEOUT}, Word.TIMED_OUT),
    ({Word.TERMINATED}, Word.TERMINATED),
    ({Word.CANCELLED}, Word.CANCELLED),
    ({Word.SUCCEEDED}, Word.SUCCEEDED),
)


def roll_up(words: Sequence[Word]) -> Word:
    """The neutral state of a whole run; the wires have their own, vendor-worded roll-ups."""
    distinct = set(words)
    if distinct == {Word.SCHEDULED}:
        return Word.SCHEDULED
    if distinct & WAITING and distinct - ACTIVE and not distinct & {Word.CANCELLING, Word.RUNNING}:
        return Word.RUNNING
    return next((word for group, word in _ROLL_UP if distinct & group), Word.SUCCEEDED)


class Seats(Sequence[tuple[RunType, Target]]):
    """Every target of some runs as one list that is never made: a page of a hundred thousand stays cheap."""

    def __init__(self, runs: Sequence[RunType]) -> None:
        self._runs = runs
        self._ends = list(accumulate(len(run.targets) for run in runs))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> tuple[RunType, Target]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[RunType, Target]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        at = bisect_right(self._ends, index)
        run = self._runs[at]
        return run, run.targets[index - self._ends[at]]


@dataclass(frozen=True, slots=True)
class BookKey:
    provider: str
    account: int
    region: str


@dataclass(slots=True)
class Book:
    """Everything one account has in one region of one cloud."""

    key: BookKey
    dice: Dice
    runs: dict[str, Run] = field(default_factory=dict)
    pools: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    fresh: int = 0
    _sorted: dict[type[Run], list[Any]] = field(default_factory=dict)
    _beside: dict[type, Any] = field(default_factory=dict)
    _due: list[tuple[float, int, Callable[[float], float | None]]] = field(default_factory=list)
    _serial: int = 0

    @property
    def instances(self) -> list[tuple[str, str]]:
        """Id and name of every machine that a run was made for."""
        return [machine for pool in self.pools.values() for machine in pool]

    def pool(self, instance_kind: str) -> list[tuple[str, str]]:
        return self.pools.setdefault(instance_kind, [])

    def add(self, run: Run) -> None:
        self.runs[run.id] = run
        self._sorted.pop(type(run), None)

    def start(self, run: Run) -> None:
        """Like `add`, for what begins while somebody may already be reading."""
        run.fresh = max(run.fresh, self.fresh)
        self.add(run)

    def beside(self, kind: type[Extra]) -> Extra:
        """The one object of a class that the book keeps beside its runs, made when it is first looked for."""
        if kind not in self._beside:
            self._beside[kind] = kind()
        extra: Extra = self._beside[kind]
        return extra

    def runs_of(self, kind: type[RunType]) -> list[RunType]:
        """Newest first."""
        if kind not in self._sorted:
            runs = [run for run in self.runs.values() if isinstance(run, kind)]
            self._sorted[kind] = sorted(runs, key=lambda run: -run.created)
        return self._sorted[kind]

    def listed(self, kind: type[RunType]) -> list[RunType]:
        """Those that a list shows, newest first."""
        return [run for run in self.runs_of(kind) if not run.fresh]

    def get(self, kind: type[RunType], identity: str) -> RunType | None:
        """The run of that id, as fresh as it may be."""
        run = self.runs.get(identity)
        return run if isinstance(run, kind) else None

    def find(self, kind: type[RunType], identity: str) -> RunType | None:
        """A fresh run does not exist until it was looked up often enough."""
        run = self.get(kind, identity)
        if run is None:
            return None
        if run.fresh > 0:
            run.fresh -= 1
            return None
        return run

    def watch(self, due: float, step: Callable[[float], float | None]) -> None:
        """Call `step` when the world has reached `due`; it returns when it wants to be called again."""
        self._serial += 1
        heapq.heappush(self._due, (due, self._serial, step))

    def catch_up(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, step = heapq.heappop(self._due)
            again = step(now)
            if again is not None and again < math.inf:
                self.watch(again, step)


class World:
    """All books, created at their first use, so that many accounts cost nothing until then."""

    def __init__(
        self, clock: Clock, *, seed: int, regions: dict[str, tuple[str, ...]], furnish: Callable[[Book], None]
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.regions = regions
        self.lock = threading.RLock()
        self.fresh = 0
        self.accounts = 1
        self.external_id = ""
        self.sessions: dict[str, Key] = {}
        self._furnish = furnish
        self._books: dict[BookKey, Book] = {}

    def now(self) -> float:
        return self.clock.now()

    def serves(self, provider: str, region: str) -> bool:
        return region in self.regions[provider]

    def book(self, provider: str, account: int, region: str) -> Book:
        key = BookKey(provider, account, region)
        if key not in self._books:
            book = Book(key, Dice(f"{self.seed}/{provider}/{account}/{region}"))
            self._books[key] = book
            self._furnish(book)
            book.fresh = self.fresh
        book = self._books[key]
        book.catch_up(self.now())
        return book

    def books(self, accounts: int) -> Iterator[Book]:
        for provider, regions in self.regions.items():
            for account in range(accounts):
                for region in regions:
                    yield self.book(provider, account, region)
