"""When a run goes on although nothing arrives: one timer per run, and one moment for the throttled runs of a scope."""

import heapq
import itertools
import math
from collections.abc import Iterator

from runcancel.engine.tracker import RunTracker
from runcancel.model.runs import Ref, Scope

_REREAD_TOGETHER = 0.5  # seconds for which a throttled run waits for more of them, while others are to be sent, or
_REREAD_ALONE = 0.05


class Timers:
    """The timers of the runs of one operation. Times are seconds of its monotonic clock."""

    def __init__(self) -> None:
        self._number = itertools.count()
        self._timers: list[tuple[float, int, RunTracker]] = []
        self._timer_of: dict[Ref, float] = {}
        self._reread_at: dict[Scope, float] = {}  # when the throttled runs of a scope are read

    @property
    def due(self) -> list[float]:
        """The next moment, if there is one."""
        return [self._timers[0][0]] if self._timers else []

    def set(self, tracker: RunTracker, *, sending: bool) -> None:
        """Set the timer of a run to its `wake_at`. `sending`: other runs wait to be sent."""
        if self._timer_of.get(tracker.ref) == tracker.wake_at:
            return
        if tracker.throttled:
            self._read_together(tracker, _REREAD_TOGETHER if sending else _REREAD_ALONE)
        if tracker.wake_at is not None and self._timer_of.get(tracker.ref) != tracker.wake_at:
            self._timer_of[tracker.ref] = tracker.wake_at
            heapq.heappush(self._timers, (tracker.wake_at, next(self._number), tracker))

    def ring(self, now: float) -> Iterator[RunTracker]:
        """The runs whose time has come."""
        while self._timers and self._timers[0][0] <= now:
            yield heapq.heappop(self._timers)[2]

    def _read_together(self, tracker: RunTracker, within: float) -> None:
        """Let the throttled runs of a scope be read together, in one call where the cloud takes several."""
        scope, due = tracker.ref.scope, tracker.wake_at or 0.0
        if self._reread_at.get(scope, -math.inf) < due:
            self._reread_at[scope] = due + within
        tracker.wake_at = self._reread_at[scope]
