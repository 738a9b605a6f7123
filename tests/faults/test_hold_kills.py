"""SIGKILL at any journal write of a `cancel --hold`: its resume stops every run that was recorded, and no other."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from outside import TENCENT, Outside

from .campaigns import Kill, every_kill, judge_kills
from .killer import mortal
from .test_trigger_kills import operation

_IN_THE_SUITE = 2
_NAME = "patch-openssl"
_HERE = ("-p", "tencent", "-r", "ap-guangzhou")
_ARGV = ("cancel", "--name", _NAME, *_HERE, "--hold", "1.6s", "--max-runs", "5", "--yes")


def killed(outside: Outside, kill: Kill) -> tuple[str, str]:
    """The hold, which dies at one of its journal writes; a run that joins it once the first was cancelled, and the
    last line of its messages.
    """
    started: list[str] = []
    ended = threading.Event()

    def start() -> None:
        while "CancelInvocation" not in outside.actions() and not ended.is_set():
            time.sleep(0.01)
        started.append(outside.add("tencent", name=_NAME, targets={"running": 2}))

    thread = threading.Thread(target=start)
    thread.start()
    done = mortal(outside, *kill, *_ARGV, before="from runcancel.engine import hold\nhold.LISTED_EVERY = 0.5\n")
    ended.set()
    thread.join()
    assert done.code in ((0, -signal.SIGKILL) if kill[1] else (0,)), str(done)  # how often it writes is not the same
    return started[0], done.err.splitlines()[-1] if done.err else ""


def kills(folder: Path) -> Iterator[Kill]:
    """Every moment of every write of a command that lives."""
    with Outside(folder) as outside:
        _, last = killed(outside, ("before", 0))
    assert int(last) >= 2 * 2 + 2
    yield from every_kill(int(last))


def killed_and_resumed(outside: Outside, kill: Kill) -> None:
    """Kill it, start another run that matches, and resume."""
    joined, _ = killed(outside, kill)
    later = outside.add("tencent", name=_NAME, targets={"running": 2})
    id = operation(outside, "cancel")
    if id is None:
        assert "CancelInvocation" not in outside.actions(), "something was sent before the intent was written down"
        return
    recorded = {one["run"] for one in outside.json("history", id)["outcomes"]}
    done = outside.run("cancel", "--resume", id, "-o", "json")
    assert done.code == 0, str(done)
    assert {TENCENT} <= recorded <= {TENCENT, joined}, recorded
    for ref in recorded:
        assert outside.truth(ref)["state"] in ("cancelled", "terminated"), f"{ref}\n{done}"
    assert outside.truth(later)["state"] == "running", str(done)
    assert "is not continued" in done.err


def test_whenever_it_is_killed_its_resume_stops_what_was_recorded(tmp_path: Path, soak: int) -> None:
    everything = list(kills(tmp_path / "whole"))
    judge_kills(
        everything,
        tmp_path,
        killed_and_resumed,
        soak=soak,
        few=_IN_THE_SUITE,
        dice=5,
        figure="kills at a journal write of a hold",
    )
