"""What is printed on stderr before a cancel is sent: what is missing, which runs, what a cancel can do, who cancels."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import combining, east_asian_width

from msgspec import Struct

from runcancel.engine.verdict import counted_once
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Problem, Ref, Scope
from runcancel.model.states import Effect, Guarantee, State
from runcancel.render.documents import Caller
from runcancel.render.screens.words import PROMISES, counted, readable
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
_GROUPS = 10  # lines of runs before a question; the others are listed when a person wants them
_FEW = 4  # groups that have lines of their own for what a cancel does
_REGIONS = 2  # regions that are named in such a line
_APART = 3  # runs that are printed one by one where one reason is that of several
_LONGEST_NAME = 28
_LONGEST_REASON = 100  # characters of why something was not searched; the errors at the end have all
_SHORTEST_NAME = 12


class _Group(Struct, frozen=True, kw_only=True):
    """Runs of one name in one account that a cancel can do the same to."""

    name: str
    scopes: tuple[Scope, ...]
    guarantee: Guarantee
    items: tuple[PlanItem, ...]

    def cells(self, most: int) -> tuple[str, str, str, str, str]:
        """Name, scopes with at most so many regions by name, runs, targets, what a cancel does."""
        account = str(self.scopes[0]).rpartition(":")[0]
        regions = [scope.region for scope in self.scopes]
        where = ", ".join(regions) if len(regions) <= most else f"{len(regions)} regions"
        runs, targets = counted(len(self.items), "run"), counted(sum(map(_size, self.items)), "target")
        return self.name, safe(f"{account} {where}"), runs, targets, PROMISES[self.guarantee]

    def effect(self, *, promised: bool) -> str:
        """What is expected of the targets, after what a cancel does where that was not `promised` before."""
        expected = expectation(self.items)
        return expected if promised else f"{PROMISES[self.guarantee]}: {expected}".removesuffix(": ")


def announce(
    items: Sequence[PlanItem],
    identities: Iterable[Caller] = (),
    *,
    missing: Sequence[Problem] = (),
    width: int = 80,
) -> tuple[str, ...]:
    """Safe lines that show what a cancel of these runs can do, before anything is sent. `width` is that of stderr.

    `missing`: what was not searched, or named and not read, and why; it comes first.
    """
    gone = [line for text in not_searched(missing) for line in _flowed(text, width)]
    to_cancel = counted_once([item for item in items if item.ask])
    not_sent = list(_not_sent([item for item in items if not item.ask]))
    if not to_cancel:
        return (*gone, *not_sent)
    callers = {caller.scope: caller for caller in identities}
    shown = _of_one(items[0], width) if len(items) == 1 else _of_many(to_cancel, width)
    principals = dict.fromkeys(_who(callers[scope]) for item in to_cancel if (scope := str(item.run.scope)) in callers)
    who = _flowed(f"As {', '.join(principals)}", width) if principals else []
    return (*gone, *shown, *_unread(to_cancel), *not_sent, *_returning(to_cancel, width), *who)


def _returning(items: Sequence[PlanItem], width: int) -> Iterator[str]:
    """What brings these runs back, as far as their own readings show it."""
    shown = {item.run: one for item in items if (one := item.origin) is not None and (one.repeats or one.trigger)}
    if not shown:
        return
    from runcancel.render.screens.returning import returns  # most runs do not show it

    lines = returns(shown, commands=False)
    for line in lines[:_GROUPS]:
        yield from _flowed(line, width)
    if len(lines) > _GROUPS:
        yield f"and {len(lines) - _GROUPS:,} more that come back"


def listing(items: Sequence[PlanItem], *, width: int = 80) -> tuple[str, ...]:
    """Every run of a plan with its reference, then what a cancel does to each kind, as safe lines."""
    lines: list[str] = []
    for item in items:
        if not item.ask:
            lines.append(_unsent(item))
            continue
        facts = [item.label and safe(item.label), readable(item.state), expectation([item])]
        about = " · ".join(fact for fact in facts if fact)
        reference = f"  {safe(str(item.run))}"
        beside = _cells(reference) + 2 + _cells(about) < width
        lines += [f"{reference}  {about}"] if beside else [reference, *_flowed(f"    {about}", width, indent=4)]
    return (*lines, *_promises([item for item in items if item.ask], width))


def not_searched(missing: Iterable[Problem]) -> Iterator[str]:
    """`NOT searched: aws us-west-2, aws eu-west-1 (it did not reply within 15 s)`, a line for each reason."""
    reasons: dict[tuple[bool, str], list[str]] = {}
    for problem in missing:
        code = f" [{problem.provider_code}]" if problem.provider_code else ""
        subject = problem.ref or problem.scope
        why = textwrap.shorten(problem.message, _LONGEST_REASON, placeholder=" …")
        reasons.setdefault((problem.ref is None, f"{why}{code}"), []).append(str(subject or ""))
    for (searched, why), subjects in reasons.items():
        what = "NOT searched" if searched else "NOT included"
        names = [subject.replace(":", " ") if searched else subject for subject in dict.fromkeys(subjects) if subject]
        more = f" and {len(names) - _GROUPS:,} more" if len(names) > _GROUPS else ""
        yield safe(f"{what}: {', '.join(names[:_GROUPS])}{more} ({why})" if names else f"{what}: {why}")


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


def _of_one(item: PlanItem, width: int) -> list[str]:
    lines = [safe(str(item.run))]
    lines += [f"  {safe(item.label)}"] if item.label else []
    lines += _flowed(safe(item.promise), width)
    lines += [_only(item.targets)] if item.targets else []
    expected = expectation([item])
    return lines + (_flowed(f"Expected: {expected}.", width) if expected else [])


def _of_many(items: Sequence[PlanItem], width: int) -> list[str]:
    """A line per name, account and guarantee, the most runs first, then what each guarantee means."""
    groups = _grouped(items)
    rows, promised = _rows(groups[:_GROUPS], width)
    expected: list[str] = []
    if rest := groups[_GROUPS:]:
        rows.append(f"  … and {len(rest):,} more names: {counted(sum(len(group.items) for group in rest), 'run')}")
    effects = [group.effect(promised=promised) for group in groups]
    beside = [f"{row}: {effect}" if effect else row for row, effect in zip(rows, effects, strict=False)]
    if not rest and all(_cells(line) < width for line in beside):
        rows = beside
    elif len(groups) <= _FEW:
        below = [_flowed(f"    {effect}", width, indent=4) if effect else [] for effect in effects]
        rows = [line for row, more in zip(rows, below, strict=True) for line in (row, *more)]
    else:
        expected = _flowed(f"Expected: {expectation(items)}.", width)
    return [
        f"About to cancel {counted(len(items), 'run')} ({counted(sum(map(_size, items)), 'target')}):",
        *rows,
        *expected,
        *(_promises(items, width) if len(groups) <= _FEW or not promised else ()),  # else the rows have it in two words
    ]


def _promises(items: Iterable[PlanItem], width: int) -> Iterator[str]:
    """What a cancel does, in a sentence for each kind."""
    promises = dict.fromkeys((_kind(item.run), safe(item.promise)) for item in items)
    return (line for kind, promise in promises for line in _flowed(f"{kind}: {promise}", width))


def _grouped(items: Sequence[PlanItem]) -> list[_Group]:
    groups: dict[tuple[str, str, str | None, Guarantee], list[PlanItem]] = {}
    for item in items:
        name = safe(item.label) if item.label else f"({_kind(item.run)})"
        scope = item.run.scope
        groups.setdefault((name, scope.provider, scope.context, item.guarantee), []).append(item)
    lines = [
        _Group(
            name=name,
            scopes=tuple(dict.fromkeys(item.run.scope for item in members)),
            guarantee=guarantee,
            items=tuple(members),
        )
        for (name, _, _, guarantee), members in groups.items()
    ]
    return sorted(lines, key=lambda group: -len(group.items))


def _rows(groups: Sequence[_Group], width: int) -> tuple[list[str], bool]:
    """A line for each group, with less in it until it fits; and whether it has what a cancel does there."""
    for regions, promised in ((_REGIONS, True), (1, True), (1, False)):
        cells = [group.cells(regions) for group in groups]
        rows = _columns(cells if promised else [row[:-1] for row in cells], width)
        if all(_cells(row) < width for row in rows):
            return rows, promised
    return rows, False


def _columns(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of these cells: the first gives way where they do not fit, the third and fourth are numbers."""
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    excess = 2 * len(widths) + sum(widths) - max(0, widths[0] - _LONGEST_NAME) - width + 1
    longest = min(widths[0], _LONGEST_NAME)
    widths[0] = max(min(longest, _SHORTEST_NAME), longest - max(0, excess))
    lines = []
    for row in rows:
        name, where, runs, targets, *rest = (_fit(cell, room) for cell, room in zip(row, widths, strict=True))
        lines.append("  ".join(["", name, where, _right(runs), _right(targets), *rest]).rstrip())
    return lines


def _cells(text: str) -> int:
    """How many columns a text takes on a terminal."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _fit(text: str, width: int) -> str:
    """The text in exactly so many columns, with a mark where something is missing."""
    if _cells(text) <= width:
        return text + " " * (width - _cells(text))
    while _cells(text) > width - 1:
        text = text[:-1]
    return _fit(f"{text}…", width)


def _right(padded: str) -> str:
    return padded.rstrip().rjust(len(padded))


def _kind(ref: Ref) -> str:
    """The provider and the kind of a run, for a person."""
    return safe(f"{ref.scope.provider} {ref.kind}")


def _flowed(text: str, width: int, *, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        text, max(20, width - 1), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _not_sent(items: Iterable[PlanItem]) -> Iterator[str]:
    """What the plan holds and a cancel leaves alone; many for one reason are one line."""
    for why, group in _by_reason(items):
        if len(group) > _APART:
            yield f"{counted(len(group), 'run')} not sent{f': {safe(_of_several(why))}' if why else ''}"
        else:
            yield from map(_unsent, group)


def _unread(items: Iterable[PlanItem]) -> Iterator[str]:
    """What is cancelled although it could not be read, and why; many for one reason are one line."""
    for why, group in _by_reason(item for item in items if not item.read):
        if len(group) > _APART:
            yield f"{counted(len(group), 'run')}: cancelled without a reading: {safe(_of_several(why))}"
        else:
            yield from (f"{safe(str(item.run))}: cancelled without a reading: {safe(why)}" for item in group)


def _by_reason(items: Iterable[PlanItem]) -> Iterable[tuple[str, list[PlanItem]]]:
    reasons: dict[str, list[PlanItem]] = {}
    for item in items:
        reasons.setdefault(item.why, []).append(item)
    return reasons.items()


def _of_several(why: str) -> str:
    """A reason that is written for one run, about several."""
    for one, several in (("it is ", "they are "), ("it has ", "they have "), ("it could ", "they could ")):
        if why.startswith(one):
            return several + why.removeprefix(one)
    return why


def _unsent(item: PlanItem) -> str:
    return f"{safe(str(item.run))}: not sent{f': {safe(item.why)}' if item.why else ''}"


def _size(item: PlanItem) -> int:
    return sum(planned.target_count for planned in item.invocations) + item.not_listed


def _who(caller: Caller) -> str:
    people = [
        caller.principal,
        f"account {caller.account}" if caller.account and caller.account not in (caller.principal or "") else None,
    ]
    return safe(" · ".join(each for each in people if each)) or "an unknown identity"


def _only(targets: Sequence[str]) -> str:
    more = f" and {len(targets) - _NAMED:,} more" if len(targets) > _NAMED else ""
    return f"Only {counted(len(targets), 'target')}: {safe(', '.join(targets[:_NAMED]))}{more}."
