"""Tasks in queues, and signals: results in order of arrival, and a way out within a second."""

import signal
import textwrap
import threading
import time
from collections.abc import Callable
from itertools import islice

import pytest
from fakes import hand_workers
from outside import script

from runcancel.errors import Interrupted
from runcancel.model.runs import Scope
from runcancel.runtime.throttle import StoppableClock
from runcancel.runtime.workers import GRACE, TaskGroup, Workers, start_daemon


def workers() -> Workers:
    return Workers(StoppableClock())


def scope(provider: str, number: int) -> Scope:
    return Scope(provider=provider, region=f"r-{number}")


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_results_come_in_order_of_arrival() -> None:
    done = [one.value() for one in workers().map(nap, [0.15, 0.0, 0.07], queue=str)]

    assert done == [0.0, 0.07, 0.15]


def test_a_queue_that_hangs_holds_up_no_other() -> None:
    release = threading.Event()

    def work(item: tuple[str, int]) -> int:
        if item[0] == "hung":
            release.wait(5)
        return item[1]

    items = [("hung", number) for number in range(20)] + [("quick", number) for number in range(20)]
    results = workers().map(work, items, queue=lambda item: item[0])
    first = [one.item[0] for one in islice(results, 20)]
    release.set()

    assert first == ["quick"] * 20
    assert [one.item[0] for one in results] == ["hung"] * 20


def test_a_queue_has_few_threads_and_each_item_is_done_once() -> None:
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

    done = [one.value() for one in workers().map(work, range(100), queue=lambda item: "one")]

    assert sorted(done) == list(range(100))
    assert max(at_once) <= 8


def test_what_the_work_raises_reaches_the_caller() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise KeyError("ours")
        return item

    done = {one.item: one for one in workers().map(work, range(3), queue=lambda item: item)}

    assert (done[0].value(), done[2].value()) == (0, 2)
    with pytest.raises(KeyError):
        done[1].value()


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(workers().map(lambda item: item, [], queue=str)) == []


def test_ten_thousand_scopes_are_a_queue_and_not_ten_thousand_threads() -> None:
    before, most = threading.active_count(), 0

    def work(item: Scope) -> Scope:
        nonlocal most
        most = max(most, threading.active_count() - before)
        return item

    scopes = [scope(("aws", "alibaba", "tencent")[number % 3], number) for number in range(10_000)]

    assert {one.value() for one in workers().map(work, scopes, queue=lambda one: one)} == set(scopes)
    assert most <= 64


def test_hung_scopes_of_two_clouds_leave_threads_for_the_third() -> None:
    real, release, hung = workers(), threading.Event(), set[int]()

    def work(item: Scope) -> Scope:
        if item.provider != "tencent":
            hung.add(threading.get_ident())
            release.wait(10)
        return item

    scopes = [scope(name, number) for name in ("aws", "alibaba", "tencent") for number in range(200)]
    results = real.map(work, scopes, queue=lambda one: one)
    first = {one.item.provider for one in islice(results, 200)}
    held = len(hung)
    release.set()

    assert first == {"tencent"}
    assert held <= 48  # of 64; one cloud alone has at most 32
    assert len(list(results)) == 400


def test_scopes_that_never_answer_leave_threads_for_those_that_did() -> None:
    real, release = workers(), threading.Event()
    real.record_response(scope("aws", 999), responsive=True)

    def work(item: tuple[Scope, int]) -> int:
        if item[0].region != "r-999":
            release.wait(10)
        return item[1]

    items = [(scope("aws", number), number) for number in range(200)]
    items += [(scope("aws", 999), number) for number in range(1000, 1100)]
    results = real.map(work, items, queue=lambda item: item[0])
    first = [one.value() for one in islice(results, 100)]
    release.set()

    assert min(first) >= 1000
    assert len(list(results)) == 200


def test_one_call_is_in_flight_until_a_scope_answers() -> None:
    real, busy, most = workers(), 0, dict[str, int]()
    lock = threading.Lock()

    def work(item: tuple[str, int]) -> None:
        nonlocal busy
        with lock:
            busy += 1
            most[item[0]] = max(most.get(item[0], 0), busy)
        time.sleep(0.005)
        with lock:
            busy -= 1
        if item[0] == "silent":
            real.record_response("silent", responsive=False)

    for name in ("silent", "answers"):
        list(real.map(work, [(name, number) for number in range(20)], queue=lambda item: item[0]))

    assert most["silent"] == 1
    assert 1 < most["answers"] <= 8


def test_sends_go_before_reads_and_do_not_starve_them() -> None:
    real, release = workers(), threading.Event()
    real.record_response("one", responsive=True)
    began: list[str] = []

    def work(item: str) -> None:
        began.append(item)
        if item == "send":
            release.wait(0.05)

    tasks = TaskGroup[str, None](real, work)
    for item in ["read"] * 5 + ["send"] * 50:
        tasks.submit(item, queue="one", send=item == "send")
    tasks.submit("late read", queue="one")
    results = [tasks.next(None) for _ in range(56)]

    assert all(results)
    assert "late read" in began[:20]


def test_a_delayed_task_starts_when_its_time_has_come() -> None:
    clock, by_hand = hand_workers()
    began: list[tuple[str, float]] = []
    tasks = TaskGroup[str, None](by_hand, lambda item: began.append((item, clock.now)))
    tasks.submit("later", queue="one", not_before=1003.0)
    tasks.submit("sooner", queue="one", not_before=1001.0)
    tasks.submit("now", queue="one")

    assert all(tasks.next(None) for _ in range(3))
    assert began == [("now", 1000.0), ("sooner", 1001.0), ("later", 1003.0)]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_where_threads_run_out_those_there_are_do_the_work(threads: int) -> None:
    """The system gives `threads` and then no more: each item is done, at the worst on the caller's thread."""
    started: list[bool] = []

    def scarce(work: Callable[[], None]) -> None:
        if len(started) >= threads:
            raise RuntimeError("can't start new thread")
        started.append(True)
        start_daemon(work)

    real = Workers(StoppableClock(), spawn=scarce)
    done = [one.value() for one in real.map(lambda item: item * 2, range(50), queue=lambda item: item % 7)]

    assert sorted(done) == [item * 2 for item in range(50)]


def test_threads_that_come_free_again_are_used_again() -> None:
    running, most, refusing = 0, 0, [True]
    lock = threading.Lock()

    def scarce(work: Callable[[], None]) -> None:
        nonlocal running, most
        with lock:
            if refusing[0] and running >= 2:
                raise RuntimeError("can't start new thread")
            running += 1
            most = max(most, running)
        start_daemon(lambda: alive(work))

    def alive(work: Callable[[], None]) -> None:
        nonlocal running
        try:
            work()
        finally:
            with lock:
                running -= 1

    real = Workers(StoppableClock(), spawn=scarce)
    list(real.map(lambda _: time.sleep(0.01), range(20), queue=lambda item: item))
    before, refusing[0], most = most, False, 0
    list(real.map(lambda _: time.sleep(0.01), range(100), queue=lambda item: item))

    assert before <= 4 < most


def test_who_stops_taking_results_drops_what_has_not_started() -> None:
    real, began, release = workers(), list[int](), threading.Event()

    def work(item: int) -> None:
        began.append(item)
        if item:
            release.wait(10)

    results = real.map(work, range(1000), queue=lambda item: "one")
    assert next(results).item == 0
    results.close()
    release.set()

    assert [one.value() for one in real.map(lambda item: item, range(3), queue=lambda item: "one")] == [0, 1, 2]
    assert len(began) <= 9


def test_waiting_ticks_and_ends_in_time() -> None:
    clock, by_hand = hand_workers()
    ticks: list[float] = []
    by_hand.tick = lambda: ticks.append(clock.now)

    assert TaskGroup[int, int](by_hand, lambda item: item).next(1.0) is None

    assert clock.now == 1001.0
    assert len(ticks) >= 3


def test_what_is_there_is_taken_without_waiting() -> None:
    clock, by_hand = hand_workers()
    tasks = TaskGroup[int, int](by_hand, lambda item: item * 2)
    tasks.submit(4, queue="a")

    done = tasks.next(0)

    assert done is not None
    assert (done.value(), clock.now) == (8, 1000.0)


def test_a_signal_before_a_pass_lets_nothing_begin() -> None:
    _, by_hand = hand_workers()
    begun: list[int] = []
    by_hand._on_signal(signal.SIGTERM, None)

    with pytest.raises(Interrupted) as caught:
        list(by_hand.map(begun.append, [1, 2], queue=str))

    assert (caught.value.signum, begun) == (signal.SIGTERM, [])
    assert by_hand.clock.stopped


def test_a_signal_lets_what_is_in_flight_come_back_and_begins_nothing_new() -> None:
    real = workers()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.2)
        return item

    real.record_response("one", responsive=True)
    threading.Timer(0.1, lambda: real._on_signal(signal.SIGINT, None)).start()
    delivered: list[int] = []
    with pytest.raises(Interrupted):
        delivered.extend(one.value() for one in real.map(work, range(40), queue=lambda item: "one"))

    assert sorted(delivered) == sorted(begun) == list(range(8))


def test_the_grace_is_one_deadline_though_results_still_arrive() -> None:
    real, began_work = workers(), threading.Semaphore(0)

    def work(seconds: float) -> float:
        began_work.release()
        return nap(seconds)

    tasks = TaskGroup[float, float](real, work)
    for item in (0.05, 0.15, 30.0):
        tasks.submit(item, queue=item)
        assert began_work.acquire(timeout=10)
    real._on_signal(signal.SIGINT, None)
    began = time.monotonic()
    delivered: list[float] = []

    with pytest.raises(Interrupted):
        delivered.extend(done.value() for done in iter(lambda: tasks.next(None), None))

    assert delivered == [0.05, 0.15]
    assert GRACE - 0.1 < time.monotonic() - began < 15


def test_the_grace_is_not_cut_short_by_an_impatient_caller() -> None:
    real, began = workers(), threading.Event()
    tasks = TaskGroup[float, float](real, lambda seconds: began.set() or nap(seconds))
    tasks.submit(0.3, queue="a")
    assert began.wait(10)
    real._on_signal(signal.SIGINT, None)

    done = tasks.next(0.01)

    assert done is not None
    assert done.value() == 0.3


def test_a_signal_while_something_else_waited_is_not_lost() -> None:
    _, by_hand = hand_workers()
    outer = TaskGroup[int, int](by_hand, lambda item: item)
    by_hand.pause(1.0)
    by_hand._on_signal(signal.SIGINT, None)

    with pytest.raises(Interrupted):
        outer.next(None)


PROGRAM = """
    import os, signal, sys, threading, time
    from runcancel.errors import Interrupted
    from runcancel.runtime.workers import Workers
    from runcancel.runtime.throttle import StoppableClock

    workers = Workers(StoppableClock())
    workers.install()

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
    child = script(program)
    out, err = child.communicate(timeout=20)
    assert "Traceback" not in err
    return child.wait(), out.splitlines()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_within_a_second_after_what_was_in_flight(signum: signal.Signals) -> None:
    code, lines = run(f"""
        def work(seconds):
            time.sleep(seconds)
            return seconds
        kill_after(0.1, {int(signum)})
        for done in workers.map(work, [0.3, 60.0], queue=str):
            say("done", done.value())
    """)

    assert code == 128 + signum
    assert lines == ["done 0.3", f"interrupted {int(signum)} quick"]


def test_a_second_signal_leaves_at_once() -> None:
    began = time.monotonic()
    code, lines = run("""
        kill_after(0.1, signal.SIGINT, signal.SIGTERM)
        list(workers.map(time.sleep, [60.0], queue=str))
    """)

    assert (code, lines) == (128 + signal.SIGTERM, [])
    assert time.monotonic() - began < 5


def test_a_signal_during_a_pause_ends_it() -> None:
    code, lines = run("""
        kill_after(0.1, signal.SIGINT)
        workers.pause(60)
    """)

    assert (code, lines) == (130, ["interrupted 2 quick"])


def test_a_signal_before_the_pass_is_raised_when_it_begins() -> None:
    code, lines = run("""
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        say("rendered")
        list(workers.map(lambda item: say("never"), [1], queue=str))
    """)

    assert (code, lines) == (130, ["rendered", "interrupted 2 quick"])


def test_what_the_caller_ignores_stays_ignored() -> None:
    code, lines = run("""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        workers.install()
        os.kill(os.getpid(), signal.SIGHUP)
        workers.pause(0.05)
        say("still here", signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
    """)

    assert (code, lines) == (0, ["still here True"])
