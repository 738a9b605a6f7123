"""The formats with a line for each record: tsv and csv."""

from collections.abc import Collection, Iterable, Mapping
from io import StringIO
from typing import Any

from runcancel.render.column import Column, Value, text_of
from runcancel.render.columns import columns_of, extra_of
from runcancel.render.documents import End, Record, record_of
from runcancel.render.sink import Printer, Sink
from runcancel.render.tabular import TableOptions, ordered, shown_columns

_USUAL = TableOptions()
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")  # controls are escaped before, and so begin no cell


class Tsv(Printer):
    """A header line, then a line per record: the columns of `wide`, the reference first, null empty."""

    def __init__(self, name: str, sink: Sink, options: TableOptions | None = None) -> None:
        super().__init__(sink)
        self._kind = record_of(name)
        self._options = options or _USUAL
        self._columns: tuple[Column[Any], ...] = ()
        self._rows: list[Record] = []

    def row(self, record: Record) -> None:
        """Print one record, or keep it where rows are sorted."""
        if self._options.sort:
            self._rows.append(record)
        else:
            self._row(record)

    def _row(self, record: Record) -> None:
        if not self._columns:
            self._head(type(record), extra=extra_of([record]))
        self._print(column.data(record) for column in self._columns)

    def end(self, end: End) -> None:
        """Print what was kept, or the header of an answer that is empty; nothing where there is no answer."""
        for record in ordered(self._options, self._rows):
            self._row(record)
        if not self._columns and self._kind is not None and not end.errors:
            self._head(self._kind)

    def _head(self, kind: type[Record], *, extra: Collection[str] = ()) -> None:
        columns = columns_of(kind, wide=True, extra=extra)
        usual = sorted(columns, key=lambda column: not column.is_key)
        self._columns = shown_columns(self._options, kind, usual)
        if self._options.headers:
            self._print(column.name for column in self._columns)

    def _print(self, values: Iterable[Value]) -> None:
        self._sink.write(tsv_line(values))


class Csv(Tsv):
    """The same rows for spreadsheets, as RFC 4180 has them: no cell is read as a formula."""

    def _print(self, values: Iterable[Value]) -> None:
        self._sink.write(csv_line(values))


DELIMITED: Mapping[str, type[Tsv]] = {"tsv": Tsv, "csv": Csv}


def tsv_line(values: Iterable[Value]) -> str:
    """One line of tsv: a value holds neither tab nor line feed, since controls are escaped."""
    return "\t".join(map(text_of, values)) + "\n"


def csv_line(values: Iterable[Value]) -> str:
    """One record of csv (RFC 4180).

    Text that a spreadsheet would take for a formula, and text that begins with an apostrophe, gets an apostrophe before
    it: take one away to have the text. https://owasp.org/www-community/attacks/CSV_Injection
    """
    import csv  # only where csv is wanted: it costs a millisecond of every start

    line = StringIO()
    csv.writer(line).writerow(map(_cell, values))
    return line.getvalue()


def _cell(value: Value) -> str:
    text = text_of(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, (int, float)) else text
