"""SIGKILL at any journal write of a `cancel --hold`: its resume stops every run that was recorded, and no other."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from outside import TENCENT, Outside

from .conftest import FIGURES
from .killer import mortal
from .test_trigger_kills import Kill, operation

_AT_ONCE = 4
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
    yield from ((moment, number) for number in range(1, int(last) + 1) for moment in ("before", "after"))


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
    chosen = everything if soak else random.Random(5).sample(everything, k=_IN_THE_SUITE)

    def judged(kill: Kill) -> tuple[Kill, str]:
        with Outside(tmp_path / f"{kill[1]}-{kill[0]}") as outside:
            try:
                killed_and_resumed(outside, kill)
            except AssertionError as error:
                return kill, str(error)
            FIGURES["kills at a journal write of a hold"] += 1
            return kill, ""

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        wrong = [f"killed {kill[0]} journal write {kill[1]}: {lie}" for kill, lie in pool.map(judged, chosen) if lie]
    assert not wrong, "\n\n".join(wrong)
