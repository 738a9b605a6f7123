"""How Tencent Cloud's runs and regions are listed: by offset, over lists that move and totals that contradict them."""

import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from runcancel.errors import CloudError, Reason
from runcancel.model import Query, Ref, Run, Scope, Snapshot, State
from runcancel.pace import Pace
from runcancel.providers import Cloud, Connection, tencent
from runcancel.providers.tencent.credentials import Keys
from runcancel.providers.tencent.invocations import Tat
from runcancel.providers.tencent.states import NEVER_READ, RUN_STATES
from runcancel.providers.tencent.wire import Wire
from runcancel.providers.transport import Endpoint, Reply, Transport
from runcancel.sandbox import Sandbox, SandboxOptions

SCOPE = Scope(provider="tencent", region="ap-guangzhou")
NOT_OVER = frozenset(state for state in State if not state.over)


class Clock:
    """Time that only sleeping moves."""

    stopped = False

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


Open = Callable[..., tuple[Sandbox, Cloud]]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Starts a sandbox with faults and connects to it; nothing moves but by requests."""
    boxes: list[Sandbox] = []

    def start(*faults: str, region: str = SCOPE.region, **options: Any) -> tuple[Sandbox, Cloud]:
        box = Sandbox(SandboxOptions(tick=0.0, faults=faults, **options))
        boxes.append(box)
        scope = Scope(provider="tencent", region=region)
        connection = Connection(scope=scope, endpoint_url=box.url, read_timeout=5)
        environ = {"HOME": "/nowhere", **box.environment()}
        return box, tencent.connect(connection, environ, Pace(Clock(), attempts=3))

    yield start
    for box in boxes:
        box.close()


def many(count: int, **targets: int) -> dict[str, Any]:
    return {"provider": "tencent", "kind": "invocation", "count": count, "targets": targets or {"running": 1}}


def ids(runs: Sequence[Run]) -> list[str]:
    return [run.id for run in runs]


def runs_of(cloud: Cloud, query: Query) -> Iterator[Run]:
    return (one.run for one in cloud.runs(query))


def listed(cloud: Cloud, *states: State) -> list[Run]:
    """What the program finds: what the cloud lists and the query takes."""
    query = Query(states=frozenset(states))
    return [run for run in runs_of(cloud, query) if query.takes(run)]


def truth(box: Sandbox) -> set[str]:
    book = box.world.book("tencent", 0, SCOPE.region)
    return {run.id for run in book.listed("invocation")}


def asked(box: Sandbox) -> list[tuple[Any, Any]]:
    pages = [one["params"] for one in box.log.shown() if one["action"] == "DescribeInvocations"]
    return [(page["Limit"], page["Offset"]) for page in pages]


def refused(ask: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        ask()
    return caught.value


def test_every_run_is_listed_once_over_all_pages(opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(230)])

    found = ids(listed(cloud))

    assert len(found) == 230
    assert set(found) == truth(box)
    assert asked(box) == [(100, 0), (100, 100), (100, 200)]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2), (200, 2)])
def test_full_pages_cost_no_request_more(count: int, requests: int, opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(count)])

    assert len(listed(cloud)) == count
    assert len(box.log.shown()) == requests


def test_a_listed_run_is_the_run_that_a_reading_finds(opened: Open) -> None:
    _, cloud = opened()
    found = listed(cloud)

    read = dict(cloud.read([Ref(scope=SCOPE, kind="invocation", id=run.id) for run in found]))

    assert found == [one.run for one in read.values() if isinstance(one, Snapshot)]
    assert all(run.counts for run in found)
    assert State.TERMINATED in {run.state for run in found}  # the vendor has no such word for a run


@pytest.mark.parametrize("state", State)
def test_asking_for_a_state_finds_what_listing_everything_finds(state: State, opened: Open) -> None:
    _, cloud = opened()
    everything = listed(cloud)

    assert ids(listed(cloud, state)) == [run.id for run in everything if run.state is state]


def test_what_is_not_over_is_among_what_is_listed(opened: Open) -> None:
    _, cloud = opened()

    assert {run.state for run in listed(cloud, *NOT_OVER)} == {State.PENDING, State.RUNNING}


def test_states_that_no_run_reads_are_not_asked_for(opened: Open) -> None:
    box, cloud = opened()

    assert {State.SCHEDULED, State.UNDELIVERED, State.SKIPPED} == NEVER_READ
    assert not NEVER_READ & set(RUN_STATES.values())
    assert listed(cloud, *NEVER_READ) == []
    assert list(runs_of(cloud, Query(kinds=frozenset({"command"})))) == []
    assert box.log.shown() == []
    assert listed(cloud, State.SCHEDULED, State.RUNNING)


def test_a_word_that_nobody_mapped_is_unknown(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=unknown-word")

    assert {run.state for run in listed(cloud, *NOT_OVER)} == {State.UNKNOWN}


def test_runs_that_arrive_meanwhile_give_no_run_twice(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=duplicate-page,rows=7", fleet=False, runs=[many(230)])

    found = ids(listed(cloud))

    assert len(found) == 230
    assert set(found) == truth(box)


def test_a_row_that_a_page_left_out_is_on_the_next(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=late-rows*1,rows=3", fleet=False, runs=[many(150)])

    assert set(ids(listed(cloud))) == truth(box)


@pytest.mark.parametrize("times", [1, 2])
def test_rows_that_come_late_are_waited_for(times: int, opened: Open) -> None:
    box, cloud = opened(f"DescribeInvocations=late-rows*{times},rows=1", fleet=False, runs=[many(30)])

    assert set(ids(listed(cloud))) == truth(box)


def test_rows_that_never_come_are_told_after_those_that_did(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=missing-rows", fleet=False, runs=[many(30)])
    found: list[Run] = []

    error = refused(lambda: found.extend(runs_of(cloud, Query())))

    assert len(found) == 29
    assert error.reason is Reason.UNPROVEN
    assert "after 29 rows, its total says 30" in error.message


def test_one_empty_page_is_not_the_end(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=empty-page*1,after=1", fleet=False, runs=[many(230)])

    assert set(ids(listed(cloud))) == truth(box)


def test_a_throttled_page_is_asked_again(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=throttle*2,after=1", fleet=False, runs=[many(230)])

    assert set(ids(listed(cloud))) == truth(box)


def test_a_listing_that_stays_throttled_keeps_what_was_found(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=throttle,after=1", fleet=False, runs=[many(230)])
    runs = runs_of(cloud, Query())

    found = [next(runs) for _ in range(100)]

    assert len(set(ids(found))) == 100
    assert refused(lambda: next(runs)).reason is Reason.BUSY


def test_pages_are_asked_for_when_they_are_needed(opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(230)])
    runs = runs_of(cloud, Query())

    assert asked(box) == []
    for _ in range(100):
        next(runs)
    assert asked(box) == [(100, 0)]


@pytest.mark.parametrize("region", ["ap-guangzhou", "ap-singapore"])
def test_regions_are_those_of_the_vendor(region: str, opened: Open) -> None:
    box, cloud = opened(region=region)

    assert cloud.regions() == ("ap-guangzhou", "ap-shanghai", "ap-singapore")
    assert [(one["service"], one["action"]) for one in box.log.shown()] == [("tat", "DescribeRegions")]


def test_regions_that_may_not_be_asked_for_name_the_permission(opened: Open) -> None:
    _, cloud = opened("DescribeRegions=denied")

    error = refused(cloud.regions)

    assert error.reason is Reason.DENIED
    assert "tat:DescribeRegions" in error.message


class Script:
    """A transport that answers by a function of the request's parameters."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, object]]) -> None:
        self.endpoint = Endpoint.of("https://tat.example.com")
        self.calls = 0
        self._answer = answer

    def post(self, target: str, *, headers: object, body: bytes = b"") -> Reply:
        self.calls += 1
        document = {"Response": {"RequestId": "R", **self._answer(json.loads(body))}}
        return Reply(status_code=200, headers={}, content=json.dumps(document).encode())


def scripted(script: Script) -> Tat:
    pace = Pace(Clock(), attempts=1)
    transport = cast(Transport, script)
    keys = Keys(id="id", secret="sikrit")
    wire = Wire(transport, product="tat", version="2020-10-28", scope=SCOPE, keys=keys, pace=pace)
    return Tat(wire, wire, scope=SCOPE, kind=tencent.KINDS[0], pace=pace)


@pytest.mark.parametrize(
    "body",
    [{}, {"InvocationSet": None}, {"InvocationSet": {}}, {"InvocationSet": [], "TotalCount": "many"}, {"Regions": []}],
)
def test_an_answer_without_a_listing_is_not_an_empty_listing(body: dict[str, object]) -> None:
    cloud = scripted(Script(lambda params: body))

    assert refused(lambda: list(runs_of(cloud, Query()))).reason is Reason.UNPROVEN


def test_no_list_with_a_total_of_nothing_is_an_empty_listing() -> None:
    script = Script(lambda params: {"InvocationSet": None, "TotalCount": 0})

    assert list(runs_of(scripted(script), Query())) == []
    assert script.calls == 1


def test_an_offset_that_is_ignored_is_an_error_and_not_a_loop() -> None:
    script = Script(lambda params: {"InvocationSet": [{"InvocationId": "inv-00000001"}], "TotalCount": 1000})

    assert refused(lambda: list(runs_of(scripted(script), Query()))).reason is Reason.UNPROVEN
    assert script.calls < 6


@pytest.mark.parametrize(
    "odd", [None, {}, {"InvocationId": None}, {"InvocationId": 7}, {"InvocationId": "invt-12345678"}, "text"]
)
def test_rows_that_name_no_run_are_left_out(odd: object) -> None:
    rows = [odd, {"InvocationId": "inv-00000001", "InvocationTaskBasicInfoSet": "none"}]
    total = sum(isinstance(row, dict) for row in rows)

    (run,) = runs_of(scripted(Script(lambda params: {"InvocationSet": rows, "TotalCount": total})), Query())

    assert (run.id, run.state, run.counts) == ("inv-00000001", State.UNKNOWN, {})


@pytest.mark.parametrize(
    "found", [None, [], [None, {}, {"Region": ""}], [{"Region": "ap-tokyo", "RegionState": "UNAVAILABLE"}]]
)
def test_no_region_at_all_is_not_believed(found: object) -> None:
    cloud = scripted(Script(lambda params: {"RegionSet": found, "TotalCount": 1}))

    assert refused(cloud.regions).reason is Reason.UNPROVEN


def test_regions_that_are_not_available_are_left_out() -> None:
    states = {"ap-tokyo": "AVAILABLE", "ap-seoul": "UNAVAILABLE", "ap-bangkok": None}
    rows = [{"Region": name, "RegionState": state} for name, state in states.items()]

    assert scripted(Script(lambda params: {"RegionSet": rows})).regions() == ("ap-bangkok", "ap-tokyo")


def test_of_a_listed_run_nothing_but_its_id_is_kept() -> None:
    more_runs = (30 - 5) * 100

    assert (_peak(pages=30) - _peak(pages=5)) / more_runs < 500  # bytes; a row has over 2,000


def _peak(*, pages: int) -> int:
    """Bytes at the worst moment of listing so many pages of 100 runs."""

    def page(params: dict[str, Any]) -> dict[str, object]:
        numbers = range(params["Offset"], params["Offset"] + params["Limit"])
        rows = [{"InvocationId": f"inv-{number:08d}", "CommandContent": "x" * 2000} for number in numbers]
        return {"InvocationSet": rows, "TotalCount": pages * 100}

    cloud = scripted(Script(page))
    tracemalloc.start()
    try:
        assert sum(1 for _ in runs_of(cloud, Query())) == pages * 100
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
