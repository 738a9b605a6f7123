"""What a plan rests on and how a dry run ends, of runs and of triggers alike."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from runcancel.cli.session import Session
from runcancel.cli.support.admission import callers_of
from runcancel.cli.support.source import RunChoice
from runcancel.engine.saved import check_identities
from runcancel.errors import exit_of_plan
from runcancel.model.states import Reason
from runcancel.render import Caller, End
from runcancel.render.documents import Record

PLAN_LIVES = timedelta(hours=1)


def callers_of_plan(session: Session, choice: RunChoice, *, required: bool) -> tuple[Caller, ...]:
    """The caller's identity in each scope, if it is needed. Raises `Refused` if another user made the plan."""
    identities = callers_of(session, choice.selection.items) if required else ()
    if choice.planned_by:
        check_identities(choice.planned_by, {caller.scope: caller.principal for caller in identities})
    return identities


def show_plan(
    session: Session,
    name: str,
    rows: Iterable[Record],
    choice: RunChoice,
    callers: tuple[Caller, ...],
    *,
    remarks: tuple[str, ...] = (),
    later: str,
    require_match: bool,
    further: Callable[[], tuple[str, ...]] | None = None,
) -> int:
    """Write a plan, which is the document `name`; the exit code. `later`: the note on how to carry it out.

    `further` are notes that are looked up once the plan is printed. What a filter matches and nothing can change is a
    row, and the plan is complete without it.
    """
    complete_plan = choice.whole is None  # a part of a plan is none: the limits are of the whole
    now = datetime.now(UTC).replace(microsecond=0)
    answer = session.writer(name)
    for row in rows:
        answer.row(row)
    refusals = tuple(outcome.error for outcome in choice.selection.decided if outcome.error is not None)
    lacking = tuple(one for one in refusals if choice.by_hand or one.code is not Reason.NOT_CANCELLABLE)
    code = exit_of_plan(
        (problem.code for problem in lacking),
        choice.searched,
        planned=bool(choice.selection.items),
        require_match=require_match,
    )
    notes = (*choice.notes, *choice.selection.notes, *choice.coverage, *remarks, "Dry run: nothing was sent")
    answer.end(
        End(
            exit_code=code,
            errors=(*choice.gaps, *refusals),
            complete=not (choice.gaps or lacking),
            identities=callers,
            created_at=now if complete_plan else None,
            expires_at=now + PLAN_LIVES if complete_plan else None,
            further=further,
            notes=(*notes, *(session.suggest(later) if complete_plan and choice.selection.items else ())),
        )
    )
    return code
