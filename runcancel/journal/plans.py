"""The operations of saved plans: which shards there are, which are missing, and which still have to end."""

from collections.abc import Iterable, Iterator, Sequence

from runcancel.model.incident import PlanReport
from runcancel.model.outcomes import Operation
from runcancel.model.states import Stage

_SHOWN = 12  # digits of a digest


def plan_reports(operations: Iterable[Operation]) -> tuple[PlanReport, ...]:
    """How far each plan came, once for each number of shards it was divided into."""
    of_part: dict[tuple[str, int | None], dict[int, list[Operation]]] = {}
    for one in operations:
        if one.plan is not None:
            count, index = (None, 0) if one.shard is None else (one.shard.count, one.shard.index)
            of_part.setdefault((one.plan, count), {}).setdefault(index, []).append(one)
    return tuple(_report(plan, count, parts) for (plan, count), parts in of_part.items())


def _report(plan: str, count: int | None, parts: dict[int, list[Operation]]) -> PlanReport:
    missing = tuple(index for index in range(count or 1) if index not in parts)
    unfinished = tuple(sorted(index for index, several in parts.items() if all(map(_is_open, several))))
    return PlanReport(
        plan=plan,
        count=count,
        missing=missing,
        unfinished=unfinished,
        complete=not missing and not unfinished,
    )


def lacking(reports: Sequence[PlanReport]) -> tuple[PlanReport, ...]:
    """The plans with a missing shard, however they were divided: none that is complete in another division."""
    complete = {one.plan for one in reports if one.complete}
    return tuple(one for one in reports if one.missing and one.plan not in complete)


def unfinished(operations: Sequence[Operation]) -> list[Operation]:
    """The operations that did not end, without those whose shard a later operation has carried out again."""
    done = [one for one in operations if not _is_open(one) and one.shard is not None]
    return [
        one
        for one in operations
        if _is_open(one)
        and not any((one.plan, one.shard) == (other.plan, other.shard) and one.id < other.id for other in done)
    ]


def missing_in_words(reports: Sequence[PlanReport]) -> Iterator[str]:
    """One sentence for each plan with a missing shard."""
    for one in lacking(reports):
        what = f"{'shard' if len(one.missing) == 1 else 'shards'} {_ranges(one.missing)} of {one.count}"
        yield f"plan {shown(one.plan)}: {what} {'is' if len(one.missing) == 1 else 'are'} missing"


def mixed_in_words(reports: Sequence[PlanReport]) -> Iterator[str]:
    """One sentence for each plan that was divided in several ways."""
    for plan in dict.fromkeys(one.plan for one in reports):
        counts = [one.count for one in reports if one.plan == plan and one.count is not None]
        if len(counts) > 1:
            divisions = " and ".join(f"of {count}" for count in sorted(counts))
            yield f"plan {shown(plan)} was divided in several ways: shards {divisions}"


def shown(plan: str) -> str:
    """What a person knows a plan by: the beginning of its digest."""
    return plan[:_SHOWN]


def _is_open(operation: Operation) -> bool:
    return operation.state is not Stage.DONE


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3, 7`: ascending numbers."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)
