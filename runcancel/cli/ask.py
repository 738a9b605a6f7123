"""Asking a person, where there is one."""

import sys

from runcancel import consent
from runcancel.cli.session import Session
from runcancel.consent import Given, Need
from runcancel.errors import Refused


def asked(session: Session, wanted: Need, given: Given, *, from_stdin: bool) -> None:
    """Return when what is needed was said, on the command line or now. Raises `Refused` otherwise.

    Never asks without two terminals, never takes silence for a yes. A signal at the question is `Interrupted`.
    """
    if consent.answered(wanted, given):
        return
    why = nobody(session, from_stdin=from_stdin)
    if why:
        raise consent.nobody_to_ask(wanted, why)
    sys.stderr.write(consent.question(wanted))
    sys.stderr.flush()
    reply = line(session)
    if reply is None or not consent.accepts(wanted, reply):
        raise Refused("not confirmed; nothing was sent")


def nobody(session: Session, *, from_stdin: bool) -> str:
    """Why nobody can be asked; empty when somebody can."""
    if session.no_input:
        return "--no-input"
    if from_stdin:
        return "stdin holds the list"
    if session.request.on_stdin:
        return "stdin holds the request"
    if sys.stdin is None or not sys.stdin.isatty():
        return "stdin is no terminal"
    return "" if session.err.is_terminal else "stderr is no terminal"


def line(session: Session) -> str | None:
    """One line of stdin, None at its end. Read on a worker: this thread stays free for signals."""
    line: str = session.workers.read_input(sys.stdin.readline)
    if not line:
        sys.stderr.write("\n")
        return None
    return line
