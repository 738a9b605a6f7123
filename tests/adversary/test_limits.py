"""Limits count what is stopped, and hold for an operation however often it is resumed."""

import sqlite3

import pytest
from outside import ONE_SHOT, TENCENT, Outside

from runcancel.model import outcomes


def shared(outside: Outside, count: int) -> str:
    """A window whose only invocation runs on so many machines."""
    return outside.add("aws", "maintenance-window", targets={"running": count})


def test_an_invocation_of_a_window_counts_for_every_machine_it_runs_on(outside: Outside) -> None:
    ref = shared(outside, 60)
    rows = outside.json("invocations", ref)["invocations"]
    assert [row["target_count"] for row in rows] == [60]

    for flags in (("--max-targets", "59"), ("--max-targets", "59", "--stop-running")):
        done = outside.run("cancel", ref, *flags)
        assert done.code == 6, str(done)
        assert "60 targets match; the limit is 59 (--max-targets)" in done.err
    assert outside.writes() == []
    done = outside.run("cancel", ref, "--max-targets", "60", "--stop-running", "--no-wait")
    assert done.code == 0, str(done)
    assert "(60 targets)" in done.err


def test_an_item_of_a_plan_that_was_saved_before_counts_as_one(outside: Outside) -> None:
    """A plan or a journal of an older version has no such number."""
    assert outcomes.PlannedInvocation.__struct_defaults__[-1] == 1


def _interrupted(outside: Outside, *limits: str) -> str:
    """An operation over two runs of 12 and 40 targets of which one was refused."""
    outside.faults("alibaba:StopInvocation=denied")
    operation: str = outside.json("cancel", TENCENT, ONE_SHOT, *limits, code=3)["operation"]
    outside.faults()
    return operation


def _journal(outside: Outside) -> sqlite3.Connection:
    return sqlite3.connect(outside.home / ".local" / "state" / "runcancel" / "journal.sqlite3")


@pytest.mark.parametrize(("column", "limit"), [("max_runs", 1), ("max_targets", 51)])
def test_a_resumed_operation_keeps_its_limits_and_counts_what_it_sent(
    outside: Outside, column: str, limit: int
) -> None:
    """What a run started and a limit refused, the suggested `--resume` must not send either."""
    operation = _interrupted(outside, "--max-runs", "2", "--max-targets", "52")
    with _journal(outside) as db:
        assert db.execute("SELECT max_runs, max_targets FROM limits").fetchall() == [(2, 52)]
        db.execute(f"UPDATE limits SET {column}={limit}")
    before = len(outside.writes())

    refused = outside.run("cancel", "--resume", operation)

    assert refused.code == 6, str(refused)
    assert len(outside.writes()) == before
    flag = f"--{column.replace('_', '-')} {limit + 1}"
    assert flag in refused.err
    done = outside.run("cancel", "--resume", operation, *flag.split())
    assert done.code == 3, str(done)  # what runs there keeps running
    assert len(outside.effective(ONE_SHOT)) == 1


def test_a_journal_of_an_older_version_is_resumed_under_the_usual_limits(outside: Outside) -> None:
    operation = _interrupted(outside)
    with _journal(outside) as db:
        db.execute("DROP TABLE limits")

    assert outside.run("cancel", "--resume", operation).code == 3
    assert outside.json("history", operation)["outcomes"]
