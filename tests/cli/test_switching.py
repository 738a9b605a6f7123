"""`disable` and `enable`: one switch, read back, with the guards and the journal of a cancel; a true restore."""

import json
import re
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outside import Outside

from runcancel.providers import PROVIDERS, provider
from runcancel.sandbox.aws.triggers import starters
from runcancel.sandbox.aws.windows import Windows
from runcancel.sandbox.tencent.invokers import Invokers

NIGHTLY = "aws:us-east-2:window/mw-0c50858d01c0ffee0"
CLEANUP = "aws:us-east-2:rule/default/nightly-cleanup"
ALARM = "aws:us-east-2:rule/ops/restart-on-alarm"
WRITES = ("UpdateMaintenanceWindow", "DisableRule", "EnableRule", "DisableInvoker", "EnableInvoker")
KINDS = {NIGHTLY: "GetMaintenanceWindow", CLEANUP: "DescribeRule", None: "DescribeInvokers"}
"""A trigger of each kind that can be switched (None: the invoker), and the action that reads it."""


def invoker(outside: Outside) -> str:
    ref: str = outside.json("triggers", "-p", "tencent")["triggers"][0]["ref"]
    return ref


def states(outside: Outside) -> dict[str, str]:
    return {one["ref"]: one["state"] for one in outside.json("triggers")["triggers"]}


def sent(outside: Outside) -> list[str]:
    return [action for action in outside.actions() if action in WRITES]


def test_each_switchable_kind_is_disabled_and_seen_disabled(outside: Outside) -> None:
    refs = (NIGHTLY, CLEANUP, invoker(outside))

    document = outside.json("disable", *refs)

    assert {one["trigger"]: one["verdict"] for one in document["outcomes"]} == dict.fromkeys(refs, "disabled")
    again = outside.run("disable", *refs).err.splitlines()[-1]
    assert again.startswith("3 triggers: 3 unchanged; operation ")
    assert all(one["before"]["state"] == "enabled" for one in document["outcomes"])
    assert all(one["after"]["state"] == "disabled" for one in document["outcomes"])
    assert all(one["request_ids"] for one in document["outcomes"])
    assert {ref: states(outside)[ref] for ref in refs} == dict.fromkeys(refs, "disabled")


def test_a_switch_is_not_lost_on_a_kept_connection_that_its_server_closed(outside: Outside) -> None:
    refs = (NIGHTLY, CLEANUP, invoker(outside))
    outside.faults("*=stale")

    document = outside.json("disable", *refs)

    assert {one["trigger"]: one["verdict"] for one in document["outcomes"]} == dict.fromkeys(refs, "disabled")
    assert sorted(sent(outside)) == ["DisableInvoker", "DisableRule", "UpdateMaintenanceWindow"]


def test_a_window_is_switched_by_enabled_alone(outside: Outside) -> None:
    outside.run("disable", NIGHTLY)

    (write,) = [one for one in outside.requests() if one["action"] == "UpdateMaintenanceWindow"]
    assert write["params"] == {"WindowId": "mw-0c50858d01c0ffee0", "Enabled": False}


def test_what_is_disabled_already_is_unchanged_and_nothing_is_sent(outside: Outside) -> None:
    outside.run("disable", NIGHTLY)
    before = len(sent(outside))

    document = outside.json("disable", NIGHTLY)

    assert [one["verdict"] for one in document["outcomes"]] == ["unchanged"]
    assert len(sent(outside)) == before


def test_a_restore_enables_what_was_found_enabled_and_nothing_else(outside: Outside) -> None:
    at_first = states(outside)
    outside.run("disable", "-p", "aws", "--kind", "window", "--yes")
    assert set(states(outside).values()) >= {"disabled"}

    restored = outside.json("enable", "--operation", "last", "--yes")

    assert {one["verdict"] for one in restored["outcomes"]} == {"enabled"}
    assert states(outside) == at_first
    assert [one for one, state in at_first.items() if state == "disabled"]
    again = outside.run("enable", "--operation", "last", "--yes")
    assert again.code == 5
    assert "no operation that disabled a trigger is left to restore" in again.err


def test_a_second_restore_by_its_id_changes_nothing(outside: Outside) -> None:
    operation = outside.json("disable", NIGHTLY)["operation"]
    outside.run("enable", "--operation", operation, "--yes")
    before = len(sent(outside))

    document = outside.json("enable", "--operation", operation, "--yes")

    assert [one["verdict"] for one in document["outcomes"]] == ["unchanged"]
    assert len(sent(outside)) == before


def test_what_somebody_changed_since_is_drifted_and_left_alone_unless_forced(outside: Outside) -> None:
    operation = outside.json("disable", NIGHTLY, CLEANUP)["operation"]
    window = outside.box.world.book("aws", 0, "us-east-2").beside(Windows)["mw-0c50858d01c0ffee0"]
    window.at = 60.0 * 60

    done = outside.run("enable", "--operation", operation, "--yes", "-o", "json")

    assert done.code == 3
    verdicts = {one["trigger"]: one["verdict"] for one in done.document["outcomes"]}
    assert verdicts == {NIGHTLY: "drifted", CLEANUP: "enabled"}
    assert states(outside)[NIGHTLY] == "disabled"
    assert "--force" in done.err
    forced = outside.json("enable", "--operation", operation, "--yes", "--force")
    assert {one["trigger"]: one["verdict"] for one in forced["outcomes"]} == {NIGHTLY: "enabled", CLEANUP: "unchanged"}


def test_the_output_of_disable_restores_without_a_journal(outside: Outside, tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    vacuum = next(ref for ref, state in states(outside).items() if state == "disabled")
    held.write_text(outside.run("disable", NIGHTLY, CLEANUP, vacuum, "--no-journal", "-o", "jsonl").out)

    document = outside.json("enable", "-f", str(held), "--yes", "--no-journal")

    assert {one["trigger"]: one["verdict"] for one in document["outcomes"]} == {NIGHTLY: "enabled", CLEANUP: "enabled"}
    assert states(outside)[vacuum] == "disabled"


def test_a_list_of_triggers_is_taken_from_a_pipe_and_a_cut_one_is_not(outside: Outside, tmp_path: Path) -> None:
    listed = outside.run("triggers", "--name-glob", "n*", "-p", "aws", "-o", "jsonl").out
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(listed.splitlines(keepends=True)[:-1]))
    whole = tmp_path / "whole.jsonl"
    whole.write_text(listed)

    refused = outside.run("disable", "-f", str(cut), "--yes")
    done = outside.json("disable", "-f", str(whole), "--confirm", "3")

    assert refused.code == 2
    assert "incomplete" in refused.err
    assert {one["verdict"] for one in done["outcomes"]} == {"disabled"}


def test_a_filter_asks_for_a_confirmation_and_names_the_triggers(outside: Outside) -> None:
    done = outside.run("disable", "--name-glob", "n*", "-p", "aws")

    assert done.code == 6
    assert "3 triggers match" in done.err
    assert "--yes" in done.err
    assert CLEANUP in done.err
    assert sent(outside) == []


def test_a_rule_with_other_targets_wants_the_number(outside: Outside) -> None:
    by_yes = outside.run("disable", ALARM, "--yes")
    by_number = outside.run("disable", ALARM, "--confirm", "1")

    assert by_yes.code == 6
    assert "1 with other targets" in by_yes.err
    assert by_number.code == 0


def test_the_limit_of_triggers_is_its_own(outside: Outside) -> None:
    done = outside.run("disable", "--kind", "window", "--yes", "--max-triggers", "3")

    assert done.code == 6
    assert "11 triggers match; the limit is 3 (--max-triggers)" in done.err
    assert "--max-triggers 11" in done.err
    assert sent(outside) == []


@pytest.mark.parametrize("kind", ["schedule", "association"])
def test_a_kind_without_a_switch_is_wrong_usage_with_the_reason(outside: Outside, kind: str) -> None:
    ref = outside.json("triggers", "--kind", kind)["triggers"][0]["ref"]

    done = outside.run("disable", ref)

    assert done.code == 2
    assert "writes every field" in done.err or "erases every field" in done.err
    assert "runcancel triggers" in done.err


def test_a_rule_of_a_service_is_listed_and_not_changed(outside: Outside) -> None:
    done = outside.run("disable", "--name", "PatchOnDrift", "--yes", "-o", "json")

    assert done.code == 1
    assert [one["verdict"] for one in done.document["outcomes"]] == ["skipped"]
    assert sent(outside) == []


UNKNOWN = {
    "a window": "aws:us-east-2:window/mw-0123456789abcdef9",
    "an id of a window": "mw-0123456789abcdef9",
    "a rule": "aws:us-east-2:rule/default/no-such-rule",
    "an invoker": "tencent:ap-guangzhou:invoker/ivk-nosuch01",
}


@pytest.mark.parametrize("verb", ["disable", "enable"])
@pytest.mark.parametrize("ref", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_there_is_not_found_in_the_same_words(ref: str, verb: str, outside: Outside) -> None:
    for flags in ((), ("-n",)):
        done = outside.run(verb, ref, *flags)

        assert done.code == 5, str(done)
        assert f"runcancel: {ref}: not found; it may have been deleted, or be in another region or account" in done.err
        assert not re.search(r"Exception:|does not exist", done.err), str(done)


def test_an_invoker_that_the_cloud_calls_unknown_is_not_found_in_the_same_words(outside: Outside) -> None:
    ref, code = invoker(outside), "ResourceNotFound.InvokerNotFound"
    outside.faults({"kind": "error", "action": "DescribeInvokers", "code": code, "message": "gone"})

    done = outside.run("disable", ref)

    assert done.code == 5, str(done)
    assert f"runcancel: {ref}: not found; it may have been deleted, or be in another region or account" in done.err


def test_a_dry_run_by_filter_is_complete_without_what_is_never_changed(outside: Outside, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    done = outside.run("disable", "-p", "aws", "--name-glob", "*e*", "-n", "-o", "json")
    plan.write_text(done.out)
    fixed = {one["ref"].split(":")[2].split("/")[0] for one in done.document["errors"]}

    assert fixed >= {"schedule", "association"}
    assert {one["code"] for one in done.document["errors"]} == {"not_cancellable"}
    assert (done.code, done.document["complete"]) == (0, True), str(done)
    planned = {one["trigger"] for one in done.document["triggers"]}
    carried = outside.json("disable", "--plan", str(plan), "--confirm", str(len(planned)))
    assert {one["trigger"] for one in carried["outcomes"]} == planned
    alone = outside.run("disable", "--name", "PatchOnDrift", "-n")
    assert (alone.code, "not changed: the service" in alone.err) == (0, True), str(alone)


def test_a_dry_run_of_a_named_trigger_that_is_never_changed_is_incomplete(outside: Outside) -> None:
    done = outside.run("disable", NIGHTLY, "aws:us-east-2:rule/default/PatchOnDrift", "-n", "-o", "json")

    assert (done.code, done.document["complete"]) == (7, False), str(done)


def test_a_dry_run_sends_nothing_and_its_plan_is_carried_out(outside: Outside, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    done = outside.run("disable", NIGHTLY, CLEANUP, "-n", "-o", "json")
    plan.write_text(done.out)

    assert done.code == 0
    assert [one["send"] for one in done.document["triggers"]] == [True, True]
    assert sent(outside) == []
    assert outside.run("cancel", "--plan", str(plan), "--yes").code == 2
    assert outside.run("enable", "--plan", str(plan), "--yes").code == 2
    carried = outside.json("disable", "--plan", str(plan), "--yes")
    assert {one["verdict"] for one in carried["outcomes"]} == {"disabled"}


@pytest.mark.parametrize("ref", KINDS, ids=["window", "rule", "invoker"])
def test_a_plan_promises_what_its_own_verb_does(outside: Outside, ref: str | None) -> None:
    trigger = ref or invoker(outside)
    (disabling,) = outside.json("disable", trigger, "-n")["triggers"]
    announced = outside.run("disable", trigger)

    (enabling,) = outside.json("enable", trigger, "-n")["triggers"]

    assert "starts nothing while it is disabled" in disabling["promise"]
    assert "again" in enabling["promise"]
    assert "disabled" not in enabling["promise"]
    assert disabling["promise"] in " ".join(announced.err.split())
    assert enabling["promise"] in " ".join(outside.run("enable", trigger).err.split())


@pytest.mark.parametrize("fault", ["UpdateMaintenanceWindow=error*1", "UpdateMaintenanceWindow=throttle*2"])
def test_what_passes_is_tried_again(outside: Outside, fault: str) -> None:
    outside.faults(fault)

    document = outside.json("disable", NIGHTLY)

    assert [one["verdict"] for one in document["outcomes"]] == ["disabled"]


def test_a_denied_switch_is_not_permitted_and_the_others_are_disabled(outside: Outside) -> None:
    outside.faults("UpdateMaintenanceWindow=denied")

    alone = outside.run("disable", NIGHTLY, "-o", "json")
    beside = outside.run("disable", NIGHTLY, CLEANUP, "-o", "json")

    assert alone.code == 4
    assert beside.code == 3
    assert {one["trigger"]: one["verdict"] for one in beside.document["outcomes"]} == {
        NIGHTLY: "failed",
        CLEANUP: "disabled",
    }


def test_a_lost_answer_is_read_back_before_anything_is_said(outside: Outside) -> None:
    outside.faults("DisableRule=drop-after*1")

    document = outside.json("disable", CLEANUP)

    assert [one["verdict"] for one in document["outcomes"]] == ["disabled"]
    assert len([action for action in sent(outside) if action == "DisableRule"]) == 1


@pytest.mark.parametrize("verb", ["disable", "enable"])
@pytest.mark.parametrize("ref", KINDS, ids=["window", "rule", "invoker"])
def test_only_a_reading_that_followed_the_request_is_shown_as_the_state_after_it(
    outside: Outside, ref: str | None, verb: str
) -> None:
    trigger = ref or invoker(outside)
    if verb == "enable":
        outside.run("disable", trigger)
    shown = ("--columns", "trigger,verdict,before,after")

    accepted = outside.run(verb, trigger, "--no-wait", *shown)

    was, goal = ("enabled", "disabled") if verb == "disable" else ("disabled", "enabled")
    assert [*accepted.rows[0].values()] == [trigger, "requested", was, ""]
    assert states(outside)[trigger] == goal
    outside.run("enable" if verb == "disable" else "disable", trigger)
    outside.faults(f"{KINDS[ref]}=denied,after=1")
    unread = outside.run(verb, trigger, "--timeout", "1s", "-o", "jsonl")
    assert [(one["verdict"], one["after"]) for one in unread.lines if "verdict" in one] == [("requested", None)]
    assert unread.code == 8


def test_a_reading_between_two_tries_is_not_shown_as_the_state_after_the_second(outside: Outside) -> None:
    outside.faults("DisableRule=throttle*1", "DescribeRule=denied,after=2")

    done = outside.run("disable", CLEANUP, "--timeout", "1s", "-o", "json")

    assert [(one["verdict"], one["after"]) for one in done.document["outcomes"]] == [("requested", None)]


UNSURE: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "accepted": (("--no-wait",), (), "requested"),
    "not read back": (("--timeout", "1s"), ("DescribeRule=denied,after=1",), "requested"),
    "lost": (("--timeout", "1s"), ("DisableRule=http-500", "DescribeRule=denied,after=1"), "in-doubt"),
}
"""How a disable stays unverified: its options, the faults, its verdict."""


@pytest.mark.parametrize("case", UNSURE)
def test_the_command_that_restores_is_printed_if_a_trigger_may_have_been_disabled(outside: Outside, case: str) -> None:
    flags, faults, verdict = UNSURE[case]
    outside.faults(*faults)

    done = outside.run("disable", CLEANUP, *flags, "-o", "json")

    assert [one["verdict"] for one in done.document["outcomes"]] == [verdict]
    operation = done.document["operation"]
    assert f"To restore: runcancel enable --operation {operation}\n" in done.err
    outside.faults()
    restored = outside.json("enable", "--operation", operation, "--yes")
    assert [one["verdict"] for one in restored["outcomes"]] in (["enabled"], ["unchanged"])


@pytest.mark.parametrize("faults", [(), ("DisableRule=denied",)])
def test_it_is_not_printed_if_none_was_disabled(outside: Outside, faults: tuple[str, ...]) -> None:
    outside.run("disable", CLEANUP)
    outside.faults(*faults)
    if faults:
        outside.run("enable", CLEANUP)

    assert "To restore" not in outside.run("disable", CLEANUP).err


def test_history_shows_what_was_disabled_and_keeps_what_is_not_restored(outside: Outside) -> None:
    operation = outside.json("disable", NIGHTLY)["operation"]

    (listed,) = outside.json("history")["operations"]
    one = outside.json("history", operation)
    outside.run("history", "prune", "--older-than", "0s")
    kept = outside.json("history")["operations"]
    outside.run("enable", "--operation", "last", "--yes")
    outside.run("history", "prune", "--older-than", "0s")

    assert listed["counts"] == {"disabled": 1}
    assert [each["verdict"] for each in one["outcomes"]] == ["disabled"]
    assert [each["id"] for each in kept] == [operation]
    assert outside.json("history")["operations"] == []


def test_another_verb_does_not_resume_it(outside: Outside) -> None:
    operation = outside.json("disable", NIGHTLY)["operation"]

    done = outside.run("cancel", "--resume", operation)
    last = outside.run("cancel", "--resume", "last")

    assert last.code == 5
    assert "no cancel is in the journal" in last.err
    assert done.code == 2
    assert f"runcancel disable --resume {operation}" in done.err


def test_an_interrupt_says_how_to_continue_and_the_resume_ends_it(outside: Outside) -> None:
    outside.faults("UpdateMaintenanceWindow=hang*1")

    done, _ = outside.interrupted(signal.SIGINT, "disable", NIGHTLY, "-o", "json", until="UpdateMaintenanceWindow")

    assert done.code == 130
    assert [(one["verdict"], one["after"]) for one in done.document["outcomes"]] == [("in-doubt", None)]
    assert "interrupted while the request was in flight" in done.document["outcomes"][0]["error"]["message"]
    operation = done.document["operation"]
    outside.faults()
    resumed = outside.json("disable", "--resume", operation)
    assert [one["verdict"] for one in resumed["outcomes"]] in (["disabled"], ["unchanged"])
    assert states(outside)[NIGHTLY] == "disabled"


def drift(outside: Outside, ref: str) -> None:
    """What somebody else may change of a trigger, behind this program."""
    world, id = outside.box.world, ref.partition("/")[2]
    if ":window/" in ref:
        world.book("aws", 0, "us-east-2").beside(Windows)[id].description = "somebody else was here"
    elif ":rule/" in ref:
        rule = next(each for each in starters(world.book("aws", 0, "us-east-2")).rules if ref.endswith(each.name))
        rule.targets = [*rule.targets, {"Id": "9", "Arn": "arn:aws:sns:us-east-2:111122223333:somebody-else"}]
    else:
        (one,) = world.book("tencent", 0, "ap-guangzhou").beside(Invokers)
        one.instances = one.instances[:1]


def world_of(outside: Outside) -> dict[str, dict[str, object]]:
    """Everything that a cloud tells of every trigger, but when it starts next."""
    listed = outside.json("triggers", "--limit", "0")["triggers"]
    return {one.pop("ref"): {key: one[key] for key in one if key != "next_start_at"} for one in listed}


KINDS_WITH_A_SWITCH = [
    (name, kind.name) for name in PROVIDERS for kind in provider(name).trigger_kinds if kind.switchable
]


@settings(
    max_examples=settings.default.max_examples // 15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.data())
def test_disable_drift_and_restore_leave_the_world_as_it_was_but_for_the_drift(
    outside: Outside, data: st.DataObject
) -> None:
    """Some triggers of every kind of every cloud, those that are disabled and those that do more included."""
    outside.reset()
    at_first = world_of(outside)
    chosen: list[str] = []
    for name, kind in KINDS_WITH_A_SWITCH:
        those = [ref for ref, one in at_first.items() if ref.startswith(f"{name}:") and f":{kind}/" in ref]
        those = [ref for ref in those if at_first[ref]["fixed_because"] is None]
        chosen += data.draw(st.lists(st.sampled_from(those), min_size=1, unique=True), label=kind)
    drifted = data.draw(st.lists(st.sampled_from(chosen), unique=True), label="drifted")
    enabled = [ref for ref in chosen if at_first[ref]["state"] == "enabled"]
    disabled = outside.json("disable", *chosen, "--max-triggers", "20", "--confirm", str(len(enabled)))
    for ref in drifted:
        drift(outside, ref)
    between = world_of(outside)

    to_enable = len(set(enabled) - set(drifted))
    done = outside.run("enable", "--operation", disabled["operation"], "--confirm", str(to_enable), "-o", "json")

    after = world_of(outside)
    for ref, one in at_first.items():
        left = between[ref] if ref in drifted else one
        assert after[ref] == left, f"{ref}\n{done}"
        if ref not in chosen:
            assert between[ref] == one, ref
        elif one["state"] == "enabled":
            assert between[ref]["state"] == "disabled", ref
    verdicts = {one["trigger"]: one["verdict"] for one in done.document.get("outcomes", [])}
    assert verdicts == {ref: "drifted" if ref in drifted else "enabled" for ref in enabled}
    again = outside.run("enable", "--operation", disabled["operation"], "--force", "--yes", "-o", "json")
    if drifted:
        assert again.code in (0, 6), str(again)


def test_jsonl_has_one_line_for_each_trigger_and_an_end(outside: Outside) -> None:
    done = outside.run("disable", NIGHTLY, CLEANUP, "-o", "jsonl")

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["type"] for line in lines] == ["trigger-outcome", "trigger-outcome", "end"]
    assert lines[-1]["operation"]


RUN = "aws:us-east-2:automation/6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"


@pytest.mark.parametrize("verb", ["status", "wait", "logs", "invocations", "cancel"])
def test_the_operation_of_a_trigger_has_no_runs_and_names_the_newest_that_has(outside: Outside, verb: str) -> None:
    cancelled = outside.json("cancel", RUN)["operation"]
    disabled = outside.json("disable", NIGHTLY)["operation"]

    result = outside.run(verb, "--operation", "last")

    assert result.code == 2
    assert result.err == (
        f"runcancel: operation {disabled} disabled triggers; it has no runs; nothing was sent\n"
        f"  To show them: runcancel history {disabled}   The newest operation on runs: --operation {cancelled}\n"
    )
    assert result.out == ""


@pytest.mark.parametrize(
    ("argv", "said", "next_"),
    [
        (
            ("status", "-r", "us-east-2", "mw-0c50858d01c0ffee0"),
            "“mw-0c50858d01c0ffee0” names a trigger, not a run; nothing was sent",
            "To disable it: runcancel disable mw-0c50858d01c0ffee0 -r us-east-2",
        ),
        (
            ("cancel", "-p", "aws", NIGHTLY),
            f"“{NIGHTLY}” names a trigger, not a run; nothing was sent",
            f"To disable it: runcancel disable {NIGHTLY} -p aws",
        ),
        (
            ("enable", "-p", "tencent", "inv-ib2lld37"),
            "“inv-ib2lld37” names a run, not a trigger; nothing was sent",
            "To cancel it: runcancel cancel inv-ib2lld37 -p tencent",
        ),
        (
            ("disable", RUN),
            f"“{RUN}” names a run, not a trigger; nothing was sent",
            f"To cancel it: runcancel cancel {RUN}",
        ),
    ],
)
def test_a_reference_of_the_other_sort_names_the_verb_for_it(
    outside: Outside, argv: tuple[str, ...], said: str, next_: str
) -> None:
    result = outside.run(*argv)

    assert (result.code, result.err) == (2, f"runcancel: {said}\n  {next_}\n")


def test_a_list_of_the_other_sort_is_named(outside: Outside) -> None:
    runs, triggers = outside.run("list", "-o", "jsonl").out, outside.run("triggers", "-o", "jsonl").out

    assert "this is a run, not a trigger; nothing was sent" in outside.run("disable", "-f", "-", stdin=runs).err
    for verb in ("status", "cancel"):
        assert "this is a trigger, not a run; nothing was sent" in outside.run(verb, "-f", "-", stdin=triggers).err


@pytest.mark.parametrize("verb", ["disable", "enable"])
@pytest.mark.parametrize(
    "fault", ["DescribeRule=http-500*4", "ListTargetsByRule=half-json*4", "DescribeRule=throttle*4"]
)
def test_a_reading_that_fails_for_a_time_is_repeated_while_time_is_left(
    outside: Outside, verb: str, fault: str
) -> None:
    if verb == "enable":
        outside.run("disable", CLEANUP)
    outside.faults(fault)

    document = outside.json(verb, CLEANUP, "--timeout", "2", "--lookup-timeout", "8")

    assert [one["verdict"] for one in document["outcomes"]] == [f"{verb}d"]


def test_a_trigger_that_cannot_be_read_is_not_changed_and_the_others_are(outside: Outside) -> None:
    outside.faults("DescribeRule=http-500")

    done = outside.run("disable", CLEANUP, NIGHTLY, "--lookup-timeout", "2", "-o", "json")

    assert done.code == 3
    outcomes = {one["trigger"]: one for one in done.document["outcomes"]}
    assert (outcomes[CLEANUP]["verdict"], outcomes[NIGHTLY]["verdict"]) == ("failed", "disabled")
    assert outcomes[CLEANUP]["error"]["code"] == "down"
    assert "InternalServerError" in outcomes[CLEANUP]["error"]["message"]
    assert "DisableRule" not in outside.actions()


@pytest.mark.parametrize("operation", [("--operation", "last", "--yes"), ("--resume",)])
def test_a_restore_and_a_resume_read_again_too(outside: Outside, operation: tuple[str, ...]) -> None:
    id = outside.json("disable", CLEANUP)["operation"]
    argv: tuple[str, ...] = ("enable", *operation)
    if operation == ("--resume",):
        outside.faults("EnableRule=denied")
        id = outside.run("enable", CLEANUP, "-o", "json").document["operation"]
        argv = ("enable", "--resume", id)
    outside.faults("DescribeRule=drop-before*3")

    document = outside.json(*argv, "--timeout", "2")

    assert [one["verdict"] for one in document["outcomes"]] == ["enabled"]


UNLISTED = [
    (NIGHTLY, "DescribeMaintenanceWindowTasks"),
    (NIGHTLY, "DescribeMaintenanceWindowTargets"),
    (CLEANUP, "ListTargetsByRule"),
]


@pytest.mark.parametrize(("ref", "action"), UNLISTED)
def test_what_it_starts_may_not_be_listed_the_number_is_wanted_and_the_switch_works(
    outside: Outside, ref: str, action: str
) -> None:
    outside.faults(f"{action}=denied")

    bare = outside.run("disable", ref)
    by_yes = outside.run("disable", ref, "--yes")
    planned = outside.run("disable", ref, "-n", "-o", "json")
    done = outside.run("disable", ref, "--confirm", "1", "-o", "json")

    for refused in (bare, by_yes):
        assert refused.code == 6
        assert "1 with an unknown effect" in refused.err
        assert f"what it starts is unknown: {action} is not permitted" in refused.err
        assert "--confirm 1" in refused.err
    (plan,) = planned.document["triggers"]
    assert plan["before"]["effect_unknown"] == f"{action} is not permitted"
    assert plan["before"]["documents"] == []
    assert [one["verdict"] for one in done.document["outcomes"]] == ["disabled"]
    assert sent(outside) == ["UpdateMaintenanceWindow" if ref is NIGHTLY else "DisableRule"]
    restored = outside.json("enable", "--operation", "last", "--yes")
    assert [one["verdict"] for one in restored["outcomes"]] == ["enabled"]


@pytest.mark.parametrize(("ref", "action"), UNLISTED)
def test_an_unknown_effect_is_no_drift(outside: Outside, ref: str, action: str) -> None:
    """Who disables may see more than who restores, and the other way round."""
    operation = outside.json("disable", ref)["operation"]
    outside.faults(f"{action}=denied")

    document = outside.json("enable", "--operation", operation, "--yes")

    assert [one["verdict"] for one in document["outcomes"]] == ["enabled"]


@pytest.mark.parametrize(("ref", "action"), UNLISTED)
def test_a_list_with_an_unknown_effect_is_incomplete_and_shows_the_rest(
    outside: Outside, ref: str, action: str
) -> None:
    whole = states(outside)
    outside.faults(f"{action}=denied")

    done = outside.run("triggers", "-p", "aws", "-o", "json")

    assert done.code == 7
    assert done.document["complete"] is False
    assert action in done.document["errors"][0]["message"] or action == done.document["errors"][0]["action"]
    listed = {one["ref"]: one for one in done.document["triggers"]}
    assert {one for one in whole if "/mw-" in one} <= listed.keys()
    assert (ref in listed) is (ref is NIGHTLY)
    assert all(one["effect_unknown"] for one in listed.values() if one["kind"] == "window") is (ref is NIGHTLY)
    wide = outside.run("triggers", "-p", "aws", "-o", "wide").out
    assert ("is not permitted" in wide) is (ref is NIGHTLY)


def test_a_window_with_an_unknown_effect_holds_up_no_run_and_is_disabled_by_the_named_command(
    outside: Outside,
) -> None:
    run = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"][0]["ref"]
    trigger = outside.json("status", run, "--trigger")["runs"][0]["trigger"]
    outside.faults("DescribeMaintenanceWindowTasks=denied")

    done = outside.run("cancel", run, "--disable-triggers", "-o", "json")

    assert done.code in (0, 3), str(done)
    assert [one["run"] for one in done.document["outcomes"]] == [run]
    assert done.document["triggers"] == []
    assert f"{trigger} is not disabled: what it starts is unknown" in done.err
    assert f"runcancel disable {trigger} --confirm 1" in done.err
    assert outside.json("disable", trigger, "--confirm", "1")["outcomes"][0]["verdict"] == "disabled"
