"""The AWS provider, through botocore over real HTTP: against the sandbox, against scripted replies, against moto."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from msgspec import UNSET

from runcancel.errors import CloudError, Reason
from runcancel.model import Kind, Ref, Scope, Snapshot, State, Wanted
from runcancel.pace import Pace
from runcancel.providers import Connection, provider
from runcancel.providers.aws.cloud import Aws
from runcancel.providers.aws.failures import CODES, EXCEPTIONS
from runcancel.providers.aws.wire import APIS, Wire
from runcancel.sandbox import Sandbox, SandboxOptions

SCOPE = Scope(provider="aws", region="us-east-2")
NIGHTLY = "02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
DEPLOY = "4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
STEPS = "6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"
RATED = "7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e"
NOBODY = "00000000-0000-4000-8000-000000000000"
CHILD = "1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4aaa"


def ref(kind: str, id: str) -> Ref:
    return Ref(scope=SCOPE, kind=kind, id=id)


WINDOW, COMMAND, AUTOMATION = ref("maintenance-window", NIGHTLY), ref("command", DEPLOY), ref("automation", STEPS)


class Ticker:
    """A clock that only its sleeps move."""

    stopped = False

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


Answer = tuple[int, Mapping[str, str], bytes]
Script = Callable[[str, dict[str, Any]], object]


class Scripted:
    """A server that says what a test wants AWS to say. `asked` holds (action, parameters)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.script: Script = lambda action, params: {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                action = self.headers.get("x-amz-target", ".").split(".")[1]
                params = json.loads(raw) if action else {}
                outer.asked.append((action, params))
                said = outer.script(action, params)
                status, headers, body = said if isinstance(said, tuple) else ok(said)
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def ok(body: object) -> Answer:
    return 200, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-1"}, json.dumps(body).encode()


def refused(code: str, message: str = "", **headers: str) -> Answer:
    body = json.dumps({"__type": code, **({"message": message} if message else {})}).encode()
    return 400, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-9", **headers}, body


def one_run(cloud: Aws, wanted: Ref, *, full: bool = True) -> Snapshot:
    ((_, answer),) = cloud.read([wanted], full=full)
    assert isinstance(answer, Snapshot), answer
    return answer


def failure(cloud: Aws, wanted: Ref) -> CloudError:
    ((_, answer),) = cloud.read([wanted])
    assert isinstance(answer, CloudError)
    return answer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture(scope="module")
def one_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(speed=0)) as started:
        yield started


@pytest.fixture
def box(one_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    one_box.reset()
    for name, value in one_box.environment().items():
        monkeypatch.setenv(name, value)
    return one_box


@pytest.fixture
def cloud(box: Sandbox, ticker: Ticker) -> Aws:
    return connect(ticker)


@pytest.fixture(scope="module")
def one_wire() -> Iterator[Scripted]:
    started = Scripted()
    yield started
    started.close()


@pytest.fixture
def wire(one_wire: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", one_wire.url)
    one_wire.asked.clear()
    one_wire.script = lambda action, params: {}
    return one_wire


@pytest.fixture
def scripted(wire: Scripted, ticker: Ticker) -> Aws:
    return connect(ticker)


def connect(ticker: Ticker, **connection: Any) -> Aws:
    opened = provider("aws").connect(
        Connection(scope=SCOPE, read_timeout=1.0, **connection), os.environ, Pace(ticker, jitter=lambda: 0.0)
    )
    assert isinstance(opened, Aws)
    return opened


# The sandbox: what the five readings of the three kinds say.


def test_a_window_is_read_on_all_three_levels(cloud: Aws) -> None:
    seen = one_run(cloud, WINDOW)

    assert (seen.run.state, seen.run.provider_status) == (State.RUNNING, "IN_PROGRESS")
    assert seen.run.counts is not None
    assert sum(seen.run.counts.values()) == len(seen.invocations) == seen.run.target_count
    assert {one.task for one in seen.invocations} == set(seen.run.task_ids)
    assert seen.run.started_at is not None
    assert seen.run.started_at.tzinfo is UTC


def test_a_running_window_task_names_the_command_it_started(cloud: Aws) -> None:
    running = [one for one in one_run(cloud, WINDOW).invocations if one.state is State.RUNNING]

    assert all((one.child or "").startswith("aws:us-east-2:command/") for one in running)
    child = one_run(cloud, ref("command", (running[0].child or "").rpartition("/")[2]))
    assert child.run.state is State.RUNNING


def test_a_short_reading_costs_one_request(box: Sandbox, cloud: Aws) -> None:
    seen = one_run(cloud, WINDOW, full=False)

    assert (seen.invocations, seen.run.counts) == ((), None)
    assert len(box.log.shown()) == 1


def test_a_command_is_read_over_its_pages(cloud: Aws) -> None:
    seen = one_run(cloud, COMMAND)

    assert seen.run.counts == {State.RUNNING: 88, State.SUCCEEDED: 12}
    assert (seen.run.target_count, seen.run.name) == (100, "AWS-RunShellScript")
    assert len({one.target for one in seen.invocations}) == 100
    assert {one.exit_code for one in seen.invocations if one.state is State.SUCCEEDED} == {0}


def test_a_plain_automation_lists_steps_and_a_rate_controlled_one_its_children(cloud: Aws) -> None:
    steps = one_run(cloud, AUTOMATION)
    children = one_run(cloud, ref("automation", RATED))

    assert [one.target_name for one in steps.invocations] == [f"step{number}" for number in range(1, 7)]
    assert {one.child for one in steps.invocations} == {None}
    assert len(children.invocations) == 8
    assert all(one.child == f"aws:us-east-2:automation/{one.id}" for one in children.invocations)
    assert all((one.target or "").startswith("i-") for one in children.invocations)


@pytest.mark.parametrize("kind", ["maintenance-window", "command", "automation"])
def test_an_unknown_id_is_an_answer_not_a_crash(cloud: Aws, kind: str) -> None:
    assert failure(cloud, ref(kind, NOBODY)).reason is Reason.NOT_FOUND
    with pytest.raises(CloudError) as raised:
        list(cloud.invocations(ref(kind, NOBODY), Wanted()))
    assert raised.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("wanted", "state"),
    [(WINDOW, State.CANCELLING), (COMMAND, State.TERMINATED), (AUTOMATION, State.TERMINATED)],
    ids=lambda one: one.kind if isinstance(one, Ref) else "",
)
def test_a_cancel_is_asked_once_and_seen(box: Sandbox, cloud: Aws, wanted: Ref, state: State) -> None:
    asked = list(cloud.cancel(wanted))
    box.clock.advance(30)
    seen = one_run(cloud, wanted)

    assert len(asked) == 1
    assert asked[0]
    assert seen.run.state is state


def test_a_step_that_never_ran_is_skipped_after_the_stop(box: Sandbox, cloud: Aws) -> None:
    list(cloud.cancel(AUTOMATION))
    box.clock.advance(30)

    assert one_run(cloud, AUTOMATION).run.counts == {State.TERMINATED: 1, State.SUCCEEDED: 2, State.SKIPPED: 3}


def test_identity_asks_the_loopback_endpoint_too(box: Sandbox, cloud: Aws) -> None:
    assert cloud.identity().account == box.account_id("aws")


def test_targets_of_a_command_are_cancelled_in_chunks(box: Sandbox, cloud: Aws) -> None:
    running = [one.target for one in one_run(cloud, COMMAND).invocations if one.state is State.RUNNING]

    asked = list(cloud.cancel(COMMAND, [target for target in running if target] * 2))
    box.clock.advance(30)

    assert len(asked) == 2
    assert one_run(cloud, COMMAND).run.counts == {State.TERMINATED: 88, State.SUCCEEDED: 12}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("html-200", Reason.UNPROVEN),
        ("empty-object-200", Reason.UNPROVEN),
        ("half-json", Reason.UNPROVEN),
        ("foreign-echo", Reason.UNPROVEN),
        ("no-request-id", Reason.UNPROVEN),
        ("drop-after", Reason.LOST),
        ("hang,seconds=30", Reason.LOST),
        ("http-500", Reason.DOWN),
        ("http-503", Reason.DOWN),
        ("denied", Reason.DENIED),
        ("expired", Reason.EXPIRED_CREDENTIALS),
    ],
)
def test_a_cancel_in_doubt_or_refused_is_not_repeated(box: Sandbox, cloud: Aws, fault: str, reason: Reason) -> None:
    box.board.replace([_rule(f"aws:CancelMaintenanceWindowExecution={fault}")])

    with pytest.raises(CloudError) as raised:
        list(cloud.cancel(WINDOW))

    assert raised.value.reason is reason
    assert len(box.log.shown()) == 1


def test_a_throttled_cancel_is_repeated_when_the_server_says(box: Sandbox, cloud: Aws, ticker: Ticker) -> None:
    box.board.replace([_rule("aws:CancelCommand=throttle*2,retry_after=1500")])

    assert len(list(cloud.cancel(COMMAND))) == 1
    assert ticker.slept.count(1.5) >= 2


@pytest.mark.parametrize("fault", ["http-503*2", "drop-before*1", "html-200*1", "half-json*1", "empty-object-200*2"])
def test_a_read_is_repeated_until_it_proves_itself(box: Sandbox, cloud: Aws, fault: str) -> None:
    box.board.replace([_rule(f"aws:ListCommandInvocations={fault}")])

    assert one_run(cloud, COMMAND).run.counts == {State.RUNNING: 88, State.SUCCEEDED: 12}


@pytest.mark.parametrize("fault", ["duplicate-page", "empty-token"])
def test_odd_pages_count_nothing_twice(box: Sandbox, cloud: Aws, fault: str) -> None:
    box.board.replace([_rule(f"aws:ListCommandInvocations={fault}")])

    listed = list(cloud.invocations(COMMAND, Wanted()))

    assert len(listed) == len({one.id for one in listed})


def test_a_token_that_repeats_for_ever_ends_as_unproven(box: Sandbox, cloud: Aws) -> None:
    box.board.replace([_rule("aws:ListCommandInvocations=repeat-token")])

    with pytest.raises(CloudError) as raised:
        list(cloud.invocations(COMMAND, Wanted()))

    assert raised.value.reason is Reason.UNPROVEN


def test_an_unknown_word_is_never_over(box: Sandbox, cloud: Aws) -> None:
    box.board.replace([_rule("aws:*=unknown-word")])

    run = one_run(cloud, COMMAND).run

    assert (run.state, run.provider_status) == (State.UNKNOWN, "HIBERNATING")


def _rule(text: str) -> Any:
    from runcancel.sandbox.faults import rule

    return rule(text)


# Scripted replies: what the sandbox has no reason to say.

TASK = "11111111-1111-4111-8111-111111111111"
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


A, B, C, D = (f"i-0123456789abcdef{end}" for end in "0123")


@pytest.mark.parametrize(
    ("fields", "target", "name", "child"),
    [
        ({"Parameters": parameters(A), "ExecutionId": CHILD}, A, None, f"aws:us-east-2:command/{CHILD}"),
        ({"Parameters": parameters(A, B)}, None, f"{A}, {B}", None),
        ({"Parameters": parameters(A, B, C, D)}, None, f"{A}, {B}, {C} and 1 more", None),
        ({"TaskType": "AUTOMATION", "ExecutionId": CHILD}, None, None, f"aws:us-east-2:automation/{CHILD}"),
        ({"TaskType": "LAMBDA", "ExecutionId": CHILD}, None, f"LAMBDA {CHILD}", None),
        ({"TaskType": "STEP_FUNCTIONS", "ExecutionId": "arn:x"}, None, "STEP_FUNCTIONS arn:x", None),
        ({"ExecutionId": "../../etc"}, None, "RUN_COMMAND ../../etc", None),
        ({"Parameters": "{not json"}, None, None, None),
        ({"Parameters": '{"instanceIds": {"a": 1}}'}, None, None, None),
        ({"Parameters": '{"instanceIds": [3, null, "$(reboot)"]}'}, None, None, None),
        ({"Parameters": "[" * 5000}, None, None, None),
    ],
)
def test_target_and_child_of_a_window_invocation(
    wire: Scripted, scripted: Aws, fields: dict[str, Any], target: str | None, name: str | None, child: str | None
) -> None:
    wire.script = window_script([invoked(1, **fields)])

    (one,) = scripted.invocations(WINDOW, Wanted())

    assert (one.target, one.target_name, one.child) == (target, name, child)
    assert one.parameters is UNSET


def test_parameters_travel_only_when_asked_for(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Parameters=parameters(A))])

    (one,) = scripted.invocations(WINDOW, Wanted(parameters=True))

    assert one.parameters == parameters(A)


def test_a_task_without_invocations_is_one_row(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Status="IN_PROGRESS")], tasks=(TASK, LATER))

    seen = one_run(scripted, WINDOW)

    assert [(one.id, one.task, one.target) for one in seen.invocations][1:] == [(LATER, LATER, None)]
    assert seen.run.counts == {State.PENDING: 1, State.RUNNING: 1}


def test_a_status_filter_goes_to_aws_and_does_not_make_a_task_look_empty(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Status="SUCCESS"), invoked(2)], tasks=(TASK, LATER))

    listed = list(scripted.invocations(WINDOW, Wanted(states=frozenset({State.PENDING}))))
    none = list(scripted.invocations(WINDOW, Wanted(states=frozenset({State.RUNNING}))))

    assert [one.id[-1] for one in listed] == ["2", LATER[-1]]
    assert none == []
    assert [{"Key": "STATUS", "Values": ["PENDING"]}] in [params.get("Filters") for _, params in wire.asked]


@pytest.mark.parametrize(("limit", "size"), [(1, 10), (9, 10), (25, 25), (500, 100), (0, 100)])
def test_a_limit_below_the_smallest_page_is_trimmed_here(wire: Scripted, scripted: Aws, limit: int, size: int) -> None:
    wire.script = window_script([invoked(number) for number in range(12)])

    listed = list(scripted.invocations(WINDOW, Wanted(limit=limit)))

    assert len(listed) == min(12, limit or 12)
    assert wire.asked[-1][1]["MaxResults"] == size


def test_a_shared_invocation_is_found_by_each_of_its_targets(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1, Parameters=parameters(A, B)), invoked(2, Parameters=parameters(C))])

    found = [list(scripted.invocations(WINDOW, Wanted(targets=frozenset({target})))) for target in (B, C, D)]

    assert [[one.id[-1] for one in rows] for rows in found] == [["1"], ["2"], []]


def test_one_task_is_asked_for_alone(wire: Scripted, scripted: Aws) -> None:
    wire.script = window_script([invoked(1)], tasks=(TASK, LATER))

    assert [one.task for one in scripted.invocations(WINDOW, Wanted(task=LATER))] == [LATER]
    assert TASK not in [params.get("TaskId") for _, params in wire.asked]


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

    (one,) = scripted.invocations(COMMAND, Wanted())

    assert (one.state, one.exit_code, one.target) == (state, code, A)


def test_an_instance_that_aws_refuses_to_filter_by_is_found_in_the_whole_list(wire: Scripted, scripted: Aws) -> None:
    rows = {"CommandInvocations": [{"InstanceId": A, "Status": "Success"}, {"InstanceId": B, "Status": "Success"}]}
    wire.script = lambda action, params: refused("InvalidInstanceId") if "InstanceId" in params else rows

    assert [one.target for one in scripted.invocations(COMMAND, Wanted(targets=frozenset({A})))] == [A]


def test_truncated_steps_are_paged_and_steps_name_what_they_started(wire: Scripted, scripted: Aws) -> None:
    step = {"StepExecutionId": "s1", "StepName": "patch", "Action": "aws:runCommand", "StepStatus": "Success"}
    pages = {
        None: {"StepExecutions": [{**step, "Outputs": {"CommandId": [CHILD]}, "ResponseCode": "0"}], "NextToken": "2"},
        "2": {"StepExecutions": [step, {"StepExecutionId": "s2", "StepName": "wait", "StepStatus": "Pending"}]},
    }
    execution = {"AutomationExecutionId": STEPS, "AutomationExecutionStatus": "Failed", "StepExecutionsTruncated": True}
    wire.script = lambda action, params: (
        {"AutomationExecution": execution} if action == "GetAutomationExecution" else pages[params.get("NextToken")]
    )

    listed = list(scripted.invocations(AUTOMATION, Wanted()))

    assert [(one.target_name, one.state, one.exit_code) for one in listed] == [
        ("patch", State.SUCCEEDED, 0),
        ("wait", State.SKIPPED, None),
    ]
    assert listed[0].child == f"aws:us-east-2:command/{CHILD}"


def test_children_in_other_regions_have_no_reference_here(wire: Scripted, scripted: Aws) -> None:
    execution = {"AutomationExecutionId": RATED, "TargetLocations": [{"Regions": ["eu-west-1"]}]}
    row = {"AutomationExecutionId": CHILD, "AutomationExecutionStatus": "InProgress", "Target": A}
    wire.script = lambda action, params: (
        {"AutomationExecution": execution}
        if action == "GetAutomationExecution"
        else {"AutomationExecutionMetadataList": [row]}
    )

    (one,) = scripted.invocations(ref("automation", RATED), Wanted())

    assert (one.target, one.child) == (A, None)


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

    run = one_run(scripted, WINDOW, full=False).run

    assert (run.state, run.provider_status, run.started_at, run.task_ids) == (State.UNKNOWN, "", None, ())


@pytest.mark.parametrize(
    "body",
    [{"WindowExecutionId": NIGHTLY, "StartTime": "soon"}, {"WindowExecutionId": NIGHTLY, "StartTime": 1e300}, []],
)
def test_a_reply_of_the_wrong_shape_is_unproven(wire: Scripted, scripted: Aws, body: object) -> None:
    wire.script = lambda action, params: ok(body)

    with pytest.raises(CloudError) as raised:
        one_run(scripted, WINDOW, full=False)

    assert raised.value.reason is Reason.UNPROVEN


def test_an_empty_body_is_a_cancelled_command_and_an_error_inside_200_is_not(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: (200, {"x-amzn-requestid": "req-7"}, b"")
    assert list(scripted.cancel(COMMAND)) == ["req-7"]

    wire.script = lambda action, params: ok({"__type": "ThrottlingException", "message": "Rate exceeded"})
    with pytest.raises(CloudError) as raised:
        list(scripted.cancel(COMMAND))
    assert raised.value.reason is Reason.UNPROVEN


@pytest.mark.parametrize(("code", "reason"), [*CODES.items(), ("NewException", Reason.INVALID)])
def test_every_error_code_has_its_reason_and_keeps_its_request_id(
    wire: Scripted, scripted: Aws, code: str, reason: Reason
) -> None:
    wire.script = lambda action, params: refused(code, "said so", **{"x-amz-retry-after": "5"})

    with pytest.raises(CloudError) as raised:
        list(scripted.cancel(AUTOMATION))

    error = raised.value
    assert (error.reason, error.provider_code, error.request_id) == (reason, code, "req-9")
    assert (error.action, error.retry_after) == ("StopAutomationExecution", 0.005)


def test_every_credential_and_transport_exception_of_botocore_has_its_own_reason() -> None:
    def named(family: type[Exception]) -> Iterator[type[Exception]]:
        yield family
        for child in family.__subclasses__():
            yield from named(child)

    about = ("Credential", "SSO", "Token", "Login", "Profile", "Connect", "Timeout", "HTTPClient", "SSLError")
    ours = [one for one in named(BotoCoreError) if one.__module__ == "botocore.exceptions"]
    missed = [
        one.__name__
        for one in ours
        if any(word in one.__name__ for word in about)
        and next(base.__name__ for base in one.__mro__ if base.__name__ in EXCEPTIONS) == "BotoCoreError"
    ]

    assert missed == []


def test_a_denial_names_the_action_and_the_credentials(wire: Scripted, scripted: Aws) -> None:
    said = "User: arn:aws:iam::1:user/ops is not authorized to perform: ssm:CancelCommand on resource: *"
    wire.script = lambda action, params: refused("AccessDeniedException", said)

    with pytest.raises(CloudError) as raised:
        list(scripted.cancel(COMMAND))

    assert raised.value.message.startswith("not permitted: ssm:CancelCommand (AWS_ACCESS_KEY_ID of the environment)")


def test_a_complaint_about_a_signature_is_not_repeated(
    wire: Scripted, scripted: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="runcancel.wire")
    wire.script = lambda action, params: refused("InvalidSignatureException", "you sent x-amz-security-token:SECRET")

    with pytest.raises(CloudError) as raised:
        list(scripted.cancel(COMMAND))

    assert raised.value.reason is Reason.BAD_CREDENTIALS
    assert "SECRET" not in str(raised.value) + str(raised.value.hint)
    traced = "\n".join(one.getMessage() for one in caplog.records if one.name == "runcancel.wire")
    assert "CancelCommand" in traced
    assert "SECRET" not in traced
    assert "very-secret" not in traced


@pytest.mark.parametrize("id", ["", "x", NIGHTLY + "0", NIGHTLY + "\n", "mw-0c50858d01c0ffee0", "02f05632*"])
def test_an_id_of_the_wrong_shape_never_travels(wire: Scripted, scripted: Aws, id: str) -> None:
    for kind in ("maintenance-window", "command", "automation"):
        assert failure(scripted, ref(kind, id)).reason is Reason.INVALID
        with pytest.raises(CloudError):
            list(scripted.cancel(ref(kind, id)))
    assert wire.asked == []


def test_one_bad_target_and_nothing_is_sent(wire: Scripted, scripted: Aws) -> None:
    with pytest.raises(CloudError):
        list(scripted.cancel(COMMAND, [*[f"i-{number:017d}" for number in range(60)], "i-1; reboot"]))
    for whole in (WINDOW, AUTOMATION):
        with pytest.raises(CloudError):
            list(scripted.cancel(whole, [A]))
    assert wire.asked == []


def test_a_stop_is_paced_to_one_a_second(wire: Scripted, scripted: Aws, ticker: Ticker) -> None:
    for _ in range(4):
        list(scripted.cancel(AUTOMATION))

    assert ticker.now == pytest.approx(3.0, rel=0.06)


# Credentials, regions, endpoints.


def test_no_credentials_says_what_was_tried(ticker: Ticker) -> None:
    with pytest.raises(CloudError) as raised:
        connect(ticker)

    assert raised.value.reason is Reason.NO_CREDENTIALS
    assert "AWS_ACCESS_KEY_ID" in raised.value.message
    assert 'profile "default"' in raised.value.message


def test_an_unknown_profile_and_half_a_key_are_no_credentials(ticker: Ticker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    for connection in ({}, {"profile": "nope"}):
        with pytest.raises(CloudError) as raised:
            connect(ticker, **connection)
        assert raised.value.reason is Reason.NO_CREDENTIALS
    assert 'profile "nope"' in raised.value.message


def test_plain_http_goes_to_loopback_only(ticker: Ticker, monkeypatch: pytest.MonkeyPatch, wire: Scripted) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://ssm.example.com")

    with pytest.raises(CloudError):
        connect(ticker)


def test_a_proxy_is_not_asked_for_loopback(wire: Scripted, ticker: Ticker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    wire.script = lambda action, params: {}

    assert list(connect(ticker).cancel(COMMAND)) == ["req-1"]


def test_nobody_listening_is_unreachable(ticker: Ticker, monkeypatch: pytest.MonkeyPatch, wire: Scripted) -> None:
    cloud = connect(ticker, endpoint_url="http://127.0.0.1:9")

    with pytest.raises(CloudError) as raised:
        list(cloud.cancel(WINDOW))

    assert raised.value.reason is Reason.UNREACHABLE


def test_a_region_that_is_no_host_name_is_refused(monkeypatch: pytest.MonkeyPatch, wire: Scripted) -> None:
    scope = Scope(provider="aws", region="evil.example.com/")

    with pytest.raises(CloudError):
        provider("aws").connect(Connection(scope=scope), os.environ, Pace(Ticker()))


CONFIG = '[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n[profile "prod"]\nregion=us-west-2\n'


@pytest.mark.parametrize(
    ("environ", "profile", "expected"),
    [
        ({"AWS_REGION": "a-1", "AWS_DEFAULT_REGION": "b-1"}, None, ("a-1", "AWS_REGION")),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "b-1"}, "prod", ("b-1", "AWS_DEFAULT_REGION")),
        ({}, None, ("eu-west-1", "default")),
        ({}, "prod", ("us-west-2", "prod")),
        ({"AWS_PROFILE": "prod"}, None, ("us-west-2", "prod")),
        ({"AWS_PROFILE": "nope"}, None, None),
    ],
)
def test_where_the_region_comes_from(
    tmp_path: Path, environ: dict[str, str], profile: str | None, expected: tuple[str, str] | None
) -> None:
    (tmp_path / "config").write_text(CONFIG)

    found = provider("aws").default_region({**environ, "AWS_CONFIG_FILE": str(tmp_path / "config")}, profile)

    assert (found is None) == (expected is None)
    if found and expected:
        assert found[0] == expected[0]
        assert expected[1] in found[1]


def test_configured_means_a_variable_or_a_file(tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path)}
    aws = provider("aws")

    assert not aws.configured({**here, "AWS_REGION": "us-east-2", "AWS_ACCESS_KEY_ID": ""})
    assert aws.configured({**here, "AWS_ACCESS_KEY_ID": "A"})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("not a profile file\n")
    assert aws.configured(here)
    assert aws.default_region(here, None) is None


# The tables.


def test_kinds_are_looked_up_in_order_and_ask_for_real_permissions() -> None:
    kinds: tuple[Kind, ...] = provider("aws").KINDS

    assert [kind.name for kind in kinds] == ["maintenance-window", "command", "automation"]
    assert all(kind.action == f"ssm:{kind.operation}" and APIS[kind.operation].asks for kind in kinds)
    assert [kind.in_part for kind in kinds] == [False, True, False]


def test_every_api_is_one_of_the_service() -> None:
    import botocore.session

    session = botocore.session.Session()
    known = {name for service in ("ssm", "sts", "ec2") for name in session.get_service_model(service).operation_names}
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ssm", partition_name=partition)
    }

    assert set(APIS) <= known
    assert regions <= provider("aws").REGIONS


# Moto: an idea of AWS that we did not write.


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    moto = pytest.importorskip("moto")
    import boto3

    with moto.mock_aws():
        yield boto3.client("ssm", region_name=SCOPE.region)


def test_moto_agrees_about_a_command(moto: Any, ticker: Ticker) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript", Comment="deploy")["Command"]

    run = one_run(connect(ticker), ref("command", sent["CommandId"]), full=False).run

    assert (run.name, run.target_count) == ("AWS-RunShellScript", 2)
    assert run.state is State.SUCCEEDED
    assert run.created_at is not None
    assert abs((run.created_at - sent["RequestedDateTime"]).total_seconds()) < 60 * 60 * 24


def test_moto_agrees_about_an_unknown_command_and_no_windows(moto: Any, ticker: Ticker) -> None:
    assert failure(connect(ticker), ref("command", NOBODY)).reason is Reason.NOT_FOUND
    wire = Wire(moto, Pace(ticker), scope=SCOPE)
    assert list(wire.pages("DescribeMaintenanceWindows", {}, unique="WindowId", size=10)) == []


def test_moto_agrees_about_what_a_command_wrote(moto: Any, ticker: Ticker) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript")["Command"]
    wire = Wire(moto, Pace(ticker), scope=SCOPE)

    reply = wire.call("GetCommandInvocation", {"CommandId": sent["CommandId"], "InstanceId": A})

    assert reply["InstanceId"] == A
    assert isinstance(reply["StandardOutputContent"], str)
    assert isinstance(reply["StandardErrorContent"], str)


# What was written, where the sandbox has no such runs.


def step(action: str = "aws:runCommand", **said: Any) -> dict[str, Any]:
    given = {"StepName": "patch", "Action": action, "StepExecutionId": NOBODY, "ExecutionStartTime": 1e9}
    return {**given, "StepStatus": "Failed", "FailureMessage": "two nodes failed", **said}


def runbook(*steps: Mapping[str, Any]) -> dict[str, Any]:
    execution = {"AutomationExecutionId": STEPS, "AutomationExecutionStatus": "Failed", "StepExecutions": steps}
    return {"AutomationExecution": execution}


def plugin(name: str = "aws:runShellScript", **said: Any) -> dict[str, Any]:
    return {"Name": name, "Status": "Failed", "ResponseCode": 2, "ResponseStartDateTime": 1e9, **said}


def node(*plugins: Mapping[str, Any]) -> dict[str, Any]:
    return {"CommandInvocations": [{"InstanceId": A, "Status": "Failed", "CommandPlugins": plugins}]}


WROTE = {"CommandId": CHILD, "InstanceId": A, "StandardOutputContent": "out", "StandardErrorContent": "err"}


def test_a_step_that_started_a_command_is_followed_and_says_why_it_failed(wire: Scripted, scripted: Aws) -> None:
    replies = {
        "GetAutomationExecution": runbook(step(Outputs={"CommandId": [CHILD], "Output": ["out…"]})),
        "ListCommandInvocations": node(plugin()),
        "GetCommandInvocation": WROTE,
    }
    wire.script = lambda action, params: replies[action]

    why, wrote = scripted.logs(AUTOMATION, Wanted())

    assert (why.run, why.step, why.stdout, why.stderr) == (str(AUTOMATION), "patch", None, "two nodes failed")
    assert (wrote.run, wrote.parent) == (str(ref("command", CHILD)), str(AUTOMATION))
    assert (wrote.step, wrote.target, wrote.stdout, wrote.stderr) == ("patch", A, "out", "err")


def test_a_command_that_is_gone_leaves_what_its_step_returned(wire: Scripted, scripted: Aws) -> None:
    said = step(StepStatus="Success", FailureMessage="", Outputs={"CommandId": [CHILD], "Output": ["all of it"]})
    replies: dict[str, object] = {
        "GetAutomationExecution": runbook(said),
        "ListCommandInvocations": refused("InvalidCommandId"),
    }
    wire.script = lambda action, params: replies[action]

    (one,) = scripted.logs(AUTOMATION, Wanted())

    assert one.child == str(ref("command", CHILD))
    assert one.note == "what it started is not kept any more"
    assert "all of it" in (one.stdout or "")


def test_what_lies_deeper_is_named_and_not_followed(wire: Scripted, scripted: Aws) -> None:
    def answer(action: str, params: dict[str, Any]) -> object:
        inner = step("aws:runCommand", StepStatus="Success", Outputs={"CommandId": [CHILD]})
        outer = step("aws:executeAutomation", StepStatus="Success", Outputs={"ExecutionId": [RATED]})
        found = runbook(outer if params["AutomationExecutionId"] == STEPS else inner)
        found["AutomationExecution"]["AutomationExecutionId"] = params["AutomationExecutionId"]
        return found

    wire.script = answer

    outputs = list(scripted.logs(AUTOMATION, Wanted()))

    assert outputs[-1].run == str(ref("automation", RATED))
    assert outputs[-1].child == str(ref("command", CHILD))
    assert {action for action, _ in wire.asked} == {"GetAutomationExecution"}


def test_why_a_step_failed_is_said_once(wire: Scripted, scripted: Aws) -> None:
    details = {"Details": {"Script": ["disk full"], "VerificationErrorMessage": ["node i-1 is gone"]}}
    said = step(
        "aws:executeScript", FailureMessage="Step fails: disk full", FailureDetails=details, Outputs={"a": ["1"]}
    )
    wire.script = lambda action, params: runbook(said)

    (one,) = scripted.logs(AUTOMATION, Wanted())

    assert (one.stdout, one.stderr) == ("a: 1\n", "Step fails: disk full\nnode i-1 is gone")


@pytest.mark.parametrize("code", ["InvalidPluginName", "InvocationDoesNotExist"])
def test_a_step_that_aws_does_not_know_by_name_leaves_the_short_text(wire: Scripted, scripted: Aws, code: str) -> None:
    replies: dict[str, object] = {
        "ListCommandInvocations": node(plugin(Output="out\n----------ERROR-------\nbad\n---Error truncated----")),
        "GetCommandInvocation": refused(code),
    }
    wire.script = lambda action, params: replies[action]

    (one,) = scripted.logs(COMMAND, Wanted())

    assert (one.stdout, one.stderr, one.truncated) == ("out", "bad\n---Error truncated----", True)


@pytest.mark.parametrize("said", [{"InstanceId": B}, {"InstanceId": None}, {"CommandId": NOBODY}])
def test_the_output_of_another_is_no_answer(wire: Scripted, scripted: Aws, said: dict[str, Any]) -> None:
    replies = {"ListCommandInvocations": node(plugin()), "GetCommandInvocation": {**WROTE, "CommandId": DEPLOY, **said}}
    wire.script = lambda action, params: replies[action]

    with pytest.raises(CloudError) as caught:
        list(scripted.logs(COMMAND, Wanted()))

    assert caught.value.reason is Reason.UNPROVEN


def test_a_log_group_is_named(wire: Scripted, scripted: Aws) -> None:
    group = {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/ops/ssm"}
    reply = {**WROTE, "CommandId": DEPLOY, "CloudWatchOutputConfig": group}
    replies = {"ListCommandInvocations": node(plugin()), "GetCommandInvocation": reply}
    wire.script = lambda action, params: replies[action]

    (one,) = scripted.logs(COMMAND, Wanted())

    assert one.note == "also in the CloudWatch log group /ops/ssm"
