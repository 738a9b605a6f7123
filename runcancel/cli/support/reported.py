"""Where a report reads operations: the journal of this machine, or files in its place."""

from collections.abc import Sequence
from pathlib import Path

from runcancel.cli.session import Session
from runcancel.errors import UsageError
from runcancel.journal.outputs import Outputs
from runcancel.journal.sources import Sources
from runcancel.journal.store import JournalStore
from runcancel.model.runs import Problem

_SQLITE = b"SQLite format 3\0"


def read_sources(session: Session, files: Sequence[str]) -> tuple[Sources, tuple[Problem, ...]]:
    """The operations to report, and what could not be read of the files.

    Raises `UsageError` for a file that cannot be read, and `JournalError`.
    """
    if not files:
        journal = session.journal.read()
        return Sources(() if journal is None else (journal,)), ()
    journals, outputs = [], Outputs()
    for name in dict.fromkeys(files):
        try:
            with Path(name).open("rb") as file:
                is_journal = file.read(len(_SQLITE)) == _SQLITE
            if is_journal:
                journals.append(JournalStore(Path(name).absolute()).peek())
                continue
            with Path(name).open(encoding="utf-8", errors="replace") as lines:
                outputs.read(lines, name)
        except OSError as error:
            raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    return Sources(journals, outputs.operations), tuple(outputs.problems)
