"""Tencent Cloud's runs through the real wire against the sandbox, and odd answers through a scripted transport."""

from typing import Any, cast

import pytest
from opened import GUANGZHOU, Open, Script, answer, read, refused, unread

from runcancel.errors import CloudError
from runcancel.model.runs import InvocationFilter, Ref, Snapshot
from runcancel.model.states import Reason, State
from runcancel.sandbox import Sandbox

RUNNING = "inv-ib2lld37"  # 9 running, 3 pending
ENDED = "inv-0ended0001"
NOBODY = "inv-00000000"


def ref(id: str) -> Ref:
    return Ref(scope=GUANGZHOU, kind="invocation", id=id)


def spec(id: str, **targets: int) -> dict[str, Any]:
    return {"provider": "tencent", "kind": "invocation", "id": id, "targets": targets}


def asked(box: Sandbox, action: str) -> list[dict[str, Any]]:
    return [one for one in box.log.shown() if one["action"] == action]


def test_a_run_is_read_with_its_counts_in_one_request(opened: Open) -> None:
    box, cloud = opened()

    run = read(cloud, ref(RUNNING)).run

    assert (run.state, run.provider_status, run.name) == (State.RUNNING, "RUNNING", "patch-openssl")
    assert run.counts == {State.PENDING: 3, State.RUNNING: 9}
    assert (run.target_count, run.guarantee, run.cancellable) == (12, "stops-running", True)
    assert len(box.log.shown()) == 1


def test_a_hundred_runs_cost_one_request(opened: Open) -> None:
    ids = [f"inv-many{number:04d}" for number in range(100)]
    box, cloud = opened(runs=[spec(id, running=1) for id in ids])

    found = dict(cloud.read([ref(id) for id in ids]))

    assert [snapshot.run.id for snapshot in found.values() if isinstance(snapshot, Snapshot)] == ids
    assert len(box.log.shown()) == 1


def test_known_and_unknown_ids_are_each_answered_once(opened: Open) -> None:
    _, cloud = opened()
    refs = [ref(RUNNING), ref(NOBODY), ref("inv-1/.."), ref(ENDED), ref(RUNNING)]

    answers = list(cloud.read(refs))

    reasons = {one.id: answer.reason for one, answer in answers if isinstance(answer, CloudError)}
    assert len(answers) == 4
    assert reasons == {NOBODY: Reason.NOT_FOUND, "inv-1/..": Reason.INVALID}


def test_a_task_id_is_answered_with_its_run(opened: Open) -> None:
    _, cloud = opened()
    task = read(cloud, ref(RUNNING)).invocations[0].id

    by_task = read(cloud, ref(task))

    assert task.startswith("invt-")
    assert (by_task.run.id, by_task.run.ref) == (RUNNING, ref(RUNNING))
    assert {one.run for one in cloud.invocations(ref(task), InvocationFilter())} == {ref(RUNNING)}


def test_an_unknown_task_id_is_not_found(opened: Open) -> None:
    _, cloud = opened()

    assert unread(cloud, ref("invt-00000000")).reason is Reason.NOT_FOUND
    assert refused(lambda: list(cloud.cancel(ref("invt-00000000")))).reason is Reason.NOT_FOUND


def test_a_cancel_stops_what_runs_and_the_run_is_terminated(opened: Open) -> None:
    _, cloud = opened()

    (request_id,) = cloud.cancel(ref(RUNNING))
    seen = [read(cloud, ref(RUNNING)).run for _ in range(8)]

    assert request_id
    assert seen[0].state is State.CANCELLING
    assert seen[-1].counts == {State.CANCELLED: 3, State.TERMINATED: 9}
    assert seen[-1].state is State.TERMINATED
    assert not seen[-1].cancellable


def test_only_the_targets_are_cancelled(opened: Open) -> None:
    _, cloud = opened()
    targets = [one.target or "" for one in read(cloud, ref(RUNNING)).invocations if one.state is State.RUNNING][:2]

    list(cloud.cancel(ref(RUNNING), targets))
    seen = [read(cloud, ref(RUNNING)).run for _ in range(8)][-1]

    assert seen.counts == {State.PENDING: 3, State.RUNNING: 7, State.TERMINATED: 2}


def test_invocations_come_page_by_page_and_no_more_than_wanted(opened: Open) -> None:
    box, cloud = opened(runs=[spec("inv-large001", running=250)])

    everything = list(cloud.invocations(ref("inv-large001"), InvocationFilter()))
    pages = len(box.log.shown())
    few = list(cloud.invocations(ref("inv-large001"), InvocationFilter(limit=3)))

    assert (len({one.id for one in everything}), pages) == (250, 3)
    assert len(few) == 3
    assert [one["params"]["Limit"] for one in box.log.shown()][-1] == 3
    assert all(one["params"]["HideOutput"] is True for one in box.log.shown())


def test_invocations_are_filtered_by_the_vendor_where_it_can(opened: Open) -> None:
    box, cloud = opened()
    target = read(cloud, ref(RUNNING)).invocations[0].target or ""

    (one,) = cloud.invocations(ref(RUNNING), InvocationFilter(targets=frozenset({target})))
    pending = list(cloud.invocations(ref(RUNNING), InvocationFilter(states=frozenset({State.PENDING}))))

    assert one.target == target
    assert {"Name": "instance-id", "Values": [target]} in asked(box, "DescribeInvocationTasks")[0]["params"]["Filters"]
    assert len(pending) == 3


def test_exit_codes_and_times_are_listed_for_those_that_ended(opened: Open) -> None:
    _, cloud = opened()

    ended = list(cloud.invocations(ref(ENDED), InvocationFilter()))

    assert {one.exit_code for one in ended if one.state is State.SUCCEEDED} == {0}
    assert all(one.started_at and one.ended_at and one.started_at <= one.ended_at for one in ended)


@pytest.mark.parametrize("fault", ["duplicate-page", "duplicate-page,rows=5"])
def test_rows_that_come_twice_are_listed_once(fault: str, opened: Open) -> None:
    _, cloud = opened(f"DescribeInvocationTasks={fault}", runs=[spec("inv-large001", running=250)])

    ids = [one.id for one in cloud.invocations(ref("inv-large001"), InvocationFilter())]

    assert (len(ids), len(set(ids))) == (250, 250)


@pytest.mark.parametrize("disguise", ["charset", "odd-type"])
def test_an_error_under_any_content_type_is_an_error(disguise: str, opened: Open) -> None:
    box, cloud = opened(f"CancelInvocation={disguise}", "CancelInvocation=denied")

    error = refused(lambda: list(cloud.cancel(ref(RUNNING))))

    assert (error.reason, error.message) == (
        Reason.DENIED,
        "not permitted: tat:CancelInvocation (TENCENTCLOUD_SECRET_ID of the environment)",
    )
    assert error.request_id
    assert not asked(box, "CancelInvocation")[0]["effective"]


def test_an_answer_with_a_charset_is_an_answer(opened: Open) -> None:
    _, cloud = opened("*=charset")

    assert read(cloud, ref(RUNNING)).run.state is State.RUNNING


def test_an_error_inside_the_cloud_leaves_a_cancel_in_doubt(opened: Open) -> None:
    box, cloud = opened("CancelInvocation=error,code=InternalError")

    assert refused(lambda: list(cloud.cancel(ref(RUNNING)))).reason is Reason.DOWN
    assert len(asked(box, "CancelInvocation")) == 1


def failing(code: object) -> dict[str, object]:
    return answer(Error={"Code": code, "Message": "sikrit and tokken and more"})


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"InvocationTaskBasicInfoSet": None},
        {"InvocationTaskBasicInfoSet": "text"},
        {"InvocationTaskBasicInfoSet": [None, 3, {}, {"TaskStatus": [], "InstanceId": {}}]},
        {"InvocationStatus": 7, "CommandName": [], "CreatedTime": {}, "StartTime": "soon", "InvocationSource": None},
    ],
)
def test_missing_and_oddly_typed_fields_do_not_crash(odd: dict[str, object]) -> None:
    run = read(Script(answer(InvocationSet=[{"InvocationId": RUNNING, **odd}])).tencent(), ref(RUNNING)).run

    assert run.state is State.UNKNOWN
    assert run.started_at is None


@pytest.mark.parametrize("result", [None, [], "text", {"ExitCode": "x", "ExecStartTime": 3e99}])
def test_odd_task_results_do_not_crash(result: object) -> None:
    task = {"InvocationId": RUNNING, "InvocationTaskId": "invt-1", "TaskStatus": "SUCCESS", "TaskResult": result}
    cloud = Script(answer(InvocationTaskSet=[task], TotalCount=1)).tencent()

    (one,) = cloud.invocations(ref(RUNNING), InvocationFilter())

    assert (one.state, one.exit_code, one.target) == (State.SUCCEEDED, None, None)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "text",
        3,
        {},
        {"Response": None},
        {"Response": {}},
        answer(RequestId=None),
        b"<html>",
        b"",
        b"[" * 9999,
    ],
)
def test_what_proves_nothing_is_unproven(odd: object) -> None:
    assert refused(lambda: list(Script(odd).tencent().cancel(ref(RUNNING)))).reason is Reason.UNPROVEN


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("RequestLimitExceeded", Reason.BUSY),
        ("RequestLimitExceeded.UinLimitExceeded", Reason.BUSY),
        ("LimitExceeded", Reason.INVALID),
        ("InvalidParameterValue.LimitExceeded", Reason.INVALID),
        ("InvalidParameterValue.InvalidInvocationId", Reason.INVALID),
        ("InvalidParameterValue.InstanceIsNotRelatedToInvocation", Reason.NOT_FOUND),
        ("ResourceNotFound.InvocationNotFound", Reason.NOT_FOUND),
        ("AuthFailure.SecretIdNotFound", Reason.BAD_CREDENTIALS),
        ("AuthFailure.SignatureFailure", Reason.BAD_CREDENTIALS),
        ("AuthFailure.TokenFailure", Reason.EXPIRED_CREDENTIALS),
        ("AuthFailure.UnauthorizedOperation", Reason.DENIED),
        ("UnauthorizedOperation.CamAuthFailed", Reason.DENIED),
        ("UnauthorizedOperation.MFAExpired", Reason.DENIED),
        ("ResourceUnavailable.AgentStatusNotOnline", Reason.NOT_CANCELLABLE),
        ("InternalError", Reason.DOWN),
        ("ServiceUnavailable", Reason.DOWN),
        ("Brand.New", Reason.INVALID),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_codes_have_reasons_under_any_http_status(code: str, reason: Reason, status: int) -> None:
    error = refused(lambda: list(Script(failing(code), status=status).tencent().cancel(ref(RUNNING))))

    assert (error.reason, error.provider_code, error.request_id) == (reason, code, "R")
    assert "sikrit" not in str(error)
    assert "tokken" not in str(error)


@pytest.mark.parametrize("odd", ["text", {}, [], {"Code": 3}, {"Code": None}])
def test_an_error_of_any_shape_is_never_success(odd: object) -> None:
    refused(lambda: list(Script(answer(Error=odd)).tencent().cancel(ref(RUNNING))))


def test_one_id_that_spoils_a_batch_does_not_hide_the_others() -> None:
    other = "inv-22222222"
    found = answer(InvocationSet=[{"InvocationId": other, "InvocationStatus": "SUCCESS"}])
    spoiled = failing("ResourceNotFound.InvocationNotFound")

    answers = dict(Script(spoiled, spoiled, found, spoiled).tencent().read([ref(RUNNING), ref(other)]))

    assert isinstance(answers[ref(other)], Snapshot)
    assert cast(CloudError, answers[ref(RUNNING)]).reason is Reason.NOT_FOUND


def test_an_answer_about_other_runs_is_not_believed() -> None:
    foreign = answer(InvocationSet=[{"InvocationId": ENDED, "InvocationStatus": "SUCCESS"}])

    assert refused(lambda: list(Script(foreign).tencent().read([ref(RUNNING)]))).reason is Reason.UNPROVEN


def test_a_cancelled_task_that_had_begun_is_terminated() -> None:
    task = {"InvocationId": RUNNING, "InvocationTaskId": "invt-1", "TaskStatus": "CANCELLED"}
    result = {"ExecStartTime": "2026-11-21T02:22:44+00:00", "ExitCode": -1}
    script = Script(answer(InvocationTaskSet=[{**task, "TaskResult": result}], TotalCount=1))

    (one,) = script.tencent().invocations(ref(RUNNING), InvocationFilter())

    assert (one.state, one.exit_code) == (State.TERMINATED, None)


def test_a_run_by_a_schedule_says_so() -> None:
    row = {"InvocationId": RUNNING, "InvocationStatus": "RUNNING", "InvocationSource": "invoker"}

    assert "schedule" in (read(Script(answer(InvocationSet=[row])).tencent(), ref(RUNNING)).run.status_detail or "")
