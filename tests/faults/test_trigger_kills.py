"""SIGKILL at any journal write of a change of triggers: a resume ends it, a restore leaves the world as it was."""

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cli.test_returning import of_invoker, of_window
from outside import Done, Outside

from .campaigns import Kill, every_kill, judge_kills
from .killer import mortal
from .trigger_cases import RULE, VACUUM, WINDOW, invoker, truths

_IN_THE_SUITE = 1

Story = Callable[[Outside, Mapping[str, bool], Kill], None]


def killed(outside: Outside, kill: Kill, *argv: str) -> Done:
    """Run a command that dies at one of its journal writes."""
    done = mortal(outside, *kill, *argv)
    assert done.code == (-signal.SIGKILL if kill[1] else 0), str(done)
    return done


def selected(outside: Outside) -> list[str]:
    """A trigger of each kind that is enabled, and a window that is disabled already."""
    return [WINDOW, RULE, invoker(outside), VACUUM]


def disable(outside: Outside, *, kill: Kill = ("before", 0)) -> Done:
    return killed(outside, kill, "disable", *selected(outside))


def operation(outside: Outside, verb: str) -> str | None:
    """The operation of a verb that was begun last."""
    found = (one["id"] for one in outside.json("history")["operations"] if one["verb"] == verb)
    return next(found, None)


def both(outside: Outside, *, kill: Kill = ("before", 0)) -> tuple[tuple[str, ...], Done]:
    """Cancel a run of each cloud after its trigger; the runs. How often it writes depends on what it reads."""
    runs = of_window(outside), of_invoker(outside)
    done = mortal(outside, *kill, "cancel", *runs, "--disable-triggers")
    assert done.code in ((0, 3, -signal.SIGKILL) if kill[1] else (0, 3)), str(done)
    return runs, done


def restored(outside: Outside, at_first: Mapping[str, bool], verb: str = "disable") -> None:
    """Enable what an operation disabled, and find everything as it was."""
    id = operation(outside, verb)
    if id is None:
        assert truths(outside) == at_first, "something was sent before the intent was written down"
        return
    wrong = {ref: state for ref, state in truths(outside).items() if state and not at_first[ref]}
    assert not wrong, wrong
    done = outside.run("enable", "--operation", id, *confirmation(outside, id), "-o", "json")
    assert done.code == 0, str(done)
    assert truths(outside) == at_first, str(done)


def confirmation(outside: Outside, id: str) -> tuple[str, str]:
    """What confirms a restore in two accounts: how many triggers it enables."""
    planned = outside.json("enable", "--operation", id, "-n")["triggers"]
    return "--confirm", str(sum(one["send"] for one in planned))


def killed_disable_is_restored(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    disable(outside, kill=kill)
    restored(outside, at_first)


def killed_disable_is_resumed_and_restored(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    disable(outside, kill=kill)
    id = operation(outside, "disable")
    if id is not None:
        done = outside.run("disable", "--resume", id, "-o", "json")
        assert done.code == 0, str(done)
        assert truths(outside) == at_first | dict.fromkeys(selected(outside), False), str(done)
    restored(outside, at_first)


def killed_restore_is_resumed(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    disable(outside)
    first = operation(outside, "disable")
    assert first is not None
    killed(outside, kill, "enable", "--operation", first, "--confirm", "3")
    id = operation(outside, "enable")
    again = ("--operation", first, "--confirm", "3") if id is None else ("--resume", id)
    done = outside.run("enable", *again, "-o", "json")
    assert done.code == 0, str(done)
    assert truths(outside) == at_first, str(done)
    assert outside.run("enable", "--operation", "last", "--yes").code == 5, "there is nothing left to restore"


def killed_restore_is_restored_again(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    disable(outside)
    killed(outside, kill, "enable", "--operation", "last", "--confirm", "3")
    restored(outside, at_first)


def killed_cancel_is_resumed_and_restored(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    """Whatever was sent before, the resume disables both triggers and cancels both runs, each at most once."""
    runs, _ = both(outside, kill=kill)
    id = operation(outside, "cancel")
    if id is not None:
        triggers = [run["trigger"] for run in outside.json("status", *runs, "--trigger")["runs"]]
        done = outside.run("cancel", "--resume", id, "-o", "json")
        assert done.code in (0, 3), str(done)
        assert truths(outside) == at_first | dict.fromkeys(triggers, False), str(done)
        targets = [target for ref in runs for target in outside.truth(ref)["targets"]]
        assert not [one for one in targets if one["state"] in ("pending", "delivering", "delayed")], str(done)
        assert not [one for one in targets if one["cancels"] > 1], str(done)
    restored(outside, at_first, "cancel")


def killed_cancel_is_restored(outside: Outside, at_first: Mapping[str, bool], kill: Kill) -> None:
    both(outside, kill=kill)
    id = operation(outside, "cancel")
    if id is None or outside.run("enable", "--operation", id, "-n").code != 2:  # else it has disabled nothing
        restored(outside, at_first, "cancel")
    assert truths(outside) == at_first


STORIES: Mapping[str, tuple[Story, str]] = {
    "cancel, resumed and restored": (killed_cancel_is_resumed_and_restored, "cancel"),
    "cancel, restored": (killed_cancel_is_restored, "cancel"),
    "disable, restored": (killed_disable_is_restored, "disable"),
    "disable, resumed and restored": (killed_disable_is_resumed_and_restored, "disable"),
    "restore, resumed": (killed_restore_is_resumed, "enable"),
    "restore, restored again": (killed_restore_is_restored_again, "enable"),
}


def kills(folder: Path, verb: str) -> Iterator[Kill]:
    """Every moment of every write of a command that lives."""
    with Outside(folder) as outside:
        done = disable(outside) if verb != "cancel" else both(outside)[1]
        if verb == "enable":
            done = killed(outside, ("before", 0), "enable", "--operation", "last", "--confirm", "3")
        writes = int(done.err.splitlines()[-1])
    assert writes >= 2 * 3 + 3  # an answer and an outcome for each, the intent, the end
    yield from every_kill(writes)


@pytest.mark.parametrize("name", STORIES)
def test_whenever_it_is_killed_the_world_ends_as_it_should(tmp_path: Path, soak: int, name: str) -> None:
    story, verb = STORIES[name]
    everything = list(kills(tmp_path / "whole", verb))

    judge_kills(
        everything,
        tmp_path,
        lambda outside, kill: story(outside, truths(outside), kill),
        soak=soak,
        few=_IN_THE_SUITE,
        dice=name,
        figure="kills at a journal write of a change of triggers",
    )
