"""Alibaba Cloud through the real wire against the sandbox, and odd answers through a scripted transport."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from runcancel.errors import CloudError, Reason
from runcancel.model import Ref, Scope, Snapshot, State, Wanted
from runcancel.pace import Pace
from runcancel.providers import Cloud, Connection, alibaba
from runcancel.providers.alibaba import credentials
from runcancel.providers.alibaba.credentials import Keys
from runcancel.providers.alibaba.invocations import CloudAssistant
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.transport import Endpoint, Reply, Transport
from runcancel.sandbox import Sandbox, SandboxOptions

SCOPE = Scope(provider="alibaba", region="cn-hangzhou")
HALF = "t-7d2a745b412b4601b2d47f6a768d0001"  # 31 pending, 9 running that a stop leaves alone
KILLED = "t-7d2a745b412b4601b2d47f6a768d0002"  # running ones become Terminated
PERIODIC = "t-7d2a745b412b4601b2d47f6a768d0003"
ENDED = "t-7d2a745b412b4601b2d47f6a768d0009"
NOBODY = "t-00000000000000000000000000000000"


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
        return box, alibaba.connect(connection, environ, Pace(Clock(), attempts=3))

    yield start
    for box in boxes:
        box.close()


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

    run = read(cloud, HALF).run

    assert (run.state, run.provider_status, run.name) == (State.RUNNING, "Running", "patch-openssl")
    assert run.counts == {State.PENDING: 31, State.RUNNING: 9}
    assert (run.target_count, run.guarantee, run.cancellable) == (40, "pending-only", True)
    assert len(box.log.shown()) == 1


def test_a_repeating_run_says_how_it_repeats(opened: Open) -> None:
    _, cloud = opened()

    assert (read(cloud, PERIODIC).run.status_detail or "").startswith("Period ")


def test_a_stop_leaves_running_ones_alone_and_cancels_the_rest(opened: Open) -> None:
    _, cloud = opened()

    (request_id,) = cloud.cancel(ref(HALF))
    seen = [read(cloud, HALF).run for _ in range(8)]

    assert request_id
    assert seen[0].counts == {State.RUNNING: 9, State.CANCELLING: 31}
    assert seen[-1].counts == {State.RUNNING: 9, State.CANCELLED: 31}


def test_a_run_whose_running_ones_were_stopped_is_terminated(opened: Open) -> None:
    _, cloud = opened()

    list(cloud.cancel(ref(KILLED)))
    seen = [read(cloud, KILLED).run for _ in range(8)][-1]

    assert (seen.state, seen.provider_status) == (State.TERMINATED, "Stopped")
    assert not seen.cancellable


def test_targets_travel_in_pieces_of_fifty_each_once(opened: Open) -> None:
    spec = {"provider": "alibaba", "kind": "invocation", "id": "t-large0001", "targets": {"pending": 120}}
    box, cloud = opened(runs=[spec])
    targets = [one.target or "" for one in cloud.invocations(ref("t-large0001"), Wanted())]

    request_ids = list(cloud.cancel(ref("t-large0001"), [*targets, targets[0]]))

    assert [len(one["params"]["InstanceId"]) for one in asked(box, "StopInvocation")] == [50, 50, 20]
    assert len(set(request_ids)) == 3


def test_invocations_are_filtered_and_limited(opened: Open) -> None:
    _, cloud = opened()

    running = list(cloud.invocations(ref(HALF), Wanted(states=frozenset({State.RUNNING}), limit=4)))
    (one,) = cloud.invocations(ref(HALF), Wanted(targets=frozenset({running[0].target or ""})))

    assert [each.state for each in running] == [State.RUNNING] * 4
    assert (one.target, one.exit_code) == (running[0].target, None)
    assert one.started_at is not None


def test_exit_codes_come_only_from_those_that_ended(opened: Open) -> None:
    _, cloud = opened()

    codes = {one.provider_status: one.exit_code for one in cloud.invocations(ref(ENDED), Wanted())}

    assert codes["Success"] == 0
    assert codes["Failed"] not in (None, 0)


def test_an_unknown_id_is_looked_for_among_schedules_too(opened: Open) -> None:
    box, cloud = opened()

    ((_, found),) = cloud.read([ref(NOBODY)])

    assert isinstance(found, CloudError)
    assert found.reason is Reason.NOT_FOUND
    assert len(asked(box, "DescribeInvocations")) == 2  # with and without Timed


def test_a_malformed_id_never_travels(opened: Open) -> None:
    box, cloud = opened()

    ((_, found),) = cloud.read([ref("t-123456789&Action=StopInvocation")])

    assert isinstance(found, CloudError)
    assert found.reason is Reason.INVALID
    assert refused(lambda: list(cloud.cancel(ref("t-1/..")))).reason is Reason.INVALID
    assert box.log.shown() == []


def test_identity_is_asked_of_the_same_loopback(opened: Open) -> None:
    box, cloud = opened()

    who = cloud.identity()

    assert who.account == box.account_id("alibaba")
    assert who.principal.startswith("acs:ram::")


def test_temporary_keys_are_sent_with_their_token(opened: Open) -> None:
    _, cloud = opened(sort="temporary")

    assert read(cloud, HALF).run.state is State.RUNNING


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

    assert refused(lambda: list(cloud.read([ref(HALF)]))).reason is reason


def test_a_denial_names_the_action(opened: Open) -> None:
    _, cloud = opened("StopInvocation=denied")

    error = refused(lambda: list(cloud.cancel(ref(HALF))))

    assert (error.reason, error.message) == (
        Reason.DENIED,
        "not permitted: ecs:StopInvocation (ALIBABA_CLOUD_ACCESS_KEY_ID of the environment)",
    )
    assert error.request_id


def test_a_throttle_waits_as_long_as_the_cloud_asks_and_goes_on(opened: Open) -> None:
    _, cloud = opened("StopInvocation=throttle*2,retry_after=1500")

    assert len(list(cloud.cancel(ref(HALF)))) == 1


@pytest.mark.parametrize("fault", ["drop-after", "http-500", "html-200", "empty-object-200"])
def test_a_cancel_in_doubt_is_not_repeated(fault: str, opened: Open) -> None:
    box, cloud = opened(f"StopInvocation={fault}")

    error = refused(lambda: list(cloud.cancel(ref(HALF))))

    assert error.reason in (Reason.LOST, Reason.DOWN, Reason.UNPROVEN)
    assert len(asked(box, "StopInvocation")) == 1


def test_operation_forbidden_is_not_a_matter_of_permission(opened: Open) -> None:
    _, cloud = opened("StopInvocation=error,code=Operation.Forbidden,status=403")

    assert refused(lambda: list(cloud.cancel(ref(HALF)))).reason is Reason.NOT_CANCELLABLE


def test_an_invented_word_is_unknown_and_never_over(opened: Open) -> None:
    _, cloud = opened("DescribeInvocations=unknown-word")

    snapshot = read(cloud, HALF)

    words = {one.state for one in snapshot.invocations} | {snapshot.run.state}
    assert State.UNKNOWN in words
    assert not any(one.state.over for one in snapshot.invocations)


def test_a_wrong_secret_is_said_without_the_secret() -> None:
    with Sandbox(SandboxOptions(tick=0.1)) as box:
        environ = {"HOME": "/nowhere", **box.environment(), "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2hunter2"}
        cloud = alibaba.connect(Connection(scope=SCOPE, endpoint_url=box.url), environ, Pace(Clock()))

        error = refused(lambda: list(cloud.read([ref(HALF)])))

    assert error.reason is Reason.BAD_CREDENTIALS
    assert "hunter2" not in f"{error.message}{error.hint}{error!r}"


def test_debug_lines_hold_no_credentials(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    box, cloud = opened(sort="temporary")

    with caplog.at_level(logging.DEBUG):
        read(cloud, HALF)

    own = [record.getMessage() for record in caplog.records if record.name == "runcancel.wire"]
    secrets = [value for name, value in box.environment(sort="temporary").items() if "ALIBABA_CLOUD_" in name]
    assert any("DescribeInvocations" in line for line in own)
    assert not any(secret in caplog.text for secret in secrets if secret != "cn-hangzhou")


# Answers that no sandbox gives.


class Script:
    """A transport that gives one answer after the other, the last one for ever."""

    def __init__(self, *answers: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.endpoint = Endpoint.of("https://ecs.example.com")
        self.answers: Sequence[object] = answers
        self.status = status
        self.headers = headers or {}
        self.calls = 0

    def post(self, target: str, *, headers: object, body: bytes = b"") -> Reply:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Reply(status_code=self.status, headers=self.headers, content=content)


def scripted(script: Script) -> CloudAssistant:
    pace = Pace(Clock(), attempts=1)
    keys = Keys(id="id", secret="sikrit", token="tokken")
    transport = cast(Transport, script)
    wire = Wire(transport, product="ecs", version="2014-05-26", scope=SCOPE, keys=lambda: keys, pace=pace)
    return CloudAssistant(wire, wire, scope=SCOPE, kind=alibaba.KINDS[0])


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
    run = read(scripted(Script(listing(**odd))), HALF).run

    assert run.state is State.UNKNOWN
    assert run.created_at is None


@pytest.mark.parametrize(
    "odd", [None, [], "text", 3, {"RequestId": ""}, {"RequestId": None}, b"<html>", b"", b"[" * 9999]
)
def test_what_proves_nothing_is_unproven(odd: object) -> None:
    assert refused(lambda: list(scripted(Script(odd)).cancel(ref(HALF)))).reason is Reason.UNPROVEN


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

    error = refused(lambda: list(scripted(Script(body, status=status)).cancel(ref(HALF))))

    assert (error.reason, error.provider_code, error.request_id) == (reason, code, "R")
    assert "sikrit" not in str(error)
    assert "tokken" not in str(error)


def test_retry_after_is_milliseconds() -> None:
    script = Script({"Code": "Throttling.User"}, status=400, headers={"x-acs-retry-after": "2500"})

    assert refused(lambda: list(scripted(script).cancel(ref(HALF)))).retry_after == 2.5


def test_the_denied_action_is_the_one_the_cloud_names() -> None:
    body = {"RequestId": "R", "Code": "NoPermission", "AccessDeniedDetail": {"AuthAction": "ecs:Other"}}

    error = refused(lambda: list(scripted(Script(body, status=403)).cancel(ref(HALF))))

    assert error.message == "not permitted: ecs:Other"


def test_an_answer_about_another_run_is_not_believed() -> None:
    foreign = {"RequestId": "R", "Invocations": {"Invocation": [{"InvokeId": ENDED, "InvocationStatus": "Success"}]}}

    assert refused(lambda: list(scripted(Script(foreign)).read([ref(HALF)]))).reason is Reason.UNPROVEN


def test_a_scheduled_run_hidden_without_timed_is_found() -> None:
    script = Script({"RequestId": "R"}, listing(InvocationStatus="Scheduled"))

    assert read(scripted(script), HALF).run.state is State.SCHEDULED
    assert script.calls == 2


# Where keys and regions come from.


def home(tmp_path: Path, *profiles: dict[str, str], current: str = "default") -> dict[str, str]:
    folder = tmp_path / ".aliyun"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"current": current, "profiles": profiles}))
    return {"HOME": str(tmp_path)}


def profile(name: str, **more: str) -> dict[str, str]:
    return {"name": name, "mode": "AK", "access_key_id": f"{name}-id", "access_key_secret": f"{name}-secret", **more}


@pytest.mark.parametrize("prefix", credentials.PREFIXES)
def test_every_spelling_of_the_variables_is_read(prefix: str) -> None:
    environ = {
        "HOME": "/nowhere",
        f"{prefix}_ACCESS_KEY_ID": "one",
        f"{prefix}_ACCESS_KEY_SECRET": "two",
        f"{prefix}_SECURITY_TOKEN": "three",
        f"{prefix}_REGION_ID": "cn-beijing",
    }

    keys = credentials.find(environ, None)()

    assert (keys.id, keys.secret, keys.token) == ("one", "two", "three")
    assert alibaba.default_region(environ, None) == ("cn-beijing", f"{prefix}_REGION_ID")
    assert alibaba.configured(environ)


def test_a_named_profile_wins_over_the_environment(tmp_path: Path) -> None:
    environ = home(tmp_path, profile("default"), profile("prod", region_id="cn-shanghai"))
    environ |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "env"}

    assert credentials.find(environ, "prod")().id == "prod-id"
    assert credentials.find(environ, None)().id == "env"
    assert alibaba.default_region(environ, "prod") == ("cn-shanghai", "profile prod in ~/.aliyun/config.json")


def test_the_current_profile_is_used_and_a_static_token_travels(tmp_path: Path) -> None:
    environ = home(tmp_path, profile("a"), profile("b", mode="StsToken", sts_token="tok"), current="b")

    assert credentials.find(environ, None)().token == "tok"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "no credentials"),
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": "x"}, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ({"ALICLOUD_ACCESS_KEY_SECRET": "x"}, "ALICLOUD_ACCESS_KEY_ID"),
    ],
)
def test_missing_credentials_are_said_before_any_request(environ: dict[str, str], says: str) -> None:
    connect = lambda: alibaba.connect(Connection(scope=SCOPE), {"HOME": "/nowhere", **environ}, Pace(Clock()))  # noqa: E731

    error = refused(connect)

    assert error.reason is Reason.NO_CREDENTIALS
    assert says in error.message


def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    environ = home(tmp_path)
    (tmp_path / ".aliyun" / "config.json").write_text('{"access_key_secret": "sikrit"')

    error = refused(lambda: credentials.find(environ, None))

    assert "config.json" in error.message
    assert "sikrit" not in error.message
    assert alibaba.default_region(environ, None) is None


def test_an_unknown_profile_is_said(tmp_path: Path) -> None:
    assert "'prod'" in refused(lambda: credentials.find(home(tmp_path, profile("a")), "prod")).message


def test_a_profile_that_the_sdk_must_ask_for_fails_in_our_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = home(tmp_path, {"name": "x", "mode": "External", "process_command": "/nowhere/tool --key sikrit"})

    error = refused(lambda: credentials.find(environ, "x")())

    assert error.reason is Reason.NO_CREDENTIALS
    assert "profile x" in error.message
    assert "sikrit" not in f"{error.message}{error.hint}"
    assert capfd.readouterr() == ("", "")


def test_keys_never_show_themselves() -> None:
    assert "sikrit" not in repr(Keys(id="a", secret="sikrit", token="sikrit"))


@pytest.mark.parametrize("url", ["http://ecs.aliyuncs.com", "https://user@host"])
def test_an_unsafe_endpoint_is_refused(url: str) -> None:
    environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "a", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "b"}
    connection = Connection(scope=SCOPE, endpoint_url=url)

    assert refused(lambda: alibaba.connect(connection, environ, Pace(Clock()))).reason is Reason.USAGE
