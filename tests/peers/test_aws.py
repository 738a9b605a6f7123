"""`aws` of awscli and `runcancel`, side by side."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from runcancel.sandbox.accounts import key

from .bench import Bench, counted, narrowed, plain

WINDOW, COMMAND, AUTOMATION = "maintenance-window", "command", "automation"

WELL_KNOWN = {
    "02f05632-d0bc-470d-b1e5-c59a8d4f2a10": WINDOW,
    "0e1f2a3b-4c5d-4e6f-8a7b-8c9d0e1f2a3b": WINDOW,
    "4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b": COMMAND,
    "1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4a5b": COMMAND,
    "6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d": AUTOMATION,
    "7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e": AUTOMATION,
    "2a3b4c5d-6e7f-4081-9a2b-3c4d5e6f7a8b": AUTOMATION,
}
RUNNING = {kind: id for id, kind in reversed(WELL_KNOWN.items()) if id[0] in "046"}
NOBODY = "00000000-0000-4000-8000-000000000000"

MEANS = {
    "PENDING": {"pending"},
    "IN_PROGRESS": {"running"},
    "SUCCESS": {"succeeded"},
    "CANCELLING": {"cancelling"},
    "CANCELLED": {"cancelled", "terminated"},
    "Pending": {"pending", "skipped"},  # a step left pending never runs when its automation is over
    "InProgress": {"running"},
    "Success": {"succeeded"},
    "Cancelling": {"cancelling"},
    "Cancelled": {"cancelled", "terminated"},
}
"""What each word may become. Written again here, so that it is not the program's own table that is asked."""


def reading(kind: str, id: str) -> tuple[str, ...]:
    """The read of one run by aws."""
    return {
        WINDOW: ("get-maintenance-window-execution", "--window-execution-id", id),
        COMMAND: ("list-commands", "--command-id", id),
        AUTOMATION: ("get-automation-execution", "--automation-execution-id", id),
    }[kind]


def cancelling(kind: str, id: str) -> tuple[str, ...]:
    """The cancel of one run by aws."""
    return {
        WINDOW: ("cancel-maintenance-window-execution", "--window-execution-id", id),
        COMMAND: ("cancel-command", "--command-id", id),
        AUTOMATION: ("stop-automation-execution", "--automation-execution-id", id, "--type", "Cancel"),
    }[kind]


RUN_FIELDS = {
    WINDOW: "{id: WindowExecutionId, provider_status: Status, status_detail: StatusDetails, started_at: StartTime,"
    " ended_at: EndTime, task_ids: TaskIds}",
    COMMAND: "Commands[0].{id: CommandId, provider_status: Status, status_detail: StatusDetails, name: DocumentName,"
    " created_at: RequestedDateTime, target_count: TargetCount}",
    AUTOMATION: "AutomationExecution.{id: AutomationExecutionId, provider_status: AutomationExecutionStatus,"
    " name: DocumentName, started_at: ExecutionStartTime, ended_at: ExecutionEndTime}",
}
"""What aws says of a run, under our names."""

_SHARES = (
    "WindowExecutionTaskInvocationIdentities[].{id: InvocationId, task: TaskExecutionId, provider_status: Status,"
    " status_detail: StatusDetails, started_at: StartTime, ended_at: EndTime, owner: OwnerInformation,"
    " window_target: WindowTargetId, parameters: Parameters}"
)
_NODES = (
    "CommandInvocations[].{id: InstanceId, target: InstanceId, target_name: InstanceName, provider_status: Status,"
    " status_detail: StatusDetails}"
)
_STEPS = (
    "StepExecutions[].{id: StepExecutionId, target_name: StepName, provider_status: StepStatus,"
    " started_at: ExecutionStartTime, ended_at: ExecutionEndTime}"
)
_CHILDREN = (
    "AutomationExecutionMetadataList[].{id: AutomationExecutionId, target: Target, target_name: DocumentName,"
    " provider_status: AutomationExecutionStatus, started_at: ExecutionStartTime, ended_at: ExecutionEndTime}"
)


def shares(bench: Bench, id: str) -> list[Any]:
    """The invocations of all tasks of a window execution: two levels down, in small pages."""
    tasks = bench.aws(
        "describe-maintenance-window-execution-tasks",
        *("--window-execution-id", id),
        query="WindowExecutionTaskIdentities[].TaskExecutionId",
    )
    listing = ("describe-maintenance-window-execution-task-invocations", "--window-execution-id", id)
    return [row for task in tasks for row in bench.aws(*listing, "--task-id", task, "--page-size", "10", query=_SHARES)]


def nodes(bench: Bench, id: str) -> Any:
    return bench.aws("list-command-invocations", "--command-id", id, "--page-size", "20", query=_NODES)


def steps(bench: Bench, id: str) -> Any:
    listing = ("describe-automation-step-executions", "--automation-execution-id", id)
    return bench.aws(*listing, "--page-size", "20", query=_STEPS)


def children(bench: Bench, id: str) -> Any:
    listing = ("describe-automation-executions", "--filters", f"Key=ParentExecutionId,Values={id}")
    return bench.aws(*listing, "--page-size", "20", query=_CHILDREN)


Listing = Callable[[Bench, str], Any]
LISTINGS: dict[str, Listing] = {WINDOW: shares, COMMAND: nodes, AUTOMATION: steps}


def reference(kind: str, id: str) -> str:
    return f"aws:us-east-2:{kind}/{id}"


@pytest.fixture(scope="module")
def runs(still: Bench) -> dict[str, Any]:
    """What runcancel says of the well-known runs, by id."""
    said = still.runcancel("status", *(reference(kind, id) for id, kind in WELL_KNOWN.items()))
    return {run["id"]: run for run in said["runs"]}


@pytest.mark.parametrize(("id", "kind"), WELL_KNOWN.items())
def test_a_run_reads_the_same(still: Bench, runs: dict[str, Any], id: str, kind: str) -> None:
    theirs = still.aws(*reading(kind, id), query=RUN_FIELDS[kind])
    assert narrowed([runs[id]], to=[theirs]) == plain([theirs])
    assert runs[id]["state"] in MEANS[theirs["provider_status"]]


@pytest.mark.parametrize(
    ("kind", "name", "listing"),
    [
        (WINDOW, "weekly-inventory", shares),
        (COMMAND, "deploy 4711", nodes),
        (AUTOMATION, "Rebuild-Golden-Image", steps),
        (AUTOMATION, "Patch-Fleet", children),
    ],
)
def test_every_page_of_targets_reads_the_same(still: Bench, kind: str, name: str, listing: Listing) -> None:
    id = still.run_named("aws", kind, name)
    theirs = listing(still, id)
    ours = still.runcancel("invocations", reference(kind, id), "--parameters")["invocations"]
    assert len(theirs) > 20, "this was to need several pages"
    assert narrowed(ours, to=theirs) == plain(theirs)
    assert [row for row in ours if row["state"] not in MEANS[row["provider_status"]]] == []
    if kind == WINDOW:
        assert [row["id"] for row in ours if row["target"] and row["target"] not in row["parameters"]] == []


def test_the_counts_of_a_command_are_those_of_aws(still: Bench, runs: dict[str, Any]) -> None:
    id = RUNNING[COMMAND]
    command = still.aws(*reading(COMMAND, id), query="Commands[0].[TargetCount, CompletedCount]")
    counts = runs[id]["counts"]
    assert [sum(counts.values()), counts["succeeded"]] == command == [100, 12]


def test_a_task_of_a_window_leads_to_the_command_that_aws_knows(still: Bench) -> None:
    ref = reference(WINDOW, still.run_named("aws", WINDOW, "weekly-inventory"))
    row = still.runcancel("invocations", ref, "--status", "running", "--parameters")["invocations"][0]
    theirs = nodes(still, row["child"].rpartition("/")[2])
    ours = still.runcancel("invocations", row["child"])["invocations"]
    assert narrowed(ours, to=theirs) == plain(theirs)
    assert sorted(node["id"] for node in theirs) == sorted(json.loads(row["parameters"])["instanceIds"])


@pytest.mark.parametrize(
    ("kind", "state", "counts"),
    [
        (WINDOW, "cancelling", {"succeeded": 5, "running": 3, "cancelled": 17}),
        (COMMAND, "terminated", {"succeeded": 12, "terminated": 88}),
        (AUTOMATION, "terminated", {"succeeded": 2, "terminated": 1, "skipped": 3}),
    ],
)
def test_a_cancel_by_aws_is_seen_by_runcancel(moving: Bench, kind: str, state: str, counts: dict[str, int]) -> None:
    id = RUNNING[kind]
    moving.aws(*cancelling(kind, id))
    moving.box.clock.advance(30)
    (ours,) = moving.runcancel("status", reference(kind, id))["runs"]
    assert (ours["state"], ours["counts"]) == (state, counts)
    theirs = moving.aws(*reading(kind, id), query=RUN_FIELDS[kind])
    assert narrowed([ours], to=[theirs]) == plain([theirs])
    assert ours["cancellable"] is False
    assert len(moving.effective()) == 1


@pytest.mark.parametrize(
    ("kind", "verdict", "code"),
    [(WINDOW, "partial", 3), (COMMAND, "stopped", 0), (AUTOMATION, "stopped", 0)],
)
def test_what_runcancel_says_after_a_cancel_is_what_aws_reads(
    moving: Bench, kind: str, verdict: str, code: int
) -> None:
    id = RUNNING[kind]
    (outcome,) = moving.runcancel("cancel", reference(kind, id), code=code)["outcomes"]
    run = moving.aws(*reading(kind, id), query=RUN_FIELDS[kind])
    words = {row["id"]: row["provider_status"] for row in LISTINGS[kind](moving, id)}
    said = {row["id"]: row["after"] for row in outcome["invocations"]}
    assert outcome["verdict"] == verdict
    assert outcome["after"] in MEANS[run["provider_status"]]
    assert said.keys() == words.keys()
    assert {id: (said[id], words[id]) for id in words if said[id] not in MEANS[words[id]]} == {}
    assert len(moving.effective()) == 1


def test_a_cancel_of_some_nodes_by_aws_is_seen_node_by_node(moving: Bench) -> None:
    id = RUNNING[COMMAND]
    chosen = [row["id"] for row in nodes(moving, id) if row["provider_status"] == "InProgress"][:2]
    moving.aws(*cancelling(COMMAND, id), "--instance-ids", *chosen)
    moving.box.clock.advance(30)
    ours = moving.runcancel("invocations", reference(COMMAND, id))["invocations"]
    assert sorted(row["target"] for row in ours if row["state"] == "terminated") == sorted(chosen)
    assert counted(ours) == {"succeeded": 12, "running": 86, "terminated": 2}


def test_unknown_runs_have_the_codes_that_aws_shows(still: Bench) -> None:
    theirs = {kind: still.aws_refusal(*cancelling(kind, NOBODY)) for kind in (WINDOW, COMMAND, AUTOMATION)}
    assert theirs == {
        WINDOW: "DoesNotExistException",
        COMMAND: "InvalidCommandId",
        AUTOMATION: "AutomationExecutionNotFoundException",
    }
    refs = [reference(kind, NOBODY) for kind in theirs]
    errors = {error["ref"]: error for error in still.runcancel("status", *refs, code=5)["errors"]}
    assert [errors[ref]["code"] for ref in refs] == ["not_found"] * 3
    # An unknown command is no error to read: the list is empty.
    assert [errors[ref]["provider_code"] for ref in refs] == [theirs[WINDOW], None, theirs[AUTOMATION]]


def _expired() -> dict[str, str]:
    pair = key("aws", 0, "expired")
    return {"AWS_ACCESS_KEY_ID": pair.id, "AWS_SECRET_ACCESS_KEY": pair.secret, "AWS_SESSION_TOKEN": pair.token}


@pytest.mark.parametrize(
    ("env", "theirs", "ours"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "InvalidSignatureException", "bad_credentials"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODYATALL00000"}, "UnrecognizedClientException", "bad_credentials"),
        (_expired(), "ExpiredTokenException", "expired_credentials"),
    ],
    ids=["wrong secret", "unknown key", "expired token"],
)
def test_bad_keys_have_the_code_that_aws_shows(still: Bench, env: dict[str, str], theirs: str, ours: str) -> None:
    id = RUNNING[WINDOW]
    assert still.aws_refusal(*reading(WINDOW, id), env=env) == theirs
    (error,) = still.runcancel("status", reference(WINDOW, id), code=4, env=env)["errors"]
    assert (error["code"], error["provider_code"]) == (ours, theirs)


def test_a_denied_cancel_has_the_code_that_aws_shows(start: Callable[..., Bench]) -> None:
    bench = start(tick=1, faults=("aws:CancelCommand=denied",))
    id = RUNNING[COMMAND]
    assert bench.aws_refusal(*cancelling(COMMAND, id)) == "AccessDeniedException"
    (outcome,) = bench.runcancel("cancel", reference(COMMAND, id), code=4)["outcomes"]
    assert (outcome["error"]["code"], outcome["error"]["provider_code"]) == ("denied", "AccessDeniedException")
    assert bench.effective() == []


def test_keys_that_aws_configure_wrote_are_good_for_runcancel(start: Callable[..., Bench]) -> None:
    bench = start(speed=0)
    pair = key("aws", 0)
    without = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"))
    answers = f"{pair.id}\n{pair.secret}\nus-east-2\njson\n"
    bench.run("aws", "configure", "--profile", "ops", stdin=answers, env=without)
    options: Sequence[str] = ("--provider", "aws", "--profile", "ops")
    (run,) = bench.runcancel("status", RUNNING[COMMAND], *options, env=without)["runs"]
    assert run["ref"] == f"ops@{reference(COMMAND, RUNNING[COMMAND])}"
