"""`status --script` and `status --who`: what a run executes, and who sent it."""

import json

import pytest
from outside import AUTOMATION, COMMAND, ONE_SHOT, TENCENT, WINDOW, Outside

HOSTILE = "echo \x1b[31m\u202eevil\r\n[bold]x[/] =1+1\t\x00\n"
EVERY = (COMMAND, AUTOMATION, ONE_SHOT, TENCENT)


@pytest.fixture
def hostile(outside: Outside) -> str:
    return outside.add("tencent", script=HOSTILE, targets={"running": 1})


def test_a_script_is_a_key_only_when_asked_for(outside: Outside, hostile: str) -> None:
    (without,) = outside.json("status", hostile)["runs"]
    (with_script,) = outside.json("status", hostile, "--script")["runs"]

    assert not {"script", "audit"} & without.keys()
    assert with_script["script"].startswith("echo \x1b[31m")
    assert {**with_script, "script": None} == {**without, "script": None}


@pytest.mark.parametrize("format", ["table", "wide", "tsv", "csv", "json", "jsonl", "yaml"])
def test_a_hostile_script_is_printed_safely(outside: Outside, hostile: str, format: str) -> None:
    done = outside.run("status", hostile, COMMAND, "--script", "-o", format)

    assert done.code == 0
    assert "evil" in done.out
    assert not {"\x1b", "\u202e", "\x00", "\r"} & set(done.out.replace("\r\n", "\n") if format == "csv" else done.out)


def test_the_script_stands_below_the_runs(outside: Outside, hostile: str) -> None:
    one = outside.run("status", hostile, "--script", "-o", "table").out
    several = outside.run("status", hostile, TENCENT, "--script", "-o", "table").out

    assert f"Script of {hostile}\n  echo \\x1b[31m\\u202eevil\n  [bold]x[/] =1+1 " in one
    assert one.rstrip().endswith("\\x00")
    assert several.count("Script of ") == 2


def test_every_cloud_tells_its_script(outside: Outside) -> None:
    runs = {run["ref"]: run["script"] for run in outside.json("status", *EVERY, WINDOW, "--script")["runs"]}

    assert "/opt/jobs" in runs[COMMAND]
    assert "/opt/jobs/patch-openssl.sh" in runs[ONE_SHOT]
    assert "/opt/jobs/patch-openssl.sh" in runs[TENCENT]
    assert "AutomationAssumeRole: arn:aws:iam" in runs[AUTOMATION]
    assert runs[WINDOW] == "AWS-RunShellScript:\ndf"


def test_a_window_that_lists_no_script_names_the_command_that_shows_more(outside: Outside) -> None:
    ref = outside.add("aws", "maintenance-window", sort="LAMBDA", targets={"running": 1})

    done = outside.run("status", ref, "--script", "--who", "-o", "table")

    assert f"runcancel invocations {ref} --parameters" in done.err
    assert "starts by its own schedule" in done.err
    assert done.code == 0


def test_the_audit_log_tells_who_sent_each_run(outside: Outside) -> None:
    runs = {run["ref"]: run["audit"] for run in outside.json("status", *EVERY, "--who")["runs"]}

    assert runs[COMMAND]["principal"] == "arn:aws:sts::111122223333:assumed-role/ops/sandbox"
    assert runs[COMMAND]["action"] == "SendCommand"
    assert {runs[ref]["principal"] for ref in (ONE_SHOT, TENCENT)} == {"ops"}
    assert all(event["at"] and event["address"] == "203.0.113.7" for event in runs.values())


def test_tables_name_the_sender(outside: Outside) -> None:
    row = outside.run("status", COMMAND, "--who").rows[0]
    screen = outside.run("status", TENCENT, "--who", "-o", "table").out

    assert row["sent_by"].endswith("assumed-role/ops/sandbox")
    assert row["sent_from"] == "203.0.113.7"
    assert row["sent_at"]
    assert "by ops from 203.0.113.7 at " in screen


@pytest.mark.parametrize(
    ("ref", "log", "action"),
    [
        (COMMAND, "CloudTrail", "LookupEvents"),
        (ONE_SHOT, "ActionTrail", "LookupEvents"),
        (TENCENT, "CloudAudit", "DescribeEvents"),
    ],
)
def test_a_log_that_cannot_be_read_is_a_note(outside: Outside, ref: str, log: str, action: str) -> None:
    outside.faults(f"{ref.split(':', maxsplit=1)[0]}:{action}=denied")

    done = outside.run("status", ref, "--who", "-o", "json")

    assert (done.code, done.document["errors"], done.document["complete"]) == (0, [], True)
    assert done.document["runs"][0]["audit"] is None
    assert f"{log} cannot be read" in done.err
    assert f"runcancel permissions --audit -p {ref.split(':', maxsplit=1)[0]}" in done.err


def test_a_young_run_may_still_come(outside: Outside) -> None:
    ref = outside.add("aws", "command", age=1)

    done = outside.run("status", ref, "--who", "-o", "json")

    assert done.code == 0
    assert done.document["runs"][0]["audit"] is None or done.document["runs"][0]["audit"]["action"] == "SendCommand"
    assert done.document["runs"][0]["audit"] is not None or "not in the audit log yet" in done.err


def test_a_cancel_asks_no_audit_log(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--no-wait")

    assert not {"LookupEvents", "DescribeEvents"} & set(outside.actions())


@pytest.mark.parametrize(
    ("provider", "action"),
    [
        ("aws", "cloudtrail:LookupEvents"),
        ("alibaba", "actiontrail:LookupEvents"),
        ("tencent", "cloudaudit:DescribeEvents"),
    ],
)
def test_permissions_name_the_audit_log_when_asked(outside: Outside, provider: str, action: str) -> None:
    asked = outside.run("permissions", "-p", provider, "--audit", "-o", "json").document["policies"][0]
    without = outside.run("permissions", "-p", provider, "-o", "json").document["policies"][0]

    assert action in json.dumps(asked["policy"])
    assert action not in json.dumps(without["policy"])


def test_two_accounts_named_by_their_runs(outside: Outside) -> None:
    refs = [outside.add("tencent", started_by=name, age=600) for name in ("alice", "mallory")]

    runs = outside.json("status", *refs, "--who")["runs"]

    assert [run["audit"]["principal"] for run in runs] == ["alice", "mallory"]


def test_many_runs_are_not_collapsed_when_more_is_asked_for(outside: Outside) -> None:
    refs = [outside.add("tencent", name="deploy", started_by=f"user{at}", age=600) for at in range(12)]

    shown = outside.run("status", *refs, "--who", "-o", "table").out

    assert all(f"user{at}" in shown for at in range(12))
