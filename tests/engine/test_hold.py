"""When a hold lists: never twice in 30 s, at its end for the last time, and a kind that fails like any other."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from fakes import PATCH, seen
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from runcancel.engine.hold import LISTED_EVERY, Hold, HoldListings, Listed
from runcancel.engine.requests import Listing
from runcancel.engine.selection import Selection
from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Scope, Snapshot
from runcancel.model.states import Reason, State

HERE = Scope(provider="tencent", region="ap-guangzhou")
AWS = Scope(provider="aws", region="us-east-2")
NOTHING = Listed((), None)


def hold(
    seconds: float,
    *,
    listed_at: float = 0.0,
    scopes: Sequence[Scope] = (HERE,),
    query: Query | None = None,
    slow: Callable[[Listing], None] = lambda listing: None,
) -> tuple[Hold, list[Snapshot], list[tuple[Listing, CloudError | None]]]:
    """A hold with what it chooses from, and the listings that it is told of."""
    snapshots: list[Snapshot] = []
    ends: list[tuple[Listing, CloudError | None]] = []

    def choose(found: Sequence[Snapshot]) -> Selection:
        snapshots.extend(found)
        return Selection(items=())

    one = Hold(
        scopes=scopes,
        query=query or Query(name="x"),
        listed_at=listed_at,
        seconds=seconds,
        choose=choose,
        listed=lambda listing, error, _: ends.append((listing, error)),
        slow=slow,
        is_full=lambda: False,
    )
    return one, snapshots, ends


def moments(listings: HoldListings, began: float, *, takes: float) -> list[float]:
    """When it lists, if each listing takes so long."""
    now, found = began, []
    while listings.pending(now):
        ready = listings.take_due(now)
        for one in ready:
            found.append(now)
            now += takes
            listings.record(one, NOTHING, now)
        if not ready:
            now = min(due for due in listings.due if due > now)
    return found


@given(seconds=st.floats(0.1, 4000), began=st.floats(0, 300), takes=st.floats(0, 45))
def test_no_two_listings_are_closer_than_30_seconds(seconds: float, began: float, takes: float) -> None:
    one, _, _ = hold(seconds)
    found = moments(HoldListings(one, began), began, takes=takes)

    rounding = 1e-6  # seconds: sums of floats
    assert all(after - before >= LISTED_EVERY - rounding for before, after in pairwise([0.0, *found]))
    assert all(moment <= began + seconds + rounding for moment in found)


def test_the_last_listing_is_at_the_end() -> None:
    one, _, _ = hold(95.0)

    assert moments(HoldListings(one, 0.0), 0.0, takes=0.0) == [30.0, 60.0, 95.0]


def test_the_time_of_a_person_at_the_question_counts() -> None:
    one, _, _ = hold(40.0, listed_at=100.0)

    assert moments(HoldListings(one, 500.0), 500.0, takes=0.0) == [500.0, 540.0]


def test_shorter_than_the_pause_there_is_no_other_listing() -> None:
    one, _, _ = hold(10.0)

    assert moments(HoldListings(one, 0.0), 0.0, takes=0.0) == []


def test_each_kind_that_the_filter_can_be_applied_to_is_listed_by_itself() -> None:
    listings = HoldListings(hold(60.0, scopes=(AWS,))[0], 0.0)
    of_document = HoldListings(hold(60.0, scopes=(AWS,), query=Query(document="x"))[0], 0.0)

    kinds = [one.kind for one in listings.take_due(60.0)]
    assert kinds == ["maintenance-window", "command", "automation"]
    assert {one.kind for one in of_document.take_due(60.0)} == {"command", "automation"}


def test_a_listing_that_fails_is_repeated_and_what_came_before_counts() -> None:
    one, snapshots, ends = hold(70.0)
    listings = HoldListings(one, 0.0)
    snapshot = seen(PATCH, State.RUNNING)
    (listing,) = listings.take_due(30.0)

    listings.record(listing, Listed((snapshot,), CloudError(Reason.DENIED, "no")), 31.0)
    list(listings.selections())
    (again,) = listings.take_due(70.0)
    listings.record(again, NOTHING, 70.0)

    assert snapshots == [snapshot]
    assert [error is None for _, error in ends] == [False, True]
    assert not listings.pending(70.0)


def test_a_full_hold_lists_no_more() -> None:
    one, _, _ = hold(3600.0)
    listings = HoldListings(structs.replace(one, is_full=lambda: True), 0.0)

    assert listings.take_due(30.0) == []
    assert not listings.pending(0.0)


def test_a_listing_that_never_ends_does_not_keep_the_hold() -> None:
    one, snapshots, ends = hold(30.0)
    listings = HoldListings(one, 0.0)
    (listing,) = listings.take_due(30.0)

    assert listings.pending(44.0)
    assert 45.0 in listings.due
    assert not listings.pending(45.0)
    listings.record(listing, Listed((seen(PATCH, State.RUNNING),), None), 46.0)
    list(listings.selections())

    ((_, error),) = ends
    assert error is not None
    assert error.reason is Reason.TIMED_OUT
    assert snapshots == []


def test_ten_thousand_scopes_cost_a_step_no_more_than_a_few() -> None:
    scopes = [Scope(provider="tencent", region="ap-guangzhou", context=f"c{number}") for number in range(10_000)]
    listings = HoldListings(hold(3600.0, scopes=scopes)[0], 0.0)

    ready = listings.take_due(30.0)
    for one in ready:
        listings.record(one, NOTHING, 31.0)
        assert len(listings.due) <= 4  # what the loop of a cancel goes through after each event

    assert len(ready) == 10_000
    assert listings.take_due(60.0) == []


def test_a_listing_without_an_end_is_reported_once_when_the_next_one_would_be_due() -> None:
    slow: list[Listing] = []
    one, _, _ = hold(300.0, slow=slow.append)
    listings = HoldListings(one, 0.0)
    (first,) = listings.take_due(30.0)
    for now in (31.0, 59.9):
        assert listings.pending(now)
    assert slow == []
    assert 60.0 in listings.due
    for now in (60.0, 61.0, 200.0):
        assert listings.pending(now)
    assert slow == [first]
    listings.record(first, NOTHING, 210.0)
    assert listings.take_due(240.0) == [first]
    assert listings.pending(275.0)
    assert slow == [first, first], "another listing of the same is slow by itself"
