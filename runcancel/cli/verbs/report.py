"""`runcancel report`: the incident report of operations."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.cli.support.alive import to_watch, way_on
from runcancel.cli.support.named import LAST, check_id, no_operation, whole_id
from runcancel.cli.support.reported import read_sources
from runcancel.errors import Exit, JournalError, Refused
from runcancel.journal.incident import incident
from runcancel.journal.plans import missing_in_words, mixed_in_words, unfinished
from runcancel.journal.sources import Sources
from runcancel.journal.timeline import Recorded
from runcancel.model.incident import NextStep
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.model.triggers import TRIGGER_VERBS
from runcancel.render import REPORT_FORMATS, End
from runcancel.text import command, local

_FILE = re.compile(r"[./]")
"""What the name of a file has, and no id."""


def report(
    session: Session,
    operations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID|FILE...]",
            help="Operations to report together [last], or files with them.",
        ),
        Offers("operations"),
    ] = None,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help=f"One of {', '.join(REPORT_FORMATS)} [md].",
        ),
        Offers(lambda: list(REPORT_FORMATS)),
    ] = None,
) -> int:
    """Print the incident report of one or several operations.

    \b
    Examples:
      runcancel report
      runcancel report last -o html > incident.html
      runcancel report 01K9ZQ3V 01K9ZQ8D > incident.md
      runcancel report ./shard-*.jsonl
      runcancel report -o json --query 'reports[0].next_steps'

    It reads the journal and sends no request to a cloud: a timeline, what was
    stopped, what keeps running and where, what is in doubt, the request ids for
    the vendor's support, and what to do next. What the journal lacks is shown as
    “not recorded”. Several operations become one report. The shards of one plan
    always do.

    FILE is a journal of another machine, or what cancel --shard printed as jsonl or
    json. With files the journal of this machine is not read. A name with / or . is a
    file.

    Exit codes: 0 printed, 2 not an id, 5 no such operation, 6 the journal cannot be
    read, 7 printed, but an operation is unfinished, a shard of a plan is missing, or
    the team journal could not be read.
    """
    session.choose_format(output, REPORT_FORMATS, default="md")
    words = tuple(operations or ())
    files = tuple(word for word in words if _FILE.search(word))
    ids = tuple(word for word in words if word not in files)
    for word in ids:
        check_id(word, others=("a file",))
    try:
        sources, problems = read_sources(session, files)
        names = ids or ((LAST,) if not sources.outputs else tuple(sources.outputs))
        recorded_ones, missing = _read(sources, names)
        beside = () if ids else _cancel_before(sources, recorded_ones)
        disabling = sources.unrestored()
    except JournalError as error:
        raise Refused(str(error)) from None
    answer = session.writer("report")
    if missing:
        problems = (*problems, *(_not_found(session, word, in_files=bool(files)) for word in missing))
        code = Exit.INCOMPLETE if session.journal.is_lost else Exit.NOT_FOUND
        answer.end(End(exit_code=code, errors=problems, complete=False))
        return code
    one = incident(recorded_ones, disabling, _in_progress(sources, recorded_ones))
    answer.row(one)
    problems += tuple(map(_incomplete, missing_in_words(one.plans)))
    unfinished_plans = unfinished([each.operation for each in recorded_ones])
    code = Exit.INCOMPLETE if unfinished_plans or problems or session.journal.is_lost else Exit.OK
    notes = [f"note: {text}" for text in mixed_in_words(one.plans)]
    events = {one.operation.id: one.events for one in recorded_ones}
    notes += [way_on(each, events[each.id], sources.silence(each.id)) for each in unfinished_plans]
    notes += [line for each in recorded_ones for line in sources.remarks(each.operation)]
    answer.end(End(exit_code=code, errors=problems, complete=code is Exit.OK, notes=(*notes, *beside)))
    return code


def _in_progress(sources: Sources, recorded_ones: Sequence[Recorded]) -> dict[str, NextStep]:
    """How to watch each operation that a process is carrying out now: a resume is refused."""
    steps = (to_watch(one.operation, one.events, sources.silence(one.operation.id)) for one in recorded_ones)
    return {one.operation.id: step for one, step in zip(recorded_ones, steps, strict=True) if step is not None}


def _cancel_before(sources: Sources, reported_ones: Sequence[Recorded]) -> tuple[str, ...]:
    """That a report of triggers alone lacks the cancel before it, with the command that reports both."""
    ids = [one.operation.id for one in reported_ones]
    if not ids or any(one.operation.verb not in TRIGGER_VERBS for one in reported_ones):
        return ()
    cancel = next((one for one in sources.operations() if one.verb not in TRIGGER_VERBS and one.id < min(ids)), None)
    if cancel is None:
        return ()
    verb, both = reported_ones[0].operation.verb, command("report", cancel.id, *ids)
    return (f"note: this report is about the {verb} alone. With the cancel of {local(cancel.at)}: {both}",)


def _read(sources: Sources, words: Sequence[str]) -> tuple[list[Recorded], list[str]]:
    """The operations, each once and with all shards of its plan, and the words under which none is found."""
    by_id: dict[str, Recorded] = {}
    missing: list[str] = []
    for word in words:
        id = whole_id(sources, word)
        one = None if id is None else sources.recorded(id)
        if one is None:
            missing.append(word)
            continue
        for sibling in sources.of_plan(one.operation):
            if sibling not in by_id and (each := sources.recorded(sibling)) is not None:
                by_id[sibling] = each
    return list(by_id.values()), list(dict.fromkeys(missing))


def _not_found(session: Session, word: str, *, in_files: bool) -> Problem:
    if in_files:
        what = "no operation is" if word == LAST else f"operation {word} is not"
        return Problem(code=Reason.NOT_FOUND, message=f"{what} in these files", hint=None)
    message = no_operation(word).message.removesuffix("; nothing was sent")
    hint = f"the journal is {session.journal.file}; to list operations: runcancel history"
    return Problem(code=Reason.NOT_FOUND, message=message, hint=hint)


def _incomplete(message: str) -> Problem:
    hint = "To add the journals or outputs of other machines: runcancel report FILE…"
    return Problem(code=Reason.NOT_FOUND, message=message, hint=hint)
