"""What `cancel --resume` goes on with: the runs of an operation whose end nobody saw."""

from pathlib import Path

from msgspec import Struct, structs

from runcancel.errors import JournalError, Refused, UsageError
from runcancel.journal import Entry, Journal
from runcancel.judge import Asked
from runcancel.ledger import Limits, Operation, PlanItem
from runcancel.vocabulary import Verdict


class LeftOver(Struct, frozen=True):
    """An operation that did not come to its end, and its runs that need another look.

    `sent` is all that it asked for so far, which counts for its `limits`.
    """

    operation: Operation
    items: tuple[PlanItem, ...]
    sent: tuple[PlanItem, ...] = ()
    limits: Limits = Limits()


def left_over(file: Path, id: str) -> LeftOver:
    """What `--resume` goes on with. Raises `UsageError` for an unknown id, `Refused` for a broken journal."""
    try:
        journal = Journal.open(file)
        operation = journal.operation(id)
        if operation is None:
            raise UsageError(f"no operation {id} in the journal; nothing was sent", hint="see: runcancel history")
        entries = list(journal.entries(id))
        limits = journal.limits(id)
        journal.close()
    except JournalError as error:
        raise Refused(f"{error}; nothing was sent") from None
    # What an earlier resume found on its way was not asked again, and is looked at all the same.
    left = tuple(structs.replace(entry.item, ask=True) for entry in entries if not _settled(entry))
    return LeftOver(operation, left, sent=tuple(entry.item for entry in entries if _sent(entry)), limits=limits)


def _sent(entry: Entry) -> bool:
    """Whether a run was asked to stop, or may have been."""
    return entry.answer is not None and entry.answer.asked in (Asked.ACCEPTED, Asked.ALREADY, Asked.IN_DOUBT)


def _settled(entry: Entry) -> bool:
    """Whether a run's end was seen: everything else is read again, and asked again where that shows no effect."""
    outcome = entry.outcome
    if outcome is None:
        return False
    whole = outcome.verdict is Verdict.PARTIAL and outcome.error is None  # else a part of it was refused
    return whole or outcome.verdict in (Verdict.STOPPED, Verdict.ENDED)
