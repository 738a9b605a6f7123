"""The journal's file: made and opened safely, known for a journal before anything about it is changed."""

import errno
import os
import random
import re
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import MsgspecError

from runcancel.config.folders import NO_HOME, NOWHERE, make_folder, nearest, writable_by_all
from runcancel.errors import JournalError
from runcancel.journal.base import Database

_APPLICATION = 0x72756E63  # "runc": what SQLite keeps in the file's header to tell it from others
_VERSION = 1
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

_LATER = """
CREATE TABLE IF NOT EXISTS limits (
  operation TEXT PRIMARY KEY REFERENCES operations(id) ON DELETE CASCADE, max_runs INTEGER, max_targets INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  operation TEXT NOT NULL REFERENCES operations(id) ON DELETE CASCADE, number INTEGER NOT NULL, kind TEXT NOT NULL,
  event BLOB NOT NULL, PRIMARY KEY (operation, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (
  run TEXT NOT NULL, operation TEXT NOT NULL REFERENCES operations(id) ON DELETE CASCADE, entry TEXT NOT NULL,
  targets TEXT NOT NULL, number INTEGER NOT NULL, taken_at REAL NOT NULL, PRIMARY KEY (run, operation)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_of ON leases (operation);
CREATE TABLE IF NOT EXISTS lease_turns (id INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS signs_of_life (
  operation TEXT PRIMARY KEY REFERENCES operations(id) ON DELETE CASCADE, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prunes (id INTEGER PRIMARY KEY, before_time REAL NOT NULL)
"""
"""What was added to version 1: a journal made before gets it too, and an older program does not notice."""


class JournalFile(Database):
    """An open file. Only the thread that opened it may use it; each statement is a transaction unless one is open."""

    newest_first = "id DESC"  # one machine has one clock
    clock = "((julianday('now') - 2440587.5) * 86400.0)"

    def __init__(self, connection: sqlite3.Connection, file: Path | None = None) -> None:
        self._connection = connection
        self._file = file
        self._identity = None if file is None else _identity(file)

    @classmethod
    def open(cls, file: Path, *, busy: float, pause: Callable[[float], None] = time.sleep) -> "JournalFile":
        """Open or begin a journal, waiting `busy` seconds at most for others. Raises `JournalError`.

        No signal interrupts SQLite's own waiting: `pause` waits between its tries.
        """
        deadline = time.monotonic() + busy
        with _as_journal_error(file):
            _prepare(file)
            connection = sqlite3.connect(file, timeout=0, isolation_level=None)
            with _closed_on_failure(connection):
                while not _is_set_up(connection, file, last=time.monotonic() >= deadline):
                    pause(random.uniform(0.005, 0.05))  # noqa: S311
                connection.execute(f"PRAGMA busy_timeout={int(busy * 1000)}")
            return cls(connection, file)

    @classmethod
    def peek(cls, file: Path) -> "JournalFile":
        """Open a journal that is there for reading, and leave no trace on the disk. Raises `JournalError`."""
        with _as_journal_error(file):
            _check_folder(file.parent)
            _check_file(file)
            connection = _connect_for_reading(file)
            with _closed_on_failure(connection):
                _check(connection, file)
        return cls(connection)

    def close(self) -> None:
        """Close the file; what was not committed is undone."""
        self._connection.close()

    def has(self, table: str) -> bool:
        """Whether the file has a table of this name. Raises `JournalError`."""
        with self.used() as db:
            return db.execute("SELECT 1 FROM sqlite_master WHERE name=?", (table,)).fetchone() is not None

    @contextmanager
    def used(self) -> Iterator[sqlite3.Connection]:
        """For statements, and for reading what they gave. Raises `JournalError` for whatever goes wrong."""
        with _as_journal_error():
            if self._file is not None and _identity(self._file) != self._identity:
                raise JournalError(f"the journal {self._file} was removed or replaced while in use")
            yield self._connection

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction, with no other writer. Undone by any exception. Raises `JournalError`."""
        with self.used() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk rolls back by itself
                    db.execute("ROLLBACK")
                raise


def is_remote(file: Path, mounts: str) -> bool:
    """Whether the file is on a network file system, by the text of /proc/mounts; without one it is taken for local."""
    fields = [line.split(" ") for line in mounts.splitlines()]
    real = file.parent.resolve() / file.name
    holding = [(len(part[1]), at, part[2]) for at, part in enumerate(fields) if len(part) > 2 and _holds(part[1], real)]
    return max(holding, default=(0, 0, ""))[2].startswith(_REMOTE)  # of two on one place, the later hides the other


def is_there(file: Path) -> bool:
    """Whether there is a journal, without making one. Raises `JournalError` for a place where none may be."""
    with _as_journal_error(file):
        _check_place(file)
        try:
            _check_folder(file.parent)
        except FileNotFoundError:
            return False
        return os.path.lexists(file)


def _check_place(file: Path) -> None:
    if file.is_relative_to(NOWHERE) or not file.is_absolute():
        raise JournalError(f"there is no location for the journal: {NO_HOME}")


def _prepare(file: Path) -> None:
    """Make folder and file. Raises `JournalError` for a link, for what is no file, and for what others own."""
    _check_place(file)
    above = nearest(file.parent)
    if above != file.parent and above.stat().st_uid not in (0, os.geteuid()):  # root in somebody's home: sudo -E
        raise JournalError(f"the folder {above} of the journal belongs to another user")
    make_folder(file.parent)
    _check_folder(file.parent)
    if not file.is_symlink():
        _make_file(file)
    _check_file(file)


def _make_file(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the journal {file} cannot be opened ({error.strerror})") from None
    os.close(descriptor)


def _check_folder(folder: Path) -> None:
    """Raise `JournalError` for a folder in which another user can create a journal, or links beside it."""
    about = folder.stat()
    if about.st_uid != os.geteuid():
        raise JournalError(f"the folder {folder} of the journal belongs to another user")
    if about.st_mode & 0o022:
        raise JournalError(f"the folder {folder} of the journal is writable by others; to correct it, chmod 700")
    shared = writable_by_all(folder.resolve())
    if shared is not None:
        raise JournalError(f"the folder {shared} above the journal is writable by others; to correct it, chmod o-w")


def _check_file(file: Path) -> None:
    """Raise `JournalError` for a link, for what is no file, and for what is another user's."""
    about = file.lstat()
    if stat.S_ISLNK(about.st_mode):
        raise JournalError(f"the journal {file} is a symbolic link, which is not followed")
    if stat.S_ISDIR(about.st_mode):
        raise JournalError(f"the journal {file} cannot be opened ({os.strerror(errno.EISDIR)})")
    if not stat.S_ISREG(about.st_mode):
        raise JournalError(f"the journal {file} is not a regular file; move it away to start a new one")
    if about.st_uid != os.geteuid():
        raise JournalError(f"the journal {file} belongs to another user")


def _identity(file: Path) -> tuple[int, int] | None:
    """The file of a name; None if there is none."""
    try:
        about = file.lstat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _connect_for_reading(file: Path) -> sqlite3.Connection:
    """A connection that changes nothing on the disk.

    Without a log beside it, SQLite opens the file as immutable, because it would create files to share memory. On a
    read-only or full disk the file and its log are read into a copy.
    """
    log = file.with_name(f"{file.name}-wal")
    logged = log.exists() and log.stat().st_size > 0
    still = "" if logged else "&immutable=1"
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{still}", uri=True, isolation_level=None)
    try:
        _number(connection, "PRAGMA user_version")
    except sqlite3.OperationalError as error:
        connection.close()
        if not logged or _is_locked(error):
            raise
        return _connect_to_copy(file, log)
    return connection


def _connect_to_copy(file: Path, log: Path) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory(prefix="runcancel-journal-") as folder:
        copy = Path(folder) / file.name
        shutil.copyfile(file, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        connection = sqlite3.connect(":memory:", isolation_level=None)
        with closing(sqlite3.connect(copy)) as copied:
            copied.backup(connection)
    return connection


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _is_set_up(db: sqlite3.Connection, file: Path, *, last: bool) -> bool:
    """Whether nobody held the file while it was set up. Raises what SQLite does, if it is the `last` try or broken."""
    try:
        _set_up(db, file)
    except sqlite3.OperationalError as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if last or not _is_locked(error):
            raise
        return False
    return True


def _set_up(db: sqlite3.Connection, file: Path) -> None:
    """Know the file for a journal before anything about it is changed; make the tables of a new one."""
    is_new = _check(db, file)
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(0o600)
    db.execute(f"PRAGMA journal_mode={'DELETE' if is_remote(file, _mounts()) else 'WAL'}")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA foreign_keys=ON")
    if is_new:
        _make_tables(db)
    for statement in _LATER.split(";"):
        db.execute(statement)


def _make_tables(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    if _number(db, "PRAGMA user_version") == 0:  # else another process was first
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={_APPLICATION}")
        db.execute(f"PRAGMA user_version={_VERSION}")
    db.execute("COMMIT")


def _check(db: sqlite3.Connection, file: Path) -> bool:
    """Whether the file is empty. Raises `JournalError` for one that is neither empty nor a journal of this version."""
    db.execute("BEGIN")  # one look: another process may be making the tables
    application, version = _number(db, "PRAGMA application_id"), _number(db, "PRAGMA user_version")
    is_new = application == version == _number(db, "SELECT count(*) FROM sqlite_master") == 0
    db.execute("COMMIT")
    if application != _APPLICATION and not is_new:
        raise JournalError(f"{file} is not a runcancel journal; move it away to start a new one")
    if version > _VERSION:
        raise JournalError(f"the journal {file} was written by a newer runcancel; use that one, or move it away")
    return is_new


def _number(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])


def _holds(mount: str, file: Path) -> bool:
    return file.is_relative_to(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount))


def _mounts(table: Path = Path("/proc/mounts")) -> str:
    """What is mounted where; empty where the system has no such table."""
    try:
        return table.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _is_locked(error: sqlite3.OperationalError) -> bool:
    return "locked" in str(error) or "busy" in str(error)


@contextmanager
def _as_journal_error(file: Path | None = None) -> Iterator[None]:
    """What SQLite and the disk raise, as one sentence."""
    name = "the journal" if file is None else f"the journal {file}"
    try:
        yield
    except sqlite3.OperationalError as error:
        locked = "is locked by another process"
        why = locked if _is_locked(error) else f"cannot be used ({error})"
        raise JournalError(f"{name} {why}") from None
    except sqlite3.Error as error:
        raise JournalError(f"{name} is broken ({error}); move it away to start a new one") from None
    except (MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{name} has unreadable content ({error}); move it away to start a new one") from None
    except OSError as error:
        raise JournalError(f"{name} cannot be used ({error.strerror})") from None
    except MemoryError:
        raise JournalError(f"{name} cannot be used (no memory is left)") from None
