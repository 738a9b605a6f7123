"""`runcancel report`: the incident report of operations, through the real command."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from outside import ENDED, KILLED, ONE_SHOT, SCHEDULE, TENCENT, WINDOW, Outside

from cli.test_history import killed
from cli.test_written_by_0_1 import with_journal

HOSTILE = "a|b `c` <script>alert(1)</script> [x](http://evil.example) @ops\n# no \u202e"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def report(outside: Outside, *ids: str, code: int = 0) -> Any:
    (one,) = outside.json("report", *ids, code=code)["reports"]
    return one


def runs(one: Any) -> dict[str, Any]:
    return {run["run"]: run for account in one["accounts"] for run in account["runs"]}


def newest(outside: Outside) -> str:
    return str(outside.json("history")["operations"][0]["id"])


def cells(markdown: str) -> list[list[str]]:
    """The rows of all tables, cells unescaped as far as bars go."""
    rows = [line.replace("\\|", "\0") for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("\0", "|") for cell in row.strip("|").split("|")] for row in rows]


def test_a_report_has_who_when_why_and_what_became_of_every_target(outside: Outside) -> None:
    outside.run("cancel", TENCENT, WINDOW, "--reason", "bad patch 4711")

    one = report(outside)

    (operation,) = one["operations"]
    assert (operation["reason"], operation["exit_code"], one["finished"]) == ("bad patch 4711", 3, True)
    assert operation["argv"][:2] == ["cancel", TENCENT]
    assert one["verdicts"] == {"stopped": 1, "partial": 1}
    assert one["effects"] == {"cancelled": 20, "terminated": 9, "kept-running": 3, "already-ended": 5}
    assert [(step["step"], step["runs"]) for step in one["timeline"] if step["at"]][:5] == [
        ("started", None),
        ("confirmed", 2),
        ("found", 2),
        ("sent", 2),
        ("accepted", 2),
    ], "runs that are named one by one need no confirmation: each is sent as soon as it is found"
    window = runs(one)[WINDOW]
    (kept,) = (group for group in window["targets"] if group["effect"] == "kept-running")
    assert (kept["count"], len(kept["targets"])) == (3, 3)
    assert window["request_ids"]
    assert window["found_at"] <= window["sent_at"] <= window["accepted_at"] <= window["seen_at"]
    assert [step["command"] for step in one["next_steps"]] == [
        f"runcancel cancel {WINDOW} --stop-running",
        "runcancel disable aws:us-east-2:window/mw-0c50858d01c0ffee0",
    ]
    assert one["states"][0]["counts"] != one["states"][-1]["counts"]
    assert sum(one["states"][-1]["counts"].values()) == 37


def test_several_operations_become_one_and_a_second_cancel_takes_nothing_back(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--reason", "first")
    outside.run("cancel", TENCENT, KILLED, "--reason", "second")
    first, second = (one["id"] for one in reversed(outside.json("history")["operations"]))

    one = report(outside, second, first[:20], "last")

    assert [each["id"] for each in one["operations"]] == [first, second]
    assert one["verdicts"] == {"stopped": 1, "reported": 1}
    assert runs(one)[TENCENT]["operations"] == [first, second]
    assert runs(one)[TENCENT]["before"] == "running"
    assert one["effects"] == {"cancelled": 7, "terminated": 15}


def test_the_account_and_the_confirmation_are_shown_where_they_are_recorded(outside: Outside) -> None:
    outside.run("cancel", "--name", "patch-openssl", "-p", "tencent", "-r", "ap-guangzhou", "--yes")

    one = report(outside)

    (account,) = one["accounts"]
    steps = {step["step"]: step for step in one["timeline"]}
    confirmed = steps["confirmed"]
    assert steps["found"]["at"] <= confirmed["at"] <= steps["sent"]["at"] <= steps["accepted"]["at"]
    assert (confirmed["detail"], confirmed["runs"]) == ("--yes", 1)
    assert confirmed["by"] == f"{one['operations'][0]['user']}@{one['operations'][0]['host']}"
    assert account["account"] is not None
    assert account["principals"]


def test_an_unfinished_operation_is_reported_and_ends_with_7(outside: Outside) -> None:
    killed(outside, "cancel", TENCENT, until="CancelInvocation")

    done = outside.run("report")
    one = report(outside, code=7)

    assert done.code == 7, str(done)
    assert "This report is incomplete" in done.out
    assert f"runcancel cancel --resume {newest(outside)}" in done.out
    assert "runcancel cancel --resume" in done.err
    assert one["finished"] is False
    assert runs(one)[TENCENT]["verdict"] in ("in-doubt", "requested")
    assert outside.run("cancel", "--resume", "last").code == 0
    again = report(outside)
    assert [step["step"] for step in again["timeline"]].count("resumed") == 1
    assert again["verdicts"] in ({"stopped": 1}, {"ended": 1}), "it may have ended before it was read again"


def test_one_run_is_read_again_as_one(outside: Outside) -> None:
    outside.run("cancel", ONE_SHOT, "--timeout", "0")

    assert "1 run is not verified stopped. To read it again:" in outside.run("report").out


def test_what_0_1_did_not_record_is_called_so(outside: Outside) -> None:
    id = with_journal(outside)

    done = outside.run("report", id)

    assert done.code == 0, str(done)
    rows = {row[1]: row for row in cells(done.out) if len(row) == 5}
    assert rows["Confirmed"][0] == "not recorded"
    assert rows["Cancel sent"][0] == rows["Cancel accepted"][0] == "not recorded"
    assert "Readings with state counts: not recorded" in done.out


def test_a_schedule_that_was_cancelled_is_named_with_how_to_restore_it(outside: Outside) -> None:
    outside.run("cancel", SCHEDULE)

    texts = [step["text"] for step in report(outside)["restore"]]

    assert any(text.startswith(SCHEDULE) and "create it again" in text for text in texts)


def test_wrong_ids_and_missing_operations(outside: Outside) -> None:
    assert outside.run("report").code == 5
    outside.run("cancel", TENCENT)

    for word in ("no id!", "", "01K9ZQ3V7W5T8R2M4N6P0C1D2EXX", "../../etc"):
        assert outside.run("report", word).code == 2, word
    missing = outside.run("report", "last", "01K9ZQ3V7W5T8R2M4N6P0C1D2E", "-o", "json")
    assert missing.code == 5
    assert missing.document["reports"] == []
    assert "01K9ZQ3V7W5T8R2M4N6P0C1D2E" in missing.document["errors"][0]["message"]
    assert outside.run("report", "-o", "table").code == 2
    assert outside.run("report", "-o", "md", "--query", "reports").code == 2
    assert outside.run("report", "--columns", "run").code == 2
    assert outside.run("report", env={"RUNCANCEL_OUTPUT": "wide"}).out.startswith("# Incident report")


def test_every_format_is_one_document(outside: Outside) -> None:
    outside.run("cancel", ENDED[4])

    line, end = outside.run("report", "-o", "jsonl").lines
    verdicts = outside.run("report", "--query", "reports[0].verdicts", "-o", "json").document

    assert (line["type"], end["type"]) == ("report", "end")
    assert verdicts == {"ended": 1}
    assert outside.run("report", "-o", "yaml").out.startswith("format_version:")
    assert outside.run("report", env={"RUNCANCEL_OUTPUT": "json"}).document["verb"] == "report"
    assert outside.run("report", "-o", "html").out.startswith("<!DOCTYPE html>")


class _Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_hostile_text_is_text_in_every_format(outside: Outside) -> None:
    ref = outside.add("tencent", name=HOSTILE.replace("\n", " "), targets={"running": 2})
    outside.run("cancel", ref, "--reason", HOSTILE)

    markdown = outside.run("report").out
    page = outside.run("report", "-o", "html").out

    assert "<script" not in markdown
    assert "\u202e" not in markdown + page
    assert "http://" not in markdown
    assert {len(row) for row in cells(markdown)} == {2, 3, 5, 9}
    parsed = _Elements()
    parsed.feed(page)
    assert {"script", "a", "img", "link", "iframe"}.isdisjoint(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in ("src", "href")]
    assert "<script>alert(1)</script>" in "".join(parsed.words)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium and no google-chrome on the path: install one to look at it")
def test_a_browser_shows_it_and_loads_nothing(outside: Outside, tmp_path: Path) -> None:
    outside.run("cancel", TENCENT, WINDOW, ONE_SHOT, "--reason", HOSTILE)
    page = tmp_path / "report.html"
    page.write_text(outside.run("report", "-o", "html").out, encoding="utf-8")

    shown = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--enable-logging=stderr", "--virtual-time-budget=1000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert shown.stdout.count("<polygon") >= 3
    assert "CONSOLE" not in shown.stderr, "no error and no refused resource"
    assert "<script" not in shown.stdout


NIGHTLY = "aws:us-east-2:window/mw-0c50858d01c0ffee0"
CLEANUP = "aws:us-east-2:rule/default/nightly-cleanup"
RESTORE = "runcancel enable --operation {}"


def triggers(one: Any) -> dict[str, tuple[str, str, str]]:
    return {each["trigger"]: (each["verdict"], each["before"], each["after"]) for each in one["triggers"]}


def test_disabled_triggers_are_reported_in_their_own_words_with_how_to_restore_them(outside: Outside) -> None:
    id = outside.json("disable", NIGHTLY, CLEANUP, "--reason", "bad patch")["operation"]

    one = report(outside)

    assert triggers(one) == dict.fromkeys((NIGHTLY, CLEANUP), ("disabled", "enabled", "disabled"))
    assert (one["trigger_verdicts"], one["verdicts"], one["effects"]) == ({"disabled": 2}, {}, {})
    assert (one["accounts"], one["states"], one["next_steps"]) == ([], [], [])
    assert [step["command"] for step in one["restore"]] == [RESTORE.format(id)]
    assert ("seen", 2, "disabled") in [(step["step"], step["runs"], step["detail"]) for step in one["timeline"]]
    markdown = outside.run("report").out
    assert "2 triggers in 1 account" in markdown
    assert "every trigger is in the requested state" in markdown
    for words in ("stopped", "terminated", "A cancel", "Cancel ", "## Runs", "## States"):
        assert words not in markdown
    assert NIGHTLY in outside.run("report", "-o", "html").out
    assert f"To restore the triggers: {RESTORE.format(id)}" in outside.run("history", "last").err


def test_a_restore_and_a_cancel_join_the_report_of_what_they_followed(outside: Outside) -> None:
    outside.run("cancel", TENCENT)
    disabled = outside.json("disable", NIGHTLY)["operation"]
    outside.run("enable", "--operation", "last", "--yes")
    ids = [one["id"] for one in outside.json("history")["operations"]]

    one = report(outside, *ids)

    assert (one["verdicts"], one["trigger_verdicts"]) == ({"stopped": 1}, {"enabled": 1})
    assert triggers(one) == {NIGHTLY: ("enabled", "enabled", "enabled")}
    assert [step["command"] for step in one["restore"]] == [None, None]
    assert one["restore"][-1]["text"] == f"What operation {disabled} disabled is enabled again."
    assert "1 run and 1 trigger in" in outside.run("report", *ids).out
    for word, count in (("disabled", 1), ("enabled", 1), ("stopped", 1), ("drifted", 0)):
        assert len(outside.json("history", "--status", word)["operations"]) == count
    assert len(outside.json("history", disabled, "--status", "disabled")["outcomes"]) == 1
    assert outside.json("history", disabled, "--status", "stopped")["outcomes"] == []


def test_an_unfinished_change_of_triggers_is_continued_by_its_own_verb(outside: Outside) -> None:
    outside.faults({"kind": "denied", "action": "UpdateMaintenanceWindow"})
    id = outside.json("disable", NIGHTLY, code=4)["operation"]

    (step,) = report(outside)["next_steps"]

    assert step["command"] == f"runcancel disable --resume {id}"
    assert step["text"] == f"Operation {id} left 1 trigger that is not verified disabled. To continue it:"


def test_a_cancel_that_could_not_disable_its_trigger_names_the_command(outside: Outside) -> None:
    outside.faults({"kind": "denied", "action": "UpdateMaintenanceWindow"})
    outside.run("cancel", WINDOW, "--disable-triggers")

    one = report(outside)

    assert [verdict for verdict, *_ in triggers(one).values()] == ["failed"]
    assert f"runcancel disable {NIGHTLY}" in [step["command"] for step in one["next_steps"]]
    assert not [step for step in one["restore"] if step["command"]]


def test_a_report_of_a_disable_alone_names_the_cancel_before_it(outside: Outside) -> None:
    trigger = outside.json("triggers", "--kind", "invoker", "--status", "enabled")["triggers"][0]["ref"]
    assert outside.run("disable", trigger, "--confirm", "1").code == 0
    assert "this report is about" not in outside.run("report").err
    cancel = outside.json("cancel", TENCENT)["operation"]
    assert "this report is about" not in outside.run("report").err
    enable = outside.json("enable", trigger)["operation"]

    done = outside.run("report")
    both = f"runcancel report {cancel} {enable}"

    assert "note: this report is about the enable alone. With the cancel of " in done.err
    assert done.err.rstrip().endswith(both)
    assert "this report is about" not in outside.run("report", enable).err
    assert len(outside.json(*both.split()[1:])["reports"][0]["operations"]) == 2
