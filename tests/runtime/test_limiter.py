"""The limiter against models of the clouds' own: the documented limit holds always, and any limit is used up."""

from collections.abc import Callable

import pytest
import servers
from hypothesis import given
from hypothesis import strategies as st

from runcancel.runtime.limiter import Limiter, Rate, Ticket

TWENTY, ONE, UNKNOWN = Rate(20), Rate(1), Rate(10, documented=False)
MINUTE = Rate(1000, 60.0)

SHAPES: dict[str, tuple[Callable[[int], servers.Server], int, Rate, float]] = {
    "sliding second": (lambda seed: servers.sliding(20), 400, TWENTY, 19.0),
    "fixed second": (lambda seed: servers.fixed(20), 400, TWENTY, 19.0),
    "token bucket": (lambda seed: servers.bucket(20, 20), 400, TWENTY, 19.0),
    "token bucket with little burst": (lambda seed: servers.bucket(20, 5), 400, TWENTY, 19.75),
    "half of what is documented": (lambda seed: servers.sliding(10), 400, TWENTY, 39.0),
    "every third refused": (lambda seed: servers.every(3), 200, TWENTY, 14.0),
    "three quarters taken by others": (lambda seed: servers.taken(servers.sliding(20), 15, seed), 200, TWENTY, 39.0),
    "one a second": (lambda seed: servers.sliding(1), 40, ONE, 39.0),
    "undocumented sliding second": (lambda seed: servers.sliding(5), 100, UNKNOWN, 19.0),
    "undocumented fixed second": (lambda seed: servers.fixed(5), 100, UNKNOWN, 19.0),
    "undocumented bucket": (lambda seed: servers.bucket(2, 20), 100, UNKNOWN, 40.0),
    "undocumented fast bucket": (lambda seed: servers.bucket(40, 40), 1000, UNKNOWN, 24.0),
    "fixed minute": (lambda seed: servers.fixed(1000, 60.0, phase=0.0), 1500, MINUTE, 60.0),
    "fixed minute, less than documented": (lambda seed: servers.fixed(300, 60.0, phase=0.0), 700, MINUTE, 80.0),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("latency", "jitter"), [(0.01, 0.005), (0.08, 0.02)])
def test_a_limiter_of_any_shape_is_used_to_four_fifths(shape: str, latency: float, jitter: float) -> None:
    server, calls, rate, ideal = SHAPES[shape]

    found = servers.run(server(1), calls, [rate], latency=latency, jitter=jitter)

    assert found.seconds <= 1.25 * ideal


@pytest.mark.parametrize("share", [0.1, 0.33, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_refusals_at_random_hardly_slow(share: float, seed: int) -> None:
    found = servers.run(servers.refusing(share, seed), 300, [TWENTY], seed=seed)

    assert found.seconds <= 1.25 * (len(found.arrivals) - 20) / 20


@pytest.mark.parametrize("server", [servers.sliding(20), servers.fixed(20), servers.bucket(20, 20)])
def test_three_processes_use_up_one_limit(server: servers.Server) -> None:
    found = servers.run(server, 130, [TWENTY] * 3)

    assert found.seconds <= 1.25 * 19.0


@pytest.mark.parametrize("latency", [0.01, 0.08, 0.25])
@pytest.mark.parametrize("processes", [1, 3])
def test_the_turn_of_a_window_of_many_seconds_is_used_by_all_who_wait(processes: int, latency: float) -> None:
    seconds = []
    for seed in range(4):
        server = servers.fixed(60, 15.0, phase=(13 - 1000 % 15) / 15)  # two seconds of a window are left
        found = servers.run(server, 150 // processes, [UNKNOWN] * processes, latency=latency, seed=seed)
        seconds.append(found.seconds)

    assert sum(seconds) / len(seconds) <= 1.25 * 17.0


@pytest.mark.parametrize("share", [0.1, 0.33, 0.5])
def test_three_processes_whose_calls_are_refused_at_random_use_up_one_limit(share: float) -> None:
    seconds = []
    for seed in range(4):
        server = servers.both(servers.refusing(share, seed), servers.sliding(20))
        seconds.append(servers.run(server, 66, [TWENTY] * 3, seed=seed).seconds)

    assert sum(seconds) / len(seconds) <= 1.25 * (198 / (1 - share) - 20) / 20


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 20])
def test_runs_at_the_documented_rate_take_a_tenth_more_than_the_limit_at_most(limit: int) -> None:
    found = servers.run(servers.sliding(limit), limit * 20, [Rate(limit)], latency=0.02, jitter=0.01)

    assert (found.refused, found.most_in(1.0)) == (0.0, limit)
    assert found.seconds <= 1.1 * 19.0


@given(
    limit=st.integers(1, 30),
    latency=st.floats(0.001, 0.4),
    jitter=st.floats(0.0, 0.2),
    seed=st.integers(0, 1000),
    server=st.sampled_from(["none", "random", "taken", "fixed"]),
)
def test_a_documented_limit_is_never_exceeded_where_calls_arrive(
    limit: int, latency: float, jitter: float, seed: int, server: str
) -> None:
    made = {
        "none": lambda: lambda now: True,
        "random": lambda: servers.refusing(0.3, seed),
        "taken": lambda: servers.taken(servers.sliding(limit), limit / 2, seed),
        "fixed": lambda: servers.fixed(max(1, limit // 2)),
    }[server]()

    calls = max(limit * 6, 60)

    found = servers.run(made, calls, [Rate(limit)], latency=latency, jitter=min(jitter, latency), seed=seed)

    assert found.most_in(1.0) <= limit


@given(gaps=st.lists(st.floats(0, 2) | st.just(0.0), min_size=1, max_size=80), limit=st.integers(1, 20))
def test_nor_by_the_times_at_which_calls_leave(gaps: list[float], limit: int) -> None:
    limiter, now, left = Limiter(Rate(limit)), 100.0, []
    for gap in gaps:
        now += gap
        while not isinstance(leave := limiter.take(now), Ticket):
            now += max(leave, 0.001)
        limiter.record_reply(leave, now)
        left.append(now)

    assert all(later - sooner > 1.0 for sooner, later in zip(left, left[limit:], strict=False))


def test_the_first_second_has_no_more_than_any_other() -> None:
    found = servers.run(lambda now: True, 60, [TWENTY])

    began = min(moment for moment, _ in found.arrivals)
    assert sum(moment < began + 1.0 for moment, _ in found.arrivals) == 20


def test_where_nothing_passes_until_the_next_minute_few_calls_look_for_it() -> None:
    found = servers.run(servers.fixed(100, 60.0, phase=0.0), 300, [UNKNOWN])

    waiting = [moment for moment, ok in found.arrivals if not ok]
    assert found.seconds <= 20 + 60 + 10 + 5
    assert max(sum(start <= moment < start + 10 for moment in waiting) for start in range(1030, 1075)) <= 5


def test_a_rate_that_was_slowed_comes_back() -> None:
    limiter, now = Limiter(TWENTY), 0.0
    allowed = {"until": 10.0}
    moments: list[float] = []
    server = servers.sliding(4)
    while now < 30.0:
        leave = limiter.take(now)
        if not isinstance(leave, Ticket):
            now += max(leave, 0.001)
            continue
        if now > allowed["until"] or server(now):
            limiter.record_reply(leave, now + 0.001)
            moments.append(now)
        else:
            limiter.refused(leave, now + 0.001)
        now += 0.002

    assert sum(4.0 < moment <= 10.0 for moment in moments) >= 0.8 * 24
    assert sum(20.0 < moment <= 30.0 for moment in moments) >= 0.9 * 200


def test_a_server_that_says_when_to_come_again_is_obeyed() -> None:
    limiter = Limiter(TWENTY)
    ticket = limiter.take(0.0)
    assert isinstance(ticket, Ticket)

    limiter.refused(ticket, 0.1, retry_after=42.0)

    assert limiter.take(0.2) == pytest.approx(41.9)
    assert limiter.throttled


def test_a_hung_call_takes_no_place_for_ever() -> None:
    limiter = Limiter(ONE)
    assert isinstance(limiter.take(0.0), Ticket)

    assert not isinstance(limiter.take(1.5), Ticket)
    assert isinstance(limiter.take(2.1), Ticket)
