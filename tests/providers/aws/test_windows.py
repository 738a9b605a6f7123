"""A window execution on its three levels: its tasks, their invocations, and what those started."""

import json
from base64 import b64encode
from datetime import UTC
from typing import Any

import pytest
from msgspec import UNSET
from opened import read, refused

from providers.aws.scripted import (
    CHILD,
    NIGHTLY,
    WINDOW,
    A,
    B,
    C,
    D,
    Script,
    Scripted,
    ok,
    ref,
)
from runcancel.model.runs import InvocationFilter, Ref
from runcancel.model.states import Reason, State
from runcancel.model.triggers import TriggerQuery
from runcancel.providers.aws.cloud import Aws
from runcancel.sandbox import Sandbox


def test_a_window_is_read_on_all_three_levels(cloud: Aws) -> None:
    seen = read(cloud, WINDOW)

    assert (seen.run.state, seen.run.provider_status) == (State.RUNNING, "IN_PROGRESS")
    assert seen.run.counts is not None
    assert sum(seen.run.counts.values()) == len(seen.invocations) == seen.run.target_count
    assert {one.task for one in seen.invocations} == set(seen.run.task_ids)
    assert seen.run.started_at is not None
    assert seen.run.started_at.tzinfo is UTC


def test_a_running_window_task_names_the_command_it_started(cloud: Aws) -> None:
    running = [one for one in read(cloud, WINDOW).invocations if one.state is State.RUNNING]

    children = [one.child for one in running if one.child]
    assert len(children) == len(running)
    assert children == [ref("command", child.id) for child in children]
    assert read(cloud, children[0]).run.state is State.RUNNING


def test_a_short_reading_costs_one_request(box: Sandbox, cloud: Aws) -> None:
    seen = read(cloud, WINDOW, full=False)

    assert (seen.invocations, seen.run.counts) == ((), None)
    assert len(box.log.shown()) == 1


TASK = "11111111-1111-4111-8111-111111111111"


EXECUTION = "arn:aws:states:us-east-2:111122223333:execution:tidy:run-1"
EXPRESS = "arn:aws:states:us-east-2:111122223333:express:tidy:run-1:0a1b"
LATER = "22222222-2222-4222-8222-222222222222"


def window_script(invocations: list[dict[str, Any]], *, tasks: tuple[str, ...] = (TASK,)) -> Script:
    """A window execution whose first task has `invocations` and whose others have none; honours STATUS."""

    def script(action: str, params: dict[str, Any]) -> dict[str, Any]:
        if action == "GetMaintenanceWindowExecution":
            return {"WindowExecutionId": NIGHTLY, "Status": "IN_PROGRESS", "TaskIds": list(tasks), "StartTime": 1.7e9}
        if action == "DescribeMaintenanceWindowExecutionTasks":
            rows = [{"TaskExecutionId": id, "Status": "PENDING", "TaskType": "RUN_COMMAND"} for id in tasks]
            return {"WindowExecutionTaskIdentities": rows, "NextToken": ""}
        words = [word for one in params.get("Filters", ()) for word in one["Values"]]
        listed = [one for one in invocations if params["TaskId"] == TASK and (not words or one["Status"] in words)]
        return {"WindowExecutionTaskInvocationIdentities": listed, "NextToken": ""}

    return script


def invoked(number: int, **fields: Any) -> dict[str, Any]:
    id = f"33333333-3333-4333-8333-{number:012d}"
    return {"InvocationId": id, "TaskExecutionId": TASK, "TaskType": "RUN_COMMAND", "Status": "PENDING", **fields}


def parameters(*instances: str) -> str:
    return json.dumps({"documentName": "AWS-RunShellScript", "instanceIds": list(instances)})


@pytest.mark.parametrize(
    ("fields", "target", "name", "child"),
    [
        ({"Parameters": parameters(A), "ExecutionId": CHILD}, A, None, ref("command", CHILD)),
        ({"Parameters": parameters(A, B)}, None, f"{A}, {B}", None),
        ({"Parameters": parameters(A, B, C, D)}, None, f"{A}, {B}, {C} and 1 more", None),
        ({"TaskType": "AUTOMATION", "ExecutionId": CHILD}, None, None, ref("automation", CHILD)),
        ({"TaskType": "LAMBDA", "ExecutionId": CHILD}, None, f"LAMBDA {CHILD}", None),
        ({"TaskType": "STEP_FUNCTIONS", "ExecutionId": "arn:x"}, None, "STEP_FUNCTIONS arn:x", None),
        ({"TaskType": "STEP_FUNCTIONS", "ExecutionId": EXECUTION}, None, None, ref("state-machine", EXECUTION)),
        ({"TaskType": "STEP_FUNCTIONS", "ExecutionId": EXPRESS}, None, f"STEP_FUNCTIONS {EXPRESS}", None),
        ({"ExecutionId": "../../etc"}, None, "RUN_COMMAND ../../etc", None),
        ({"Parameters": "{not json"}, None, None, None),
        ({"Parameters": '{"instanceIds": {"a": 1}}'}, None, None, None),
        ({"Parameters": '{"instanceIds": [3, null, "$(reboot)"]}'}, None, None, None),
        ({"Parameters": "[" * 5000}, None, None, None),
    ],
)
def test_target_and_child_of_a_window_invocation(
    wire: Scripted, scripted: Aws, fields: dict[str, Any], target: str | None, name: str | None, child: Ref | None
) -> None:
    wire.script = window_script([invoked(1, **fields)])

    (one,) = scripted.invocations(WINDOW, InvocationFilter())

    assert (one.target, one.target_name, one.child) == (target, name, child)
    assert one.parameters is UNSET


def test_parameters_travel_only_when_asked_for(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Parameters=parameters(A))])

    (one,) = scripted.invocations(WINDOW, InvocationFilter(parameters=True))

    assert one.parameters == parameters(A)


def test_a_task_without_invocations_is_one_row(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Status="IN_PROGRESS")], tasks=(TASK, LATER))

    seen = read(scripted, WINDOW)

    assert [(one.id, one.task, one.target) for one in seen.invocations][1:] == [(LATER, LATER, None)]
    assert seen.run.counts == {State.PENDING: 1, State.RUNNING: 1}


def test_a_status_filter_goes_to_aws_and_does_not_make_a_task_look_empty(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Status="SUCCESS"), invoked(2)], tasks=(TASK, LATER))

    listed = list(scripted.invocations(WINDOW, InvocationFilter(states=frozenset({State.PENDING}))))
    none = list(scripted.invocations(WINDOW, InvocationFilter(states=frozenset({State.RUNNING}))))

    assert [one.id[-1] for one in listed] == ["2", LATER[-1]]
    assert none == []
    assert [{"Key": "STATUS", "Values": ["PENDING"]}] in [params.get("Filters") for _, params in wire.asked]


@pytest.mark.parametrize(("limit", "size"), [(1, 10), (9, 10), (25, 25), (500, 100), (0, 100)])
def test_a_limit_below_the_smallest_page_is_trimmed_here(wire: Scripted, scripted: Aws, limit: int, size: int) -> None:
    wire.script = window_script([invoked(number) for number in range(12)])

    listed = list(scripted.invocations(WINDOW, InvocationFilter(limit=limit)))

    assert len(listed) == min(12, limit or 12)
    assert wire.asked[-1][1]["MaxResults"] == size


def test_a_shared_invocation_is_found_by_each_of_its_targets(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Parameters=parameters(A, B)), invoked(2, Parameters=parameters(C))])

    found = [list(scripted.invocations(WINDOW, InvocationFilter(targets=frozenset({target})))) for target in (B, C, D)]

    assert [[one.id[-1] for one in rows] for rows in found] == [["1"], ["2"], []]


def test_one_task_is_asked_for_alone(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1)], tasks=(TASK, LATER))

    assert [one.task for one in scripted.invocations(WINDOW, InvocationFilter(task=LATER))] == [LATER]
    assert TASK not in [params.get("TaskId") for _, params in wire.asked]


@pytest.mark.parametrize(
    "body",
    [
        {"WindowExecutionId": NIGHTLY},
        {"WindowExecutionId": NIGHTLY, "Status": None, "TaskIds": None, "StartTime": None},
        {"WindowExecutionId": NIGHTLY, "Status": "", "TaskIds": [], "StatusDetails": ""},
    ],
)
def test_missing_fields_are_data(wire: Scripted, scripted: Aws, body: dict[str, Any]) -> None:
    wire.script = lambda action, params: body

    run = read(scripted, WINDOW, full=False).run

    assert (run.state, run.provider_status, run.started_at, run.task_ids) == (State.UNKNOWN, "", None, ())


@pytest.mark.parametrize(
    "body",
    [{"WindowExecutionId": NIGHTLY, "StartTime": "soon"}, {"WindowExecutionId": NIGHTLY, "StartTime": 1e300}, []],
)
def test_a_reply_of_the_wrong_shape_is_unproven(wire: Scripted, scripted: Aws, body: object) -> None:
    wire.script = lambda action, params: ok(body)

    assert refused(lambda: read(scripted, WINDOW, full=False)).reason is Reason.UNPROVEN


def trigger_script(inner: dict[str, Any]) -> Script:
    """One window as a trigger, whose one task has `inner` as the parameters of its invocation."""
    window, task = {"WindowId": "mw-0123456789abcdef0"}, {"WindowTaskId": TASK}
    bodies = {
        "DescribeMaintenanceWindows": {"WindowIdentities": [{**window, "Name": "nightly", "Enabled": True}]},
        "DescribeMaintenanceWindowTargets": {"Targets": []},
        "DescribeMaintenanceWindowTasks": {"Tasks": [{**window, **task}]},
        "GetMaintenanceWindowTask": {**window, **task, "TaskInvocationParameters": inner},
    }
    return lambda action, params: bodies[action]


def encoded(content: str) -> str:
    return b64encode(content.encode()).decode()


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ({"Lambda": {"Payload": encoded('{"job": "purge-caché"}')}}, ["mw-0123456789abcdef0"]),
        ({"Lambda": {"Payload": encoded('{"job": "tidy"}')}}, []),
        ({"Lambda": {"Payload": "%%%"}}, []),
        ({"Lambda": {"Payload": None}}, []),
        ({"Lambda": None}, []),
        ({"StepFunctions": {"Input": '{"job": "purge-caché"}'}}, ["mw-0123456789abcdef0"]),
        ({"RunCommand": {"Parameters": {"commands": ["true", "purge-caché"]}}}, ["mw-0123456789abcdef0"]),
        ({"Automation": {"Parameters": {"Script": ["purge-caché"]}}}, ["mw-0123456789abcdef0"]),
    ],
)
def test_a_window_is_found_by_what_its_task_starts(
    inner: dict[str, Any], found: list[str], wire: Scripted, scripted: Aws
) -> None:
    wire.script = trigger_script(inner)

    triggers = scripted.triggers().find(TriggerQuery(kinds=frozenset({"window"}), script="purge-caché"))

    assert [trigger.ref.id for trigger in triggers] == found
