"""Asking a person, where there is one."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from msgspec import Struct

from runcancel.cli.session import Session
from runcancel.errors import Refused
from runcancel.guards import confirmation
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.model.events import ConfirmedBy
from runcancel.text import LONGEST_LINE, quoted

_TRIES = 3  # how often a question is asked that gets a wrong answer
_TERMINAL = "/dev/tty"


class Streams(Struct, frozen=True):
    """Where a question is written, and where its answer is read."""

    out: TextIO
    answers: TextIO


def obtain_confirmation(
    session: Session,
    requirement: ConfirmationRequirement,
    flags: GivenConfirmation,
    *,
    from_stdin: bool,
    listing: Callable[[], Sequence[str]],
) -> ConfirmedBy:
    """Return when what is needed was confirmed: how it was. Raises `Refused` otherwise.

    Where standard input holds the list or the request, the question is asked on the terminal of the process. Never asks
    without a terminal, never takes silence for a yes; a wrong answer asks again, and so does `?` after every run, line
    by line, as `listing` has them. A signal is `Interrupted`.
    """
    typed = confirmation.given_by(requirement, flags)
    if typed is not None:
        return typed
    if why := cannot_ask(session, from_stdin=from_stdin):
        raise confirmation.nobody_to_ask(requirement, why)
    streams = _streams(own=from_stdin or session.request.on_stdin)
    if not _confirmed(session, requirement, streams, listing):
        raise Refused("not confirmed; nothing was sent")
    return ConfirmedBy.TERMINAL


def cannot_ask(session: Session, *, from_stdin: bool) -> str:
    """Why no question can be asked, neither on the standard streams nor on the terminal; empty when one can."""
    why = why_not_interactive(session, from_stdin=from_stdin)
    used = from_stdin or session.request.on_stdin
    elsewhere = used and not session.no_input and session.err.is_terminal and _has_terminal()
    return "" if elsewhere else why


def why_not_interactive(session: Session, *, from_stdin: bool) -> str:
    """Why no question can be asked on the standard streams; empty if one can."""
    if session.no_input:
        return "--no-input"
    if from_stdin:
        return "stdin is used for the list"
    if session.request.on_stdin:
        return "stdin is used for the request"
    if sys.stdin is None or not sys.stdin.isatty():
        return "stdin is not a terminal"
    return "" if session.err.is_terminal else "stderr is not a terminal"


def line(session: Session, answers: TextIO | None = None) -> str | None:
    """One line of stdin or of `answers`, None at its end. Read on a worker: this thread stays free for signals."""
    stream = sys.stdin if answers is None else answers
    text: str = session.workers.read_input(lambda: stream.readline(LONGEST_LINE))
    if not text:
        sys.stderr.write("\n")
        return None
    return text


def _confirmed(
    session: Session, requirement: ConfirmationRequirement, streams: Streams, listing: Callable[[], Sequence[str]]
) -> bool:
    tries = _TRIES
    while tries:
        streams.out.write(confirmation.question(requirement))
        streams.out.flush()
        reply = line(session, streams.answers)
        if reply is None or confirmation.declines(reply):
            return False
        if confirmation.accepts(requirement, reply):
            return True
        if confirmation.wants_list(reply):
            streams.out.write("".join(f"{text}\n" for text in listing()))
            continue
        tries -= 1
        if tries:
            streams.out.write(f"“{quoted(reply.strip())}” is not a valid answer.\n")
    return False


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _streams(*, own: bool) -> Streams:
    """The standard streams, or with `own` the terminal of the process. It stays open: a thread may be reading it."""
    if not own:
        return Streams(sys.stderr, sys.stdin)
    out, answers = (os.open(_TERMINAL, how | os.O_NOCTTY | os.O_CLOEXEC) for how in (os.O_WRONLY, os.O_RDONLY))
    return Streams(
        os.fdopen(out, "w", encoding="utf-8", errors="replace"), os.fdopen(answers, encoding="utf-8", errors="replace")
    )
