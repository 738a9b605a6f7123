"""Nothing waits for what it does not need: one endpoint silent, reads denied, cancels that fail for a while."""

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from children import Child
from outside import COMMAND, KILLED, Outside, id_of

CANCELS = {"aws": "CancelCommand", "alibaba": "StopInvocation", "tencent": "CancelInvocation"}
READS = {"aws": "ListCommands", "alibaba": "DescribeInvocations", "tencent": "DescribeInvocations"}
SPEC = {"targets": {"running": 1, "pending": 1}, "runs_for": 1e6, "waits_for": 1e6}


def added(outside: Outside, provider: str) -> str:
    return outside.add(provider, "command" if provider == "aws" else "invocation", **SPEC)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes every connection and never says a word."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


@contextmanager
def running(outside: Outside, argv: Sequence[str], port: int) -> Iterator[Child]:
    """The command in the background, with AWS at the port."""
    child = outside.start(*argv, env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def test_a_silent_cloud_delays_no_cancel_of_another(outside: Outside) -> None:
    refs = [COMMAND, *(added(outside, one) for one in ("alibaba", "tencent"))]
    with silent_port() as port, running(outside, ("cancel", *refs, "-o", "jsonl"), port) as child:
        outside.wait_for("DescribeInvocations", times=2)
        for action in ("StopInvocation", "CancelInvocation"):
            outside.wait_for(action, seconds=3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=10)

    assert child.returncode == 130, err
    assert f'"{COMMAND}"' in out
    assert "skipped" in out


def test_a_bare_id_of_one_cloud_flows_too(outside: Outside) -> None:
    run = added(outside, "tencent")
    with silent_port() as port, running(outside, ("cancel", id_of(COMMAND), id_of(run)), port):
        outside.wait_for("CancelInvocation", seconds=10)


def test_what_is_silent_is_cancelled_unseen_and_says_so(outside: Outside) -> None:
    run = added(outside, "tencent")
    with silent_port() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "RUNCANCEL_AWS_READ_TIMEOUT": "1"}
        began = time.monotonic()
        done = outside.run(
            "cancel", COMMAND, run, "--lookup-timeout", "1s", "--timeout", "2s", "-o", "json", env=env, patience=90
        )

    verdicts = {one["run"]: one["verdict"] for one in done.document["outcomes"]}
    assert verdicts == {run: "stopped", COMMAND: "in-doubt"}, str(done)
    assert done.outcomes[COMMAND]["before"] == "unknown"
    assert done.code == 8
    assert time.monotonic() - began < 70


def test_a_silent_cloud_ends_a_wait_within_its_timeout(outside: Outside) -> None:
    with silent_port() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        began = time.monotonic()
        done = outside.run("wait", COMMAND, "--timeout", "2s", "-o", "json", env=env, patience=40)

    assert (done.code, done.document["complete"]) == (7, False), str(done)
    assert time.monotonic() - began < 15, "an answer is not waited for beyond the timeout"


def test_the_services_of_triggers_are_asked_side_by_side(outside: Outside) -> None:
    with silent_port() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        began = time.monotonic()
        done = outside.run("triggers", "-p", "aws", "--timeout", "4s", "-o", "json", env=env, patience=40)

    assert (done.code, done.document["complete"]) == (7, False), str(done)
    assert time.monotonic() - began < 14, "four services, each silent for 4 s"


@pytest.mark.parametrize("provider", CANCELS)
def test_a_run_whose_reads_are_denied_is_cancelled_unseen(outside: Outside, provider: str) -> None:
    run = added(outside, provider)
    outside.faults(f"{READS[provider]}=denied", "ListCommandInvocations=denied", "DescribeInvocationResults=denied")

    done = outside.run("cancel", run, "--timeout", "2s", "-o", "json")

    (outcome,) = done.document["outcomes"]
    assert (done.code, outcome["verdict"], outcome["before"]) == (8, "in-doubt", "unknown"), str(done)
    assert len(outside.effective(run)) == 1
    read = [action for action in outside.actions() if action == READS[provider]]
    assert len(read) <= 6, "what is denied is not waited for beyond --timeout"


@pytest.mark.parametrize("provider", CANCELS)
@pytest.mark.parametrize("fault", ["http-500*3", "throttle*6", "drop-before*2", "html-200*2", "drop-after*2"])
def test_a_cancel_is_tried_until_it_is_answered(outside: Outside, provider: str, fault: str) -> None:
    run = added(outside, provider)
    outside.faults(f"{CANCELS[provider]}={fault}")

    done = outside.run("cancel", run, "-o", "json")

    assert done.document["outcomes"][0]["verdict"] in ("stopped", "reported", "partial"), str(done)
    assert outside.states(run).get("running", 0) == 0 or provider == "alibaba"


@pytest.mark.parametrize("provider", CANCELS)
def test_a_throttled_cancel_is_given_up_in_its_time(outside: Outside, provider: str) -> None:
    run = added(outside, provider)
    outside.faults(f"{CANCELS[provider]}=throttle")

    done = outside.run("cancel", run, "--give-up-after", "3s", "-o", "json")

    assert (done.code, done.outcomes[run]["verdict"], done.outcomes[run]["error"]["code"]) == (1, "failed", "busy")
    assert outside.effective(run) == []


def test_a_frozen_plan_does_not_wait_for_a_silent_cloud(outside: Outside) -> None:
    run = added(outside, "tencent")
    with silent_port() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        done = outside.run(
            "cancel", COMMAND, run, "--max-targets", "50", "--lookup-timeout", "1s", "-o", "json", env=env
        )

    assert done.code == 6, str(done)
    assert COMMAND in done.err
    assert outside.writes() == []


def test_a_filter_does_not_wait_for_a_silent_cloud(outside: Outside) -> None:
    run = outside.add("tencent", name="bad-script", **SPEC)
    with silent_port() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        argv = ("cancel", "--name", "bad-script", "--yes", "--confirm", "1", "--lookup-timeout", "2s", "-o", "json")
        done = outside.run(*argv, env=env)

    assert (done.code, done.outcomes[run]["verdict"]) == (7, "stopped"), str(done)
    assert done.document["complete"] is False


def test_killed_while_it_reads_and_resumed(outside: Outside) -> None:
    runs = [added(outside, one) for one in ("alibaba", "tencent")]
    outside.faults("tencent:DescribeInvocations=hang")
    with running(outside, ("cancel", *map(id_of, runs), "-r", "cn-hangzhou,ap-guangzhou"), 9) as child:
        outside.wait_for("StopInvocation")
        child.kill()
    (operation,) = outside.json("history")["operations"]
    outcomes = outside.json("history", operation["id"])["outcomes"]
    assert {one["run"]: one["verdict"] for one in outcomes}[id_of(runs[1])] == "skipped"
    outside.faults()

    done = outside.run("cancel", "--resume", operation["id"], "-o", "json")

    assert {one["run"] for one in done.document["outcomes"]} == set(runs), str(done)
    assert done.outcomes[runs[1]]["verdict"] == "stopped"
    assert all(len(outside.effective(run)) == 1 for run in runs)
    assert sum(outside.json("history")["operations"][0]["counts"].values()) == 2


def test_a_wrong_run_beside_a_right_one_is_its_own_row(outside: Outside) -> None:
    run = added(outside, "tencent")
    done = outside.run("cancel", run, KILLED.replace("0002", "9999"), "-o", "json")

    verdicts = sorted(one["verdict"] for one in done.document["outcomes"])
    assert (done.code, verdicts) == (3, ["failed", "stopped"]), str(done)


def test_a_quarter_of_all_calls_fails_and_every_run_is_cancelled(outside: Outside) -> None:
    runs = [added(outside, provider) for provider in CANCELS for _ in range(5)]
    outside.faults("*=http-500,chance=0.13", "*=throttle,chance=0.13")

    done = outside.run("cancel", *runs, "--accept-reported", "-o", "json", patience=120)

    assert {one["verdict"] for one in done.document["outcomes"]} <= {"stopped", "reported", "partial"}, str(done)
    assert len(done.document["outcomes"]) == len(runs)


def test_throttled_runs_are_read_together_before_they_are_sent_again(outside: Outside) -> None:
    runs = [added(outside, "tencent") for _ in range(20)]
    outside.faults("CancelInvocation=throttle*20")

    done = outside.run("cancel", *runs, "-o", "json")

    assert {one["verdict"] for one in done.document["outcomes"]} == {"stopped"}, str(done)
    reads = [one for one in outside.requests() if one["action"] == "DescribeInvocations"]
    assert len(reads) <= 14, "before, between and after: not one for each of 20 refusals"


def test_what_was_not_read_in_time_is_not_read_before_what_was_accepted(outside: Outside) -> None:
    runs = [added(outside, "alibaba") for _ in range(40)]
    outside.faults("alibaba:DescribeInvocations=latency,ms=600")

    done = outside.run("cancel", *runs, "--max-runs", "40", "--lookup-timeout", "1s", "--accept-reported", "-o", "json")

    assert {one["verdict"] for one in done.document["outcomes"]} <= {"reported", "partial"}, str(done)
    reads = [one for one in outside.requests() if one["action"] == "DescribeInvocations"]
    assert len(reads) < 70, "one for each to see how it ended, and a few of the first second"


def test_what_does_not_answer_is_said_at_once_with_how_long_it_is_tried(outside: Outside) -> None:
    began = time.monotonic()
    argv = ("cancel", "tencent:ap-guangzou:invocation/inv-ib2lld37", "--give-up-after", "3s")
    env = {"RUNCANCEL_TENCENT_ENDPOINT_URL": "https://tat.ap-guangzou.invalid"}
    with outside.start(*argv, env=env, stdout=subprocess.DEVNULL) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        told = time.monotonic() - began
        child.stderr.read()

    assert "there is no host tat.ap-guangzou.invalid" in first
    assert "tried again for 3.0s (--give-up-after)" in first
    assert told < 6
    assert child.returncode == 1
    assert time.monotonic() - began < 25


def test_what_is_not_there_leaves_nothing_to_go_on_with(outside: Outside) -> None:
    done = outside.run("cancel", "tencent:ap-guangzhou:invocation/inv-notthere")

    assert done.code == 5, str(done)
    assert "--resume" not in done.err


def test_a_run_that_its_cloud_shows_and_does_not_know_is_sent_again(outside: Outside) -> None:
    run = added(outside, "tencent")
    outside.faults("CancelInvocation=error*2,code=ResourceNotFound")

    done = outside.run("cancel", run, "-o", "json")

    assert (done.code, done.outcomes[run]["verdict"]) == (0, "stopped"), str(done)
    assert len(outside.writes()) == 3


def test_silence_is_not_the_only_thing_that_ends_in_time(outside: Outside) -> None:
    """One call after the other hangs in the only scope: the runs of it are left as a whole."""
    runs = [added(outside, "tencent") for _ in range(6)]
    outside.faults("CancelInvocation=hang")
    began = time.monotonic()

    done = outside.run("cancel", *runs, "--timeout", "3s", "-o", "json", patience=100)

    verdicts = [one["verdict"] for one in done.document["outcomes"]]
    assert time.monotonic() - began < 60
    assert len(verdicts) == 6
    assert set(verdicts) <= {"in-doubt", "failed"}, str(done)
    assert done.code in (3, 8), str(done)


def test_a_frozen_plan_takes_along_what_was_named_and_could_not_be_read(outside: Outside) -> None:
    runs = [added(outside, "tencent"), added(outside, "alibaba")]
    outside.faults("alibaba:DescribeInvocations=denied", "alibaba:DescribeInvocationResults=denied")

    done = outside.run("cancel", *runs, "--confirm", "2", "--timeout", "2s", "-o", "json")

    verdicts = [done.outcomes[run]["verdict"] for run in runs]
    assert (done.code, verdicts) == (8, ["stopped", "in-doubt"]), str(done)
    assert all(len(outside.effective(run)) == 1 for run in runs)
