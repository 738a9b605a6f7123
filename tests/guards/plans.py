"""Plans of runs, for the tests of what guards them."""

from fakes import PATCH, seen

from runcancel.engine.planning import plan
from runcancel.model.outcomes import PlanItem
from runcancel.model.states import State

R, S = State.RUNNING, State.SUCCEEDED


def running(ref: str = PATCH, targets: int = 1, **more: int) -> PlanItem:
    return plan(seen(ref, R, {f"i-{number}": R for number in range(targets)}, **more))


def over(ref: str = PATCH) -> PlanItem:
    return plan(seen(ref, S, {"a": S}))


def patches(count: int) -> list[PlanItem]:
    return [running(f"tencent:ap-guangzhou:invocation/inv-0000000{number}") for number in range(count)]
