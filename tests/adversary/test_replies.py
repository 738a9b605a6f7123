"""Replies whose meaning was overclaimed or lost, each as the installed command shows it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fuzz.liar import Liar, Telling
from outside import COMMAND, FANOUT, KILLED, TENCENT, WINDOW, Outside

from runcancel.sandbox import SandboxOptions
from runcancel.sandbox.wire import Reply

from .contradictions import listings

THEN = 1_790_000_000
EPOCH = "1970-01-01T00:00:00Z"
ALARM = {"Name": "disk-full", "State": "ALARM"}


@dataclass(frozen=True)
class Edit:
    """A change to every document that the clouds send."""

    change: Callable[[Any], None]

    def apply(self, reply: Reply) -> None:
        document = json.loads(reply.body)
        self.change(document)
        reply.body = json.dumps(document).encode()


class Told:
    """The command against a sandbox whose replies are edited."""

    def __init__(self, box: Liar, command: Outside) -> None:
        self.box = box
        self._command = command

    def edit(self, change: Callable[[Any], None]) -> None:
        self.box.telling = Telling((Edit(change),))

    def json(self, *argv: str, code: int = 0) -> Any:
        env = self.box.environment() | {"HOME": str(self._command.home), "AWS_EC2_METADATA_DISABLED": "true"}
        done = self._command.run(*argv, "-o", "json", env=env)
        assert done.code == code, str(done)
        return done.document


@pytest.fixture(scope="module")
def shared(begin: Callable[..., Outside], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with Liar(SandboxOptions(speed=20)) as box:
        yield Told(box, begin())


@pytest.fixture
def told(shared: Told) -> Iterator[Told]:
    shared.box.reset()
    yield shared
    shared.box.telling = Telling()


def each(field: str, **values: Any) -> Callable[[Any], None]:
    """Give fields of every row of a listing these values; a field of value None is taken away."""

    def change(document: Any) -> None:
        for name, rows in listings(document):
            for row in rows if name == field else ():
                row.update(values)
                for key in [key for key, value in values.items() if value is None]:
                    del row[key]

    return change


def test_a_window_task_with_a_start_and_no_invocations_is_cancelled(told: Told) -> None:
    def change(document: Any) -> None:
        each("WindowExecutionTaskIdentities", Status="CANCELLED", StartTime=THEN)(document)
        if "WindowExecutionTaskInvocationIdentities" in document:
            document["WindowExecutionTaskInvocationIdentities"] = []

    told.edit(change)

    rows = told.json("invocations", WINDOW)["invocations"]

    assert {(row["state"], row["target"], row["id"] == row["task"]) for row in rows} == {("cancelled", None, True)}
    assert told.json("status", WINDOW)["runs"][0]["counts"] == {"cancelled": len(rows)}


@pytest.mark.parametrize(("execution", "state"), [(None, "cancelled"), ("1f2a3b4c-5d6e-4f70-8a9b-aaaa", "terminated")])
def test_a_window_invocation_needs_an_execution_to_have_run(told: Told, execution: str | None, state: str) -> None:
    words = {"Status": "CANCELLED", "StartTime": THEN, "EndTime": THEN, "ExecutionId": execution}

    def change(document: Any) -> None:
        each("WindowExecutionTaskIdentities", Status="CANCELLED")(document)
        for field, rows in listings(document):
            for row in rows if field == "WindowExecutionTaskInvocationIdentities" else ():
                row.update(words)
                row.pop("ExecutionId") if execution is None else None

    told.edit(change)

    rows = [row for row in told.json("invocations", WINDOW)["invocations"] if row["id"] != row["task"]]

    assert rows
    assert {row["state"] for row in rows} == {state}


@pytest.mark.parametrize(
    ("run", "field", "values"),
    [
        (KILLED, "InvokeInstance", {"InvocationStatus": "Cancelled", "StartTime": EPOCH, "FinishTime": EPOCH}),
        (KILLED, "InvokeInstance", {"InvocationStatus": "Cancelled", "StartTime": "0001-01-01T00:00:00Z"}),
        (
            COMMAND,
            "CommandInvocations",
            {
                "Status": "Cancelled",
                "StatusDetails": "Cancelled",
                "CommandPlugins": [{"ResponseCode": -1, "ResponseStartDateTime": 0, "ResponseFinishDateTime": 0}],
            },
        ),
    ],
)
def test_the_epoch_is_no_time(told: Told, run: str, field: str, values: dict[str, Any]) -> None:
    told.edit(each(field, **values))

    rows = told.json("invocations", run)["invocations"]

    assert {(row["state"], row["started_at"]) for row in rows} == {("cancelled", None)}


def test_the_epoch_is_no_time_of_a_task_of_tat(told: Told) -> None:
    def change(document: Any) -> None:
        for row in document.get("Response", {}).get("InvocationTaskSet", ()):
            row.update(TaskStatus="CANCELLED", StartTime=EPOCH, TaskResult={"ExecStartTime": EPOCH, "ExitCode": 0})

    told.edit(change)

    rows = told.json("invocations", TENCENT)["invocations"]

    assert {(row["state"], row["started_at"]) for row in rows} == {("cancelled", None)}


def test_undeliverable_is_not_confirmed_and_changes_no_verdict(told: Told) -> None:
    def change(document: Any) -> None:
        for field, rows in listings(document):
            if field == "CommandInvocations":
                rows[0].update(Status="Failed", StatusDetails="Undeliverable")

    told.edit(change)

    rows = told.json("invocations", COMMAND)["invocations"]
    undelivered = [row for row in rows if row["state"] == "undelivered"]
    outcome = told.json("cancel", COMMAND)["outcomes"][0]

    assert undelivered
    assert not any(row["confirmed"] for row in undelivered)
    assert all(row["confirmed"] for row in rows if row not in undelivered)
    assert outcome["verdict"] == "stopped"
    assert {row["confirmed"] for row in outcome["invocations"] if row["after"] == "undelivered"} == {False}


def test_an_automation_that_fans_out_by_a_url_is_read_by_its_children(told: Told) -> None:
    def change(document: Any) -> None:
        found = document.get("AutomationExecution", {})
        for field in ("Targets", "TargetMaps", "TargetParameterName"):
            found.pop(field, None)
        if found:
            found.update(TargetLocationsURL="https://bucket/x.json", StepExecutions=[])

    told.edit(change)

    rows = told.json("invocations", FANOUT)["invocations"]

    assert len(rows) == 8
    assert {row["child"] for row in rows} == {None}  # of another account or region: it cannot be named from here
    assert "DescribeAutomationExecutions" in [one["action"] for one in told.box.log.shown()]


def test_what_a_command_says_of_itself_is_shown(told: Told) -> None:
    told.edit(
        each("Commands", Comment="reboot web", ErrorCount=3, DeliveryTimedOutCount=2, TriggeredAlarms=[ALARM]),
    )

    (run,) = told.json("status", COMMAND)["runs"]

    assert (run["comment"], run["document"], run["alarms"]) == ("reboot web", run["name"], ["disk-full ALARM"])
    assert run["vendor_counts"] == {"completed": 12, "errors": 3, "delivery_timed_out": 2}


def test_what_an_automation_says_of_itself_is_shown(told: Told) -> None:
    def change(document: Any) -> None:
        found = document.get("AutomationExecution")
        if found:
            found.update(ExecutedBy="arn:aws:iam::111122223333:user/ops", ScheduledTime=THEN, TriggeredAlarms=[ALARM])

    told.edit(change)

    (run,) = told.json("status", FANOUT)["runs"]

    assert (run["started_by"], run["alarms"]) == ("arn:aws:iam::111122223333:user/ops", ["disk-full ALARM"])
    assert run["scheduled_at"] == "2026-09-21T14:13:20Z"
    assert run["vendor_counts"]["completed"] == 1
    assert run["vendor_counts"]["steps"] >= 0


def test_what_a_window_task_and_a_tat_run_say_of_themselves_is_shown(told: Told) -> None:
    told.edit(each("WindowExecutionTaskIdentities", TriggeredAlarms=[ALARM]))

    rows = told.json("invocations", WINDOW)["invocations"]
    (run,) = told.json("status", TENCENT)["runs"]

    assert all(row["document"] and row["task_type"] and row["alarms"] == ["disk-full ALARM"] for row in rows)
    assert run["target_kind"] == "CVM"


def test_a_task_that_the_execution_names_and_nobody_lists_is_unknown(told: Told) -> None:
    def change(document: Any) -> None:
        if "TaskIds" in document:
            document["TaskIds"].append("99999999-9999-4999-8999-999999999999")
            document["Status"] = "CANCELLED"

    told.edit(change)

    (run,) = told.json("status", WINDOW)["runs"]

    assert run["counts"]["unknown"] == 1
    rows = told.json("invocations", WINDOW)["invocations"]
    assert [row["state"] for row in rows].count("unknown") == 1
    assert len(rows) == sum(run["counts"].values())
    assert len(told.json("invocations", WINDOW, "--status", "unknown")["invocations"]) == 1
    assert told.json("invocations", WINDOW, "--status", "succeeded")["invocations"]
    assert told.json("wait", WINDOW, "--for", "ended", "--timeout", "0.1", code=8)


def test_targets_that_were_counted_and_never_listed_are_not_confirmed(told: Told) -> None:
    def change(document: Any) -> None:
        for field, rows in listings(document):
            for row in rows if field == "Commands" else ():
                row["TargetCount"] += 1

    told.edit(change)

    outcome = told.json("cancel", COMMAND, code=8)["outcomes"][0]

    assert (outcome["verdict"], outcome["not_listed"]) == ("reported", 1)
    assert [row["confirmed"] for row in outcome["invocations"] if not row["id"]] == [False]
    assert told.json("cancel", COMMAND, code=8)["outcomes"][0]["verdict"] == "reported"
    assert told.json("wait", COMMAND, "--for", "stopped", code=8)["errors"][0]["code"] == "unconfirmed"
    told.json("wait", COMMAND, "--for", "stopped", "--accept-reported")


def test_targets_that_were_never_listed_are_confirmed_by_the_vendors_count(told: Told) -> None:
    def change(document: Any) -> None:
        for field, rows in listings(document):
            if field == "Commands":
                continue
            if field == "CommandInvocations":
                rows[:] = [row for row in rows if row is not rows[0]]

    told.edit(change)

    outcome = told.json("cancel", COMMAND)["outcomes"][0]

    assert outcome["verdict"] == "stopped"
    assert outcome["not_listed"] > 0
    assert all(row["confirmed"] for row in outcome["invocations"])
