"""Every failure becomes one message, a document if the format needs one, and an exit code."""

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from runcancel import environment
from runcancel.cli.support.request import Request
from runcancel.cli.verbs import VERBS
from runcancel.errors import CloudError, Interrupted, Refused, UsageError, exit_of_failures
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.redaction import redact, remember_variables
from runcancel.render import FORMATS, QUERYABLE, End, writer
from runcancel.render.screens.notes import Notes, problem_of
from runcancel.render.screens.terminal import Terminal
from runcancel.runtime.workers import SIGNALS
from runcancel.text import safe_lines

if TYPE_CHECKING:
    from runcancel.render.formats.query import Expression


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a write to a full disk. The text is then lost."""


_CHANGES = frozenset({"cancel", "disable", "enable"})
"""The verbs that change something in a cloud."""


class Ending:
    """The exit code that the program will have, and what it knows beside its command line."""

    code: int = 1
    request: Request = Request()


@contextmanager
def handle_errors(argv: Sequence[str]) -> Iterator[Ending]:
    """Run a block. Whatever it raises is printed for people and, under `-o json`, for programs."""
    ending = Ending()
    remember_variables(os.environ)
    try:
        with _signals_raised():
            yield ending
    except (UsageError, Refused, CloudError) as error:
        ending.code = _tell(argv, ending.request, problem_of(error))
    except typer.TyperException as error:
        from runcancel.cli.support.usage import refusal

        ending.code = _tell(argv, ending.request, refusal(error, argv))
    except typer.Exit as error:
        ending.code = error.exit_code
    except Interrupted as error:
        unsent = "; nothing was sent" if _name(argv, ending.request) in _CHANGES else ""
        problem = Problem(code=Reason.INTERRUPTED, message=f"interrupted{unsent}")
        ending.code = _tell(argv, ending.request, problem, code=128 + error.signum)
    except BrokenPipeError:
        ending.code = 0
    except Exception as error:  # noqa: BLE001 - nothing leaves but a message and an exit code
        if isinstance(error, OSError) and (not _takes(sys.stdout) or error.errno in _FULL):
            ending.code = 1
            if _takes(sys.stdout):  # else it is printed when the program ends
                Notes(sys.stderr, environ=os.environ).warn(f"cannot write to stdout: {error.strerror}")
            return
        if _debugging(argv):
            import traceback

            trace = "".join(traceback.format_exception(error))
            sys.stderr.write("".join(f"{line}\n" for line in safe_lines(redact(trace))))
        ending.code = _tell(argv, ending.request, _internal(error))


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Signals raise `Interrupted` in this thread until a session takes them over; what is ignored stays ignored."""

    def interrupt(signum: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted(signum)

    handled = [signum for signum in SIGNALS if signal.getsignal(signum) is signal.SIG_DFL]
    for signum in handled:
        signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum in handled:
            if signal.getsignal(signum) is interrupt:
                signal.signal(signum, signal.SIG_DFL)


def _debugging(argv: Sequence[str]) -> bool:
    try:
        return environment.switch("--debug", "--debug" in argv, os.environ)
    except UsageError:
        return False


def _takes(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _tell(argv: Sequence[str], request: Request, problem: Problem, *, code: int | None = None) -> int:
    code = int(exit_of_failures([problem.code])) if code is None else code
    notes = Notes(sys.stderr, environ=os.environ)
    text = _option(argv, "--query") or request.values.get("query")
    format = _format(argv, request, queried=text is not None)
    if format in ("json", "jsonl", "yaml"):
        query = None if text is None or format == "jsonl" else _query(text)
        end = End(exit_code=code, errors=(problem,), complete=False)
        terminal = Terminal.of(sys.stdout, os.environ)
        writer(format, _name(argv, request), out=sys.stdout, terminal=terminal, notes=notes, query=query).end(end)
    else:
        notes.problem(problem)
    return code


def _format(argv: Sequence[str], request: Request, *, queried: bool) -> str | None:
    """The output format out of a command line that could not be parsed, or of its request."""
    for word in argv:  # stuck to its letter
        if word.startswith("-o") and word.removeprefix("-o").lstrip("=") in FORMATS:
            return word.removeprefix("-o").lstrip("=")
    typed: str | None = _option(argv, "--output", "-o") or request.values.get("output")
    by_variable = os.environ.get("RUNCANCEL_OUTPUT")
    return typed or ("json" if queried and by_variable not in QUERYABLE else by_variable)


def _option(argv: Sequence[str], *names: str) -> str | None:
    """The value of an option in a command line that could not be parsed."""
    for index, word in enumerate(argv):
        if word in names and index + 1 < len(argv):
            return argv[index + 1]
        name, equals, value = word.partition("=")
        if equals and name in names:
            return value
    return None


def _query(text: str) -> "Expression | None":
    """What to print of the document; all of it where that cannot be read."""
    from runcancel.render.formats.query import Expression

    try:
        return Expression(text)
    except UsageError:
        return None


def _name(argv: Sequence[str], request: Request) -> str:
    verb = next((word for word in argv if word in VERBS), "")
    planned = {"-n", "--dry-run"} & set(argv) or request.values.get("dry_run")
    return "plan" if verb == "cancel" and planned else verb


def _internal(error: Exception) -> Problem:
    return Problem(
        code=Reason.INTERNAL,
        message=f"internal error: {type(error).__name__}; cancels already sent continue, nothing more was sent",
        hint="this is a bug of runcancel; the same command with --debug shows where",
    )
