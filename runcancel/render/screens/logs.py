"""What targets wrote, for people and pipes: its lines, and the remarks about it."""

from collections.abc import Iterator

from runcancel.model.logs import Output
from runcancel.render.documents import End, Record
from runcancel.render.sink import Printer, Sink
from runcancel.text import command, safe, safe_lines


class Lines(Printer):
    """Lines as they were written. `prefix`: who wrote it and a tab before each; a line of stderr has `stderr` in it.

    `by_run`: the prefix begins with the run.
    """

    def __init__(self, sink: Sink, *, prefix: bool, by_run: bool) -> None:
        super().__init__(sink)
        self._prefix = prefix
        self._by_run = by_run

    def row(self, record: Record) -> None:
        """Print the text of one output."""
        if isinstance(record, Output):
            name = f"{record.run} {record.label}" if self._by_run else record.label
            self._print(record.stdout, name)
            self._print(record.stderr, f"{name} stderr")

    def end(self, end: End) -> None:
        """Nothing is left to print."""

    def _print(self, text: str | None, name: str) -> None:
        before = f"{safe(name)}\t" if self._prefix else ""
        self._sink.write("".join(f"{before}{line}\n" for line in safe_lines(text or "")))


def encoding_name(output: Output) -> str:
    """The encoding by which the text was read, as a person writes it."""
    return (output.encoding or "utf-8").upper()


def remarks(output: Output) -> Iterator[str]:
    """What a person should know about a text that is not all, not right, or elsewhere."""
    if output.note:
        yield output.note
    if output.dropped:
        yield f"the cloud cut {output.dropped:,} bytes of it"
    elif output.truncated:
        yield "the cloud cut the output; the number of missing bytes is unknown"
    if output.damaged:
        yield f"some of it is not {encoding_name(output)} text: what could not be read is shown as \ufffd"
    if output.upload_error:
        yield f"the full output was not stored: {output.upload_error}"
    if output.location:
        yield f"full output: {output.location}"
    if output.stderr_location:
        yield f"full stderr: {output.stderr_location}"
    if output.child:
        yield f"started run: {command('logs', output.child)}"
