"""The formats that programs read: json, yaml, jsonl, ref; `delimited` has tsv and csv. None of them imports rich."""

import msgspec
from msgspec import Struct

from runcancel.model.encoding import encode, pretty
from runcancel.model.outcomes import Operation, PlanItem
from runcancel.model.runs import Invocation, Ref
from runcancel.render.documents import End, Event, Record, document, end_line, line, line_form
from runcancel.render.sink import Printer, Sink
from runcancel.text import safe


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
        self._operation: str | None = None  # whose output this is, also where no journal has it

    def row(self, record: Record) -> None:
        """Print one record."""
        if isinstance(record, Operation) and self._name != "history":  # which lists those of others
            self._operation = record.id
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
        self._sink.write(end_line(self._name, end, operation=end.operation or self._operation) + "\n")


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
            self._print(getattr(record, line_form(type(record)).reference))

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
