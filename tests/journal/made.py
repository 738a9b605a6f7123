"""Operations and items as the tests of the journal write them. Their processes load it, and no pytest."""

from datetime import UTC, datetime

from runcancel.journal.recorder import new_operation
from runcancel.model.outcomes import Operation, PlanItem, PlannedInvocation, Sent
from runcancel.model.runs import Ref
from runcancel.model.states import Effect, Guarantee, State

RUN = "tencent:ap-guangzhou:invocation/inv-ib2lld37"
REF = Ref.parse(RUN)


def item(run: str = RUN, *, targets: int = 2) -> PlanItem:
    return PlanItem(
        run=Ref.parse(run),
        name="patch\u202eopenssl",
        state=State.RUNNING,
        guarantee=Guarantee.STOPS_RUNNING,
        promise="stops",
        ask=True,
        why="it is running",
        counts={State.RUNNING: targets},
        not_listed=0,
        targets=(),
        invocations=tuple(
            PlannedInvocation(
                id=f"t{n}", task=None, target=f"ins-{n}", before=State.RUNNING, expected=Effect.TERMINATED
            )
            for n in range(targets)
        ),
    )


def operation(reason: str | None = "because") -> Operation:
    return new_operation("cancel", ["cancel", RUN], reason)


def sent(run: str, *, at: datetime = datetime(2026, 11, 28, tzinfo=UTC)) -> Sent:
    return Sent(run=Ref.parse(run), at=at, accepted=True, request_ids=(), error=None)
