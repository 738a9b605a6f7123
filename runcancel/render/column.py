"""One column of a table: what machines and what people see of a record in it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from runcancel.model.runs import RunName
from runcancel.model.states import State
from runcancel.render.screens.words import NOTHING, Pieces, readable
from runcancel.text import local, safe

R = TypeVar("R")

Value: TypeAlias = str | int | float | bool | datetime | tuple[str, ...] | Mapping[State, int] | RunName | None


class Column(Struct, Generic[R], frozen=True):
    """One column: a field of the record, or what `value` makes of the record.

    `name` heads it for machines, `titled` for people where that is another word. People see a value as `format` has it,
    or what `show` makes of the record. `reference`: never cut, never wrapped. `is_key`: it names the row.
    `shrinkable`: cut first where room is short.
    """

    name: str
    titled: str = ""
    value: Callable[[R], Value] | None = None
    format: Callable[[Any], str] | None = None
    show: Callable[[R, datetime], Pieces] | None = None
    wide: bool = False
    right: bool = False
    shrinkable: bool = False
    reference: bool = False
    is_key: bool = False

    @property
    def title(self) -> str:
        """What heads it for people."""
        return self.titled or self.name.replace("_", " ").upper()

    def data(self, record: R) -> Value:
        """What machines are given."""
        value: Value = getattr(record, self.name) if self.value is None else self.value(record)
        return value

    def cell(self, record: R, *, now: datetime) -> Pieces:
        """What people see."""
        if self.show is not None:
            return self.show(record, now) or NOTHING
        value = self.data(record)
        if value is None:
            return NOTHING
        text = self.format(value) if self.format is not None else _read(value)
        return ((text, None),) if text else NOTHING


def word(name: str) -> Column[Any]:
    """A closed word, in its colour."""
    return Column(name, show=lambda one, _: ((readable(getattr(one, name)), getattr(one, name)),))


def text_of(value: Value) -> str:
    """A value as one field of text: RFC 3339 for times, `true` and `false`, `running=3,cancelled=17` for counts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return ",".join(f"{state}={count}" for state, count in value.items())
    if isinstance(value, tuple):
        return ",".join(safe(each) for each in value)
    return safe(str(value))


def _read(value: Value) -> str:
    return local(value) if isinstance(value, datetime) else text_of(value)
