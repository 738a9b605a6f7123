"""A journal as SQL: the statements that SQLite and PostgreSQL understand alike."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from msgspec import structs

from runcancel.errors import JournalError
from runcancel.journal import leases
from runcancel.journal.base import Copy, Database, Entry, Journal, Statements
from runcancel.journal.rows import (
    EVENTS,
    KINDS,
    encode,
    first_events,
    item_of,
    operation_of,
    row_of,
    sound,
    whole_row,
)
from runcancel.model.encoding import from_json
from runcancel.model.events import FromPlan, JournalEvent
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, Intent, Limits, Operation, Outcome, PlanItem, Started
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Stage

_OPERATIONS = 'SELECT id, at, "user", host, argv, reason, verb, state, exit_code FROM operations'
_TOGETHER = 100  # operations that one statement is about
_ALL = 1 << 62
"""As a limit: no limit."""


_NEW = 'INSERT INTO operations (id, at, "user", host, argv, reason, verb, state, exit_code) VALUES (?,?,?,?,?,?,?,?,?)'

_PRUNED = (
    "INSERT INTO prunes (id, before_time) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET before_time = "
    "CASE WHEN excluded.before_time > prunes.before_time THEN excluded.before_time ELSE prunes.before_time END"
)


class SqlJournal(Journal):
    """A journal in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        self._database.close()

    def begin(
        self,
        operation: Operation,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        with self._database.changed() as db:
            db.execute(_NEW, row_of(operation))
            _put_limits(db, operation.id, limits)
            _put(db, operation.id, items)
            _put_events(db, operation.id, (*first_events(operation), *events))
            leases.sign(db, self._database.clock, operation.id)

    def claim(self, id: str, events: Sequence[JournalEvent], earlier: Sequence[Started] | None = None) -> bool:
        with self._database.changed() as db:
            _change(db, "UPDATE operations SET state=state WHERE id=?", id)  # on a server: one process at a time
            starts = [event for event in self.events(id) if isinstance(event, Started)]
            is_first = earlier is None or all(one in earlier for one in starts)
            _put_events(db, id, events if is_first else ())
        return is_first

    def resume(
        self,
        id: str,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        with self._database.changed() as db:
            _change(db, "UPDATE operations SET state=?, exit_code=NULL WHERE id=?", Stage.OPEN, id)
            _put_limits(db, id, limits)
            _put(db, id, items)
            _drop_intents(db, id, {item.run for item in items})
            _put_events(db, id, events)
            leases.sign(db, self._database.clock, id)

    def about(self, words: Collection[str]) -> frozenset[str]:
        query = "SELECT DISTINCT operation FROM entries WHERE run LIKE ?"
        with self._database.used() as db:
            return frozenset(id for word in words for (id,) in db.execute(query, (f"%{word}%",)))

    def limits(self, id: str) -> Limits:
        with self._database.used() as db:
            row = db.execute("SELECT max_runs, max_targets FROM limits WHERE operation=?", (sound(id),)).fetchone()
            return Limits() if row is None else Limits(max_runs=row[0], max_targets=row[1])

    def join(self, id: str, items: Sequence[PlanItem | Intent], events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            _put(db, id, items)
            _put_events(db, id, events)

    def record_read(
        self, id: str, entries: Sequence[tuple[RunName, PlanItem | None]], events: Sequence[JournalEvent] = ()
    ) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            db.executemany(
                "DELETE FROM entries WHERE operation=? AND run=?", [(id, sound(name.text)) for name, _ in entries]
            )
            _put(db, id, [item for _, item in entries if item is not None])
            _put_events(db, id, events)

    def responded(self, id: str, run: Ref, answer: CancelResponse, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            blob = encode(answer)
            _change(db, "UPDATE entries SET answer=? WHERE operation=? AND run=?", blob, id, sound(run.text))
            _put_events(db, id, events)

    def judged(self, id: str, outcome: Outcome, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            row = (encode(outcome), outcome.verdict, id, sound(outcome.run.text))
            _change(db, "UPDATE entries SET outcome=?, verdict=? WHERE operation=? AND run=?", *row)
            _put_events(db, id, events)

    def record(self, id: str, events: Sequence[JournalEvent]) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            _change(db, "UPDATE operations SET id=id WHERE id=?", id)
            _put_events(db, id, events)

    def lease(self, id: str, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        with self._database.changed() as db:
            leases.take(db, self._database.clock, id, items)
            return leases.others(db, self._database.clock, id)

    def leases(self, id: str) -> Mapping[Ref, Lease]:
        with self._database.used() as db:
            return leases.others(db, self._database.clock, id)

    def sign(self, id: str, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            self._database.lock(db, id)
            leases.sign(db, self._database.clock, id)
            _put_events(db, id, events)

    def silence(self, id: str) -> float | None:
        with self._database.used() as db:
            return leases.silence(db, self._database.clock, id) if self._database.has("signs_of_life") else None

    def end(self, id: str, state: Stage, exit_code: int, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            _change(db, "UPDATE operations SET state=?, exit_code=? WHERE id=?", state, exit_code, id)
            _put_events(db, id, events)

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        with self._database.used() as db:
            rows = db.execute(f"{_OPERATIONS} ORDER BY {self._database.newest_first} LIMIT ?", (limit or _ALL,))
            yield from self._read(db, rows.fetchall())

    def operation(self, id: str) -> Operation | None:
        with self._database.used() as db:
            rows = db.execute(f"{_OPERATIONS} WHERE id=?", (sound(id),)).fetchall()
            return next(self._read(db, rows), None)

    def _read(self, db: Statements, rows: Sequence[Sequence[object]]) -> Iterator[Operation]:
        """The operations of rows, with what other tables have about many of them at a time."""
        for at in range(0, len(rows), _TOGETHER):
            some = rows[at : at + _TOGETHER]
            ids = [row[0] for row in some]
            counts = _counts(db, ids)
            sources = _sources(db, ids) if self._database.has("events") else {}
            for row in some:
                operation = operation_of(row, counts.get(row[0], {}))
                source = sources.get(operation.id)
                yield operation if source is None else structs.replace(operation, plan=source.plan, shard=source.shard)

    def ids(self, beginning: str) -> tuple[str, ...]:
        with self._database.used() as db:
            query = "SELECT id FROM operations WHERE substr(id, 1, ?) = ? ORDER BY id DESC"
            return tuple(id for (id,) in db.execute(query, (len(beginning), sound(beginning))))

    def entries(self, id: str) -> Iterator[Entry]:
        with self._database.used() as db:
            for item, answer, outcome in db.execute(
                "SELECT item, answer, outcome FROM entries WHERE operation=? ORDER BY run", (sound(id),)
            ):
                yield Entry(
                    item=item_of(item),
                    answer=None if answer is None else from_json(answer, CancelResponse),
                    outcome=None if outcome is None else from_json(outcome, Outcome),
                )

    def events(self, id: str) -> Iterator[JournalEvent]:
        with self._database.used() as db:
            if not self._database.has("events"):
                return
            query = "SELECT kind, event FROM events WHERE operation=? ORDER BY number"
            for kind, blob in db.execute(query, (sound(id),)):
                if kind in EVENTS:
                    yield from_json(blob, EVENTS[kind])

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, str, Ref, CancelResponse]]:
        with self._database.used() as db:
            for at, verb, run, answer in db.execute(
                "SELECT o.at, o.verb, e.run, e.answer FROM entries e JOIN operations o ON o.id = e.operation "
                "WHERE e.answer IS NOT NULL ORDER BY o.id DESC LIMIT ?",
                (limit,),
            ):
                if isinstance(ref := RunName.parse(run), Ref):
                    yield datetime.fromisoformat(at), verb, ref, from_json(answer, CancelResponse)

    def replace(self, copy: Copy) -> None:
        id = copy.operation.id
        with self._database.changed() as db:
            db.execute(
                f"{_NEW} ON CONFLICT (id) DO UPDATE SET state=excluded.state, exit_code=excluded.exit_code",
                row_of(copy.operation),
            )
            self._database.lock(db, id)
            db.execute("DELETE FROM entries WHERE operation=?", (id,))
            db.execute("DELETE FROM events WHERE operation=?", (id,))
            _put_limits(db, id, copy.limits)
            db.executemany(
                "INSERT INTO entries (operation, run, item, answer, outcome, verdict) VALUES (?,?,?,?,?,?)",
                ((id, *whole_row(entry)) for entry in copy.entries),
            )
            _put_events(db, id, copy.events)

    def prune(self, before: datetime, *, keep: AbstractSet[str] = frozenset()) -> tuple[Operation, ...]:
        with self._database.changed() as db:
            done = (one for one in self.operations() if one.at < before and one.state is Stage.DONE)
            forgotten = tuple(one for one in done if one.id not in keep)
            db.executemany("DELETE FROM operations WHERE id=?", ((one.id,) for one in forgotten))
            db.execute(_PRUNED, (float(int(before.timestamp())),))  # an operation that begins now has the whole second
        return forgotten

    def pruned_before(self) -> datetime | None:
        with self._database.used() as db:
            row = db.execute("SELECT before_time FROM prunes").fetchone() if self._database.has("prunes") else None
            return None if row is None else datetime.fromtimestamp(row[0], UTC)


def _change(db: Statements, statement: str, *values: object) -> None:
    """Change one row. Raises `JournalError` when it is not there: another process has pruned it."""
    if db.execute(statement, values).rowcount == 0:
        raise JournalError("the journal no longer has this operation (history prune)")


def _put(db: Statements, id: str, items: Sequence[PlanItem | Intent]) -> None:
    rows = ((id, sound(item.run.text), encode(item)) for item in items)
    db.executemany(
        "INSERT INTO entries (operation, run, item) VALUES (?,?,?) ON CONFLICT (operation, run) "
        "DO UPDATE SET item=excluded.item, answer=NULL, outcome=NULL, verdict=NULL",
        rows,
    )


def _put_events(db: Statements, id: str, events: Sequence[JournalEvent]) -> None:
    """Add what happened after what the operation has already."""
    if events:
        db.executemany(
            "INSERT INTO events (operation, number, kind, event) "
            "SELECT ?, coalesce(max(number), 0) + 1, ?, ? FROM events WHERE operation=?",
            ((id, KINDS[type(one)], encode(one), id) for one in events),
        )


def _drop_intents(db: Statements, id: str, read: AbstractSet[RunName]) -> None:
    """Forget the intents that meant one of these runs: they have entries of their own."""
    rows = db.execute("SELECT run, item FROM entries WHERE operation=?", (id,)).fetchall()
    intents = ((run, item) for run, item in ((run, item_of(blob)) for run, blob in rows) if isinstance(item, Intent))
    replaced = [(id, run) for run, item in intents if not read.isdisjoint(item.candidates)]
    db.executemany("DELETE FROM entries WHERE operation=? AND run=?", replaced)


def _put_limits(db: Statements, id: str, limits: Limits | None) -> None:
    if limits is not None:
        db.execute(
            "INSERT INTO limits (operation, max_runs, max_targets) VALUES (?,?,?) ON CONFLICT (operation) "
            "DO UPDATE SET max_runs=excluded.max_runs, max_targets=excluded.max_targets",
            (id, limits.max_runs, limits.max_targets),
        )


def _counts(db: Statements, ids: Sequence[object]) -> dict[object, dict[str, int]]:
    """Runs per verdict of each operation."""
    query = (
        "SELECT operation, coalesce(verdict, 'unjudged'), count(*) FROM entries WHERE operation IN (#) GROUP BY 1, 2"
    )
    counts: dict[object, dict[str, int]] = {}
    for id, word, count in db.execute(_among(query, ids), ids):
        counts.setdefault(id, {})[word] = count
    return counts


def _sources(db: Statements, ids: Sequence[object]) -> dict[object, FromPlan]:
    """The plans that operations carry out: the first event of each, if it has one."""
    query = "SELECT operation, event FROM events WHERE operation IN (#) AND number=1 AND kind=?"
    rows = db.execute(_among(query, ids), (*ids, KINDS[FromPlan]))
    return {id: from_json(event, FromPlan) for id, event in rows}


def _among(query: str, ids: Sequence[object]) -> str:
    """The query with a place for each id."""
    return query.replace("#", ",".join("?" * len(ids)))
