"""Requests and readings in one SQLite file, which stays readable after a kill at any moment."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from runcancel.config import folders
from runcancel.engine.switching import VERBS, verdict_of
from runcancel.engine.verdict import CancelResponse
from runcancel.errors import JournalError
from runcancel.model.encoding import from_json, to_builtins, to_json
from runcancel.model.events import CalledBy, Confirmed, Ended, Found, JournalEvent, Judged, Resumed
from runcancel.model.outcomes import Intent, Limits, Operation, Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Stage, Verdict

if TYPE_CHECKING:
    import sqlite3

    from runcancel.journal.sqlite import JournalFile  # loads SQLite, which `cancel --help` can do without

_BUSY = 5.0  # seconds to wait for another process
_EVENTS: Mapping[str, type[JournalEvent]] = {
    "resumed": Resumed,
    "confirmed": Confirmed,
    "called-by": CalledBy,
    "found": Found,
    "sent": Sent,
    "seen": Seen,
    "judged": Judged,
    "ended": Ended,
}
_KINDS = {kind: word for word, kind in _EVENTS.items()}


class Entry(Struct, frozen=True, kw_only=True):
    """One run of an operation: what was intended, what was answered, what was seen."""

    item: PlanItem | Intent
    answer: CancelResponse | None
    outcome: Outcome | None


class Journal:
    """An open journal. One per process; any number of processes at once."""

    def __init__(self, file: "JournalFile") -> None:
        self._file = file

    @classmethod
    def open(cls, file: Path, *, busy: float = _BUSY, pause: Callable[[float], None] = time.sleep) -> "Journal":
        """Open or begin the journal, waiting `busy` seconds at most for others. Raises `JournalError`.

        `pause` waits so many seconds; whatever it raises ends the waiting.
        """
        return cls(_files().open(file, busy=busy, pause=pause))

    @classmethod
    def peek(cls, file: Path) -> "Journal":
        """Open a journal that is there for reading, and leave no trace on the disk. Raises `JournalError`."""
        return cls(_files().peek(file))

    @classmethod
    def read(cls, file: Path, *, pause: Callable[[float], None] = time.sleep) -> "Journal | None":
        """Open the journal for reading, also where nothing can be written; None where there is none.

        Raises `JournalError`.
        """
        if not is_there(file):
            return None
        writable = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
        return cls.open(file, pause=pause) if writable else cls.peek(file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def begin(
        self,
        operation: Operation,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        """Commit the intent: the operation, every run to cancel, and the limits of the operation."""
        with self._file.changed() as db:
            db.execute(
                "INSERT INTO operations VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    operation.id,
                    operation.at.isoformat(),
                    _sound(operation.user),
                    _sound(operation.host),
                    _encode([_sound(word) for word in operation.argv]).decode(),
                    None if operation.reason is None else _sound(operation.reason),
                    operation.verb,
                    operation.state,
                    operation.exit_code,
                ),
            )
            _put_limits(db, operation.id, limits)
            _put(db, operation.id, items)
            _put_events(db, operation.id, events)

    def resume(
        self,
        id: str,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        """Commit that an operation continues with these runs. Earlier data of them is replaced."""
        with self._file.changed() as db:
            _change(db, "UPDATE operations SET state=?, exit_code=NULL WHERE id=?", Stage.OPEN, id)
            _put_limits(db, id, limits)
            _put(db, id, items)
            _drop_intents(db, id, {item.run for item in items})
            _put_events(db, id, events)

    def limits(self, id: str) -> Limits:
        """The limits of an operation; the usual ones where it was written without any. Raises `JournalError`."""
        with self._file.used() as db:
            row = db.execute("SELECT max_runs, max_targets FROM limits WHERE operation=?", (_sound(id),)).fetchone()
            return Limits() if row is None else Limits(max_runs=row[0], max_targets=row[1])

    def join(self, id: str, items: Sequence[PlanItem | Intent], events: Sequence[JournalEvent] = ()) -> None:
        """Commit that these runs will be cancelled as well."""
        with self._file.changed() as db:
            _put(db, id, items)
            _put_events(db, id, events)

    def record_read(
        self, id: str, entries: Sequence[tuple[RunName, PlanItem | None]], events: Sequence[JournalEvent] = ()
    ) -> None:
        """Commit what was read under references: the run in place of each intent; None where it is there already."""
        with self._file.changed() as db:
            db.executemany("DELETE FROM entries WHERE operation=? AND run=?", [(id, name.text) for name, _ in entries])
            _put(db, id, [item for _, item in entries if item is not None])
            _put_events(db, id, events)

    def responded(self, id: str, run: Ref, answer: CancelResponse, events: Sequence[JournalEvent] = ()) -> None:
        """Commit an answer."""
        with self._file.changed() as db:
            blob = _encode(answer)
            _change(db, "UPDATE entries SET answer=? WHERE operation=? AND run=?", blob, id, run.text)
            _put_events(db, id, events)

    def judged(self, id: str, outcome: Outcome, events: Sequence[JournalEvent] = ()) -> None:
        """Commit an outcome."""
        with self._file.changed() as db:
            row = (_encode(outcome), outcome.verdict, id, outcome.run.text)
            _change(db, "UPDATE entries SET outcome=?, verdict=? WHERE operation=? AND run=?", *row)
            _put_events(db, id, events)

    def record(self, id: str, events: Sequence[JournalEvent]) -> None:
        """Commit what happened."""
        with self._file.changed() as db:
            _change(db, "UPDATE operations SET id=id WHERE id=?", id)
            _put_events(db, id, events)

    def end(self, id: str, state: Stage, exit_code: int, events: Sequence[JournalEvent] = ()) -> None:
        """Commit the end of an operation."""
        with self._file.changed() as db:
            _change(db, "UPDATE operations SET state=?, exit_code=? WHERE id=?", state, exit_code, id)
            _put_events(db, id, events)

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        """Operations, newest first; 0 is all. Raises `JournalError` for one that cannot be read."""
        with self._file.used() as db:
            for row in db.execute("SELECT * FROM operations ORDER BY id DESC LIMIT ?", (limit or -1,)).fetchall():
                yield _operation(db, row)

    def operation(self, id: str) -> Operation | None:
        """One operation, by its whole id. Raises `JournalError` when it cannot be read."""
        with self._file.used() as db:
            row = db.execute("SELECT * FROM operations WHERE id=?", (_sound(id),)).fetchone()
            return None if row is None else _operation(db, row)

    def ids(self, beginning: str) -> tuple[str, ...]:
        """The ids that begin so, newest first."""
        with self._file.used() as db:
            query = "SELECT id FROM operations WHERE substr(id, 1, ?) = ? ORDER BY id DESC"
            return tuple(id for (id,) in db.execute(query, (len(beginning), _sound(beginning))))

    def entries(self, id: str) -> Iterator[Entry]:
        """The runs of an operation. Raises `JournalError` for one that cannot be read."""
        with self._file.used() as db:
            for item, answer, outcome in db.execute(
                "SELECT item, answer, outcome FROM entries WHERE operation=? ORDER BY run", (_sound(id),)
            ):
                yield Entry(
                    item=_item(item),
                    answer=None if answer is None else from_json(answer, CancelResponse),
                    outcome=None if outcome is None else from_json(outcome, Outcome),
                )

    def events(self, id: str) -> Iterator[JournalEvent]:
        """What happened during an operation, in its order; nothing where 0.1 wrote the journal.

        What a newer program wrote besides is left out. Raises `JournalError` for an event that cannot be read.
        """
        with self._file.used() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name='events'").fetchone():
                return
            query = "SELECT kind, event FROM events WHERE operation=? ORDER BY number"
            for kind, blob in db.execute(query, (_sound(id),)):
                if kind in _EVENTS:
                    yield from_json(blob, _EVENTS[kind])

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, Ref, CancelResponse]]:
        """What clouds answered: when its operation began, the run, the answer; newest first, at most `limit`."""
        with self._file.used() as db:
            for at, run, answer in db.execute(
                "SELECT o.at, e.run, e.answer FROM entries e JOIN operations o ON o.id = e.operation "
                "WHERE e.answer IS NOT NULL ORDER BY o.id DESC LIMIT ?",
                (limit,),
            ):
                if isinstance(ref := RunName.parse(run), Ref):
                    yield datetime.fromisoformat(at), ref, from_json(answer, CancelResponse)

    def prune(self, before: datetime, *, keep: AbstractSet[str] = frozenset()) -> tuple[Operation, ...]:
        """Forget the operations that began before and are done, and return them, newest first.

        What is unfinished stays: without its entry nobody could resume it. So does what is to `keep`.
        """
        with self._file.changed() as db:
            done = (one for one in self.operations() if one.at < before and one.state is Stage.DONE)
            forgotten = tuple(one for one in done if one.id not in keep)
            db.executemany("DELETE FROM operations WHERE id=?", ((one.id,) for one in forgotten))
        return forgotten


def is_there(file: Path) -> bool:
    """Whether there is a journal, without making one. Raises `JournalError` for a place where none may be."""
    _files()
    from runcancel.journal import sqlite

    return sqlite.is_there(file)


def path(environ: Mapping[str, str]) -> Path:
    """Where the journal is: `journal.sqlite3` in the user's state directory."""
    return folders.state(environ) / "journal.sqlite3"


def _files() -> "type[JournalFile]":
    """What opens files. Raises `JournalError` where SQLite is not there, or no memory for it."""
    try:
        from runcancel.journal.sqlite import JournalFile
    except (ImportError, MemoryError) as error:
        why = "no memory is left" if isinstance(error, MemoryError) else "this Python has no SQLite"
        raise JournalError(f"the journal cannot be used ({why})") from None
    return JournalFile


def _change(db: "sqlite3.Connection", statement: str, *values: object) -> None:
    """Change one row. Raises `JournalError` when it is not there: another process has pruned it."""
    if db.execute(statement, values).rowcount == 0:
        raise JournalError("the journal no longer has this operation (history prune)")


def _put(db: "sqlite3.Connection", id: str, items: Sequence[PlanItem | Intent]) -> None:
    rows = ((id, item.run.text, _encode(item)) for item in items)
    db.executemany("INSERT OR REPLACE INTO entries (operation, run, item) VALUES (?,?,?)", rows)


def _put_events(db: "sqlite3.Connection", id: str, events: Sequence[JournalEvent]) -> None:
    """Add what happened after what the operation has already."""
    if not events:
        return
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM events WHERE operation=?", (id,)).fetchone()
    rows = ((id, number, _KINDS[type(one)], _encode(one)) for number, one in enumerate(events, last + 1))
    db.executemany("INSERT INTO events VALUES (?,?,?,?)", rows)


def _drop_intents(db: "sqlite3.Connection", id: str, read: AbstractSet[RunName]) -> None:
    """Forget the intents that meant one of these runs: they have entries of their own."""
    rows = db.execute("SELECT run, item FROM entries WHERE operation=?", (id,)).fetchall()
    intents = ((run, item) for run, item in ((run, _item(blob)) for run, blob in rows) if isinstance(item, Intent))
    replaced = [(id, run) for run, item in intents if not read.isdisjoint(item.candidates)]
    db.executemany("DELETE FROM entries WHERE operation=? AND run=?", replaced)


class _Shape(Struct):
    """What distinguishes an intent from a plan."""

    ask: bool
    read: bool = True


def _item(blob: bytes) -> PlanItem | Intent:
    shape = from_json(blob, _Shape)
    return from_json(blob, PlanItem) if shape.read or shape.ask else from_json(blob, Intent)


def _put_limits(db: "sqlite3.Connection", id: str, limits: Limits | None) -> None:
    if limits is not None:
        db.execute("INSERT OR REPLACE INTO limits VALUES (?,?,?)", (id, limits.max_runs, limits.max_targets))


def _operation(db: "sqlite3.Connection", row: Sequence[object]) -> Operation:
    id, at, user, host, argv, reason, verb, state, exit_code = row
    counted = db.execute(
        "SELECT coalesce(verdict, 'unjudged'), count(*) FROM entries WHERE operation=? GROUP BY 1", (id,)
    )
    fields = {"id": id, "at": at, "user": user, "host": host, "argv": msgspec.json.decode(str(argv)), "verb": verb}
    fields |= {"reason": reason, "state": state, "exit_code": exit_code, "counts": _words(verb, dict(counted))}
    return msgspec.convert(fields, Operation)


def _words(verb: object, counts: dict[str, int]) -> dict[str, int]:
    """Runs per verdict; of a change of triggers in the words for triggers."""
    if verb not in VERBS:
        return counts
    return {
        str(verdict_of(Verdict(word), enable=verb == "enable")) if word in set(Verdict) else word: count
        for word, count in counts.items()
    }


def _encode(value: object) -> bytes:
    """A record as JSON; a lone surrogate in a name that a cloud gave becomes a question mark."""
    try:
        return to_json(value)
    except UnicodeEncodeError:
        return json.dumps(to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def _sound(text: str) -> str:
    """The text with bytes of the command line that are no UTF-8 written out, as SQLite takes nothing else."""
    return text.encode("utf-8", "backslashreplace").decode()
