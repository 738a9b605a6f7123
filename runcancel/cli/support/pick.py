"""Choosing runs from a list on the terminal, by number."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from runcancel.cli.session import Session
from runcancel.cli.support.ask import line
from runcancel.errors import Refused, UsageError
from runcancel.model.runs import Problem, Ref, Run

_SHOWN = 99
_WORD = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def pick(session: Session, found: Sequence[Run], gaps: Sequence[Problem]) -> tuple[Ref, ...]:
    """List the first of the runs, say what did not answer, ask which; the references chosen.

    Raises `Refused` when nothing is chosen, `Interrupted` at a signal.
    """
    runs = found[:_SHOWN]
    if runs:
        from runcancel.render.screens.choices import choices

        sys.stderr.write(choices(runs, terminal=session.err, now=datetime.now(UTC)))
    if len(found) > len(runs):
        session.notes.say(f"Showing the newest {len(runs)} of {len(found)}; narrow with --name, --status, -r, …")
    for gap in gaps:
        session.notes.problem(gap)
    return tuple(runs[number - 1].ref for number in _read_numbers(session, len(runs))) if runs else ()


def numbers(text: str, most: int) -> tuple[int, ...]:
    """Numbers out of `1,3-5`, `2 4` or `all`, each once, in the order of the list. Raises `UsageError`."""
    words = re.split(r"[\s,]+", text.strip().lower())
    if words == ["all"]:
        return tuple(range(1, most + 1))
    chosen: set[int] = set()
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise UsageError(f"“{word}” is not a number or range. Enter numbers such as 1,3-5, or “all”")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= most:
            raise UsageError(f"“{word}” is not in the list. Enter numbers from 1 to {most}")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def _read_numbers(session: Session, most: int) -> tuple[int, ...]:
    while True:
        sys.stderr.write("Runs to cancel (1,3-5, all; Enter for none): ")
        sys.stderr.flush()
        reply = line(session)
        if reply is None or not reply.strip():
            raise Refused("no run was selected; nothing was sent")
        try:
            return numbers(reply, most)
        except UsageError as error:
            session.notes.warn(error.message)
