"""Where the journal is, and how it is opened."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runcancel.config import folders
from runcancel.errors import JournalError

if TYPE_CHECKING:  # SQLite is loaded only for an operation that is recorded or read
    from runcancel.journal.base import Journal
    from runcancel.journal.sqlite import JournalFile

_BUSY = 5.0  # seconds to wait for another process


class JournalStore(Struct, frozen=True):
    """The place of a journal: a file of this user on this machine."""

    file: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "JournalStore":
        """The journal of the user: `journal.sqlite3` in the state directory."""
        return cls(folders.state(environ) / "journal.sqlite3")

    def open(self, *, busy: float = _BUSY, pause: Callable[[float], None] = time.sleep) -> "Journal":
        """Open or begin the journal, waiting `busy` seconds at most for others. Raises `JournalError`.

        `pause` waits so many seconds; whatever it raises ends the waiting.
        """
        return _over(_files().open(self.file, busy=busy, pause=pause))

    def peek(self) -> "Journal":
        """Open a journal that is there for reading, and leave no trace on the disk. Raises `JournalError`."""
        return _over(_files().peek(self.file))

    def read(self, *, pause: Callable[[float], None] = time.sleep) -> "Journal | None":
        """Open the journal for reading, also where nothing can be written; None where there is none.

        Raises `JournalError`.
        """
        if not self.is_there():
            return None
        writable = os.access(self.file, os.W_OK) and os.access(self.file.parent, os.W_OK)
        return self.open(pause=pause) if writable else self.peek()

    def is_there(self) -> bool:
        """Whether there is a journal, without making one. Raises `JournalError` for a place where none may be."""
        _files()
        from runcancel.journal import sqlite

        return sqlite.is_there(self.file)


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
