"""The command line, and the one place where every failure becomes a message and an exit code."""

import contextlib
import gc
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from runcancel.cli.support import flushed
from runcancel.cli.verbs import VERBS


def main() -> NoReturn:
    """The `runcancel` command. It ends the process at once, for nothing is left to close.

    The end of the interpreter would free every object one by one, and threads that still wait, read stdin or import
    would crash it.
    """
    code = command()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def command() -> int:
    """The whole command but its end; the exit code. Before a session exists, an interrupt ends the process at once."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever called wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _fill_streams()
    if hasattr(sys, "frozen"):
        from runcancel.cli.support.program import restore_environment

        restore_environment()
    gc.set_threshold(50_000)  # loading makes many objects and next to no garbage
    return flushed(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code. No exception leaves but those that end the interpreter."""
    if [*argv] in (["--version"], ["-V"]):  # once a verb is loaded, `list` is its module here
        from runcancel import __version__

        return flushed(0, f"runcancel {__version__}\n")
    if "_RUNCANCEL_COMPLETE" in os.environ:
        from runcancel.cli.support.completing import answer_shell

        return answer_shell()
    if not argv or argv[-1] in ("-h", "--help"):
        from runcancel.cli.support.page import requested

        text = requested(argv)
        if text is not None:
            return flushed(0, text)
    if not sys.warnoptions:
        # SDKs load side by side, and one that restores the filters can undo what another silenced: silence them first.
        warnings.simplefilter("ignore")
    from runcancel.cli.app import app
    from runcancel.cli.support.failures import handle_errors
    from runcancel.cli.verbs import ALIASES

    argv = [ALIASES.get(argv[0], argv[0]), *argv[1:]]
    with handle_errors(argv) as ending:
        if argv[:1] == ["--show-completion"]:
            from runcancel.cli.support.completion import script

            return flushed(0, script(argv[1] if len(argv) > 1 else "?"))
        ending.code = app(VERBS).main([*argv], prog_name="runcancel", standalone_mode=False, obj=ending) or 0
    return ending.code


def _fill_streams() -> None:
    """Put nothing where a standard stream was closed: else the first connection or file takes its number.

    A closed stdin stays known as one: nothing is read from it, and an empty list is not made of it.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
            if number == 1:
                sys.stdout = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115
            elif number == 2:
                sys.stderr = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115
