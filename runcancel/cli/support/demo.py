"""The demos: stories on simulated clouds, printed by the real command, each on one screen or two."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from shutil import which

from msgspec import Struct

from runcancel.cli.support.program import own_command
from runcancel.text import words_of_shell

WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
SCRIPT = "alibaba:cn-hangzhou:t-7d2a745b412b4601b2d47f6a768d0001"
PATCH = "tencent:ap-guangzhou:inv-ib2lld37"
TRIGGER = "aws:us-east-2:window/mw-0c50858d01c0ffee0"

_COLUMNS = 80
_DAY = 86_400.0
_LIST = ("list", "--name", "nightly-patching")


class Story(StrEnum):
    """What a demo shows."""

    CANCEL = "cancel"
    SCHEDULE = "schedule"


class _Scene(Struct, frozen=True, kw_only=True):
    """One command: the words before it, how many seconds pass first, and the exit code that it should have."""

    words: str
    argv: tuple[str, ...]
    later: float = 0.0
    code: int = 0


_SCENES: Mapping[Story, tuple[_Scene, ...]] = {
    Story.CANCEL: (
        _Scene(
            words="Three simulated clouds on this machine. A bad patch is running on all of them:",
            argv=("status", WINDOW, SCRIPT, PATCH),
        ),
        _Scene(
            words="It has to stop now. A cancel does something different on each cloud:",
            argv=("cancel", WINDOW, SCRIPT, PATCH),
            code=3,
        ),
    ),
    Story.SCHEDULE: (
        _Scene(words="A maintenance window of a simulated AWS runs a bad patch every night:", argv=_LIST),
        _Scene(words="It would start again:", argv=("triggers", "--name", "nightly-patching")),
        _Scene(words="Disable the window first, so that it starts nothing more:", argv=("disable", TRIGGER)),
        _Scene(words="Cancel what it has started:", argv=("cancel", WINDOW, "--stop-running")),
        _Scene(words="Two days later. Nothing has started:", argv=_LIST, later=2 * _DAY),
        _Scene(
            words="The patch is corrected. Restore exactly what was found enabled:",
            argv=("enable", "--operation", "last", "--yes"),
        ),
        _Scene(words="One more day later. The window has started the corrected patch:", argv=_LIST, later=_DAY),
    ),
}
_LAST = {
    Story.CANCEL: "Exit code 3: partial. Tencent Cloud terminated running targets; AWS and Alibaba Cloud\n"
    "cancelled only pending targets. A requested cancel is never reported as stopped.",
    Story.SCHEDULE: "The window is as it was found. What starts runs, and what can be disabled:\n"
    "runcancel help recurring",
}


def play(story: Story, environ: Mapping[str, str], advance: Callable[[float], object]) -> int:
    """Run the scenes in the sandbox that `environ` leads to; 0 if every command ended as it should.

    `advance` moves the clock of the sandbox by so many seconds.
    """
    expected = True
    for scene in _SCENES[story]:
        advance(scene.later)
        _say(f"\n{scene.words}\n\n{_command(scene.argv)}\n\n")
        argv = (*own_command(), *scene.argv, "-o", "table")
        code = subprocess.run(argv, env=dict(environ), check=False).returncode  # noqa: S603 - our own command
        expected = expected and code == scene.code
    typed = "runcancel" if which("runcancel") else words_of_shell(sys.argv[0])
    _say(f"\n{_LAST[story]}\n\nThe simulated clouds are closed. To work in new ones: {typed} sandbox exec -- bash\n")
    return 0 if expected else 1


def _command(argv: tuple[str, ...]) -> str:
    """The command as a person types it: one word a line if it is too long for one line of a terminal."""
    line = " ".join(("$ runcancel", *argv))
    verb, *rest = argv
    return line if len(line) <= _COLUMNS else " \\\n    ".join((f"$ runcancel {verb}", *rest))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
