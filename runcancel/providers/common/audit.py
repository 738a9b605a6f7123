"""What every vendor's audit log has in common: events around the start of a run, one of which names it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from runcancel.model.runs import Ref, Run
from runcancel.providers.common.fields import JsonObject, text

EVENTS = 50
"""Events per page: the most that each of the vendors gives."""

EARLIER, LATER = timedelta(minutes=2), timedelta(minutes=3)
"""How far the time of an event may be from the time at which its run was created."""

LookUp = Callable[[str, datetime, datetime], Iterator[JsonObject]]
"""The events of one action between two times, each as a whole document."""


class _Period(Struct, frozen=True, kw_only=True):
    """Runs whose events are read together."""

    start: datetime
    end: datetime
    runs: tuple[Run, ...]


def events_of(runs: Iterable[Run], actions: Sequence[str], look_up: LookUp) -> Iterator[tuple[Ref, str, JsonObject]]:
    """For each run whose request is found: its reference, the action and the event.

    Runs that were created close to each other are looked up in one go, since the logs answer few calls a second.
    """
    for period in _periods(runs):
        pending = {run.id.lower(): run.ref for run in period.runs}
        for action in actions:
            for event in look_up(action, period.start, period.end) if pending else ():
                names = _outcome(event)
                for id in [id for id in pending if id in names]:
                    yield pending.pop(id), action, event
                if not pending:
                    break


def event_document(value: object) -> JsonObject:
    """An event that travels as JSON text; empty for anything else."""
    try:
        document: Any = json.loads(text(value) or "{}")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _periods(runs: Iterable[Run]) -> Iterator[_Period]:
    born = sorted(((run.created_at or run.started_at, run) for run in runs), key=lambda pair: str(pair[0]))
    open_: list[Run] = []
    start = end = None
    for at, run in born:
        if at is None:
            continue
        if start is None or end is None or at - EARLIER > end:
            if start is not None and end is not None:
                yield _Period(start=start, end=end, runs=tuple(open_))
            open_, start = [], at - EARLIER
        open_.append(run)
        end = at + LATER
    if start is not None and end is not None:
        yield _Period(start=start, end=end, runs=tuple(open_))


def _outcome(event: JsonObject) -> str:
    """All of an event except its request, which may quote the id of any run."""
    fields = {key: value for key, value in event.items() if not key.lower().startswith("requestparameter")}
    return json.dumps(fields, default=str).lower()
