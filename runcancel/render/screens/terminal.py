"""What a stream is: a terminal or not, how wide, coloured or not."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Self, TextIO

from msgspec import Struct

_WIDTH, _HEIGHT = 80, 24  # columns and lines, when nobody knows
_NARROWEST = 20


class Color(StrEnum):
    """The words of `--color`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Terminal(Struct, frozen=True, kw_only=True):
    """One stream as the screen sees it. `moves`: the cursor can go back, so that progress may be repainted."""

    is_terminal: bool = False
    width: int = _WIDTH  # columns
    color: bool = False
    moves: bool = False
    draws: bool = True  # the encoding has the characters of bars

    @property
    def dot(self) -> str:
        """The text between two parts."""
        return " · " if self.draws else " - "

    @property
    def mark(self) -> str:
        """The mark of a cut."""
        return "…" if self.draws else "~"

    @classmethod
    def of(cls, stream: TextIO | None, environ: Mapping[str, str], *, color: Color = Color.AUTO) -> Self:
        """Ask the stream itself; the variables change the width and the colour, never whether it is a terminal."""
        terminal = is_terminal(stream)
        return cls(
            is_terminal=terminal,
            width=width_of(stream, environ),
            color=_colored(terminal, environ, color),
            moves=terminal and environ.get("TERM") != "dumb",
            draws=encodes(stream, "━·…"),
        )


def width_of(stream: TextIO | None, environ: Mapping[str, str]) -> int:
    """The width in columns: `COLUMNS`, else that of the stream's terminal, else 80."""
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns[:9]) > 0:
        return max(_NARROWEST, int(columns[:9]))
    return max(_NARROWEST, _size(stream)[0] or _WIDTH)


def size_of(stream: TextIO | None, environ: Mapping[str, str]) -> tuple[int, int]:
    """Columns and lines that can be repainted: `COLUMNS` can reduce them, never increase them."""
    columns, lines = _size(stream)
    width = width_of(stream, environ)
    return min(width, columns or width), lines or _HEIGHT


def _size(stream: TextIO | None) -> tuple[int, int]:
    """Columns and lines of the stream's terminal, 0 if it has none or does not report them."""
    try:
        return os.get_terminal_size(stream.fileno()) if stream is not None else (0, 0)
    except (OSError, ValueError, AttributeError):
        return 0, 0


def _colored(terminal: bool, environ: Mapping[str, str], color: Color) -> bool:
    """`--color` wins; then a variable against colour (https://no-color.org); then one for it; then the stream."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    if environ.get("NO_COLOR") or environ.get("FORCE_COLOR") in ("0", "false"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return terminal and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # a closed stream
        return False


def encodes(stream: TextIO | None, text: str) -> bool:
    """Whether the encoding of the stream has these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
