"""`cancel --hold`: for a time, what matches the filter and starts later is cancelled, within limits that were typed.

Here one second passes between two listings; `tests/engine/test_hold.py` has the thirty.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from outside import COMMAND, RUNCANCEL, TENCENT, Done, Outside, checked

from cli.test_returning import of_invoker
from cli.test_site_policy import Site

EVERY = 1.0
FAST = f"""
from runcancel.engine import hold
hold.LISTED_EVERY = {EVERY}
"""
NAME = "patch-openssl"
HERE = ("-p", "tencent", "-r", "ap-guangzhou")
HOLD = ("--name", NAME, *HERE, "--hold", "3.2s", "--max-runs", "5", "--yes")
LISTS = {"DescribeInvocations": "InvocationIds"}
"""An action that lists, and the parameter with which it reads single runs."""


def hold(outside: Outside, *argv: str, before: str = "") -> Done:
    return outside.run("cancel", *argv, before=FAST + before)


@contextmanager
def meanwhile(outside: Outside, *steps: Callable[[], Any]) -> Iterator[list[Any]]:
    """Each step happens after one more listing has ended without it."""
    results: list[Any] = []

    def play() -> None:
        for number, step in enumerate(steps, 1):
            deadline = time.monotonic() + 30
            while len(listings(outside)) < number and time.monotonic() < deadline:
                time.sleep(0.02)
            results.append(step())

    thread = threading.Thread(target=play)
    thread.start()
    yield results
    thread.join()


def listings(outside: Outside, region: str = "ap-guangzhou") -> list[float]:
    """When the runs of a region were listed."""
    return [
        one["arrived"]
        for one in outside.requests()
        if one["action"] in LISTS and one["region"] == region and not one["params"].get(LISTS[one["action"]])
    ]


def bad(outside: Outside, *, name: str = NAME, region: str = "ap-guangzhou") -> str:
    return outside.add("tencent", name=name, region=region, targets={"running": 2})


def test_what_starts_later_is_found_cancelled_and_verified_in_one_operation(outside: Outside) -> None:
    with meanwhile(outside, lambda: (bad(outside), bad(outside, name="another")), lambda: (bad(outside),)) as started:
        done = hold(outside, *HOLD[:6], "--hold", "6.2s", *HOLD[8:], "-o", "json")

    (first, other), (second,) = started
    assert done.code == 0, str(done)
    assert set(done.outcomes) == {TENCENT, first, second}
    assert {one["verdict"] for one in done.outcomes.values()} == {"stopped"}
    assert outside.truth(other)["state"] == "running"
    assert "Hold for 6.2s: every run that matches --name patch-openssl is cancelled" in done.err
    assert "at most 5 runs in all" in done.err
    assert "The corrected run is cancelled, too" in done.err
    assert f"found: {first} ({NAME}), running; run 2 of at most 5" in done.err
    assert "The hold ended: 2 runs joined it" in done.err
    (operation,) = outside.json("history")["operations"]
    assert operation["counts"] == {"stopped": 3}
    assert operation["id"] == done.document["operation"]


def test_each_scope_is_listed_no_more_often_than_it_may(outside: Outside) -> None:
    done = hold(outside, *HOLD, "-o", "json")

    moments = listings(outside)
    pauses = [after - before for before, after in pairwise(moments)]
    assert done.code == 0
    assert 3 <= len(moments) <= 4, moments  # the last at the end, and none just before it
    assert all(pause >= EVERY for pause in pauses), pauses


def test_jsonl_has_a_line_for_what_is_found_cancelled_and_verified(outside: Outside) -> None:
    with meanwhile(outside, lambda: bad(outside)) as started:
        done = hold(outside, *HOLD, "-o", "jsonl")

    (ref,) = started
    of_it = [line["type"] for line in done.lines if line.get("run") == ref]
    assert of_it[:2] == ["found", "sent"]
    assert of_it[-1] == "outcome"
    assert not [line for line in done.lines if line["type"] == "found" and line["run"] == TENCENT]


def test_the_limit_is_a_total_and_ends_the_hold(outside: Outside) -> None:
    with meanwhile(outside, lambda: [bad(outside), bad(outside)]) as started:
        done = hold(outside, "--name", NAME, *HERE, "--hold", "1h", "--max-runs", "2", "--yes", "-o", "json")

    verdicts = sorted(done.outcomes[ref]["verdict"] for ref in started[0])
    assert verdicts == ["skipped", "stopped"], str(done)
    assert done.code == 3
    assert "The hold ended early, because the limit of 2 runs (--max-runs) is reached" in done.err
    assert "3 runs match; the limit is 2 (--max-runs)" in done.err


def test_nothing_matches_now_and_the_hold_waits_all_the_same(outside: Outside) -> None:
    argv = ("--name", "nightly", *HERE, "--hold", "1.3s", "--max-runs", "5", "--yes", "-o", "json")
    with meanwhile(outside, lambda: bad(outside, name="nightly")) as started:
        done = hold(outside, *argv)
    nothing = hold(outside, *argv)

    assert {ref: one["verdict"] for ref, one in done.outcomes.items()} == {started[0]: "stopped"}
    assert (nothing.code, nothing.document["outcomes"]) == (0, [])
    assert "no run joined it" in nothing.err


def test_a_scope_that_cannot_be_listed_neither_ends_nor_hides(outside: Outside) -> None:
    regions = ("-p", "tencent", "-r", "ap-guangzhou,ap-shanghai")
    argv = ("--name", NAME, *regions, "--hold", "2.2s", "--max-runs", "5", "--yes", "-o", "json")
    denied = {"action": "DescribeInvocations", "region": "ap-shanghai", "kind": "denied"}
    outside.faults(denied)
    with meanwhile(outside, lambda: bad(outside)) as started:
        done = hold(outside, *argv)
    outside.faults({**denied, "times": 2})
    mended = hold(outside, *argv)

    assert done.outcomes[started[0]]["verdict"] == "stopped", str(done)
    assert done.code == 7
    assert [(one["scope"], one["code"]) for one in done.document["errors"]] == [("tencent:ap-shanghai", "denied")]
    assert "tencent:ap-shanghai: invocation was not listed" in done.err
    assert mended.code == 0, str(mended)
    assert "tencent:ap-shanghai: invocation is listed again" in mended.err


def test_a_listing_that_hangs_is_reported_and_hides_nothing_elsewhere(outside: Outside) -> None:
    regions = ("-p", "tencent", "-r", "ap-guangzhou,ap-shanghai")
    outside.faults({"action": "DescribeInvocations", "region": "ap-shanghai", "kind": "hang", "seconds": 3, "after": 1})
    with meanwhile(outside, lambda: bad(outside)) as started:
        done = hold(outside, "--name", NAME, *regions, "--hold", "4.2s", "--max-runs", "5", "--yes", "-o", "json")

    assert done.outcomes[started[0]]["verdict"] == "stopped", str(done)
    slow = "tencent:ap-shanghai: invocation has not been listed for "
    assert done.err.count(slow) == 1, str(done)


def test_what_was_in_a_scope_that_replies_only_later_is_cancelled(outside: Outside) -> None:
    ref = bad(outside, region="ap-shanghai")
    outside.faults({"action": "DescribeInvocations", "region": "ap-shanghai", "kind": "denied", "times": 1})

    done = hold(outside, "--name", NAME, "-p", "tencent", "-r", "ap-guangzhou,ap-shanghai", *HOLD[6:], "-o", "json")

    assert done.outcomes[ref]["verdict"] == "stopped", str(done)
    assert done.code == 0


WRONG = {
    "references": ((TENCENT, "--hold", "1m", "--max-runs", "5"), "references cannot be used with it"),
    "a plan": (("--plan", "x", "--hold", "1m", "--max-runs", "5"), "--plan cannot be used with it"),
    "a list": (("-f", "x", "--hold", "1m", "--max-runs", "5"), "--from cannot be used with it"),
    "no filter": (("--hold", "1m", "--max-runs", "5"), "--hold needs a filter by --name, --name-glob, --document"),
    "a filter by state": (
        ("--status", "running", "--hold", "1m", "--max-runs", "5"),
        "--hold needs a filter by --name",
    ),
    "the past": (
        ("--name", "x", "--older-than", "1h", "--hold", "1m", "--max-runs", "5"),
        "later: --older-than cannot be",
    ),
    "targets": (("--name", "x", "--target", "i-1", "--hold", "1m", "--max-runs", "5"), "--target cannot be used"),
    "no limit": (("--name", "x", "--hold", "1m"), "--hold needs --max-runs N"),
    "no time": (("--name", "x", "--hold", "0", "--max-runs", "5"), "is shorter than 30s, the time between"),
    "no listing": (("--name", "x", "--hold", "29s", "--max-runs", "5"), "is shorter than 30s, the time between"),
    "no duration": (("--name", "x", "--hold", "soon", "--max-runs", "5"), "is not a duration"),
    "a request": (("--cli-input-json", '{"hold": "1m"}', "--name", "x", "--max-runs", "5"), "--hold DURATION"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_one_line(outside: Outside, case: str) -> None:
    argv, message = WRONG[case]

    done = outside.run("cancel", *argv)

    assert done.code == 2, str(done)
    assert message in done.err.splitlines()[0]
    assert not outside.actions()


def test_a_hold_is_never_without_a_confirmation(outside: Outside) -> None:
    several = outside.run("cancel", "--name", NAME, "--hold", "1m", "--max-runs", "5", "--yes")
    script = outside.run("cancel", "--script", "no such text", *HERE, "--hold", "1m", "--max-runs", "5", "--yes")
    nothing = outside.run("cancel", "--name", "nobody", *HERE, "--hold", "1m", "--max-runs", "5")

    assert [one.code for one in (several, script, nothing)] == [6, 6, 6], str(several) + str(script) + str(nothing)
    assert " accounts, and what matches within 1m00s" in several.err
    assert "--confirm 0" in script.err
    assert "The corrected run is cancelled, too" in nothing.err
    assert not outside.writes()


def test_a_protected_scope_is_refused(outside: Outside) -> None:
    outside.run("contexts", "add", "prod", *HERE, "--protected", "--no-check")

    done = outside.run("cancel", "-c", "prod", "--name", NAME, "--hold", "1m", "--max-runs", "5", "--confirm", "prod")

    assert done.code == 6, str(done)
    assert "is in the protected context prod: --hold cannot be used there" in done.err
    assert not outside.writes()


def test_what_the_site_denies_is_left_alone_and_the_hold_goes_on(outside: Outside) -> None:
    site = Site(outside)
    site.rules('[[deny]]\nregions = ["ap-shanghai"]\nwhy = "not there"\n')
    place = f"""
from pathlib import Path
import os
from runcancel.guards import site_policy
site_policy.PATH = Path({str(site.file)!r})
site_policy.OWNERS = frozenset({{os.getuid()}})
"""
    argv = ("--name", NAME, "-p", "tencent", "-r", "ap-guangzhou,ap-shanghai", *HOLD[6:], "-o", "json")
    with meanwhile(outside, lambda: (bad(outside, region="ap-shanghai"), bad(outside))) as started:
        done = hold(outside, *argv, before=place)

    ((there, here),) = started
    assert (done.outcomes[there]["verdict"], done.outcomes[there]["error"]["code"]) == ("skipped", "refused")
    assert done.outcomes[here]["verdict"] == "stopped"
    assert done.code == 3
    assert outside.truth(there)["state"] == "running"
    assert f"To cancel what the hold left alone: runcancel cancel {there}" in done.err
    assert "To continue with the rest" not in done.err
    resumed = outside.run("cancel", "--resume", done.document["operation"], "-o", "json", before=place)
    assert (resumed.code, resumed.document["outcomes"]) == (0, []), "what was refused never joined"


def test_a_dry_run_shows_what_would_happen(outside: Outside) -> None:
    done = hold(outside, *HOLD, "-n", "-o", "json")

    assert [one["run"] for one in done.document["plan"]] == [TENCENT]
    assert "Hold for 3.2s: every run that matches --name patch-openssl is cancelled" in done.err
    assert "Dry run: nothing was sent" in done.err
    assert len(listings(outside)) == 1
    assert not outside.writes()


def interrupted(outside: Outside, *argv: str, when: Callable[[], bool]) -> Done:
    """A command that lists often, with a signal once something is so."""
    child = outside.start(*argv, before=FAST)
    deadline = time.monotonic() + 30
    while not when() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    return checked(Done(argv=argv, code=child.returncode, out=out, err=err), outside.environ)


def test_ctrl_c_ends_the_hold_with_the_report_and_a_resume_goes_on_without_it(outside: Outside) -> None:
    argv = ("cancel", "--name", NAME, *HERE, "--hold", "1h", "--max-runs", "5", "--yes", "-o", "json")

    def start() -> str:
        outside.wait_for("CancelInvocation")
        outside.faults("CancelInvocation=hang*1")
        return bad(outside)

    with meanwhile(outside, start) as started:
        done = interrupted(outside, *argv, when=lambda: outside.actions().count("CancelInvocation") > 1)
    outside.faults()
    (joined,) = started
    later = bad(outside)

    resumed = outside.run("cancel", "--resume", done.document["operation"], "-o", "json")

    assert done.code == 130, str(done)
    assert done.outcomes[TENCENT]["verdict"] in ("stopped", "requested")
    assert done.outcomes[joined]["verdict"] in ("in-doubt", "requested", "stopped")
    assert "The hold ended early: 1 run joined it" in done.err
    assert joined in set(resumed.outcomes) <= {joined, TENCENT}
    assert resumed.outcomes[joined]["verdict"] == "stopped"
    assert "is not continued: runs that started since are not cancelled" in resumed.err
    assert outside.truth(later)["state"] == "running"


def test_with_triggers_both_in_one_operation(outside: Outside) -> None:
    ref = of_invoker(outside)
    row = outside.json("status", ref, "--trigger")["runs"][0]

    argv = ("--name", row["name"] or row["document"], *HERE, "--hold", "1.3s", "--max-runs", "5", "--disable-triggers")
    planned = hold(outside, *argv, "-n", "-o", "json").document["plan"]
    done = hold(outside, *argv, "--confirm", str(len(planned)), "-o", "json")

    assert [(one["trigger"], one["verdict"]) for one in done.document["triggers"]] == [(row["trigger"], "disabled")]
    assert done.outcomes[ref]["verdict"] == "stopped"
    assert "The hold ended: no run joined it" in done.err


def test_every_kind_of_a_scope_is_listed(outside: Outside) -> None:
    document = outside.json("status", COMMAND)["runs"][0]["document"]
    argv = ("--document", document, "-r", "us-east-2", "--kind", "command", "--hold", "1.3s", "--max-runs", "99")
    planned = hold(outside, *argv, "-n", "-o", "json").document["plan"]
    with a_step_later(
        outside, lambda: outside.add("aws", "command", document=document, targets={"running": 2})
    ) as started:
        done = hold(outside, *argv, "--confirm", str(len(planned)), "-o", "json")

    assert done.outcomes[started[0]]["verdict"] in ("stopped", "partial"), str(done)


@contextmanager
def a_step_later(outside: Outside, step: Callable[[], str]) -> Iterator[list[str]]:
    """A step that is taken once the plan was listed: then the callers are looked up."""
    results: list[str] = []
    before = outside.actions().count("GetCallerIdentity")

    def play() -> None:
        outside.wait_for("GetCallerIdentity", times=before + 1)
        results.append(step())

    thread = threading.Thread(target=play)
    thread.start()
    yield results
    thread.join()


def test_it_is_the_installed_command_that_holds(outside: Outside) -> None:
    """Without a fast clock: it ends before the first listing is due, and so knows nothing of what started."""
    child = subprocess.Popen(
        [RUNCANCEL, "cancel", "--name", NAME, *HERE, "--hold", "30s", "--max-runs", "5", "--yes"],
        env=outside.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    outside.wait_for("CancelInvocation")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)

    assert child.returncode == 130, err
    assert "The hold ended early: it ended before the first listing" in err
    assert "no run joined it" not in err
    assert len(listings(outside)) == 1


def test_a_gap_of_the_first_listing_stays_where_there_is_no_other(outside: Outside) -> None:
    outside.faults({"action": "DescribeInvocations", "region": "ap-shanghai", "kind": "denied"})

    argv = ("--name", NAME, "-p", "tencent", "-r", "ap-guangzhou,ap-shanghai", "--max-runs", "5", "--yes", "-o", "json")
    done, _ = outside.interrupted(signal.SIGINT, "cancel", *argv, "--hold", "1h", until="CancelInvocation")

    assert done.code == 130, str(done)
    assert [one["scope"] for one in done.document["errors"]] == ["tencent:ap-shanghai"]


def test_what_the_given_confirmation_does_not_cover_is_left_alone(outside: Outside) -> None:
    argv = ("--name", "hourly sync", "-p", "aws", "-r", "us-east-2", "--kind", "command", "--max-runs", "5")

    def by_comment() -> str:
        return outside.add("aws", "command", name="hourly sync", targets={"running": 2})

    with a_step_later(outside, by_comment) as started:
        done = hold(outside, *argv, "--hold", "1.3s", "--yes", "-o", "json")
    again = hold(outside, *argv, "--hold", "1.1s", "--confirm", "1", "-o", "json")

    (row,) = done.document["outcomes"]
    assert (row["run"], row["verdict"], row["error"]["code"]) == (started[0], "skipped", "refused")
    assert "found by comment" in row["error"]["message"]
    assert "--confirm N" in row["error"]["hint"]
    assert done.code == 6
    assert again.outcomes[started[0]]["verdict"] in ("stopped", "requested"), str(again)


def test_a_cancel_that_hangs_delays_no_listing(outside: Outside) -> None:
    outside.faults("CancelInvocation=hang*1")

    with meanwhile(outside, lambda: bad(outside)) as started:
        done = hold(outside, *HOLD, "--timeout", "5s", "-o", "json")

    moments = listings(outside)
    assert done.outcomes[started[0]]["verdict"] == "stopped", str(done)
    assert moments[2] - moments[0] < 5, "the second listing waited for the cancel of the first"


def test_what_the_joined_run_has_started_is_chased_too(outside: Outside) -> None:
    argv = ("--name", NAME, *HERE, "--hold", "1.3s", "--max-runs", "5", "--yes", "--stop-running", "-o", "json")

    with meanwhile(outside, lambda: bad(outside)) as started:
        done = hold(outside, *argv)

    assert done.outcomes[started[0]]["verdict"] == "stopped", str(done)


def test_what_a_trigger_starts_during_the_hold_is_cancelled(outside: Outside) -> None:
    ref = of_invoker(outside)
    document = outside.json("status", ref)["runs"][0]["document"]
    argv = ("--document", document, *HERE, "--hold", "2.2s", "--max-runs", "9")
    planned = hold(outside, *argv, "-n", "-o", "json").document["plan"]

    def time_passes() -> str:
        outside.box.clock.advance(3600.0)
        return ""

    with a_step_later(outside, time_passes):
        done = hold(outside, *argv, "--confirm", str(len(planned)), "-o", "json")

    joined = done.outcomes.keys() - {one["run"] for one in planned}
    assert joined, str(done)
    assert all(done.outcomes[one]["verdict"] == "stopped" for one in joined)
    assert all(outside.json("status", one, "--trigger")["runs"][0]["trigger"] for one in joined)
