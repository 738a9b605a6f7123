"""What holds a run back: a scope that does not reply, the triggers that go first, and the time of its next step."""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from runcancel.engine.tracker import UNREACHED, RunTracker, Step
from runcancel.model.runs import Ref, Scope

_REREAD_TOGETHER = 0.5  # seconds for which a throttled run waits for more of them, while others are to be sent, or
_REREAD_ALONE = 0.05
_LONGEST_HEAD_START = 1.5  # seconds for which runs wait for the replies about triggers


class Silence:
    """One scope without a reply. The runs in `waiting` are sent one by one until it replies."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.lost = False  # requests went out; else none was ever connected
        self.probe: RunTracker | None = None
        self.waiting: deque[RunTracker] = deque()


class SilentScopes:
    """The scopes that do not reply. `touch` is called with each run that may go on."""

    def __init__(self, touch: Callable[[RunTracker], None]) -> None:
        self._touch = touch
        self._silences: dict[Scope, Silence] = {}
        self._replied_at: dict[Scope, float] = {}

    def __contains__(self, scope: Scope) -> bool:
        return scope in self._silences

    def __getitem__(self, scope: Scope) -> Silence:
        return self._silences[scope]

    def may_go(self, tracker: RunTracker) -> bool:
        """Whether the scope of a run replies, or the run is the one that tests it."""
        silence = self._silences.get(tracker.ref.scope)
        if silence is None:
            return True
        if silence.probe is None or silence.probe is tracker:
            silence.probe = tracker
            return True
        if tracker not in silence.waiting:
            silence.waiting.append(tracker)
        return False

    def record_reply(self, scope: Scope, now: float) -> None:
        """The scope replied: every run that waits may go."""
        self._replied_at[scope] = now
        silence = self._silences.pop(scope, None)
        for tracker in silence.waiting if silence is not None else ():
            self._touch(tracker)

    def record_no_reply(self, scope: Scope, began: float, *, lost: bool) -> Silence:
        """A request that began at this second had no reply."""
        if scope not in self._silences:
            self._silences[scope] = Silence(max(began, self._replied_at.get(scope, 0.0)))
        silence = self._silences[scope]
        silence.lost = silence.lost or lost
        return silence

    def next_probe(self, tracker: RunTracker, *, alone: bool) -> None:
        """Let another run test the scope if this one was the probe, or if none is and `alone` is false."""
        silence = self._silences.get(tracker.ref.scope)
        if silence is None or (silence.probe is not tracker and (alone or silence.probe is not None)):
            return
        silence.probe = silence.waiting.popleft() if silence.waiting else None
        if silence.probe is not None:
            self._touch(silence.probe)


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


class HeadStart:
    """The triggers of a plan and the runs that wait until each of them has a reply, whatever that is, or for so long
    at most. A plan of triggers alone, or of runs alone, waits for nothing.
    """

    def __init__(self, now: float) -> None:
        self.until = now + _LONGEST_HEAD_START
        self.triggers: list[RunTracker] = []
        self.waiting: list[RunTracker] = []

    @property
    def due(self) -> list[float]:
        """The second at which the runs wait no more, as long as one does."""
        return [self.until] if self.waiting else []

    def take(self, trackers: Sequence[RunTracker]) -> None:
        """Hold back the runs among these that would be sent at once, if these are the first and triggers are sent."""
        if self.triggers:
            return
        self.triggers = [one for one in trackers if one.item.trigger is not None]
        if any(one.item.ask for one in self.triggers):
            self.waiting = [one for one in trackers if one.item.trigger is None and one.step is Step.DUE]
        for one in self.waiting:
            one.step = Step.WAITING

    def release(self, now: float, touch: Callable[[RunTracker], None], take_back: Callable[[RunTracker], bool]) -> None:
        """Let the runs go once it is time; what is still queued of the triggers leaves after them."""
        pending = any(one.answer is UNREACHED and not one.judged for one in self.triggers)
        if not self.waiting or (now < self.until and pending):
            return
        queued = [one for one in self.triggers if take_back(one)]
        for one in (*self.waiting, *queued):
            if one in queued or one.step is Step.WAITING:
                one.step = Step.DUE
                touch(one)
        self.waiting = []
