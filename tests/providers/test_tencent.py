"""Tencent Cloud through the real SDK against the sandbox, and odd answers through a scripted transport."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from runcancel.errors import CloudError, Reason
from runcancel.model import Ref, Scope, Snapshot, State, Wanted
from runcancel.pace import Pace
from runcancel.providers import Cloud, Connection, tencent
from runcancel.providers.tencent import credentials
from runcancel.providers.tencent.credentials import AssumedRole, Keys
from runcancel.providers.tencent.invocations import Tat
from runcancel.providers.tencent.wire import Wire
from runcancel.providers.transport import Endpoint, Reply, Transport
from runcancel.sandbox import Sandbox, SandboxOptions

SCOPE = Scope(provider="tencent", region="ap-guangzhou")
RUNNING = "inv-ib2lld37"  # 9 running, 3 pending
ENDED = "inv-0ended0001"
NOBODY = "inv-00000000"


class Clock:
    """Time that only sleeping moves."""

    stopped = False

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ref(id: str) -> Ref:
    return Ref(scope=SCOPE, kind="invocation", id=id)


Open = Callable[..., tuple[Sandbox, Cloud]]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Starts a sandbox with faults and connects to it; nothing moves but by requests."""
    boxes: list[Sandbox] = []

    def start(*faults: str, tick: float = 0.5, sort: str = "static", **options: Any) -> tuple[Sandbox, Cloud]:
        box = Sandbox(SandboxOptions(tick=tick, faults=faults, **options))
        boxes.append(box)
        environ = {"HOME": "/nowhere", **box.environment(sort=sort)}
        connection = Connection(scope=SCOPE, endpoint_url=box.url, read_timeout=1)
        return box, tencent.connect(connection, environ, Pace(Clock(), attempts=3))

    yield start
    for box in boxes:
        box.close()


def spec(id: str, **targets: int) -> dict[str, Any]:
    return {"provider": "tencent", "kind": "invocation", "id": id, "targets": targets}


def read(cloud: Cloud, id: str) -> Snapshot:
    ((_, found),) = cloud.read([ref(id)])
    assert isinstance(found, Snapshot), found
    return found


def refused(ask: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        ask()
    return caught.value


def asked(box: Sandbox, action: str) -> list[dict[str, Any]]:
    return [one for one in box.log.shown() if one["action"] == action]


def test_a_run_is_read_with_its_counts_in_one_request(opened: Open) -> None:
    box, cloud = opened()

    run = read(cloud, RUNNING).run

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
    task = read(cloud, RUNNING).invocations[0].id

    by_task = read(cloud, task)

    assert task.startswith("invt-")
    assert (by_task.run.id, by_task.run.ref) == (RUNNING, str(ref(RUNNING)))
    assert {one.run for one in cloud.invocations(ref(task), Wanted())} == {str(ref(RUNNING))}


def test_an_unknown_task_id_is_not_found(opened: Open) -> None:
    _, cloud = opened()

    ((_, found),) = cloud.read([ref("invt-00000000")])

    assert isinstance(found, CloudError)
    assert found.reason is Reason.NOT_FOUND
    assert refused(lambda: list(cloud.cancel(ref("invt-00000000")))).reason is Reason.NOT_FOUND


def test_a_cancel_stops_what_runs_and_the_run_is_terminated(opened: Open) -> None:
    _, cloud = opened()

    (request_id,) = cloud.cancel(ref(RUNNING))
    seen = [read(cloud, RUNNING).run for _ in range(8)]

    assert request_id
    assert seen[0].state is State.CANCELLING
    assert seen[-1].counts == {State.CANCELLED: 3, State.TERMINATED: 9}
    assert seen[-1].state is State.TERMINATED
    assert not seen[-1].cancellable


def test_only_the_targets_are_cancelled(opened: Open) -> None:
    _, cloud = opened()
    targets = [one.target or "" for one in read(cloud, RUNNING).invocations if one.state is State.RUNNING][:2]

    list(cloud.cancel(ref(RUNNING), targets))
    seen = [read(cloud, RUNNING).run for _ in range(8)][-1]

    assert seen.counts == {State.PENDING: 3, State.RUNNING: 7, State.TERMINATED: 2}


def test_targets_travel_in_pieces_of_a_hundred_each_once(opened: Open) -> None:
    box, cloud = opened(runs=[spec("inv-large001", pending=250)])
    targets = [one.target or "" for one in cloud.invocations(ref("inv-large001"), Wanted())]

    request_ids = list(cloud.cancel(ref("inv-large001"), [*targets, targets[0]]))

    assert [len(one["params"]["InstanceIds"]) for one in asked(box, "CancelInvocation")] == [100, 100, 50]
    assert len(set(request_ids)) == 3


def test_invocations_come_page_by_page_and_no_more_than_wanted(opened: Open) -> None:
    box, cloud = opened(runs=[spec("inv-large001", running=250)])

    everything = list(cloud.invocations(ref("inv-large001"), Wanted()))
    pages = len(box.log.shown())
    few = list(cloud.invocations(ref("inv-large001"), Wanted(limit=3)))

    assert (len({one.id for one in everything}), pages) == (250, 3)
    assert len(few) == 3
    assert [one["params"]["Limit"] for one in box.log.shown()][-1] == 3
    assert all(one["params"]["HideOutput"] is True for one in box.log.shown())


def test_invocations_are_filtered_by_the_vendor_where_it_can(opened: Open) -> None:
    box, cloud = opened()
    target = read(cloud, RUNNING).invocations[0].target or ""

    (one,) = cloud.invocations(ref(RUNNING), Wanted(targets=frozenset({target})))
    pending = list(cloud.invocations(ref(RUNNING), Wanted(states=frozenset({State.PENDING}))))

    assert one.target == target
    assert {"Name": "instance-id", "Values": [target]} in asked(box, "DescribeInvocationTasks")[0]["params"]["Filters"]
    assert len(pending) == 3


def test_invocations_of_an_unknown_run_are_not_found(opened: Open) -> None:
    _, cloud = opened()

    assert refused(lambda: list(cloud.invocations(ref(NOBODY), Wanted()))).reason is Reason.NOT_FOUND


def test_exit_codes_and_times_are_listed_for_those_that_ended(opened: Open) -> None:
    _, cloud = opened()

    ended = list(cloud.invocations(ref(ENDED), Wanted()))

    assert {one.exit_code for one in ended if one.state is State.SUCCEEDED} == {0}
    assert all(one.started_at and one.ended_at and one.started_at <= one.ended_at for one in ended)


@pytest.mark.parametrize("fault", ["duplicate-page", "duplicate-page,rows=5"])
def test_rows_that_come_twice_are_listed_once(fault: str, opened: Open) -> None:
    _, cloud = opened(f"DescribeInvocationTasks={fault}", runs=[spec("inv-large001", running=250)])

    ids = [one.id for one in cloud.invocations(ref("inv-large001"), Wanted())]

    assert (len(ids), len(set(ids))) == (250, 250)


def test_a_malformed_id_never_travels(opened: Open) -> None:
    box, cloud = opened()

    assert refused(lambda: list(cloud.cancel(ref("inv-12345678\n")))).reason is Reason.INVALID
    assert refused(lambda: list(cloud.cancel(ref(RUNNING), ["ins-1'"]))).reason is Reason.INVALID
    assert box.log.shown() == []


def test_identity_is_asked_of_the_same_loopback(opened: Open) -> None:
    box, cloud = opened()

    who = cloud.identity()

    assert who.account == box.account_id("tencent")
    assert who.principal.startswith("qcs::cam::")


def test_the_token_of_temporary_keys_is_sent(opened: Open) -> None:
    _, cloud = opened(sort="temporary")

    assert read(cloud, RUNNING).run.state is State.RUNNING


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("DescribeInvocations=denied", Reason.DENIED),
        ("DescribeInvocations=expired", Reason.EXPIRED_CREDENTIALS),
        ("DescribeInvocations=http-503", Reason.DOWN),
        ("DescribeInvocations=http-503,html=true", Reason.DOWN),
        ("DescribeInvocations=throttle", Reason.BUSY),
        ("DescribeInvocations=drop-before", Reason.LOST),
        ("DescribeInvocations=half-json", Reason.UNPROVEN),
        ("DescribeInvocations=html-200", Reason.UNPROVEN),
        ("DescribeInvocations=empty-object-200", Reason.UNPROVEN),
        ("DescribeInvocations=empty-body-200", Reason.UNPROVEN),
        ("DescribeInvocations=no-request-id", Reason.UNPROVEN),
    ],
)
def test_each_failure_has_its_reason(fault: str, reason: Reason, opened: Open) -> None:
    _, cloud = opened(fault)

    assert refused(lambda: list(cloud.read([ref(RUNNING)]))).reason is reason


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

    assert read(cloud, RUNNING).run.state is State.RUNNING


def test_a_throttle_is_waited_out(opened: Open) -> None:
    box, cloud = opened("CancelInvocation=throttle*2")

    assert len(list(cloud.cancel(ref(RUNNING)))) == 1
    assert len(asked(box, "CancelInvocation")) == 3


@pytest.mark.parametrize(
    "fault", ["drop-after", "http-500", "html-200", "empty-object-200", "error,code=InternalError"]
)
def test_a_cancel_in_doubt_is_not_repeated(fault: str, opened: Open) -> None:
    box, cloud = opened(f"CancelInvocation={fault}")

    error = refused(lambda: list(cloud.cancel(ref(RUNNING))))

    assert error.reason in (Reason.LOST, Reason.DOWN, Reason.UNPROVEN)
    assert len(asked(box, "CancelInvocation")) == 1


def test_an_invented_word_is_unknown_and_never_over(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=unknown-word")

    snapshot = read(cloud, RUNNING)

    assert State.UNKNOWN in {one.state for one in snapshot.invocations} | {snapshot.run.state}
    assert not any(one.state.over for one in snapshot.invocations)


def test_a_wrong_key_is_said_without_the_key() -> None:
    with Sandbox(SandboxOptions(tick=0.1)) as box:
        environ = {"HOME": "/nowhere", **box.environment(), "TENCENTCLOUD_SECRET_KEY": "hunter2hunter2"}
        cloud = tencent.connect(Connection(scope=SCOPE, endpoint_url=box.url), environ, Pace(Clock()))

        error = refused(lambda: list(cloud.read([ref(RUNNING)])))

    assert error.reason is Reason.BAD_CREDENTIALS
    assert "hunter2" not in f"{error.message}{error.hint}{error!r}"


def test_debug_lines_hold_no_credentials(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    box, cloud = opened(sort="temporary")

    with caplog.at_level(logging.DEBUG):
        read(cloud, RUNNING)

    own = [record.getMessage() for record in caplog.records if record.name == "runcancel.wire"]
    secrets = [value for name, value in box.environment(sort="temporary").items() if name.startswith("TENCENTCLOUD_")]
    assert any("DescribeInvocations" in line for line in own)
    assert not any(secret in caplog.text for secret in secrets if secret != SCOPE.region)


# Answers that no sandbox gives.


class Script:
    """A transport that gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: object, status: int = 200) -> None:
        self.endpoint = Endpoint.of("https://tat.example.com")
        self.answers: Sequence[object] = answers
        self.status = status
        self.bodies: list[Any] = []

    def post(self, target: str, *, headers: object, body: bytes = b"") -> Reply:
        answer = self.answers[min(len(self.bodies), len(self.answers) - 1)]
        self.bodies.append(json.loads(body))
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Reply(status_code=self.status, headers={"content-type": "application/json"}, content=content)


def scripted(script: Script) -> Tat:
    pace = Pace(Clock(), attempts=1)
    keys = Keys(id="id", secret="sikrit", token="tokken")
    transport = cast(Transport, script)
    wire = Wire(transport, product="tat", version="2020-10-28", scope=SCOPE, keys=keys, pace=pace)
    return Tat(wire, wire, scope=SCOPE, kind=tencent.KINDS[0], pace=pace)


def answer(**fields: object) -> dict[str, object]:
    return {"Response": {"RequestId": "R", **fields}}


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
    run = read(scripted(Script(answer(InvocationSet=[{"InvocationId": RUNNING, **odd}]))), RUNNING).run

    assert run.state is State.UNKNOWN
    assert run.started_at is None


@pytest.mark.parametrize("result", [None, [], "text", {"ExitCode": "x", "ExecStartTime": 3e99}])
def test_odd_task_results_do_not_crash(result: object) -> None:
    task = {"InvocationId": RUNNING, "InvocationTaskId": "invt-1", "TaskStatus": "SUCCESS", "TaskResult": result}
    cloud = scripted(Script(answer(InvocationTaskSet=[task], TotalCount=1)))

    (one,) = cloud.invocations(ref(RUNNING), Wanted())

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
    assert refused(lambda: list(scripted(Script(odd)).cancel(ref(RUNNING)))).reason is Reason.UNPROVEN


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
    error = refused(lambda: list(scripted(Script(failing(code), status=status)).cancel(ref(RUNNING))))

    assert (error.reason, error.provider_code, error.request_id) == (reason, code, "R")
    assert "sikrit" not in str(error)
    assert "tokken" not in str(error)


@pytest.mark.parametrize("odd", ["text", {}, [], {"Code": 3}, {"Code": None}])
def test_an_error_of_any_shape_is_never_success(odd: object) -> None:
    refused(lambda: list(scripted(Script(answer(Error=odd))).cancel(ref(RUNNING))))


def test_one_id_that_spoils_a_batch_does_not_hide_the_others() -> None:
    other = "inv-22222222"
    found = answer(InvocationSet=[{"InvocationId": other, "InvocationStatus": "SUCCESS"}])
    spoiled = failing("ResourceNotFound.InvocationNotFound")

    answers = dict(scripted(Script(spoiled, spoiled, found, spoiled)).read([ref(RUNNING), ref(other)]))

    assert isinstance(answers[ref(other)], Snapshot)
    assert cast(CloudError, answers[ref(RUNNING)]).reason is Reason.NOT_FOUND


def test_an_answer_about_other_runs_is_not_believed() -> None:
    foreign = answer(InvocationSet=[{"InvocationId": ENDED, "InvocationStatus": "SUCCESS"}])

    assert refused(lambda: list(scripted(Script(foreign)).read([ref(RUNNING)]))).reason is Reason.UNPROVEN


def test_a_cancelled_task_that_had_begun_is_terminated() -> None:
    task = {"InvocationId": RUNNING, "InvocationTaskId": "invt-1", "TaskStatus": "CANCELLED"}
    result = {"ExecStartTime": "2026-11-21T02:22:44+00:00", "ExitCode": -1}
    script = Script(answer(InvocationTaskSet=[{**task, "TaskResult": result}], TotalCount=1))

    (one,) = scripted(script).invocations(ref(RUNNING), Wanted())

    assert (one.state, one.exit_code) == (State.TERMINATED, None)


def test_a_run_by_a_schedule_says_so() -> None:
    row = {"InvocationId": RUNNING, "InvocationStatus": "RUNNING", "InvocationSource": "invoker"}

    assert "schedule" in (read(scripted(Script(answer(InvocationSet=[row]))), RUNNING).run.status_detail or "")


# Where keys and regions come from.


def tccli(tmp_path: Path, name: str, credential: object, region: str | None = None) -> dict[str, str]:
    folder = tmp_path / ".tccli"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.credential").write_text(credential if isinstance(credential, str) else json.dumps(credential))
    if region:
        (folder / f"{name}.configure").write_text(json.dumps({"_sys_param": {"region": region}}))
    return {"HOME": str(tmp_path)}


PAIR = {"secretId": "file-id", "secretKey": "file-key"}
ENVIRON = {"TENCENTCLOUD_SECRET_ID": "env-id", "TENCENTCLOUD_SECRET_KEY": "env-key", "TENCENTCLOUD_TOKEN": "env-token"}


def test_the_environment_comes_before_files_and_after_a_named_profile(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", PAIR) | ENVIRON

    assert credentials.find(environ, None).keys.get_credential_info() == ("env-id", "env-key", "env-token")
    assert credentials.find(environ, "default").keys.get_credential_info() == ("file-id", "file-key", None)


def test_the_profile_of_a_variable_gives_keys_and_region(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "games", {**PAIR, "token": "t"}, "ap-shanghai") | {"TCCLI_PROFILE": "games"}

    assert credentials.find(environ, None).source == "profile games of tccli"
    assert tencent.default_region(environ, None) == ("ap-shanghai", "profile games of tccli")
    assert tencent.default_region(environ | {"TENCENTCLOUD_REGION": "x"}, None) == ("x", "TENCENTCLOUD_REGION")
    assert tencent.configured(environ)


def test_the_file_of_the_sdk_comes_last_and_may_quote(tmp_path: Path) -> None:
    folder = tmp_path / ".tencentcloud"
    folder.mkdir()
    (folder / "credentials").write_text('[default]\nsecret_id = "a%b"\nsecret_key = c\n')

    assert credentials.find({"HOME": str(tmp_path)}, None).keys.get_credential_info() == ("a%b", "c", None)


def test_a_login_that_has_ended_is_expired(tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", {**PAIR, "expiresAt": 1000})

    assert refused(lambda: credentials.find(environ, None, now=1000)).reason is Reason.EXPIRED_CREDENTIALS
    assert credentials.find(environ, None, now=999).keys.expires_at == 1000


@pytest.mark.parametrize("content", ["{'secretKey': 'sikrit'", "[]", '"sikrit"', "null", '{"type": "cvm-role"}'])
def test_a_broken_file_is_named_and_not_quoted(content: str, tmp_path: Path) -> None:
    environ = tccli(tmp_path, "default", content)

    error = refused(lambda: credentials.find(environ, None))

    assert error.reason is Reason.NO_CREDENTIALS
    assert "default.credential" in error.message
    assert "sikrit" not in error.message


@pytest.mark.parametrize("name", ["../default", "a/b", "..", "", "a\\b", "-x"])
def test_a_profile_name_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    if name:
        assert refused(lambda: credentials.find({"HOME": str(tmp_path)}, name)).reason is Reason.USAGE
    assert tencent.default_region({"HOME": str(tmp_path)}, name) is None


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "no credentials"),
        ({"TENCENTCLOUD_SECRET_ID": "x"}, "TENCENTCLOUD_SECRET_KEY"),
        ({"TENCENTCLOUD_SECRET_KEY": "x"}, "TENCENTCLOUD_SECRET_ID"),
    ],
)
def test_missing_credentials_are_said_before_any_request(environ: dict[str, str], says: str, tmp_path: Path) -> None:
    whole = {"HOME": str(tmp_path), **environ}

    error = refused(lambda: tencent.connect(Connection(scope=SCOPE), whole, Pace(Clock())))

    assert error.reason is Reason.NO_CREDENTIALS
    assert says in error.message


def test_a_role_is_assumed_once_and_renewed_before_it_ends() -> None:
    now = [0.0]
    given = [
        Keys(id="1", secret="s", token="t", expires_at=7200),
        Keys(id="2", secret="s", token="t", expires_at=14400),
    ]
    role = AssumedRole(lambda: given.pop(0), now=lambda: now[0])

    first = [role.get_credential_info()[0] for _ in range(3)]
    now[0] = 7000.0

    assert first == ["1", "1", "1"]
    assert role.get_credential_info()[0] == "2"


def test_sts_keys_are_read_or_refused() -> None:
    given = {"Credentials": {"TmpSecretId": "a", "TmpSecretKey": "b", "Token": "c"}, "ExpiredTime": 5}

    assert credentials.assumed(given).expires_at == 5
    assert refused(lambda: credentials.assumed({"Credentials": None})).reason is Reason.UNPROVEN


def test_keys_never_show_themselves() -> None:
    assert "sikrit" not in repr(Keys(id="a", secret="sikrit", token="sikrit"))


def test_an_unsafe_endpoint_is_refused() -> None:
    connection = Connection(scope=SCOPE, endpoint_url="http://tat.tencentcloudapi.com")

    assert refused(lambda: tencent.connect(connection, ENVIRON, Pace(Clock()))).reason is Reason.USAGE
