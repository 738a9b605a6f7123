"""From the options of `cancel` to the runs it is about: named, found, listed in a file, held by a plan, left over."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from runcancel import environment
from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.files import called
from runcancel.cli.support.named import of_operation, read_file, text_of_input
from runcancel.cli.support.pick import pick
from runcancel.cli.support.searched import coverage
from runcancel.config import settings
from runcancel.config.references import full, parse, parse_all
from runcancel.engine import selection
from runcancel.engine.lookup import LookupResult
from runcancel.engine.planning import children, unseen
from runcancel.engine.search import born, search, split_gaps
from runcancel.engine.selection import SavedCaller, Selection
from runcancel.errors import Searched, UsageError
from runcancel.model.outcomes import Intent, Outcome, PlanItem
from runcancel.model.runs import Problem, Query, Scope, Snapshot
from runcancel.model.states import Reason

_BARE = "{} contains only references; whether the list is complete is unknown (-o jsonl shows it)"


class SelectionRequest(Struct, frozen=True, kw_only=True):
    """Where a cancel is to take its runs from; exactly one of the first seven is given. `by_hand`: typed as such."""

    refs: tuple[str, ...] = ()
    query: Query | None = None
    file: str | None = None
    operation: str | None = None
    plan: str | None = None
    left_over: tuple[PlanItem, ...] | None = None
    sent: frozenset[str] = frozenset()  # runs of those left over whose cancel was sent before
    pick: bool = False  # a person chooses from a list
    targets: tuple[str, ...] = ()
    stop_running: bool = False
    allow_incomplete: bool = False
    by_hand: bool = True


class Chosen(Struct, frozen=True, kw_only=True):
    """A selection and how it came about. `by_hand` is true for runs named one by one, which need no consent."""

    selection: Selection
    by_hand: bool
    gaps: tuple[Problem, ...] = ()
    answered: bool = True  # whether any scope answered the search, if there was one
    notes: tuple[str, ...] = ()
    planned_by: tuple[SavedCaller, ...] = ()
    coverage: tuple[str, ...] = ()  # of a search that found nothing, for a person
    from_stdin: bool = False

    def beside(self, known: Sequence[Outcome]) -> "Chosen":
        """The same with outcomes that were known before."""
        decided = (*known, *self.selection.decided)
        return structs.replace(self, selection=structs.replace(self.selection, decided=decided))

    @property
    def searched(self) -> Searched:
        """How the search ended, for the exit code."""
        return Searched(gaps=tuple(gap.code for gap in self.gaps), answered=self.answered)


def selection_request(
    refs: Sequence[str],
    query: Query | None,
    file: str | None,
    operation: str | None,
    plan: str | None,
    target: Sequence[str] | None,
    *,
    left_over: Sequence[PlanItem] | None,
    stop_running: bool,
    allow_incomplete: bool,
    why_not_pick: str,
) -> SelectionRequest:
    """Where the runs come from. Raises `UsageError` for more than one place, or none and nobody to choose."""
    ways = {
        "references": bool(refs),
        "filters": query is not None,
        "--from": file is not None,
        "--operation": operation is not None,
        "--plan": plan is not None,
        "--resume": left_over is not None,
    }
    used = [way for way, given in ways.items() if given]
    targets = options.targets(target)
    if not used and why_not_pick:
        raise UsageError(
            f"no run was selected, and there is no terminal to choose on ({why_not_pick}); nothing was sent",
            hint="name runs, or add a filter: runcancel cancel --name patch-openssl -n",
        )
    if len(used) > 1:
        raise UsageError(f"{' and '.join(used)} cannot be used together; nothing was sent")
    held = plan is not None or left_over is not None
    if held and (targets or stop_running):
        more = "--target" if targets else "--stop-running"
        raise UsageError(f"{used[0]} already lists every cancel: {more} cannot be used with it; nothing was sent")
    return SelectionRequest(
        refs=tuple(refs),
        query=query,
        file=None if file is None else environment.plain_file("--from", file),
        operation=operation,
        plan=None if plan is None else environment.plain_file("--plan", plan),
        left_over=None if left_over is None else tuple(left_over),
        pick=not used,
        targets=targets,
        stop_running=stop_running,
        allow_incomplete=allow_incomplete,
    )


def choose(session: Session, request: SelectionRequest) -> Chosen:
    """Find and read the runs. Raises `UsageError`, `Refused` or `CloudError`; writes nothing to any cloud."""
    chosen = _chosen(session, request)
    return _with_children(session, chosen) if request.stop_running else chosen


def _chosen(session: Session, request: SelectionRequest) -> Chosen:
    if request.pick:
        return _picked(session, request.targets)
    if request.query is not None:
        return _found(session, request.query, request.targets)
    if request.file is not None or request.operation is not None:
        return _listed(session, request)
    if request.plan is not None:
        return _saved(session, request.plan)
    if request.left_over is not None:
        return Chosen(selection=_resumed(session, request.left_over, request.sent), by_hand=request.by_hand)
    results = session.look(request.refs, full=True)
    return Chosen(selection=_named(results, request.targets, blindly=request.by_hand), by_hand=request.by_hand)


def _named(results: Sequence[LookupResult], targets: Sequence[str], *, blindly: bool) -> Selection:
    """The selection of runs named one by one. `blindly`: with those that could not be read, unless targets are."""
    blind = [result for result in results if blindly and not targets and result.unseen is not None]
    chosen = selection.of_named([result for result in results if result not in blind], targets)
    items = {item.run: item for item in chosen.items}
    for result in blind:
        if result.unseen is not None and result.problem is not None:
            items.setdefault(str(result.unseen), unseen(result.unseen, result.problem.message))
    return structs.replace(chosen, items=tuple(items.values()))


def _resumed(session: Session, left: Sequence[PlanItem], sent: frozenset[str]) -> Selection:
    """What an operation left: runs of its plan, and references that it had not read."""
    unread = [item for item in left if not item.read]
    places = {item.run: _places(item) for item in unread}
    results = session.look_at(parse_all(item.run for item in left if item.ask), places=places)
    of_plan = [result for result in results if result.reference.text not in places]
    planned = selection.of_plan([item for item in left if item.read], of_plan, sent=sent)
    named = _named([result for result in results if result.reference.text in places], (), blindly=True)
    known = {item.run for item in planned.items}
    return Selection(
        items=(*planned.items, *(item for item in named.items if item.run not in known)),
        decided=(*planned.decided, *named.decided),
        notes=planned.notes,
    )


def _places(item: PlanItem) -> tuple[Scope, ...]:
    named = item.places if isinstance(item, Intent) else (item.run,)
    return tuple(dict.fromkeys(full(place).scope for place in named))


def _picked(session: Session, targets: Sequence[str]) -> Chosen:
    found = _searched(session, Query(states=options.states(None)))
    refs = pick(session, [one.run for one in found.runs if one.run.cancellable], found.gaps)
    chosen = selection.of_named(session.look(refs, full=True), targets) if refs else Selection(items=())
    return found.chosen(chosen)


def _found(session: Session, query: Query, targets: Sequence[str]) -> Chosen:
    found = _searched(session, query)
    chosen = selection.of_found(_seen(session, found.runs), targets) if found.runs else Selection(items=())
    return found.chosen(chosen)


class _Found(Struct, frozen=True, kw_only=True):
    """What is found, newest first as `list` shows it, what did not answer, whether anything did, and notes."""

    runs: tuple[Snapshot, ...]
    gaps: tuple[Problem, ...]
    answered: bool
    notes: tuple[str, ...]
    coverage: tuple[str, ...]

    def chosen(self, selected: Selection) -> Chosen:
        """What was chosen of it."""
        return Chosen(
            selection=selected,
            by_hand=False,
            gaps=self.gaps,
            answered=self.answered,
            notes=self.notes,
            coverage=self.coverage,
        )


def _seen(session: Session, found: Sequence[Snapshot]) -> list[LookupResult]:
    """What stands under each run; those that the listing told whole are not read again."""
    of = {parse(one.run.ref): one for one in found}
    read = {result.reference: result for result in session.look_at([one for one, told in of.items() if not told.whole])}
    return [read.get(reference) or LookupResult(reference=reference, snapshot=told) for reference, told in of.items()]


def _searched(session: Session, query: Query) -> _Found:
    """Search every scope. Raises `UsageError` for a scope that must not be asked."""
    scopes = session.scopes(kinds=query.kinds)
    answering: set[Scope] = set()
    answers = list(
        search(scopes, query, session.clouds, session.workers, answering=answering, within=session.read_within)
    )
    unanswered = (answer for answer in answers if isinstance(answer, Problem))
    gaps = (*settings.unusable(session.settings), *unanswered)
    real, notes = split_gaps(gaps, scopes)
    wrong = next((gap for gap in real if gap.code is Reason.USAGE), None)
    if wrong is not None:  # an endpoint that must not be used: nobody meant the rest of the fleet alone
        raise UsageError(f"{wrong.scope}: {wrong.message}", hint=wrong.hint)
    found = sorted((one for one in answers if isinstance(one, Snapshot)), key=lambda one: born(one.run), reverse=True)
    covered = () if found else coverage(session, scopes, gaps, query)
    return _Found(runs=tuple(found), gaps=real, answered=bool(answering), notes=notes, coverage=covered)


def _with_children(session: Session, chosen: Chosen) -> Chosen:
    """What the chosen runs started and a cancel of them would leave running, too."""
    started = children(chosen.selection.items)
    if not started:
        notes = (*chosen.notes, "--stop-running has no effect: no running task started another run")
        return structs.replace(chosen, notes=notes)
    results = session.look_at([parse(child) for child in started])
    return structs.replace(chosen, selection=selection.with_children(chosen.selection, started, results))


def _listed(session: Session, request: SelectionRequest) -> Chosen:
    """The runs of a list in a file, or those of an earlier operation."""
    notes: tuple[str, ...] = ()
    if request.file is not None:
        listed = read_file(session, request.file, allow_incomplete=request.allow_incomplete)
        references = listed.references
        notes = (_BARE.format(called(request.file)),) if listed.bare else ()
    else:
        references = of_operation(session, request.operation or "")
    found = selection.of_found(session.look_at(references), request.targets)
    return Chosen(selection=found, by_hand=False, from_stdin=request.file == "-", notes=notes)


def _saved(session: Session, name: str) -> Chosen:
    saved = selection.read_plan(text_of_input(session, name), called(name), now=datetime.now(UTC))
    return Chosen(
        selection=selection.of_plan(saved.plan, _look(session, saved.plan)),
        by_hand=False,
        planned_by=saved.identities,
        from_stdin=name == "-",
    )


def looked_again(session: Session, chosen: Chosen) -> Chosen:
    """The same selection after a person has answered, which takes its time: what joined meanwhile is left alone."""
    again = selection.renewed(chosen.selection, _look(session, chosen.selection.items))
    return structs.replace(chosen, selection=again)


def _look(session: Session, held: Sequence[PlanItem]) -> list[LookupResult]:
    return session.look_at([parse(item.run) for item in held if item.ask])
