"""`runcancel report`: the incident report of operations."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.named import LAST, no_operation, whole_id
from runcancel.errors import Exit, JournalError, Refused, UsageError
from runcancel.journal.base import Journal
from runcancel.journal.incident import incident, recorded
from runcancel.journal.restores import unrestored
from runcancel.journal.timeline import Recorded
from runcancel.model.runs import Problem
from runcancel.model.states import Reason, Stage
from runcancel.render import REPORT_FORMATS, End
from runcancel.text import command, quoted

_ID = re.compile(r"[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{1,26}")
"""An id of an operation, or the beginning of one."""


def report(
    session: Session,
    operations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID...]",
            help="Operations to report together; last is the newest [last].",
            autocompletion=options.recent_operations,
        ),
    ] = None,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help=f"One of {', '.join(REPORT_FORMATS)} [md].",
            autocompletion=lambda: list(REPORT_FORMATS),
        ),
    ] = None,
) -> int:
    """Print the incident report of one or several operations.

    \b
    Examples:
      runcancel report
      runcancel report last -o html > incident.html
      runcancel report 01K9ZQ3V 01K9ZQ8D > incident.md
      runcancel report -o json --query 'reports[0].next_steps'

    It reads the journal on this machine and sends no request: a timeline, what was
    stopped, what keeps running and where, what is in doubt, the request ids for
    the vendor's support, and what to do next. What the journal lacks is shown as
    "not recorded". Several operations become one report.

    Exit codes: 0 printed, 2 not an id, 5 no such operation, 6 the journal cannot be
    read, 7 printed, but an operation is unfinished.
    """
    session.choose_format(output, REPORT_FORMATS, default="md")
    words = tuple(operations or (LAST,))
    for word in words:
        if word != LAST and not _ID.fullmatch(word):
            raise UsageError(
                f"“{quoted(word)}” is not the id of an operation. Expected the beginning of an id, or {LAST}",
                hint="see: runcancel history",
            )
    try:
        journal = session.journal.read(pause=session.workers.pause)
        found, missing = _read(journal, words)
        disabling = frozenset[str]() if journal is None else frozenset(unrestored(journal))
    except JournalError as error:
        raise Refused(str(error)) from None
    answer = session.writer("report")
    if missing:
        answer.end(End(exit_code=Exit.NOT_FOUND, errors=tuple(map(_not_found, missing)), complete=False))
        return Exit.NOT_FOUND
    answer.row(incident(found, disabling))
    unfinished = [one.operation for one in found if one.operation.state is not Stage.DONE]
    code = Exit.INCOMPLETE if unfinished else Exit.OK
    notes = [f"Unfinished: {command(one.verb, '--resume', one.id)}" for one in unfinished]
    answer.end(End(exit_code=code, complete=not unfinished, notes=tuple(notes)))
    return code


def _read(journal: Journal | None, words: Sequence[str]) -> tuple[list[Recorded], list[str]]:
    """The operations, each once, and the words under which none is found."""
    found: dict[str, Recorded] = {}
    missing: list[str] = []
    for word in words:
        id = None if journal is None else whole_id(journal, word)
        one = None if journal is None or id is None else recorded(journal, id)
        if one is None:
            missing.append(word)
        else:
            found[one.operation.id] = one
    return list(found.values()), list(dict.fromkeys(missing))


def _not_found(word: str) -> Problem:
    message = no_operation(word).message.removesuffix("; nothing was sent")
    return Problem(code=Reason.NOT_FOUND, message=message, hint="see: runcancel history")
