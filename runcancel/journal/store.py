"""Where the journal is, and how it is opened."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runcancel.config import folders
from runcancel.errors import JournalError

if TYPE_CHECKING:  # databases are loaded only for an operation that is recorded or read
    from runcancel.journal.base import Journal
    from runcancel.journal.courier import Courier
    from runcancel.journal.postgres import PostgresDatabase
    from runcancel.journal.sqlite import JournalFile
    from runcancel.journal.team import TeamJournal

VARIABLE = "RUNCANCEL_JOURNAL_URL"
"""The URL of a team's journal in place of the configured one; an empty one selects the file alone."""

_BUSY = 5.0  # seconds to wait for another process


class JournalStore:
    """The place of a journal: a file of this user on this machine, and the database of a team if it has a URL.

    `warn` is called once, with a sentence, when the team's cannot be used: the file is used alone from then on. `pause`
    waits so many seconds for another process or for the server; whatever it raises ends the waiting.
    """

    def __init__(
        self,
        file: Path,
        url: str | None = None,
        warn: Callable[[str], None] = lambda sentence: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.file = file
        self.url = url
        self._warn = warn
        self._pause = pause
        self.is_lost = False
        """Whether the team's could not be used."""
        self._courier: Courier | None = None
        self._files: list[JournalFile] = []

    @classmethod
    def local(cls, environ: Mapping[str, str]) -> "JournalStore":
        """The file of the user alone: `journal.sqlite3` in the state directory."""
        return cls(folders.state(environ) / "journal.sqlite3")

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        configured: str | None = None,
        warn: Callable[[str], None] = lambda sentence: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> "JournalStore":
        """The file of the user and the database of the variable, or else the configured one.

        Raises `UsageError` for a variable that is no such URL.
        """
        if configured is None and VARIABLE not in environ:
            return cls(cls.local(environ).file, None, warn, pause)
        from runcancel.config import journal_url

        return cls(cls.local(environ).file, journal_url.from_environment(VARIABLE, environ, configured), warn, pause)

    def close(self) -> None:
        """Close every file that was opened here: SQLite then takes away what it keeps beside the file."""
        for file in self._files:
            with suppress(Exception):  # what cannot be closed ends with the process
                file.close()

    def prepare(self) -> None:
        """Begin to connect to the team's, so that what is opened next need not wait for it."""
        if not self._is_alone and self._courier is None:
            self._courier = self._new_courier()

    def open(self, *, busy: float = _BUSY) -> "Journal":
        """Open or begin the journal, waiting `busy` seconds at most for others. Raises `JournalError`."""
        if self._is_alone:
            return self._open_file(busy)
        try:
            local: Journal | None = self._open_file(busy)
        except JournalError:
            local = None  # the team's is enough
        return self._beside_team(local, warns=local is not None)  # without a file, whoever records reports it

    def peek(self) -> "Journal":
        """Open the file that is there for reading, and leave no trace on the disk. Raises `JournalError`."""
        return _over(_files().peek(self.file))

    def read(self) -> "Journal | None":
        """Open the journal for reading, also where nothing can be written; None where there is none.

        Raises `JournalError`.
        """
        if self._is_alone:
            return self._read_file()
        try:
            local = self._read_file()
        except JournalError as error:
            local = None
            if self.file.exists():
                self._warn(f"{error}; only the operations in the team journal are shown")
        return self._beside_team(local, warns=True)

    def is_there(self) -> bool:
        """Whether there is a journal, without making one. Raises `JournalError` for a place where none may be."""
        return not self._is_alone or self._has_file()

    @property
    def shown_url(self) -> str:
        """The URL without user and parameters; empty if there is none."""
        from runcancel.config import journal_url

        return "" if self.url is None else journal_url.shown(self.url)

    def migrate(self) -> tuple[str, ...]:
        """Create or update the tables of the team; what was done. Raises `JournalError`."""
        database = self._connect(lambda seconds: None)
        try:
            return database.migrate()
        finally:
            database.close()

    def problem(self) -> str | None:
        """Why the team's cannot be used; None if it can, or if there is none."""
        if self.url is None:
            return None
        courier = self._new_courier()
        try:
            courier.call(lambda journal: journal.ids("none"))
            courier.close()
        except JournalError as error:
            return str(error)
        return None

    def sync(self) -> tuple[tuple[str, ...], int]:
        """Give the team's what only this machine has; the ids of the operations, and how many were pruned there.

        Raises `JournalError`.
        """
        errors: list[Exception] = []
        team = self._team_journal(self._open_file(_BUSY), errors.append)
        ids = tuple(team.sync())
        team.close()
        if errors:
            raise errors[0]
        return ids, team.left_out

    @property
    def _is_alone(self) -> bool:
        return self.url is None or self.is_lost

    def _has_file(self) -> bool:
        _files()
        from runcancel.journal import sqlite

        return sqlite.is_there(self.file)

    def _read_file(self) -> "Journal | None":
        if not self._has_file():
            return None
        writable = os.access(self.file, os.W_OK) and os.access(self.file.parent, os.W_OK)
        return self._open_file(_BUSY) if writable else self.peek()

    def _open_file(self, busy: float) -> "Journal":
        file = _files().open(self.file, busy=busy, pause=self._pause)
        self._files.append(file)
        return _over(file)

    def _beside_team(self, local: "Journal | None", *, warns: bool) -> "Journal":
        def lost(error: Exception) -> None:
            if not self.is_lost and warns:
                self._warn(f"{error}; only the journal of this machine is used ({self.file})")
            self.is_lost = True

        return self._team_journal(local, lost)

    def _team_journal(self, local: "Journal | None", lost: Callable[[Exception], None]) -> "TeamJournal":
        from runcancel.journal.team import TeamJournal

        courier, self._courier = self._courier or self._new_courier(), None
        return TeamJournal(local, courier, lost, self._pause)

    def _new_courier(self) -> "Courier":
        from runcancel.journal.courier import Courier

        return Courier(self._connect, f"the team journal {self.shown_url}")

    def _connect(self, limit: Callable[[float | None], None]) -> "PostgresDatabase":
        try:
            from runcancel.journal.postgres import PostgresDatabase
        except ImportError:
            needs = "pip install 'runcancel[postgres]'; a self-contained build has none"
            raise JournalError(f"the team journal needs psycopg ({needs})") from None
        return PostgresDatabase.open(self.url or "", limit)


def _over(file: "JournalFile") -> "Journal":
    from runcancel.journal.sql import SqlJournal

    return SqlJournal(file)


def _files() -> "type[JournalFile]":
    """What opens files. Raises `JournalError` where SQLite is not there, or no memory for it."""
    try:
        from runcancel.journal.sqlite import JournalFile
    except (ImportError, MemoryError) as error:
        why = "no memory is left" if isinstance(error, MemoryError) else "this Python has no SQLite"
        raise JournalError(f"the journal cannot be used ({why})") from None
    return JournalFile
