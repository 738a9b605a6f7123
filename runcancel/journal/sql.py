"""A journal as SQL: the statements that SQLite and PostgreSQL understand alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec
from msgspec import Struct, structs

from runcancel.engine.verdict import CancelResponse
from runcancel.errors import JournalError
from runcancel.journal.base import Database, Entry, Journal, Statements
from runcancel.model.encoding import from_json, to_builtins, to_json
from runcancel.model.events import (
    Beside,
    CalledBy,
    Confirmed,
    Ended,
    Found,
    FromPlan,
    JournalEvent,
    Judged,
    OriginFound,
    Resumed,
    SearchedAgain,
)
from runcancel.model.outcomes import Intent, Limits, Operation, Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Stage, Verdict
from runcancel.model.triggers import TRIGGER_VERBS, TriggerVerdict

_EVENTS: Mapping[str, type[JournalEvent]] = {
    "from-plan": FromPlan,
    "resumed": Resumed,
    "confirmed": Confirmed,
    "called-by": CalledBy,
    "found": Found,
    "beside": Beside,
    "sent": Sent,
    "seen": Seen,
    "judged": Judged,
    "origin": OriginFound,
    "searched-again": SearchedAgain,
    "ended": Ended,
}
_KINDS = {kind: word for word, kind in _EVENTS.items()}


_OPERATIONS = "SELECT id, at, user, host, argv, reason, verb, state, exit_code FROM operations"
_ALL = 1 << 62
"""As a limit: no limit."""


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
            db.execute(
                "INSERT INTO operations (id, at, user, host, argv, reason, verb, state, exit_code) "
                "VALUES (?,?,?,?,?,?,?,?,?)",
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
            _put_events(db, operation.id, (*_from_plan(operation), *events))

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

    def limits(self, id: str) -> Limits:
        with self._database.used() as db:
            row = db.execute("SELECT max_runs, max_targets FROM limits WHERE operation=?", (_sound(id),)).fetchone()
            return Limits() if row is None else Limits(max_runs=row[0], max_targets=row[1])

    def join(self, id: str, items: Sequence[PlanItem | Intent], events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            _put(db, id, items)
            _put_events(db, id, events)

    def record_read(
        self, id: str, entries: Sequence[tuple[RunName, PlanItem | None]], events: Sequence[JournalEvent] = ()
    ) -> None:
        with self._database.changed() as db:
            db.executemany(
                "DELETE FROM entries WHERE operation=? AND run=?", [(id, _sound(name.text)) for name, _ in entries]
            )
            _put(db, id, [item for _, item in entries if item is not None])
            _put_events(db, id, events)

    def responded(self, id: str, run: Ref, answer: CancelResponse, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            blob = _encode(answer)
            _change(db, "UPDATE entries SET answer=? WHERE operation=? AND run=?", blob, id, _sound(run.text))
            _put_events(db, id, events)

    def judged(self, id: str, outcome: Outcome, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            row = (_encode(outcome), outcome.verdict, id, _sound(outcome.run.text))
            _change(db, "UPDATE entries SET outcome=?, verdict=? WHERE operation=? AND run=?", *row)
            _put_events(db, id, events)

    def record(self, id: str, events: Sequence[JournalEvent]) -> None:
        with self._database.changed() as db:
            _change(db, "UPDATE operations SET id=id WHERE id=?", id)
            _put_events(db, id, events)

    def end(self, id: str, state: Stage, exit_code: int, events: Sequence[JournalEvent] = ()) -> None:
        with self._database.changed() as db:
            _change(db, "UPDATE operations SET state=?, exit_code=? WHERE id=?", state, exit_code, id)
            _put_events(db, id, events)

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        with self._database.used() as db:
            rows = db.execute(f"{_OPERATIONS} ORDER BY id DESC LIMIT ?", (limit or _ALL,))
            for row in rows.fetchall():
                yield self._operation(db, row)

    def operation(self, id: str) -> Operation | None:
        with self._database.used() as db:
            row = db.execute(f"{_OPERATIONS} WHERE id=?", (_sound(id),)).fetchone()
            return None if row is None else self._operation(db, row)

    def _operation(self, db: Statements, row: Sequence[object]) -> Operation:
        operation = _operation(db, row)
        source = _source(db, operation.id) if self._database.has("events") else None
        return operation if source is None else structs.replace(operation, plan=source.plan, shard=source.shard)

    def ids(self, beginning: str) -> tuple[str, ...]:
        with self._database.used() as db:
            query = "SELECT id FROM operations WHERE substr(id, 1, ?) = ? ORDER BY id DESC"
            return tuple(id for (id,) in db.execute(query, (len(beginning), _sound(beginning))))

    def entries(self, id: str) -> Iterator[Entry]:
        with self._database.used() as db:
            for item, answer, outcome in db.execute(
                "SELECT item, answer, outcome FROM entries WHERE operation=? ORDER BY run", (_sound(id),)
            ):
                yield Entry(
                    item=_item(item),
                    answer=None if answer is None else from_json(answer, CancelResponse),
                    outcome=None if outcome is None else from_json(outcome, Outcome),
                )

    def events(self, id: str) -> Iterator[JournalEvent]:
        with self._database.used() as db:
            if not self._database.has("events"):
                return
            query = "SELECT kind, event FROM events WHERE operation=? ORDER BY number"
            for kind, blob in db.execute(query, (_sound(id),)):
                if kind in _EVENTS:
                    yield from_json(blob, _EVENTS[kind])

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, str, Ref, CancelResponse]]:
        with self._database.used() as db:
            for at, verb, run, answer in db.execute(
                "SELECT o.at, o.verb, e.run, e.answer FROM entries e JOIN operations o ON o.id = e.operation "
                "WHERE e.answer IS NOT NULL ORDER BY o.id DESC LIMIT ?",
                (limit,),
            ):
                if isinstance(ref := RunName.parse(run), Ref):
                    yield datetime.fromisoformat(at), verb, ref, from_json(answer, CancelResponse)

    def prune(self, before: datetime, *, keep: AbstractSet[str] = frozenset()) -> tuple[Operation, ...]:
        with self._database.changed() as db:
            done = (one for one in self.operations() if one.at < before and one.state is Stage.DONE)
            forgotten = tuple(one for one in done if one.id not in keep)
            db.executemany("DELETE FROM operations WHERE id=?", ((one.id,) for one in forgotten))
        return forgotten


def _change(db: Statements, statement: str, *values: object) -> None:
    """Change one row. Raises `JournalError` when it is not there: another process has pruned it."""
    if db.execute(statement, values).rowcount == 0:
        raise JournalError("the journal no longer has this operation (history prune)")


def _put(db: Statements, id: str, items: Sequence[PlanItem | Intent]) -> None:
    rows = ((id, _sound(item.run.text), _encode(item)) for item in items)
    db.executemany(
        "INSERT INTO entries (operation, run, item) VALUES (?,?,?) ON CONFLICT (operation, run) "
        "DO UPDATE SET item=excluded.item, answer=NULL, outcome=NULL, verdict=NULL",
        rows,
    )


def _put_events(db: Statements, id: str, events: Sequence[JournalEvent]) -> None:
    """Add what happened after what the operation has already."""
    if not events:
        return
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM events WHERE operation=?", (id,)).fetchone()
    rows = ((id, number, _KINDS[type(one)], _encode(one)) for number, one in enumerate(events, last + 1))
    db.executemany("INSERT INTO events (operation, number, kind, event) VALUES (?,?,?,?)", rows)


def _drop_intents(db: Statements, id: str, read: AbstractSet[RunName]) -> None:
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


def _put_limits(db: Statements, id: str, limits: Limits | None) -> None:
    if limits is not None:
        db.execute(
            "INSERT INTO limits (operation, max_runs, max_targets) VALUES (?,?,?) ON CONFLICT (operation) "
            "DO UPDATE SET max_runs=excluded.max_runs, max_targets=excluded.max_targets",
            (id, limits.max_runs, limits.max_targets),
        )


def _operation(db: Statements, row: Sequence[object]) -> Operation:
    id, at, user, host, argv, reason, verb, state, exit_code = row
    counted = db.execute(
        "SELECT coalesce(verdict, 'unjudged'), count(*) FROM entries WHERE operation=? GROUP BY 1", (id,)
    )
    fields = {"id": id, "at": at, "user": user, "host": host, "argv": msgspec.json.decode(str(argv)), "verb": verb}
    fields |= {"reason": reason, "state": state, "exit_code": exit_code, "counts": _words(verb, dict(counted))}
    return msgspec.convert(fields, Operation)


def _from_plan(operation: Operation) -> tuple[JournalEvent, ...]:
    """The event that keeps which plan an operation carries out: an older program leaves it out, and reads the rest."""
    if operation.plan is None:
        return ()
    return (FromPlan(at=operation.at, plan=operation.plan, shard=operation.shard),)


def _source(db: Statements, id: str) -> FromPlan | None:
    """The plan that an operation carries out: its first event, if it has one."""
    query = "SELECT event FROM events WHERE operation=? AND number=1 AND kind=?"
    row = db.execute(query, (id, _KINDS[FromPlan])).fetchone()
    return None if row is None else from_json(row[0], FromPlan)


def _words(verb: object, counts: dict[str, int]) -> dict[str, int]:
    """Runs per verdict; of a change of triggers in the words for triggers."""
    if verb not in TRIGGER_VERBS:
        return counts
    return {
        str(TriggerVerdict.of(Verdict(word), enable=verb == "enable")) if word in set(Verdict) else word: count
        for word, count in counts.items()
    }


def _encode(value: object) -> bytes:
    """A record as JSON; a lone surrogate in a name that a cloud gave becomes a question mark."""
    try:
        return to_json(value)
    except UnicodeEncodeError:
        return json.dumps(to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def _sound(text: str) -> str:
    """The text with what a database does not take written out: bytes of the command line that are no UTF-8, and NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
