"""Triggers that are switched before the runs of a plan are cancelled, so that they start no more of them."""

from collections.abc import Callable, Sequence

from runcancel.engine.events import Progress
from runcancel.engine.tracker import UNREACHED, RunTracker, Step
from runcancel.engine.verdict import CancelResponse
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Ref, Run
from runcancel.providers import trigger_kind_of

_LONGEST = 1.5  # seconds for which runs wait for the replies about triggers


class HeadStart:
    """The triggers of a plan and the runs that wait until each of them has a reply, whatever that is, or for so long
    at most. A plan of triggers alone, or of runs alone, waits for nothing.
    """

    def __init__(self, now: float) -> None:
        self.until = now + _LONGEST
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


class RunsOnly(Progress):
    """An observer that is not shown what becomes of triggers."""

    def __init__(self, observer: Progress) -> None:
        self._observer = observer

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Pass on the runs."""
        self._observer.planned([item for item in items if item.trigger is None])

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Pass it on of a run."""
        if trigger_kind_of(ref) is None:
            self._observer.responded(ref, answer)

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Pass it on of a run."""
        if trigger_kind_of(ref) is None:
            self._observer.observed(ref, run, invocations)

    def judged(self, outcome: Outcome) -> None:
        """Pass it on of a run."""
        if not isinstance(outcome.run, Ref) or trigger_kind_of(outcome.run) is None:
            self._observer.judged(outcome)

    def tick(self) -> None:
        """Pass it on."""
        self._observer.tick()

    def close(self) -> None:
        """Pass it on."""
        self._observer.close()
