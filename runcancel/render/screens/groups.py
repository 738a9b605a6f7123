"""Many runs in groups: a line per verdict and cause, the first names of what needs attention, the worst last."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from runcancel.model.outcomes import Outcome
from runcancel.model.runs import Run
from runcancel.model.states import Effect, Verdict
from runcancel.render.screens.notes import cause_of, name_list
from runcancel.render.screens.verdicts import run_summary, summary
from runcancel.render.screens.words import ENDED_FIRST, FEW, WORST_LAST, Piece, Pieces, counted, is_unproven, readable
from runcancel.text import command, safe

ENDS = frozenset({"cancel", "wait"})
"""The answers that report what became of runs."""

_COLLAPSED = (Verdict.STOPPED, Verdict.ENDED)

_LEFT: Mapping[Verdict, tuple[Effect, ...]] = {
    Verdict.PARTIAL: (Effect.KEPT_RUNNING,),
    Verdict.REQUESTED: (Effect.STOPPING, Effect.UNKNOWN, Effect.KEPT_RUNNING),
    Verdict.IN_DOUBT: (Effect.STOPPING, Effect.UNKNOWN),
}
_REST: Mapping[Verdict, str] = {
    Verdict.PARTIAL: "still running",
    Verdict.REQUESTED: "not verified as ended",
    Verdict.IN_DOUBT: "not verified as ended",
    Verdict.REPORTED: "reported by the cloud, not verified",
}
"""What is counted of a verdict's targets, in words."""

_NAMED = 3  # runs, or names of runs, that are shown of a group
_CAUSES = 8  # causes of one verdict that get a group of their own
_OTHER = "other causes"
_GAP = "  "


class Row(Struct, frozen=True, kw_only=True):
    """One run in a group. `word` is its verdict or state, `rank` the place of that; all text is safe.

    `collapsed`: it needs no attention and is only counted. `left` of its `targets` keep running or are not verified.
    """

    word: str
    rank: int
    collapsed: bool
    ref: str
    name: str = ""
    cause: str = ""
    hint: str = ""
    detail: str = ""
    rest: str = ""  # what is said of the targets that are left
    targets: int = 0
    remaining: int = 0


def row_of(record: Outcome | Run) -> Row:
    """An outcome by its verdict, a run by its state."""
    if isinstance(record, Run):
        return Row(
            word=readable(record.state),
            rank=ENDED_FIRST.index(record.state),
            collapsed=record.state.over,
            ref=safe(str(record.ref)),
            name=safe(record.label or ""),
            targets=record.target_count or 0,
        )
    error = record.error
    open_count = sum(one.effect in _LEFT.get(record.verdict, ()) for one in record.invocations)
    if record.verdict is Verdict.REPORTED:
        open_count = sum(map(is_unproven, record.invocations))
    total, rest = len(record.invocations), _REST.get(record.verdict, "")
    return Row(
        word=record.verdict,
        rank=WORST_LAST.index(record.verdict),
        collapsed=record.verdict in _COLLAPSED,
        ref=safe(str(record.run)),
        name=safe(record.label or ""),
        cause="" if error is None else safe(cause_of(error, record.run)),
        hint=safe(error.hint or "") if error is not None else "",
        detail=f"{open_count:,} of {counted(total, 'target')} {rest}" if open_count else "",
        rest=rest,
        targets=total,
        remaining=open_count,
    )


def totals(records: Sequence[Outcome | Run], *, operation: str | None = None) -> str:
    """The last line under several: how many there are of each verdict or state, and the operation."""
    outcomes = [record for record in records if isinstance(record, Outcome)]
    runs = [record for record in records if isinstance(record, Run)]
    return "; ".join(summary(outcomes, operation=operation) if outcomes else run_summary(runs))


def details(records: Sequence[Outcome | Run], *, operation: str | None) -> tuple[str, ...]:
    """Where every run is shown, under groups that show the first ones."""
    if operation is None or len(records) <= FEW:
        return ()
    return f"Details: {command('history', operation)}", f"Report: {command('report', operation)}"


def groups_of(rows: Iterable[Row]) -> list[tuple[Row, ...]]:
    """The rows by word and cause: every row is in one group, and the worst group is the last."""
    by_cause: dict[tuple[int, str], dict[str, list[Row]]] = {}
    for row in rows:
        by_cause.setdefault((row.rank, row.word), {}).setdefault(row.cause, []).append(row)
    return [tuple(group) for _, causes in sorted(by_cause.items()) for group in _few(sorted(causes.values(), key=len))]


def grouped(records: Iterable[Outcome | Run]) -> list[Pieces]:
    """Lines of safe text: a head for each group, below it the first runs of one that needs attention."""
    groups = groups_of(map(row_of, records))
    words = max((len(group[0].word) for group in groups), default=0)
    counts = max((len(counted(len(group), "run")) for group in groups), default=0)
    lines: list[Pieces] = []
    for group in groups:
        word, count = group[0].word, f"{counted(len(group), 'run'):>{counts}}"
        lines.append(_line((word.ljust(words), word), (count, None), *((part, None) for part in _about(group))))
        if not group[0].collapsed:
            lines += _names(group)
    return lines


def _names(group: Sequence[Row]) -> list[Pieces]:
    """The first runs of a group, how many more there are, and the hint that they share."""
    shown = len(group) if len(group) <= _NAMED + 1 else _NAMED  # nobody is left out alone
    lines = [_line((f"  {row.ref}", None), (row.name, None), (row.detail, None)) for row in group[:shown]]
    if more := len(group) - shown:
        lines.append(_line((f"  and {more:,} more", None)))
    hints = {row.hint.replace(row.ref, "REF") if len(group) > 1 else row.hint for row in group}
    if len(hints) == 1 and (hint := hints.pop()):
        lines.append(_line((f"  {hint}", None)))
    return lines


def _few(groups: list[list[Row]]) -> list[list[Row]]:
    """The groups of one word, the largest last; the smallest become one where they are too many."""
    if len(groups) <= _CAUSES:
        return groups
    apart = len(groups) - _CAUSES + 1
    rest = [structs.replace(row, cause=_OTHER, hint="", detail=row.cause) for group in groups[:apart] for row in group]
    return [rest, *groups[apart:]]


def _about(group: Sequence[Row]) -> Iterator[str]:
    """What stands beside the count: the cause, or how many targets are left; then the names, most frequent first."""
    first, remaining = group[0], sum(row.remaining for row in group)
    if first.cause:
        yield first.cause
    elif remaining:
        yield f"{counted(remaining, 'target')} {first.rest}"
    elif targets := sum(row.targets for row in group):
        yield counted(targets, "target")
    if first.collapsed and (names := Counter(row.name for row in group if row.name)):
        yield name_list([name for name, _ in names.most_common()])


def _line(*parts: Piece) -> Pieces:
    """The parts side by side; what is too wide for a terminal breaks where it is printed."""
    filled = [part for part in parts if part[0]]
    return tuple(each for index, part in enumerate(filled) for each in (((_GAP, None), part) if index else (part,)))
