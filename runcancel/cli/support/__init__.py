"""What verbs share: questions, files, selections, requests. Here: what every command needs, also `--version`."""

import contextlib
import os
import sys


def flushed(code: int, text: str = "") -> int:
    """The exit code once stdout has everything; 1 instead of 0, with a message, if stdout could not be written."""
    try:
        _write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the exit
        with contextlib.suppress(OSError):
            sys.stderr.write(f"runcancel: cannot write to stdout: {error.strerror}\n")
        return code or 1
    return code


def _write(text: str) -> None:
    """Write to stdout; as UTF-8 where its own encoding lacks a character, as Typer does."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        sys.stdout.buffer.write(text.encode())
