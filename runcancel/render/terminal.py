"""What a stream is: a terminal or not, how wide, coloured or not."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Self, TextIO

from msgspec import Struct

_WIDTH = 80  # columns, when nobody knows
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

    @classmethod
    def of(cls, stream: TextIO | None, environ: Mapping[str, str], *, color: Color = Color.AUTO) -> Self:
        """Ask the stream itself; the variables change the width and the colour, never whether it is a terminal."""
        terminal = _isatty(stream)
        return cls(
            is_terminal=terminal,
            width=width_of(stream, environ),
            color=_colored(terminal, environ, color),
            moves=terminal and environ.get("TERM") != "dumb",
            draws=_encodes(stream, "━·…"),
        )


def width_of(stream: TextIO | None, environ: Mapping[str, str]) -> int:
    """The width in columns: `COLUMNS`, else what the stream's terminal says, else 80."""
    given = environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given[:9]) > 0:
        return max(_NARROWEST, int(given[:9]))
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
    except (OSError, ValueError, AttributeError):
        columns = 0
    return max(_NARROWEST, columns or _WIDTH)


def height_of(stream: TextIO | None) -> int:
    """The height in lines, 24 when unknown."""
    try:
        return (os.get_terminal_size(stream.fileno()).lines if stream is not None else 0) or 24
    except (OSError, ValueError, AttributeError):
        return 24


def _colored(terminal: bool, environ: Mapping[str, str], color: Color) -> bool:
    """`--color` wins; then whoever says no (https://no-color.org); then whoever insists; then the stream."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    if environ.get("NO_COLOR") or environ.get("FORCE_COLOR") in ("0", "false"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return terminal and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def _isatty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # a closed stream
        return False


def _encodes(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
