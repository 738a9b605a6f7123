"""When the next call may go: never faster than the rate, never after a stop, again only where that is safe."""

import threading
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from fakes import HandClock
from hypothesis import given, settings
from hypothesis import strategies as st

from runcancel.errors import IN_DOUBT, CloudError
from runcancel.pace import ASK_AGAIN, GIVE_UP_AFTER, GIVE_UP_FOR, READ_AGAIN, Bucket, Pace, StoppableClock
from runcancel.vocabulary import Reason


class Calls:
    """An API that fails as told, one reason after the other, and then answers."""

    def __init__(self, clock: StoppableClock, *errors: CloudError) -> None:
        self._clock = clock
        self._errors = list(errors)
        self.moments: list[float] = []

    def __call__(self) -> str:
        self.moments.append(self._clock.monotonic())
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def error(reason: Reason, retry_after: float | None = None) -> CloudError:
    return CloudError(reason, "no", retry_after=retry_after)


def errors(reason: Reason, count: int) -> Iterable[CloudError]:
    return (error(reason) for _ in range(count))


@settings(deadline=None)  # a loaded machine is no failure
@given(
    rate=st.floats(0.2, 50),
    burst=st.floats(1, 50),
    gaps=st.lists(st.floats(0, 3) | st.just(0.0), min_size=1, max_size=60),
)
def test_no_window_lets_more_through_than_rate_and_burst(rate: float, burst: float, gaps: list[float]) -> None:
    bucket = Bucket(rate, burst)
    now, starts = 100.0, []
    for gap in gaps:
        now += gap
        starts.append(now + bucket.reserve(now))

    assert starts == sorted(starts)
    for first, begin in enumerate(starts):
        for last, end in enumerate(starts[first:], start=first):
            assert last - first + 1 <= burst + rate * (end - begin) + 1e-6


@settings(deadline=None)  # a loaded machine is no failure
@given(rate=st.floats(0.2, 50), wait=st.floats(0.1, 30))
def test_after_a_hold_nobody_comes_early_and_there_is_no_burst(rate: float, wait: float) -> None:
    bucket = Bucket(rate, burst=max(1.0, rate))

    bucket.hold(50.0 + wait)
    waits = [bucket.reserve(50.0) for _ in range(3)]

    assert waits[0] == pytest.approx(wait, abs=1e-6)
    assert [later - sooner for sooner, later in pairwise(waits)] == pytest.approx([1 / rate] * 2)


def test_a_documented_rate_is_not_used_up_because_calls_do_not_arrive_as_evenly_as_they_leave() -> None:
    clock = HandClock()
    calls = Calls(clock)
    pace = Pace(clock)

    for _ in range(4):
        pace.call("A", calls, rate=1)

    assert [later - sooner for sooner, later in pairwise(calls.moments)] == pytest.approx([1 / 0.95] * 3)


def test_an_idle_bucket_saves_no_more_than_its_burst() -> None:
    bucket = Bucket(rate=2, burst=3)

    waits = [bucket.reserve(1_000_000.0) for _ in range(5)]

    assert waits == pytest.approx([0, 0, 0, 0.5, 1.0])


def test_each_api_of_a_scope_has_a_rate_of_its_own() -> None:
    clock = HandClock()
    pace = Pace(clock)
    slow, quick = Calls(clock), Calls(clock)

    for _ in range(3):
        pace.call("Slow", slow, rate=1)
    began = clock.now
    pace.call("Quick", quick, rate=20)

    assert [later - 1000.0 for later in slow.moments] == pytest.approx([0, 1, 2], rel=0.06)
    assert quick.moments == [began]


def test_a_servers_retry_after_wins_and_holds_the_others_too() -> None:
    clock = HandClock()
    pace = Pace(clock, jitter=lambda: 0.0)
    throttled, other = Calls(clock, *(error(Reason.BUSY, retry_after=37.0) for _ in range(5))), Calls(clock)

    with pytest.raises(CloudError):
        pace.call("A", throttled, rate=10)
    pace.call("A", other, rate=10)

    moments = [*throttled.moments, *other.moments]
    assert [later - sooner for sooner, later in pairwise(moments)] == pytest.approx([37.0] * 5)


@settings(deadline=None)  # a loaded machine is no failure
@given(jitter=st.floats(0, 1, exclude_max=True), reason=st.sampled_from([Reason.BUSY, Reason.DOWN, Reason.LOST]))
def test_pauses_lie_below_a_doubling_ceiling(jitter: float, reason: Reason) -> None:
    clock = HandClock()
    told: list[tuple[Reason, float]] = []
    pace = Pace(clock, jitter=lambda: jitter, attempts=9, on_wait=lambda why, seconds: told.append((why, seconds)))
    calls = Calls(clock, *errors(reason, 8))

    assert pace.call("A", calls, rate=1000) == "done"

    first = 1.0 if reason is Reason.BUSY else 0.2
    for number, (why, pause) in enumerate(told):
        ceiling = min(20.0, first * 2**number)
        assert why is reason
        assert 0 <= pause <= ceiling
        assert calls.moments[number + 1] - calls.moments[number] == pytest.approx(pause, abs=0.3)


@pytest.mark.parametrize(("reason", "tries"), [(one, 5 if one in READ_AGAIN else 1) for one in Reason])
def test_a_read_is_tried_five_times_and_then_its_last_error_is_raised(reason: Reason, tries: int) -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(reason, 9))

    with pytest.raises(CloudError) as caught:
        Pace(clock).call("A", calls, rate=1000)

    assert (caught.value.reason, len(calls.moments)) == (reason, tries)


@pytest.mark.parametrize("reason", Reason)
def test_a_cancel_is_repeated_only_when_it_certainly_did_nothing(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, error(reason))
    safe = reason in (Reason.BUSY, Reason.UNREACHABLE)

    if safe:
        assert Pace(clock).call("A", calls, rate=1000, again=ASK_AGAIN) == "done"
    else:
        with pytest.raises(CloudError):
            Pace(clock).call("A", calls, rate=1000, again=ASK_AGAIN)

    assert len(calls.moments) == (2 if safe else 1)


def test_what_leaves_a_cancel_in_doubt_never_repeats_it() -> None:
    assert not ASK_AGAIN & IN_DOUBT
    assert ASK_AGAIN | IN_DOUBT == READ_AGAIN


def test_other_exceptions_are_raised_at_once() -> None:
    def broken() -> str:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        Pace(HandClock()).call("A", broken, rate=1)


def test_no_call_begins_after_a_stop() -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock)
    clock.stop()

    with pytest.raises(CloudError) as caught:
        pace.call("A", calls, rate=1)

    assert (caught.value.reason, calls.moments) == (Reason.INTERRUPTED, [])


def test_a_stop_between_two_tries_prevents_the_second() -> None:
    clock = HandClock()
    calls = Calls(clock, error(Reason.BUSY))
    pace = Pace(clock, on_wait=lambda reason, seconds: clock.stop())

    with pytest.raises(CloudError) as caught:
        pace.call("A", calls, rate=1000)

    assert (caught.value.reason, len(calls.moments)) == (Reason.INTERRUPTED, 1)


def test_a_stop_wakes_all_who_wait_and_none_of_them_begins() -> None:
    clock = StoppableClock()
    pace = Pace(clock)
    pace.call("A", lambda: None, rate=0.01)
    begun: list[str] = []
    ends: list[Reason] = []

    def wait() -> None:
        try:
            pace.call("A", lambda: begun.append("call"), rate=0.01)
        except CloudError as caught:
            ends.append(caught.reason)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    clock.stop()
    for thread in threads:
        thread.join(timeout=1.0)

    assert (begun, ends) == ([], [Reason.INTERRUPTED] * 3)


def test_a_pause_ends_with_a_stop() -> None:
    clock = StoppableClock()
    clock.stop()
    began = time.monotonic()

    Pace(clock).pause(30)

    assert time.monotonic() - began < 0.5


def test_a_busy_cloud_halves_the_rate_and_answers_bring_it_back() -> None:
    bucket = Bucket(rate=10, burst=1)
    bucket.slower()
    bucket.slower()

    bucket.reserve(0.0)
    assert bucket.reserve(0.0) == pytest.approx(0.4)
    for _ in range(100):
        bucket.faster()
    bucket.reserve(100.0)
    assert bucket.reserve(100.0) == pytest.approx(0.1)


def test_the_rate_never_falls_without_end() -> None:
    bucket = Bucket(rate=1, burst=1)
    for _ in range(100):
        bucket.slower()

    bucket.reserve(0.0)
    assert bucket.reserve(0.0) == 16.0


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.DOWN, Reason.UNREACHABLE, Reason.UNPROVEN])
def test_a_scope_that_does_not_answer_is_given_up_and_tried_again_later(reason: Reason) -> None:
    clock = HandClock()
    pace = Pace(clock, attempts=1)
    calls = Calls(clock, *errors(reason, GIVE_UP_AFTER))
    for _ in range(GIVE_UP_AFTER):
        with pytest.raises(CloudError):
            pace.call("A", calls, rate=1000)

    with pytest.raises(CloudError) as caught:
        pace.call("B", calls, rate=1000, again=ASK_AGAIN)

    assert caught.value.reason is Reason.UNREACHABLE  # certainly not sent: no cancel is in doubt for it
    assert len(calls.moments) == GIVE_UP_AFTER
    clock.sleep(GIVE_UP_FOR)
    assert pace.call("B", calls, rate=1000) == "done"


@pytest.mark.parametrize("reason", [Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.BAD_CREDENTIALS])
def test_refused_keys_are_not_tried_again(reason: Reason) -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, error(reason))

    for _ in range(10):
        with pytest.raises(CloudError) as caught:
            pace.call("A", calls, rate=1000)
        assert caught.value.reason is reason

    assert len(calls.moments) == 1


def test_one_denied_action_closes_no_scope() -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, *errors(Reason.DENIED, 10))

    for _ in range(10):
        with pytest.raises(CloudError):
            pace.call("A", calls, rate=1000)

    assert pace.call("A", calls, rate=1000) == "done"


def test_an_undocumented_rate_grows_until_the_cloud_says_busy() -> None:
    bucket = Bucket(rate=10, burst=1, documented=False)
    for _ in range(100):
        bucket.faster()
    bucket.reserve(0.0)
    assert bucket.reserve(0.0) == pytest.approx(0.01)

    bucket.slower()

    bucket.reserve(100.0)
    assert bucket.reserve(100.0) == pytest.approx(0.02)
