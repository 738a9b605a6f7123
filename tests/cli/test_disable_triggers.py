"""`cancel --disable-triggers`: the schedule first, the run within 2 s whatever became of it, and the way back."""

import json
import signal
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from outside import TENCENT, Done, Outside

from cli.test_returning import of_invoker, of_window
from cli.test_site_policy import Site

Make = Callable[[Outside], str]
SWITCHES = {"UpdateMaintenanceWindow", "DisableInvoker"}
CANCELS = {"CancelMaintenanceWindowExecution", "CancelInvocation"}
BOTH = pytest.mark.parametrize("make", [of_window, of_invoker])


def first(outside: Outside, actions: set[str]) -> float:
    return float(min(one["arrived"] for one in outside.requests() if one["action"] in actions))


def trigger_of(outside: Outside, ref: str) -> str:
    return str(outside.json("status", ref, "--trigger")["runs"][0]["trigger"])


def state(outside: Outside, trigger: str) -> str:
    return next(str(one["state"]) for one in outside.json("triggers")["triggers"] if one["ref"] == trigger)


@BOTH
def test_the_trigger_is_disabled_before_the_run_is_cancelled_and_one_operation_restores_it(
    outside: Outside, make: Make
) -> None:
    ref = make(outside)
    trigger = trigger_of(outside, ref)

    done = outside.run("cancel", ref, "--disable-triggers", "-o", "json")

    assert [(one["trigger"], one["verdict"]) for one in done.document["triggers"]] == [(trigger, "disabled")]
    assert [one["run"] for one in done.document["outcomes"]] == [ref]
    assert done.outcomes[ref]["verdict"] in ("stopped", "partial")
    assert 0 <= first(outside, CANCELS) - first(outside, SWITCHES) < 2
    operation = done.document["operation"]
    assert f"disabled: {trigger}" in done.err
    assert f"To restore the triggers: runcancel enable --operation {operation}" in done.err
    assert "comes back" not in done.err
    assert [one["id"] for one in outside.json("history")["operations"]] == [operation]
    assert [one["trigger"] for one in outside.json("history", operation)["triggers"]] == [trigger]
    assert state(outside, trigger) == "disabled"
    restored = outside.json("enable", "--operation", operation, "--yes")
    assert [one["verdict"] for one in restored["outcomes"]] == ["enabled"]
    assert state(outside, trigger) == "enabled"


@BOTH
@pytest.mark.parametrize("fault", ["hang", "denied", "http-500", "throttle", "drop-before"])
def test_no_trigger_holds_up_a_run(outside: Outside, make: Make, fault: str) -> None:
    ref = make(outside)
    trigger = trigger_of(outside, ref)
    outside.faults(*(f"{action}={fault}" for action in SWITCHES))

    done = outside.run("cancel", ref, "--disable-triggers", "--timeout", "4s", "--give-up-after", "4s", "-o", "json")

    assert first(outside, CANCELS) - first(outside, SWITCHES) < 2
    assert done.outcomes[ref]["verdict"] in ("stopped", "partial")
    verdict = done.document["triggers"][0]["verdict"]
    assert verdict in ("failed", "in-doubt", *(("disabled",) if fault == "hang" else ()))  # that one may have effect
    if verdict != "disabled":
        assert done.code in (3, 8)  # not permitted is certain, no reply is not
        assert f"{trigger}, enabled" in done.err
        assert f"runcancel disable {trigger}" in done.err


@BOTH
def test_a_trigger_that_was_not_read_again_has_no_state_after_the_request(outside: Outside, make: Make) -> None:
    ref = make(outside)

    done = outside.run("cancel", ref, "--disable-triggers", "--no-wait", "-o", "json")

    (trigger,) = done.document["triggers"]
    assert (trigger["verdict"], trigger["before"]["state"], trigger["after"]) == ("requested", "enabled", None)


def test_what_the_trigger_started_meanwhile_is_cancelled_too(outside: Outside) -> None:
    ref = of_invoker(outside)
    trigger = trigger_of(outside, ref)
    before = {run["ref"] for run in outside.json("list", "-p", "tencent", "-r", "ap-guangzhou")["runs"]}
    outside.faults("DisableInvoker=drop-before*1")

    def start() -> None:
        outside.wait_for("DisableInvoker")
        outside.box.clock.advance(3600.0)
        outside.run("list", "-p", "tencent", "-r", "ap-guangzhou")

    starts = threading.Thread(target=start)
    starts.start()
    done = outside.run("cancel", ref, "--disable-triggers", "-o", "json")
    starts.join()

    late = [one for one in done.outcomes if one not in before]
    assert len(late) == 1, str(done)
    assert done.outcomes[late[0]]["verdict"] == "stopped"
    assert "started meanwhile" in done.err
    assert state(outside, trigger) == "disabled"
    assert outside.json("history", "last")["operations"][0]["counts"]["stopped"] >= 2


def test_a_dry_run_shows_the_triggers_and_sends_nothing(outside: Outside) -> None:
    ref = of_window(outside)

    done = outside.run("cancel", ref, "--disable-triggers", "-n", "-o", "json")

    assert [one["send"] for one in done.document["triggers"]] == [True]
    assert [one["run"] for one in done.document["plan"]] == [ref]
    assert not (SWITCHES | CANCELS) & set(outside.actions())


def saved(outside: Outside, folder: Path, ref: str) -> str:
    plan = folder / "plan.json"
    plan.write_text(outside.run("cancel", ref, "--disable-triggers", "-n", "-o", "json").out)
    return str(plan)


@pytest.mark.parametrize("flags", [(), ("--disable-triggers",)])
def test_a_plan_disables_exactly_its_triggers(outside: Outside, tmp_path: Path, flags: tuple[str, ...]) -> None:
    ref = of_window(outside)
    trigger = trigger_of(outside, ref)
    plan = saved(outside, tmp_path, ref)
    others = {one["ref"] for one in outside.json("triggers", "--status", "enabled")["triggers"]} - {trigger}

    done = outside.run("cancel", "--plan", plan, "--yes", *flags, "-o", "json")

    assert [(one["trigger"], one["verdict"]) for one in done.document["triggers"]] == [(trigger, "disabled")]
    assert first(outside, SWITCHES) < first(outside, CANCELS)
    assert {one["ref"] for one in outside.json("triggers", "--status", "enabled")["triggers"]} == others


def test_a_plan_whose_triggers_shall_stay_enabled_names_them(outside: Outside, tmp_path: Path) -> None:
    ref = of_window(outside)
    trigger = trigger_of(outside, ref)

    done = outside.run("cancel", "--plan", saved(outside, tmp_path, ref), "--yes", "--no-disable-triggers")

    assert f"the plan also lists {trigger}: not disabled, and may start runs again" in done.err
    assert f"To disable: runcancel disable {trigger}" in done.err
    assert not SWITCHES & set(outside.actions())


@pytest.mark.parametrize("ref", [TENCENT, None])
def test_a_plan_whose_triggers_are_none_or_stand_twice_is_wrong_usage(
    outside: Outside, tmp_path: Path, ref: str | None
) -> None:
    plan = Path(saved(outside, tmp_path, of_window(outside)))
    document = json.loads(plan.read_text())
    (one,) = document["triggers"]
    document["triggers"] = [one, one] if ref is None else [{**one, "trigger": ref}]
    plan.write_text(json.dumps(document))

    done = outside.run("cancel", "--plan", str(plan), "--yes")

    assert done.code == 2, str(done)
    assert "is in the plan twice" in done.err if ref is None else "is not a trigger" in done.err
    assert not (SWITCHES | CANCELS) & set(outside.actions())


def test_the_limit_of_triggers_is_their_own(outside: Outside) -> None:
    ref = of_window(outside)

    done = outside.run("cancel", ref, "--disable-triggers", "--max-triggers", "0")

    assert done.code == 6
    assert "1 trigger matches; the limit is 0 (--max-triggers)" in done.err
    assert not (SWITCHES | CANCELS) & set(outside.actions())


def test_a_filter_is_confirmed_with_the_triggers_in_sight(outside: Outside) -> None:
    name = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["name"]

    done = outside.run("cancel", "--name", name, "-r", "us-east-2", "--disable-triggers")

    assert done.code == 6
    assert "About to disable 1 trigger:" in done.err
    assert not (SWITCHES | CANCELS) & set(outside.actions())


def test_a_run_without_a_trigger_is_cancelled_as_always(outside: Outside) -> None:
    document = outside.json("cancel", TENCENT, "--disable-triggers")

    assert document["triggers"] == []
    assert [one["verdict"] for one in document["outcomes"]] == ["stopped"]


def test_jsonl_has_a_line_for_each_trigger(outside: Outside) -> None:
    done = outside.run("cancel", of_window(outside), "--disable-triggers", "-o", "jsonl")

    types = [line["type"] for line in done.lines]
    assert types.count("trigger-outcome") == 1
    assert types.count("outcome") == 1
    assert not any(":window/" in str(line["run"]) for line in done.lines if line["type"] in ("sent", "seen"))


def test_an_interrupted_one_is_finished_by_its_resume(outside: Outside) -> None:
    ref = of_window(outside)
    trigger = trigger_of(outside, ref)
    outside.faults("UpdateMaintenanceWindow=hang*1")

    done, _ = outside.interrupted(
        signal.SIGINT, "cancel", ref, "--disable-triggers", "-o", "json", until="UpdateMaintenanceWindow"
    )
    outside.faults()
    resumed = outside.run("cancel", "--resume", done.document["operation"], "-o", "json")

    assert done.code == 130
    assert state(outside, trigger) == "disabled"
    assert [one["trigger"] for one in resumed.document["triggers"]] == [trigger]
    assert outside.truth(ref)["state"] in ("cancelled", "cancelling")
    again = outside.run("cancel", "--resume", done.document["operation"], "--disable-triggers")
    assert again.code == 2


def test_a_lookup_of_triggers_that_hangs_is_bounded(outside: Outside) -> None:
    ref = of_window(outside)
    outside.faults("DescribeMaintenanceWindows=hang")
    began = datetime.now(UTC).timestamp()

    done = outside.run("cancel", ref, "--disable-triggers", "--lookup-timeout", "2s", "-o", "json")

    assert first(outside, CANCELS) - began < 12
    assert done.document["triggers"] == []
    assert "its triggers could not be read" in done.err
    assert json.dumps(done.document)


# site policy


def ruled(outside: Outside, rule: str, *argv: str) -> Done:
    site = Site(outside)
    site.rules(f'contact = "ops@example.com"\n{rule}\nwhy = "not from here"\n')
    return site.run("cancel", *argv, "--disable-triggers", "-o", "json")


@BOTH
def test_a_trigger_that_the_site_denies_is_skipped_and_holds_up_no_run(outside: Outside, make: Make) -> None:
    ref = make(outside)
    trigger = trigger_of(outside, ref)

    done = ruled(outside, '[[deny]]\nactions = ["disable"]', ref)

    assert done.code == 3, str(done)
    (row,) = done.document["triggers"]
    assert (row["trigger"], row["verdict"], row["error"]["code"]) == (trigger, "skipped", "refused")
    assert "denied by the site policy: not from here" in row["error"]["message"]
    assert done.outcomes[ref]["verdict"] in ("stopped", "partial")
    assert f"{trigger} is not disabled: denied by the site policy" in done.err
    assert not SWITCHES & set(outside.actions())
    assert state(outside, trigger) == "enabled"
    kept = outside.json("history", done.document["operation"])["triggers"]
    assert [(one["trigger"], one["verdict"]) for one in kept] == [(trigger, "skipped")]
    assert outside.run("enable", "--operation", "last", "--yes").code == 5, "nothing was disabled"


@BOTH
def test_where_the_site_denies_the_cancel_nothing_is_sent(outside: Outside, make: Make) -> None:
    ref = make(outside)

    done = ruled(outside, '[[deny]]\nactions = ["cancel"]', ref)

    assert done.code == 6, str(done)
    assert f"{ref}: denied by the site policy: not from here" in done.err
    assert not (SWITCHES | CANCELS) & set(outside.actions())


@pytest.mark.parametrize("action", ["cancel", "disable"])
def test_a_confirmation_that_the_site_requires_of_either_is_required_of_the_whole(
    outside: Outside, action: str
) -> None:
    ref = of_window(outside)
    rule = f'[[confirm]]\nactions = ["{action}"]'

    refused = ruled(outside, rule, ref, "--yes")
    sent = set(outside.actions()) & (SWITCHES | CANCELS)
    (outside.home / "etc" / "policy.toml").unlink()
    (outside.home / "etc").rmdir()
    done = ruled(outside, rule, ref, "--confirm", "1")

    assert refused.code == 6, str(refused)
    assert "under site policy: not from here" in refused.err
    assert not sent
    assert [one["verdict"] for one in done.document["triggers"]] == ["disabled"]


def test_a_dry_run_shows_what_the_site_denies_of_the_triggers_alone(outside: Outside) -> None:
    ref = of_window(outside)

    done = ruled(outside, '[[deny]]\nactions = ["disable"]', ref, "-n")

    assert [one["send"] for one in done.document["triggers"]] == [False]
    assert [one["ask"] for one in done.document["plan"]] == [True]
    assert "denied by the site policy: not from here" in done.err
    assert "refused as a whole" not in done.err


# after a resume


def test_a_resume_disables_and_searches_again_under_the_limits_of_the_first_run(outside: Outside) -> None:
    ref = of_invoker(outside)
    trigger = trigger_of(outside, ref)
    outside.faults("DisableInvoker=hang*1", "CancelInvocation=hang*1")
    done, _ = outside.interrupted(
        signal.SIGINT, "cancel", ref, "--disable-triggers", "--max-runs", "1", "-o", "json", until="DisableInvoker"
    )
    outside.faults("DisableInvoker=drop-before*1")
    operation = done.document["operation"]

    def start() -> None:
        outside.wait_for("DisableInvoker", times=2)
        outside.box.clock.advance(3600.0)
        outside.run("list", "-p", "tencent", "-r", "ap-guangzhou")

    if state(outside, trigger) == "enabled":
        starts = threading.Thread(target=start)
        starts.start()
        refused = outside.run("cancel", "--resume", operation, "-o", "json")
        starts.join()
        assert [one["verdict"] for one in refused.document["triggers"]] == ["disabled"]
        late = [one for run, one in refused.outcomes.items() if run != ref]
        assert [(one["verdict"], one["error"]["code"]) for one in late] == [("skipped", "refused")], str(refused)
        assert "the limit is 1 (--max-runs)" in late[0]["error"]["message"]
        assert refused.code == 3
        raised = outside.run("cancel", "--resume", operation, "--max-runs", "2", "-o", "json")
        assert raised.outcomes[late[0]["run"]]["verdict"] == "stopped"
    assert state(outside, trigger) == "disabled"


def test_a_resume_leaves_runs_of_a_trigger_that_was_restored_alone(outside: Outside) -> None:
    ref = of_invoker(outside)
    trigger = trigger_of(outside, ref)
    operation = outside.json("cancel", ref, "--disable-triggers")["operation"]
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file) as journal:  # as if it was killed before it had searched
        journal.execute("DELETE FROM events WHERE kind='searched-again'")
    outside.json("enable", "--operation", operation, "--yes")
    outside.box.clock.advance(3600.0)
    started = [run["ref"] for run in outside.json("list", "-p", "tencent", "-r", "ap-guangzhou")["runs"]]

    resumed = outside.run("cancel", "--resume", operation, "-o", "json")

    assert resumed.document["outcomes"] == []
    assert f"{trigger} was enabled since" in resumed.err
    assert state(outside, trigger) == "enabled"
    assert started
    assert all(outside.truth(run)["state"] != "cancelled" for run in started)
