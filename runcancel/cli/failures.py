"""Every failure becomes one clear message, a document where one was asked for, and an exit code."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import typer

from runcancel.cli import VERBS
from runcancel.errors import CloudError, Interrupted, Refused, UsageError, exit_of_failures
from runcancel.model import Problem, Reason
from runcancel.render import FORMATS, End, writer
from runcancel.render.notes import Notes, problem_of
from runcancel.render.terminal import Terminal


class Ending:
    """The exit code that the program will have."""

    code: int = 1


@contextmanager
def told(argv: Sequence[str]) -> Iterator[Ending]:
    """Run a block; whatever it raises is told to people and, under `-o json`, to programs."""
    ending = Ending()
    try:
        yield ending
    except (UsageError, Refused, CloudError) as error:
        ending.code = _tell(argv, problem_of(error))
    except typer.TyperException as error:
        ending.code = _tell(argv, Problem(code=Reason.USAGE, message=_sentence(error), hint=_see_help(argv)))
    except typer.Exit as error:
        ending.code = error.exit_code
    except (Interrupted, KeyboardInterrupt) as error:
        signum = error.signum if isinstance(error, Interrupted) else 2
        _tell(argv, Problem(code=Reason.INTERRUPTED, message="interrupted; nothing was sent"))
        ending.code = 128 + signum
    except BrokenPipeError:
        ending.code = 0
    except Exception as error:
        if isinstance(error, OSError) and not _takes(sys.stdout):
            ending.code = 1  # it is said when the program ends
            return
        if os.environ.get("RUNCANCEL_DEBUG") or "--debug" in argv:
            raise
        ending.code = _tell(argv, _internal(error))


def _takes(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _tell(argv: Sequence[str], problem: Problem) -> int:
    code = int(exit_of_failures([problem.code]))
    notes = Notes(sys.stderr)
    format = _format(argv)
    if format in ("json", "jsonl", "yaml"):
        end = End(exit_code=code, errors=(problem,), complete=False)
        answer = writer(format, _name(argv), out=sys.stdout, terminal=Terminal.of(sys.stdout, os.environ), notes=notes)
        answer.end(end)
    else:
        notes.problem(problem)
    return code


def _format(argv: Sequence[str]) -> str | None:
    """The output format out of a command line that could not be parsed."""
    for index, word in enumerate(argv):
        if word in ("-o", "--output") and index + 1 < len(argv):
            return argv[index + 1]
        for prefix in ("--output=", "-o"):
            if word.startswith(prefix) and word.removeprefix(prefix).lstrip("=") in FORMATS:
                return word.removeprefix(prefix).lstrip("=")
    return os.environ.get("RUNCANCEL_OUTPUT")


def _name(argv: Sequence[str]) -> str:
    verb = next((word for word in argv if word in VERBS), "")
    return "plan" if verb == "cancel" and {"-n", "--dry-run"} & set(argv) else verb


def _see_help(argv: Sequence[str]) -> str:
    verb = next((f"{word} " for word in argv if word in VERBS), "")
    return f"see: runcancel {verb}--help"


def _sentence(error: typer.TyperException) -> str:
    text = error.format_message().strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _internal(error: Exception) -> Problem:
    return Problem(
        code=Reason.INTERNAL,
        message=f"internal error: {type(error).__name__}; what was asked before it goes on, nothing more was sent",
        hint="this is a bug of runcancel; the same command with --debug shows where",
    )
