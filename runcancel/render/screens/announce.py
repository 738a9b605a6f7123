"""What is said on stderr before a cancel is asked for: who, where, what it can do, what is expected."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runcancel.engine.verdict import counted_once
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Effect, Guarantee, State
from runcancel.render.documents import Caller
from runcancel.render.screens.words import PROMISES, counted, readable, scope_of
from runcancel.text import safe

_EXPECTED: Mapping[Effect, str] = {
    Effect.CANCELLED: "will be cancelled",
    Effect.TERMINATED: "will be terminated",
    Effect.KEPT_RUNNING: "will keep running",
    Effect.ALREADY_ENDED: "already ended",
    Effect.STOPPING: "may stop",
    Effect.UNKNOWN: "outcome unpredictable",
}
_BEST_EFFORT: Mapping[Effect, str] = {
    Effect.CANCELLED: "should be cancelled",
    Effect.TERMINATED: "may be stopped",
}
"""The words where the guarantee is best effort."""

_NAMED = 3  # targets that are named of those that were selected


def announce(items: Sequence[PlanItem], identities: Iterable[Caller] = (), *, width: int = 80) -> tuple[str, ...]:
    """Safe lines that show what a cancel of these runs can do, before anything is sent. `width` is that of stderr."""
    to_cancel = counted_once([item for item in items if item.ask])
    if not to_cancel:
        return tuple(_not_asked(items))
    callers = {caller.scope: caller for caller in identities}
    if len(items) == 1:
        return tuple(_of_one(items[0], callers, width))
    return (*_of_many(to_cancel, callers, width), *_not_asked([item for item in items if not item.ask]))


def expectation(items: Iterable[PlanItem]) -> str:
    """`17 pending: will be cancelled · 3 running: will keep running`: the expected effect on the selected targets."""
    counts: Counter[tuple[str, State | None]] = Counter()
    missing = 0
    for item in items:
        for planned in item.invocations:
            before = None if planned.expected is Effect.ALREADY_ENDED else planned.before
            counts[_words(item, planned.expected), before] += planned.target_count
        missing += item.not_listed
    order = [table[effect] for effect in _EXPECTED for table in (_EXPECTED, _BEST_EFFORT) if effect in table]
    states = [None, *State]
    parts = [
        f"{counts[key]:,} {key[0]}" if key[1] is None else f"{counts[key]:,} {readable(key[1])}: {key[0]}"
        for key in sorted(counts, key=lambda key: (order.index(key[0]), states.index(key[1])))
    ]
    return " · ".join(parts + ([f"{missing:,} not yet listed"] if missing else []))


def _words(item: PlanItem, effect: Effect) -> str:
    weaker = _BEST_EFFORT if item.guarantee is Guarantee.BEST_EFFORT else {}
    return weaker.get(effect, _EXPECTED[effect])


def _of_one(item: PlanItem, callers: Mapping[str, Caller], width: int) -> list[str]:
    lines = [safe(str(item.run))]
    lines += [f"  {safe(item.label)}"] if item.label else []
    lines += [f"  as {_who(caller)}"] if (caller := callers.get(scope_of(item.run))) else []
    lines += _flowed(safe(item.promise), width)
    lines += [_only(item.targets)] if item.targets else []
    expected = expectation([item])
    return lines + ([f"Expected: {expected}."] if expected else [])


def _of_many(items: Sequence[PlanItem], callers: Mapping[str, Caller], width: int) -> list[str]:
    """A line per scope and guarantee, then who asks, then what each guarantee says."""
    groups: dict[tuple[str, Guarantee], list[PlanItem]] = {}
    for item in items:
        groups.setdefault((scope_of(item.run), item.guarantee), []).append(item)
    total = sum(_size(item) for item in items)
    rows = [_row(scope, guarantee, group) for (scope, guarantee), group in groups.items()]
    widths = [max(len(row[index]) for row in rows) for index in range(4)]
    lines = [f"About to cancel {counted(len(items), 'run')} ({counted(total, 'target')}):"]
    for row, group in zip(rows, groups.values(), strict=True):
        cells = (row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2]), row[3].ljust(widths[3]))
        line, expected = "  " + "  ".join(cells).rstrip(), expectation(group)
        beside = len(line) + 2 + len(expected) <= width
        lines += [f"{line}  {expected}"] if beside else [line, f"    {expected}"]
    principals = dict.fromkeys(_who(callers[scope]) for scope, _ in groups if scope in callers)
    lines += _flowed(f"as {', '.join(principals)}", width) if principals else []
    promises = dict.fromkeys((_kind(item.run), safe(item.promise)) for item in items)
    return lines + [line for kind, promise in promises for line in _flowed(f"{kind}: {promise}", width)]


def _kind(ref: Ref) -> str:
    """The provider and the kind of a run, for a person."""
    return safe(f"{ref.scope.provider} {ref.kind}")


def _flowed(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, max(20, width - 1), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _row(scope: str, guarantee: Guarantee, group: Sequence[PlanItem]) -> tuple[str, str, str, str]:
    return safe(scope), counted(len(group), "run"), counted(sum(map(_size, group)), "target"), PROMISES[guarantee]


def _not_asked(items: Iterable[PlanItem]) -> list[str]:
    return [f"{safe(str(item.run))}: not sent{f': {safe(item.why)}' if item.why else ''}" for item in items]


def _size(item: PlanItem) -> int:
    return sum(planned.target_count for planned in item.invocations) + item.not_listed


def _who(caller: Caller) -> str:
    known = [
        caller.principal,
        f"account {caller.account}" if caller.account and caller.account not in (caller.principal or "") else None,
    ]
    return safe(" · ".join(each for each in known if each)) or "an unknown identity"


def _only(targets: Sequence[str]) -> str:
    more = f" and {len(targets) - _NAMED:,} more" if len(targets) > _NAMED else ""
    return f"Only {counted(len(targets), 'target')}: {safe(', '.join(targets[:_NAMED]))}{more}."
