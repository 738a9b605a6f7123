"""Lines broken at words: a reference stays whole, and so does a command that can be pasted."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

_UNIT = re.compile(r"runcancel [a-z-]+[,;.:]?(?:(?<![,;.:]) (?! )(?:'[^']*'|[^\s'])+)*|\S+")
"""What is never broken: a command of this program with all its arguments, or a word."""

_INDENT = 2  # columns by which a continued line stands further in


def wrapped(text: str, width: int) -> Iterator[str]:
    """The lines of one line of text, each at most `width` columns wide where its words allow that."""
    indent = _indent(text)
    for index, (begin, end) in enumerate(_spans(text, width, indent)):
        yield " " * indent * (index > 0) + text[begin:end]


def wrapped_text(text: Text, width: int) -> Iterator[Text]:
    """The same for text with colours."""
    indent = _indent(text.plain)
    for index, (begin, end) in enumerate(_spans(text.plain, width, indent)):
        yield Text(" " * indent * (index > 0)) + text[begin:end]


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" ")) + _INDENT


def _spans(text: str, width: int, indent: int) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends; the spaces between two are left out. What fits no line begins none either."""
    begin = end = 0
    room = width
    for unit in _UNIT.finditer(text):
        fits = cell_len(unit.group()) <= width - indent or cell_len(text[begin:end]) > room
        if end and fits and cell_len(text[begin : unit.end()]) > room:
            yield begin, end
            begin, room = unit.start(), width - indent
        end = unit.end()
    yield begin, max(begin, end)
