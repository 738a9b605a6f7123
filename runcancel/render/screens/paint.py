"""Rich text to characters: colour codes are the only control characters that come out."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console
from rich.text import Text

from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.wrap import wrapped_text


def console(terminal: Terminal) -> Console:
    """A console in memory that reads neither the environment nor a stream."""
    return Console(
        file=StringIO(),
        width=terminal.width,
        color_system="standard" if terminal.color else None,
        force_terminal=terminal.color,
        no_color=not terminal.color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )


def paint(lines: Iterable[Text], terminal: Terminal) -> str:
    """Lines as they go to the stream, each ended, none cropped; on a terminal one that is too wide breaks at words."""
    drawing = console(terminal)
    with drawing.capture() as capture:
        for line in lines:
            wide = terminal.is_terminal and line.cell_len > terminal.width
            for part in wrapped_text(line, terminal.width) if wide else (line,):
                drawing.print(part, soft_wrap=True)
    return capture.get()
