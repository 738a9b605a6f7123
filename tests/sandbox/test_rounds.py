"""What repeats on Alibaba Cloud starts rounds as time goes on, and no more of them once it was stopped."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_oos20190601 import models as oos
from alibabacloud_oos20190601.client import Client as OosClient

from runcancel.providers.common.schedules import alibaba

from .conftest import SCHEDULE, Box

TIMER = "exec-7d2a745b412b4601b2d7"
HANGZHOU = {"region_id": "cn-hangzhou"}


def add(box: Box, kind: str, **spec: Any) -> str:
    id: str = box.control("POST", "runs", {"provider": "alibaba", "kind": kind, **spec})["ids"][0]
    return id


def results(box: Box, id: str, *, history: bool = False) -> list[Any]:
    request = ecs.DescribeInvocationResultsRequest(**HANGZHOU, invoke_id=id, include_history=history)
    found: list[Any] = box.alibaba().describe_invocation_results(request).body.invocation.invocation_results
    return list(found.invocation_result)  # type: ignore[attr-defined]


def executions(box: Box, **filters: str) -> list[Any]:
    client = OosClient(box.alibaba_config())
    return list(client.list_executions(oos.ListExecutionsRequest(**HANGZHOU, **filters)).body.executions)


def children(box: Box, parent: str) -> list[Any]:
    return executions(box, parent_execution_id=parent)


def test_a_periodic_invocation_runs_each_round_and_waits_between_them(box: Box) -> None:
    id = add(box, "invocation", repeat="Period", frequency="rate(10m)", targets={"scheduled": 2}, runs_for=60, age=30)
    before = {each.repeats for each in results(box, id)}

    box.advance(571)
    running = box.states(id)
    rounds = {each.repeats for each in results(box, id)}
    box.advance(61)

    assert (running, box.states(id)) == ({"running": 2}, {"scheduled": 2})
    assert rounds == {one + 1 for one in before}
    box.advance(600)
    assert box.states(id) == {"running": 2}
    assert len(results(box, id, history=True)) == len(results(box, id)) * (max(before) + 2)


@pytest.mark.parametrize("kills", [True, False])
def test_a_stopped_schedule_begins_no_round(box: Box, kills: bool) -> None:
    id = add(
        box,
        "invocation",
        **{"repeat": "Period", "frequency": "rate(10m)", "runs_for": 60, "terminates": kills},
        targets={"scheduled": 1, "running": 1},
    )

    box.alibaba().stop_invocation(ecs.StopInvocationRequest(**HANGZHOU, invoke_id=id))
    box.advance(120)
    ended = box.states(id)
    box.advance(86_400)

    assert ended == {"cancelled": 1, ("terminated" if kills else "succeeded"): 1}
    assert box.states(id) == ended


def test_a_stop_of_one_instance_leaves_the_rounds_of_the_others(box: Box) -> None:
    id = add(box, "invocation", repeat="Period", frequency="rate(1h)", targets={"scheduled": 2}, runs_for=60)
    one = results(box, id)[0].instance_id

    box.alibaba().stop_invocation(ecs.StopInvocationRequest(**HANGZHOU, invoke_id=id, instance_id=[one]))
    box.advance(3600)

    assert box.states(id) == {"cancelled": 1, "running": 1}


@pytest.mark.parametrize(
    "frequency",
    [
        "0 0 3 * * ? Asia/Shanghai",
        "0 */20 * * * ? UTC",
        "0 5,35 8-18 * * ? Asia/Tokyo",
        "30 15 4 1 * ? UTC",
        "0 0 6 ? * MON,THU 2026-2199 Europe/Berlin",
        "rate(7h)",
    ],
)
def test_a_round_begins_when_the_program_expects_it(start: Callable[..., Box], frequency: str) -> None:
    box = start(fleet=False)
    id = add(box, "invocation", repeat="Period", frequency=frequency, targets={"scheduled": 1}, runs_for=60, age=90)
    now = datetime.fromtimestamp(box.clock.now(), UTC)
    created = datetime.fromtimestamp(box.clock.now() - 90, UTC)
    due = alibaba(frequency, created=created, now=now).next_start_at
    assert due is not None

    box.advance((due - now).total_seconds() - 1)
    before = box.states(id)
    box.advance(2)

    assert (before, box.states(id)) == ({"scheduled": 1}, {"running": 1})


def test_a_timer_starts_an_execution_each_day_and_a_command_with_it(box: Box) -> None:
    (timer,) = executions(box, execution_id=TIMER)
    due = datetime.fromisoformat(timer.next_schedule_time)
    assert (timer.status, children(box, TIMER)) == ("Waiting", [])

    box.advance((due - datetime.fromtimestamp(box.clock.now(), UTC)).total_seconds() + 1)

    (timer,) = executions(box, execution_id=TIMER)
    (child,) = children(box, TIMER)
    assert (timer.status, child.status) == ("Running", "Running")
    assert (child.template_name, child.category, child.parent_execution_id) == ("nightly-cleanup", "Other", TIMER)
    assert datetime.fromisoformat(timer.next_schedule_time) > due
    client = OosClient(box.alibaba_config())
    tasks = client.list_task_executions(oos.ListTaskExecutionsRequest(**HANGZHOU, execution_id=child.execution_id)).body
    query = oos.ListTaskExecutionInvocationsRequest(
        **HANGZHOU, task_execution_id=tasks.task_executions[0].task_execution_id
    )
    (started,) = client.list_task_execution_invocations(query).body.task_execution_invocations
    assert started.invocation_id.startswith("t-")
    box.advance(7200)
    assert executions(box, execution_id=TIMER)[0].status == "Waiting"
    box.advance(86_400)
    assert len(children(box, TIMER)) == 2


def test_a_cancelled_timer_starts_nothing_and_its_round_goes_on(box: Box) -> None:
    box.advance(86_401)
    OosClient(box.alibaba_config()).cancel_execution(oos.CancelExecutionRequest(**HANGZHOU, execution_id=TIMER))
    box.advance(5)

    (child,) = children(box, TIMER)
    assert (executions(box, execution_id=TIMER)[0].status, child.status) == ("Cancelled", "Running")
    box.advance(3 * 86_400)
    assert [each.execution_id for each in children(box, TIMER)] == [child.execution_id]


def test_a_cancelled_round_leaves_its_timer(box: Box) -> None:
    box.advance(86_401)
    (child,) = children(box, TIMER)
    query = oos.CancelExecutionRequest(**HANGZHOU, execution_id=child.execution_id)
    OosClient(box.alibaba_config()).cancel_execution(query)
    box.advance(5)

    assert executions(box, execution_id=TIMER)[0].status == "Waiting"
    box.advance(86_400)
    assert [each.status for each in children(box, TIMER)] == ["Running", "Cancelled"]


def test_a_timer_of_ones_own_has_its_own_period(box: Box) -> None:
    id = add(box, "oos", category="TimerTrigger", every=600, targets={"scheduled": 1}, runs_for=60, age=0)

    for rounds in (1, 2, 3):
        box.advance(600)
        assert len(children(box, id)) == rounds


def test_the_schedule_of_the_fleet_has_rounds_of_its_own(box: Box) -> None:
    before = {each.instance_id: each.repeats for each in results(box, SCHEDULE)}

    box.advance(86_400)

    after = {each.instance_id: each.repeats for each in results(box, SCHEDULE)}
    assert all(after[id] > count for id, count in before.items())
