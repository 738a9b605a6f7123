"""The writers of `report` for people: the incident report as Markdown and as HTML."""

from collections.abc import Callable

from runcancel.model.incident import IncidentReport
from runcancel.render.documents import End, Record
from runcancel.render.incident.html import html
from runcancel.render.incident.markdown import markdown
from runcancel.render.incident.story import story
from runcancel.render.sink import Printer, Sink


class IncidentWriter(Printer):
    """Prints each report as one document; nothing where there is none."""

    def __init__(self, sink: Sink, format: str) -> None:
        super().__init__(sink)
        self._print = _WRITERS[format]

    def row(self, record: Record) -> None:
        """Print one report."""
        if isinstance(record, IncidentReport):
            self._sink.write(self._print(record))

    def end(self, end: End) -> None:
        """Nothing: errors and notes are for stderr."""


def _markdown(report: IncidentReport) -> str:
    return markdown(story(report))


def _html(report: IncidentReport) -> str:
    ids = ", ".join(one.id for one in report.operations)
    return html(story(report), title=f"Incident report: {ids}")


_WRITERS: dict[str, Callable[[IncidentReport], str]] = {"md": _markdown, "html": _html}
