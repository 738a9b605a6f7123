"""Two operators cancel the same run: one sends, the other watches, and nobody waits for an operation that is gone."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outside import Outside


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    with Outside(tmp_path / "home", speed=0) as outside:
        yield outside


def run_of(outside: Outside, **spec: Any) -> str:
    """A run that no cancel changes: its state does not show that somebody has cancelled it. It ends in an hour."""
    spec = {"targets": {"running": 2}, "terminates": False, "settle": 0, "runs_for": 3600.0, **spec}
    return outside.add("aws", "command", **spec)


def killed(outside: Outside) -> str:
    """A run whose cancel was sent by a process that was then killed."""
    run = run_of(outside)
    first = outside.start("cancel", run, "-o", "json")
    outside.wait_for("CancelCommand")
    until(first, run)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    return run


def cancels(outside: Outside) -> int:
    return outside.actions().count("CancelCommand")


def until(child: Any, *texts: str) -> None:
    """Read stderr up to a line that has every text."""
    for line in child.stderr:
        if all(text in line for text in texts):
            return
    pytest.fail(f"it ended without {texts}")


def finish(child: Any) -> dict[str, Any]:
    out, err = child.communicate(timeout=60)
    document: dict[str, Any] = json.loads(out)
    document["err"] = err
    document["code"] = child.returncode
    return document


def journal(outside: Outside, *statements: str) -> None:
    """Change the journal as time or a failure would."""
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file, timeout=10) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("how", ["named", "filtered"])
def test_the_second_operator_watches_and_says_who_cancels(how: str, outside: Outside) -> None:
    run = run_of(outside, name="deploy-4711")
    words = [run] if how == "named" else ["--name", "deploy-4711", "--confirm", "1"]
    first = outside.start("cancel", *words, "-o", "json")
    outside.wait_for("CancelCommand")
    until(first, run)
    second = outside.start("cancel", *words, "-o", "json")
    until(second, f"{run} is being cancelled by ", "operation 01")
    outside.box.clock.advance(4000)
    one, two = finish(first), finish(second)

    assert cancels(outside) == 1
    assert [each["outcomes"][0]["verdict"] for each in (one, two)] == ["ended", "ended"]
    assert one["outcomes"][0]["cancelled_by"] is None
    claim = two["outcomes"][0]["cancelled_by"]
    assert claim["operation"] == one["operation"]
    assert claim.keys() == {"operation", "user", "host", "since"}
    assert two["outcomes"][0]["request_ids"] == []


def test_an_owner_without_a_reply_is_overtaken(outside: Outside) -> None:
    run = run_of(outside)
    outside.faults({"kind": "hang", "action": "CancelCommand", "times": 1, "effect": False})
    first = outside.start("cancel", run, "-o", "json")
    outside.wait_for("CancelCommand")
    second = outside.start("cancel", run, "-o", "json")
    until(second, "is being cancelled by")
    assert cancels(outside) == 1
    journal(outside, "UPDATE leases SET taken_at = taken_at - 11")  # ten seconds later
    until(second, run, "sent from here")
    outside.wait_for("CancelCommand", times=2)
    outside.box.clock.advance(4000)

    assert finish(second)["outcomes"][0]["cancelled_by"] is None
    first.send_signal(signal.SIGKILL)
    first.communicate()


def test_the_lease_of_a_killed_owner_runs_out(outside: Outside) -> None:
    run = run_of(outside)
    first = outside.start("cancel", run, "-o", "json")
    until(first, run)
    outside.wait_for("CancelCommand")
    _accepted(outside)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = outside.start("cancel", run, "-o", "json")
    until(second, "is being cancelled by")
    assert cancels(outside) == 1
    journal(outside, "UPDATE signs_of_life SET at = at - 31 WHERE operation = (SELECT min(id) FROM operations)")
    outside.box.clock.advance(4000)

    assert finish(second)["outcomes"][0]["verdict"] == "ended"


def _accepted(outside: Outside) -> None:
    """Wait until the answer is in the journal."""
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file, timeout=10) as db:
        while db.execute("SELECT count(*) FROM entries WHERE answer IS NOT NULL").fetchone() == (0,):
            pass


def test_take_over_sends_at_once(outside: Outside) -> None:
    run = run_of(outside)
    first = outside.start("cancel", run, "-o", "json")
    outside.wait_for("CancelCommand")
    second = outside.start("cancel", run, "-o", "json", "--take-over")
    outside.wait_for("CancelCommand", times=2)
    outside.box.clock.advance(4000)
    one, two = finish(first), finish(second)

    assert cancels(outside) == 2
    assert two["outcomes"][0]["request_ids"] != []
    assert "being cancelled by" not in two["err"]
    assert one["outcomes"][0]["verdict"] == two["outcomes"][0]["verdict"] == "ended"


def test_an_operation_that_has_ended_leaves_no_lease(outside: Outside) -> None:
    run = run_of(outside)
    assert outside.run("cancel", run, "--no-wait").code == 0
    done = outside.run("cancel", run, "--no-wait")

    assert cancels(outside) == 2
    assert "being cancelled by" not in done.err


def test_a_cancel_of_some_targets_does_not_keep_another_from_the_rest(outside: Outside) -> None:
    run = run_of(outside)
    (target, *_) = outside.targets(run, "running")
    first = outside.start("cancel", run, "--target", target, "-o", "json")
    outside.wait_for("CancelCommand")
    second = outside.start("cancel", run, "-o", "json")
    outside.wait_for("CancelCommand", times=2)
    third = outside.start("cancel", run, "--target", target, "-o", "json")
    until(third, "is being cancelled by")
    outside.box.clock.advance(4000)

    for child in (first, second, third):
        finish(child)
    assert cancels(outside) == 2


def test_without_a_journal_nobody_is_seen_and_nothing_is_held_up(outside: Outside) -> None:
    run = run_of(outside)
    first = outside.start("cancel", run, "-o", "json")
    outside.wait_for("CancelCommand")
    assert outside.run("cancel", run, "--no-wait", "--no-journal").code == 0
    outside.box.clock.advance(4000)

    finish(first)
    assert cancels(outside) == 2


def test_two_machines_of_a_team_see_each_other(outside: Outside, team_url: str, tmp_path: Path) -> None:
    """Each has contexts of its own: the lease is about the run, whatever its reference is called."""
    run = run_of(outside)
    one, two = ({"RUNCANCEL_JOURNAL_URL": team_url, "XDG_STATE_HOME": str(tmp_path / name)} for name in ("one", "two"))
    assert outside.run("contexts", "add", "work", "-p", "aws", "-r", "us-east-2").code == 0
    first = outside.start("cancel", f"work@{run}", "-o", "json", env=one)
    outside.wait_for("CancelCommand")
    second = outside.start("cancel", run, "-o", "json", env=two)
    until(second, f"{run} is being cancelled by ")
    outside.box.clock.advance(4000)
    begun, watching = finish(first), finish(second)

    assert cancels(outside) == 1
    assert watching["outcomes"][0]["cancelled_by"]["operation"] == begun["operation"]


def test_a_team_journal_that_cannot_be_reached_holds_up_no_cancel(outside: Outside, tmp_path: Path) -> None:
    run = run_of(outside)
    env = {"RUNCANCEL_JOURNAL_URL": "postgresql://ops@127.0.0.1:1/journal", "XDG_STATE_HOME": str(tmp_path / "one")}
    done = outside.run("cancel", run, "--no-wait", "-o", "json", env=env)

    assert (done.code, cancels(outside)) == (0, 1)
    assert done.err.count("the team journal") == 1


def lives(outside: Outside, id: str, *, host: str) -> None:
    """The process of the operation is on another machine, where nobody can see whether it still exists."""
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file, timeout=10) as db:
        db.execute("UPDATE operations SET host=? WHERE id=?", (host, id))
    started(outside, id, host=host)


def started(outside: Outside, id: str, **fields: Any) -> None:
    """Change what the journal has about the process that started the operation."""
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file, timeout=10) as db:
        (blob,) = db.execute("SELECT event FROM events WHERE operation=? AND kind='started'", (id,)).fetchone()
        changed = json.dumps(json.loads(blob) | fields).encode()
        db.execute("UPDATE events SET event=? WHERE operation=? AND kind='started'", (changed, id))


def operation_of(outside: Outside, **env: Any) -> str:
    return str(outside.json("history", **env)["operations"][0]["id"])


@pytest.mark.parametrize("team", [False, True])
def test_what_another_process_carries_out_is_not_resumed(
    team: bool, outside: Outside, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = run_of(outside)
    env: dict[str, str] = {}
    if team:
        env = {"RUNCANCEL_JOURNAL_URL": request.getfixturevalue("team_url")}
    elsewhere = env | ({"XDG_STATE_HOME": str(tmp_path / "two")} if team else {})
    first = outside.start("cancel", run, "-o", "json", env=env)
    outside.wait_for("CancelCommand")
    until(first, run)
    id = operation_of(outside, env=elsewhere)
    for word in (id, "last"):
        refused = outside.run("cancel", "--resume", word, "-o", "json", env=elsewhere)
        assert (refused.code, cancels(outside)) == (6, 1), str(refused)
        assert f"operation {id} is still being carried out by " in refused.err
        assert f"runcancel cancel --resume {id} --take-over" in refused.err
        assert f"runcancel wait --operation {id}" in refused.err
    for words in (("history",), ("history", id), ("report",)):
        named = outside.run(*words, env=elsewhere).err
        assert f": runcancel wait --operation {id}" in named, named
        assert "--resume" not in named
    for form in ("md", "html"):
        body = outside.run("report", "-o", form, env=elsewhere).out
        assert f"runcancel wait --operation {id}" in body, body
        assert f"Operation {id} is in progress by " in body
        assert "--resume" not in body
    shown = outside.run("cancel", "--resume", id, "--dry-run", env=elsewhere)
    assert (shown.code, cancels(outside)) == (0, 1)
    assert "is still being carried out by" in shown.err
    taken = outside.run("cancel", "--resume", id, "--take-over", "--no-wait", env=elsewhere)
    assert (taken.code, cancels(outside)) == (0, 2), str(taken)
    assert f"Operation {id} is taken over from " in taken.err
    outside.box.clock.advance(4000)
    finish(first)


def test_a_process_that_was_killed_here_is_resumed_at_once(outside: Outside) -> None:
    killed(outside)
    resumed = outside.run("cancel", "--resume", "last", "--no-wait")

    assert resumed.code == 0, str(resumed)
    assert "carried out" not in resumed.err


def test_a_process_on_another_machine_counts_as_long_as_it_shows_signs_of_life(outside: Outside) -> None:
    killed(outside)
    id = operation_of(outside)
    lives(outside, id, host="bastion-2")
    refused = outside.run("cancel", "--resume", id)
    assert refused.code == 6, str(refused)
    assert "@bastion-2 (last sign of life " in refused.err
    journal(outside, "UPDATE signs_of_life SET at = at - 31")

    assert outside.run("cancel", "--resume", id, "--no-wait").code == 0


def test_a_process_with_the_name_of_this_machine_may_be_another_one(outside: Outside) -> None:
    """Two containers have one host name, and each has processes of its own with the same ids."""
    killed(outside)
    id = operation_of(outside)
    lives(outside, id, host=socket.gethostname())

    assert outside.run("cancel", "--resume", id).code == 6


@pytest.mark.parametrize("pid", [2**31, 2**70])
def test_a_number_that_no_process_has_is_no_error(pid: int, outside: Outside) -> None:
    killed(outside)
    id = operation_of(outside)
    started(outside, id, pid=pid)
    refused = outside.run("cancel", "--resume", id)

    assert refused.code == 6, str(refused)
    assert "is still being carried out by" in refused.err


def test_a_sign_of_life_far_in_the_future_is_no_life(outside: Outside) -> None:
    """A clock was set back: the process has been silent for nobody knows how long."""
    killed(outside)
    id = operation_of(outside)
    lives(outside, id, host="bastion-2")
    journal(outside, "UPDATE signs_of_life SET at = at + 3600")

    assert outside.run("cancel", "--resume", id, "--no-wait").code == 0


@pytest.mark.parametrize("team", [False, True])
def test_of_two_resumes_at_once_one_sends(
    team: bool, outside: Outside, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = run_of(outside)
    env = {"RUNCANCEL_JOURNAL_URL": request.getfixturevalue("team_url")} if team else {}
    elsewhere = env | ({"XDG_STATE_HOME": str(tmp_path / "two")} if team else {})
    id = outside.json("cancel", run, "--no-wait", env=env)["operation"]
    reads = outside.actions().count("ListCommands")
    outside.faults({"kind": "hang", "action": "ListCommands", "times": 2, "seconds": 3})
    both = [outside.start("cancel", "--resume", id, "--no-wait", "-o", "json", env=each) for each in (env, elsewhere)]
    outside.wait_for("ListCommands", times=reads + 2)
    one, two = sorted((finish(child) for child in both), key=lambda each: each["code"])

    assert (one["code"], two["code"], cancels(outside)) == (0, 6, 2), f"{one}\n{two}"
    assert f"operation {id} was continued by another process meanwhile; nothing was sent" in two["err"]
    (entry,) = outside.json("history", env=elsewhere)["operations"]
    assert (entry["id"], entry["state"], entry["exit_code"]) == (id, "done", 0)


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_a_change_of_triggers_is_not_resumed_while_its_process_lives(verb: str, outside: Outside) -> None:
    trigger = outside.json("triggers", "--kind", "window")["triggers"][0]["ref"]
    if verb == "enable":
        assert outside.run("disable", trigger, "--confirm", "1").code == 0
    outside.faults({"kind": "hang", "action": "UpdateMaintenanceWindow", "times": 1, "effect": False})
    first = outside.start(verb, trigger, "--confirm", "1")
    outside.wait_for("UpdateMaintenanceWindow", times=1 if verb == "disable" else 2)
    id = operation_of(outside)
    refused = outside.run(verb, "--resume", id, "--confirm", "1")
    assert refused.code == 6, str(refused)
    assert f"runcancel {verb} --resume {id} --take-over" in refused.err
    taken = outside.run(verb, "--resume", id, "--take-over", "--confirm", "1")
    assert taken.code == 0, str(taken)
    first.send_signal(signal.SIGKILL)
    first.communicate()
