"""How often each cloud is asked: the table in docs/performance.md, held against the sandbox's own log."""

from collections import Counter

import pytest
from outside import AUTOMATION, COMMAND, ENDED, FANOUT, KILLED, MACHINE, OOS, TENCENT, WINDOW, Outside, id_of

WINDOW_READ = {
    "GetMaintenanceWindowExecution": 1,
    "DescribeMaintenanceWindowExecutionTasks": 1,
    "DescribeMaintenanceWindowExecutionTaskInvocations": 4,  # one for each task
}
COMMAND_READ = {"ListCommands": 1, "ListCommandInvocations": 2}  # 100 targets, 50 on a page
STATUS = {
    WINDOW: WINDOW_READ,
    COMMAND: COMMAND_READ,
    AUTOMATION: {"GetAutomationExecution": 1},
    FANOUT: {"GetAutomationExecution": 1, "DescribeAutomationExecutions": 1},
    KILLED: {"DescribeInvocations": 1},
    TENCENT: {"DescribeInvocations": 1},
}
INVOCATIONS = {
    **STATUS,
    FANOUT: {"GetAutomationExecution": 2, "DescribeAutomationExecutions": 1},
    TENCENT: {"DescribeInvocations": 1, "DescribeInvocationTasks": 1},  # only the second tells exit codes
}
CANCEL = {
    COMMAND: ("CancelCommand", COMMAND_READ),
    AUTOMATION: ("StopAutomationExecution", STATUS[AUTOMATION]),
    KILLED: ("StopInvocation", STATUS[KILLED]),
    TENCENT: ("CancelInvocation", STATUS[TENCENT]),
}


def calls(outside: Outside) -> dict[str, int]:
    """Requests by action since the last time this was asked."""
    found = Counter(outside.actions())
    outside.box.log.clear()
    return found


@pytest.mark.parametrize("ref", STATUS, ids=id_of)
def test_a_status_reads_each_thing_once(ref: str, outside: Outside) -> None:
    outside.json("status", ref)

    assert calls(outside) == STATUS[ref]


@pytest.mark.parametrize("ref", INVOCATIONS, ids=id_of)
def test_invocations_are_not_read_again_where_looking_has_told_them(ref: str, outside: Outside) -> None:
    shown = outside.json("invocations", ref)

    assert calls(outside) == INVOCATIONS[ref]
    assert len(shown["invocations"]) == len(outside.json("invocations", ref, "--limit", "0")["invocations"])


@pytest.mark.parametrize("ref", CANCEL, ids=id_of)
def test_a_cancel_looks_asks_and_looks_and_asks_nobody_who_it_is(ref: str, outside: Outside) -> None:
    operation, look = CANCEL[ref]

    outside.json("cancel", ref, "--accept-reported")

    assert calls(outside) == {**{action: 2 * count for action, count in look.items()}, operation: 1}


@pytest.mark.parametrize("ref", CANCEL, ids=id_of)
def test_without_waiting_a_cancel_looks_once_and_asks(ref: str, outside: Outside) -> None:
    operation, look = CANCEL[ref]

    outside.json("cancel", ref, "--no-wait")

    assert calls(outside) == {**look, operation: 1}


@pytest.mark.parametrize("ref", [WINDOW, COMMAND, AUTOMATION, MACHINE, KILLED, OOS, TENCENT], ids=id_of)
def test_a_cancel_is_lost_on_a_kept_connection_once_at_most(ref: str, outside: Outside) -> None:
    outside.faults("*=stale")

    done = outside.run("cancel", ref, "--accept-reported", "-o", "json")

    assert done.outcomes[ref]["request_ids"] != [], str(done)
    assert len(outside.effective(ref)) == 1
    assert [each["faults"] for each in outside.writes()] in ([("stale",), ()], [()])
    assert "no reply" not in outside.run("status", ref).err


@pytest.mark.parametrize("ref", ENDED, ids=id_of)
def test_what_has_ended_is_looked_at_and_left_alone(ref: str, outside: Outside) -> None:
    outside.json("cancel", ref)
    asked = calls(outside)

    outside.json("status", ref)

    assert asked == calls(outside)


def test_a_dry_run_asks_who_one_is_once_for_a_scope(outside: Outside) -> None:
    outside.json("cancel", TENCENT, outside.add("tencent"), "--dry-run")

    assert calls(outside) == {"DescribeInvocations": 1, "GetCallerIdentity": 1}


@pytest.mark.parametrize(("runs", "reads"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_the_status_of_many_tencent_runs_takes_a_call_for_each_hundred(runs: int, reads: int, outside: Outside) -> None:
    refs = [outside.add("tencent") for _ in range(runs)]

    shown = outside.json("status", *refs)

    assert len(shown["runs"]) == runs
    assert calls(outside) == {"DescribeInvocations": reads}


def test_many_tencent_runs_are_watched_a_hundred_at_a_time(outside: Outside) -> None:
    """They are watched while others are still being sent, at growing intervals."""
    refs = [outside.add("tencent") for _ in range(150)]

    outside.json("cancel", *refs, "--max-runs", "150")

    asked = calls(outside)
    assert asked["CancelInvocation"] == 150
    assert 4 <= asked["DescribeInvocations"] <= 20


def test_the_status_of_runs_named_twice_is_read_once(outside: Outside) -> None:
    outside.json("status", TENCENT, TENCENT, id_of(TENCENT))

    assert calls(outside) == {"DescribeInvocations": 1}


@pytest.mark.parametrize(
    ("ref", "before"), [(WINDOW, {}), (COMMAND, {"GetMaintenanceWindowExecution": 1})], ids=["window", "command"]
)
def test_a_bare_id_costs_the_kinds_that_come_first_and_no_more(
    ref: str, before: dict[str, int], outside: Outside
) -> None:
    outside.json("status", id_of(ref))

    assert calls(outside) == {**before, **STATUS[ref]}


def test_a_bare_id_of_an_automation_does_not_wait_for_a_command(outside: Outside) -> None:
    outside.json("status", id_of(AUTOMATION))

    assert calls(outside) == {"GetMaintenanceWindowExecution": 1, "ListCommands": 1, "GetAutomationExecution": 1}


@pytest.mark.parametrize("provider", ["aws", "alibaba", "tencent"])
def test_a_run_that_was_just_started_is_found(provider: str, outside: Outside) -> None:
    ref = outside.add(provider, "command" if provider == "aws" else "invocation", fresh=1)

    shown = outside.json("status", ref)

    assert [run["ref"] for run in shown["runs"]] == [ref]


LISTS = {
    "alibaba": {"DescribeInvocations": 2},  # with and without what repeats
    "tencent": {"DescribeInvocations": 1},
    "aws command": {"ListCommands": 1},
    "aws automation": {"DescribeAutomationExecutions": 2},  # 50 on a page
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_makes_no_call_per_run(what: str, outside: Outside) -> None:
    provider, _, kind = what.partition(" ")
    only = ["--kind", kind] if kind else []

    shown = outside.json("list", "-p", provider, *only, "--status", "all", "--limit", "0")

    assert len(shown["runs"]) > 5
    assert calls(outside) == LISTS[what]


LISTED = {"alibaba": 6, "tencent": 1}
"""Pages that list what is not over: Alibaba Cloud is asked word by word, and once for what repeats."""


@pytest.mark.parametrize(("provider", "stop"), [("alibaba", "StopInvocation"), ("tencent", "CancelInvocation")])
def test_what_a_listing_tells_of_targets_is_not_read_again(provider: str, stop: str, outside: Outside) -> None:
    for _ in range(3):
        outside.add(provider, name="bad-script", targets={"running": 1, "pending": 1})

    outside.json("cancel", "-p", provider, "--name", "bad-script", "--no-wait", "--confirm", "3")

    assert calls(outside) == {"DescribeInvocations": LISTED[provider], "GetCallerIdentity": 1, stop: 3}


@pytest.mark.parametrize("provider", LISTED)
def test_a_list_by_target_reads_no_run_whose_listing_told_its_targets(provider: str, outside: Outside) -> None:
    ref = outside.add(provider, targets={"running": 2})
    (target, _) = (one["target"] for one in outside.json("invocations", ref)["invocations"])
    calls(outside)

    shown = outside.json("list", "-p", provider, "--target", target)

    assert ref in {run["ref"] for run in shown["runs"]}
    assert calls(outside) == {"DescribeInvocations": LISTED[provider]}
