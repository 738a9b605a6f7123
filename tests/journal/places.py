"""The two places of a journal, for tests that hold for both: a file, and a database of PostgreSQL."""

from pathlib import Path
from typing import Any

from runcancel.journal.base import Journal
from runcancel.journal.postgres import PostgresDatabase
from runcancel.journal.sql import SqlJournal
from runcancel.journal.store import JournalStore


def opened(place: "Path | str", **how: Any) -> Journal:
    """The journal of a file, or of the URL of a database: that one alone."""
    if isinstance(place, str) and place.startswith("postgresql://"):
        return SqlJournal(PostgresDatabase.open(place))
    return JournalStore(Path(place)).open(**how)


class Place:
    """Where a journal is: `name` is the path of a file, or the URL of a database."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.file = file

    @property
    def store(self) -> JournalStore:
        """As the program has it: a database is used beside a file."""
        return JournalStore(self.file, self.name if self.name.startswith("postgresql://") else None)

    def open(self) -> Journal:
        """What is in this place alone."""
        return opened(self.name)

    def execute(self, *statements: str) -> None:
        """Carry out statements that others than the program might."""
        if self.name.startswith("postgresql://"):
            import psycopg

            with psycopg.connect(self.name, options="-c search_path=runcancel") as connection:
                for statement in statements:
                    connection.execute(statement.encode())
            return
        import sqlite3

        with sqlite3.connect(self.file) as other:
            other.execute("PRAGMA foreign_keys=ON")
            for statement in statements:
                other.execute(statement)
