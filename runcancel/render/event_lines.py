"""What happens during a cancel as lines of jsonl: a run that joined, a request that was answered, a state."""

from collections.abc import Sequence
from datetime import UTC, datetime

from runcancel.engine.events import Progress, StateChanges, sent_event
from runcancel.model.outcomes import CancelResponse, Found, PlanItem
from runcancel.model.runs import Invocation, Ref, Run
from runcancel.render import Writer


class EventLines(Progress):
    """Writes a `sent` line for each answer, and a `seen` line whenever a run or its targets read otherwise."""

    def __init__(self, writer: Writer, *, joins: bool = False) -> None:
        """`joins`: runs that join after the plan are written as well, as `found`."""
        self._writer = writer
        self._changes = StateChanges()
        self._joins = joins
        self._is_planned = False

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Write what joins after the plan."""
        if self._is_planned and self._joins:
            for item in items:
                counts = dict(item.counts) or None
                self._writer.event(Found(run=item.run, at=datetime.now(UTC), state=item.state, counts=counts))
        self._is_planned = True

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Write what a request came to; `accepted` is null where that is not known."""
        self._writer.event(sent_event(ref, answer, datetime.now(UTC)))

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Write what a reading shows, unless the last one showed the same."""
        counts = None if run.counts is None else dict(run.counts)
        event = self._changes.seen_event(ref, run.state, counts, datetime.now(UTC))
        if event is not None:
            self._writer.event(event)
