"""Alibaba Cloud's runs through the real wire against the sandbox, and odd answers through a scripted transport."""

from typing import Any

import pytest
from opened import HANGZHOU, Open, Script, read, refused, unread

from runcancel.model.runs import InvocationFilter, Ref
from runcancel.model.states import Reason, State
from runcancel.sandbox import Sandbox

HALF = "t-7d2a745b412b4601b2d47f6a768d0001"  # 31 pending, 9 running that a stop leaves alone
KILLED = "t-7d2a745b412b4601b2d47f6a768d0002"  # running ones become Terminated
PERIODIC = "t-7d2a745b412b4601b2d47f6a768d0003"
ENDED = "t-7d2a745b412b4601b2d47f6a768d0009"
NOBODY = "t-00000000000000000000000000000000"


def ref(id: str) -> Ref:
    return Ref(scope=HANGZHOU, kind="invocation", id=id)


def asked(box: Sandbox, action: str) -> list[dict[str, Any]]:
    return [one for one in box.log.shown() if one["action"] == action]


def test_a_run_is_read_with_its_counts_in_one_request(opened: Open) -> None:
    box, cloud = opened()

    run = read(cloud, ref(HALF)).run

    assert (run.state, run.provider_status, run.name) == (State.RUNNING, "Running", "patch-openssl")
    assert run.counts == {State.PENDING: 31, State.RUNNING: 9}
    assert (run.target_count, run.guarantee, run.cancellable) == (40, "pending-only", True)
    assert len(box.log.shown()) == 1


def test_a_repeating_run_says_how_it_repeats(opened: Open) -> None:
    _, cloud = opened()

    assert (read(cloud, ref(PERIODIC)).run.status_detail or "").startswith("Period ")


def test_a_stop_leaves_running_ones_alone_and_cancels_the_rest(opened: Open) -> None:
    _, cloud = opened()

    (request_id,) = cloud.cancel(ref(HALF))
    seen = [read(cloud, ref(HALF)).run for _ in range(8)]

    assert request_id
    assert seen[0].counts == {State.RUNNING: 9, State.CANCELLING: 31}
    assert seen[-1].counts == {State.RUNNING: 9, State.CANCELLED: 31}


def test_a_run_whose_running_ones_were_stopped_is_terminated(opened: Open) -> None:
    _, cloud = opened()

    list(cloud.cancel(ref(KILLED)))
    seen = [read(cloud, ref(KILLED)).run for _ in range(8)][-1]

    assert (seen.state, seen.provider_status) == (State.TERMINATED, "Stopped")
    assert not seen.cancellable


def test_exit_codes_come_only_from_those_that_ended(opened: Open) -> None:
    _, cloud = opened()

    codes = {one.provider_status: one.exit_code for one in cloud.invocations(ref(ENDED), InvocationFilter())}
    running = cloud.invocations(ref(HALF), InvocationFilter(states=frozenset({State.RUNNING})))

    assert codes["Success"] == 0
    assert codes["Failed"] not in (None, 0)
    assert all(one.exit_code is None and one.started_at for one in running)


def test_an_unknown_id_is_looked_for_among_schedules_too(opened: Open) -> None:
    box, cloud = opened()

    assert unread(cloud, ref(NOBODY)).reason is Reason.NOT_FOUND
    assert len(asked(box, "DescribeInvocations")) == 2  # with and without Timed


def test_operation_forbidden_is_not_a_matter_of_permission(opened: Open) -> None:
    _, cloud = opened("StopInvocation=error,code=Operation.Forbidden,status=403")

    assert refused(lambda: list(cloud.cancel(ref(HALF)))).reason is Reason.NOT_CANCELLABLE


def listing(**run: object) -> dict[str, object]:
    return {"RequestId": "R", "Invocations": {"Invocation": [{"InvokeId": HALF, **run}]}}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"InvokeInstances": None},
        {"InvokeInstances": []},
        {"InvokeInstances": {"InvokeInstance": "text"}},
        {"InvokeInstances": {"InvokeInstance": [None, 3, {}, {"InstanceId": None}]}},
        {"InvocationStatus": 7, "CommandName": [], "CreationTime": {}, "RepeatMode": []},
        {"InvokeInstances": {"InvokeInstance": [{"InstanceId": "i-1", "StartTime": 3e99, "ExitCode": "x"}]}},
    ],
)
def test_missing_and_oddly_typed_fields_do_not_crash(odd: dict[str, object]) -> None:
    run = read(Script(listing(**odd)).alibaba(), ref(HALF)).run

    assert run.state is State.UNKNOWN
    assert run.created_at is None


@pytest.mark.parametrize(
    "odd", [None, [], "text", 3, {"RequestId": ""}, {"RequestId": None}, b"<html>", b"", b"[" * 9999]
)
def test_what_proves_nothing_is_unproven(odd: object) -> None:
    assert refused(lambda: list(Script(odd).alibaba().cancel(ref(HALF)))).reason is Reason.UNPROVEN


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("Throttling.User", 400, Reason.BUSY),
        ("Throttling", 400, Reason.BUSY),
        ("Throttling.NewOne", 400, Reason.BUSY),
        ("Forbidden.RAM", 403, Reason.DENIED),
        ("NoPermission", 403, Reason.DENIED),
        ("InvalidInvokeId.NotFound", 404, Reason.NOT_FOUND),
        ("InvalidInstanceId.NotFound", 404, Reason.NOT_FOUND),
        ("InstanceIds.ExceedLimit", 403, Reason.INVALID),
        ("InvalidAccessKeyId.NotFound", 404, Reason.BAD_CREDENTIALS),
        ("SignatureDoesNotMatch", 400, Reason.BAD_CREDENTIALS),
        ("InvalidSecurityToken.Expired", 400, Reason.EXPIRED_CREDENTIALS),
        ("InternalError.Dispatch", 500, Reason.DOWN),
        ("ServiceUnavailable", 503, Reason.DOWN),
        ("Brand.New", 400, Reason.INVALID),
        ("Brand.New", 500, Reason.DOWN),
        ("Brand.New", 200, Reason.UNPROVEN),
        ("Forbidden.RAM", 200, Reason.DENIED),
    ],
)
def test_codes_have_reasons(code: str, status: int, reason: Reason) -> None:
    body = {"RequestId": "R", "Code": code, "Message": "sikrit and tokken and more"}

    error = refused(lambda: list(Script(body, status=status).alibaba().cancel(ref(HALF))))

    assert (error.reason, error.provider_code, error.request_id) == (reason, code, "R")
    assert "sikrit" not in str(error)
    assert "tokken" not in str(error)


def test_retry_after_is_milliseconds() -> None:
    script = Script({"Code": "Throttling.User"}, status=400, headers={"x-acs-retry-after": "2500"})

    assert refused(lambda: list(script.alibaba().cancel(ref(HALF)))).retry_after == 2.5


def test_the_denied_action_is_the_one_the_cloud_names() -> None:
    body = {"RequestId": "R", "Code": "NoPermission", "AccessDeniedDetail": {"AuthAction": "ecs:Other"}}

    error = refused(lambda: list(Script(body, status=403).alibaba().cancel(ref(HALF))))

    assert error.message == "not permitted: ecs:Other"


def test_an_answer_about_another_run_is_not_believed() -> None:
    foreign = {"RequestId": "R", "Invocations": {"Invocation": [{"InvokeId": ENDED, "InvocationStatus": "Success"}]}}

    assert refused(lambda: list(Script(foreign).alibaba().read([ref(HALF)]))).reason is Reason.UNPROVEN


def test_a_scheduled_run_hidden_without_timed_is_found() -> None:
    script = Script({"RequestId": "R"}, listing(InvocationStatus="Scheduled"))

    assert read(script.alibaba(), ref(HALF)).run.state is State.SCHEDULED
    assert len(script.asked) == 2
