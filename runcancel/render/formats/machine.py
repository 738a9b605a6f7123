"""The formats that programs read: tsv, csv, json, yaml, jsonl, ref. None of them imports rich."""

from collections.abc import Collection, Iterable, Mapping
from io import StringIO
from typing import Any

import msgspec
from msgspec import Struct

from runcancel.model.outcomes import Operation, PlanItem
from runcancel.model.reports import AccessPolicy, ContextRow, GroupRow, ScopeCheck, SettingRow
from runcancel.model.runs import Invocation, Ref, Run
from runcancel.model.triggers import Trigger, TriggerOutcome, TriggerPlan
from runcancel.render.column import Column, Value, text_of
from runcancel.render.columns import columns_of, extra_of
from runcancel.render.documents import End, Event, Record, document, end_line, line, record_of
from runcancel.render.formats.json import encode, pretty
from runcancel.render.sink import Printer, Sink
from runcancel.render.tabular import TableOptions, ordered, shown_columns
from runcancel.text import safe

_REFERENCES: Mapping[type[Record], str] = {
    Run: "ref",
    Trigger: "ref",
    TriggerPlan: "trigger",
    TriggerOutcome: "trigger",
    Operation: "id",
    ContextRow: "name",
    GroupRow: "name",
    SettingRow: "value",
    AccessPolicy: "provider",
    ScopeCheck: "scope",
}
"""The field that `-o ref` prints, where it is not `run`."""

_USUAL = TableOptions()
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")  # controls are escaped before, and so begin no cell


class Tsv(Printer):
    """A header line, then a line per record: the columns of `wide`, the reference first, null empty."""

    def __init__(self, name: str, sink: Sink, options: TableOptions = _USUAL) -> None:
        super().__init__(sink)
        self._kind = record_of(name)
        self._options = options
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


class Json(Printer):
    """One document at the end, also if there are only errors."""

    def __init__(self, name: str, sink: Sink) -> None:
        super().__init__(sink)
        self._name = name
        self._records: list[Record] = []

    def row(self, record: Record) -> None:
        """Keep one record."""
        self._records.append(record)

    def end(self, end: End) -> None:
        """Print the document."""
        self._sink.write(self._text(document(self._name, self._records, end)))

    def _text(self, whole: Struct) -> str:
        return pretty(whole) + "\n"


class Yaml(Json):
    """The same document as YAML."""

    def _text(self, whole: Struct) -> str:
        from runcancel.render.formats.yaml import dump

        return dump(msgspec.json.decode(encode(whole)))


class JsonLines(Printer):
    """A line per record as it comes, then a line per error, then the end line."""

    def __init__(self, name: str, sink: Sink) -> None:
        super().__init__(sink)
        self._name = name

    def row(self, record: Record) -> None:
        """Print one record."""
        self._sink.write(line(record) + "\n")

    def event(self, event: Event) -> None:
        """Print what happened beside the rows."""
        self._sink.write(line(event) + "\n")

    def end(self, end: End) -> None:
        """Print what is known besides, the errors and the end line."""
        for file in end.files:
            self._sink.write(line(file) + "\n")
        for problem in end.errors:
            self._sink.write(line(problem) + "\n")
        self._sink.write(end_line(self._name, end) + "\n")


class References(Printer):
    """References alone, each once: of runs; of the runs that invocations started, else of their run; of what would be
    asked in a plan."""

    def __init__(self, name: str, sink: Sink) -> None:
        super().__init__(sink)
        self._printed: set[str] = set()
        self._childless: dict[Ref, bool] = {}

    def row(self, record: Record) -> None:
        """Print the record's reference, or keep its run's for the end."""
        if isinstance(record, Invocation):
            self._childless[record.run] = self._childless.get(record.run, True) and record.child is None
            self._print(record.child)
        elif not isinstance(record, PlanItem) or record.ask:
            self._print(getattr(record, _REFERENCES.get(type(record), "run")))

    def end(self, end: End) -> None:
        """Print the runs none of whose invocations started another."""
        for run, childless in self._childless.items():
            if childless:
                self._print(run)

    def _print(self, name: object) -> None:
        reference = None if name is None else str(name)
        if reference is not None and reference not in self._printed:
            self._printed.add(reference)
            self._sink.write(safe(reference) + "\n")


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
