"""Fields that only AWS replies have: instance ids, JSON inside text, alarms, counters."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import moment, number, rows, text

INSTANCE = re.compile(r"i-(?:[0-9A-Za-z_]{8}|[0-9A-Za-z_]{17})|mi-[0-9A-Za-z_]{17}")
"""EC2 instances and managed nodes: InstanceId of the service model."""

_LATEST = 253_402_300_800  # seconds, the year 10,000


@contextmanager
def unless_deleted() -> Iterator[None]:
    """Leave the block where what it reads is not there any more: it may be deleted while the others are listed."""
    try:
        yield
    except CloudError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise


def same(value: object, id: str) -> bool:
    """Whether an id in a row is this one: AWS compares ids without regard to case."""
    return (text(value) or "").lower() == id.lower()


def alarms(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The alarms that stopped something, each with its state."""
    pairs = ((text(one.get("Name")), text(one.get("State"))) for one in rows(row, "TriggeredAlarms"))
    return tuple(" ".join(part for part in pair if part) for pair in pairs if any(pair))


def counted(value: object, names: Mapping[str, str]) -> dict[str, int]:
    """The counters of a structure that are there, under our names: `names` is `{field: name}`."""
    pairs = ((name, number(record(value).get(field))) for field, name in names.items())
    return {name: count for name, count in pairs if count is not None}


def time_of(value: object) -> datetime | None:
    """The time of a field that the service model declares as one. Raises `Reason.UNPROVEN` for what is none."""
    time = moment(value)
    early = isinstance(value, datetime) or (isinstance(value, int | float) and value < _LATEST)  # "not yet"
    if time is None and value is not None and not early:
        raise CloudError(Reason.UNPROVEN, "a time in the reply cannot be read")
    return time


def word(value: object) -> str:
    """A status word; empty, which no table maps, when there is none."""
    return text(value) or ""


def record(value: object) -> Mapping[str, Any]:
    """A structure, empty when it is missing."""
    return value if isinstance(value, Mapping) else {}


def document(value: object) -> Mapping[str, Any]:
    """A structure that travels as JSON text."""
    try:
        return record(json.loads(text(value) or "{}"))
    except (ValueError, RecursionError):
        return {}
