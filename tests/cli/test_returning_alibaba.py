"""Where runs of OOS, of Step Functions and periodic runs come from, and when they come again."""

from typing import Any

import pytest
from outside import MACHINE, OOS, OOS_TIMER, SCHEDULE, Outside

KEYS = ("trigger", "trigger_known", "repeats", "next_start_at")
LIST_TRIGGERS = "to list what starts runs: runcancel triggers"
SCHEDULED = "a cancel is its end, and it cannot be resumed"


def facts(outside: Outside, *argv: str) -> dict[str, Any]:
    return {run["ref"]: tuple(run[key] for key in KEYS) for run in outside.json(*argv)["runs"]}


def round_of(outside: Outside, timer: str = OOS_TIMER) -> str:
    """The child execution that a timer has started by now."""
    outside.box.clock.advance(86_400.0)
    (task,) = outside.json("invocations", timer)["invocations"]
    child: str = task["child"]
    return child


def test_an_execution_of_a_user_is_started_by_no_trigger(outside: Outside) -> None:
    assert facts(outside, "status", OOS)[OOS] == (None, True, False, None)


def test_a_timer_repeats_and_tells_its_next_start(outside: Outside) -> None:
    trigger, known, repeats, comes = facts(outside, "status", OOS_TIMER)[OOS_TIMER]

    assert (trigger, known, repeats) == (None, True, True)
    assert str(comes).endswith("Z")
    listed = facts(outside, "list", "-p", "alibaba", "--kind", "oos", "--include-schedules")
    assert listed[OOS_TIMER] == (None, True, True, comes)
    wide = outside.run("list", "-p", "alibaba", "--kind", "oos", "--include-schedules", "-o", "wide").out
    assert "repeats yes" in wide
    assert "next start 20" in wide


def test_who_executes_as_a_role_may_be_a_service(outside: Outside) -> None:
    ref = outside.add("alibaba", "oos", started_by="role/AliyunEventBridge")

    assert facts(outside, "status", ref)[ref] == (None, False, False, None)
    assert f"what started it is unknown; it may start again: {ref}" in outside.run("status", ref, "--trigger").err


def test_a_round_of_a_timer_is_traced_to_it(outside: Outside) -> None:
    child = round_of(outside)
    assert facts(outside, "status", child)[child] == (None, False, False, None)

    done = outside.run("status", child, "--trigger", "-o", "json")

    (run,) = done.document["runs"]
    assert (run["trigger"], run["trigger_known"], run["repeats"]) == (OOS_TIMER, True, False)
    assert run["next_start_at"] == outside.json("status", OOS_TIMER)["runs"][0]["next_start_at"]
    assert f"{OOS_TIMER}, enabled; it is a run, {SCHEDULED}" in done.err
    assert f"  runcancel cancel {OOS_TIMER}" in done.err


def test_a_child_at_any_depth_is_traced_to_the_timer(outside: Outside) -> None:
    timer = outside.add(
        "alibaba", "oos", category="TimerTrigger", every=600, targets={"scheduled": 1}, starts=["oos"], age=0
    )
    outside.box.clock.advance(600.0)
    (task,) = outside.json("invocations", timer)["invocations"]
    (inner,) = outside.json("invocations", task["child"])["invocations"]

    assert facts(outside, "status", inner["child"], "--trigger")[inner["child"]][:3] == (timer, True, False)


def test_a_cancelled_round_comes_back_and_the_end_names_the_cancel_of_its_timer(outside: Outside) -> None:
    child = round_of(outside)

    done = outside.run("cancel", child)

    comes, how, command = [line for line in done.err.splitlines() if "operation" not in line][-3:]
    assert comes.startswith("comes back 20")
    assert how == "To cancel it:"
    assert command == f"  runcancel cancel {OOS_TIMER}"
    outside.run(*command.split()[1:])
    assert f"started by {OOS_TIMER}, which has ended" in outside.run("status", child, "--trigger").err


def test_disable_triggers_leaves_the_timer_and_says_how_to_end_it(outside: Outside) -> None:
    child = round_of(outside)

    done = outside.run("cancel", child, "--disable-triggers")

    assert f"note: {OOS_TIMER} is not disabled: it is a run" in done.err
    assert f"runcancel cancel {OOS_TIMER}" in done.err
    assert outside.truth(OOS_TIMER)["state"] in ("scheduled", "running")


def test_stop_running_reaches_the_round_of_a_timer_and_its_command(outside: Outside) -> None:
    child = round_of(outside)

    done = outside.run("cancel", OOS_TIMER, "--stop-running", "-o", "json")

    parents = {one["run"]: one["parent"] for one in done.document["outcomes"]}
    (command,) = [ref for ref, parent in parents.items() if parent == child]
    assert (parents[OOS_TIMER], parents[child]) == (None, OOS_TIMER)
    assert command.startswith("alibaba:cn-hangzhou:invocation/t-")
    before = len(outside.box.world.book("alibaba", 0, "cn-hangzhou").runs)
    outside.box.clock.advance(3 * 86_400.0)
    outside.run("list", "-p", "alibaba")
    assert len(outside.box.world.book("alibaba", 0, "cn-hangzhou").runs) == before


def test_a_round_that_runs_is_stopped_later_too(outside: Outside) -> None:
    child = round_of(outside)
    outside.run("cancel", OOS_TIMER)
    assert outside.truth(child)["state"] == "running"

    document = outside.run("cancel", OOS_TIMER, "--stop-running", "-o", "json").document

    assert child in [one["run"] for one in document["outcomes"]]
    assert outside.truth(child)["state"] in ("terminated", "cancelling")


def test_a_state_machine_is_no_schedule_and_what_started_it_is_unknown(outside: Outside) -> None:
    assert facts(outside, "status", MACHINE)[MACHINE] == (None, False, False, None)

    for argv in (("status", MACHINE, "--trigger"), ("cancel", MACHINE, "-n"), ("cancel", MACHINE)):
        done = outside.run(*argv)
        assert f"what started it is unknown; it may start again: {MACHINE}; {LIST_TRIGGERS}" in done.err
        assert "not come back" not in done.err


@pytest.mark.parametrize("ref", [OOS_TIMER, SCHEDULE])
def test_a_plan_says_that_a_run_is_a_schedule_and_what_its_cancel_is(outside: Outside, ref: str) -> None:
    planned = outside.run("cancel", ref, "-n", "-o", "json")
    done = outside.run("cancel", ref, "-o", "json")

    assert planned.document["plan"][0]["origin"]["repeats"] is True
    assert f"{ref} is a schedule" in planned.err
    assert SCHEDULED in planned.err
    shown = " ".join(done.err.split("Expected:")[0].split())
    assert f"{ref} is a schedule" in shown or "About to" not in shown
    assert done.document["outcomes"][0]["origin"]["repeats"] is True


def test_a_plan_says_what_comes_back_and_how_to_disable_it(outside: Outside) -> None:
    ref = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["ref"]

    done = outside.run("cancel", ref, "-n")

    assert "comes back 20" in done.err
    assert "To disable it:" in done.err
    assert not outside.writes()


def test_the_report_says_where_runs_come_from_and_what_starts_them_again(outside: Outside) -> None:
    window = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["ref"]
    trigger = outside.json("status", window, "--trigger")["runs"][0]["trigger"]
    outside.run("cancel", window, OOS_TIMER, MACHINE)

    (report,) = outside.json("report")["reports"]
    text = outside.run("report", "-o", "md").out

    origins = {run["run"]: run["origin"] for one in report["accounts"] for run in one["runs"]}
    assert (origins[window]["trigger"], origins[window]["state"]) == (trigger, "enabled")
    assert origins[window]["next_start_at"]
    assert origins[OOS_TIMER]["repeats"] is True
    assert origins[MACHINE]["known"] is False
    assert "## What started the runs" in text
    assert f"{trigger}, enabled." in text
    assert f"{OOS_TIMER} was a schedule" in text
    assert f"what started it is unknown; it may start again: {MACHINE}" in text
    assert f"runcancel disable {trigger}" in [step["command"] for step in report["next_steps"]]


def test_a_report_takes_a_trigger_that_was_disabled_later_for_disabled(outside: Outside) -> None:
    window = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["ref"]
    trigger = outside.json("status", window, "--trigger")["runs"][0]["trigger"]
    cancelled = outside.json("cancel", window)["operation"]
    disabled = outside.json("disable", trigger)["operation"]

    text = outside.run("report", cancelled, disabled, "-o", "md").out

    assert f"started by {trigger}, which is disabled." in text
    assert f"runcancel disable {trigger}\n```" not in text


def test_a_report_takes_a_trigger_that_was_enabled_again_for_enabled(outside: Outside) -> None:
    window = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["ref"]
    first = outside.json("cancel", window, "--disable-triggers")
    (trigger,) = [one["trigger"] for one in first["triggers"]]
    before = outside.run("report", first["operation"], "-o", "md").out
    second = outside.json("enable", "--operation", first["operation"], "--yes")["operation"]

    after = outside.run("report", first["operation"], second, "-o", "md").out

    assert f"started by {trigger}, which is disabled." in before
    assert f"{trigger}, enabled." in after
    assert f"runcancel disable {trigger}" in after
