"""`runcancel wait` and `status --watch`."""

import signal

from outside import ENDED, NOBODY, ONE_SHOT, TENCENT, Outside


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
    assert "cannot get there any more" in done.err


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
