"""The outcome of each run of an operation, also of one that was never judged; and of a run over several operations."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from runcancel.engine.tracker import not_asked
from runcancel.engine.verdict import failed, judge
from runcancel.journal.base import Entry
from runcancel.model.outcomes import CancelResponse, Intent, InvocationOutcome, Outcome
from runcancel.model.runs import Problem
from runcancel.model.states import Effect, Reason, RequestStatus, Verdict

_UNANSWERED = CancelResponse(
    status=RequestStatus.IN_DOUBT,
    problem=Problem(code=Reason.INTERRUPTED, message="no reply recorded; the cancel may or may not have been sent"),
)
_UNREAD = Problem(code=Reason.INTERRUPTED, message="interrupted before the run was read; nothing was sent for it")
_UNSEEN = Problem(code=Reason.INTERRUPTED, message="no result recorded")

_NOT_SENT = (Verdict.FAILED, Verdict.SKIPPED)
_OVER = (Verdict.STOPPED, Verdict.REPORTED, Verdict.ENDED)
_STOPS = (Effect.CANCELLED, Effect.TERMINATED)


def outcome_of(entry: Entry) -> Outcome:
    """The outcome of a run, or what follows from its plan and its answer for one that was never judged."""
    if entry.outcome is not None:
        return entry.outcome
    if isinstance(entry.item, Intent):
        return structs.replace(failed(entry.item.run, _UNREAD), verdict=Verdict.SKIPPED)
    answer = entry.answer or (_UNANSWERED if entry.item.ask else not_asked(entry.item))
    return judge(entry.item, answer, None, problem=_UNSEEN)


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of a run out of those of several operations, the oldest first.

    A later operation that sent nothing takes back nothing that an earlier one did, and one that found the run ended
    does not undo that it was stopped.
    """
    result = outcomes[0]
    for later in outcomes[1:]:
        result = _after(result, later)
    return result


def _after(earlier: Outcome, later: Outcome) -> Outcome:
    ids = tuple(dict.fromkeys((*earlier.request_ids, *later.request_ids)))
    if later.verdict in _NOT_SENT and earlier.verdict not in _NOT_SENT:
        return structs.replace(earlier, request_ids=ids)
    rows = _rows(earlier.invocations, later.invocations)
    return structs.replace(
        later,
        name=later.name or earlier.name,
        comment=later.comment or earlier.comment,
        document=later.document or earlier.document,
        verdict=_verdict(earlier, later, rows),
        before=earlier.before or later.before,
        request_ids=ids,
        invocations=rows,
        not_listed=later.not_listed or (earlier.not_listed if any(not one.id for one in rows) else 0),
        parent=later.parent or earlier.parent,
    )


def _verdict(earlier: Outcome, later: Outcome, rows: Sequence[InvocationOutcome]) -> Verdict:
    """The later verdict, unless that is about a part, or only shows that what was stopped before has ended."""
    if later.verdict not in _OVER:
        return later.verdict
    effects = {one.effect for one in rows}
    if Effect.KEPT_RUNNING in effects:
        return Verdict.PARTIAL
    if effects & {Effect.STOPPING, Effect.UNKNOWN}:
        return Verdict.REQUESTED
    stops = [one for one in rows if one.effect in _STOPS]
    if stops:
        return Verdict.STOPPED if all(one.confirmed for one in stops) else Verdict.REPORTED
    return earlier.verdict if earlier.verdict in (Verdict.STOPPED, Verdict.REPORTED) else later.verdict


def _rows(earlier: Sequence[InvocationOutcome], later: Sequence[InvocationOutcome]) -> tuple[InvocationOutcome, ...]:
    """The rows of both, each once. A row that stood for a task or for unlisted targets gives way to what was listed."""
    before: Mapping[tuple[str | None, str], InvocationOutcome] = {(one.task, one.id): one for one in earlier}
    there = {(one.task, one.id) for one in later}
    tasks = {one.task for one in later}
    is_part = len(later) < len(earlier)
    rows = (
        one
        for key, one in before.items()
        if key not in there and not (one.target is None and one.task in tasks and (one.id or not is_part))
    )
    return (*(_row(before.get((one.task, one.id)), one) for one in later), *rows)


def _row(earlier: InvocationOutcome | None, later: InvocationOutcome) -> InvocationOutcome:
    """The later row; what was stopped before and has ended since was stopped."""
    if earlier is None:
        return later
    if earlier.effect in _STOPS and later.effect is Effect.ALREADY_ENDED:
        return structs.replace(later, effect=earlier.effect, confirmed=earlier.confirmed, before=earlier.before)
    return structs.replace(later, before=earlier.before)
