"""The journal of a team through the command: two machines, one database, and no password anywhere."""

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from databases import Server
from outside import TENCENT, Done, Outside

CANARY = "c4n4ry-Pa55word"


@pytest.fixture
def machines(outside: Outside, team_url: str, tmp_path: Path) -> list[Mapping[str, str]]:
    """The variables of two machines that share a journal: each has a state directory of its own."""
    return [{"RUNCANCEL_JOURNAL_URL": team_url, "XDG_STATE_HOME": str(tmp_path / name)} for name in ("one", "two")]


def configure(outside: Outside, text: str) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def operation(done: Done) -> str:
    return str(done.document["operation"])


def test_what_one_machine_cancels_another_one_shows_reports_and_cancels_again(
    outside: Outside, machines: list[Mapping[str, str]]
) -> None:
    one, two = machines
    id = operation(outside.run("cancel", TENCENT, "--reason", "bad patch", "-o", "json", env=one))

    shown = outside.run("history", "-o", "json", env=two)
    last = outside.run("history", "last", "-o", "json", env=two)
    report = outside.run("report", id[:20], "-o", "json", env=two)
    again = outside.run("cancel", "--operation", id, "--yes", "-o", "json", env=two)

    assert [each["id"] for each in shown.document["operations"]] == [id]
    assert last.document["operation"] == id
    assert report.code == 0
    assert report.document["reports"][0]["operations"][0]["reason"] == "bad patch"
    assert again.outcomes[TENCENT]["verdict"] in ("stopped", "ended")
    assert [each["id"] for each in outside.run("history", "-o", "json", env=one).document["operations"]] == [
        operation(again),
        id,
    ]


def test_an_interrupted_cancel_is_resumed_on_another_machine(
    outside: Outside, machines: list[Mapping[str, str]]
) -> None:
    one, two = machines
    id = operation(outside.run("cancel", TENCENT, "--no-wait", "-o", "json", env=one))

    done = outside.run("cancel", "--resume", id, "-o", "json", env=two)

    assert operation(done) == id
    assert done.outcomes[TENCENT]["verdict"] == "stopped"
    (entry,) = outside.run("history", "-o", "json", env=one).document["operations"]
    assert (entry["state"], entry["counts"]) == ("done", {"stopped": 1})


def test_the_configuration_names_it_and_an_empty_variable_selects_the_local_one(
    outside: Outside, team_url: str
) -> None:
    configure(outside, f'[journal]\nurl = "{team_url}"\n')
    outside.run("cancel", TENCENT, "-o", "json")
    outside.run("contexts", "add", "cn", "-p", "tencent", "-r", "ap-guangzhou")

    elsewhere = {"XDG_STATE_HOME": str(outside.home / "elsewhere")}
    assert len(outside.run("history", "-o", "json", env=elsewhere).document["operations"]) == 1
    assert (
        outside.run("history", "-o", "json", env={**elsewhere, "RUNCANCEL_JOURNAL_URL": ""}).document["operations"]
        == []
    )


def test_a_store_that_is_not_migrated_is_one_line_with_the_command_and_the_cancel_goes_on(
    outside: Outside, postgres: Server
) -> None:
    env = {"RUNCANCEL_JOURNAL_URL": postgres.create()}

    done = outside.run("cancel", TENCENT, "-o", "json", env=env)
    local = outside.run("history", "last", "-o", "json")
    first, second = (outside.run("history", "migrate", env=env) for _ in range(2))
    synced = outside.run("history", "sync", env=env)
    elsewhere = outside.run("history", "-o", "json", env={**env, "XDG_STATE_HOME": str(outside.home / "elsewhere")})

    assert done.code == 0
    assert done.err.count("runcancel history migrate") == 1
    assert local.document["operation"] == operation(done)
    assert (first.code, second.code, synced.code) == (0, 0, 0)
    assert "applied 1" in first.err
    assert "nothing was changed" in second.err
    assert f"copied {operation(done)}" in synced.err
    assert [each["id"] for each in elsewhere.document["operations"]] == [operation(done)]


def test_without_a_team_journal_there_is_nothing_to_migrate(outside: Outside) -> None:
    for word in ("migrate", "sync"):
        done = outside.run("history", word)
        assert done.code == 6
        assert "RUNCANCEL_JOURNAL_URL" in done.err


WITH_PASSWORD = (
    f"postgresql://ops:{CANARY}@db.example/runcancel",
    f"postgresql://db.example/runcancel?password={CANARY}",
    f"postgresql://ops:{CANARY}@one,two/runcancel",
    f"postgresql://db.example/runcancel?sslmode=require&sslpassword={CANARY}",
)


@pytest.mark.parametrize("url", WITH_PASSWORD)
@pytest.mark.parametrize("configured", [True, False], ids=["in the file", "in the variable"])
def test_a_password_in_the_url_is_refused_and_nowhere(outside: Outside, url: str, configured: bool) -> None:
    env = {} if configured else {"RUNCANCEL_JOURNAL_URL": url}
    if configured:
        configure(outside, f'[journal]\nurl = "{url}"\n')

    for words in (("cancel", TENCENT), ("history",), ("history", "migrate"), ("report",)):
        done = outside.run(*words, "--debug", env=env)

        assert done.code == 2
        assert "contains a password" in done.err
        assert CANARY not in done.out + done.err
        assert "Traceback" not in done.err
    assert not outside.writes()


@pytest.mark.parametrize(
    "url", ["mysql://db/x", "db.example", "postgresql:/db", "host=db password=x", "postgresql://[x/y"]
)
def test_what_is_no_such_url_is_wrong_usage(outside: Outside, url: str) -> None:
    done = outside.run("history", env={"RUNCANCEL_JOURNAL_URL": url})

    assert done.code == 2
    assert "RUNCANCEL_JOURNAL_URL" in done.err


def test_a_password_of_libpq_is_used_and_is_nowhere(outside: Outside, postgres: Server, team_url: str) -> None:
    """From a variable and from a password file, right and wrong, on every stream and in every file."""
    postgres.execute(
        "DO $$ BEGIN CREATE ROLE canary LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"ALTER ROLE canary PASSWORD '{CANARY}'",
    )
    postgres.execute(
        "GRANT USAGE ON SCHEMA runcancel TO canary",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA runcancel TO canary",
        database=team_url.rpartition("/")[2],
    )
    url = team_url.replace("postgres@", "canary@")
    passfile = outside.home / "pgpass"
    passfile.write_text(f"*:*:*:canary:{CANARY}\n")
    passfile.chmod(0o600)
    wrong = f"{CANARY}-wrong"
    for env, accepted in (
        ({"PGPASSWORD": CANARY}, True),
        ({"PGPASSFILE": str(passfile)}, True),
        ({"PGPASSWORD": wrong}, False),
        ({}, False),
    ):
        env = {"RUNCANCEL_JOURNAL_URL": url, **env}
        done = outside.run("cancel", TENCENT, "--debug", "-o", "json", env=env)

        assert done.code == 0
        assert ("the team journal" not in done.err) == accepted, done.err
        files = {path: path.read_bytes() for path in outside.home.rglob("*") if path.is_file() and path != passfile}
        for text in (done.out, done.err, json.dumps(done.argv), *(str(each) for each in files.values())):
            assert CANARY not in text


def test_doctor_shows_whether_the_team_journal_can_be_used(outside: Outside, team_url: str) -> None:
    for url, fine in ((team_url, True), (f"{team_url}_missing", False)):
        done = outside.run("doctor", "-p", "tencent", "-o", "json", env={"RUNCANCEL_JOURNAL_URL": url})

        (row,) = [each for each in done.document["files"] if each["name"] == "team-journal"]
        assert row["path"] == url.replace("postgres@", "")
        assert (row["writable"], row["problem"] is None) == (fine, fine)
        assert not (outside.home / ".local" / "state").exists()


def test_without_the_team_journal_an_answer_is_incomplete(outside: Outside) -> None:
    outside.run("cancel", TENCENT)
    env = {"RUNCANCEL_JOURNAL_URL": "postgresql://postgres@127.0.0.1:1/x"}

    for words in (("history",), ("history", "last"), ("report",), ("history", "01K9ZQ3V"), ("report", "01K9ZQ3V")):
        done = outside.run(*words, "-o", "json", env=env)

        assert (done.code, done.document["complete"]) == (7, False), str(done)
        assert done.err.count("the team journal") == 1
    done = outside.run("status", "--operation", "last", "-o", "json", env=env)
    assert done.document["runs"][0]["ref"] == TENCENT


@pytest.mark.parametrize("how", ["named", "listed"])
def test_an_interrupt_during_the_wait_for_the_team_ends_an_operation_that_sent_nothing(
    how: str, outside: Outside, team_url: str, tmp_path: Path
) -> None:
    """The server does not take the intent: another process has its tables."""
    import psycopg

    env = {"RUNCANCEL_JOURNAL_URL": team_url, "XDG_STATE_HOME": str(tmp_path / "one")}
    (tmp_path / "runs").write_text(f"{TENCENT}\n")
    words = (TENCENT,) if how == "named" else ("-f", str(tmp_path / "runs"), "--yes")
    with psycopg.connect(team_url) as holder, psycopg.connect(team_url, autocommit=True) as watcher:
        holder.execute("LOCK TABLE runcancel.operations IN ACCESS EXCLUSIVE MODE")
        child = outside.start("cancel", *words, "-o", "json", env=env)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while watcher.execute(waits).fetchone() == (0,) and child.poll() is None:
            pass
        child.send_signal(signal.SIGINT)
        holder.rollback()
        out, err = child.communicate(timeout=30)

    document = json.loads(out)
    assert child.returncode == 130, err
    assert not outside.actions().count("CancelInvocation")
    assert [(each["run"], each["verdict"]) for each in document["outcomes"]] == [(TENCENT, "skipped")]
    assert "interrupted: no cancel was sent" in err
    assert f"runcancel cancel --resume {document['operation']}" in err
    (entry,) = outside.json("history", env=env)["operations"]
    assert (entry["id"], entry["state"]) == (document["operation"], "interrupted")
    assert outside.run("cancel", "--resume", "last", "-o", "json", env=env).outcomes[TENCENT]["verdict"] == "stopped"


def test_what_one_machine_pruned_another_one_does_not_copy_back(
    outside: Outside, machines: list[Mapping[str, str]]
) -> None:
    one, two = machines
    id = operation(outside.run("cancel", TENCENT, "-o", "json", env=one))
    alone = operation(outside.run("cancel", TENCENT, "-o", "json", env={**one, "RUNCANCEL_JOURNAL_URL": ""}))
    assert f"copied {alone}" in outside.run("history", "sync", env=one).err
    begun = int(time.time())
    while int(time.time()) == begun:  # operations and prunes differ by whole seconds
        time.sleep(0.02)
    pruned = outside.run("history", "prune", "--older-than", "0s", "-o", "json", env=two)
    assert {each["id"] for each in pruned.document["operations"]} == {id, alone}

    synced = outside.run("history", "sync", env=one)

    assert "0 operations copied" in synced.err
    assert "2 operations not copied: older than the newest history prune there" in synced.err
    assert outside.json("history", env=two)["operations"] == []
    shown = outside.run("history", env=one)
    assert f"Operation {id} is older than the newest prune of the team journal; only this machine has it" in shown.err
    later = operation(outside.run("cancel", TENCENT, "-o", "json", env={**one, "RUNCANCEL_JOURNAL_URL": ""}))
    assert f"copied {later}" in outside.run("history", "sync", env=one).err
    assert [each["id"] for each in outside.json("history", env=two)["operations"]] == [later]
