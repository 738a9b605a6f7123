"""What a call does with time: repeated while there is some, never after a stop, never behind a scope that is silent."""

import threading
import time
import traceback
from collections.abc import Iterable
from itertools import pairwise

import pytest
from fakes import HandClock
from hypothesis import given
from hypothesis import strategies as st

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.runtime.throttle import GivenUp, Pace, Rate, StoppableClock, Tries, no_later_than

QUICK = Rate(20)
SILENT = [Reason.LOST, Reason.DOWN, Reason.UNREACHABLE, Reason.UNPROVEN]
AT_ONCE = [one for one in Reason if one not in (*SILENT, Reason.BUSY)]


class Calls:
    """An API that fails as told, one error after the other, and then answers. Each call takes `takes` seconds."""

    def __init__(self, clock: StoppableClock, *errors: CloudError, takes: float = 0.0) -> None:
        self._clock = clock
        self._errors = list(errors)
        self._takes = takes
        self.moments: list[float] = []

    def __call__(self) -> str:
        self.moments.append(self._clock.monotonic())
        if self._takes:
            self._clock.sleep(self._takes)
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    @property
    def pauses(self) -> list[float]:
        return [later - sooner for sooner, later in pairwise(self.moments)]


def error(reason: Reason, retry_after: float | None = None) -> CloudError:
    return CloudError(reason, "no", retry_after=retry_after)


def errors(reason: Reason, count: int = 20_000) -> Iterable[CloudError]:
    return (error(reason) for _ in range(count))


def failed(pace: Pace, calls: Calls, **options: bool) -> CloudError:
    with pytest.raises(CloudError) as caught:
        pace.call("A", calls, rate=QUICK, **options)
    return caught.value


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.DOWN, Reason.UNPROVEN])
def test_a_read_without_an_answer_is_repeated_until_the_timeout(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(reason, 200))

    assert failed(Pace(clock, tries=lambda: Tries(within=40.0)), calls).reason is reason
    assert calls.moments[-1] - calls.moments[0] == pytest.approx(40.0)


def test_five_server_errors_are_no_reason_to_give_up_a_read() -> None:
    clock = HandClock()

    assert (
        Pace(clock, tries=lambda: Tries.of(40.0)).call("A", Calls(clock, *errors(Reason.DOWN, 5)), rate=QUICK) == "done"
    )


def test_what_is_throttled_is_repeated_for_longer() -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(Reason.BUSY))

    assert failed(Pace(clock, tries=lambda: Tries(throttled=600.0)), calls).reason is Reason.BUSY
    assert clock.now - calls.moments[0] == pytest.approx(600.0, abs=4.0)


@pytest.mark.parametrize("reason", SILENT)
def test_where_nobody_names_a_time_a_person_waits_for_a_dead_scope_no_longer_than_this(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(reason))

    failed(Pace(clock), calls)

    assert clock.now - calls.moments[0] == pytest.approx(15.0)


@pytest.mark.parametrize("reason", AT_ONCE)
def test_what_time_does_not_mend_is_tried_once(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(reason, 9))

    assert failed(Pace(clock), calls).reason is reason
    assert len(calls.moments) == 1


@pytest.mark.parametrize("reason", Reason)
def test_what_changes_something_is_tried_once(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, error(reason))

    assert failed(Pace(clock), calls, once=True).reason is reason
    assert len(calls.moments) == 1


@pytest.mark.parametrize("reason", [*SILENT, Reason.BUSY])
def test_without_a_timeout_everything_is_tried_once(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(reason, 9))

    failed(Pace(clock, tries=lambda: Tries.of(0.0)), calls)

    assert len(calls.moments) == 1


def test_the_caller_may_have_less_time() -> None:
    clock = HandClock()
    calls = Calls(clock, *errors(Reason.DOWN))

    with no_later_than(clock.now + 7.0):
        failed(Pace(clock), calls)

    assert calls.moments[-1] == pytest.approx(calls.moments[0] + 7.0)


@given(jitter=st.floats(0, 1, exclude_max=True), reason=st.sampled_from(SILENT))
def test_pauses_double_from_one_second_to_twenty(jitter: float, reason: Reason) -> None:
    clock = HandClock()
    told: list[tuple[Reason, float]] = []
    tries = Tries(within=600.0, silence=600.0)
    pace = Pace(clock, jitter=lambda: jitter, tries=lambda: tries, on_wait=lambda *told_: told.append(told_))
    calls = Calls(clock, *errors(reason, 8))

    assert pace.call("A", calls, rate=QUICK) == "done"

    least = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]
    assert [why for why, _ in told] == [reason] * 8
    assert [pause for _, pause in told] == pytest.approx([one * (1 + jitter) for one in least])
    assert calls.pauses == pytest.approx([pause for _, pause in told], abs=0.1)


def test_a_servers_retry_after_wins_and_holds_the_others_too() -> None:
    clock = HandClock()
    pace = Pace(clock)
    throttled, other = Calls(clock, error(Reason.BUSY, retry_after=37.0)), Calls(clock)

    failed(pace, throttled, once=True)
    pace.call("A", other, rate=QUICK)

    assert other.moments[0] - throttled.moments[0] == pytest.approx(37.0)


def test_a_retry_after_beyond_the_bound_ends_at_once() -> None:
    clock = HandClock()
    calls = Calls(clock, error(Reason.BUSY, retry_after=700.0))

    failed(Pace(clock), calls)

    assert clock.now == calls.moments[0]


def test_whoever_comes_while_the_server_holds_for_too_long_is_told_that_nothing_was_sent() -> None:
    clock = HandClock()
    pace, calls = Pace(clock), Calls(clock, error(Reason.BUSY, retry_after=700.0))
    failed(pace, calls)

    refusal = failed(pace, calls)

    assert (refusal.reason, len(calls.moments)) == (Reason.BUSY, 1)


def test_each_api_of_a_scope_has_a_rate_of_its_own() -> None:
    clock = HandClock()
    pace = Pace(clock)
    slow, quick = Calls(clock), Calls(clock)

    for _ in range(3):
        pace.call("Slow", slow, rate=Rate(1))
    began = clock.now
    pace.call("Quick", quick, rate=Rate(20))

    assert slow.pauses == pytest.approx([1.0, 1.0], rel=0.06)
    assert quick.moments == [began]


def test_whoever_waits_for_a_turn_finds_out_soon_that_it_came_earlier() -> None:
    clock = HandClock()
    pace, calls = Pace(clock), Calls(clock)

    for _ in range(2):
        pace.call("Slow", calls, rate=Rate(1, 15.0))

    assert calls.pauses == pytest.approx([15.0], rel=0.01)
    assert max(clock.naps) <= 0.25


def test_other_exceptions_are_raised_at_once() -> None:
    def broken() -> str:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        Pace(HandClock()).call("A", broken, rate=QUICK)


def test_no_call_begins_after_a_stop() -> None:
    clock = HandClock()
    calls = Calls(clock)
    clock.stop()

    assert failed(Pace(clock), calls).reason is Reason.INTERRUPTED
    assert calls.moments == []


@pytest.mark.parametrize("reason", [*SILENT, Reason.BUSY])
def test_a_stop_between_two_tries_prevents_the_second(reason: Reason) -> None:
    clock = HandClock()
    calls = Calls(clock, error(reason))
    pace = Pace(clock, on_wait=lambda reason, seconds: clock.stop())

    assert failed(pace, calls).reason is Reason.INTERRUPTED
    assert len(calls.moments) == 1


def test_a_stop_wakes_all_who_wait_and_none_of_them_begins() -> None:
    clock = StoppableClock()
    pace = Pace(clock)
    hourly = Rate(1, 3600.0)
    pace.call("A", lambda: None, rate=hourly)
    begun: list[str] = []
    ends: list[Reason] = []

    def wait() -> None:
        try:
            pace.call("A", lambda: begun.append("call"), rate=hourly)
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

    assert time.monotonic() - began < 15


@pytest.mark.parametrize("reason", SILENT)
def test_a_few_lost_answers_give_no_scope_up(reason: Reason) -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, *errors(reason, 50), takes=1.0)
    for _ in range(50):
        failed(pace, calls, once=True)

    assert pace.call("A", calls, rate=QUICK, once=True) == "done"


@pytest.mark.parametrize("reason", SILENT)
def test_a_scope_that_was_silent_for_the_timeout_is_given_up_with_one_look_at_a_time(reason: Reason) -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, *errors(reason, 70), takes=1.0)
    while not isinstance(failed(pace, calls, once=True), GivenUp):
        assert clock.now - 1000.0 < 70.0
    gone = clock.now

    for _ in range(600):  # ten calls a second for a minute
        failed(pace, calls, once=True)
        clock.sleep(0.1)

    looks = [moment for moment in calls.moments if moment >= gone]
    assert 60.0 <= gone - 1000.0 <= 65.0
    assert len(looks) <= 8
    assert [pause for pause in calls.pauses if pause > 1.1] == sorted(pause for pause in calls.pauses if pause > 1.1)


def test_the_calls_that_wait_behind_one_that_gave_a_scope_up_are_refused_at_once() -> None:
    clock = HandClock()
    pace = Pace(clock, tries=lambda: Tries(silence=15.0, answer=15.0))
    calls = Calls(clock, *errors(Reason.LOST), takes=15.0)

    failures = [failed(pace, calls) for _ in range(3)]

    assert [type(one) is GivenUp for one in failures] == [False, True, True]
    assert len(calls.moments) == 1, "each kind of a silent scope does not cost its own timeout"


def test_a_scope_that_comes_back_is_used_at_once() -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, *errors(Reason.LOST, 66), takes=1.0)
    answered = 0.0
    while not answered:
        try:
            pace.call("A", calls, rate=QUICK, once=True)
            answered = clock.now
        except CloudError:
            clock.sleep(0.1)

    for _ in range(20):
        pace.call("A", calls, rate=QUICK, once=True)
    assert len([moment for moment in calls.moments if moment >= answered]) == 20


def test_one_answer_among_lost_ones_keeps_a_scope() -> None:
    clock = HandClock()
    pace = Pace(clock)
    for _ in range(20):
        calls = Calls(clock, *errors(Reason.LOST, 9), takes=5.0)
        for _ in range(9):
            failed(pace, calls, once=True)
        assert pace.call("A", calls, rate=QUICK, once=True) == "done"


@pytest.mark.parametrize("reason", [Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.BAD_CREDENTIALS])
def test_refused_keys_are_not_tried_again(reason: Reason) -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, error(reason))

    assert [failed(pace, calls).reason for _ in range(10)] == [reason] * 10
    assert len(calls.moments) == 1


def test_a_refusal_that_is_repeated_drags_no_tracebacks_along() -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, error(Reason.EXPIRED_CREDENTIALS))

    refusals = [failed(pace, calls) for _ in range(1000)]

    assert len(set(map(id, refusals))) == 1000
    assert max(len(traceback.extract_tb(one.__traceback__)) for one in refusals) < 10


def test_one_denied_action_closes_no_scope() -> None:
    clock = HandClock()
    pace = Pace(clock)
    calls = Calls(clock, *errors(Reason.DENIED, 10))

    for _ in range(10):
        failed(pace, calls)

    assert pace.call("A", calls, rate=QUICK) == "done"
