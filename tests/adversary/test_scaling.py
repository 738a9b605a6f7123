"""No step of choosing and judging is quadratic: counted in comparisons, with twice the targets and twice the runs."""

from collections.abc import Callable

import pytest
from fakes import COMMAND, PATCH, WINDOW, row, seen

from runcancel.config import references
from runcancel.engine.lookup import LookupResult
from runcancel.engine.planning import plan
from runcancel.engine.saved import read_list
from runcancel.engine.selection import of_found, of_named, of_plan
from runcancel.engine.verdict import counted_once, judge, nothing_left_to_see
from runcancel.guards.limits import check_limits, size
from runcancel.guards.rulings import Ruling, Rulings
from runcancel.model.outcomes import CancelResponse, Limits
from runcancel.model.runs import Ref
from runcancel.model.states import RequestStatus, State

P, R = State.PENDING, State.RUNNING


class Counted(str):
    """A text that counts how often one is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)


class CountedRef(Ref):
    """A reference that counts how often one is compared."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        return super().__hash__()


def names(count: int, *, prefix: str = "i-") -> list[str]:
    """Names that are equal to their twins of another call and not the same objects."""
    return [Counted(f"{prefix}{number:08x}") for number in range(count)]


def sight(ref: str, count: int) -> LookupResult:
    rows = [row(name, R, run=ref) for name in names(count)]
    return LookupResult(reference=references.parse(ref), snapshot=seen(ref, R, rows))


def a_target_list(count: int) -> None:
    chosen = of_named([sight(COMMAND, count)], names(count))
    assert len(chosen.items[0].targets) == count


def a_filter_with_targets(count: int) -> None:
    of_found([sight(COMMAND, count), sight(PATCH, count)], names(count))


def a_plan(count: int) -> None:
    of_plan([plan(seen(PATCH, R, [row(name, R, run=PATCH) for name in names(count)]))], [sight(PATCH, 2 * count)])


def many_runs(count: int) -> None:
    found = [f"tencent:ap-guangzhou:invocation/{name}" for name in names(count, prefix="inv-")]
    read_list("\n".join([*found, *found]), "list")
    items = of_found([sight(ref, 1) for ref in found], ()).items
    check_limits(items, Limits(max_runs=None, max_targets=count))
    runs = tuple(CountedRef(scope=one.scope, kind=one.kind, id=one.id) for one in map(Ref.parse, found))
    ruling = Ruling(denies=True, position="deny[0]", why="frozen", runs=runs, guessed=False)
    Rulings(contact="root", rulings=(ruling,)).planned(items)
    assert sum(size(item) for item in counted_once(items)) == count


def a_verdict(count: int) -> None:
    """Half of the targets wait in tasks that run, as those of a window do."""
    tasks = names(count // 2, prefix="task-")
    rows = [
        row(f"i-{at}", state, task=tasks[at // 2], run=WINDOW) for at in range(count) for state in ((P, R)[at % 2],)
    ]
    snapshot = seen(WINDOW, R, rows)
    item = plan(snapshot)
    assert nothing_left_to_see(item, snapshot, unchanged=True)
    judge(item, CancelResponse(status=RequestStatus.ACCEPTED, at=0.0, request_ids=("r",)), snapshot, unchanged=True)


@pytest.mark.parametrize("step", [a_target_list, a_filter_with_targets, a_plan, many_runs, a_verdict])
def test_twice_as_many_cost_twice_as_much(step: Callable[[int], None]) -> None:
    costs = []
    for count in (500, 1000):
        Counted.comparisons = 0
        step(count)
        costs.append(Counted.comparisons)

    assert costs[1] <= 2.5 * max(costs[0], 500), costs
