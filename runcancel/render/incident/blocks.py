"""The parts of a document, without the syntax of any format. Texts are as they came: each writer makes them safe."""

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from runcancel.model.incident import StateSample


class Code(Struct, frozen=True):
    """Words that are typed or pasted: an id, a reference."""

    text: str


Text: TypeAlias = str | Code


class Heading(Struct, frozen=True):
    """A heading; the title of the document has level 1."""

    level: int
    text: str


class Paragraph(Struct, frozen=True):
    """Some texts behind each other; `warning`: it must not be overlooked."""

    texts: tuple[Text, ...]
    warning: bool = False


class Table(Struct, frozen=True):
    """Rows under a header. `right`: the places of the columns that hold numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    right: frozenset[int] = frozenset()


class Commands(Struct, frozen=True):
    """A command to paste, after what it does; None where there is none."""

    text: str
    command: str | None


class Collapsed(Struct, frozen=True):
    """A long table behind its summary: `instead` is for a format that cannot fold it."""

    summary: str
    table: Table
    instead: str


class Chart(Struct, frozen=True):
    """How many targets were in each state over time."""

    samples: Sequence[StateSample]


Block: TypeAlias = Heading | Paragraph | Table | Commands | Collapsed | Chart
