"""The tables of a team's journal in PostgreSQL, as numbered steps. A step that was published never changes."""

from collections.abc import Iterator

from msgspec import Struct

from runcancel.journal.base import Statements


class Migration(Struct, frozen=True):
    """One step: what it is about, and its SQL. Its number is its place in the list, from 1."""

    about: str
    sql: str


MIGRATIONS = (
    Migration(
        "operations, their runs, limits and events",
        """
        CREATE TABLE operations (
          id TEXT PRIMARY KEY, at TEXT NOT NULL, "user" TEXT NOT NULL, host TEXT NOT NULL, argv TEXT NOT NULL,
          reason TEXT, verb TEXT NOT NULL, state TEXT NOT NULL, exit_code INTEGER,
          number BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE, recorded_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
        );
        CREATE TABLE entries (
          operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE, run TEXT NOT NULL, item BYTEA NOT NULL,
          answer BYTEA, outcome BYTEA, verdict TEXT, PRIMARY KEY (operation, run)
        );
        CREATE TABLE limits (
          operation TEXT PRIMARY KEY REFERENCES operations (id) ON DELETE CASCADE, max_runs INTEGER, max_targets INTEGER
        );
        CREATE TABLE events (
          operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE, number BIGINT NOT NULL,
          kind TEXT NOT NULL, event BYTEA NOT NULL, PRIMARY KEY (operation, number)
        )
        """,
    ),
    Migration(
        "leases: which operation cancels a run",
        """
        CREATE TABLE leases (
          run TEXT NOT NULL, operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE, entry TEXT NOT NULL,
          targets TEXT NOT NULL, number BIGINT NOT NULL, taken_at DOUBLE PRECISION NOT NULL,
          PRIMARY KEY (run, operation)
        );
        CREATE INDEX leases_of ON leases (operation);
        CREATE TABLE lease_turns (id INTEGER PRIMARY KEY, number BIGINT NOT NULL);
        CREATE TABLE signs_of_life (
          operation TEXT PRIMARY KEY REFERENCES operations (id) ON DELETE CASCADE, at DOUBLE PRECISION NOT NULL
        )
        """,
    ),
    Migration(
        "the newest prune: what it deleted is not copied back",
        "CREATE TABLE prunes (id INTEGER PRIMARY KEY, before_time DOUBLE PRECISION NOT NULL)",
    ),
)

COMMAND = "runcancel history migrate"

_SCHEMA = "runcancel"
_LOCK = 0x72756E63616E6365  # "runcance": two that migrate at once wait for each other
_APPLIED = """
CREATE TABLE runcancel.migrations (
  version INTEGER PRIMARY KEY, about TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  applied_by TEXT NOT NULL DEFAULT session_user
)
"""


def refusal(db: Statements) -> str | None:
    """Why nothing can be applied to these tables. From now on, others that migrate wait for this transaction."""
    db.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    return _newer(_version(db))


def migrate(db: Statements) -> Iterator[str]:
    """Apply what is missing, and yield what was applied."""
    version = _version(db)
    if not _exists(db, "to_regnamespace", _SCHEMA):
        db.execute("CREATE SCHEMA runcancel")
    if version is None:
        db.execute(_APPLIED)
    for number, one in enumerate(MIGRATIONS, 1):
        if number > (version or 0):
            for statement in one.sql.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO runcancel.migrations (version, about) VALUES (?, ?)", (number, one.about))
            yield f"applied {number}: {one.about}"


def problem(db: Statements) -> str | None:
    """Why these tables cannot be used; None if they can."""
    version = _version(db)
    if version == len(MIGRATIONS):
        return None
    return _newer(version) or f"is not migrated (to migrate it: {COMMAND})"


def _newer(version: int | None) -> str | None:
    if version is None or version <= len(MIGRATIONS):
        return None
    return f"was migrated by a newer runcancel (version {version}, this one knows {len(MIGRATIONS)}); use that one"


def _version(db: Statements) -> int | None:
    """The number of the last step that was applied; None where there are no tables."""
    if not _exists(db, "to_regclass", f"{_SCHEMA}.migrations"):
        return None
    version: int = db.execute("SELECT coalesce(max(version), 0) FROM runcancel.migrations").fetchone()[0]
    return version


def _exists(db: Statements, function: str, name: str) -> bool:
    return db.execute(f"SELECT {function}(?) IS NOT NULL", (name,)).fetchone()[0] is True
