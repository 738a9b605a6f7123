"""The tables of a team's journal: made once, by whoever comes first; those of a newer program are left alone."""

from pathlib import Path

import psycopg
import pytest
from databases import Server
from outside import script

from runcancel.errors import JournalError
from runcancel.journal.migrations import MIGRATIONS
from runcancel.journal.postgres import PostgresDatabase
from runcancel.journal.store import JournalStore

ALL = tuple(f"applied {number}: {one.about}" for number, one in enumerate(MIGRATIONS, 1))


@pytest.fixture
def empty(postgres: Server) -> str:
    """The URL of a database without tables."""
    return postgres.create()


def applied(url: str) -> list[tuple[int, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT version, about FROM runcancel.migrations ORDER BY version").fetchall()


def test_migrations_are_applied_once_and_recorded(empty: str) -> None:
    store = JournalStore(Path("/nowhere"), empty)

    assert store.migrate() == ALL
    assert store.migrate() == ()
    assert applied(empty) == [(number, one.about) for number, one in enumerate(MIGRATIONS, 1)]


def test_what_was_applied_before_is_kept(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JournalStore(Path("/nowhere"), empty)
    monkeypatch.setattr("runcancel.journal.migrations.MIGRATIONS", MIGRATIONS[:1])
    store.migrate()
    with psycopg.connect(empty) as connection:
        connection.execute(
            'INSERT INTO runcancel.operations (id, at, "user", host, argv, verb, state) '
            "VALUES ('1', '2026-11-28T00:00:00+00:00', 'ops', 'bastion-2', '[]', 'cancel', 'open')"
        )
    monkeypatch.setattr("runcancel.journal.migrations.MIGRATIONS", MIGRATIONS)

    assert store.migrate() == ALL[1:]

    database = PostgresDatabase.open(empty)
    database.check()
    with database.used() as db:
        assert db.execute("SELECT host FROM operations").fetchall() == [("bastion-2",)]


_MIGRATE = """
from pathlib import Path
from runcancel.journal.store import JournalStore
print(*JournalStore(Path("/nowhere"), {url!r}).migrate(), sep="\\n")
"""


def test_two_at_once_apply_each_migration_once(empty: str) -> None:
    both = [script(_MIGRATE.format(url=empty)) for _ in range(2)]
    lines = [line for one in both for line in one.communicate(timeout=60)[0].splitlines() if line]

    assert [one.returncode for one in both] == [0, 0]
    assert sorted(lines) == sorted(ALL)


def test_a_newer_schema_is_refused_and_nothing_of_it_is_changed(empty: str) -> None:
    store = JournalStore(Path("/nowhere"), empty)
    store.migrate()
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO runcancel.migrations (version, about) VALUES (999, 'later')")
        connection.execute("DROP TABLE runcancel.events")
    before = applied(empty)

    with pytest.raises(
        JournalError, match=r"^the team journal .* was migrated by a newer runcancel \(version 999, .*$"
    ):
        store.migrate()

    assert applied(empty) == before


def test_a_migration_that_fails_leaves_nothing(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE SCHEMA runcancel")
        connection.execute("CREATE TABLE runcancel.events (x int)")

    with pytest.raises(JournalError, match="cannot be used"):
        JournalStore(Path("/nowhere"), empty).migrate()

    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('runcancel.migrations')").fetchone() == (None,)
