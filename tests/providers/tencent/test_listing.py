"""How Tencent Cloud's runs and regions are listed: by offset, over lists that move and totals that contradict them."""

from collections.abc import Callable
from typing import Any

import pytest
from opened import GUANGZHOU, Open, Script, answer, ids, listed, peak, refused, runs_of, truth

from runcancel.model.queries import Query
from runcancel.model.runs import Run
from runcancel.model.states import Reason, State
from runcancel.providers.tencent.states import NEVER_READ, RUN_STATES
from runcancel.sandbox import Sandbox

NOT_OVER = frozenset(state for state in State if not state.over)


def many(count: int, **targets: int) -> dict[str, Any]:
    return {"provider": "tencent", "kind": "invocation", "count": count, "targets": targets or {"running": 1}}


def asked(box: Sandbox) -> list[tuple[Any, Any]]:
    pages = [one["params"] for one in box.log.shown() if one["action"] == "DescribeInvocations"]
    return [(page["Limit"], page["Offset"]) for page in pages]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (100, 1), (101, 2), (200, 2), (230, 3)])
def test_full_pages_cost_no_request_more(count: int, requests: int, opened: Open) -> None:
    box, cloud = opened(fleet=False, runs=[many(count)])

    assert len(listed(cloud)) == count
    assert asked(box) == [(100, page * 100) for page in range(requests)]


def test_what_is_not_over_is_among_what_is_listed(opened: Open) -> None:
    _, cloud = opened()

    assert {run.state for run in listed(cloud, *NOT_OVER)} == {State.PENDING, State.RUNNING}
    assert listed(cloud, State.TERMINATED)  # the vendor has no such word for a run


def test_states_that_no_run_reads_are_not_asked_for(opened: Open) -> None:
    box, cloud = opened()

    assert {State.SCHEDULED, State.UNDELIVERED, State.SKIPPED} == NEVER_READ
    assert not NEVER_READ & set(RUN_STATES.values())
    assert listed(cloud, *NEVER_READ) == []
    assert list(cloud.runs(Query(kinds=frozenset({"command"})))) == []
    assert box.log.shown() == []
    assert listed(cloud, State.SCHEDULED, State.RUNNING)


def test_a_row_that_a_page_left_out_is_on_the_next(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=late-rows*1,rows=3", fleet=False, runs=[many(150)])

    assert set(ids(listed(cloud))) == truth(box, GUANGZHOU)


@pytest.mark.parametrize("times", [1, 2])
def test_rows_that_come_late_are_waited_for(times: int, opened: Open) -> None:
    box, cloud = opened(f"DescribeInvocations=late-rows*{times},rows=1", fleet=False, runs=[many(30)])

    assert set(ids(listed(cloud))) == truth(box, GUANGZHOU)


def test_rows_that_never_come_are_told_after_those_that_did(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=missing-rows", fleet=False, runs=[many(30)])
    found: list[Run] = []

    error = refused(lambda: found.extend(runs_of(cloud, Query())))

    assert len(found) == 29
    assert error.reason is Reason.UNPROVEN
    assert "after 29 rows, but its total is 30" in error.message


def test_one_empty_page_is_not_the_end(opened: Open) -> None:
    box, cloud = opened("DescribeInvocations=empty-page*1,after=1", fleet=False, runs=[many(230)])

    assert set(ids(listed(cloud))) == truth(box, GUANGZHOU)


@pytest.mark.parametrize(
    "body",
    [{}, {"InvocationSet": None}, {"InvocationSet": {}}, {"InvocationSet": [], "TotalCount": "many"}, {"Regions": []}],
)
def test_an_answer_without_a_listing_is_not_an_empty_listing(body: dict[str, object]) -> None:
    cloud = Script(answer(**body)).tencent()

    assert refused(lambda: list(cloud.runs(Query()))).reason is Reason.UNPROVEN


def test_no_list_with_a_total_of_nothing_is_an_empty_listing() -> None:
    script = Script(answer(InvocationSet=None, TotalCount=0))

    assert list(script.tencent().runs(Query())) == []
    assert len(script.asked) == 1


def test_an_offset_that_is_ignored_is_an_error_and_not_a_loop() -> None:
    script = Script(answer(InvocationSet=[{"InvocationId": "inv-00000001"}], TotalCount=1000))

    assert refused(lambda: list(script.tencent().runs(Query()))).reason is Reason.UNPROVEN
    assert len(script.asked) < 6


@pytest.mark.parametrize(
    "odd", [None, {}, {"InvocationId": None}, {"InvocationId": 7}, {"InvocationId": "invt-12345678"}, "text"]
)
def test_rows_that_name_no_run_are_left_out(odd: object) -> None:
    rows = [odd, {"InvocationId": "inv-00000001", "InvocationTaskBasicInfoSet": "none"}]
    total = sum(isinstance(row, dict) for row in rows)

    (run,) = runs_of(Script(answer(InvocationSet=rows, TotalCount=total)).tencent(), Query())

    assert (run.id, run.state, run.counts) == ("inv-00000001", State.UNKNOWN, {})


@pytest.mark.parametrize(
    "found", [None, [], [None, {}, {"Region": ""}], [{"Region": "ap-tokyo", "RegionState": "UNAVAILABLE"}]]
)
def test_no_region_at_all_is_not_believed(found: object) -> None:
    cloud = Script(answer(RegionSet=found, TotalCount=1)).tencent()

    assert refused(cloud.regions).reason is Reason.UNPROVEN


def test_regions_that_are_not_available_are_left_out() -> None:
    states = {"ap-tokyo": "AVAILABLE", "ap-seoul": "UNAVAILABLE", "ap-bangkok": None}
    rows = [{"Region": name, "RegionState": state} for name, state in states.items()]

    assert Script(answer(RegionSet=rows)).tencent().regions() == ("ap-bangkok", "ap-tokyo")


def test_of_a_listed_run_nothing_but_its_id_is_kept() -> None:
    most = {pages: peak(Script(paged(pages)).tencent(), runs=pages * 100) for pages in (5, 30)}

    assert (most[30] - most[5]) / (25 * 100) < 500  # bytes for each run more; a row has over 2,000


def paged(pages: int) -> Callable[[dict[str, Any]], object]:
    """So many pages of 100 runs."""

    def page(params: dict[str, Any]) -> object:
        numbers = range(params["Offset"], params["Offset"] + params["Limit"])
        rows = [{"InvocationId": f"inv-{number:08d}", "CommandContent": "x" * 2000} for number in numbers]
        return answer(InvocationSet=rows, TotalCount=pages * 100)

    return page
