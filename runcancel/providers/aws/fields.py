"""Fields that only AWS replies have: instance ids, JSON inside text, and times that mean "not yet"."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runcancel.providers.reading import moment, text

INSTANCE = re.compile(r"i-(?:[0-9A-Za-z_]{8}|[0-9A-Za-z_]{17})|mi-[0-9A-Za-z_]{17}")
"""EC2 instances and managed nodes: InstanceId of the service model."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def when(value: object) -> datetime | None:
    """A time in UTC (botocore hands out the machine's own zone). The epoch stands for "not yet": None."""
    found = moment(value)
    return found if found is not None and found > _LONG_AGO else None


def word(value: object) -> str:
    """A status word; empty, which no table maps, when there is none."""
    return text(value) or ""


def record(value: object) -> Mapping[str, Any]:
    """A structure, empty when it is missing."""
    return value if isinstance(value, Mapping) else {}


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list, or a lone text."""
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, str) and one)


def document(value: object) -> Mapping[str, Any]:
    """A structure that travels as JSON text."""
    try:
        return record(json.loads(text(value) or "{}"))
    except (ValueError, RecursionError):
        return {}


def wire_time(moment: datetime) -> str:
    """A time as AWS filters take it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
