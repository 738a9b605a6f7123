"""SIGKILL at any moment of a cancel: nothing is lost, a resume comes to the end that an undisturbed cancel has."""

import random
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from outside import Done, Outside, id_of

from .conftest import FIGURES
from .killer import mortal

_SPEC = {"targets": {"running": 2, "pending": 1}, "runs_for": 1e6, "waits_for": 1e6}
_END = {"terminated": 2, "cancelled": 1}
_KINDS = (("tencent", "invocation"), ("alibaba", "invocation"), ("aws", "command"))
_AT_ONCE = 4


def fleet(outside: Outside, count: int) -> list[str]:
    """Runs of all three clouds; fewest where the documented rate makes them slowest."""
    share = {"tencent": count // 5, "alibaba": 2 * count // 5, "aws": count - count // 5 - 2 * count // 5}
    return [outside.add(cloud, kind, **_SPEC) for cloud, kind in _KINDS for _ in range(share[cloud])]


def history(outside: Outside) -> list[Any]:
    """The operations, as another process reads them."""
    done = outside.run("history", "-o", "json")
    assert done.code == 0, str(done)
    found: list[Any] = done.document["operations"]
    for operation in found:
        one = outside.run("history", operation["id"], "-o", "json")
        assert one.code == 0, str(one)
    return found


def resumed(outside: Outside, refs: list[str]) -> None:
    """Resume what was killed, or begin where nothing was begun, and hold the end against the truth."""
    operations = history(outside)
    if operations:
        (operation,) = operations
        assert sum(operation["counts"].values()) == len(refs), operation
        argv = ("cancel", "--resume", operation["id"], "--accept-reported", "--max-runs", "1000")
    else:
        assert not outside.writes(), "something was asked before the intent was written down"
        argv = ("cancel", *refs, "--accept-reported", "--max-runs", "1000")

    done = outside.run(*argv, "--accept-reported", "-o", "json", patience=180)

    assert done.code == 0, str(done)[-3000:]
    wrong = {ref: outside.states(ref) for ref in refs if outside.states(ref) != _END}
    assert not wrong
    twice = [ref for ref in refs if any(one["cancels"] != 1 for one in outside.truth(ref)["targets"])]
    assert not twice
    effective = Counter(id for one in outside.writes() if one["effective"] for id in _ids(one["params"]))
    assert effective == dict.fromkeys(map(id_of, refs), 1)
    (after,) = history(outside)
    assert (after["state"], after["exit_code"]) == ("done", 0)
    assert set(after["counts"]) <= {"stopped", "reported", "ended"}
    FIGURES["kills survived"] += 1
    FIGURES["runs in killed cancels"] += len(refs)


def _ids(params: dict[str, Any]) -> list[str]:
    return [str(params[key]) for key in ("InvocationId", "InvokeId", "CommandId") if key in params]


def cancelled(outside: Outside, moment: str, number: int, refs: list[str]) -> Done:
    """What a cancel did that dies at one of its journal writes."""
    return mortal(outside, moment, number, "cancel", *refs, "--accept-reported", "-o", "json")


def test_killed_at_a_journal_write_and_resumed(tmp_path: Path, soak: int) -> None:
    with Outside(tmp_path / "whole", fleet=False) as outside:
        done = cancelled(outside, "before", 0, fleet(outside, 10))
        assert done.code == 0, done.err
        writes = int(done.err.splitlines()[-1])
    assert writes >= 2 * 10 + 3  # an answer and an outcome for each, the intent, the end

    moments = [(number, moment) for number in range(1, writes + 1) for moment in ("before", "after")]
    chosen = moments if soak else random.Random(7).sample(moments, k=4)

    def killed(number: int, moment: str) -> None:
        with Outside(tmp_path / f"{number}-{moment}", fleet=False) as outside:
            refs = fleet(outside, 10)
            done = cancelled(outside, moment, number, refs)
            if done.code == 0 and int(done.err.splitlines()[-1]) < number:
                return  # how often a run is read, and what is noted then, is not the same each time
            assert done.code == -signal.SIGKILL, done.err
            resumed(outside, refs)
            FIGURES["kills at a journal write"] += 1

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for one, at in [(pool.submit(killed, *each), each) for each in chosen]:
            try:
                one.result()
            except AssertionError as error:
                pytest.fail(f"killed {at[1]} journal write {at[0]} of {writes}: {error}")


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_a_bug_of_the_journal_is_one_warning_and_the_cancel_goes_on(tmp_path: Path, number: int) -> None:
    with Outside(tmp_path, fleet=False) as outside:
        refs = fleet(outside, 5)

        done = cancelled(outside, "raise", number, refs)

        assert done.code == 0, done.err
        assert done.err.count("the journal failed (AttributeError)") == 1
        assert all(outside.states(ref) == _END for ref in refs)


def test_a_bug_of_a_required_journal_refuses_before_anything_is_sent(tmp_path: Path) -> None:
    with Outside(tmp_path, fleet=False) as outside:
        done = cancelled(outside, "raise", 1, [*fleet(outside, 5), "--require-journal"])

        assert done.code == 6, done.err
        assert "nothing was sent" in done.err
        assert outside.writes() == []


def test_a_cancel_of_500_runs_killed_at_a_random_moment_and_resumed(tmp_path: Path, soak: int) -> None:
    size, kills = (500, max(2, soak // 40)) if soak else (100, 2)
    whole = size * 4  # about as many requests as it makes; those after the last asked are killed while watching
    moments = [random.Random(f"kill {number}").randint(1, whole) for number in range(kills)]

    for number, moment in enumerate(moments):
        with Outside(tmp_path / str(number), fleet=False) as outside:
            refs = fleet(outside, size)
            _killed_after(outside, refs, requests=moment)
            try:
                resumed(outside, refs)
            except AssertionError as error:
                pytest.fail(f"killed after {moment} requests: {error}")
            FIGURES["kills at a random moment"] += 1


def _killed_after(outside: Outside, refs: list[str], *, requests: int) -> None:
    """Start a cancel and kill it once the sandbox was asked so often, or at its end; read the journal meanwhile."""
    argv = ("cancel", *refs, "--max-runs", "1000", "-o", "json")
    child = outside.start(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    read = False
    try:
        while len(outside.box.log) < requests and child.poll() is None:
            if not read and len(outside.box.log) > requests // 2:
                history(outside)
                read = True
            time.sleep(0.002)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
