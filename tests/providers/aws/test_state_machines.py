"""Executions of state machines: what travels, what is listed, and what moto makes of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes import HandClock
from moto_http import moto_over_http
from opened import read, refused, runs_of, unread

from providers.aws.scripted import SCOPE, Scripted, connect, ref
from runcancel.model.queries import Query
from runcancel.model.runs import InvocationFilter, Ref
from runcancel.model.states import Reason, State
from runcancel.providers.aws.cloud import Aws
from runcancel.providers.aws.states import EXECUTION_STATES

pytest.importorskip("moto.core.models")  # joins the handlers of botocore before any session has copied them

MACHINE = "arn:aws:states:us-east-2:111122223333:stateMachine:tidy"
EXECUTION = "arn:aws:states:us-east-2:111122223333:execution:tidy:run-1"
KIND = frozenset({"state-machine"})
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def run_ref(arn: str = EXECUTION) -> Ref:
    return ref("state-machine", arn)


def listed(number: int, status: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    arn = f"{EXECUTION[:-1]}{number}"
    return {"executionArn": arn, "stateMachineArn": MACHINE, "name": arn.rpartition(":")[2], "status": status} | {
        "startDate": NOW.timestamp(),
        **fields,
    }


def machines(wire: Scripted, executions: list[dict[str, Any]], *, express: bool = False) -> None:
    """One state machine with these executions, one to a page."""

    def script(action: str, params: dict[str, Any]) -> dict[str, Any]:
        if action == "ListStateMachines":
            one = {"stateMachineArn": MACHINE, "name": "tidy", "type": "EXPRESS" if express else "STANDARD"}
            return {"stateMachines": [one | {"creationDate": 1.7e9}]}
        rows = [one for one in executions if params.get("statusFilter") in (None, one["status"])]
        at = int(params.get("nextToken", 0))
        return {"executions": rows[at : at + 1]} | ({"nextToken": str(at + 1)} if at + 1 < len(rows) else {})

    wire.script = script


def test_a_stop_sends_the_execution_alone(wire: Scripted, scripted: Aws) -> None:
    """With an error or a cause AWS asks for a permission of the key that encrypts the state machine."""
    wire.script = lambda action, params: {"stopDate": 1.7e9}

    assert list(scripted.cancel(run_ref()))

    ((action, params),) = wire.asked
    assert (action, params) == ("StopExecution", {"executionArn": EXECUTION})


def test_a_reading_leaves_input_and_output_where_they_are(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: listed(1, executionArn=EXECUTION)

    read(scripted, run_ref())

    assert wire.asked == [("DescribeExecution", {"executionArn": EXECUTION, "includedData": "METADATA_ONLY"})]


@pytest.mark.parametrize(("word", "state"), [*EXECUTION_STATES.items(), ("RESTING", State.UNKNOWN)])
def test_every_word_is_a_state(word: str, state: State, wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: listed(1, word, executionArn=EXECUTION)

    snapshot = read(scripted, run_ref())

    assert snapshot.run.state is state
    assert snapshot.run.provider_status == word
    assert [row.state for row in snapshot.invocations] == [state]


def test_a_reply_about_another_execution_is_not_taken(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: listed(2)

    assert refused(lambda: read(scripted, run_ref())).reason is Reason.UNPROVEN


def test_a_stop_without_a_date_is_not_accepted(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: {}

    assert refused(lambda: list(scripted.cancel(run_ref()))).reason is Reason.UNPROVEN


@pytest.mark.parametrize("states", [frozenset[State](), frozenset({State.RUNNING})])
def test_every_page_is_read(states: frozenset[State], wire: Scripted, scripted: Aws) -> None:
    machines(wire, [listed(number) for number in (1, 2, 3)])

    found = list(runs_of(scripted, Query(kinds=KIND, states=states)))

    assert [run.name for run in found] == ["run-1", "run-2", "run-3"]
    assert {run.document for run in found} == {"tidy"}
    filters = [params.get("statusFilter") for action, params in wire.asked if action == "ListExecutions"]
    assert filters == ["RUNNING" if states else None] * 3


def test_express_state_machines_are_not_searched(wire: Scripted, scripted: Aws) -> None:
    machines(wire, [listed(1)], express=True)

    assert list(runs_of(scripted, Query(kinds=KIND))) == []
    assert [action for action, _ in wire.asked] == ["ListStateMachines"]


def test_a_listing_ends_where_everything_ended_before(wire: Scripted, scripted: Aws) -> None:
    old = (NOW - timedelta(days=3)).timestamp()
    machines(wire, [listed(1), listed(2, "SUCCEEDED", startDate=old, stopDate=old), listed(3, "FAILED", stopDate=old)])

    found = runs_of(scripted, Query(kinds=KIND, since=NOW - timedelta(hours=1)))

    assert [run.name for run in found] == ["run-1"]
    assert [action for action, _ in wire.asked].count("ListExecutions") == 2


def test_no_other_kind_is_asked_for_unless_it_is_named(wire: Scripted, scripted: Aws) -> None:
    wire.script = lambda action, params: {"WindowIdentities": [], "Commands": [], "AutomationExecutionMetadataList": []}

    assert list(runs_of(scripted, Query())) == []
    assert not {action for action, _ in wire.asked} & {"ListStateMachines", "ListExecutions"}


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3

    with moto_over_http(SCOPE.region) as variables:
        inside = boto3.client("stepfunctions", region_name=SCOPE.region)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
        yield inside


def test_moto_agrees_about_an_execution_and_its_stop(moto: Any, clock: HandClock) -> None:
    role = "arn:aws:iam::123456789012:role/states"
    steps = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": True}}})
    machine = moto.create_state_machine(name="tidy", definition=steps, roleArn=role)["stateMachineArn"]
    arn = moto.start_execution(stateMachineArn=machine, name="run-1", input='{"path": "/var"}')["executionArn"]
    cloud = connect(clock)

    (run,) = runs_of(cloud, Query(kinds=KIND, states=frozenset({State.RUNNING})))
    assert (run.id, run.name, run.document, run.state) == (arn, "run-1", "tidy", State.RUNNING)
    assert read(cloud, run.ref).run.started_at == run.started_at
    assert cloud.script(run.ref) == '{"path": "/var"}'
    assert list(cloud.cancel(run.ref))
    (row,) = cloud.invocations(run.ref, InvocationFilter())
    assert row.state is State.TERMINATED
    assert moto.describe_execution(executionArn=arn)["status"] == "ABORTED"


def test_moto_agrees_about_an_execution_that_is_not_there(moto: Any, clock: HandClock) -> None:
    arn = "arn:aws:states:us-east-2:123456789012:execution:tidy:nobody"

    assert unread(connect(clock), run_ref(arn)).reason is Reason.NOT_FOUND
