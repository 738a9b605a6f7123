"""From the source of a cancel to its runs: they are found and read, nothing is sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.files import called
from runcancel.cli.support.named import of_operation, read_file, text_of_input
from runcancel.cli.support.source import (
    Filtered,
    Listed,
    Named,
    Past,
    Picked,
    RunChoice,
    Saved,
    SelectionRequest,
    empty_shard,
)
from runcancel.config.references import Reference, as_written, unique
from runcancel.engine import selection
from runcancel.engine.lookup import LookupResult
from runcancel.engine.planning import children, unseen
from runcancel.engine.saved import read_plan
from runcancel.engine.selection import Selection
from runcancel.errors import UsageError
from runcancel.guards.limits import NO_LIMITS
from runcancel.model.outcomes import Intent, LeftOver, Limits, PlanItem, Shard
from runcancel.model.queries import Query
from runcancel.model.runs import Problem, Run, Scope, Snapshot
from runcancel.model.states import Fact, Reason
from runcancel.model.triggers import Origin

_BARE = "{} contains only references; whether the list is complete is unknown (-o jsonl shows it)"


def choose(session: Session, request: SelectionRequest, limits: Limits = NO_LIMITS) -> RunChoice:
    """Find and read the runs. Raises `UsageError`, `Refused` or `CloudError`; writes nothing to any cloud.

    A person who picks more than `limits` allow can raise them on the spot.
    """
    match request.source:
        case Named(refs=refs):
            named_runs = _select_named(session.look_up_texts(refs, full=True), request.targets, blindly=request.by_hand)
            choice = RunChoice(selection=named_runs, by_hand=request.by_hand)
        case Filtered(query=query):
            choice = _select_matches(session, query, request.targets)
        case Listed(file=file, incomplete=incomplete):
            choice = _listed(session, file, request.targets, incomplete=incomplete)
        case Past(operation=operation):
            choice = _of_list(session, of_operation(session, operation), request.targets)
        case Saved(file=file, shard=shard):
            choice = _saved(session, file, shard)
        case LeftOver() as left:
            choice = RunChoice(selection=_resumed(session, left), by_hand=request.by_hand, notes=_hold_is_over(left))
        case Picked():
            choice = _picked(session, request.targets, limits)
    return _with_children(session, choice) if request.stop_running else choice


def _select_named(results: Sequence[LookupResult], targets: Sequence[str], *, blindly: bool) -> Selection:
    """The selection of runs named one by one. `blindly`: with those that could not be read, unless targets are."""
    blind = [result for result in results if blindly and not targets and result.unseen is not None]
    readable = selection.of_named([result for result in results if result not in blind], targets)
    items = {item.run: item for item in readable.items}
    for result in blind:
        if result.unseen is not None and result.problem is not None:
            items.setdefault(result.unseen, unseen(result.unseen, result.problem.message))
    return structs.replace(readable, items=tuple(items.values()))


def _resumed(session: Session, operation: LeftOver) -> Selection:
    """What an operation left: runs of its plan, and references that it had not read."""
    open_items, sent_runs = operation.items, operation.requested
    read = [item for item in open_items if isinstance(item, PlanItem) and item.read]
    scopes_of = {item.run.text: _scopes(item) for item in open_items if not item.read}
    results = session.look_up(unique(as_written(item.run) for item in open_items if item.ask), scopes_of=scopes_of)
    of_plan = [result for result in results if result.reference.text not in scopes_of]
    planned = selection.of_plan(read, of_plan, already_sent=sent_runs)
    named_runs = _select_named([result for result in results if result.reference.text in scopes_of], (), blindly=True)
    planned_runs = {item.run for item in planned.items}
    return Selection(
        items=(*planned.items, *(item for item in named_runs.items if item.run not in planned_runs)),
        decided=(*operation.partial, *planned.decided, *named_runs.decided),
        notes=_unannounced(planned),
    )


def _hold_is_over(operation: LeftOver) -> tuple[str, ...]:
    """That a resume does not continue a hold: what starts now was not confirmed."""
    if operation.hold_until is None:
        return ()
    return (
        f"the hold of operation {operation.operation.id} is not continued: runs that started since are not cancelled. "
        "To hold again: a new cancel with --hold",
    )


def _unannounced(selection: Selection) -> tuple[str, ...]:
    """The notes without those that repeat why a run is not sent, which the plan shows."""
    shown = {f"{item.run}: {item.why}" for item in selection.items if not item.ask}
    return tuple(note for note in selection.notes if note not in shown)


def _scopes(item: PlanItem | Intent) -> tuple[Scope, ...]:
    candidates = item.candidates if isinstance(item, Intent) else (item.run,)
    return tuple(dict.fromkeys(candidate.scope for candidate in candidates))


def _picked(session: Session, targets: Sequence[str], limits: Limits) -> RunChoice:
    from runcancel.cli.support.pick import pick  # only for who chooses on a terminal

    result = _searched(session, Query(states=options.states(None)))
    runs = [one.run for one in result.runs if one.run.cancellable]
    fixed = session.settings.config.caps.max_runs
    picked = pick(session, runs, result.gaps, limits=limits, fixed=fixed)
    results = session.look_up([Reference.of(ref) for ref in picked.refs])
    choice = selection.of_named(results, targets) if results else Selection(items=())
    return structs.replace(result.choice(choice), max_runs=picked.max_runs)


def _select_matches(session: Session, query: Query, targets: Sequence[str]) -> RunChoice:
    result = _searched(session, query)
    facts = ((one.run.ref, one.run.matched_by) for one in result.runs)
    matched = {Reference.of(ref).meaning: fact for ref, fact in facts if fact is not None}
    readings = _results_of(session, result.runs)
    choice = selection.of_found(readings, targets, matched) if result.runs else Selection(items=())
    return result.choice(choice)


class _SearchResult(Struct, frozen=True, kw_only=True):
    """What is found, newest first as `list` shows it, what did not answer, whether anything did, and notes."""

    runs: tuple[Snapshot, ...]
    gaps: tuple[Problem, ...]
    replied: bool
    notes: tuple[str, ...]
    coverage: tuple[str, ...]
    scopes: tuple[Scope, ...]

    def choice(self, selected: Selection) -> RunChoice:
        """What was chosen of it."""
        return RunChoice(
            selection=selected,
            by_hand=False,
            gaps=self.gaps,
            replied=self.replied,
            notes=self.notes,
            coverage=self.coverage,
            scopes=self.scopes,
        )


def _results_of(session: Session, snapshots: Sequence[Snapshot]) -> list[LookupResult]:
    """The state of each run. A run with a complete listing is not read again."""
    of = {Reference.of(one.run.ref): one for one in snapshots}
    partly_read = [reference for reference, snapshot in of.items() if not snapshot.whole]
    results = [LookupResult(reference=reference, snapshot=snapshot) for reference, snapshot in of.items()]
    read = {result.reference: result for result in session.look_up(partly_read)}
    return [_with_trigger(read.get(result.reference, result), of[result.reference].run) for result in results]


def _with_trigger(result: LookupResult, listed: Run) -> LookupResult:
    """A reading with the trigger of the run, where only the listing names it."""
    snapshot = result.snapshot
    if snapshot is None or snapshot.run.trigger_known or not listed.trigger_known:
        return result
    run = Origin.of(listed).put_into(snapshot.run)
    return structs.replace(result, snapshot=structs.replace(snapshot, run=run))


def _searched(session: Session, query: Query) -> _SearchResult:
    """Search every scope. Raises `UsageError` for a scope that must not be searched."""
    from runcancel.cli.support.searched import coverage, scopes_to_search, unsearched  # a named run needs no search
    from runcancel.config.search_scopes import unusable
    from runcancel.engine.search import born, search, split_gaps

    scopes = scopes_to_search(session, kinds=query.kinds)
    unfindable = unsearched(scopes, query)
    answering: set[Scope] = set()
    within = session.read_within
    with session.search_count() as count:
        answers = list(
            search(scopes, query, session.clouds, session.workers, answering=answering, within=within, count=count)
        )
    unanswered = (answer for answer in answers if isinstance(answer, Problem))
    gaps = (*unusable(session.settings), *unanswered)
    real, notes = split_gaps(gaps, scopes)
    wrong = next((gap for gap in real if gap.code is Reason.USAGE), None)
    if wrong is not None:  # an endpoint that must not be used: nobody meant the rest of the fleet alone
        raise UsageError(f"{wrong.scope}: {wrong.message}", hint=wrong.hint)
    snapshots = sorted(
        (one for one in answers if isinstance(one, Snapshot)), key=lambda one: born(one.run), reverse=True
    )
    covered = () if snapshots else coverage(session, scopes, gaps, query, also="; nothing was sent")
    disabled = {gap.scope for gap in gaps} - {gap.scope for gap in real}
    return _SearchResult(
        runs=tuple(snapshots),
        gaps=real,
        replied=bool(answering),
        notes=(*unfindable, *notes),
        coverage=covered,
        scopes=tuple(scope for scope in scopes if str(scope) not in disabled),
    )


def _with_children(session: Session, choice: RunChoice) -> RunChoice:
    """What the chosen runs started and a cancel of them would leave running, too, and what that started in turn."""
    whole = choice.selection
    started = children(whole.items, stopped=True)
    while started:
        running = children(whole.items)
        results = [
            result
            for result in session.look_up([Reference.of(child) for child in started])
            if result.snapshot is None or result.snapshot.run.ref in running or not result.snapshot.run.ended
        ]
        whole = selection.with_children(whole, started, results)
        runs_there = {item.run for item in whole.items} | {outcome.run for outcome in whole.decided} | started.keys()
        started = {
            child: above for child, above in children(whole.items, stopped=True).items() if child not in runs_there
        }
    if whole == choice.selection:
        notes = (*choice.notes, "--stop-running has no effect: no running task started another run")
        return structs.replace(choice, notes=notes)
    return structs.replace(choice, selection=whole)


def _listed(session: Session, file: str, targets: Sequence[str], *, incomplete: bool) -> RunChoice:
    listed = read_file(session, file, allow_incomplete=incomplete)
    notes = (_BARE.format(called(file)),) if listed.bare else ()
    choice = _of_list(session, listed.references, targets, listed.matched)
    return structs.replace(choice, from_stdin=file == "-", notes=notes)


def _of_list(
    session: Session,
    references: Sequence[Reference],
    targets: Sequence[str],
    matched: Mapping[Reference, Fact] = selection.NOT_SEARCHED,
) -> RunChoice:
    return RunChoice(selection=selection.of_found(session.look_up(references), targets, matched), by_hand=False)


def _saved(session: Session, name: str, shard: Shard | None) -> RunChoice:
    saved = read_plan(text_of_input(session, name), called(name), now=datetime.now(UTC))
    items, triggers = saved.plan, tuple(one.trigger for one in saved.triggers if one.send)
    whole = None
    if shard is not None:
        from runcancel.cli.support.whole_plan import whole_plan

        whole = whole_plan(session, saved.plan, saved.triggers, saved.identities, shard)
        items, triggers = whole.part, tuple(item.run for item in whole.part_of_triggers)
    planned = selection.of_plan(items, _read_again(session, items))
    return RunChoice(
        selection=structs.replace(planned, notes=_unannounced(planned)),
        by_hand=False,
        planned_triggers=triggers,
        planned_by=saved.identities,
        coverage=() if whole is None or items or triggers else (empty_shard(whole.shard),),
        plan=saved.digest,
        whole=whole,
        from_stdin=name == "-",
    )


def looked_again(session: Session, choice: RunChoice) -> RunChoice:
    """The same selection after a person has answered, which takes its time: what joined meanwhile is left alone."""
    again = selection.renewed(choice.selection, _read_again(session, choice.selection.items))
    return structs.replace(choice, selection=again)


def _read_again(session: Session, items: Sequence[PlanItem]) -> list[LookupResult]:
    return session.look_up([Reference.of(item.run) for item in items if item.ask])
