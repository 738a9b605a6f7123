"""The demo: a bad script on three simulated clouds, cancelled by the real command, on one screen."""

import subprocess
import sys
from collections.abc import Mapping

WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
SCRIPT = "alibaba:cn-hangzhou:t-7d2a745b412b4601b2d47f6a768d0001"
PATCH = "tencent:ap-guangzhou:inv-ib2lld37"

_SCENES = (
    ("Three simulated clouds on this machine. A bad patch is running on all of them:", "status"),
    ("It has to stop now. A cancel does something different on each cloud:", "cancel"),
)
_LAST = (
    "Exit code 3: partial. Tencent Cloud terminated running targets; AWS and Alibaba Cloud\n"
    "cancelled only pending targets. A requested cancel is never reported as stopped."
)


def play(environ: Mapping[str, str]) -> int:
    """Run the scenes against the sandbox that `environ` leads to; 0 when every command ended as it should."""
    codes = []
    for words, verb in _SCENES:
        command = " \\\n    ".join((f"$ runcancel {verb}", WINDOW, SCRIPT, PATCH))
        _say(f"\n{words}\n\n{command}\n\n")
        argv = (sys.executable, "-m", "runcancel", verb, WINDOW, SCRIPT, PATCH, "-o", "table")
        codes.append(subprocess.run(argv, env=dict(environ), check=False).returncode)  # noqa: S603 - our own command
    _say(f"\n{_LAST}\n")
    return 0 if codes == [0, 3] else 1


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
