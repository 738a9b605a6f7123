"""Leases in a journal: who cancels which run. Every time in here is by the clock of the database.

A lease is taken after the intent is committed and before anything is sent. It counts while its operation shows signs
of life, and without a recorded acceptance only for a few seconds: an owner that hangs is overtaken.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import MsgspecError

from runcancel.journal.base import Statements
from runcancel.journal.rows import sound
from runcancel.model.encoding import from_json
from runcancel.model.leases import Claim, Lease
from runcancel.model.outcomes import CancelResponse, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Stage, Verdict

LIFETIME = 30.0
"""Seconds after the last sign of life of an operation for which its leases count."""
UNANSWERED = 10.0
"""Seconds for which a lease counts although no acceptance is recorded."""
RENEWAL = 8.0
"""Seconds between two signs of life: three may be lost before a lease runs out."""

_TURN = (
    "INSERT INTO lease_turns (id, number) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET number = lease_turns.number + 1"
)
"""Who takes leases waits for others that do: of two operations one always sees the other's."""

_TAKE = (
    "INSERT INTO leases (run, operation, entry, targets, number, taken_at) VALUES (?,?,?,?,?,{clock}) "
    "ON CONFLICT (run, operation) DO UPDATE "
    "SET targets=excluded.targets, number=excluded.number, taken_at=excluded.taken_at"
)

_SIGN = (
    "INSERT INTO signs_of_life (operation, at) VALUES (?,{clock}) ON CONFLICT (operation) DO UPDATE SET at=excluded.at"
)

_SILENCE = "SELECT {clock} - at FROM signs_of_life WHERE operation=?"

_OTHERS = """SELECT mine.entry, mine.targets, theirs.targets, theirs.operation, o."user", o.host, o.state,
  theirs.taken_at, {clock} - theirs.taken_at, {clock} - coalesce(s.at, 0), e.answer, e.verdict
FROM leases mine JOIN leases theirs ON theirs.run = mine.run AND theirs.number < mine.number
JOIN operations o ON o.id = theirs.operation
LEFT JOIN signs_of_life s ON s.operation = theirs.operation
LEFT JOIN entries e ON e.operation = theirs.operation AND e.run = theirs.entry
WHERE mine.operation = ? AND theirs.operation <> mine.operation
ORDER BY theirs.number
"""


def key_of(run: Ref) -> str:
    """What a run is called on every machine: its reference without the context, a name of one configuration."""
    return sound(f"{run.scope.provider}:{run.scope.region}:{run.kind}/{run.id}")


def take(db: Statements, clock: str, id: str, items: Iterable[PlanItem]) -> None:
    """Take a lease on each of these runs for an operation, after those that others have taken before."""
    db.execute(_TURN)
    (number,) = db.execute("SELECT number FROM lease_turns WHERE id=1").fetchone()
    db.executemany(
        _TAKE.format(clock=clock),
        [(key_of(one.run), id, sound(one.run.text), json.dumps(one.targets), number) for one in items],
    )
    sign(db, clock, id)


def sign(db: Statements, clock: str, id: str) -> None:
    """Record that an operation lives."""
    db.execute(_SIGN.format(clock=clock), (id,))


def silence(db: Statements, clock: str, id: str) -> float | None:
    """Seconds since the last sign of life of an operation; None where none is recorded."""
    row = db.execute(_SILENCE.format(clock=clock), (sound(id),)).fetchone()
    return None if row is None else float(row[0])


def others(db: Statements, clock: str, id: str) -> Mapping[Ref, Lease]:
    """The leases of others on runs on which this operation took one later. An accepted cancel counts before others."""
    leases: dict[Ref, Lease] = {}
    for row in db.execute(_OTHERS.format(clock=clock), (id,)):
        for ref, lease in _of_row(row):
            if ref not in leases or (lease.accepted, lease.live) > (leases[ref].accepted, leases[ref].live):
                leases[ref] = lease
    return leases


def _of_row(row: Sequence[Any]) -> Iterator[tuple[Ref, Lease]]:
    """The lease of a row, if it counts and is about every target of the run that this operation would cancel."""
    entry, mine, theirs, operation, user, host, state, taken_at, age, silent, answer, verdict = row
    if not _covers(json.loads(theirs), json.loads(mine)):
        return
    is_open = state == Stage.OPEN
    accepted = _accepted(answer)
    gone = (is_open and silent >= LIFETIME) or verdict in (Verdict.FAILED, Verdict.SKIPPED)
    if gone or not (accepted or (is_open and age < UNANSWERED)):
        return
    since = datetime.fromtimestamp(taken_at, UTC)
    claim = Claim(operation=operation, user=user, host=host, since=since.replace(microsecond=0))
    yield Ref.parse(entry), Lease(claim=claim, accepted=accepted, live=is_open)


def _covers(theirs: Sequence[str], mine: Sequence[str]) -> bool:
    """Whether a cancel of these targets is about all of the others; no targets are all of the run."""
    return not theirs or (bool(mine) and set(mine) <= set(theirs))


def _accepted(answer: bytes | None) -> bool:
    if answer is None:
        return False
    try:
        return from_json(bytes(answer), CancelResponse).under_way
    except MsgspecError:  # a newer program wrote it
        return False
