"""What targets wrote, as people read it: a heading per target, then its text, printed as it comes."""

from collections.abc import Iterator

from rich.text import Text

from runcancel.model.logs import Output
from runcancel.model.runs import Ref
from runcancel.render.documents import End, Record
from runcancel.render.screens.logs import remarks
from runcancel.render.screens.paint import paint
from runcancel.render.screens.screens import flowed
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import STYLES, readable
from runcancel.render.sink import Printer, Sink
from runcancel.text import safe, safe_lines

_PLAIN = "    "
_ERROR = "err "
"""What stands before a line of stdout and of stderr: text of others never begins a line, so it can fake no heading."""


class Transcript(Printer):
    """The formats `table` and `wide` of `logs`. `wide` adds what the vendor calls things."""

    def __init__(self, sink: Sink, terminal: Terminal, *, wide: bool) -> None:
        super().__init__(sink)
        self._terminal = terminal
        self._wide = wide
        self._parent: Ref | None = None
        self._run: Ref | None = None
        self._error = paint([Text(_ERROR, "red", end="")], terminal).removesuffix("\n")

    def row(self, record: Record) -> None:
        """Print one output."""
        if not isinstance(record, Output):
            return
        out = "".join(f"{_PLAIN}{line}\n" for line in safe_lines(record.stdout or ""))
        err = "".join(f"{self._error}{line}\n" for line in safe_lines(record.stderr or ""))
        above, below = paint(self._above(record), self._terminal), paint(_below(record), self._terminal)
        self._sink.write(above + out + err + below)

    def end(self, end: End) -> None:
        """Nothing is left to print."""

    def _above(self, output: Output) -> Iterator[Text]:
        parent = output.parent or output.run
        if parent != self._parent or output.run != self._run:
            if self._parent:
                yield Text()
            if parent != self._parent:
                yield Text(safe(str(parent)), "bold")
            if output.parent:
                yield Text.assemble(("started ", "dim"), (safe(str(output.run)), "bold"))
            self._parent, self._run = parent, output.run
        yield _heading(output)
        if self._wide:
            yield from (Text(line, "dim") for line in flowed(_facts(output), self._terminal))


def _heading(output: Output) -> Text:
    """`ID  web-002  failed  exit 1`, and that there is no text where there is none."""
    first_part = output.label.partition("/")[0]
    name = output.target_name if output.target_name not in (None, first_part, output.step) else None
    parts = [
        (safe(output.label), "bold"),
        (safe(name or ""), ""),
        (readable(output.state), STYLES.get(output.state, "")),
    ]
    parts.append((f"exit {output.exit_code}" if output.exit_code is not None else "", ""))
    detail = output.status_detail if output.status_detail not in (None, output.provider_status, output.stderr) else None
    parts.append((safe(detail or ""), "dim"))
    parts.append(("no output" if output.silent else "", "dim"))
    return Text("  ").join(Text(text, style) for text, style in parts if text)


def _facts(output: Output) -> list[str]:
    facts = {"id": output.id, "task": output.task, "provider status": output.provider_status}
    parts = [f"{name} {safe(value)}" for name, value in facts.items() if value]
    return [*parts, *(["stdout and stderr in one"] if output.merged else [])]


def _below(output: Output) -> Iterator[Text]:
    shared = output.note if output.silent else None  # it is about many targets: the end has it once
    return (Text(f"note: {safe(remark)}", "dim") for remark in remarks(output) if remark != shared)
