"""Scopes that do not reply: one run at a time tests whether they reply again, and the others wait."""

from collections import deque
from collections.abc import Callable

from runcancel.engine.tracker import RunTracker
from runcancel.model.runs import Scope


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
