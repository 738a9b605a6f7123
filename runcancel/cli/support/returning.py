"""What started runs and when that starts them again: looked up when a cancel has its results, or on request."""

from collections.abc import Mapping, Sequence

from runcancel.cli.session import Session
from runcancel.errors import Interrupted
from runcancel.journal.recorder import Recorder
from runcancel.model.outcomes import MOST_RUNS, Outcome, PlanItem
from runcancel.model.runs import Problem, Ref, Run
from runcancel.model.triggers import Origin
from runcancel.providers import kind_of
from runcancel.render.screens.returning import after_cancel, cancelled, returns, without_trigger
from runcancel.text import command

_WITHIN = 3.0  # seconds for which the end of a cancel waits for it


def what_returns(
    session: Session, outcomes: Sequence[Outcome], operation: str | None, recorder: Recorder | None
) -> tuple[str, ...]:
    """What brings the cancelled runs back, in sentences. Their results are printed before: nothing waits for this but
    the exit, a few seconds at most. A signal ends it. It is recorded for the report.
    """
    runs = cancelled(outcomes)
    if not runs or session.quiet:
        return ()
    if len(runs) > MOST_RUNS:
        find = () if operation is None else (command("status", "--operation", operation, "--trigger"),)
        return tuple(f"Triggers: {one}" for one in find)
    session.workers.tick = lambda: None  # the cancel is over: what is slow here is not worth a line
    try:
        origins, problems = _origins_of(runs, session, within=_WITHIN)
    except Interrupted:
        return ()
    if recorder is not None:
        recorder.record_origins(origins)
    return (*after_cancel(origins, {one.run: one.verdict for one in outcomes}), *_unread(problems))


def plan_returns(session: Session, items: Sequence[PlanItem]) -> tuple[str, ...]:
    """What would bring back the runs of a plan that is only shown, in sentences. A signal ends it."""
    runs = {item.run: item.origin or Origin() for item in items if item.ask and item.parent is None}
    if not runs or session.quiet or len(runs) > MOST_RUNS:
        return ()
    session.workers.tick = lambda: None  # the plan is printed
    try:
        origins, problems = _origins_of(runs, session, within=_WITHIN)
    except Interrupted:
        return ()
    return (*returns(origins), *_unread(problems))


def with_triggers(session: Session, runs: Mapping[Ref, Run]) -> tuple[dict[Ref, Run], tuple[str, ...]]:
    """The runs with what started them, and that in sentences. Raises `Interrupted`."""
    origins_read = {ref: Origin.of(run) for ref, run in runs.items()}
    origins, problems = _origins_of(origins_read, session)
    enriched = {ref: origins[ref].put_into(run) for ref, run in runs.items()}
    return enriched, (*returns(origins), *without_trigger(origins), *_unread(problems))


def _origins_of(
    runs: Mapping[Ref, Origin], session: Session, *, within: float | None = None
) -> tuple[Mapping[Ref, Origin], tuple[Problem, ...]]:
    """See `origins_of`. The search is loaded only where a reading leaves something open."""
    if all(origin.is_settled(scanned=kind_of(ref).scanned) for ref, origin in runs.items()):
        return runs, ()
    from runcancel.engine.trigger_search import origins_of

    return origins_of(runs, session.clouds, session.workers, within=within)


def _unread(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(f"note: {problem.scope}: its triggers could not be read: {problem.message}" for problem in problems)
