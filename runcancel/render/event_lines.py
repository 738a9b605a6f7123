"""What happens during a cancel as lines of jsonl: a request that was answered, a state that was seen."""

from collections.abc import Sequence
from datetime import UTC, datetime

from runcancel.engine.verdict import CancelResponse, RequestStatus
from runcancel.model.outcomes import Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Invocation, Run
from runcancel.model.states import State
from runcancel.render import Writer

_ACCEPTED = {RequestStatus.ACCEPTED: True, RequestStatus.ALREADY: True, RequestStatus.REFUSED: False}


class EventLines:
    """Writes a `sent` line for each answer, and a `seen` line whenever a run or its targets read otherwise."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._last: dict[str, tuple[State, dict[State, int] | None]] = {}

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Nothing: the plan is no event."""

    def responded(self, ref: str, answer: CancelResponse) -> None:
        """Write what a request came to; `accepted` is null where that is not known."""
        self._writer.event(
            Sent(
                run=ref,
                at=datetime.now(UTC),
                accepted=_ACCEPTED.get(answer.asked),
                request_ids=answer.request_ids,
                error=answer.problem,
            )
        )

    def observed(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Write what a reading shows, unless the last one showed the same."""
        counts = None if run.counts is None else dict(run.counts)
        if self._last.get(ref) != (run.state, counts):
            self._last[ref] = (run.state, counts)
            self._writer.event(Seen(run=ref, at=datetime.now(UTC), state=run.state, counts=counts))

    def judged(self, outcome: Outcome) -> None:
        """Nothing: outcomes are rows."""

    def tick(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
