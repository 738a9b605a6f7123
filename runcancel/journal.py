"""What was asked and what was seen: one SQLite file that a kill at any moment leaves readable."""

import getpass
import os
import random
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct, structs

from runcancel.errors import Refused
from runcancel.judge import Answer
from runcancel.model import Invocation, Operation, Outcome, PlanItem, Run, Stage

_APPLICATION = 0x72756E63  # "runc": what SQLite keeps in the file's header to tell it from others
_VERSION = 1
_BUSY = 5.0  # seconds to wait for another process
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.", "afs", "ceph", "gluster", "lustre")
"""File systems on which SQLite's shared memory does not work."""

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

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, file: Path) -> "Journal":
        """Open or begin the journal. Raises `JournalError`."""
        with _said(file):
            _prepare(file)
            # Nothing but the caller's thread writes; a statement is a transaction unless one is begun.
            connection = sqlite3.connect(file, timeout=_BUSY, isolation_level=None)
            connection.execute(f"PRAGMA journal_mode={'DELETE' if _is_remote(file) else 'WAL'}")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            _check_version(connection, file)
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
                    operation.user,
                    operation.host,
                    _encode(operation.argv).decode(),
                    operation.reason,
                    operation.verb,
                    operation.state,
                    operation.exit_code,
                ),
            )
            self._put(operation.id, items)

    def resume(self, id: str, items: Sequence[PlanItem]) -> None:
        """Commit that an operation goes on with these runs; what was known of them before is replaced."""
        with _said(), self._transaction():
            self._db.execute("UPDATE operations SET state=?, exit_code=NULL WHERE id=?", (Stage.OPEN, id))
            self._put(id, items)

    def answered(self, id: str, run: str, answer: Answer) -> None:
        """Commit an answer."""
        with _said():
            blob = _encode(structs.replace(answer, seen=None))
            self._db.execute("UPDATE entries SET answer=? WHERE operation=? AND run=?", (blob, id, run))

    def judged(self, id: str, outcome: Outcome) -> None:
        """Commit an outcome."""
        with _said():
            self._db.execute(
                "UPDATE entries SET outcome=?, verdict=? WHERE operation=? AND run=?",
                (_encode(outcome), outcome.verdict, id, outcome.run),
            )

    def end(self, id: str, state: Stage, exit_code: int) -> None:
        """Commit the end of an operation."""
        with _said():
            self._db.execute("UPDATE operations SET state=?, exit_code=? WHERE id=?", (state, exit_code, id))

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        """Operations, newest first; 0 is all."""
        with _said():
            rows = self._db.execute("SELECT * FROM operations ORDER BY id DESC LIMIT ?", (limit or -1,)).fetchall()
        for row in rows:
            yield self._operation(row)

    def operation(self, id: str) -> Operation | None:
        """One operation, by its whole id."""
        with _said():
            row = self._db.execute("SELECT * FROM operations WHERE id=?", (id,)).fetchone()
        return None if row is None else self._operation(row)

    def entries(self, id: str) -> Iterator[Entry]:
        """The runs of an operation. Raises `JournalError` for one that cannot be read."""
        with _said():
            for item, answer, outcome in self._db.execute(
                "SELECT item, answer, outcome FROM entries WHERE operation=? ORDER BY run", (id,)
            ):
                yield Entry(
                    item=msgspec.json.decode(item, type=PlanItem),
                    answer=None if answer is None else msgspec.json.decode(answer, type=Answer),
                    outcome=None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
                )

    def prune(self, before: datetime) -> int:
        """Forget operations that began before; how many."""
        with _said(), self._transaction():
            return self._db.execute("DELETE FROM operations WHERE at < ?", (before.isoformat(),)).rowcount

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
        with _said():
            return msgspec.convert(fields, Operation)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


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

    @property
    def operation(self) -> str | None:
        """The id under which everything so far can be found; None when nothing is written down."""
        return None if self._journal is None else self._operation.id

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Commit the intent. Raises `Refused` when a journal is required and cannot be written."""
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
            self._journal = None
            self._warn(f"{error}: what follows is not written down")


def path(environ: Mapping[str, str]) -> Path:
    """Where the journal is: `journal.sqlite3` in the user's state directory."""
    named = environ.get("XDG_STATE_HOME")
    folder = Path(named) / "runcancel" if named else platformdirs.user_state_path("runcancel")
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
    return msgspec.json.encode(value)


def _prepare(file: Path) -> None:
    """Make folder and file readable by their owner alone. Raises `JournalError` for a link or somebody else's file."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if file.is_symlink():
            raise JournalError(f"the journal {file} is a symbolic link, which is not followed") from None
        raise JournalError(f"the journal {file} cannot be opened ({error.strerror})") from None
    try:
        about = os.fstat(descriptor)
        if about.st_uid != os.geteuid():
            raise JournalError(f"the journal {file} belongs to another user")
        if stat.S_IMODE(about.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _check_version(db: sqlite3.Connection, file: Path) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application == 0 and version == 0:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # another process may have been first
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id={_APPLICATION}")
            db.execute(f"PRAGMA user_version={_VERSION}")
        db.execute("COMMIT")
    elif application != _APPLICATION:
        raise JournalError(f"{file} is no journal of runcancel; move it away to begin a new one")
    elif version > _VERSION:
        raise JournalError(f"the journal {file} was written by a newer runcancel; use that one, or move it away")


def _is_remote(file: Path) -> bool:
    """Whether the file is on a network file system, as Linux tells it; elsewhere it is taken for local."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    fields = [line.split(" ") for line in mounts]
    holding = [(len(part[1]), part[2]) for part in fields if len(part) > 2 and _is_below(file, part[1])]
    return max(holding, default=(0, ""))[1].startswith(_REMOTE)


def _is_below(file: Path, mount: str) -> bool:
    return file.is_relative_to(mount.replace("\\040", " "))


@contextmanager
def _said(file: Path | None = None) -> Iterator[None]:
    """What SQLite and the disk raise, as one sentence."""
    name = "the journal" if file is None else f"the journal {file}"
    try:
        yield
    except sqlite3.OperationalError as error:
        locked = "locked" in str(error) or "busy" in str(error)
        why = f"is locked by another process for more than {_BUSY:g} s" if locked else f"cannot be used ({error})"
        raise JournalError(f"{name} {why}") from None
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{name} is broken ({error}); move it away to begin a new one") from None
    except msgspec.MsgspecError as error:
        raise JournalError(f"{name} holds an entry that cannot be read ({error})") from None
    except OSError as error:
        raise JournalError(f"{name} cannot be used ({error.strerror})") from None
