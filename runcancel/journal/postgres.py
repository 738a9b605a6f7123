"""The journal's tables in PostgreSQL, through psycopg 3: what libpq does with TLS and passwords holds here, too."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from itertools import islice
from typing import Any, LiteralString

import psycopg
from msgspec import MsgspecError

from runcancel.config.journal_url import shown
from runcancel.errors import JournalError
from runcancel.journal import migrations
from runcancel.journal.base import Database, Rows, Statements
from runcancel.text import safe

CONNECT = 2.0
"""Seconds that a connection may take."""
STATEMENT = 1.0
"""Seconds that one statement may take."""

_MIGRATION = 60.0  # seconds that one statement of a migration may take
_ROWS = 100  # of one statement for many rows: few enough that each is far below the limit
_BEGIN = """
BEGIN; SET LOCAL search_path = runcancel; SET LOCAL statement_timeout = {milliseconds};
SET LOCAL idle_in_transaction_session_timeout = 5000
"""
"""Settings hold for one transaction: a pool between here and the server gives each one another connection."""

_Limit = Callable[[float | None], None]


class PostgresDatabase(Database):
    """An open connection. Only the thread that opened it may use it; statements outside a transaction make one.

    `limit` gets the seconds that the next step may take, and None after it: who waits can then give it up.
    """

    newest_first = "number DESC"  # the server counts them: the clocks of hosts differ
    clock = "extract(epoch FROM clock_timestamp())::float8"

    def __init__(self, connection: psycopg.Connection[Any], url: str, limit: _Limit) -> None:
        self._connection = connection
        self._url = url
        self._statements = _Limited(connection, limit)
        self._is_open = False

    @classmethod
    def open(cls, url: str, limit: _Limit = lambda seconds: None) -> "PostgresDatabase":
        """Connect. Raises `JournalError`."""
        with _as_journal_error(url):
            limit(CONNECT)
            connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=int(CONNECT),
                prepare_threshold=None,  # a pool may give each transaction another connection
                application_name="runcancel",
                keepalives_idle=30,  # a firewall between here and the server forgets connections that are silent
                client_encoding="utf8",
            )
            limit(None)
        return cls(connection, url, limit)

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error, OSError):
            self._connection.close()

    def check(self) -> None:
        """Raise `JournalError` if its tables are not those of this program."""
        with self.used() as db:
            what = migrations.problem(db)
        if what is not None:
            raise JournalError(f"the team journal {shown(self._url)} {what}")

    def migrate(self) -> tuple[str, ...]:
        """Apply the migrations that are missing; what was done. Raises `JournalError`."""
        with _as_journal_error(self._url), self._transaction(_MIGRATION) as db:
            what = migrations.refusal(db)
            if what is not None:
                raise JournalError(f"the team journal {shown(self._url)} {what}")
            return tuple(migrations.migrate(db))

    def lock(self, db: Statements, id: str) -> None:
        """Keep other processes from this operation: before its entries, so that two never wait for each other."""
        db.execute("SELECT 1 FROM operations WHERE id=? FOR UPDATE", (id,))

    def has(self, table: str) -> bool:
        """Whether it has this table: it was migrated."""
        return True

    @contextmanager
    def used(self) -> Iterator[Statements]:
        """For statements, and for reading what they gave."""
        with self.changed() as db:
            yield db

    @contextmanager
    def changed(self) -> Iterator[Statements]:
        """One transaction; inside another one, a part of it."""
        if self._is_open:
            yield self._statements
            return
        with _as_journal_error(self._url), self._transaction(STATEMENT) as db:
            yield db

    @contextmanager
    def _transaction(self, seconds: float) -> Iterator[Statements]:
        db = self._statements
        db.seconds = seconds
        db.execute(_BEGIN.format(milliseconds=int(seconds * 1000)))
        self._is_open = True
        try:
            with db.together():
                yield db
            db.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                db.execute("ROLLBACK")
            raise
        finally:
            self._is_open = False


class _Limited(Statements):
    """The statements of a connection, each with its limit of time."""

    def __init__(self, connection: psycopg.Connection[Any], limit: _Limit) -> None:
        self._connection = connection
        self._limit = limit
        self.seconds = STATEMENT

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send the statements whose rows nobody reads together: they cost one round trip, not one each.

        What goes wrong with them is raised at the end.
        """
        with self._connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext():
            yield
            self._limit(self.seconds)
        self._limit(None)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        self._limit(self.seconds)
        cursor = self._connection.execute(_in_its_dialect(sql), parameters or None)
        rows = _Rows(cursor.fetchall() if _is_read(sql) else [])
        self._limit(None)
        return rows

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        statement, rows = _in_its_dialect(sql), iter(parameters)
        cursor = self._connection.cursor()
        while some := list(islice(rows, _ROWS)):
            self._limit(self.seconds)
            for row in some:
                cursor.execute(statement, row)  # its own `executemany` waits for the replies of each call
            self._limit(None)


class _Rows(Rows):
    """The rows of a statement. How many it changed is not known yet; references show that a row is gone."""

    rowcount = -1

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self._next = iter(rows)

    def fetchone(self) -> Any:
        return next(self._next, None)

    def fetchall(self) -> list[Any]:
        return list(self._next)

    def __iter__(self) -> Iterator[Any]:
        return self._next


@lru_cache
def _is_read(sql: str) -> bool:
    """Whether somebody reads the rows of a statement: then it is waited for."""
    words = sql.split()
    return (words[0] in ("SELECT", "WITH") and words[-1] != "UPDATE") or "RETURNING" in words


@lru_cache
def _in_its_dialect(sql: str) -> LiteralString:
    """SQL of this program, never a text of others, with the placeholders of psycopg."""
    return sql.replace("?", "%s")


@contextmanager
def _as_journal_error(url: str) -> Iterator[None]:
    """What the connection and the content of the tables raise, as one sentence."""
    name = f"the team journal {shown(url)}"
    try:
        yield
    except JournalError:
        raise
    except psycopg.errors.QueryCanceled:
        raise JournalError(f"{name} cannot be used (a statement took longer than {STATEMENT:g} s)") from None
    except psycopg.Error as error:
        raise JournalError(f"{name} cannot be used ({_first_line(error)})") from None
    except (MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(f"{name} has unreadable content ({error})") from None
    except OSError as error:
        raise JournalError(f"{name} cannot be used ({error.strerror})") from None
    except MemoryError:
        raise JournalError(f"{name} cannot be used (no memory is left)") from None


def _first_line(error: psycopg.Error) -> str:
    """What went wrong, on one line. Of several hosts libpq names each; the first is enough."""
    lines = str(error).strip().splitlines()
    return safe(lines[0].rstrip(".")) if lines else type(error).__name__
