"""What a cancel does, per kind, and how long it takes."""

from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from botocore.exceptions import ClientError
from darabonba.exceptions import DaraException
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from .conftest import AUTOMATION, COMMAND, FANOUT, KILLED, ONE_SHOT, SCHEDULE, TENCENT, WINDOW, Box

MINUTE = 60


def window_status(box: Box) -> str:
    return str(box.aws().get_maintenance_window_execution(WindowExecutionId=WINDOW)["Status"])


def window_tasks(box: Box) -> list[dict[str, Any]]:
    rows = box.aws().describe_maintenance_window_execution_tasks(WindowExecutionId=WINDOW)
    return list(rows["WindowExecutionTaskIdentities"])


def window_invocations(box: Box, task: int) -> list[dict[str, Any]]:
    rows = box.aws().describe_maintenance_window_execution_task_invocations(
        WindowExecutionId=WINDOW, TaskId=window_tasks(box)[task]["TaskExecutionId"]
    )
    return list(rows["WindowExecutionTaskInvocationIdentities"])


def test_a_window_cancel_leaves_running_tasks_alone(box: Box) -> None:
    assert box.states(WINDOW) == {"pending": 17, "running": 3, "succeeded": 5}

    echoed = box.aws().cancel_maintenance_window_execution(WindowExecutionId=WINDOW)["WindowExecutionId"]

    assert echoed == WINDOW
    assert window_status(box) == "CANCELLING"
    assert [task["Status"] for task in window_tasks(box)] == ["SUCCESS", "IN_PROGRESS", "CANCELLED", "CANCELLED"]
    box.advance(10 * MINUTE)
    assert box.states(WINDOW) == {"cancelled": 17, "running": 3, "succeeded": 5}
    assert window_status(box) == "CANCELLING"
    box.advance(6 * MINUTE)
    assert window_status(box) == "CANCELLED"
    assert box.states(WINDOW) == {"cancelled": 17, "succeeded": 8}


def test_a_window_left_alone_starts_its_next_tasks_for_real(box: Box) -> None:
    box.advance(16 * MINUTE)

    assert [task["Status"] for task in window_tasks(box)] == ["SUCCESS", "SUCCESS", "IN_PROGRESS", "PENDING"]
    started = window_invocations(box, 2)
    assert len(started) == 10
    commands = {each["CommandId"] for each in box.aws().list_commands(MaxResults=50)["Commands"]}
    assert {row["ExecutionId"] for row in started} <= commands
    box.advance(60 * MINUTE)
    assert window_status(box) == "SUCCESS"
    assert box.states(WINDOW) == {"succeeded": 25}


def test_cancelling_the_command_of_a_window_really_stops_it(box: Box) -> None:
    box.aws().cancel_maintenance_window_execution(WindowExecutionId=WINDOW)
    for row in window_invocations(box, 1):
        box.aws().cancel_command(CommandId=row["ExecutionId"])
    box.advance(2)

    assert window_status(box) == "CANCELLED"
    assert box.states(WINDOW) == {"cancelled": 17, "succeeded": 5, "terminated": 3}


def test_cancelling_only_the_command_lets_the_window_go_on(box: Box) -> None:
    for row in window_invocations(box, 1):
        box.aws().cancel_command(CommandId=row["ExecutionId"])
    box.advance(5)
    assert [task["Status"] for task in window_tasks(box)] == ["SUCCESS", "CANCELLED", "IN_PROGRESS", "PENDING"]


def test_a_command_cancel_kills_what_runs(box: Box) -> None:
    aws = box.aws()
    aws.cancel_command(CommandId=COMMAND)
    assert aws.list_commands(CommandId=COMMAND)["Commands"][0]["Status"] == "Cancelling"

    box.advance(2)

    command = aws.list_commands(CommandId=COMMAND)["Commands"][0]
    assert (command["Status"], command["TargetCount"], command["CompletedCount"]) == ("Cancelled", 100, 100)
    assert box.states(COMMAND) == {"succeeded": 12, "terminated": 88}
    rows = aws.list_command_invocations(CommandId=COMMAND, Details=True, MaxResults=50)["CommandInvocations"]
    plugin = rows[-1]["CommandPlugins"][0]
    assert (rows[-1]["Status"], plugin["ResponseCode"]) == ("Cancelled", 137)
    assert "ResponseStartDateTime" in plugin


def test_a_command_cancel_can_name_machines(box: Box) -> None:
    aws = box.aws()
    rows = aws.list_command_invocations(CommandId=COMMAND, Filters=[{"key": "Status", "value": "InProgress"}])
    some = [row["InstanceId"] for row in rows["CommandInvocations"][:3]]

    aws.cancel_command(CommandId=COMMAND, InstanceIds=some)
    box.advance(2)

    assert box.states(COMMAND) == {"running": 85, "succeeded": 12, "terminated": 3}
    assert aws.list_commands(CommandId=COMMAND)["Commands"][0]["Status"] == "InProgress"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CommandId": "00000000-0000-4000-8000-000000000000"}, "InvalidCommandId"),
        ({"CommandId": COMMAND, "InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceId"),
        ({"CommandId": COMMAND, "InstanceIds": ["i-0123456789abcdef0"] * 2}, "DuplicateInstanceId"),
        ({"CommandId": COMMAND, "InstanceIds": [f"i-{n:017x}" for n in range(51)]}, "ValidationException"),
        ({"CommandId": COMMAND + "x"}, "ValidationException"),
    ],
)
def test_wrong_command_cancels_are_refused(still: Box, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        still.aws().cancel_command(**params)
    assert caught.value.response["Error"]["Code"] == code


def test_stopping_a_runbook_leaves_later_steps_pending(box: Box) -> None:
    aws = box.aws()
    aws.stop_automation_execution(AutomationExecutionId=AUTOMATION)
    get = lambda: aws.get_automation_execution(AutomationExecutionId=AUTOMATION)["AutomationExecution"]  # noqa: E731
    assert get()["AutomationExecutionStatus"] == "Cancelling"

    box.advance(2)

    assert get()["AutomationExecutionStatus"] == "Cancelled"
    words = [step["StepStatus"] for step in get()["StepExecutions"]]
    assert words == ["Success", "Success", "Cancelled", "Pending", "Pending", "Pending"]
    assert box.states(AUTOMATION) == {"skipped": 3, "succeeded": 2, "terminated": 1}
    with pytest.raises(aws.exceptions.InvalidAutomationStatusUpdateException):
        aws.stop_automation_execution(AutomationExecutionId=AUTOMATION)


def test_stopping_a_fanned_out_automation_reaches_its_children(box: Box) -> None:
    aws = box.aws()
    filters = [{"Key": "ParentExecutionId", "Values": [FANOUT]}]
    assert len(aws.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]) == 8

    aws.stop_automation_execution(AutomationExecutionId=FANOUT)
    box.advance(2)

    children = aws.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]
    words = sorted(child["AutomationExecutionStatus"] for child in children)
    assert words == ["Cancelled"] * 7 + ["Success"]
    parent = aws.get_automation_execution(AutomationExecutionId=FANOUT)["AutomationExecution"]
    assert parent["AutomationExecutionStatus"] == "Cancelled"
    assert parent["TargetsSummary"] == {
        "TotalCount": 8,
        "StartedCount": 8,
        "CompletedCount": 8,
        "SuccessfulCount": 1,
        "FailedCount": 7,
    }


def stop(box: Box, run: str, instances: list[str] | None = None) -> None:
    box.alibaba().stop_invocation(
        ecs.StopInvocationRequest(region_id="cn-hangzhou", invoke_id=run, instance_id=instances)
    )


def alibaba_status(box: Box, run: str) -> str:
    query = ecs.DescribeInvocationsRequest(region_id="cn-hangzhou", invoke_id=run)
    return str(box.alibaba().describe_invocations(query).body.invocations.invocation[0].invocation_status)


def test_alibaba_lets_what_runs_go_on(box: Box) -> None:
    assert box.states(ONE_SHOT) == {"pending": 31, "running": 9}
    stop(box, ONE_SHOT)
    assert box.states(ONE_SHOT) == {"cancelling": 31, "running": 9}
    box.advance(2)
    assert box.states(ONE_SHOT) == {"cancelled": 31, "running": 9}
    assert alibaba_status(box, ONE_SHOT) == "Running"


def test_alibaba_may_kill_what_runs(box: Box) -> None:
    stop(box, KILLED)
    assert alibaba_status(box, KILLED) == "Stopping"
    box.advance(2)
    assert box.states(KILLED) == {"cancelled": 4, "terminated": 6}
    assert alibaba_status(box, KILLED) == "Stopped"


def test_alibaba_schedule_ends_after_its_round(box: Box) -> None:
    stop(box, SCHEDULE)
    box.advance(2)
    assert box.states(SCHEDULE) == {"cancelled": 6, "running": 2}
    box.advance(31 * MINUTE)
    assert box.states(SCHEDULE) == {"cancelled": 6, "succeeded": 2}


def test_alibaba_pending_targets_start_when_left_alone(box: Box) -> None:
    box.advance(9 * MINUTE)
    assert box.states(ONE_SHOT) == {"pending": 31, "running": 9}
    box.advance(2 * MINUTE)
    assert box.states(ONE_SHOT) == {"running": 40}


@pytest.mark.parametrize(
    ("run", "instances", "code", "status"),
    [
        ("t-nothing", None, "InvalidInvokeId.NotFound", 404),
        (ONE_SHOT, ["i-stranger"], "InvalidInstanceId.NotFound", 404),
        (ONE_SHOT, [f"i-{n}" for n in range(51)], "InstanceIds.ExceedLimit", 403),
    ],
)
def test_wrong_alibaba_stops_are_refused(
    still: Box, run: str, instances: list[str] | None, code: str, status: int
) -> None:
    with pytest.raises(DaraException) as caught:
        stop(still, run, instances)
    assert (caught.value.code, caught.value.status_code) == (code, status)  # type: ignore[attr-defined]


def tencent_words(box: Box) -> dict[str, int]:
    reply = box.tencent().call_json("DescribeInvocations", {"InvocationIds": [TENCENT]})["Response"]
    words = [task["TaskStatus"] for task in reply["InvocationSet"][0]["InvocationTaskBasicInfoSet"]]
    return {word: words.count(word) for word in sorted(set(words))}


def test_tencent_stops_everything(box: Box) -> None:
    assert tencent_words(box) == {"PENDING": 3, "RUNNING": 9}
    box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})
    assert tencent_words(box) == {"CANCELLING": 12}
    box.advance(2)
    assert tencent_words(box) == {"CANCELLED": 3, "TERMINATED": 9}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"InvocationId": "inv-00000000"}, "ResourceNotFound.InvocationNotFound"),
        ({"InvocationId": "invt-0000000"}, "InvalidParameterValue.InvalidInvocationId"),
        ({"InvocationId": TENCENT, "InstanceIds": ["ins-x"]}, "InvalidParameterValue.InstanceIsNotRelatedToInvocation"),
        ({"InvocationId": TENCENT, "InstanceIds": ["ins-x"] * 101}, "InvalidParameterValue.LimitExceeded"),
        ({"InvocationId": TENCENT, "Force": True}, "UnknownParameter"),
        ({}, "MissingParameter"),
    ],
)
def test_wrong_tencent_cancels_are_refused(still: Box, params: dict[str, Any], code: str) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        still.tencent().call_json("CancelInvocation", params)
    assert caught.value.code == code


def test_a_second_cancel_takes_no_effect(box: Box) -> None:
    for _ in range(2):
        box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})
    box.aws().cancel_command(CommandId=COMMAND)
    box.aws().cancel_command(CommandId=COMMAND)

    assert {target["cancels"] for target in box.truth(TENCENT)["targets"]} == {1}
    effective = [each["effective"] for each in box.control("GET", "requests")]
    assert effective == [True, False, True, False]


def test_ticks_move_time_with_requests(start: Callable[..., Box]) -> None:
    box = start(tick=1.0)
    box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})
    assert tencent_words(box) == {"CANCELLING": 12}
    assert tencent_words(box) == {"CANCELLED": 3, "TERMINATED": 9}
