"""What was asked and what was seen: one SQLite file that a kill at any moment leaves readable."""

import getpass
import json
import os
import random
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs
from msgspec import Struct, structs

from runcancel.errors import Refused
from runcancel.judge import Answer
from runcancel.model import Invocation, Operation, Outcome, PlanItem, Run, Stage

if TYPE_CHECKING:
    import sqlite3  # loaded when a journal is opened: `cancel --help` needs none

_APPLICATION = 0x72756E63  # "runc": what SQLite keeps in the file's header to tell it from others
_VERSION = 1
_BUSY = 5.0  # seconds to wait for another process
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REMOTE = (
    *("nfs", "cifs", "smb", "9p", "fuse.", "afs", "ceph", "coda", "gluster", "lustre", "gpfs", "beegfs", "orangefs"),
    *("vboxsf", "prl_fs", "drvfs"),
)
"""Beginnings of the names of file systems on which SQLite's shared memory does not work."""

_TABLES = """
CREATE TABLE operations (
  id TEXT PRIMARY KEY, at TEXT NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, argv TEXT NOT NULL,
  reason TEXT, verb TEXT NOT NULL, state TEXT NOT NULL, exit_code INTEGER
) WITHOUT ROWID;
CREATE TABLE entries (
  operation TEXT NOT NULL REFERENCES operations(id) ON DELETE CASCADE, run TEXT NOT NULL, item BLOB NOT NULL,
  answer BLOB, outcome BLOB, verdict TEXT, PRIMARY KEY (operation, run)
) WITHOUT ROWID;
"""


class Entry(Struct, frozen=True, kw_only=True):
    """One run of an operation: what was intended, what was answered, what was seen."""

    item: PlanItem
    answer: Answer | None
    outcome: Outcome | None


class JournalError(Exception):
    """The journal cannot be used; the text is one sentence."""


class Journal:
    """An open journal. One per process; any number of processes at once."""

    def __init__(self, connection: "sqlite3.Connection") -> None:
        self._db = connection

    @classmethod
    def open(cls, file: Path, *, busy: float = _BUSY) -> "Journal":
        """Open or begin the journal, waiting `busy` seconds at most for others. Raises `JournalError`."""
        import sqlite3

        with _said(file):
            _prepare(file)
            # Nothing but the caller's thread writes; a statement is a transaction unless one is begun.
            connection = sqlite3.connect(file, timeout=busy, isolation_level=None)
            try:
                _set_up(connection, file, busy)
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    @classmethod
    def peek(cls, file: Path) -> "Journal":
        """Open a journal that is there for reading, and leave no trace on the disk. Raises `JournalError`.

        Without a log beside it, SQLite is told that nothing changes: else it would make files to share memory.
        """
        import sqlite3

        log = file.with_name(f"{file.name}-wal")
        still = "" if log.exists() and log.stat().st_size else "&immutable=1"
        with _said(file):
            connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{still}", uri=True, isolation_level=None)
            try:
                _check(connection, file)
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def begin(self, operation: Operation, items: Sequence[PlanItem]) -> None:
        """Commit the intent: the operation and every run that will be asked."""
        with _said(), self._transaction():
            self._db.execute(
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
            self._put(operation.id, items)

    def resume(self, id: str, items: Sequence[PlanItem]) -> None:
        """Commit that an operation goes on with these runs; what was known of them before is replaced."""
        with _said(), self._transaction():
            self._change("UPDATE operations SET state=?, exit_code=NULL WHERE id=?", Stage.OPEN, id)
            self._put(id, items)

    def join(self, id: str, items: Sequence[PlanItem]) -> None:
        """Commit that these runs will be asked as well."""
        with _said(), self._transaction():
            self._put(id, items)

    def answered(self, id: str, run: str, answer: Answer) -> None:
        """Commit an answer."""
        with _said():
            blob = _encode(structs.replace(answer, seen=None))
            self._change("UPDATE entries SET answer=? WHERE operation=? AND run=?", blob, id, run)

    def judged(self, id: str, outcome: Outcome) -> None:
        """Commit an outcome."""
        with _said():
            row = (_encode(outcome), outcome.verdict, id, outcome.run)
            self._change("UPDATE entries SET outcome=?, verdict=? WHERE operation=? AND run=?", *row)

    def end(self, id: str, state: Stage, exit_code: int) -> None:
        """Commit the end of an operation."""
        with _said():
            self._change("UPDATE operations SET state=?, exit_code=? WHERE id=?", state, exit_code, id)

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        """Operations, newest first; 0 is all. Raises `JournalError` for one that cannot be read."""
        with _said():
            for row in self._db.execute("SELECT * FROM operations ORDER BY id DESC LIMIT ?", (limit or -1,)).fetchall():
                yield self._operation(row)

    def operation(self, id: str) -> Operation | None:
        """One operation, by its whole id. Raises `JournalError` when it cannot be read."""
        with _said():
            row = self._db.execute("SELECT * FROM operations WHERE id=?", (_sound(id),)).fetchone()
            return None if row is None else self._operation(row)

    def entries(self, id: str) -> Iterator[Entry]:
        """The runs of an operation. Raises `JournalError` for one that cannot be read."""
        with _said():
            for item, answer, outcome in self._db.execute(
                "SELECT item, answer, outcome FROM entries WHERE operation=? ORDER BY run", (_sound(id),)
            ):
                yield Entry(
                    item=msgspec.json.decode(item, type=PlanItem),
                    answer=None if answer is None else msgspec.json.decode(answer, type=Answer),
                    outcome=None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
                )

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, str, Answer]]:
        """What clouds answered: when its operation began, the run, the answer; newest first, at most `limit`."""
        with _said():
            for at, run, answer in self._db.execute(
                "SELECT o.at, e.run, e.answer FROM entries e JOIN operations o ON o.id = e.operation "
                "WHERE e.answer IS NOT NULL ORDER BY o.id DESC LIMIT ?",
                (limit,),
            ):
                yield datetime.fromisoformat(at), run, msgspec.json.decode(answer, type=Answer)

    def prune(self, before: datetime) -> tuple[Operation, ...]:
        """Forget the operations that began before, and return them, newest first."""
        with _said(), self._transaction():
            forgotten = tuple(one for one in self.operations() if one.at < before)
            self._db.executemany("DELETE FROM operations WHERE id=?", ((one.id,) for one in forgotten))
        return forgotten

    def _change(self, statement: str, *values: object) -> None:
        """Change one row. Raises `JournalError` when it is not there: another process has pruned it."""
        if self._db.execute(statement, values).rowcount == 0:
            raise JournalError("the journal has forgotten this operation (history prune)")

    def _put(self, id: str, items: Sequence[PlanItem]) -> None:
        rows = ((id, item.run, _encode(item)) for item in items)
        self._db.executemany("INSERT OR REPLACE INTO entries (operation, run, item) VALUES (?,?,?)", rows)

    def _operation(self, row: Sequence[object]) -> Operation:
        id, at, user, host, argv, reason, verb, state, exit_code = row
        counted = self._db.execute(
            "SELECT coalesce(verdict, 'unjudged'), count(*) FROM entries WHERE operation=? GROUP BY 1", (id,)
        )
        fields = {"id": id, "at": at, "user": user, "host": host, "argv": msgspec.json.decode(str(argv)), "verb": verb}
        fields |= {"reason": reason, "state": state, "exit_code": exit_code, "counts": dict(counted)}
        return msgspec.convert(fields, Operation)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk rolls back by itself
                self._db.execute("ROLLBACK")
            raise


class Recorder:
    """A `cancel.Progress` that writes one operation down.

    The first failure is told once through `warn`, and then it is silent: an emergency stop never waits for a disk. With
    `required` it refuses instead, while nothing has been sent.
    """

    def __init__(
        self,
        file: Path,
        operation: Operation,
        *,
        warn: Callable[[str], None],
        required: bool = False,
        resumed: bool = False,
    ) -> None:
        self._file = file
        self._operation = operation
        self._warn = warn
        self._required = required
        self._resumed = resumed
        self._journal: Journal | None = None
        self._begun = False

    @property
    def operation(self) -> str | None:
        """The id under which everything so far can be found; None when nothing is written down."""
        return None if self._journal is None else self._operation.id

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Commit the intent. Raises `Refused` when a journal is required and cannot be written."""
        if self._begun:
            self._write(lambda journal, id: journal.join(id, items))
            return
        self._begun = True
        try:
            journal = Journal.open(self._file)
            if self._resumed:
                journal.resume(self._operation.id, items)
            else:
                journal.begin(self._operation, items)
            self._journal = journal
        except JournalError as error:
            if self._required:
                raise Refused(f"{error}; nothing was sent", hint="without --require-journal it goes on") from None
            self._warn(f"{error}: this cancel is not written down and cannot be resumed")

    def asked(self, ref: str, answer: Answer) -> None:
        """Commit an answer."""
        self._write(lambda journal, id: journal.answered(id, ref, answer))

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Readings are not kept."""

    def judged(self, outcome: Outcome) -> None:
        """Commit an outcome."""
        self._write(lambda journal, id: journal.judged(id, outcome))

    def tick(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """The end is written by `end`."""

    def end(self, exit_code: int) -> None:
        """Commit the end of the operation."""
        state = Stage.INTERRUPTED if exit_code > 128 else Stage.DONE
        self._write(lambda journal, id: journal.end(id, state, exit_code))
        if self._journal is not None:
            self._journal.close()

    def _write(self, write: Callable[[Journal, str], None]) -> None:
        if self._journal is None:
            return
        try:
            write(self._journal, self._operation.id)
        except JournalError as error:
            self._journal.close()
            self._journal = None
            self._warn(f"{error}: what follows is not written down")


def path(environ: Mapping[str, str]) -> Path:
    """Where the journal is: `journal.sqlite3` in the user's state directory."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    folder = named / "runcancel" if named.is_absolute() else platformdirs.user_state_path("runcancel")
    return folder / "journal.sqlite3"


def new_operation(verb: str, argv: Sequence[str], reason: str | None) -> Operation:
    """An operation that begins now, by this user on this host."""
    return Operation(
        id=ulid(time.time(), random.SystemRandom().getrandbits(80)),
        at=datetime.now(UTC).replace(microsecond=0),
        user=_user(),
        host=socket.gethostname(),
        argv=tuple(argv),
        reason=reason,
        verb=verb,
        state=Stage.OPEN,
    )


def ulid(seconds: float, chance: int) -> str:
    """A 26-character id that sorts by time: 48 bits of milliseconds, 80 of chance (https://github.com/ulid/spec)."""
    number = (int(seconds * 1000) << 80) | (chance & ((1 << 80) - 1))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this number
        return str(os.getuid())


def _encode(value: object) -> bytes:
    """A record as JSON; a lone surrogate in a name that a cloud gave becomes a question mark."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def _sound(text: str) -> str:
    """The text with bytes of the command line that are no UTF-8 written out, as SQLite takes nothing else."""
    return text.encode("utf-8", "backslashreplace").decode()


def _prepare(file: Path) -> None:
    """Make folder and file. Raises `JournalError` for a link, for what is no file, and for what others own."""
    if not file.is_absolute():  # else it would be looked for where the program happens to be called
        raise JournalError(f"the journal has no place: there is no home folder for {file}")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = file.parent.stat()
    if folder.st_uid != os.geteuid():
        raise JournalError(f"the folder {file.parent} of the journal belongs to another user")
    if folder.st_mode & 0o022:  # somebody could have put the journal there, or links beside it
        raise JournalError(f"the folder {file.parent} of the journal can be written by others; chmod 700 it")
    if file.is_symlink():
        raise JournalError(f"the journal {file} is a symbolic link, which is not followed")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the journal {file} cannot be opened ({error.strerror})") from None
    try:
        about = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise JournalError(f"the journal {file} is no file; move it away to begin a new one")
    if about.st_uid != os.geteuid():
        raise JournalError(f"the journal {file} belongs to another user")


def _set_up(db: "sqlite3.Connection", file: Path, busy: float) -> None:
    """Know the file for a journal before anything about it is changed; make the tables of a new one."""
    is_new = _check(db, file)
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(0o600)
    _set_mode(db, "DELETE" if is_remote(file, _mounts()) else "WAL", busy)
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA foreign_keys=ON")
    if is_new:
        _make_tables(db)


def _make_tables(db: "sqlite3.Connection") -> None:
    db.execute("BEGIN IMMEDIATE")
    if _number(db, "PRAGMA user_version") == 0:  # else another process was first
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={_APPLICATION}")
        db.execute(f"PRAGMA user_version={_VERSION}")
    db.execute("COMMIT")


def _check(db: "sqlite3.Connection", file: Path) -> bool:
    """Whether the file is empty. Raises `JournalError` for one that is neither empty nor a journal of this version."""
    db.execute("BEGIN")  # one look: another process may be making the tables
    application, version = _number(db, "PRAGMA application_id"), _number(db, "PRAGMA user_version")
    is_new = application == version == _number(db, "SELECT count(*) FROM sqlite_master") == 0
    db.execute("COMMIT")
    if application != _APPLICATION and not is_new:
        raise JournalError(f"{file} is no journal of runcancel; move it away to begin a new one")
    if version > _VERSION:
        raise JournalError(f"the journal {file} was written by a newer runcancel; use that one, or move it away")
    return is_new


def _set_mode(db: "sqlite3.Connection", mode: str, busy: float) -> None:
    """SQLite does not wait for others before it changes the mode: several that begin a journal at once would fail."""
    import sqlite3

    deadline = time.monotonic() + busy
    while True:
        try:
            db.execute(f"PRAGMA journal_mode={mode}")
            return
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.001, 0.02))  # noqa: S311


def _number(db: "sqlite3.Connection", query: str) -> int:
    return int(db.execute(query).fetchone()[0])


def is_remote(file: Path, mounts: str) -> bool:
    """Whether the file is on a network file system, by the text of /proc/mounts; without one it is taken for local."""
    fields = [line.split(" ") for line in mounts.splitlines()]
    real = file.parent.resolve() / file.name
    holding = [(len(part[1]), at, part[2]) for at, part in enumerate(fields) if len(part) > 2 and _holds(part[1], real)]
    return max(holding, default=(0, 0, ""))[2].startswith(_REMOTE)  # of two on one place, the later hides the other


def _holds(mount: str, file: Path) -> bool:
    return file.is_relative_to(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount))


def _mounts(table: Path = Path("/proc/mounts")) -> str:
    """What is mounted where; empty where the system has no such table."""
    try:
        return table.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _is_locked(error: "sqlite3.OperationalError") -> bool:
    return "locked" in str(error) or "busy" in str(error)


@contextmanager
def _said(file: Path | None = None) -> Iterator[None]:
    """What SQLite and the disk raise, as one sentence."""
    import sqlite3

    name = "the journal" if file is None else f"the journal {file}"
    try:
        yield
    except sqlite3.OperationalError as error:
        locked = "is locked by another process, which does not let go"
        why = locked if _is_locked(error) else f"cannot be used ({error})"
        raise JournalError(f"{name} {why}") from None
    except sqlite3.Error as error:
        raise JournalError(f"{name} is broken ({error}); move it away to begin a new one") from None
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{name} holds what cannot be read ({error}); move it away to begin a new one") from None
    except OSError as error:
        raise JournalError(f"{name} cannot be used ({error.strerror})") from None
