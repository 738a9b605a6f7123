"""`runcancel cancel` by filter, from a list, from a plan: what is selected, who is asked, what is refused."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from outside import COMMAND, KILLED, ONE_SHOT, TENCENT, WINDOW, Outside


def two(outside: Outside) -> tuple[str, str]:
    """Two runs of one name in one account."""
    spec = {"name": "bad-patch", "targets": {"running": 2, "pending": 1}}
    return outside.add("tencent", **spec), outside.add("tencent", region="ap-shanghai", **spec)


FILTER = ("cancel", "-p", "tencent", "-r", "ap-guangzhou,ap-shanghai", "--name", "bad-patch")


def test_a_filter_with_yes_stops_what_it_found_and_nothing_else(outside: Outside) -> None:
    refs = two(outside)

    done = outside.run(*FILTER, "--yes", "-o", "json")

    assert done.code == 0, str(done)
    assert {ref: outcome["verdict"] for ref, outcome in done.outcomes.items()} == dict.fromkeys(refs, "stopped")
    assert [outside.states(ref) for ref in refs] == [{"cancelled": 1, "terminated": 2}] * 2
    assert len(outside.writes()) == 2


@pytest.mark.parametrize("flags", [(), ("--no-input",)])
def test_without_a_terminal_nobody_is_asked_and_nothing_is_sent(outside: Outside, flags: tuple[str, ...]) -> None:
    two(outside)

    done = outside.run(*FILTER, *flags)

    assert done.code == 6
    assert "add --yes" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 6), ("\n", 6), ("\x04", 6)])
def test_a_person_is_asked_and_only_yes_is_yes(outside: Outside, answer: str, code: int) -> None:
    two(outside)

    shown = outside.on_terminal(*FILTER, answer=answer)

    assert shown.code == code, shown.final
    assert len(outside.writes()) == (2 if code == 0 else 0)


def test_an_interrupt_at_the_question_is_130(outside: Outside) -> None:
    two(outside)

    shown = outside.on_terminal(*FILTER, answer="\x03")

    assert shown.code == 130, shown.final
    assert outside.writes() == []


def test_several_clouds_need_the_number(outside: Outside) -> None:
    filters = ("cancel", "--name", "patch-openssl")
    found = [run["ref"] for run in outside.json("list", "--name", "patch-openssl")["runs"]]
    assert {ref.partition(":")[0] for ref in found} == {"alibaba", "tencent"}

    assert outside.run(*filters, "--yes").code == 6
    assert outside.run(*filters, "--confirm", "999").code == 6
    assert outside.writes() == []
    done = outside.run(*filters, "--confirm", str(len(found)), "-o", "json")
    assert done.code == 3
    assert {ref.partition(":")[0] for ref in done.outcomes} == {"alibaba", "tencent"}


def test_caps_are_no_question(outside: Outside) -> None:
    two(outside)

    for cap in (("--max-runs", "1"), ("--max-targets", "5")):
        done = outside.run(*FILTER, "--yes", *cap)
        assert done.code == 6
        assert f"use {cap[0]}" in done.err
    assert outside.run("cancel", TENCENT, "--max-targets", "11").code == 6
    assert outside.writes() == []


def test_a_guarantee_that_is_required_refuses_everything_below(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, ONE_SHOT, "--require-guarantee", "best-effort")

    assert done.code == 6
    assert outside.writes() == []
    assert outside.run("cancel", TENCENT, "--require-guarantee", "stops-running").code == 0


def test_nothing_matches(outside: Outside) -> None:
    assert outside.run("cancel", "-p", "tencent", "--name", "nobody").code == 0
    assert outside.run("cancel", "-p", "tencent", "--name", "nobody", "--require-match").code == 5


def test_a_scope_that_does_not_answer_does_not_hold_up_the_others(outside: Outside) -> None:
    two(outside)
    outside.faults("tencent:DescribeInvocations=denied,region=ap-shanghai")

    done = outside.run(*FILTER, "--yes", "-o", "json")

    assert done.code == 7, str(done)
    assert [outcome["verdict"] for outcome in done.document["outcomes"]] == ["stopped"]
    assert done.document["complete"] is False


@pytest.mark.parametrize(
    "argv",
    [
        ("cancel",),
        ("cancel", TENCENT, "--name", "x"),
        ("cancel", TENCENT, "--from", "-"),
        ("cancel", "--name", ""),
        ("cancel", "--name", "--yes"),
        ("cancel", "--from", "nowhere.txt"),
        ("cancel", "--plan", "nowhere.json"),
        ("cancel", "--name", "x", "--name", "y"),
    ],
)
def test_what_is_no_selection_is_refused(outside: Outside, argv: tuple[str, ...]) -> None:
    done = outside.run(*argv)

    assert done.code == 2, str(done)
    assert outside.requests() == []


def test_a_list_is_cancelled_from_stdin_with_the_number(outside: Outside) -> None:
    two(outside)
    listed = outside.run("list", *FILTER[1:], "-o", "jsonl").out

    assert outside.run("cancel", "--from", "-", stdin=listed).code == 6
    done = outside.run("cancel", "--from", "-", "--confirm", "2", "-o", "json", stdin=listed)
    assert done.code == 0, str(done)


def test_a_list_that_was_cut_off_is_refused(outside: Outside) -> None:
    two(outside)
    listed = outside.run("list", *FILTER[1:], "-o", "jsonl").out
    cut = "".join(line for line in listed.splitlines(keepends=True) if '"type":"end"' not in line)

    done = outside.run("cancel", "-f", "-", "--yes", stdin=cut)

    assert done.code == 2
    assert "--allow-incomplete" in done.err
    assert outside.writes() == []
    assert outside.run("cancel", "-f", "-", "--yes", "--allow-incomplete", stdin=cut).code == 0


@pytest.mark.parametrize("format", ["ref", "tsv"])
def test_plain_lists_will_do(outside: Outside, format: str, tmp_path: Path) -> None:
    two(outside)
    file = tmp_path / "list"
    file.write_text("# these\n\n" + outside.run("list", *FILTER[1:], "-o", format).out)

    assert outside.run("cancel", "--from", str(file), "--yes").code == 0


def test_one_bad_line_refuses_all_and_is_named(outside: Outside) -> None:
    done = outside.run("cancel", "--from", "-", "--yes", stdin=f"{TENCENT}\nnonsense\n")

    assert done.code == 2
    assert "line 2" in done.err
    assert outside.requests() == []


def test_a_target_restricts_the_cancel_and_selects_the_runs(outside: Outside) -> None:
    target = outside.targets(TENCENT, "running")[0]

    done = outside.run("cancel", "-p", "tencent", "--target", target, "--yes", "-o", "json")

    assert TENCENT in done.outcomes, str(done)
    assert [one["target"] for one in done.outcomes[TENCENT]["invocations"]] == [target]
    assert outside.states(TENCENT) == {"pending": 3, "running": 8, "terminated": 1}


PARTS = {"aws": ("command", "CancelCommand"), "tencent": ("invocation", "CancelInvocation")}
PARTS |= {"alibaba": ("invocation", "StopInvocation")}


@pytest.mark.parametrize("cloud", PARTS)
def test_a_run_is_cancelled_while_one_of_its_targets_is_being_stopped(cloud: str, tmp_path: Path) -> None:
    kind, action = PARTS[cloud]
    with Outside(tmp_path / "home", fleet=False, speed=0) as outside:
        run = outside.add(cloud, kind, targets={"pending": 3}, settle=30)
        first = outside.targets(run)[0]
        assert outside.run("cancel", run, "--target", first, "--no-wait").code == 0
        assert outside.json("status", run)["runs"][0]["state"] == "cancelling"

        part = outside.run("cancel", run, "--target", first, "--no-wait")
        whole = outside.run("cancel", run, "--no-wait", "-o", "json")
        again = outside.run("cancel", run, "--no-wait")

        assert outside.states(run) == {"cancelling": 3}, str(whole)
        assert len(outside.effective(run)) == 2
        assert [each["action"] for each in outside.writes()] == [action] * 2
        assert whole.outcomes[run]["verdict"] == "requested"
    for done in (part, again):
        assert "not sent: it is already being cancelled" in done.err, str(done)


GONE = {
    "aws": "error,code=InvalidInstanceId,status=400",
    "tencent": "error,code=InvalidParameterValue.InvalidInstanceId",
    "alibaba": "error,code=InvalidInstanceId.NotFound,status=404",
}


@pytest.mark.parametrize("cloud", PARTS)
def test_one_target_that_the_cloud_refuses_does_not_keep_the_others_running(cloud: str, outside: Outside) -> None:
    kind, action = PARTS[cloud]
    run = outside.add(cloud, kind, targets={"pending": 220, "succeeded": 1, "running": 1}, settle=0)
    ended, running, pending = (outside.targets(run, word) for word in ("succeeded", "running", "pending"))
    targets = [*ended, *pending]
    gone = pending[130]
    outside.faults(f"{action}@{gone}={GONE[cloud]}", f"{action}@{ended[0]}={GONE[cloud]}")

    named = [word for target in targets for word in ("--target", target)]
    done = outside.run("cancel", run, *named, "--timeout", "1s", "-o", "json")

    assert done.code == 3, str(done)
    assert sorted(outside.targets(run, "pending", "running")) == sorted([*running, gone])
    outcome = done.outcomes[run]
    effects = {one["target"]: one["effect"] for one in outcome["invocations"]}
    assert effects == {**dict.fromkeys(pending, "cancelled"), ended[0]: "already-ended", gone: "unknown"}
    assert (outcome["verdict"], outcome["error"]["provider_code"]) == (
        "partial",
        GONE[cloud].split("=")[1].split(",")[0],
    )
    assert gone in outcome["error"]["message"]
    assert len(outside.writes()) < 24
    assert not any(ended[0] in str(one["params"]) for one in outside.writes())


@pytest.mark.parametrize("cloud", PARTS)
def test_the_only_target_that_the_cloud_refuses_is_refused_once(cloud: str, outside: Outside) -> None:
    kind, action = PARTS[cloud]
    run = outside.add(cloud, kind, targets={"pending": 2})
    gone = outside.targets(run)[0]
    outside.faults(f"{action}@{gone}={GONE[cloud]}")

    done = outside.run("cancel", run, "--target", gone, "-o", "json")

    assert (done.code, done.outcomes[run]["verdict"]) == (5 if cloud == "alibaba" else 1, "failed"), str(done)
    assert len(outside.writes()) == 1


def test_a_target_that_is_nowhere_sends_nothing(outside: Outside) -> None:
    assert outside.run("cancel", "-p", "tencent", "--target", "ins-nowhere", "--yes").code == 5
    assert outside.run("cancel", TENCENT, "--target", "ins-nowhere").code == 5
    assert outside.run("cancel", WINDOW, "--target", outside.targets(COMMAND)[0]).code == 2
    assert outside.writes() == []


def plan(outside: Outside, *argv: str) -> dict[str, object]:
    document: dict[str, object] = outside.json("cancel", *argv, "--dry-run")
    assert outside.writes() == []
    return document


def test_a_plan_is_carried_out_as_it_was_made(outside: Outside, tmp_path: Path) -> None:
    refs = two(outside)
    saved = tmp_path / "plan.json"
    saved.write_text(json.dumps(plan(outside, *FILTER[1:])))
    later = outside.add("tencent", name="bad-patch", targets={"running": 1})

    done = outside.run("cancel", "--plan", str(saved), "--yes", "-o", "json")

    assert done.code == 0, str(done)
    assert set(done.outcomes) == set(refs)
    assert outside.states(later) == {"running": 1}


def test_a_plan_tells_what_ended_meanwhile(outside: Outside, tmp_path: Path) -> None:
    first, second = two(outside)
    saved = tmp_path / "plan.json"
    saved.write_text(json.dumps(plan(outside, *FILTER[1:])))
    outside.run("cancel", first)
    before = len(outside.writes())

    done = outside.run("cancel", "--plan", str(saved), "--yes", "-o", "json")

    assert done.code == 0, str(done)
    assert {ref: outcome["verdict"] for ref, outcome in done.outcomes.items()} == {first: "ended", second: "stopped"}
    assert len(outside.writes()) == before + 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format_version": "2.0"}, 6),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 6),
        ({"expires_at": None}, 6),
        ({"identities": [{"scope": "tencent:ap-guangzhou", "account": "1", "principal": "somebody else"}]}, 6),
        ({"plan": "no list"}, 2),
        ({"plan": [{"run": 7}]}, 2),
    ],
)
def test_a_plan_that_does_not_hold_is_refused(
    outside: Outside, tmp_path: Path, change: dict[str, object], code: int
) -> None:
    saved = tmp_path / "plan.json"
    saved.write_text(json.dumps(plan(outside, TENCENT) | change))

    done = outside.run("cancel", "--plan", str(saved), "--yes")

    assert done.code == code, str(done)
    assert outside.writes() == []


def test_a_protected_context_needs_its_name_even_for_a_named_run(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[contexts.prod]\nprovider = "tencent"\nprotected = true\n')

    # The bare environment is the same place: protection goes by where it leads, not by the name used.
    assert outside.run("cancel", TENCENT).code == 6
    assert outside.run("cancel", TENCENT, "--yes").code == 6
    assert outside.run("cancel", f"prod@{TENCENT}", "--confirm", "staging").code == 6
    assert outside.writes() == []
    assert outside.run("cancel", f"prod@{TENCENT}", "--confirm", "prod").code == 0


def test_the_configuration_may_lower_the_caps_and_no_flag_raises_them(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[caps]\nmax_targets = 5\n")

    assert outside.run("cancel", TENCENT, "--max-targets", "100").code == 6
    assert outside.writes() == []


def test_consent_and_selection_never_come_from_variables(outside: Outside) -> None:
    two(outside)
    env = {"RUNCANCEL_YES": "1", "RUNCANCEL_CONFIRM": "2", "RUNCANCEL_MAX_RUNS": "99", "RUNCANCEL_NAME": "bad-patch"}

    assert outside.run(*FILTER, env=env).code == 6
    assert outside.run("cancel", env=env).code == 2
    assert outside.writes() == []


def test_the_caller_is_named_before_the_question(outside: Outside) -> None:
    two(outside)

    done = outside.run(*FILTER, "--yes")

    assert "As qcs::cam::uin/100000000001" in done.err
    assert KILLED not in done.err


def test_protection_goes_by_where_it_leads(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    text = '[contexts.prod]\nprovider = "aws"\nprofile = "prod"\nregions = ["all"]\nprotected = true\n'
    text += '[contexts.alias]\nprovider = "aws"\nprofile = "prod"\n'
    (folder / "config.toml").write_text(text)
    pair = {name: outside.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    (outside.home / ".aws").mkdir()
    lines = [f"{name.lower()} = {value}" for name, value in pair.items()]
    (outside.home / ".aws" / "credentials").write_text("\n".join(["[prod]", *lines, ""]))
    ambient = {**dict.fromkeys(pair), "AWS_PROFILE": "prod"}

    assert outside.run("cancel", COMMAND, env=ambient).code == 6
    assert outside.run("cancel", COMMAND, "--profile", "prod").code == 6
    assert outside.run("cancel", f"prod@{COMMAND}").code == 6
    assert outside.run("cancel", f"alias@{COMMAND}").code == 6
    assert outside.writes() == []


def test_a_cloud_that_hangs_holds_up_no_verdict_of_another(outside: Outside) -> None:
    """The one that hangs is asked first and has twenty seconds to answer; the other is seen stopped meanwhile."""
    outside.faults("StopInvocation=hang")
    argv = ("cancel", KILLED, TENCENT, "-o", "jsonl")
    with outside.start(*argv, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        first = next(line for line in map(json.loads, child.stdout) if line["type"] == "outcome")
        child.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in child.stdout]

    assert (first["run"], first["verdict"]) == (TENCENT, "stopped")
    assert child.returncode == 130
    (left,) = (line for line in rest if line["type"] == "outcome")
    assert left["run"] == KILLED
    assert "while the cancel was in flight" in left["error"]["message"]  # it had no answer when the other was judged


def test_what_is_on_its_way_is_not_said_to_be_stopped(outside: Outside) -> None:
    outside.faults("CancelInvocation=stubborn")
    outside.run("cancel", TENCENT, "--no-wait")

    done = outside.run("cancel", TENCENT, "--confirm", "3", "--timeout", "1")

    assert done.code == 8, str(done)
    assert "left to stop" not in done.err
    assert len(outside.writes()) == 1
