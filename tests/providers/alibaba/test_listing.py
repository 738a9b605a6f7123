"""How Alibaba Cloud's runs and regions are listed: filters, pages and the schedules that a plain listing leaves out."""

from collections.abc import Callable
from typing import Any

import pytest
from opened import HANGZHOU, Open, Script, ids, listed, peak, refused, runs_of, truth

from runcancel.model.queries import Query
from runcancel.model.runs import Run
from runcancel.model.states import Reason, State
from runcancel.providers.alibaba.invocations import CloudAssistant
from runcancel.providers.alibaba.states import FILTERS, NEVER_READ, RUN_STATES, status_filters
from runcancel.sandbox import Sandbox

PERIODIC = "t-7d2a745b412b4601b2d47f6a768d0003"
NOT_OVER = frozenset(state for state in State if not state.over)


def saying(answer: Callable[[dict[str, str]], object]) -> CloudAssistant:
    """A scope whose listings are a function of what was asked."""
    return Script(lambda params: {"RequestId": "R", "Invocations": {"Invocation": answer(params)}}).alibaba()


def many(count: int, **targets: int) -> dict[str, Any]:
    return {"provider": "alibaba", "kind": "invocation", "count": count, "targets": targets or {"running": 1}}


def asked(box: Sandbox, name: str) -> list[Any]:
    return [one["params"].get(name) for one in box.log.shown() if one["action"] == "DescribeInvocations"]


def test_no_request_is_made_for_a_run(opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(30)])

    listed(cloud)

    assert asked(box, "Timed") == [None, "true"]
    assert asked(box, "InvokeId") == [None, None]


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


def test_states_that_no_run_reads_are_not_asked_for(opened: Open) -> None:
    box, cloud = opened()

    assert {State.TIMED_OUT, State.UNDELIVERED, State.SKIPPED} == NEVER_READ
    assert not NEVER_READ & set(RUN_STATES.values())
    assert listed(cloud, *NEVER_READ) == []
    assert listed(cloud, State.TIMED_OUT, State.FAILED)
    assert list(cloud.runs(Query(kinds=frozenset({"command"})))) == []
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

    assert ids(runs_of(saying(answer), query)) == ["t-00000001"]


def test_a_run_seen_in_a_state_nobody_asked_for_is_not_lost_when_it_moves_on() -> None:
    truly = iter(["Pending", "Stopping", "Stopping"])  # the questions for Running and Stopping, and for schedules

    def answer(params: dict[str, str]) -> list[dict[str, str]]:
        return [{"InvokeId": "t-00000001", "InvocationStatus": next(truly)}]  # as if the filter were wider

    (run,) = runs_of(saying(answer), Query(states=frozenset({State.RUNNING, State.CANCELLING})))

    assert run.state is State.CANCELLING


def test_a_schedule_is_listed_though_a_plain_listing_hides_it() -> None:
    plain = {"InvokeId": "t-00000001", "InvocationStatus": "Running"}
    timed = {**plain, "InvokeId": "t-00000002", "RepeatMode": "Period"}
    cloud = saying(lambda params: [timed] if params.get("Timed") == "true" else [plain])

    for states in (frozenset[State](), NOT_OVER):
        assert set(ids(runs_of(cloud, Query(states=states)))) == {"t-00000001", "t-00000002"}


def test_a_schedule_is_listed_once(opened: Open) -> None:
    _, cloud = opened()

    assert ids(listed(cloud)).count(PERIODIC) == 1
    assert ids(listed(cloud, *NOT_OVER)).count(PERIODIC) == 1


def test_rows_that_come_late_are_there_the_next_time(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=late-rows*2,rows=3", fleet=False, runs=[many(60)])

    first, second = ids(listed(cloud)), ids(listed(cloud))

    assert len(first) == len(set(first)) < 60
    assert set(second) == truth(box, HANGZHOU)


def test_a_token_that_repeats_is_an_error_after_what_was_found(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=repeat-token", fleet=False, runs=[many(120)])
    found: list[Run] = []

    error = refused(lambda: found.extend(runs_of(cloud, Query())))

    assert error.reason is Reason.UNPROVEN
    assert "page token" in error.message
    assert len(found) == 100


def test_an_empty_token_is_the_end(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=empty-token", fleet=False, runs=[many(60)])

    assert set(ids(listed(cloud))) == truth(box, HANGZHOU)
    assert len(box.log.shown()) == 3


@pytest.mark.parametrize("body", [{"TotalCount": 0}, {"Invocations": None}, {"Invocations": []}, {"Regions": {}}])
def test_an_answer_without_a_listing_is_not_an_empty_listing(body: dict[str, object]) -> None:
    cloud = Script({"RequestId": "R", **body}).alibaba()

    assert refused(lambda: list(cloud.runs(Query()))).reason is Reason.UNPROVEN


@pytest.mark.parametrize("odd", [None, {}, {"InvokeId": None}, {"InvokeId": 7}, {"InvokeId": "f-12345678"}, "text"])
def test_rows_that_name_no_run_are_left_out(odd: object) -> None:
    good = {"InvokeId": "t-00000001", "InvokeInstances": "none"}

    (run,) = runs_of(saying(lambda params: [odd, good, odd]), Query())

    assert (run.id, run.state, run.counts) == ("t-00000001", State.UNKNOWN, {})


@pytest.mark.parametrize("body", [{"Regions": {"Region": []}}, {"Regions": None}, {"Regions": {"Region": [{}, None]}}])
def test_no_region_at_all_is_not_believed(body: dict[str, object]) -> None:
    cloud = Script({"RequestId": "R", **body}).alibaba()

    assert refused(cloud.regions).reason is Reason.UNPROVEN


def test_regions_come_sorted_and_once_whatever_their_stock() -> None:
    rows = [{"RegionId": "cn-b", "Status": "soldOut"}, {"RegionId": "cn-a"}, {"RegionId": "cn-b"}, {"RegionId": None}]
    cloud = Script({"RequestId": "R", "Regions": {"Region": rows}}).alibaba()

    assert cloud.regions() == ("cn-a", "cn-b")


def test_of_a_listed_run_nothing_but_its_id_is_kept() -> None:
    most = {pages: peak(Script(paged(pages)).alibaba(), runs=pages * 50) for pages in (10, 60)}

    assert (most[60] - most[10]) / (50 * 50) < 500  # bytes for each run more; a row has over 2,000


def paged(pages: int) -> Callable[[dict[str, str]], object]:
    """So many pages of 50 runs."""

    def page(params: dict[str, str]) -> object:
        number = int(params.get("NextToken", "0"))
        rows = [
            {"InvokeId": f"t-{number * 50 + place:08d}", "CommandContent": "x" * 2000, "InvocationStatus": "Running"}
            for place in range(50)
        ]
        token = str(number + 1) if number + 1 < pages and "Timed" not in params else ""
        return {"RequestId": "R", "Invocations": {"Invocation": rows}, "NextToken": token}

    return page
