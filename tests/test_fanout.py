"""Work in lanes and signals: results in order of arrival, and a way out within a second."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import islice

import pytest
from fakes import hand_desk

from runcancel.errors import Interrupted
from runcancel.fanout import GRACE, Desk, Pass
from runcancel.pace import StoppableClock


def desk() -> Desk:
    return Desk(StoppableClock())


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_results_come_in_order_of_arrival() -> None:
    done = [one.value() for one in desk().fanout(nap, [0.15, 0.0, 0.07], lane=str)]

    assert done == [0.0, 0.07, 0.15]


def test_a_lane_that_hangs_holds_up_no_other() -> None:
    release = threading.Event()

    def work(item: tuple[str, int]) -> int:
        if item[0] == "hung":
            release.wait(5)
        return item[1]

    items = [("hung", number) for number in range(20)] + [("quick", number) for number in range(20)]
    results = desk().fanout(work, items, lane=lambda item: item[0])
    first = [one.item[0] for one in islice(results, 20)]
    release.set()

    assert first == ["quick"] * 20
    assert [one.item[0] for one in results] == ["hung"] * 20


def test_a_lane_has_few_threads_and_each_item_is_done_once() -> None:
    at_once: list[int] = []
    busy = 0
    lock = threading.Lock()

    def work(item: int) -> int:
        nonlocal busy
        with lock:
            busy += 1
            at_once.append(busy)
        time.sleep(0.002)
        with lock:
            busy -= 1
        return item

    done = [one.value() for one in desk().fanout(work, range(100), lane=lambda item: "one")]

    assert sorted(done) == list(range(100))
    assert max(at_once) <= 8


def test_what_the_work_raises_reaches_the_caller() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise KeyError("ours")
        return item

    done = {one.item: one for one in desk().fanout(work, range(3), lane=lambda item: item)}

    assert (done[0].value(), done[2].value()) == (0, 2)
    with pytest.raises(KeyError):
        done[1].value()


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(desk().fanout(lambda item: item, [], lane=str)) == []


def test_waiting_ticks_and_ends_in_time() -> None:
    clock, by_hand = hand_desk()
    ticks: list[float] = []
    by_hand.tick = lambda: ticks.append(clock.now)

    assert Pass[int, int](by_hand, lambda item: item).next(1.0) is None

    assert clock.now == 1001.0
    assert len(ticks) >= 3


def test_what_is_there_is_taken_without_waiting() -> None:
    clock, by_hand = hand_desk()
    lanes = Pass[int, int](by_hand, lambda item: item * 2)
    lanes.submit(4, lane="a")

    done = lanes.next(0)

    assert done is not None
    assert (done.value(), clock.now) == (8, 1000.0)


def test_a_signal_before_a_pass_lets_nothing_begin() -> None:
    _, by_hand = hand_desk()
    begun: list[int] = []
    by_hand._on_signal(signal.SIGTERM, None)

    with pytest.raises(Interrupted) as caught:
        list(by_hand.fanout(begun.append, [1, 2], lane=str))

    assert (caught.value.signum, begun) == (signal.SIGTERM, [])
    assert by_hand.clock.stopped


def test_a_signal_lets_what_is_in_flight_come_back_and_begins_nothing_new() -> None:
    real = desk()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.2)
        return item

    threading.Timer(0.1, lambda: real._on_signal(signal.SIGINT, None)).start()
    delivered: list[int] = []
    with pytest.raises(Interrupted):
        delivered.extend(one.value() for one in real.fanout(work, range(40), lane=lambda item: "one"))

    assert sorted(delivered) == sorted(begun) == list(range(8))


def test_the_grace_is_one_deadline_though_results_still_arrive() -> None:
    real = desk()

    lanes = Pass[float, float](real, nap)
    for item in (0.05, 0.15, 30.0):
        lanes.submit(item, lane=item)
    real._on_signal(signal.SIGINT, None)
    began = time.monotonic()
    delivered: list[float] = []

    with pytest.raises(Interrupted):
        delivered.extend(done.value() for done in iter(lambda: lanes.next(None), None))

    assert delivered == [0.05, 0.15]
    assert GRACE - 0.1 < time.monotonic() - began < GRACE + 0.4


def test_the_grace_is_not_cut_short_by_an_impatient_caller() -> None:
    real = desk()
    lanes = Pass[float, float](real, nap)
    lanes.submit(0.3, lane="a")
    real._on_signal(signal.SIGINT, None)

    done = lanes.next(0.01)

    assert done is not None
    assert done.value() == 0.3


def test_a_signal_while_something_else_waited_is_not_lost() -> None:
    _, by_hand = hand_desk()
    outer = Pass[int, int](by_hand, lambda item: item)
    by_hand.pause(1.0)
    by_hand._on_signal(signal.SIGINT, None)

    with pytest.raises(Interrupted):
        outer.next(None)


PROGRAM = """
    import os, signal, sys, threading, time
    from runcancel.errors import Interrupted
    from runcancel.fanout import Desk
    from runcancel.pace import StoppableClock

    desk = Desk(StoppableClock())
    desk.install()

    def kill_after(seconds, *signums):
        def kill():
            for signum in signums:
                time.sleep(seconds)
                os.kill(os.getpid(), signum)
        threading.Thread(target=kill, daemon=True).start()

    def say(*words):
        print(*words, flush=True)

    began = time.monotonic()
    try:
        {body}
    except Interrupted as error:
        say("interrupted", error.signum, "quick" if time.monotonic() - began < 1.0 else "slow")
        sys.exit(128 + error.signum)
"""


def run(body: str) -> tuple[int, list[str]]:
    program = textwrap.dedent(PROGRAM).replace("{body}", textwrap.indent(textwrap.dedent(body), " " * 4).strip())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_pass_within_a_second_after_what_was_in_flight(signum: signal.Signals) -> None:
    code, lines = run(f"""
        def work(seconds):
            time.sleep(seconds)
            return seconds
        kill_after(0.1, {int(signum)})
        for done in desk.fanout(work, [0.3, 60.0], lane=str):
            say("done", done.value())
    """)

    assert code == 128 + signum
    assert lines == ["done 0.3", f"interrupted {int(signum)} quick"]


def test_a_second_signal_leaves_at_once() -> None:
    began = time.monotonic()
    code, lines = run("""
        kill_after(0.1, signal.SIGINT, signal.SIGTERM)
        list(desk.fanout(time.sleep, [60.0], lane=str))
    """)

    assert (code, lines) == (128 + signal.SIGTERM, [])
    assert time.monotonic() - began < 5


def test_a_signal_during_a_pause_ends_it() -> None:
    code, lines = run("""
        kill_after(0.1, signal.SIGINT)
        desk.pause(60)
    """)

    assert (code, lines) == (130, ["interrupted 2 quick"])


def test_a_signal_before_the_pass_is_raised_when_it_begins() -> None:
    code, lines = run("""
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        say("rendered")
        list(desk.fanout(lambda item: say("never"), [1], lane=str))
    """)

    assert (code, lines) == (130, ["rendered", "interrupted 2 quick"])


def test_what_the_caller_ignores_stays_ignored() -> None:
    code, lines = run("""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        desk.install()
        os.kill(os.getpid(), signal.SIGHUP)
        desk.pause(0.05)
        say("still here", signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
    """)

    assert (code, lines) == (0, ["still here True"])
