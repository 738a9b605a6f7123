"""People and programs read what this folder writes; `writer` is the way in, rich stays behind it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from runcancel.model.outcomes import Outcome
from runcancel.model.runs import Problem, Run
from runcancel.model.states import Reason
from runcancel.render.documents import Caller, End, Event, Record, envelope
from runcancel.render.formats.machine import Json, JsonLines, References, Yaml
from runcancel.render.screens.notes import Notes
from runcancel.render.screens.terminal import Terminal
from runcancel.render.sink import Printer, Sink

if TYPE_CHECKING:
    from runcancel.render.formats.query import Expression
    from runcancel.render.tabular import TableOptions


__all__ = [
    "FORMATS",
    "QUERYABLE",
    "REPORT_FORMATS",
    "ROW_FORMATS",
    "TABULAR",
    "Caller",
    "End",
    "Raw",
    "Record",
    "Writer",
    "default_format",
    "lines",
    "raw",
    "writer",
]

FORMATS = ("table", "wide", "tsv", "csv", "json", "jsonl", "yaml", "ref")
"""What `-o` can be."""

TABULAR = ("table", "wide", "tsv", "csv")
"""Those that have columns."""

QUERYABLE = ("json", "yaml", "tsv", "csv")
"""The formats that `--query` can print."""

REPORT_FORMATS = ("md", "html", "json", "jsonl", "yaml")
"""What `-o` can be for `report`: a document for people, or the record of it for programs."""

ROW_FORMATS = frozenset({"tsv", "csv", "jsonl", "ref"})
"""Those that write each row as it comes."""

_TOTALLED = frozenset({"cancel", "operation", "wait"})
"""Answers that end with a line of totals on stderr, where they have several rows."""

_STRUCTURED = frozenset({"json", "jsonl", "yaml"})

_MACHINE: Mapping[str, type[Json | JsonLines | References]] = {
    "json": Json,
    "jsonl": JsonLines,
    "yaml": Yaml,
    "ref": References,
}


class Writer(Protocol):
    """Where a verb puts its answer. Call it from one thread."""

    @property
    def closed(self) -> bool:
        """Whether the reader is gone. A verb that only lists can stop; one that acts continues."""
        ...

    def reader_left(self) -> bool:
        """The same, also where nothing was written since: for what waits long before it writes."""
        ...

    def row(self, record: Record) -> None:
        """Take one record, as it comes."""
        ...

    def event(self, event: Event) -> None:
        """Take what happens beside the rows, as it happens."""
        ...

    def end(self, end: End) -> None:
        """Take what is known at the end; called once, also after a failure."""
        ...


def default_format(terminal: Terminal) -> str:
    """The default format: `table` on a terminal, `tsv` in a pipe."""
    return "table" if terminal.is_terminal else "tsv"


def writer(
    format: str,
    name: str,
    *,
    out: TextIO | None,
    terminal: Terminal,
    notes: Notes | None = None,
    now: datetime | None = None,
    query: "Expression | None" = None,
    options: "TableOptions | None" = None,
) -> Writer:
    """The writer of one of `FORMATS` for the answer `name`, one of `all_documents` or what failed before it.

    For `report` the format is one of `REPORT_FORMATS`. `out` is stdout and `terminal` what it is. With `notes`, the
    errors and notes of the end are printed on stderr as well.
    With `query`, what it finds in the document is printed instead. Raises KeyError for a format that is not in
    `FORMATS`, or beside a query not in `QUERYABLE`.
    """
    sink = Sink(out)
    if query is not None:
        from runcancel.render.formats.query import Queried

        answer: Writer = Queried(name, sink, query=query, format=format, notes=notes)
    elif format in ("table", "wide") and name == "logs":
        from runcancel.render.screens.transcript import Transcript

        answer = Transcript(sink, terminal, wide=format == "wide")
    elif format in ("md", "html"):
        from runcancel.render.incident.writers import IncidentWriter

        answer = IncidentWriter(sink, format)
    elif format in ("table", "wide"):
        from runcancel.render.screens.table import Table

        answer = Table(name, sink, terminal, wide=format == "wide", now=now or datetime.now(UTC), options=options)
    elif format in ("tsv", "csv"):
        from runcancel.render.formats.delimited import DELIMITED

        answer = DELIMITED[format](name, sink, options)
    else:
        answer = _MACHINE[format](name, sink)
    if notes is None:
        return answer
    grouped = format == "table" and query is None and options is None
    one = envelope(name)  # a table, a list of references and rows of text have room for one sort of record
    beside = None if one is None or query is not None or format in _STRUCTURED else one.beside
    return _WithNotes(answer, notes, sink, name=name, grouped=grouped, on_screen=terminal.is_terminal, beside=beside)


def lines(*, out: TextIO | None, notes: Notes, prefix: bool, by_run: bool) -> Writer:
    """The writer of `logs` in a pipe: what targets wrote, line by line. `prefix` and `by_run` as in `Lines`."""
    from runcancel.render.screens.logs import Lines

    sink = Sink(out)
    return _WithNotes(Lines(sink, prefix=prefix, by_run=by_run), notes, sink)


def raw(*, out: TextIO | None, notes: Notes) -> "Raw":
    """The writer of `logs --raw`."""
    from runcancel.render.screens.logs import Lines

    sink = Sink(out)
    return Raw(Lines(sink, prefix=False, by_run=False), notes, sink)


class _WithNotes(Printer):
    """A writer that also prints errors, notes and totals on stderr."""

    def __init__(
        self,
        writer: Writer,
        notes: Notes,
        sink: Sink,
        *,
        name: str = "logs",
        grouped: bool = False,
        on_screen: bool = False,
        beside: type | None = None,
    ) -> None:
        super().__init__(sink)
        self._writer = writer
        self._notes = notes
        self._name = name
        self._grouped = grouped  # stdout shows many runs in groups
        self._on_screen = on_screen
        self._beside = beside
        self._runs: list[Outcome | Run] = []

    def row(self, record: Record) -> None:
        if self._beside is not None and isinstance(record, self._beside):
            return  # the notes at the end have it
        self._writer.row(record)
        if self._name in _TOTALLED and isinstance(record, Outcome | Run):
            self._runs.append(record)

    def event(self, event: Event) -> None:
        self._writer.event(event)

    def end(self, end: End) -> None:
        self._writer.end(end)
        self._notes.problem(*self._unexplained(end.errors))
        self._notes.say(*end.notes)
        self._notes.say(*(end.further() if end.further is not None else ()))
        if len(self._runs) > 1:
            from runcancel.render.screens.groups import details, totals

            if self._name == "cancel":
                self._notes.say(*details(self._runs, operation=end.operation))
            self._notes.say(totals(self._runs, operation=end.operation))
        if self._sink.error is not None:
            self._notes.cut_off = True
            why = self._sink.error.strerror or "for an unknown reason"
            self._notes.problem(
                Problem(code=Reason.INTERNAL, message=f"cannot write to stdout: {why}; everything else continues")
            )

    def _unexplained(self, errors: Sequence[Problem]) -> Sequence[Problem]:
        """The errors without those of many runs whose groups a person sees: on a terminal's stdout, else on stderr."""
        if self._name != "cancel" or len(self._runs) < 2:
            return errors
        from runcancel.render.screens.groups import grouped
        from runcancel.render.screens.words import FEW

        if len(self._runs) <= FEW:
            return errors
        if not (self._grouped and self._on_screen):
            if self._grouped or self._notes.quiet:
                return errors
            lines = grouped(self._runs)
            self._notes.say(*("".join(text for text, _ in line) for line in lines))
        explained = {run.error for run in self._runs if isinstance(run, Outcome)}
        return [error for error in errors if error not in explained]


class Raw(_WithNotes):
    """Bytes as a target wrote them. All messages go to stderr."""

    def put(self, content: bytes) -> None:
        """Write bytes as they are."""
        self._sink.write_bytes(content)
