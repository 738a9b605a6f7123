"""Each kind of fault does what a real cloud or network was seen to do."""

import json
import time
import urllib.error
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from darabonba.exceptions import DaraException, UnretryableException
from requests import RequestException
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.tat.v20201028 import models as tat

from runcancel.sandbox.faults import KINDS, BadFault, rule

from .conftest import COMMAND, KILLED, ONE_SHOT, TENCENT, WINDOW, Box

Start = Callable[..., Box]


def aws_error(box: Box) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        box.aws().cancel_command(CommandId=COMMAND)
    return dict(caught.value.response)


def alibaba_error(box: Box) -> Any:
    with pytest.raises(DaraException) as caught:
        stop(box)
    return caught.value


def tencent_error(box: Box) -> str:
    with pytest.raises(TencentCloudSDKException) as caught:
        cancel(box)
    return str(caught.value.code)


def stop(box: Box, run: str = KILLED) -> Any:
    query = ecs.StopInvocationRequest(region_id="cn-hangzhou", invoke_id=run)
    return box.alibaba().stop_invocation(query)


def cancel(box: Box) -> Any:
    return box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})


def test_a_rule_can_be_written_as_text_or_object() -> None:
    text = rule("aws:CancelCommand@abc=throttle*3,retry_after=200,after=1")
    same = rule(
        {"provider": "aws", "action": "CancelCommand", "run": "abc", "kind": "throttle", "times": 3}
        | {"retry_after": 200, "after": 1}
    )
    assert text == same
    assert rule("*=http-500").times is None


@pytest.mark.parametrize("text", ["throttle", "*=sulk", "*=hang,colour=red", ""])
def test_a_rule_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadFault):
        rule(text)


def test_throttling_ends_after_its_times(start: Start) -> None:
    box = start(
        faults=[
            "aws:CancelCommand=throttle*1,retry_after=700",
            "alibaba:*=throttle*1,retry_after=700",
            "tencent:*=throttle*1",
        ]
    )
    error = aws_error(box)
    assert error["Error"]["Code"] == "ThrottlingException"
    assert error["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"] == "700"
    throttled = alibaba_error(box)
    assert (throttled.code, throttled.retry_after) == ("Throttling.User", 700)
    assert tencent_error(box) == "RequestLimitExceeded"
    assert not any(each["effective"] for each in box.control("GET", "requests"))

    box.aws().cancel_command(CommandId=COMMAND)
    stop(box)
    cancel(box)
    assert [each["effective"] for each in box.control("GET", "requests")] == [False] * 3 + [True] * 3


def test_server_errors(start: Start) -> None:
    box = start(faults=["*=http-503"])
    assert aws_error(box)["Error"]["Code"] == "ServiceUnavailable"
    assert alibaba_error(box).status_code == 503
    assert tencent_error(box) == "ServerNetworkError"
    box.control("POST", "faults", ["*=http-500,effect=true"])
    assert aws_error(box)["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert box.last()["effective"]


@pytest.mark.parametrize(("kind", "effective"), [("drop-before", False), ("drop-after", True)])
def test_dropped_connections(start: Start, kind: str, effective: bool) -> None:
    box = start(faults=[f"*={kind}"])
    with pytest.raises(ConnectionClosedError):
        box.aws().cancel_command(CommandId=COMMAND)
    assert box.last()["effective"] is effective
    with pytest.raises(UnretryableException):
        stop(box)
    assert box.last()["effective"] is effective
    assert tencent_error(box) == "ClientNetworkError"
    assert box.last()["effective"] is effective


def test_a_stale_connection_drops_its_second_request_unread(start: Start) -> None:
    box = start(faults=["CancelCommand=stale"])
    client = box.aws()
    client.list_commands(CommandId=COMMAND)
    with pytest.raises(ConnectionClosedError):
        client.cancel_command(CommandId=COMMAND)
    assert not box.last()["effective"]

    client.cancel_command(CommandId=COMMAND)

    assert box.last()["effective"]


def test_a_hang_outlasts_the_read_timeout(start: Start) -> None:
    box = start(faults=["aws:*=hang"])
    client = box.aws()
    client.meta.config.read_timeout = 0.2
    client._endpoint.http_session._timeout = 0.2
    client._endpoint.http_session._manager.connection_pool_kw["timeout"] = 0.2
    with pytest.raises(ReadTimeoutError):
        client.cancel_command(CommandId=COMMAND)
    assert box.last()["effective"]


def test_slow_answers_are_whole(start: Start) -> None:
    box = start(faults=["aws:*=drip,seconds=0.2", "tencent:*=latency,ms=150"])
    begun = time.monotonic()
    assert box.aws().list_commands(CommandId=COMMAND)["Commands"]
    cancel(box)
    assert 0.3 < time.monotonic() - begun < 3


def typed_error(box: Box) -> str:
    """As the typed client tells it; `call_json` lets Python's own errors through."""
    request = tat.CancelInvocationRequest()
    request.InvocationId = TENCENT
    with pytest.raises(TencentCloudSDKException) as caught:
        box.tencent().CancelInvocation(request)
    return str(caught.value.code)


def test_replies_that_are_no_replies(start: Start) -> None:
    box = start(faults=["*=html-200"])
    assert "RequestId" not in box.aws().cancel_command(CommandId=COMMAND)["ResponseMetadata"]
    with pytest.raises(UnretryableException):
        stop(box)
    assert typed_error(box) == "JSONDecodeError"
    box.control("POST", "faults", ["*=empty-object-200"])
    assert box.aws().cancel_command(CommandId=COMMAND)["ResponseMetadata"]
    assert stop(box).body.request_id is None
    assert typed_error(box) == "KeyError"
    box.control("POST", "faults", ["*=half-json"])
    assert typed_error(box) == "JSONDecodeError"
    box.control("POST", "faults", ["*=empty-body-200"])
    assert typed_error(box) == "JSONDecodeError"
    assert box.states(TENCENT) == {"cancelling": 12}  # half a reply came after the effect


def test_a_charset_turns_tencent_errors_into_success(start: Start) -> None:
    box = start(faults=["tencent:*=charset", "tencent:*=denied"])
    reply = box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})
    assert reply["Response"]["Error"]["Code"] == "UnauthorizedOperation.CamAuthFailed"


def test_an_error_with_http_200_and_odd_type(start: Start) -> None:
    box = start(faults=["alibaba:*=error,code=Throttling.User,status=200", "alibaba:*=odd-type,type=application/json"])
    assert stop(box).body.request_id  # the SDK takes it for success


def test_denials_carry_the_vendors_details(start: Start) -> None:
    box = start(faults=["*=denied"])
    error = aws_error(box)["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "ssm:CancelCommand" in error["Message"]
    denied = alibaba_error(box)
    assert (denied.code, denied.status_code) == ("Forbidden.RAM", 403)
    assert denied.access_denied_detail["AuthAction"] == "ecs:StopInvocation"
    assert tencent_error(box) == "UnauthorizedOperation.CamAuthFailed"


def test_expired_credentials(start: Start) -> None:
    box = start(faults=["*=expired"])
    assert aws_error(box)["Error"]["Code"] == "ExpiredTokenException"
    assert alibaba_error(box).code == "InvalidSecurityToken.Expired"
    assert tencent_error(box) == "AuthFailure.TokenFailure"


def test_a_clock_that_is_off(start: Start) -> None:
    box = start(faults=["*=skew"])
    assert aws_error(box)["Error"]["Code"] == "InvalidSignatureException"
    assert alibaba_error(box).code == "InvalidTimeStamp.Expired"
    assert tencent_error(box) == "AuthFailure.SignatureExpire"
    assert not any(each["effective"] for each in box.control("GET", "requests"))


def test_an_answer_that_breaks_off(start: Start) -> None:
    box = start(faults=["*=cut"])
    with suppress(HTTPClientError):  # with some versions botocore takes what there is for a success
        assert "Commands" not in box.aws().list_commands(MaxResults=5)
    with pytest.raises(RequestException):
        cancel(box)
    assert box.last()["effective"]
    with pytest.raises(UnretryableException):
        stop(box)


def test_an_unknown_word(start: Start) -> None:
    box = start(faults=["*=unknown-word"])
    assert {each["Status"] for each in box.aws().list_commands()["Commands"]} == {"HIBERNATING"}


def test_stubborn_targets_never_stop(start: Start) -> None:
    box = start(faults=[f"CancelInvocation@{TENCENT}=stubborn", "CancelMaintenanceWindowExecution=stubborn"])
    cancel(box)
    box.aws().cancel_maintenance_window_execution(WindowExecutionId=WINDOW)
    box.advance(100_000)
    assert box.states(TENCENT) == {"cancelling": 12}
    assert box.aws().get_maintenance_window_execution(WindowExecutionId=WINDOW)["Status"] == "CANCELLING"


def test_targets_that_end_between_look_and_cancel(start: Start) -> None:
    box = start(faults=["StopInvocation=ended-between"])
    stop(box)
    box.advance(2)
    assert box.states(KILLED) == {"cancelled": 4, "succeeded": 6}


def test_not_stoppable_though_it_stopped(start: Start) -> None:
    box = start(faults=["*=not-stoppable"])
    assert alibaba_error(box).code == "Operation.Forbidden"
    assert box.last()["effective"]
    assert tencent_error(box) == "InvalidParameter"
    box.advance(2)
    assert box.states(TENCENT) == {"cancelled": 3, "terminated": 9}


def test_pages_that_shift_drop_or_come_late(start: Start) -> None:
    box = start(faults=["DescribeInvocations=duplicate-page,rows=2"])
    rows = lambda offset: [  # noqa: E731
        each["InvocationId"]
        for each in box.tencent().call_json("DescribeInvocations", {"Offset": offset, "Limit": 10})["Response"][
            "InvocationSet"
        ]
    ]
    assert rows(0)[-2:] == rows(10)[:2]
    box.control("POST", "faults", ["DescribeInvocations=late-rows*1,rows=4"])
    assert (len(rows(0)), len(rows(0))) == (6, 10)
    box.control("POST", "faults", ["DescribeInvocations=repeat-page"])
    assert rows(0) == rows(10)
    box.control("POST", "faults", ["ListCommands=missing-rows"])
    assert len(box.aws().list_commands(MaxResults=10)["Commands"]) == 9


def test_tokens_that_lie(start: Start) -> None:
    box = start(faults=["ListCommands=repeat-token", "DescribeAutomationExecutions=empty-token"])
    aws = box.aws()
    token = aws.list_commands(MaxResults=5)["NextToken"]
    assert aws.list_commands(MaxResults=5, NextToken=token)["NextToken"] == token
    assert (
        aws.describe_automation_executions(Filters=[{"Key": "ExecutionStatus", "Values": ["Failed"]}])["NextToken"]
        == ""
    )
    box.control("POST", "faults", ["ListCommands=empty-page"])
    page = aws.list_commands(MaxResults=5)
    assert page["Commands"] == []
    assert page["NextToken"]


def test_a_foreign_echo_and_no_request_id(start: Start) -> None:
    box = start(faults=["*=foreign-echo", "*=no-request-id"])
    reply = box.aws().cancel_maintenance_window_execution(WindowExecutionId=WINDOW)
    assert reply["WindowExecutionId"] != WINDOW
    assert "RequestId" not in reply["ResponseMetadata"]
    assert stop(box).body.request_id is None
    assert "RequestId" not in cancel(box)["Response"]


def test_every_kind_of_fault_leaves_the_server_alive(start: Start) -> None:
    box = start()
    for kind in KINDS.keys() - {"hang", "latency", "drip"}:
        box.control("POST", "faults", [f"*={kind}"])
        for call in (lambda: box.aws().list_commands(MaxResults=5), lambda: cancel(box), lambda: stop(box, ONE_SHOT)):
            with suppress(Exception):  # every SDK has its own; only the next request counts
                call()
    box.control("DELETE", "faults")
    assert box.aws().list_commands()["Commands"]
    assert not any(each["error"] == "SandboxBug" for each in box.control("GET", "requests"))


def test_control_tells_what_is_wrong(box: Box) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        box.control("POST", "faults", ["*=sulk"])
    assert caught.value.code == 400
    assert "sulk" in json.load(caught.value)["error"]
