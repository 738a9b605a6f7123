"""Under a limit on memory every run gets its outcome, or nothing is sent: no command hangs and none dies."""

from collections.abc import Callable

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

from runcancel.runtime.throttle import StoppableClock
from runcancel.runtime.workers import Workers, start_daemon

RUNS = (TENCENT, COMMAND, KILLED)


@pytest.mark.parametrize("megabytes", [96, 160, 230])
def test_under_a_limit_on_memory_every_run_gets_its_outcome(outside: Outside, megabytes: int) -> None:
    """glibc takes 64 MB of address space for each thread, unless it is told not to."""
    more = [outside.add("tencent", targets={"running": 1}, runs_for=1e6) for _ in range(5)]

    done = outside.shell(f"ulimit -v {megabytes << 10}; runcancel cancel {' '.join((*RUNS, *more))} -o json")

    assert {each["verdict"] for each in done.document["outcomes"]} <= {"stopped", "reported", "partial"}, str(done)
    assert set(done.outcomes) == {*RUNS, *more}


@pytest.mark.parametrize("verb", ["cancel", "status"])
def test_with_too_little_memory_nothing_is_sent(outside: Outside, verb: str) -> None:
    done = outside.shell(f"ulimit -v {56 << 10}; runcancel {verb} {TENCENT}")

    assert done.code == 1, str(done)
    assert "out of memory" in done.err
    assert "nothing was sent" in done.err
    assert outside.requests() == []


def test_work_of_a_thread_that_died_before_it_ran_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new thread that finds no memory for its first frame dies without a word."""
    monkeypatch.setattr("runcancel.runtime.workers._BEGINS_WITHIN", 0.05)
    late: list[Callable[[], None]] = []
    done: list[int] = []

    def deadly(work: Callable[[], None]) -> None:
        late.append(work) if len(late) < 2 else start_daemon(work)

    results = [one.value() for one in Workers(StoppableClock(), spawn=deadly).map(done.append, range(5), queue=str)]
    for work in late:
        work()  # it was only slow: what it was started for is not done twice

    assert len(results) == 5
    assert sorted(done) == list(range(5))
