"""Which runs a cancel is about: named, found by a filter, read from a file, or held by a plan."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from runcancel import refs
from runcancel.errors import CloudError, Refused, UsageError
from runcancel.find import Sight
from runcancel.judge import failed
from runcancel.ledger import Outcome, PlanItem
from runcancel.model import Problem, Snapshot
from runcancel.plan import plan
from runcancel.providers import kind_of
from runcancel.refs import Reference
from runcancel.vocabulary import Effect, Reason, Verdict

_NOTHING = "; nothing was sent"


class Selection(Struct, frozen=True, kw_only=True):
    """What a cancel is about. `settled` are outcomes already known: what could not be read or cannot be asked."""

    items: tuple[PlanItem, ...]
    settled: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()


class Listed(Struct, frozen=True, kw_only=True):
    """References out of a file. `complete` is false when the list says so itself, or ends without saying."""

    references: tuple[Reference, ...]
    complete: bool


def of_named(sights: Sequence[Sight], targets: Sequence[str]) -> Selection:
    """The selection of runs named one by one.

    Raises `UsageError` where acting would be more than was said: a part of a run, an ambiguous id, `targets` of a kind
    that is cancelled as a whole. Raises `CloudError` with `NOT_FOUND` when a target is in no run or a run has none.
    """
    for sight in sights:
        if sight.problem is not None and sight.problem.code is Reason.USAGE:
            raise UsageError(f"{sight.problem.message.removesuffix(_NOTHING)}{_NOTHING}")
        if sight.snapshot is not None and sight.snapshot.run.id != sight.reference.id:
            raise _part_of(sight, sight.snapshot)
    found = tuple({sight.snapshot.run.ref: sight.snapshot for sight in sights if sight.snapshot}.values())
    missing = tuple(failed(sight.reference.text, sight.problem) for sight in sights if sight.problem is not None)
    if targets and found:
        _check_targets(found, targets)
    return Selection(items=tuple(plan(one, _targets_in(one, targets)) for one in found), settled=missing)


def of_found(sights: Sequence[Sight], targets: Sequence[str]) -> Selection:
    """The selection of runs that a filter found: with `targets` only those that have one of them.

    A run that cannot be cancelled in part is a row of its own, `skipped`. Raises `CloudError` with `NOT_FOUND` when one
    of the targets is in no run.
    """
    found = [sight.snapshot for sight in sights if sight.snapshot is not None]
    missing = [failed(sight.reference.text, sight.problem) for sight in sights if sight.problem is not None]
    if targets:
        found = [one for one in found if _targets_in(one, targets)]
        _check_strangers(found, targets)
    whole = [one for one in found if targets and not _in_part(one)]
    return Selection(
        items=tuple(plan(one, _targets_in(one, targets)) for one in found if one not in whole),
        settled=(*missing, *(_not_in_part(one) for one in whole)),
    )


def of_plan(held: Sequence[PlanItem], sights: Sequence[Sight]) -> Selection:
    """The selection of a saved plan, no more than it holds: runs and targets that came later are left alone."""
    by_ref = {sight.snapshot.run.ref: sight.snapshot for sight in sights if sight.snapshot is not None}
    missing = [failed(sight.reference.text, sight.problem) for sight in sights if sight.problem is not None]
    items: list[PlanItem] = []
    notes: list[str] = []
    for item in held:
        if not item.ask or item.run not in by_ref:
            continue
        now, drift = _held(item, by_ref[item.run])
        items.append(structs.replace(now, parent=item.parent))
        notes += drift
    return Selection(items=tuple(items), settled=tuple(missing), notes=tuple(notes))


def with_children(chosen: Selection, started: Mapping[str, str], sights: Sequence[Sight]) -> Selection:
    """The selection and what its runs started, each under the run that did: `started` is `{child: parent}`."""
    found = [sight.snapshot for sight in sights if sight.snapshot is not None]
    missing = [
        structs.replace(failed(sight.reference.text, sight.problem), parent=started[sight.reference.text])
        for sight in sights
        if sight.problem is not None
    ]
    below = {one.run.ref: plan(one, parent=started[one.run.ref]) for one in found}
    items: list[PlanItem] = []
    for item in chosen.items:
        if item.run not in below:
            items += [_chased(item, below), *(child for child in below.values() if child.parent == item.run)]
    return structs.replace(chosen, items=tuple(items), settled=(*chosen.settled, *missing))


def read_list(text: str, name: str) -> Listed:
    """References out of a file: one a line, the first column of `-o tsv`, or the lines of `-o jsonl`.

    Raises `UsageError` with the line's number; nothing is taken from a file with one bad line.
    """
    found: dict[str, Reference] = {}
    complete: bool | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.split("\t", 1)[0].strip()
        if not word or word.startswith("#") or (word == "ref" and not found):
            continue
        try:
            if not word.startswith("{"):
                found.setdefault(word, refs.parse(word))
                continue
            entry = _json(line)
            complete = bool(complete)
            if entry.get("type") == "run":
                found.setdefault(str(entry.get("ref")), refs.parse(str(entry.get("ref"))))
            elif entry.get("type") == "end":
                complete = entry.get("complete") is True
        except UsageError as error:
            raise UsageError(f"{name}, line {number}: {error.message}", hint=error.hint) from None
    return Listed(references=tuple(found.values()), complete=complete is not False)


class SavedPlan(Struct, frozen=True, kw_only=True):
    """What `--plan` needs of the document that `cancel --dry-run -o json` wrote."""

    format_version: str
    verb: str
    plan: tuple[PlanItem, ...]
    expires_at: datetime | None
    identities: tuple["SavedCaller", ...] = ()
    complete: bool


class SavedCaller(Struct, frozen=True, kw_only=True):
    """Who made the plan, per scope."""

    scope: str
    account: str | None
    principal: str | None


def read_plan(text: str, name: str, *, now: datetime) -> SavedPlan:
    """A saved plan. Raises `UsageError` for what is none, `Refused` for another major version or an expired one."""
    entry = _json(text, name)
    version = str(entry.get("format_version"))
    if version.partition(".")[0] != "1":
        raise Refused(f"{name} has format version {version}; this program takes version 1; nothing was sent")
    try:
        saved = msgspec.convert(entry, SavedPlan)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the second: half a surrogate pair
        raise UsageError(
            f"{name} is no plan: {error}; nothing was sent",
            hint="a plan is what `runcancel cancel … --dry-run -o json` writes",
        ) from None
    if saved.expires_at is None or saved.expires_at <= now:
        raise Refused(
            f"{name} has expired; nothing was sent", hint="make it again: runcancel cancel … --dry-run -o json"
        )
    return saved


def check_identities(saved: Iterable[SavedCaller], current: Mapping[str, str | None]) -> None:
    """Raise `Refused` when somebody else made the plan; `current` is the principal per scope, None where unknown."""
    for caller in saved:
        principal = current.get(caller.scope)
        if caller.principal is not None and caller.scope in current and principal != caller.principal:
            raise Refused(
                f"the plan was made as {caller.principal}, and this is {principal or 'somebody unknown'} "
                f"in {caller.scope}; nothing was sent"
            )


def _chased(item: PlanItem, below: Mapping[str, PlanItem]) -> PlanItem:
    """What a run started is asked as well: it ends as that does, which the guarantee of the run tells nothing about."""
    rows = (
        structs.replace(one, expected=Effect.UNKNOWN) if one.child in below and not one.before.over else one
        for one in item.invocations
    )
    return structs.replace(item, invocations=tuple(rows))


def _held(item: PlanItem, snapshot: Snapshot) -> tuple[PlanItem, tuple[str, ...]]:
    planned = {one.id for one in item.invocations}
    added = [one for one in snapshot.invocations if one.id not in planned and not item.targets]
    targets = item.targets
    notes: list[str] = []
    if added and planned and _in_part(snapshot):
        targets = tuple(one.target for one in item.invocations if one.target is not None)
        notes.append(f"{item.run}: {len(added)} targets came after the plan and are left alone")
    elif added and planned:
        notes.append(f"{item.run}: {len(added)} targets came after the plan; this kind is cancelled as a whole")
    now = plan(snapshot, targets)
    if not now.ask:
        notes.append(f"{item.run}: {now.why}")
    return now, tuple(notes)


def _check_targets(found: Sequence[Snapshot], targets: Sequence[str]) -> None:
    whole = next((one.run.ref for one in found if not _in_part(one)), None)
    if whole is not None:
        raise UsageError(
            f"{whole} cannot be cancelled in part: its cloud takes the whole run or nothing; nothing was sent",
            hint="without --target the whole run is cancelled",
        )
    _check_strangers(found, targets)
    without = next((one.run.ref for one in found if not _targets_in(one, targets)), None)
    if without is not None:
        raise CloudError(Reason.NOT_FOUND, f"{without} has none of the targets named; nothing was sent")


def _check_strangers(found: Sequence[Snapshot], targets: Sequence[str]) -> None:
    strangers = [target for target in targets if not any(_targets_in(one, (target,)) for one in found)]
    if strangers:
        raise CloudError(Reason.NOT_FOUND, f"no run here has the target {', '.join(strangers)}; nothing was sent")


def _targets_in(snapshot: Snapshot, targets: Sequence[str]) -> tuple[str, ...]:
    there = {one.target for one in snapshot.invocations}
    return tuple(target for target in targets if target in there)


def _in_part(snapshot: Snapshot) -> bool:
    return kind_of(refs.full(snapshot.run.ref)).in_part


def _not_in_part(snapshot: Snapshot) -> Outcome:
    problem = Problem(
        code=Reason.NOT_CANCELLABLE,
        message="has the target and cannot be cancelled in part; nothing was sent for it",
        hint=f"to cancel it as a whole: runcancel cancel {snapshot.run.ref}",
        ref=snapshot.run.ref,
    )
    return structs.replace(
        failed(snapshot.run.ref, problem),
        verdict=Verdict.SKIPPED,
        name=snapshot.run.name,
        guarantee=snapshot.run.guarantee,
        before=snapshot.run.state,
    )


def _part_of(sight: Sight, snapshot: Snapshot) -> UsageError:
    run, part = snapshot.run.ref, sight.reference.id
    target = next((one.target for one in snapshot.invocations if one.id == part and one.target), None)
    only = f"it alone: runcancel cancel {run} --target {target}" if target else f"the whole run: runcancel cancel {run}"
    return UsageError(f"{part} is a part of {run}, not a run; nothing was sent", hint=f"to cancel {only}")


def _json(text: str, name: str = "this") -> dict[str, Any]:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is no JSON; nothing was sent") from None
    if not isinstance(entry, dict):
        raise UsageError(f"{name} is no JSON object; nothing was sent")
    return entry
