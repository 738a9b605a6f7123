"""The runs of a cancel: named, found by a filter, listed, or from a plan; and whether a plan still fits."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, structs

from runcancel.config.references import Reference
from runcancel.engine.lookup import LookupResult
from runcancel.engine.planning import plan
from runcancel.engine.verdict import failed, selected, vanished
from runcancel.errors import CloudError, UsageError
from runcancel.model.outcomes import Outcome, PlanItem, PlannedInvocation
from runcancel.model.runs import Invocation, Problem, Ref, RunName, Snapshot
from runcancel.model.states import Effect, Fact, Reason, State, Verdict
from runcancel.providers import kind_of
from runcancel.text import command

_NOTHING = "; nothing was sent"

NOT_SEARCHED: Mapping[Reference, Fact] = {}
"""Nothing was found by a search, or the search was for no name."""


class Selection(Struct, frozen=True, kw_only=True):
    """The runs of a cancel. `decided` are known outcomes: runs that could not be read or cannot be cancelled."""

    items: tuple[PlanItem, ...]
    decided: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()


def of_named(results: Sequence[LookupResult], targets: Sequence[str]) -> Selection:
    """The selection of runs named one by one. Raises what `_snapshots` raises.

    Raises `UsageError` for `targets` of a kind that is cancelled as a whole, and `CloudError` with `NOT_FOUND` when a
    target is in no run or a run has none.
    """
    snapshots = tuple(_snapshots(results).values())
    if targets and snapshots:
        _check_targets(snapshots, targets)
    return Selection(items=tuple(plan(one, _targets_in(one, targets)) for one in snapshots), decided=_missing(results))


def of_found(
    results: Sequence[LookupResult], targets: Sequence[str], matched: Mapping[Reference, Fact] = NOT_SEARCHED
) -> Selection:
    """The selection of runs that a filter or a list names: with `targets` only those that have one of them.

    `matched`: through which fact a search found a run.
    A run that cannot be cancelled in part is a row of its own, `skipped`. Raises what `_snapshots` raises, and
    `CloudError` with `NOT_FOUND` when one of the targets is in no run.
    """
    snapshots = list(_snapshots(results).values())
    facts = {one.snapshot.run.ref: matched.get(one.reference.meaning) for one in results if one.snapshot is not None}
    if targets:
        snapshots = [one for one in snapshots if _targets_in(one, targets)]
        _check_strangers(snapshots, targets)
    whole = [one for one in snapshots if targets and not _in_part(one)]
    part = [one for one in snapshots if not targets or _in_part(one)]
    return Selection(
        items=tuple(
            structs.replace(plan(one, _targets_in(one, targets)), matched_by=facts[one.run.ref]) for one in part
        ),
        decided=(*_missing(results), *(_not_in_part(one) for one in whole)),
    )


def of_plan(
    saved: Sequence[PlanItem], results: Sequence[LookupResult], *, already_sent: Collection[Ref] = ()
) -> Selection:
    """The selection of a plan, no more and no less than it holds. Raises what `_snapshots` raises.

    Runs that joined since are left alone, and so are targets where the cloud takes a part of a run. `already_sent`: the
    runs whose cancel was sent before. One that needs no other cancel is judged against the states before that cancel.
    """
    by_ref = _snapshots(results)
    items: list[PlanItem] = []
    decided = list(_missing(results))
    notes: list[str] = []
    for item in saved:
        if not item.ask or item.run not in by_ref:
            continue
        snapshot = by_ref[item.run]
        if _grew_from_nothing(item, snapshot):
            decided.append(_all_joined(item, snapshot))
            continue
        now, drift = _renewed(item, snapshot)
        if not now.ask and item.run in already_sent and not _unread(item):
            now = structs.replace(item, ask=False, why=now.why)
        items.append(structs.replace(now, parent=item.parent, matched_by=item.matched_by))
        notes += drift
    return Selection(items=tuple(items), decided=tuple(decided), notes=tuple(notes))


def renewed(selection: Selection, results: Sequence[LookupResult]) -> Selection:
    """The selection as a reading just before sending shows it, no more than was planned.

    A run that could not be read again is cancelled as it was planned. Raises what `_snapshots` raises.
    """
    read = [result for result in results if result.snapshot is not None]
    again = of_plan(selection.items, read)
    now = {item.run: item for item in again.items}
    left_alone = {outcome.run for outcome in again.decided}
    return Selection(
        items=tuple(now.get(item.run, item) for item in selection.items if item.run not in left_alone),
        decided=(*selection.decided, *again.decided),
        notes=again.notes,
    )


def with_children(selection: Selection, started: Mapping[Ref, Ref], results: Sequence[LookupResult]) -> Selection:
    """The selection and what its runs started, each under the run that did: `started` is `{child: parent}`."""
    snapshots = [result.snapshot for result in results if result.snapshot is not None]
    parents: Mapping[RunName, Ref] = dict(started.items())
    missing = [
        structs.replace(failed(result.reference.name, result.problem), parent=parents[result.reference.name])
        for result in results
        if result.problem is not None
    ]
    below = {one.run.ref: plan(one, parent=started[one.run.ref]) for one in snapshots}
    under: dict[Ref, list[PlanItem]] = {}
    for child in below.values():
        under.setdefault(started[child.run], []).append(child)
    items: list[PlanItem] = []
    for item in selection.items:
        if item.run not in below:
            items += [_chased(item, below), *under.get(item.run, ())]
    return structs.replace(selection, items=tuple(items), decided=(*selection.decided, *missing))


def _chased(item: PlanItem, below: Mapping[Ref, PlanItem]) -> PlanItem:
    """A plan item whose child runs are cancelled too. Their effect is unknown: the guarantee is the parent's."""
    rows = (
        structs.replace(one, expected=Effect.UNKNOWN) if one.child in below and not one.before.over else one
        for one in item.invocations
    )
    return structs.replace(item, invocations=tuple(rows))


def _renewed(item: PlanItem, snapshot: Snapshot) -> tuple[PlanItem, tuple[str, ...]]:
    """The plan of a run now, and what joined it since.

    The planned ids are sent only where they are all that was planned and all that is there: a part would let the rest
    of a script go on that its cloud counts and does not list.
    """
    joined = () if item.targets else _joined(item, snapshot)
    targets, notes = item.targets, []
    if joined and _lists_all(item, snapshot) and _in_part(snapshot):
        targets = tuple(dict.fromkeys(one.target for one in item.invocations if one.target is not None))
        notes.append(f"{item.run}: {_targets(len(joined))} joined after the plan and will not be cancelled")
    elif (more := len(joined) - item.not_listed) > 0 and not _unread(item):
        notes.append(f"{item.run}: {_targets(more)} joined after the plan; the whole run is cancelled")
    now = plan(snapshot, targets)
    if not now.ask:
        notes.append(f"{item.run}: {now.why}")
    missing = _no_longer_listed(item, snapshot)
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        notes.append(f"{item.run}: {_targets(len(missing))} of the plan {verb} not listed any more")
    return structs.replace(now, invocations=(*now.invocations, *missing)), tuple(notes)


def _no_longer_listed(item: PlanItem, snapshot: Snapshot) -> tuple[PlannedInvocation, ...]:
    """What the plan shows open and the cloud does not list any more: it stays in the plan, and is not confirmed."""
    there = {one.target for one in snapshot.invocations if one.target is not None}
    invocations = selected(snapshot.invocations, item.targets)
    return tuple(one for one in vanished(item, invocations) if not one.before.over and one.target not in there)


def _joined(item: PlanItem, snapshot: Snapshot) -> tuple[Invocation, ...]:
    """The invocations that the plan lacks. A target that runs again, in an invocation of another id, is no new one."""
    names = {one.id for one in item.invocations} | {one.target for one in item.invocations if one.target is not None}
    return tuple(one for one in snapshot.invocations if one.id not in names and one.target not in names)


def _lists_all(item: PlanItem, snapshot: Snapshot) -> bool:
    """Whether neither the plan nor the reading counts targets that it does not list."""
    return not item.not_listed and not snapshot.run.not_listed and any(one.target for one in item.invocations)


def _grew_from_nothing(item: PlanItem, snapshot: Snapshot) -> bool:
    """Whether the plan showed that a run has no target, and all that there are have joined since."""
    shown = item.targets or item.invocations or item.not_listed
    there = bool(snapshot.invocations or snapshot.run.not_listed) and not snapshot.run.state.over
    return not shown and not _unread(item) and there and _in_part(snapshot)


def _unread(item: PlanItem) -> bool:
    """Whether a run was planned without a reading. It is then cancelled as a whole."""
    return item.state is State.UNKNOWN and not item.counts and not item.invocations


def _all_joined(item: PlanItem, snapshot: Snapshot) -> Outcome:
    there = len(snapshot.invocations) + snapshot.run.not_listed
    problem = Problem(
        code=Reason.REFUSED,
        message=f"the plan lists no target of it, but {_targets(there)} joined since; nothing was sent for it",
        hint="To create the plan again: " + command("cancel", item.run, "--dry-run", "-o", "json"),
        ref=item.run,
    )
    return _left_alone(snapshot, problem)


def _targets(count: int) -> str:
    return f"{count} target{'' if count == 1 else 's'}"


def _snapshots(results: Iterable[LookupResult]) -> dict[Ref, Snapshot]:
    """What was read, once for each run however often and in whatever spelling it is named, by its reference.

    Raises `UsageError` where acting would be more than was said: a part of a run, an id that is found twice.
    """
    by_run: dict[Ref, Snapshot] = {}
    for result in results:
        if result.problem is not None and result.problem.code is Reason.USAGE:
            raise UsageError(f"{result.problem.message.removesuffix(_NOTHING)}{_NOTHING}")
        if result.snapshot is None:
            continue
        if result.snapshot.run.id != result.reference.id:
            raise _part_of(result, result.snapshot)
        by_run.setdefault(result.snapshot.run.ref, result.snapshot)
    return by_run


def _missing(results: Iterable[LookupResult]) -> tuple[Outcome, ...]:
    """A row for each reference under which nothing could be read, once for spellings of one."""
    by_reference: dict[Reference, Outcome] = {}
    for result in results:
        if result.problem is not None:
            by_reference.setdefault(result.reference.meaning, failed(result.reference.name, result.problem))
    return tuple(by_reference.values())


def _check_targets(snapshots: Sequence[Snapshot], targets: Sequence[str]) -> None:
    whole = next((one.run.ref for one in snapshots if not _in_part(one)), None)
    if whole is not None:
        raise whole_only(whole)
    _check_strangers(snapshots, targets)
    without = next((one.run.ref for one in snapshots if not _targets_in(one, targets)), None)
    if without is not None:
        raise CloudError(Reason.NOT_FOUND, f"{without} has none of these targets; nothing was sent")


def whole_only(run: Ref) -> UsageError:
    """What is wrong with targets of a run that is cancelled as a whole."""
    return UsageError(
        f"{run} cannot be cancelled in part: its cloud cancels only whole runs; nothing was sent",
        hint="To cancel the whole run: leave out --target",
    )


def _check_strangers(snapshots: Sequence[Snapshot], targets: Sequence[str]) -> None:
    there = {invocation.target for one in snapshots for invocation in one.invocations}
    strangers = [target for target in targets if target not in there]
    if strangers:
        raise CloudError(Reason.NOT_FOUND, f"no selected run has the target {', '.join(strangers)}; nothing was sent")


def _targets_in(snapshot: Snapshot, targets: Sequence[str]) -> tuple[str, ...]:
    there = {one.target for one in snapshot.invocations}
    return tuple(target for target in targets if target in there)


def _in_part(snapshot: Snapshot) -> bool:
    return kind_of(snapshot.run.ref).in_part


def _not_in_part(snapshot: Snapshot) -> Outcome:
    problem = Problem(
        code=Reason.NOT_CANCELLABLE,
        message="it has the target but cannot be cancelled in part; nothing was sent for it",
        hint="To cancel the whole run: " + command("cancel", snapshot.run.ref),
        ref=snapshot.run.ref,
    )
    return _left_alone(snapshot, problem)


def _left_alone(snapshot: Snapshot, problem: Problem) -> Outcome:
    return structs.replace(
        failed(snapshot.run.ref, problem),
        verdict=Verdict.SKIPPED,
        name=snapshot.run.name,
        comment=snapshot.run.comment,
        document=snapshot.run.document,
        guarantee=snapshot.run.guarantee,
        before=snapshot.run.state,
    )


def _part_of(result: LookupResult, snapshot: Snapshot) -> UsageError:
    run, part = snapshot.run.ref, result.reference.id
    target = next((one.target for one in snapshot.invocations if one.id == part and one.target), None)
    alone = f"it alone: {command('cancel', run, '--target', target)}" if target else ""
    hint = f"to cancel {alone or 'the whole run: ' + command('cancel', run)}"
    return UsageError(f"{part} is part of {run}, not a run; nothing was sent", hint=hint)
