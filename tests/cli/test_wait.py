"""`runcancel wait` and `status --watch`."""

import re
import signal
import time

import pytest
from outside import COMMAND, ENDED, NOBODY, ONE_SHOT, TENCENT, Outside


def test_it_comes_back_when_a_cancelled_run_is_seen_stopped(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--no-wait")

    document = outside.json("wait", TENCENT, "--for", "stopped")

    assert [run["state"] for run in document["runs"]] == ["terminated"]


def test_any_of_several_goals_will_do(outside: Outside) -> None:
    document = outside.json("wait", ENDED[4], "--for", "stopped,succeeded")

    assert [run["state"] for run in document["runs"]] == ["succeeded"]


def test_it_fails_at_once_when_the_goal_cannot_be_reached_any_more(outside: Outside) -> None:
    done = outside.run("wait", ENDED[4], ONE_SHOT, "--for", "stopped", "--timeout", "10m")

    assert done.code == 9
    assert "can no longer reach the goal" in done.err


def test_the_timeout_names_what_is_left(outside: Outside) -> None:
    done = outside.run("wait", TENCENT, "--timeout", "0.5", "-o", "json")

    assert done.code == 8
    assert [(error["code"], error["ref"]) for error in done.document["errors"]] == [("timed_out", TENCENT)]


def test_what_is_not_found_is_said(outside: Outside) -> None:
    assert outside.run("wait", NOBODY).code == 5


def test_an_unknown_goal_is_refused(outside: Outside) -> None:
    done = outside.run("wait", TENCENT, "--for", "stoped")

    assert done.code == 2
    assert "did you mean stopped" in done.err


def test_watching_ends_with_the_run(outside: Outside) -> None:
    ref = outside.add("tencent", name="short", targets={"running": 2}, runs_for=20)

    done = outside.run("status", ref, "--watch", "--exit-status", "-o", "json")

    assert done.code == 0, str(done)
    assert [run["state"] for run in done.document["runs"]] == ["succeeded"]


def test_an_interrupt_ends_the_watching_with_one_document(outside: Outside) -> None:
    done, took = outside.interrupted(
        signal.SIGINT, "status", ONE_SHOT, "--watch", "-o", "json", until="DescribeInvocations"
    )

    assert done.code == 130
    assert done.document["complete"] is False
    assert took < 1.5


READS = {"tencent": "DescribeInvocations", "alibaba": "DescribeInvocations", "aws": "ListCommands"}
RUNNING = {"tencent": TENCENT, "alibaba": ONE_SHOT, "aws": COMMAND}


@pytest.mark.parametrize("fault", ["expired", "denied"])
@pytest.mark.parametrize("argv", [("status", "--watch"), ("wait", "--timeout", "60s")], ids=lambda argv: argv[0])
@pytest.mark.parametrize("cloud", READS)
def test_watching_ends_when_credentials_are_refused(
    cloud: str, argv: tuple[str, ...], fault: str, outside: Outside
) -> None:
    outside.faults(f"{READS[cloud]}={fault},after=2")

    done = outside.run(*argv, RUNNING[cloud], "-o", "json", patience=30)

    assert done.code == 4, str(done)
    assert [run["ref"] for run in done.document["runs"]] == [RUNNING[cloud]]
    (problem,) = done.document["errors"]
    assert re.search(r"stale since \d\d:\d\d:\d\d [+-]\d{4}: ", problem["message"])
    assert outside.actions().count(READS[cloud]) == 3
    assert done.err.count("stale since") == 1


def test_refused_credentials_of_one_cloud_end_no_watching_of_another(outside: Outside) -> None:
    short = outside.add("tencent", name="short", targets={"running": 2}, runs_for=40)
    outside.faults("alibaba:*=expired,after=1")

    done = outside.run("status", "--watch", ONE_SHOT, short, "-o", "json")

    states = {run["ref"]: run["state"] for run in done.document["runs"]}
    assert done.code == 4, str(done)
    assert states[short] == "succeeded"


@pytest.mark.parametrize("cloud", READS)
def test_a_row_that_was_not_read_until_the_timeout_says_since_when(cloud: str, outside: Outside) -> None:
    outside.faults(f"{READS[cloud]}=http-503,html=true,after=2")

    done = outside.run("wait", RUNNING[cloud], "--timeout", "8s", "-o", "json", patience=30)

    assert done.code == 8, str(done)
    (problem,) = done.document["errors"]
    assert re.search(r"stale since \d\d:\d\d:\d\d [+-]\d{4}: .*503", problem["message"])
    assert problem["code"] == "timed_out"
    assert "<" not in problem["message"]
    assert done.err.count("stale since") == 2, "once when it happens, once at the end"


def test_a_row_that_is_read_again_is_no_longer_stale(outside: Outside) -> None:
    ref = outside.add("tencent", name="short", targets={"running": 2}, runs_for=60)
    outside.faults("DescribeInvocations=error*8,after=1")

    done = outside.run("status", ref, "--watch", "-o", "json")

    assert (done.code, done.document["errors"]) == (0, []), str(done)


def test_waiting_for_a_run_that_is_not_listed_yet_uses_its_timeout(outside: Outside) -> None:
    ref = outside.add("tencent", name="late", targets={"running": 1}, runs_for=40)
    outside.faults("DescribeInvocations=late-rows*6")

    done = outside.run("wait", ref, "--timeout", "30s", "-o", "json")

    assert done.code == 0, str(done)
    assert "not found yet" in done.err
    assert [run["state"] for run in done.document["runs"]] == ["succeeded"]


def test_waiting_for_a_run_that_never_shows_ends_with_its_timeout(outside: Outside) -> None:
    begun = time.monotonic()

    assert outside.run("wait", NOBODY, "--timeout", "3s").code == 5
    assert 3 < time.monotonic() - begun < 12


FAILS = {
    "error": ("alibaba:DescribeInvocations=http-503", 7),
    "denied": ("alibaba:*=denied", 4),
    "expired": ("alibaba:*=expired", 4),
}


@pytest.mark.parametrize("fault", FAILS)
def test_what_cannot_be_read_at_first_ends_no_wait_for_the_others(fault: str, outside: Outside) -> None:
    rule, code = FAILS[fault]
    short = outside.add("tencent", name="short", targets={"running": 2}, runs_for=60)
    outside.faults(rule)

    done = outside.run("wait", ONE_SHOT, short, "--timeout", "20s", "-o", "json", patience=60)

    assert done.code == code, str(done)
    assert {run["ref"]: run["state"] for run in done.document["runs"]}[short] == "succeeded"
    assert done.document["complete"] is False
    (problem,) = done.document["errors"]
    assert problem["ref"] == ONE_SHOT


def test_the_failure_of_a_run_that_was_read_since_is_not_its_timeout(outside: Outside) -> None:
    outside.faults("DescribeInvocations=http-503*5")

    done = outside.run("wait", TENCENT, "--timeout", "20s", "-o", "json", patience=60)

    assert done.code == 8, str(done)
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    (problem,) = done.document["errors"]
    assert (problem["code"], problem["message"]) == ("timed_out", "still running after 20 s")


@pytest.mark.parametrize("when", ["at first", "later"])
def test_what_was_never_read_is_reported_where_another_misses_the_goal(when: str, outside: Outside) -> None:
    other = ENDED[4] if when == "at first" else outside.add("tencent", targets={"running": 2}, runs_for=60)
    outside.faults("alibaba:DescribeInvocations=http-503")

    done = outside.run("wait", other, ONE_SHOT, "--for", "terminated", "--timeout", "40s", "-o", "json", patience=60)

    assert (done.code, done.document["complete"]) == (9, False), str(done)
    assert [run["state"] for run in done.document["runs"]] == ["succeeded"]
    (problem,) = done.document["errors"]
    assert problem["ref"] == ONE_SHOT
    assert problem["code"] != "timed_out"


def test_what_is_not_found_ends_no_wait_for_the_others(outside: Outside) -> None:
    short = outside.add("tencent", name="short", targets={"running": 2}, runs_for=60)

    done = outside.run("wait", NOBODY, short, "-o", "json")

    assert done.code == 5, str(done)
    assert {run["ref"]: run["state"] for run in done.document["runs"]} == {short: "succeeded"}
    assert [one["ref"] for one in done.document["errors"]] == [NOBODY]
    assert done.err.count(f"{NOBODY}: ") == 1


def test_what_is_read_later_reaches_the_goal(outside: Outside) -> None:
    short = outside.add("tencent", name="short", targets={"running": 2}, runs_for=60)
    outside.faults("DescribeInvocations=http-503*6")

    done = outside.run("wait", short, "--timeout", "40s", "-o", "json", patience=60)

    assert (done.code, done.document["errors"]) == (0, []), str(done)
