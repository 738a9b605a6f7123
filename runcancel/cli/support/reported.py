"""Where a report reads operations: the journal of this machine, or files in its place."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

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
                document = _document(lines)
                if document is None:
                    outputs.read(lines, name)
                else:
                    outputs.read_document(document, name)
        except OSError as error:
            raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    return Sources(journals, outputs.operations), tuple(outputs.problems)


def _document(file: TextIO) -> dict[str, Any] | None:
    """The document that a file is, if it is one over several lines; else it is at its beginning again."""
    is_document = file.readline().strip(" \t\r\n\ufeff") == "{"
    file.seek(0)
    try:
        return dict(json.loads(file.read().lstrip("\ufeff"))) if is_document else None
    except (ValueError, RecursionError):
        file.seek(0)
        return None
