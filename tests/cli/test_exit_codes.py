"""Every exit code, produced by the installed command."""

import signal
import subprocess
import sys

import pytest
import yaml
from outside import (
    AUTOMATION,
    COMMAND,
    ENDED,
    KILLED,
    NOBODY,
    ONE_SHOT,
    SIGNALS,
    TENCENT,
    WINDOW,
    Done,
    Outside,
)

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
CANCELS = {"aws": "CancelCommand", "alibaba": "StopInvocation", "tencent": "CancelInvocation"}
ACTIONS = {"aws": "ssm:CancelCommand", "alibaba": "ecs:StopInvocation", "tencent": "tat:CancelInvocation"}
KEYS = {
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "alibaba": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    "tencent": ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
}
every_cloud = pytest.mark.parametrize("cloud", RUNS)


def codes(done: Done) -> list[str]:
    """The codes of the errors in a document."""
    return [error["code"] for error in done.document["errors"]]


# 0


def test_0_seen_stopped(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "-o", "json")

    assert done.code == 0
    assert done.outcomes[TENCENT]["verdict"] == "stopped"
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}


def test_0_over_before(outside: Outside) -> None:
    done = outside.run("cancel", *ENDED, "-o", "json")

    assert done.code == 0
    assert {ref: told["verdict"] for ref, told in done.outcomes.items()} == dict.fromkeys(ENDED, "ended")
    assert not outside.writes()


def test_0_a_plan_was_made(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, WINDOW, "--dry-run", "-o", "json")

    assert done.code == 0
    assert not outside.writes()


def test_0_accepted_and_nobody_waits(outside: Outside) -> None:
    outside.faults("CancelInvocation=stubborn")

    done = outside.run("cancel", TENCENT, "--no-wait", "-o", "json")

    assert done.code == 0
    assert done.outcomes[TENCENT]["verdict"] == "requested"


def test_0_status_of_whatever_state(outside: Outside) -> None:
    assert outside.run("status", *ENDED, TENCENT).code == 0


# 1


@every_cloud
def test_1_refused_for_a_reason_without_a_code_of_its_own(cloud: str, outside: Outside) -> None:
    status = 200 if cloud == "tencent" else 400
    outside.faults(f"{CANCELS[cloud]}=error,code=InvalidParameter,status={status},effect=false")

    done = outside.run("cancel", RUNS[cloud], "-o", "json")

    assert done.code == 1, str(done)
    assert done.outcomes[RUNS[cloud]]["verdict"] == "failed"
    assert codes(done) == ["invalid"]


# 2

WRONG = {
    "no reference": ("status",),
    "not a reference": ("status", "what-is-this"),
    "an empty reference": ("cancel", ""),
    "a maintenance window instead of its execution": ("cancel", "mw-0c50858d01c0ffee0"),
    "an unknown provider": ("cancel", "azure:eastus:invocation/inv-ib2lld37"),
    "an unknown kind": ("cancel", "aws:us-east-2:window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"),
    "a kind of another provider": ("cancel", "tencent:ap-guangzhou:command/inv-ib2lld37"),
    "one malformed among good ones": ("cancel", TENCENT, "inv-?"),
    "a reference that begins with a dash": ("cancel", "--", "-inv-ib2lld37"),
    "an unknown option": ("cancel", TENCENT, "--force"),
    "an option that only looks right": ("status", TENCENT, "--watching"),
    "an unknown verb": ("canel", TENCENT),
    "an option twice": ("cancel", TENCENT, "--timeout", "1", "--timeout", "2"),
    "a journal that is required and not written": ("cancel", TENCENT, "--require-journal", "--no-journal"),
    "no journal, and a required one": ("disable", "mw-0c50858d01c0ffee0", "--no-journal", "--require-journal"),
    "to wait and not to wait": ("cancel", TENCENT, "--no-wait", "--wait"),
    "a short and a long form of one option": ("status", TENCENT, "-o", "tsv", "--output", "tsv"),
    "an empty region": ("status", TENCENT, "-r", ""),
    "an empty target": ("cancel", TENCENT, "--target", ""),
    "an empty profile": ("status", TENCENT, "--profile", ""),
    "an empty name": ("cancel", "--name", ""),
    "a region that begins with a dash": ("status", TENCENT, "-r", "--no-input"),
    "a target that begins with a dash": ("cancel", TENCENT, "--target", "-x"),
    "a task that begins with a dash": ("invocations", TENCENT, "--task", "-n"),
    "a region that excludes the reference": ("cancel", TENCENT, "-r", "ap-shanghai"),
    "a provider that excludes the reference": ("cancel", TENCENT, "-p", "aws"),
    "a region of nobody": ("status", "inv-ib2lld37", "-r", "xx-nowhere-9"),
    "a timeout that is none": ("cancel", TENCENT, "--timeout", "soon"),
    "an unknown state": ("invocations", TENCENT, "--status", "runing"),
    "an unknown format": ("status", TENCENT, "-o", "xml"),
    "an unknown colour": ("status", TENCENT, "--color", "sometimes"),
    "references and filters": ("cancel", TENCENT, "--name", "patch-openssl"),
    "a negative limit": ("invocations", TENCENT, "--limit", "-1"),
    "an option without its value": ("cancel", TENCENT, "--target"),
}


@pytest.mark.parametrize("argv", WRONG.values(), ids=WRONG)
def test_2_wrong_usage_is_said_in_one_line_and_nothing_is_asked(argv: tuple[str, ...], outside: Outside) -> None:
    done = outside.run(*argv)

    assert done.code == 2, str(done)
    assert done.out == ""
    message, *hint = done.err.splitlines()
    assert message.startswith("runcancel: ")
    assert len(hint) <= 1, str(done)
    assert "Traceback" not in done.err
    assert outside.requests() == []


def test_2_a_window_is_not_cancelled_in_part(outside: Outside) -> None:
    done = outside.run("cancel", WINDOW, "--target", outside.targets(WINDOW)[0])

    assert done.code == 2, str(done)
    assert done.out == ""
    assert not outside.writes()


def test_2_a_part_that_cannot_be_is_refused_before_its_neighbour_is_asked(outside: Outside) -> None:
    (target, *_) = outside.targets(TENCENT)

    done = outside.run("cancel", TENCENT, AUTOMATION, "--target", target)

    assert done.code == 2, str(done)
    assert not outside.writes()


# 3


def test_3_what_runs_keeps_running_and_is_said_to_once_it_is_certain(outside: Outside) -> None:
    done = outside.run("cancel", ONE_SHOT, WINDOW, "-o", "json")

    assert done.code == 3
    for told in done.outcomes.values():
        assert told["verdict"] == "partial"
        assert 3.0 <= told["seconds"] < 8.0
    assert outside.states(WINDOW) == {"succeeded": 5, "running": 3, "cancelled": 17}
    assert outside.states(ONE_SHOT) == {"running": 9, "cancelled": 31}
    kept = [one for one in done.outcomes[WINDOW]["invocations"] if one["effect"] == "kept-running"]
    assert len(kept) == 3
    assert f"runcancel cancel {WINDOW} --stop-running" in done.err  # the way to the rest is printed


def test_3_denied_beside_stopped(outside: Outside) -> None:
    outside.faults("StopInvocation=denied")

    done = outside.run("cancel", TENCENT, KILLED, "-o", "json")

    assert done.code == 3
    assert {ref: one["verdict"] for ref, one in done.outcomes.items()} == {TENCENT: "stopped", KILLED: "failed"}
    assert codes(done) == ["denied"]


def test_3_not_found_beside_stopped(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, NOBODY, "-o", "json")

    assert done.code == 3
    assert done.outcomes[TENCENT]["verdict"] == "stopped"
    assert codes(done) == ["not_found"]


# 4


@every_cloud
def test_4_no_credentials_names_where_they_were_looked_for(cloud: str, outside: Outside) -> None:
    done = outside.run("cancel", RUNS[cloud], "-o", "json", env=dict.fromkeys(KEYS[cloud]))

    assert done.code == 4, str(done)
    assert codes(done) == ["no_credentials"]
    assert KEYS[cloud][0] in done.err
    assert "rofile" in done.err or "config.json" in done.err
    assert outside.requests() == []


@every_cloud
def test_4_a_wrong_secret_is_said_with_the_vendors_code(cloud: str, outside: Outside) -> None:
    done = outside.run("cancel", RUNS[cloud], "-o", "json", env={KEYS[cloud][1]: "canary-secret"})

    assert done.code == 4, str(done)
    assert codes(done) == ["bad_credentials"]
    assert done.document["errors"][0]["provider_code"]
    assert KEYS[cloud][0] in done.err, str(done)
    assert "canary" not in done.out + done.err


@every_cloud
def test_4_expired(cloud: str, outside: Outside) -> None:
    done = outside.run("cancel", RUNS[cloud], "-o", "json", env=outside.box.environment(sort="expired"))

    assert done.code == 4, str(done)
    assert codes(done) == ["expired_credentials"]


@every_cloud
def test_4_denied_names_the_action(cloud: str, outside: Outside) -> None:
    outside.faults(f"{CANCELS[cloud]}=denied")

    done = outside.run("cancel", RUNS[cloud], "-o", "json")

    assert done.code == 4, str(done)
    assert codes(done) == ["denied"]
    assert ACTIONS[cloud] in done.document["errors"][0]["message"]
    assert ACTIONS[cloud] in done.err
    assert done.document["errors"][0]["request_id"]
    assert not outside.effective(RUNS[cloud])


def test_4_a_uuid_that_may_not_be_looked_for_everywhere(outside: Outside) -> None:
    outside.faults("GetAutomationExecution=denied")

    done = outside.run("cancel", "00000000-0000-4000-8000-000000000000", "-o", "json")

    assert done.code == 4, str(done)
    assert "could not check" in done.err
    assert "kind" in done.err
    assert not outside.writes()


@pytest.mark.parametrize(
    "argv",
    [("list",), ("cancel", "--name", "nothing", "-n"), ("cancel", "--name", "nothing", "--yes", "--require-match")],
)
@pytest.mark.parametrize("fault", ["denied", "expired"])
def test_4_every_scope_refuses_the_credentials(argv: tuple[str, ...], fault: str, outside: Outside) -> None:
    outside.faults(f"aws:*={fault}", f"alibaba:*={fault}", f"tencent:*={fault}")

    done = outside.run(*argv, "-o", "json")

    assert done.code == 4, str(done)
    assert done.document["complete"] is False


@pytest.mark.parametrize("argv", [("list", "--name", "nothing"), ("cancel", "--name", "nothing", "--require-match")])
def test_7_one_scope_answered_and_the_others_refuse(argv: tuple[str, ...], outside: Outside) -> None:
    outside.faults("aws:*=denied", "alibaba:*=denied")

    assert outside.run(*argv, "-o", "json").code == 7


# 5


@pytest.mark.parametrize("verb", ["status", "invocations", "cancel"])
def test_5_not_found(verb: str, outside: Outside) -> None:
    done = outside.run(verb, NOBODY, "-o", "json")

    assert done.code == 5
    assert codes(done) == ["not_found"]
    assert not outside.writes()


def test_5_found_beside_not_found_in_status(outside: Outside) -> None:
    done = outside.run("status", TENCENT, NOBODY, "-o", "json")

    assert done.code == 5
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    assert codes(done) == ["not_found"]
    assert done.document["complete"] is False


def test_5_a_target_that_is_not_in_the_run(outside: Outside) -> None:
    inside = outside.targets(TENCENT)[0]

    done = outside.run("cancel", TENCENT, "--target", inside, "--target", "ins-nobody00", "-o", "json")

    assert done.code == 5, str(done)
    assert not outside.writes()


# 6


def test_6_a_filter_without_consent(outside: Outside) -> None:
    done = outside.run("cancel", "--name", "patch-openssl", "-o", "json")

    assert done.code == 6, str(done)
    assert codes(done) == ["refused"]
    assert not outside.writes()


def test_6_no_is_no(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", "--name", "patch-openssl", "-p", "tencent", answer="n\n")

    assert shown.code == 6, shown.final
    assert not outside.writes()


# 7


def test_7_clouds_that_do_not_answer(outside: Outside) -> None:
    outside.faults("aws:*=http-503", "alibaba:*=http-503")

    done = outside.run("status", *RUNS.values(), "-o", "json", "--timeout", "2s")

    assert done.code == 7, str(done)
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    assert codes(done) == ["down", "down"]
    assert done.document["complete"] is False


# 8


@every_cloud
def test_8_accepted_but_not_seen_stopped(cloud: str, outside: Outside) -> None:
    outside.faults(f"{CANCELS[cloud]}=stubborn")

    done = outside.run("cancel", RUNS[cloud], "--timeout", "600ms", "-o", "json")

    assert done.code == 8, str(done)
    told = done.outcomes[RUNS[cloud]]
    assert told["verdict"] == "requested"
    assert told["request_ids"]
    assert {one["effect"] for one in told["invocations"]} <= {"stopping", "already-ended"}


def test_8_a_timeout_of_zero_looks_once(outside: Outside) -> None:
    outside.faults("CancelInvocation=stubborn")

    done = outside.run("cancel", TENCENT, "--timeout", "0", "-o", "json")

    assert done.code == 8
    assert outside.actions() == ["DescribeInvocations", "CancelInvocation", "DescribeInvocations"]


def test_8_a_stop_that_only_the_cloud_reports(outside: Outside) -> None:
    first = outside.run("cancel", KILLED, "-o", "json")
    second = outside.run("cancel", KILLED, "-o", "json")
    waited = outside.run("wait", KILLED, "--for", "stopped", "-o", "json")

    assert [first.code, second.code, waited.code] == [8, 8, 8], str(first)
    assert [one.outcomes[KILLED]["verdict"] for one in (first, second)] == ["reported", "reported"]
    assert codes(waited) == ["unconfirmed"]
    assert waited.document["complete"] is True
    assert len(outside.writes()) == 1
    assert "--accept-reported" in first.err
    assert outside.run("cancel", KILLED, "--accept-reported").code == 0
    assert outside.run("wait", KILLED, "--for", "stopped", "--accept-reported").code == 0
    assert outside.run("wait", KILLED, "--for", "stopped,ended").code == 0
    assert outside.run("cancel", KILLED, NOBODY).code == 3


@pytest.mark.parametrize("fault", ["http-500", "drop-after"])
def test_8_nothing_shows_what_became_of_it(fault: str, outside: Outside) -> None:
    outside.faults(f"CancelInvocation={fault}", "CancelInvocation=stubborn", "DescribeInvocations=http-503,after=1")

    done = outside.run("cancel", TENCENT, "--timeout", "1s", "-o", "json")

    assert done.code == 8, str(done)
    assert done.outcomes[TENCENT]["verdict"] == "in-doubt"
    history = outside.json("history", done.document["operation"])
    assert history["outcomes"][0]["verdict"] == "in-doubt"
    assert "--resume" in done.err


# 9


def test_9_the_run_itself_ended_badly(outside: Outside) -> None:
    bad = outside.add("tencent", targets={"succeeded": 2, "failed": 1}, age=600)

    assert outside.run("status", bad).code == 0
    assert outside.run("status", bad, "--exit-status").code == 9
    assert outside.run("status", ENDED[4], TENCENT, "--exit-status").code == 0


# 129, 130, 143

PASSES = {
    "look": ("DescribeInvocations=hang", "DescribeInvocations", 1),
    "ask": ("CancelInvocation=hang", "CancelInvocation", 1),
    "watch": ("DescribeInvocations=hang,after=1", "DescribeInvocations", 2),
}


@pytest.mark.parametrize("signum", SIGNALS, ids=lambda signum: signal.Signals(signum).name)
@pytest.mark.parametrize("phase", PASSES)
def test_a_signal_ends_every_pass_at_once(phase: str, signum: int, outside: Outside) -> None:
    fault, action, times = PASSES[phase]
    outside.faults(fault)

    done, took = outside.interrupted(signum, "cancel", TENCENT, "-o", "json", until=action, times=times)

    assert done.code == SIGNALS[signal.Signals(signum)], str(done)
    assert took < 1.0
    assert done.document["complete"] is False
    assert "Traceback" not in done.err


@pytest.mark.parametrize("format", ["json", "jsonl", "yaml"])
def test_a_signal_while_it_asks_leaves_nobody_out(format: str, outside: Outside) -> None:
    outside.faults("CancelInvocation=hang")

    done, _ = outside.interrupted(signal.SIGINT, "cancel", TENCENT, ENDED[4], "-o", format, until="CancelInvocation")

    lines = done.lines if format == "jsonl" else yaml.safe_load(done.out)["outcomes"]
    told = [one for one in lines if one.get("type", "outcome") == "outcome"]
    verdicts = {one["run"]: one["verdict"] for one in told}
    assert verdicts[ENDED[4]] == "ended"
    assert verdicts[TENCENT] != "stopped"
    assert "1 uncertain" in done.err
    assert "cancels already sent continue" in done.err


def test_a_signal_while_it_watches_does_not_take_back_what_was_asked(outside: Outside) -> None:
    outside.faults("CancelInvocation=stubborn")

    done, _ = outside.interrupted(signal.SIGINT, "cancel", TENCENT, "-o", "json", until="DescribeInvocations", times=3)

    assert done.outcomes[TENCENT]["verdict"] == "requested"
    assert done.outcomes[TENCENT]["request_ids"]
    assert outside.actions().count("CancelInvocation") == 1


def test_a_signal_ends_a_watched_status(outside: Outside) -> None:
    done, took = outside.interrupted(
        signal.SIGINT, "status", TENCENT, "--watch", "-o", "json", until="DescribeInvocations", times=2
    )

    assert done.code == 130
    assert took < 1.0
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    assert done.document["complete"] is False


def test_a_second_signal_leaves_at_once(outside: Outside) -> None:
    outside.faults("DescribeInvocations=hang")

    done, took = outside.interrupted(signal.SIGINT, "status", TENCENT, until="DescribeInvocations", repeat=True)

    assert done.code == 130
    assert took < 0.3


_INTERRUPTED_AT_START = """
import os, signal, sys
class Trap:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Trap())
from runcancel.cli import main
main()
"""


def test_130_an_interrupt_while_the_program_is_being_loaded_is_no_traceback(outside: Outside) -> None:
    """Nobody can be told anything yet: it ends at once, as any program does."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_AT_START, "status", TENCENT],
        env=outside.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    assert not outside.requests()
