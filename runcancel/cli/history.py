"""`runcancel history`: what was asked from here, by whom, why, and what was seen."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from runcancel import journal, settings
from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.errors import Exit, Refused, UsageError
from runcancel.journal import Entry, Journal, JournalError
from runcancel.judge import Asked
from runcancel.model import Outcome, Problem, Reason, Verdict
from runcancel.render import End

_SHOWN = 20


def history(
    session: Session,
    operation: Annotated[str | None, typer.Argument(metavar="[ID|prune]", help="One operation, run by run.")] = None,
    *,
    limit: options.Limit = _SHOWN,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="With prune: forget what is older [90d].")
    ] = None,
) -> int:
    """Show what was asked from here, by whom, why, and what was seen.

    \b
    Examples:
      runcancel history
      runcancel history 01K9ZQ3V7W5T8R2M4N6P0C1D2E -o json
      runcancel history prune --older-than 90d
      runcancel cancel --resume 01K9ZQ3V7W5T8R2M4N6P0C1D2E

    It reads the journal on this machine and asks no cloud. Exit codes: 0 shown,
    5 no such operation, 6 the journal cannot be read.
    """
    if older_than is not None and operation != "prune":
        raise UsageError("--older-than goes with prune: runcancel history prune --older-than 90d")
    file = journal.path(session.settings.environ)
    try:
        return _answer(session, Journal.open(file), operation, limit, older_than or "90d")
    except JournalError as error:
        raise Refused(str(error)) from None


def _answer(session: Session, opened: Journal, operation: str | None, limit: int, older_than: str) -> int:
    if operation == "prune":
        before = datetime.now(UTC) - timedelta(seconds=settings.duration("--older-than", older_than))
        count = opened.prune(before)
        session.notes.say(f"{count} operation{'' if count == 1 else 's'} forgotten")
        return Exit.OK
    if operation is not None:
        return _one(session, opened, operation)
    answer = session.writer("history")
    for one in opened.operations(limit):
        answer.row(one)
    answer.end(End(exit_code=Exit.OK))
    return Exit.OK


def _one(session: Session, opened: Journal, id: str) -> int:
    found = opened.operation(id)
    if found is None:
        problem = Problem(
            code=Reason.NOT_FOUND, message=f"no operation {id} in the journal", hint="see: runcancel history"
        )
        session.writer("operation").end(End(exit_code=Exit.NOT_FOUND, errors=(problem,), complete=False))
        return Exit.NOT_FOUND
    answer = session.writer("operation")
    left = False
    for entry in opened.entries(id):
        outcome = _outcome(entry)
        left = left or outcome.verdict in (Verdict.SKIPPED, Verdict.FAILED, Verdict.REQUESTED)
        answer.row(outcome)
    told = f"{found.at:%Y-%m-%d %H:%M:%SZ} {found.user}@{found.host}: runcancel {' '.join(found.argv)}"
    notes = (told, *((f"reason: {found.reason}",) if found.reason else ()))
    notes += (f"To go on with the rest: runcancel cancel --resume {id}",) if left else ()
    answer.end(End(exit_code=Exit.OK, operation=id, operations=(found,), notes=notes))
    return Exit.OK


def _outcome(entry: Entry) -> Outcome:
    """The outcome of a run, or what is known of one that was never judged."""
    if entry.outcome is not None:
        return entry.outcome
    asked = None if entry.answer is None else entry.answer.asked
    words = {
        None: "no answer was written down: it may or may not have been asked",
        Asked.ACCEPTED: "accepted; what became of it was not written down",
    }
    verdict = Verdict.REQUESTED if asked is Asked.ACCEPTED else Verdict.FAILED
    message = words.get(asked, "it was not judged")
    return Outcome(
        run=entry.item.run,
        name=entry.item.name,
        verdict=verdict,
        guarantee=entry.item.guarantee,
        before=entry.item.state,
        after=None,
        request_ids=() if entry.answer is None else entry.answer.request_ids,
        invocations=(),
        not_listed=entry.item.not_listed,
        seconds=None,
        error=Problem(code=Reason.INTERRUPTED, message=message, ref=entry.item.run),
    )
