"""What version 0.1 wrote still loads: its journal, its plans, its configuration."""

import json
import sqlite3
from pathlib import Path

from outside import TENCENT, WINDOW, Outside

SAMPLES = Path(__file__).parents[1] / "samples" / "written-by-0.1"


def with_journal(outside: Outside) -> str:
    """Put the journal of 0.1 in its place; the id of its one operation."""
    folder = outside.home / ".local" / "state" / "runcancel"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    file = folder / "journal.sqlite3"
    file.touch(mode=0o600)
    journal = sqlite3.connect(file)
    journal.executescript((SAMPLES / "journal.sql").read_text())
    ((id,),) = journal.execute("SELECT id FROM operations").fetchall()
    journal.close()
    return str(id)


def test_its_journal_is_shown_and_resumed(outside: Outside) -> None:
    id = with_journal(outside)

    shown = outside.json("history", id)
    done = outside.run("cancel", "--resume", id, "-o", "json")

    assert {one["run"]: one["verdict"] for one in shown["outcomes"]} == {WINDOW: "requested", TENCENT: "requested"}
    assert {one["run"]: one["verdict"] for one in done.document["outcomes"]} == {WINDOW: "partial", TENCENT: "stopped"}


def test_its_plan_is_carried_out(outside: Outside) -> None:
    plan = json.loads((SAMPLES / "plan.json").read_text()) | {"expires_at": "2099-01-01T00:00:00Z"}

    done = outside.run("cancel", "--plan", "-", "--confirm", "2", "-o", "json", stdin=json.dumps(plan))

    assert {one["run"]: one["verdict"] for one in done.document["outcomes"]} == {WINDOW: "partial", TENCENT: "stopped"}


def test_its_configuration_is_read(outside: Outside) -> None:
    file = outside.home / ".config" / "runcancel" / "config.toml"
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    file.write_text((SAMPLES / "config.toml").read_text())
    file.chmod(0o600)

    (row,) = outside.json("contexts", "list")["contexts"]

    assert (row["name"], row["provider"], row["regions"]) == ("prod-cn", "alibaba", ["cn-hangzhou"])
