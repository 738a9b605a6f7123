"""Look at runs again and again: scope by scope, in batches, at growing intervals."""

from typing import Any

from runcancel.engine.connections import batches
from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Scope, Snapshot
from runcancel.runtime.throttle import Clock
from runcancel.runtime.workers import TaskGroup

FIRST_PAUSE = 0.5  # seconds before the first look, and the least between two
LONGEST_PAUSE = 5.0  # seconds between two looks
IDLE = 0.1  # seconds after which a watcher wakes though nothing was read, to look at deadlines

Readings = tuple[tuple[Ref, Snapshot | CloudError], ...]


class Watch:
    """The runs that are watched. A scope that hangs does not delay another.

    `tasks` reads batches (`clouds.read`). A caller that also gives it other work calls `submit_due` and `took` instead
    of `next`. `first` is the seconds before the first reading of a scope.
    """

    def __init__(self, tasks: TaskGroup[Any, Any], clock: Clock, *, first: float = FIRST_PAUSE) -> None:
        self.open: dict[Ref, None] = {}
        self._tasks = tasks
        self._clock = clock
        self._first = first
        self._rounds: dict[Scope, _Round] = {}

    def add(self, ref: Ref) -> None:
        """Watch this run as well; it is read at the next turn of its scope."""
        self.open[ref] = None
        if ref.scope not in self._rounds:
            self._rounds[ref.scope] = _Round(self._clock.monotonic(), first=self._first)

    def submit_due(self) -> None:
        """Send the read calls of every scope whose time has come."""
        now = self._clock.monotonic()
        for scope in [scope for scope, round in self._rounds.items() if round.due(now)]:
            calls = tuple(batches(ref for ref in self.open if ref.scope == scope))
            if not calls:
                del self._rounds[scope]
                continue
            self._rounds[scope].record_submitted(len(calls))
            for batch in calls:
                self._tasks.submit(batch, queue=scope)

    def took(self, scope: Scope, readings: Readings) -> Readings:
        """What a read call of a scope returned about runs still watched."""
        self._rounds[scope].came_back(self._clock.monotonic())
        return tuple(pair for pair in readings if pair[0] in self.open)

    def next(self) -> Readings | None:
        """The next answer to a read call; None when nothing came for a while. Raises `Interrupted` after a signal."""
        self.submit_due()
        done = self._tasks.next(IDLE)
        return None if done is None else self.took(done.item.scope, done.value())

    def drop(self, ref: Ref) -> None:
        """Watch this run no longer; a reading that is under way is passed over."""
        self.open.pop(ref, None)


class _Round:
    """When a scope is read next: soon at first, then less often, never before the last reading returned."""

    def __init__(self, began: float, *, first: float) -> None:
        self._began = began
        self._next_at = began + first
        self._out = 0

    def due(self, now: float) -> bool:
        """Whether it is time and nothing is out."""
        return not self._out and now >= self._next_at

    def record_submitted(self, calls: int) -> None:
        """So many read calls are out."""
        self._out = calls

    def came_back(self, now: float) -> None:
        """One read call was answered at `now`, a second of the monotonic clock: the next turn may be planned."""
        self._out -= 1
        if not self._out:
            self._next_at = now + min(LONGEST_PAUSE, max(FIRST_PAUSE, (now - self._began) / 4))
