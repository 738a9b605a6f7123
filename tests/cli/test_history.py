"""`runcancel history` and `cancel --resume`: what a kill leaves, and what a resume makes of it."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from outside import COMMAND, ENDED, KILLED, ONE_SHOT, TENCENT, WINDOW, Outside


def operations(outside: Outside) -> list[Any]:
    found: list[Any] = outside.json("history")["operations"]
    return found


RESUMED = {WINDOW: "GetMaintenanceWindowExecution", ONE_SHOT: "DescribeInvocations"}
"""What is read of each run: first before the cancel, then while it is watched."""


def killed(outside: Outside, *argv: str, until: str, times: int = 1) -> None:
    """Start a cancel and kill it without warning once the sandbox was asked `until` so many times."""
    child = outside.start(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        outside.wait_for(until, times=times)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_what_was_asked_is_told_with_who_why_and_what_was_seen(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "--reason", "bad patch 4711", "-o", "json")

    (operation,) = operations(outside)
    one = outside.json("history", operation["id"])

    assert operation["id"] == done.document["operation"]
    assert (operation["reason"], operation["state"], operation["exit_code"]) == ("bad patch 4711", "done", 0)
    assert operation["argv"] == ["cancel", TENCENT, "--reason", "bad patch 4711", "-o", "json"]
    assert operation["counts"] == {"stopped": 1}
    assert one["outcomes"] == done.document["outcomes"]


@pytest.mark.parametrize(("verb", "ref"), [("cancel", TENCENT), ("disable", "mw-0c50858d01c0ffee0")])
def test_a_reason_that_is_not_kept_stops_nothing(verb: str, ref: str, outside: Outside) -> None:
    done = outside.run(verb, ref, "--reason", "OPS-4711", "--no-journal", "--yes")

    assert done.code != 2, str(done)
    assert outside.writes() or outside.actions().count("UpdateMaintenanceWindow") == 1
    assert "--no-journal: the reason is not kept\n" in done.err


def test_no_journal_keeps_none_and_a_dry_run_writes_none(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--dry-run")
    done = outside.run("cancel", TENCENT, "--no-journal", "-o", "json")

    assert done.document["operation"] is None
    assert operations(outside) == []


def test_an_unknown_operation_is_not_found(outside: Outside) -> None:
    assert outside.run("history", "01K9ZQ3V7W5T8R2M4N6P0C1D2E").code == 5
    assert outside.run("cancel", "--resume", "01K9ZQ3V7W5T8R2M4N6P0C1D2E").code == 5
    assert outside.requests() == []


def test_reading_a_journal_that_is_not_there_makes_none(outside: Outside) -> None:
    assert outside.json("history")["operations"] == []
    assert outside.run("history", "01K9ZQ3V7W5T8R2M4N6P0C1D2E").code == 5
    assert outside.json("history", "prune")["operations"] == []
    assert not (outside.home / ".local").exists()


def test_prune_leaves_what_is_unfinished_alone_and_names_it(outside: Outside) -> None:
    killed(outside, "cancel", TENCENT, until="CancelInvocation")
    (left,) = operations(outside)
    assert left["state"] == "open"

    done = outside.run("history", "prune", "--older-than", "0s")

    assert f"1 unfinished kept: {left['id']}" in done.err, str(done)
    assert [each["id"] for each in operations(outside)] == [left["id"]]
    assert outside.run("cancel", "--resume", left["id"]).code == 0
    assert [each["id"] for each in outside.json("history", "prune", "--older-than", "0s")["operations"]] == [left["id"]]


@pytest.mark.parametrize("argv", ["history", "report last", "status --operation last", "history prune", "enable"])
def test_a_command_that_read_the_journal_leaves_one_file(outside: Outside, argv: str) -> None:
    outside.run("cancel", TENCENT)

    outside.run(*argv.split(), before="pass")  # by a copy that ends with it, as a process of its own does

    folder = outside.home / ".local" / "state" / "runcancel"
    assert [file.name for file in folder.iterdir()] == ["journal.sqlite3"]


@pytest.mark.parametrize("logged", [False, True], ids=["closed", "killed"])
def test_history_works_on_a_read_only_file_system(outside: Outside, tmp_path: Path, logged: bool) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    if logged:
        killed(outside, "cancel", TENCENT, until="CancelInvocation")
    else:
        outside.run("cancel", TENCENT)
    before = operations(outside)
    folder = outside.home / ".local" / "state" / "runcancel"
    if logged:  # what the kill left was put in order by the reading: another is left
        killed(outside, "cancel", ONE_SHOT, until="StopInvocation")
        assert (folder / "journal.sqlite3-wal").stat().st_size > 0
        before = [{"id": ""}, *before]
    frozen = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    prefix = ("unshare", "-m", "sh", "-c", f'{frozen} && exec "$@"', "sh")

    history, prune = outside.forks(("history", "-o", "json"), ("history", "prune"), prefix=prefix)

    assert (history.code, prune.code) == (0, 6), str(prune)
    found = history.document["operations"]
    assert len(found) == len(before), str(history)
    assert found[-1]["id"] == before[-1]["id"]


def test_prune_forgets(outside: Outside) -> None:
    outside.run("cancel", TENCENT)

    (kept,) = operations(outside)

    assert outside.json("history", "prune")["operations"] == []
    assert operations(outside) == [kept]
    assert outside.json("history", "prune", "--older-than", "0s")["operations"] == [kept]
    assert operations(outside) == []


def test_an_age_that_makes_no_sense_forgets_nothing(outside: Outside) -> None:
    outside.run("cancel", TENCENT)

    for age in ("", "soon", "-1d", "99999999999d"):
        done = outside.run("history", "prune", f"--older-than={age}")
        assert done.code == 2, str(done)
    assert outside.run("history", "--older-than", "0s").code == 2
    assert len(operations(outside)) == 1


def test_every_format_tells_who_when_and_why(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--reason", "bad patch 4711")
    (operation,) = operations(outside)

    for format in ("table", "wide", "tsv", "jsonl", "ref"):
        assert operation["id"] in outside.run("history", "-o", format).out
        assert TENCENT in outside.run("history", operation["id"], "-o", format).out
    (row,) = outside.run("history", "-o", "tsv").rows
    assert (row["reason"], row["counts"], row["exit_code"]) == ("bad patch 4711", "stopped=1", "0")
    first, outcome, _ = outside.run("history", operation["id"], "-o", "jsonl").lines
    assert first == {"type": "operation", **operation}
    assert (outcome["type"], outcome["verdict"]) == ("outcome", "stopped")


def test_the_newest_come_first_and_a_limit_cuts(outside: Outside) -> None:
    for number in range(3):
        outside.run("cancel", TENCENT, "--reason", str(number))

    assert [one["reason"] for one in operations(outside)] == ["2", "1", "0"]
    assert [one["reason"] for one in outside.json("history", "--limit", "2")["operations"]] == ["2", "1"]


def test_history_asks_no_cloud_and_loads_no_sdk(outside: Outside) -> None:
    outside.run("cancel", TENCENT)
    asked = len(outside.requests())
    script = (
        "import sys; from runcancel.cli import run; code = run(['history', '-o', 'json']);"
        "sdks = {'botocore', 'boto3', 'tencentcloud', 'urllib3', 'rich'} & sys.modules.keys();"
        "sdks |= {name for name in sys.modules if name.startswith(('alibabacloud', 'darabonba'))};"
        "sys.exit(code or (str(sdks) if sdks else 0))"
    )
    environ = {name: value for name, value in outside.environ.items() if "ENDPOINT" not in name}

    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["operations"]) == 1
    assert len(outside.requests()) == asked


def test_bytes_that_are_no_text_do_not_stop_a_cancel(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "--reason", "\udcff", "-o", "json")

    assert done.code == 0, str(done)
    assert operations(outside)[0]["reason"] == "\\udcff"
    assert outside.run("history", "\udcff").code == 2


def test_a_database_of_somebody_else_stops_no_cancel_and_stays_as_it_is(outside: Outside) -> None:
    file = outside.home / ".local" / "state" / "runcancel" / "journal.sqlite3"
    file.parent.mkdir(parents=True)
    foreign = sqlite3.connect(file)
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    before = file.read_bytes()

    done = outside.run("cancel", TENCENT, "-o", "json")

    assert done.code == 0, str(done)
    assert done.document["operation"] is None
    assert done.err.count("not a runcancel journal") == 1
    assert outside.run("history").code == 6
    assert file.read_bytes() == before


def test_what_was_not_judged_is_told_as_far_as_it_is_known(outside: Outside) -> None:
    refs = [*fleet(outside), ENDED[-1]]
    outside.faults("tencent:CancelInvocation=hang,seconds=30,after=2")
    killed(outside, "cancel", *refs, until="CancelInvocation", times=3)
    outside.faults()
    (operation,) = operations(outside)

    done = outside.run("history", operation["id"], "-o", "json")

    told = done.outcomes
    assert (operation["state"], set(told)) == ("open", set(refs))
    assert (told[ENDED[-1]]["verdict"], told[ENDED[-1]]["error"]) == ("ended", None)
    accepted = [told[ref] for ref in refs if told[ref]["verdict"] == "requested"]
    doubtful = [told[ref] for ref in refs if told[ref]["verdict"] == "in-doubt"]
    assert len(accepted) <= 2
    assert len(accepted) + len(doubtful) == len(refs) - 1
    assert all(one["request_ids"] and "no result recorded" in one["error"]["message"] for one in accepted)
    assert all("may or may not" in one["error"]["message"] for one in doubtful)
    assert all(one["error"]["code"] == "interrupted" for one in (*accepted, *doubtful))
    assert all(len(told[ref]["invocations"]) == 3 for ref in refs[:-1])
    assert f"--resume {operation['id']}" in done.err


@pytest.mark.parametrize(
    ("ref", "watched", "verdict"),
    [
        (TENCENT, "DescribeInvocations", "stopped"),
        (KILLED, "DescribeInvocations", "reported"),
        (COMMAND, "ListCommands", "stopped"),
        (WINDOW, "GetMaintenanceWindowExecution", "stopped"),
    ],
)
def test_a_resume_claims_what_the_killed_cancel_did(outside: Outside, ref: str, watched: str, verdict: str) -> None:
    """What ended between the kill and the resume ended by the cancel, and not by itself."""
    outside.faults(f"{watched}=hang,seconds=30,after=1")
    killed(outside, "cancel", ref, until=watched, times=2)
    outside.faults()
    outside.box.world.clock.advance(7200)
    (operation,) = operations(outside)

    done = outside.run("cancel", "--resume", operation["id"], "-o", "json")

    assert done.outcomes[ref]["verdict"] == verdict, str(done)
    assert len(outside.writes()) == 1


@pytest.mark.parametrize(
    ("ref", "cancel", "verdict"),
    [
        (TENCENT, "CancelInvocation", "stopped"),
        (KILLED, "StopInvocation", "reported"),
        (COMMAND, "CancelCommand", "stopped"),
        (WINDOW, "CancelMaintenanceWindowExecution", "stopped"),
    ],
)
def test_a_resume_claims_a_cancel_without_a_recorded_reply(
    outside: Outside, ref: str, cancel: str, verdict: str
) -> None:
    """The kill came while the cancel was in flight, and the cloud had it: the run did not end by itself."""
    outside.faults(f"{cancel}=hang,seconds=30,effect=true")
    killed(outside, "cancel", ref, until=cancel, times=1)
    outside.faults()
    outside.box.world.clock.advance(7200)
    (operation,) = operations(outside)

    done = outside.run("cancel", "--resume", operation["id"], "-o", "json")

    assert done.outcomes[ref]["verdict"] == verdict, str(done)
    assert done.outcomes[ref]["before"] == "running"
    assert len(outside.writes()) == 1


@pytest.mark.parametrize("ref", [WINDOW, ONE_SHOT])
def test_a_resume_of_a_partial_stop_is_partial(outside: Outside, ref: str) -> None:
    outside.faults(f"{RESUMED[ref]}=hang,seconds=30,after=1")
    killed(outside, "cancel", ref, until=RESUMED[ref], times=2)
    outside.faults()
    (operation,) = operations(outside)

    done = outside.run("cancel", "--resume", operation["id"], "-o", "json")

    assert (done.code, done.outcomes[ref]["verdict"]) == (3, "partial"), str(done)


def test_a_resume_does_not_forget_what_keeps_running(outside: Outside) -> None:
    first = outside.run("cancel", WINDOW, TENCENT, "-o", "json")
    sent = len(outside.writes())

    done = outside.run("cancel", "--resume", first.document["operation"], "-o", "json")

    assert (first.code, done.code) == (3, 3), str(done)
    assert {ref: one["verdict"] for ref, one in done.outcomes.items()} == {WINDOW: "partial"}
    assert len(outside.writes()) == sent
    assert operations(outside)[0]["exit_code"] == 3


def test_a_home_that_cannot_be_written_is_one_warning_and_the_cancel_goes_on(outside: Outside) -> None:
    env = {"XDG_STATE_HOME": "/dev/null"}

    refused = outside.run("cancel", TENCENT, "--require-journal", env=env)
    assert (refused.code, outside.writes()) == (6, [])
    done = outside.run("cancel", TENCENT, "-o", "json", env=env)

    assert done.code == 0
    assert done.err.count("cannot be used") == 1
    assert done.document["operation"] is None
    assert outside.run("history", env=env).code == 6


def fleet(outside: Outside) -> list[str]:
    return [outside.add("tencent", name=f"patch-{n}", targets={"running": 2, "pending": 1}) for n in range(6)]


@pytest.mark.parametrize(
    ("fault", "until", "times"),
    [
        ("tencent:CancelInvocation=hang,seconds=30", "CancelInvocation", 1),
        ("tencent:CancelInvocation=hang,seconds=30,effect=true", "CancelInvocation", 3),
        ("tencent:CancelInvocation=hang,seconds=30,after=3", "CancelInvocation", 4),
        ("tencent:DescribeInvocations=hang,seconds=30,after=1", "DescribeInvocations", 2),
    ],
    ids=["before the effect", "after the effect", "some answered", "while watching"],
)
def test_a_kill_loses_nothing_and_a_resume_comes_to_the_same_end(
    outside: Outside, fault: str, until: str, times: int
) -> None:
    refs = fleet(outside)
    outside.faults(fault)
    killed(outside, "cancel", *refs, until=until, times=times)
    outside.faults()
    (operation,) = operations(outside)
    assert operation["state"] == "open"
    assert sum(operation["counts"].values()) == len(refs)

    done = outside.run("cancel", "--resume", operation["id"], "-o", "json")

    assert done.code == 0, str(done)
    assert [outside.states(ref) for ref in refs] == [{"cancelled": 1, "terminated": 2}] * len(refs)
    assert all(one["cancels"] == 1 for ref in refs for one in outside.truth(ref)["targets"])
    (after,) = operations(outside)
    assert (after["state"], after["exit_code"]) == ("done", 0)
    assert set(after["counts"]) <= {"stopped", "ended"}


def test_an_interrupt_says_how_to_go_on_and_the_resume_does_only_the_rest(outside: Outside) -> None:
    refs = fleet(outside)
    outside.faults("tencent:CancelInvocation=hang,seconds=30,after=2")
    done, took = outside.interrupted(signal.SIGINT, "cancel", *refs, "-o", "json", until="CancelInvocation")
    outside.faults()

    assert done.code == 130
    assert took < 1.5
    assert len(done.document["outcomes"]) == len(refs)
    assert f"--resume {done.document['operation']}" in done.err
    again = outside.run("cancel", "--resume", done.document["operation"], "-o", "json")
    assert again.code == 0, str(again)
    assert [outside.states(ref) for ref in refs] == [{"cancelled": 1, "terminated": 2}] * len(refs)
    assert outside.run("cancel", "--resume", done.document["operation"]).code == 0


def test_a_resume_keeps_to_the_targets_that_were_named(outside: Outside) -> None:
    target = outside.targets(TENCENT, "running")[0]
    outside.faults("tencent:CancelInvocation=hang,seconds=30")
    killed(outside, "cancel", TENCENT, "--target", target, until="CancelInvocation")
    outside.faults()

    outside.run("cancel", "--resume", operations(outside)[0]["id"])

    assert outside.states(TENCENT) == {"pending": 3, "running": 8, "terminated": 1}


def test_the_journal_holds_no_secret_and_is_private(outside: Outside) -> None:
    outside.run("cancel", TENCENT, ONE_SHOT, "--timeout", "0")
    folder = outside.home / ".local" / "state" / "runcancel"

    kept = b"".join(file.read_bytes() for file in folder.iterdir())

    secrets = [value for name, value in outside.environ.items() if "SECRET" in name or "TOKEN" in name]
    assert len(secrets) >= 3
    assert not any(secret.encode() in kept for secret in secrets)
    assert all(file.stat().st_mode & 0o077 == 0 for file in (folder, *folder.iterdir()))


def test_another_process_reads_while_one_writes(outside: Outside) -> None:
    outside.faults("tencent:CancelInvocation=hang,seconds=3")
    child = outside.start("cancel", TENCENT, "-o", "json")
    try:
        outside.wait_for("CancelInvocation")
        (operation,) = operations(outside)
    finally:
        out, _ = child.communicate(timeout=30)

    assert operation["state"] == "open"
    assert json.loads(out)["operation"] == operation["id"]
    assert Path(outside.home).exists()


def test_operations_with_runs_without_a_result_are_found_by_a_plain_word(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "-o", "json")
    outside.faults("alibaba:StopInvocation=hang,seconds=30")
    killed(outside, "cancel", ONE_SHOT, until="StopInvocation")

    found = outside.json("history", "--status", "no-result")["operations"]

    assert [one["counts"] for one in found] == [{"unjudged": 1}]
    assert [one["run"] for one in outside.json("history", found[0]["id"], "--status", "no-result")["outcomes"]] == [
        ONE_SHOT
    ]
    assert outside.json("history", found[0]["id"], "--status", "stopped")["outcomes"] == []
    assert outside.run("history", "--status", "unjudged").code == 2


def test_a_person_reads_that_there_is_nothing_and_where_and_a_script_nothing(outside: Outside) -> None:
    file = outside.home / ".local" / "state" / "runcancel" / "journal.sqlite3"
    config = outside.home / ".config" / "runcancel" / "config.toml"
    empty = {
        ("history",): f"There is no journal yet ({file}). A cancel, disable or enable creates it",
        ("contexts",): f"No context is configured in {config}. To add one: runcancel contexts add",
        ("contexts", "groups"): "No group is configured. To make one: runcancel contexts groups add",
        ("report",): f"the journal is {file}",
        ("list", "--name", "nothing-such"): "No runs match. Searched",
        ("triggers", "--name", "nothing-such"): "No triggers match. Searched",
    }
    for words, sentence in empty.items():
        shown = outside.on_terminal(*words, columns=240)
        assert sentence in shown.final, shown.final
    for words in (("history",), ("contexts",), ("contexts", "groups")):
        done = outside.run(*words, "-o", "jsonl")
        assert (done.code, done.err) == (0, "")
    assert outside.run("cancel", TENCENT, "--no-wait").code == 0
    shown = outside.on_terminal("history", "--status", "failed", columns=240)
    assert f"No operation in the journal has a run of this --status ({file})" in shown.final
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM operations")
    assert f"The journal has no operations ({file})" in outside.on_terminal("history", columns=240).final
