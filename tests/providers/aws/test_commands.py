"""A command and its invocations, page by page."""

from typing import Any

import pytest
from opened import read, refused

from providers.aws.scripted import COMMAND, DEPLOY, A, B, Scripted, error, ok
from runcancel.model.runs import InvocationFilter
from runcancel.model.states import Reason, State
from runcancel.providers.aws.cloud import Aws
from runcancel.sandbox import Sandbox
from runcancel.sandbox.faults import rule


def test_a_command_is_read_over_its_pages(cloud: Aws) -> None:
    seen = read(cloud, COMMAND)

    assert seen.run.counts == {State.RUNNING: 88, State.SUCCEEDED: 12}
    assert (seen.run.target_count, seen.run.name) == (100, "AWS-RunShellScript")
    assert len({one.target for one in seen.invocations}) == 100
    assert {one.exit_code for one in seen.invocations if one.state is State.SUCCEEDED} == {0}


@pytest.mark.parametrize("fault", ["http-503*2", "drop-before*1", "html-200*1", "half-json*1", "empty-object-200*2"])
def test_a_read_is_repeated_until_it_proves_itself(box: Sandbox, cloud: Aws, fault: str) -> None:
    box.board.replace([rule(f"aws:ListCommandInvocations={fault}")])

    assert read(cloud, COMMAND).run.counts == {State.RUNNING: 88, State.SUCCEEDED: 12}


@pytest.mark.parametrize("fault", ["duplicate-page", "empty-token"])
def test_odd_pages_count_nothing_twice(box: Sandbox, cloud: Aws, fault: str) -> None:
    box.board.replace([rule(f"aws:ListCommandInvocations={fault}")])

    listed = list(cloud.invocations(COMMAND, InvocationFilter()))

    assert len(listed) == len({one.id for one in listed})


def test_a_token_that_repeats_for_ever_ends_as_unproven(box: Sandbox, cloud: Aws) -> None:
    box.board.replace([rule("aws:ListCommandInvocations=repeat-token")])

    assert refused(lambda: list(cloud.invocations(COMMAND, InvocationFilter()))).reason is Reason.UNPROVEN


def plugin(**fields: Any) -> dict[str, Any]:
    return {"CommandPlugins": [{"Name": "one", "Status": "Cancelled", **fields}]}


@pytest.mark.parametrize(
    ("row", "state", "code"),
    [
        ({"Status": "Cancelled", **plugin(ResponseCode=-1)}, State.CANCELLED, None),
        ({"Status": "Cancelled", **plugin(ResponseCode=-1, ResponseStartDateTime=0)}, State.CANCELLED, None),
        ({"Status": "Cancelled", **plugin(ResponseCode=137)}, State.TERMINATED, 137),
        ({"Status": "Cancelled", **plugin(ResponseCode=-1, ResponseStartDateTime=1.7e9)}, State.TERMINATED, None),
        ({"Status": "Cancelled", "StatusDetails": "Terminated"}, State.SKIPPED, None),
        ({"Status": "TimedOut", "StatusDetails": "Delivery Timed Out"}, State.UNDELIVERED, None),
        ({"Status": "Failed", "CommandPlugins": [{"ResponseCode": 3}, {"ResponseCode": -1}]}, State.FAILED, 3),
        ({}, State.UNKNOWN, None),
    ],
)
def test_command_invocations(
    wire: Scripted, scripted: Aws, row: dict[str, Any], state: State, code: int | None
) -> None:
    wire.script = lambda action, params: {"CommandInvocations": [{"CommandId": DEPLOY, "InstanceId": A, **row}]}

    (one,) = scripted.invocations(COMMAND, InvocationFilter())

    assert (one.state, one.exit_code, one.target) == (state, code, A)


def test_an_instance_that_aws_refuses_to_filter_by_is_found_in_the_whole_list(wire: Scripted, scripted: Aws) -> None:
    rows = {"CommandInvocations": [{"InstanceId": A, "Status": "Success"}, {"InstanceId": B, "Status": "Success"}]}
    wire.script = lambda action, params: error("InvalidInstanceId") if "InstanceId" in params else rows

    assert [one.target for one in scripted.invocations(COMMAND, InvocationFilter(targets=frozenset({A})))] == [A]


def test_an_empty_body_is_a_cancelled_command_and_an_error_inside_200_is_not(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: (200, {"x-amzn-requestid": "req-7"}, b"")
    assert list(scripted.cancel(COMMAND)) == ["req-7"]

    wire.script = lambda action, params: ok({"__type": "ThrottlingException", "message": "Rate exceeded"})
    assert refused(lambda: list(scripted.cancel(COMMAND))).reason is Reason.UNPROVEN
