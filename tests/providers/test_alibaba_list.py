"""How Alibaba Cloud's runs and regions are listed: filters, pages and the schedules that a plain listing leaves out."""

import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from runcancel.errors import CloudError, Reason
from runcancel.model import Query, Ref, Run, Scope, Snapshot, State
from runcancel.pace import Pace
from runcancel.providers import Cloud, Connection, alibaba
from runcancel.providers.alibaba.credentials import Keys
from runcancel.providers.alibaba.invocations import CloudAssistant
from runcancel.providers.alibaba.states import FILTERS, NEVER_READ, RUN_STATES, status_filters
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.transport import Endpoint, Reply, Transport
from runcancel.sandbox import Sandbox, SandboxOptions

SCOPE = Scope(provider="alibaba", region="cn-hangzhou")
PERIODIC = "t-7d2a745b412b4601b2d47f6a768d0003"
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

    def start(*faults: str, tick: float = 0.0, **options: Any) -> tuple[Sandbox, Cloud]:
        box = Sandbox(SandboxOptions(tick=tick, faults=faults, **options))
        boxes.append(box)
        environ = {"HOME": "/nowhere", **box.environment()}
        connection = Connection(scope=SCOPE, endpoint_url=box.url, read_timeout=5)
        return box, alibaba.connect(connection, environ, Pace(Clock(), attempts=3))

    yield start
    for box in boxes:
        box.close()


def many(count: int, **targets: int) -> dict[str, Any]:
    return {"provider": "alibaba", "kind": "invocation", "count": count, "targets": targets or {"running": 1}}


def ids(runs: Sequence[Run]) -> list[str]:
    return [run.id for run in runs]


def runs_of(cloud: Cloud, query: Query) -> Iterator[Run]:
    return (one.run for one in cloud.runs(query))


def listed(cloud: Cloud, *states: State) -> list[Run]:
    """What the program finds: what the cloud lists and the query takes."""
    query = Query(states=frozenset(states))
    return [run for run in runs_of(cloud, query) if query.takes(run)]


def truth(box: Sandbox) -> set[str]:
    book = box.world.book("alibaba", 0, SCOPE.region)
    return {run.id for run in book.listed("invocation")}


def asked(box: Sandbox, name: str) -> list[Any]:
    return [one["params"].get(name) for one in box.log.shown() if one["action"] == "DescribeInvocations"]


def refused(ask: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        ask()
    return caught.value


def test_every_run_is_listed_once_over_all_pages(opened: Open) -> None:
    box, cloud = opened(runs=[many(120)])

    found = ids(listed(cloud))

    assert len(found) == len(set(found))
    assert set(found) == truth(box)
    assert set(asked(box, "MaxResults")) == {"50"}


def test_a_listed_run_is_the_run_that_a_reading_finds(opened: Open) -> None:
    _, cloud = opened()

    for run in listed(cloud):
        ((_, read),) = cloud.read([Ref(scope=SCOPE, kind="invocation", id=run.id)])
        assert isinstance(read, Snapshot)
        assert run == read.run
        assert run.counts


def test_no_request_is_made_for_a_run(opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(30)])

    listed(cloud)

    assert asked(box, "Timed") == [None, "true"]
    assert asked(box, "InvokeId") == [None, None]


@pytest.mark.parametrize("state", State)
def test_asking_for_a_state_finds_what_listing_everything_finds(state: State, opened: Open) -> None:
    box, cloud = opened()
    everything = listed(cloud)

    found = listed(cloud, state)

    assert sorted(ids(found)) == sorted(run.id for run in everything if run.state is state)
    assert truth(box) == set(ids(everything))


def test_what_is_not_over_is_found_by_the_vendors_filter(opened: Open) -> None:
    box, cloud = opened()

    found = listed(cloud, *NOT_OVER)

    assert {run.state for run in found} >= {State.PENDING, State.RUNNING, State.SCHEDULED}
    assert asked(box, "InvokeStatus") == ["Pending", "Scheduled", "Running", "Stopping", "Pending", None]
    assert asked(box, "Timed") == [None] * 5 + ["true"]


def test_the_filter_is_used_only_where_it_covers_every_wanted_state() -> None:
    assert status_filters(frozenset()) == (None,)
    assert status_filters(frozenset({State.RUNNING})) == ("Running",)
    assert status_filters(frozenset({State.CANCELLING, State.SCHEDULED})) == ("Scheduled", "Stopping")
    for state in set(State) - FILTERS.keys():
        assert status_filters(frozenset({state})) == (None,)
        assert status_filters(frozenset({state, State.RUNNING})) == (None,)


def test_a_word_that_nobody_mapped_is_found_when_asked_for(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=unknown-word")

    assert {run.state for run in listed(cloud, State.UNKNOWN, State.RUNNING)} == {State.UNKNOWN}


def test_states_that_no_run_reads_are_not_asked_for(opened: Open) -> None:
    box, cloud = opened()

    assert {State.TIMED_OUT, State.UNDELIVERED, State.SKIPPED} == NEVER_READ
    assert not NEVER_READ & set(RUN_STATES.values())
    assert listed(cloud, *NEVER_READ) == []
    assert listed(cloud, State.TIMED_OUT, State.FAILED)
    assert list(runs_of(cloud, Query(kinds=frozenset({"command"})))) == []
    assert len(box.log.shown()) == 2  # those for `failed`


def test_a_run_that_starts_between_two_questions_is_not_missed(opened: Open) -> None:
    spec = {"provider": "alibaba", "kind": "invocation", "id": "t-startssoon1", "targets": {"pending": 1}}
    for waits in range(6):
        _, cloud = opened(tick=1.0, fleet=False, runs=[{**spec, "waits_for": waits + 0.5, "runs_for": 60}])

        assert ids(listed(cloud, State.PENDING, State.RUNNING)) == ["t-startssoon1"]


def test_a_run_that_goes_back_to_pending_is_not_missed() -> None:
    truly = iter(["Running", "Pending", "Pending"])  # at the questions for Pending, Running, Pending

    def answer(params: dict[str, str]) -> list[dict[str, str]]:
        if "Timed" in params or params["InvokeStatus"] != next(truly):
            return []
        return [{"InvokeId": "t-00000001", "InvocationStatus": params["InvokeStatus"]}]

    query = Query(states=frozenset({State.PENDING, State.RUNNING}))

    assert ids(list(runs_of(scripted(Script(answer)), query))) == ["t-00000001"]


def test_a_run_seen_in_a_state_nobody_asked_for_is_not_lost_when_it_moves_on() -> None:
    truly = iter(["Pending", "Stopping", "Stopping"])  # the questions for Running and Stopping, and for schedules

    def answer(params: dict[str, str]) -> list[dict[str, str]]:
        return [{"InvokeId": "t-00000001", "InvocationStatus": next(truly)}]  # as if the filter were wider

    (run,) = runs_of(scripted(Script(answer)), Query(states=frozenset({State.RUNNING, State.CANCELLING})))

    assert run.state is State.CANCELLING


def test_a_schedule_is_listed_though_a_plain_listing_hides_it() -> None:
    plain = {"InvokeId": "t-00000001", "InvocationStatus": "Running"}
    timed = {**plain, "InvokeId": "t-00000002", "RepeatMode": "Period"}
    script = Script(lambda params: [timed] if params.get("Timed") == "true" else [plain])

    for states in (frozenset[State](), NOT_OVER):
        assert set(ids(list(runs_of(scripted(script), Query(states=states))))) == {"t-00000001", "t-00000002"}


def test_a_schedule_is_listed_once(opened: Open) -> None:
    _, cloud = opened()

    assert ids(listed(cloud)).count(PERIODIC) == 1
    assert ids(listed(cloud, *NOT_OVER)).count(PERIODIC) == 1


@pytest.mark.parametrize("states", [frozenset[State](), NOT_OVER], ids=["everything", "not over"])
def test_runs_that_arrive_meanwhile_give_no_run_twice(states: frozenset[State], opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=duplicate-page,rows=7", fleet=False, runs=[many(120)])

    found = ids(listed(cloud, *states))

    assert len(found) == 120
    assert set(found) == truth(box)


def test_rows_that_come_late_are_there_the_next_time(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=late-rows*2,rows=3", fleet=False, runs=[many(60)])

    first, second = ids(listed(cloud)), ids(listed(cloud))

    assert len(first) == len(set(first)) < 60
    assert set(second) == truth(box)


def test_a_token_that_repeats_is_an_error_after_what_was_found(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=repeat-token", fleet=False, runs=[many(120)])
    found: list[Run] = []

    error = refused(lambda: found.extend(runs_of(cloud, Query())))

    assert error.reason is Reason.UNPROVEN
    assert "page token" in error.message
    assert len(found) == 100


def test_an_empty_token_is_the_end(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=empty-token", fleet=False, runs=[many(60)])

    assert set(ids(listed(cloud))) == truth(box)
    assert len(box.log.shown()) == 3


def test_a_throttled_page_is_asked_again(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=throttle*2,after=1,retry_after=2000", fleet=False, runs=[many(120)])

    assert set(ids(listed(cloud))) == truth(box)


def test_a_listing_that_stays_throttled_keeps_what_was_found(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=throttle,after=1", fleet=False, runs=[many(120)])
    runs = runs_of(cloud, Query())

    found = [next(runs) for _ in range(50)]

    assert len(set(ids(found))) == 50
    assert refused(lambda: next(runs)).reason is Reason.BUSY


def test_pages_are_asked_for_when_they_are_needed(opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(120)])
    runs = runs_of(cloud, Query())

    assert box.log.shown() == []
    for _ in range(50):
        next(runs)
    assert len(box.log.shown()) == 1


@pytest.mark.parametrize("region", ["cn-hangzhou", "cn-shanghai"])
def test_regions_are_those_of_the_vendor(region: str, opened: Open) -> None:
    box, _ = opened()
    environ = {"HOME": "/nowhere", **box.environment()}
    scope = Scope(provider="alibaba", region=region)
    cloud = alibaba.connect(Connection(scope=scope, endpoint_url=box.url), environ, Pace(Clock()))

    assert cloud.regions() == ("ap-southeast-1", "cn-hangzhou", "cn-shanghai")
    assert [(one["service"], one["action"]) for one in box.log.shown()] == [("ecs", "DescribeRegions")]


def test_regions_that_may_not_be_asked_for_name_the_permission(opened: Open) -> None:
    _, cloud = opened("DescribeRegions=denied")

    error = refused(cloud.regions)

    assert error.reason is Reason.DENIED
    assert "ecs:DescribeRegions" in error.message


class Script:
    """A transport that answers DescribeInvocations by a function of the parameters, and all else by `body`."""

    endpoint = Endpoint.of("http://127.0.0.1:1")

    def __init__(self, answer: Callable[[dict[str, str]], object], **body: object) -> None:
        self._answer = answer
        self._body = body

    def post(self, target: str, *, headers: dict[str, str], body: bytes = b"") -> Reply:
        from urllib.parse import parse_qsl, urlsplit

        found = self._answer(dict(parse_qsl(urlsplit(target).query)))
        document = {"RequestId": "R", **(self._body or {"Invocations": {"Invocation": found}})}
        return Reply(status_code=200, headers={}, content=json.dumps(document).encode())


def scripted(script: Script) -> CloudAssistant:
    pace = Pace(Clock(), attempts=2)
    keys = Keys(id="id", secret="sikrit")
    transport = cast(Transport, script)
    wire = Wire(transport, product="ecs", version="2014-05-26", scope=SCOPE, keys=lambda: keys, pace=pace)
    return CloudAssistant(wire, wire, scope=SCOPE, kind=alibaba.KINDS[0])


@pytest.mark.parametrize("body", [{"TotalCount": 0}, {"Invocations": None}, {"Invocations": []}, {"Regions": {}}])
def test_an_answer_without_a_listing_is_not_an_empty_listing(body: dict[str, object]) -> None:
    cloud = scripted(Script(lambda params: [], **body))

    assert refused(lambda: list(runs_of(cloud, Query()))).reason is Reason.UNPROVEN


@pytest.mark.parametrize("odd", [None, {}, {"InvokeId": None}, {"InvokeId": 7}, {"InvokeId": "f-12345678"}, "text"])
def test_rows_that_name_no_run_are_left_out(odd: object) -> None:
    good = {"InvokeId": "t-00000001", "InvokeInstances": "none"}

    (run,) = runs_of(scripted(Script(lambda params: [odd, good, odd])), Query())

    assert (run.id, run.state, run.counts) == ("t-00000001", State.UNKNOWN, {})


@pytest.mark.parametrize("body", [{"Regions": {"Region": []}}, {"Regions": None}, {"Regions": {"Region": [{}, None]}}])
def test_no_region_at_all_is_not_believed(body: dict[str, object]) -> None:
    cloud = scripted(Script(lambda params: [], **body))

    assert refused(cloud.regions).reason is Reason.UNPROVEN


def test_regions_come_sorted_and_once_whatever_their_stock() -> None:
    rows = [{"RegionId": "cn-b", "Status": "soldOut"}, {"RegionId": "cn-a"}, {"RegionId": "cn-b"}, {"RegionId": None}]
    cloud = scripted(Script(lambda params: [], Regions={"Region": rows}))

    assert cloud.regions() == ("cn-a", "cn-b")


def test_of_a_listed_run_nothing_but_its_id_is_kept() -> None:
    more_runs = (60 - 10) * 50

    assert (_peak(pages=60) - _peak(pages=10)) / more_runs < 500  # bytes; a row has over 2,000


def _peak(*, pages: int) -> int:
    """Bytes at the worst moment of listing so many pages of 50 runs."""

    def page(params: dict[str, str]) -> Reply:
        number = int(params.get("NextToken", "0"))
        rows = [
            {"InvokeId": f"t-{number * 50 + place:08d}", "CommandContent": "x" * 2000, "InvocationStatus": "Running"}
            for place in range(50)
        ]
        token = str(number + 1) if number + 1 < pages and "Timed" not in params else ""
        document = {"RequestId": "R", "Invocations": {"Invocation": rows}, "NextToken": token}
        return Reply(status_code=200, headers={}, content=json.dumps(document).encode())

    class Pages(Script):
        def post(self, target: str, *, headers: dict[str, str], body: bytes = b"") -> Reply:
            from urllib.parse import parse_qsl, urlsplit

            return page(dict(parse_qsl(urlsplit(target).query)))

    cloud = scripted(Pages(lambda params: []))
    tracemalloc.start()
    try:
        assert sum(1 for _ in runs_of(cloud, Query())) == pages * 50
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
