"""How every provider lists runs and regions: each run once, page by page, over lists that move and clouds that balk."""

from collections.abc import Callable

import pytest
from opened import ids, listed, read, refused, runs_of, truth
from outside import Outside

from contract.conftest import Connect
from contract.examples import EXAMPLES, ONE_OF_EACH, VENDORS, Example
from runcancel.model.queries import Query
from runcancel.model.runs import Scope
from runcancel.model.states import Reason, State
from runcancel.providers import PROVIDERS

CROWD = 230
NOT_OVER = frozenset(state for state in State if not state.over)


LISTED = {(one.provider, one.kind): one for one in reversed(EXAMPLES) if one.listing}.values()

every_kind = pytest.mark.parametrize("of", LISTED, ids=str)


def test_every_cloud_is_held_to_the_contract() -> None:
    assert {one.provider for one in EXAMPLES} == set(PROVIDERS), "a row for each of its kinds in examples.py"
    assert set(VENDORS) == set(PROVIDERS), "a row in VENDORS of examples.py"


@pytest.fixture(scope="module")
def crowded(begin: Callable[..., Outside]) -> Outside:
    runs = [
        {"provider": of.provider, "region": of.region, "kind": of.kind, "count": CROWD, "targets": {"running": 1}}
        for of in LISTED
    ]
    return begin(speed=0, fleet=False, runs=runs)


@pytest.fixture
def crowd(crowded: Outside) -> Outside:
    """Clouds that hold 230 runs of every kind, and no others."""
    crowded.box.log.clear()
    crowded.faults()
    return crowded


@every_kind
def test_every_run_is_listed_once_over_all_pages(of: Example, crowd: Outside, connect: Connect) -> None:
    found = ids(listed(connect(crowd, of.scope), kind=of.kind))

    assert len(found) == len(set(found)) == CROWD
    assert set(found) == truth(crowd.box, of.scope, of.kind)
    assert set(crowd.actions()) == {of.listing}


@pytest.mark.parametrize("of", [of for of in LISTED if of.kind == "invocation"], ids=str)  # its pages carry no targets
def test_a_listed_run_is_the_run_that_a_reading_finds(of: Example, still: Outside, connect: Connect) -> None:
    cloud = connect(still, of.scope)

    found = listed(cloud, kind=of.kind)

    assert [read(cloud, run.ref).run for run in found] == found
    assert all(run.counts for run in found)


@every_kind
@pytest.mark.parametrize("state", State)
def test_asking_for_a_state_finds_what_listing_everything_finds(
    of: Example, state: State, still: Outside, connect: Connect
) -> None:
    cloud = connect(still, of.scope)
    everything = listed(cloud, kind=of.kind)

    assert sorted(ids(listed(cloud, state, kind=of.kind))) == sorted(run.id for run in everything if run.state is state)
    assert set(ids(everything)) == truth(still.box, of.scope, of.kind)


@every_kind
def test_a_word_that_nobody_mapped_is_found_when_asked_for(of: Example, crowd: Outside, connect: Connect) -> None:
    crowd.faults(f"{of.listing}=unknown-word")

    for wanted in ((State.UNKNOWN, State.RUNNING), NOT_OVER):
        assert {run.state for run in listed(connect(crowd, of.scope), *wanted, kind=of.kind)} == {State.UNKNOWN}


@every_kind
@pytest.mark.parametrize("states", [frozenset[State](), NOT_OVER], ids=["everything", "not ended"])
def test_runs_that_arrive_meanwhile_give_no_run_twice(
    of: Example, states: frozenset[State], crowd: Outside, connect: Connect
) -> None:
    crowd.faults(f"{of.listing}=duplicate-page,rows=7")

    found = ids(listed(connect(crowd, of.scope), *states, kind=of.kind))

    assert len(found) == CROWD
    assert set(found) == truth(crowd.box, of.scope, of.kind)


@every_kind
def test_a_throttled_page_is_asked_again(of: Example, crowd: Outside, connect: Connect) -> None:
    crowd.faults(f"{of.listing}=throttle*2,after=1,retry_after=2000")

    assert set(ids(listed(connect(crowd, of.scope), kind=of.kind))) == truth(crowd.box, of.scope, of.kind)


@every_kind
def test_a_listing_that_stays_throttled_keeps_what_was_found(of: Example, crowd: Outside, connect: Connect) -> None:
    crowd.faults(f"{of.listing}=throttle,after=1")
    runs = runs_of(connect(crowd, of.scope), Query(kinds=frozenset({of.kind})))

    found = [next(runs) for _ in range(of.page)]

    assert len(set(ids(found))) == of.page
    assert refused(lambda: next(runs)).reason is Reason.BUSY


@every_kind
def test_pages_are_asked_for_when_they_are_needed(of: Example, crowd: Outside, connect: Connect) -> None:
    runs = runs_of(connect(crowd, of.scope), Query(kinds=frozenset({of.kind})))

    assert crowd.actions() == []
    for _ in range(of.page):
        next(runs)
    assert crowd.actions() == [of.listing]


@every_kind
def test_runs_of_another_kind_are_not_asked_for(of: Example, crowd: Outside, connect: Connect) -> None:
    assert list(connect(crowd, of.scope).runs(Query(kinds=frozenset({"nothing"})))) == []
    assert crowd.actions() == []


@pytest.mark.parametrize(
    ("name", "region"), [(name, region) for name, vendor in VENDORS.items() for region in vendor.regions]
)
def test_regions_are_those_of_the_vendor(name: str, region: str, crowd: Outside, connect: Connect) -> None:
    found = connect(crowd, Scope(provider=name, region=region)).regions()

    assert list(found) == sorted(crowd.box.world.regions[name])
    asked = [(one["service"], one["action"]) for one in crowd.requests()]
    assert asked == [(VENDORS[name].regions_of, "DescribeRegions")]


@pytest.mark.parametrize("example", ONE_OF_EACH, ids=str)
def test_regions_that_may_not_be_asked_for_name_the_permission(
    example: Example, crowd: Outside, connect: Connect
) -> None:
    crowd.faults("DescribeRegions=denied")

    error = refused(connect(crowd, example.scope).regions)

    assert error.reason is Reason.DENIED
    assert f"{example.vendor.regions_of}:DescribeRegions" in error.message
