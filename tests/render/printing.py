"""What a writer prints, as text."""

import io
import re
from collections.abc import Sequence

from runcancel.render import End, Record, writer
from runcancel.render.screens.terminal import Terminal

from . import samples

COLOR = re.compile(r"\x1b\[[0-9;]*m")


def written(
    format: str,
    name: str,
    records: Sequence[Record],
    *,
    end: End | None = None,
    width: int = 80,
    color: bool = False,
) -> str:
    out = io.StringIO()
    terminal = Terminal(is_terminal=True, width=width, color=color)
    printer = writer(format, name, out=out, terminal=terminal, now=samples.NOW)
    for record in records:
        printer.row(record)
    printer.end(end or End(exit_code=0))
    return out.getvalue()
