"""The command line: the verbs, and the one place where every failure becomes a message and an exit code."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

VERBS = {
    "cancel": "Cancel runs and tell for every target what is true now.",
    "status": "Show where runs stand, one row per run.",
    "list": "Find runs across contexts, providers and regions.",
    "invocations": "Show the targets of runs, one row per target.",
    "wait": "Wait until every run is where it should be.",
    "history": "Show what was asked from here and what was seen.",
    "contexts": "List, show, add, remove and use named ways to connect.",
    "schema": "Print the JSON Schema of an output.",
    "sandbox": "Three simulated clouds, to try and to rehearse.",
    "help": "Show the help of a verb or a topic.",
}
"""Every verb with what it does; verb `x` lives in `runcancel.cli.x` and is loaded when it is called."""


def main() -> NoReturn:
    """The `runcancel` command."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code. No exception leaves but those that end the interpreter."""
    if list(argv) in (["--version"], ["-V"]):
        from runcancel import __version__

        sys.stdout.write(f"runcancel {__version__}\n")
        return 0
    if "_RUNCANCEL_COMPLETE" in os.environ:
        from runcancel.cli.completion import answer_shell

        return answer_shell()
    if not sys.warnoptions:
        # SDKs load side by side, and one that restores the filters can undo what another silenced: silence them first.
        warnings.simplefilter("ignore")
    from runcancel.cli.failures import told
    from runcancel.cli.verbs import app

    with told(argv) as ending:
        if argv[:1] == ["--show-completion"]:
            from runcancel.cli.completion import script

            sys.stdout.write(script(argv[1] if len(argv) > 1 else "?"))
            return 0
        ending.code = app(VERBS).main(list(argv) or ["--help"], prog_name="runcancel", standalone_mode=False) or 0
    return ending.code
