"""Operations, their runs and events as rows of a database, and back."""

import json
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from runcancel.journal.base import Entry
from runcancel.model.encoding import from_json, to_builtins, to_json
from runcancel.model.events import (
    Beside,
    CalledBy,
    Confirmed,
    Ended,
    FromPlan,
    HoldStarted,
    JournalEvent,
    Judged,
    OriginFound,
    Resumed,
    SearchedAgain,
)
from runcancel.model.outcomes import Found, Intent, Operation, PlanItem, Seen, Sent, Started
from runcancel.model.states import Verdict
from runcancel.model.triggers import TRIGGER_VERBS, TriggerVerdict

EVENTS: Mapping[str, type[JournalEvent]] = {
    "from-plan": FromPlan,
    "resumed": Resumed,
    "started": Started,
    "confirmed": Confirmed,
    "called-by": CalledBy,
    "found": Found,
    "beside": Beside,
    "hold-started": HoldStarted,
    "sent": Sent,
    "seen": Seen,
    "judged": Judged,
    "origin": OriginFound,
    "searched-again": SearchedAgain,
    "ended": Ended,
}
KINDS = {kind: word for word, kind in EVENTS.items()}


def row_of(operation: Operation) -> tuple[object, ...]:
    """An operation as the columns of its table, in their order; text without half a surrogate pair."""
    return (
        operation.id,
        operation.at.isoformat(),
        sound(operation.user),
        sound(operation.host),
        encode([sound(word) for word in operation.argv]).decode(),
        None if operation.reason is None else sound(operation.reason),
        operation.verb,
        operation.state,
        operation.exit_code,
    )


def whole_row(entry: Entry) -> tuple[object, ...]:
    """A run as the columns of its table: name, plan, answer, outcome as JSON, verdict."""
    answer = None if entry.answer is None else encode(entry.answer)
    outcome = None if entry.outcome is None else encode(entry.outcome)
    verdict = None if entry.outcome is None else entry.outcome.verdict
    return sound(entry.item.run.text), encode(entry.item), answer, outcome, verdict


class _Shape(Struct):
    """What distinguishes an intent from a plan."""

    ask: bool
    read: bool = True


def item_of(blob: bytes) -> PlanItem | Intent:
    shape = from_json(blob, _Shape)
    return from_json(blob, PlanItem) if shape.read or shape.ask else from_json(blob, Intent)


def operation_of(row: Sequence[object], counts: dict[str, int]) -> Operation:
    id, at, user, host, argv, reason, verb, state, exit_code = row
    fields = {"id": id, "at": at, "user": user, "host": host, "argv": msgspec.json.decode(str(argv)), "verb": verb}
    fields |= {"reason": reason, "state": state, "exit_code": exit_code, "counts": in_words(verb, counts)}
    return msgspec.convert(fields, Operation)


def first_events(operation: Operation) -> tuple[JournalEvent, ...]:
    """The event that keeps which plan an operation carries out: an older program leaves it out, and reads the rest."""
    if operation.plan is None:
        return ()
    return (FromPlan(at=operation.at, plan=operation.plan, shard=operation.shard),)


def in_words(verb: object, counts: dict[str, int]) -> dict[str, int]:
    """Runs per verdict; of a change of triggers in the words for triggers."""
    if verb not in TRIGGER_VERBS:
        return counts
    return {
        str(TriggerVerdict.of(Verdict(word), enable=verb == "enable")) if word in set(Verdict) else word: count
        for word, count in counts.items()
    }


def encode(value: object) -> bytes:
    """A record as JSON; a lone surrogate in a name that a cloud gave becomes a question mark."""
    try:
        return to_json(value)
    except UnicodeEncodeError:
        return json.dumps(to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")


def sound(text: str) -> str:
    """The text with what a database does not take written out: bytes of the command line that are no UTF-8, and NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
