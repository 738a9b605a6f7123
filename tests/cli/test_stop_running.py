"""`cancel --stop-running`: what a window’s running tasks started is stopped too, top down, each with its verdict."""

import json
from pathlib import Path
from typing import Any

import pytest
from outside import FANOUT, WINDOW, Outside

CANCEL_WINDOW, CANCEL_COMMAND = "CancelMaintenanceWindowExecution", "CancelCommand"


def below(done: Any, window: str = WINDOW) -> list[dict[str, Any]]:
    """The outcomes of what a window started."""
    return [one for one in done["outcomes"] if one["parent"] == window]


def window(outside: Outside, running: int = 2, **spec: Any) -> str:
    """A window with running tasks, and others that have not begun."""
    return outside.add("aws", "maintenance-window", targets={"running": running, "pending": 2}, runs_for=9000, **spec)


def test_the_window_is_asked_first_and_then_what_its_running_tasks_started(outside: Outside) -> None:
    document = outside.json("cancel", WINDOW, "--stop-running")

    verdicts = {one["run"]: one["verdict"] for one in document["outcomes"]}
    assert verdicts[WINDOW] == "stopped"
    assert len(verdicts) == 4
    assert {one["verdict"] for one in below(document)} == {"stopped"}
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW, *[CANCEL_COMMAND] * 3]
    assert outside.states(WINDOW) == {"succeeded": 5, "terminated": 3, "cancelled": 17}
    rows = next(one for one in document["outcomes"] if one["run"] == WINDOW)["invocations"]
    assert {one["effect"] for one in rows if one["child"]} == {"terminated", "already-ended"}


def test_without_it_the_end_names_the_command_that_stops_the_rest(outside: Outside) -> None:
    first = outside.run("cancel", WINDOW)

    assert first.code == 3
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW]
    command = next(line.strip() for line in first.err.splitlines() if line.strip().startswith("runcancel cancel"))
    assert command == f"runcancel cancel {WINDOW} --stop-running"
    second = outside.shell(command)
    assert second.code == 0, str(second)
    assert "already being cancelled" in second.err
    assert outside.states(WINDOW) == {"succeeded": 5, "terminated": 3, "cancelled": 17}
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW, *[CANCEL_COMMAND] * 3]


def test_the_command_is_named_also_when_nobody_waits(outside: Outside) -> None:
    done = outside.run("cancel", WINDOW, "--no-wait")

    assert f"runcancel cancel {WINDOW} --stop-running" in done.err


def test_automations_are_stopped_too(outside: Outside) -> None:
    ref = window(outside, sort="AUTOMATION")

    document = outside.json("cancel", ref, "--stop-running")

    assert [one["verdict"] for one in below(document, ref)] == ["stopped", "stopped"]
    assert outside.states(ref) == {"terminated": 2, "cancelled": 2}


def test_a_step_functions_execution_is_stopped_too(outside: Outside) -> None:
    ref = window(outside, running=1, sort="STEP_FUNCTIONS")

    done = outside.run("cancel", ref, "--stop-running", "-o", "json")

    assert done.code == 0, str(done)
    (child,) = below(done.document, ref)
    assert child["run"].startswith("aws:us-east-2:state-machine/arn:aws:states:us-east-2:111122223333:execution:tidy:")
    assert child["verdict"] == "stopped"
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW, "StopExecution"]
    assert outside.writes()[1]["params"] == {"executionArn": child["run"].partition("/")[2]}
    assert outside.states(ref) == {"terminated": 1, "cancelled": 2}


def test_without_it_the_end_names_how_to_stop_a_step_functions_execution(outside: Outside) -> None:
    ref = window(outside, running=1, sort="STEP_FUNCTIONS")

    done = outside.run("cancel", ref, "-o", "json")

    assert done.code == 3
    assert f"runcancel cancel {ref} --stop-running" in done.err
    (row,) = [one for one in done.document["outcomes"][0]["invocations"] if one["effect"] == "kept-running"]
    assert row["child"].startswith("aws:us-east-2:state-machine/arn:aws:states:")
    assert row["foreign"] is None


def test_a_lambda_function_is_said_to_be_unstoppable(outside: Outside) -> None:
    done = outside.run("cancel", window(outside, sort="LAMBDA"), "--stop-running")

    assert done.code == 3
    assert done.err.count("A Lambda function keeps running and cannot be stopped.") == 1
    assert "--stop-running has no effect" in done.err


def test_what_a_window_that_was_not_cancelled_started_is_left_alone(outside: Outside) -> None:
    """Stopping it would only make room for the next task."""
    outside.faults(f"aws:{CANCEL_WINDOW}=denied")

    document = outside.json("cancel", WINDOW, "--stop-running", code=4)

    assert {one["verdict"] for one in below(document)} == {"skipped"}
    assert all("was not cancelled and would start more" in one["error"]["message"] for one in below(document))
    assert CANCEL_COMMAND not in outside.actions()


def test_what_cannot_be_stopped_keeps_its_window_partial(outside: Outside) -> None:
    outside.faults(f"aws:{CANCEL_COMMAND}=denied")

    document = outside.json("cancel", WINDOW, "--stop-running", code=3)

    assert document["outcomes"][-1]["run"] == WINDOW
    assert document["outcomes"][-1]["verdict"] == "partial"
    assert [one["verdict"] for one in below(document)] == ["failed"] * 3
    assert outside.states(WINDOW) == {"succeeded": 5, "running": 3, "cancelled": 17}


def test_a_task_that_ended_between_look_and_ask_is_no_failure(outside: Outside) -> None:
    outside.faults(f"aws:{CANCEL_COMMAND}=ended-between")

    document = outside.json("cancel", WINDOW, "--stop-running")

    assert {one["verdict"] for one in below(document)} == {"ended"}


def test_a_plan_holds_what_would_be_stopped_and_can_be_acted_on(outside: Outside, tmp_path: Path) -> None:
    saved = outside.json("cancel", WINDOW, "--stop-running", "--dry-run")
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(saved))

    assert [item["parent"] for item in saved["plan"]] == [None, WINDOW, WINDOW, WINDOW]
    rows = [one for one in saved["plan"][0]["invocations"] if one["before"] == "running"]
    assert {one["expected"] for one in rows} == {"unknown"}
    assert {one["child"] for one in rows} == {item["run"] for item in saved["plan"][1:]}
    assert not outside.writes()
    done = outside.json("cancel", "--plan", str(file), "--yes")
    assert {one["verdict"] for one in done["outcomes"]} == {"stopped"}
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW, *[CANCEL_COMMAND] * 3]


def test_a_target_that_a_window_started_something_on_is_counted_once(outside: Outside) -> None:
    announced = outside.run("cancel", WINDOW, "--stop-running", "--max-targets", "20")

    assert announced.code == 0, str(announced)
    assert "About to cancel 4 runs (25 targets):" in announced.err


def test_caps_count_what_a_window_started(outside: Outside) -> None:
    done = outside.run("cancel", WINDOW, "--stop-running", "--max-runs", "3")

    assert (done.code, outside.writes()) == (6, [])
    assert "4 runs match; the limit is 3 (--max-runs)" in done.err


def test_a_run_chosen_beside_its_window_is_asked_once_and_after_it(outside: Outside) -> None:
    child = outside.json("cancel", WINDOW, "--stop-running", "-n")["plan"][1]["run"]

    document = outside.json("cancel", child, WINDOW, "--stop-running")

    assert len(document["outcomes"]) == 4
    assert [each["action"] for each in outside.writes()] == [CANCEL_WINDOW, *[CANCEL_COMMAND] * 3]


def test_a_filter_counts_what_its_windows_started(outside: Outside) -> None:
    refused = outside.run("cancel", "--name", "nightly-patching", "--kind", "maintenance-window", "--stop-running")
    assert (refused.code, outside.writes()) == (6, [])
    assert "4 runs match" in refused.err

    done = outside.run("cancel", "--name", "nightly-patching", "--stop-running", "--confirm", "4", "-p", "aws")

    assert done.code == 0, str(done)


def test_the_table_shows_each_under_its_window(outside: Outside) -> None:
    shown = outside.run("cancel", WINDOW, "--stop-running", "-o", "table")

    lines = [line for line in shown.out.splitlines() if ":command/" in line or ":maintenance-window/" in line]
    assert lines[0].startswith(WINDOW)
    assert all(line.startswith("  aws:us-east-2:command/") for line in lines[1:])
    assert "4 stopped" in shown.err


def test_the_journal_knows_what_was_asked_below(outside: Outside) -> None:
    operation = outside.json("cancel", WINDOW, "--stop-running")["operation"]

    told = outside.json("history", operation)

    assert [one["parent"] for one in told["outcomes"]].count(WINDOW) == 3


@pytest.mark.parametrize("held", ["--plan", "--resume"])
def test_what_holds_all_that_is_to_be_asked_takes_no_more(outside: Outside, tmp_path: Path, held: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(outside.json("cancel", WINDOW, "-n")))
    operation = outside.json("cancel", WINDOW, "--no-wait")["operation"]
    before = len(outside.writes())

    done = outside.run("cancel", held, str(file) if held == "--plan" else operation, "--stop-running")

    assert (done.code, len(outside.writes())) == (2, before)
    assert "--stop-running cannot be used with it" in done.err


def test_no_variable_switches_it_on(outside: Outside) -> None:
    outside.run("cancel", WINDOW, env={"RUNCANCEL_STOP_RUNNING": "1"})

    assert CANCEL_COMMAND not in outside.actions()


def started(outside: Outside, *kinds: str) -> str:
    """An execution of OOS whose running task has started these."""
    return outside.add("alibaba", "oos", targets={"running": 1, "pending": 1}, starts=list(kinds), runs_for=9000)


def test_the_runs_of_an_execution_of_oos_are_stopped_below_it(outside: Outside) -> None:
    ref = started(outside, "invocation")

    document = outside.run("cancel", ref, "--stop-running", "-o", "json").document

    (child,) = below(document, ref)
    assert child["run"].startswith("alibaba:cn-hangzhou:invocation/t-")
    assert [each["action"] for each in outside.writes()] == ["CancelExecution", "StopInvocation"]
    assert outside.states(ref) == {"terminated": 1, "cancelled": 1}
    assert "pending" not in outside.states(child["run"])


def test_a_child_is_followed_to_what_it_started(outside: Outside) -> None:
    """An execution that started another, which started invocations: each below its own parent."""
    ref = started(outside, "oos")
    book = outside.box.world.book("alibaba", 0, "cn-hangzhou")
    inner = next(run for run in book.runs.values() if run.parent == ref.partition("/")[2])
    grandchild = outside.add("alibaba", targets={"pending": 3})
    inner.runs[0] = [book.runs[grandchild.partition("/")[2]]]

    done = outside.run("cancel", ref, "--stop-running", "-o", "json")

    parents = {one["run"]: one["parent"] for one in done.document["outcomes"]}
    middle = f"alibaba:cn-hangzhou:oos/{inner.id}"
    assert parents == {ref: None, middle: ref, grandchild: middle}
    assert [each["action"] for each in outside.writes()] == ["CancelExecution", "CancelExecution", "StopInvocation"]
    assert outside.states(grandchild) == {"cancelled": 3}


def test_a_child_at_any_depth_stands_below_its_parent_in_the_table(outside: Outside) -> None:
    ref, beside = started(outside, "oos"), started(outside, "invocation")
    book = outside.box.world.book("alibaba", 0, "cn-hangzhou")
    inner = next(run for run in book.runs.values() if run.parent == ref.partition("/")[2])
    inner.runs[0] = [book.runs[outside.add("alibaba", targets={"pending": 3}).partition("/")[2]]]

    shown = outside.run("cancel", beside, ref, "--stop-running", "-o", "table").out

    lines = [line.split()[0].split(":")[2].partition("/")[0] for line in shown.splitlines() if "alibaba:" in line]
    chains = [["oos", "oos", "invocation"], ["oos", "invocation"]]
    assert lines in ([*chains[0], *chains[1]], [*chains[1], *chains[0]])


def test_what_a_cancelled_run_has_started_is_stopped_later(outside: Outside) -> None:
    ref = started(outside, "invocation")
    outside.run("cancel", ref)
    assert [each["action"] for each in outside.writes()] == ["CancelExecution"]

    document = outside.run("cancel", ref, "--stop-running", "-o", "json").document

    assert len(below(document, ref)) == 1
    assert [each["action"] for each in outside.writes()] == ["CancelExecution", "StopInvocation"]


def test_the_children_of_an_automation_are_stopped_below_it(outside: Outside) -> None:
    document = outside.run("cancel", FANOUT, "--stop-running", "-o", "json").document

    assert len(below(document, FANOUT)) == 7
    assert {one["verdict"] for one in document["outcomes"]} <= {"stopped", "ended"}
    assert set(outside.states(FANOUT)) <= {"succeeded", "terminated", "cancelled", "skipped"}
