"""SIGKILL at any journal write of a `cancel --disable-triggers`: its resume ends in what an unbroken run ends in.

The trigger is disabled, and no run that it has started is left, also none that started after the kill.
"""

from collections.abc import Iterator
from pathlib import Path

from cli.test_returning import of_invoker
from outside import Outside

from .campaigns import Kill, every_kill, judge_kills
from .test_trigger_kills import killed, operation

_IN_THE_SUITE = 2
_HERE = ("-p", "tencent", "-r", "ap-guangzhou")


def kills(folder: Path) -> Iterator[Kill]:
    """Every moment of every write of a command that lives."""
    with Outside(folder) as outside:
        done = killed(outside, ("before", 0), "cancel", of_invoker(outside), "--disable-triggers", "--yes")
    writes = int(done.err.splitlines()[-1])
    assert writes >= 2 * 2 + 3  # an answer and an outcome for each, the intent, what is found meanwhile, the end
    yield from every_kill(writes)


def killed_and_resumed(outside: Outside, kill: Kill) -> None:
    """Kill it, let time pass as long as nobody notices, and resume it."""
    ref = of_invoker(outside)
    trigger = outside.json("status", ref, "--trigger")["runs"][0]["trigger"]
    before = {run["ref"] for run in outside.json("list", *_HERE)["runs"]} - {ref}
    killed(outside, kill, "cancel", ref, "--disable-triggers", "--yes")
    outside.box.clock.advance(3600.0)
    outside.json("list", *_HERE)
    id = operation(outside, "cancel")
    if id is None:
        assert "DisableInvoker" not in outside.actions(), "something was sent before the intent was written down"
        return
    done = outside.run("cancel", "--resume", id, "-o", "json")
    assert done.code == 0, str(done)
    states = {one["ref"]: one["state"] for one in outside.json("triggers", *_HERE)["triggers"]}
    assert states[trigger] == "disabled", str(done)
    left = {run["ref"] for run in outside.json("list", *_HERE)["runs"]} - before
    assert not left, f"{left} runs on\n{done}"
    restored = outside.run("enable", "--operation", id, "--yes", "-o", "json")
    assert [one["verdict"] for one in restored.document["outcomes"]] == ["enabled"], str(restored)


def test_whenever_it_is_killed_its_resume_leaves_nothing_running(tmp_path: Path, soak: int) -> None:
    everything = list(kills(tmp_path / "whole"))
    judge_kills(
        everything,
        tmp_path,
        killed_and_resumed,
        soak=soak,
        few=_IN_THE_SUITE,
        dice=17,
        figure="kills at a journal write of a cancel that disables triggers",
    )
