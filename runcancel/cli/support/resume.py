"""What `cancel --resume` continues with: the runs of an operation whose end was not read."""

from collections.abc import Sequence

from msgspec import structs

from runcancel.cli.support.alive import other_process
from runcancel.cli.support.named import no_operation, whole_id
from runcancel.errors import JournalError, Refused, UsageError
from runcancel.journal.base import Entry
from runcancel.journal.store import JournalStore
from runcancel.model.events import Beside, HoldStarted, JournalEvent, SearchedAgain
from runcancel.model.outcomes import LeftOver, Outcome, PlanItem, Started
from runcancel.model.runs import Ref
from runcancel.model.states import Reason, RequestStatus, Verdict
from runcancel.text import command


def left_over(
    store: JournalStore, id: str, *, verb: str = "cancel", take_over: bool = False, dry_run: bool = False
) -> LeftOver:
    """What `--resume` continues with. Raises `CloudError` for an operation that is not in the journal.

    Raises `Refused` for a broken journal, and for an operation that another process is still carrying out.
    """
    try:
        if not store.is_there():
            raise no_operation(id, of=verb)
        journal = store.open()
        whole = whole_id(journal, id, verb=verb)
        operation = None if whole is None else journal.operation(whole)
        if operation is None:
            raise no_operation(id, of=verb)
        if operation.verb != verb:
            raise UsageError(
                f"operation {operation.id} belongs to {operation.verb}, not to {verb}; nothing was sent",
                hint=f"To continue it: {command(operation.verb, '--resume', operation.id)}",
            )
        id = operation.id
        entries = list(journal.entries(id))
        limits = journal.limits(id)
        events = list(journal.events(id))
        silence = journal.silence(id)
        remarks = (
            *journal.remarks(operation),
            *other_process(operation, events, silence, take_over=take_over, dry_run=dry_run),
        )
        journal.close()
    except JournalError as error:
        raise Refused(f"{error}; nothing was sent") from None
    # What an earlier resume found on its way was not asked again, and is looked at all the same.
    open_items = tuple(
        structs.replace(entry.item, ask=True) for entry in entries if not _has_ended(entry) and not _was_refused(entry)
    )
    own = verb != "cancel"  # a cancel has its limits for runs, not for the triggers that it disabled first
    planned = [(entry, entry.item) for entry in entries if isinstance(entry.item, PlanItem)]
    requested = tuple(item for entry, item in planned if _was_sent(entry))
    sent_items = tuple(item for item in requested if own or item.trigger is None)
    partial = tuple(entry.outcome for entry in entries if entry.outcome is not None and _is_partial(entry.outcome))
    return LeftOver(
        operation,
        open_items,
        sent_before=sent_items,
        requested=frozenset(item.run for item in requested),
        limits=limits,
        partial=partial,
        triggers=tuple(item for _, item in planned if item.trigger is not None) if not own else (),
        beside=_beside(events, planned),
        remarks=remarks,
        searched_again=any(isinstance(event, SearchedAgain) for event in events),
        starts=tuple(event for event in events if isinstance(event, Started)),
        hold_until=max((event.until for event in events if isinstance(event, HoldStarted)), default=None),
    )


def _beside(events: Sequence[JournalEvent], planned: Sequence[tuple[Entry, PlanItem]]) -> frozenset[Ref] | None:
    """The runs that had not ended before triggers were disabled, with those of the plan."""
    noted = [event for event in events if isinstance(event, Beside)]
    planned_runs = frozenset(item.run for _, item in planned)
    return frozenset(ref for event in noted for ref in event.runs) | planned_runs if noted else None


def _was_sent(entry: Entry) -> bool:
    """Whether a cancel of the run was sent, or may have been: without a recorded reply it may have been in flight."""
    if entry.answer is None:
        return entry.item.ask
    return entry.answer.status in (
        RequestStatus.ACCEPTED,
        RequestStatus.ALREADY,
        RequestStatus.IN_DOUBT,
    )


def _has_ended(entry: Entry) -> bool:
    """Whether the end of a run was read. Any other run is read again, and cancelled again if that shows no effect."""
    outcome = entry.outcome
    if outcome is None:
        return False
    return _is_partial(outcome) or outcome.verdict in (Verdict.STOPPED, Verdict.ENDED)


def _was_refused(entry: Entry) -> bool:
    """Whether a hold found the run and a guard refused it: it never joined."""
    outcome = entry.outcome
    if entry.item.ask or outcome is None or outcome.error is None:
        return False
    return outcome.verdict is Verdict.SKIPPED and outcome.error.code is Reason.REFUSED


def _is_partial(outcome: Outcome) -> bool:
    """Whether a whole run was cancelled and a part keeps running. With an error, a part of it was refused."""
    return outcome.verdict is Verdict.PARTIAL and outcome.error is None
