"""Runs that a verb is about, from a list in a file and from an earlier operation."""

import json
import re
import signal

import pytest
from outside import COMMAND, ENDED, TENCENT, WINDOW, Outside

READING = ("status", "wait", "logs", "invocations")
BOTH = {COMMAND, TENCENT}


def cancelled(outside: Outside) -> str:
    """Two runs cancelled without a look; the operation."""
    done = outside.run("cancel", *sorted(BOTH), "--no-wait", "-o", "jsonl")
    assert done.code == 0, str(done)
    (outside.home / "cancelled").write_text(done.out, encoding="utf-8")
    operation: str = done.lines[-1]["operation"]
    return operation


def shown(outside: Outside, verb: str, *argv: str) -> set[str]:
    lines = outside.run(verb, *argv, "-o", "jsonl").lines
    assert lines[-1]["exit_code"] == 0, lines
    key = "ref" if verb in ("status", "wait") else "run"
    return {line[key] for line in lines[:-1]}


@pytest.mark.parametrize("verb", READING)
def test_an_operation_names_its_runs(outside: Outside, verb: str) -> None:
    operation = cancelled(outside)

    for word in ("last", operation, operation[:12].lower()):
        assert shown(outside, verb, "--operation", word) == BOTH


@pytest.mark.parametrize("verb", READING)
def test_a_file_names_runs_in_every_form_that_lists_them(outside: Outside, verb: str) -> None:
    cancelled(outside)
    outside.shell("runcancel status -f cancelled -o jsonl > listed; runcancel status -f cancelled -o ref > bare")

    for name in ("cancelled", "listed", "bare"):
        assert shown(outside, verb, "-f", name) == BOTH
    done = outside.shell(f"runcancel {verb} -f - -o jsonl < bare")
    assert done.code == 0, str(done)


@pytest.mark.parametrize("verb", READING)
def test_one_place_is_given_and_it_is_there(outside: Outside, verb: str) -> None:
    operation = cancelled(outside)

    for argv, words in {
        (): "missing argument",
        (TENCENT, "--operation", "last"): "cannot be used together",
        ("-f", "bare", "--operation", "last"): "cannot be used together",
        ("--operation", "nope"): "“nope” is not the id of an operation",
    }.items():
        done = outside.run(verb, *argv)
        assert done.code == 2, str(done)
        assert words in done.err
    outside.run("cancel", WINDOW, "--no-wait")
    several = outside.run(verb, "--operation", operation[:1])
    assert several.code == 2
    assert f"2 operations begin with {operation[:1]}" in several.err


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("end", ['{"type":"end","complete":false,"truncated":false}', ""])
def test_what_an_incomplete_list_lacks_hides_no_run_that_it_names(outside: Outside, verb: str, end: str) -> None:
    cancelled(outside)
    run = json.dumps({"type": "run", "ref": TENCENT})
    (outside.home / "list").write_text(f"{run}\n{end}\n", encoding="utf-8")

    done = outside.run(verb, "-f", "list", "-o", "json")

    assert done.code == 7, str(done)
    assert TENCENT in done.out
    assert not done.document["complete"]
    assert ["list is an incomplete list" in one["message"] for one in done.document["errors"]] == [True]


@pytest.mark.parametrize("verb", READING)
def test_a_list_that_was_cut_on_purpose_is_read_with_a_note(outside: Outside, verb: str) -> None:
    cancelled(outside)
    run = json.dumps({"type": "run", "ref": TENCENT})
    end = json.dumps({"type": "end", "complete": True, "truncated": True})
    (outside.home / "list").write_text(f"{run}\n{end}\n", encoding="utf-8")

    done = outside.run(verb, "-f", "list", "-o", "json")

    assert done.code == 0, str(done)
    assert done.document["complete"]
    assert "list was cut by --limit; only the runs in it are read" in done.err


def test_a_follower_reports_an_incomplete_list(outside: Outside) -> None:
    cancelled(outside)
    run = json.dumps({"type": "run", "ref": TENCENT})
    (outside.home / "list").write_text(f"{run}\n", encoding="utf-8")

    done = outside.run("logs", "-f", "list", "--follow")

    assert done.code == 7, str(done)
    assert "list is an incomplete list" in done.err


OF_AN_OPERATION = {
    **{(verb, "--operation"): "" for verb in (*READING, "cancel", "enable")},
    **{(verb, "--resume"): "" for verb in ("cancel", "disable", "enable")},
    ("history",): ", prune, migrate or sync",
    ("report",): " or a file",
}
"""Every command about an operation, and what it takes instead of one."""


@pytest.mark.parametrize(("argv", "others"), OF_AN_OPERATION.items(), ids=" ".join)
def test_an_operation_that_is_not_in_the_journal_is_not_found(
    argv: tuple[str, ...], others: str, outside: Outside
) -> None:
    cancelled(outside)
    outside.box.log.clear()

    absent = outside.run(*argv, "01K9ZQ3V7W5T8R2M4N6P0C1D2E")
    wrong = outside.run(*argv, "nope")

    assert absent.code == 5, str(absent)
    assert absent.err.startswith("runcancel: no operation 01K9ZQ3V7W5T8R2M4N6P0C1D2E in the journal")
    assert wrong.code == 2, str(wrong)
    expected = f"the beginning of an id, last{others}" if others else "the beginning of an id or last"
    line = f"runcancel: “nope” is not the id of an operation. Expected {expected}; nothing was sent"
    assert wrong.err.splitlines() == [line, "  see: runcancel history"]
    assert outside.requests() == []


@pytest.mark.parametrize("argv", OF_AN_OPERATION, ids=" ".join)
def test_without_a_journal_the_last_operation_is_not_found_and_none_is_made(
    argv: tuple[str, ...], outside: Outside
) -> None:
    done = outside.run(*argv, "last")

    assert done.code == 5, str(done)
    assert re.match("runcancel: no (operation|cancel|disable|enable) ", done.err)
    assert not (outside.home / ".local").exists()


def test_an_operation_is_cancelled_again_only_with_consent(outside: Outside) -> None:
    outside.faults("tencent:CancelInvocation=denied")
    assert outside.run("cancel", TENCENT).code == 4
    outside.faults()

    refused = outside.run("cancel", "--operation", "last")
    assert refused.code == 6, str(refused)
    assert outside.effective(TENCENT) == []

    assert set(outside.run("cancel", "--operation", "last", "--yes", "-o", "json").outcomes) == {TENCENT}


def test_history_takes_last_beginnings_and_verdicts(outside: Outside) -> None:
    first = outside.run("cancel", ENDED[1], "-o", "json").document["operation"]
    second = cancelled(outside)

    assert outside.json("history", "last")["operation"] == second
    assert [one["id"] for one in outside.json("history", "--status", "ended")["operations"]] == [first]
    assert outside.json("history", "--status", "partial")["operations"] == []
    assert outside.json("history", "last", "--status", "stopped")["outcomes"] == []
    assert outside.run("history", "--status", "halted").code == 2
    table = outside.run("history", "-o", "table", env={"COLUMNS": "200"}).out
    assert f"cancel {ENDED[1]} -o json" in table
    told = outside.run("history", "last", "-o", "table", env={"TZ": "Asia/Tokyo"}).err
    assert " +09:00 " in told


def test_resume_takes_last(outside: Outside) -> None:
    operation = cancelled(outside)

    done = outside.run("cancel", "--resume", "last", "-o", "json")

    assert done.document["operation"] == operation


def test_an_interrupted_operation_is_named_with_its_resume(outside: Outside) -> None:
    outside.faults("tencent:CancelInvocation=hang")
    outside.interrupted(signal.SIGINT, "cancel", TENCENT, until="CancelInvocation")

    done = outside.run("history")

    (operation,) = [row["id"] for row in done.rows]
    assert f"runcancel cancel --resume {operation}" in done.err
