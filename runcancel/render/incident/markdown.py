"""A document as Markdown that GitHub, GitLab and other trackers show alike: no text of others becomes markup."""

import re
from collections.abc import Iterable, Sequence

from runcancel.model.incident import StateSample
from runcancel.model.states import State
from runcancel.render.incident.blocks import Block, Chart, Collapsed, Commands, Heading, Paragraph, Table, Text
from runcancel.render.screens.words import readable
from runcancel.text import local, safe

_MOST_SAMPLES = 12  # rows of the table of states
_CODE = re.compile(r"[A-Za-z0-9 ._:/@=+,%'\"#-]+")
"""What stands as code as it is. Anything else is escaped text: no two trackers agree on a bar in code in a table."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_ESCAPED = frozenset("\\`*_[]#|~$")
_BEGINNING = re.compile(r"[-+=]|\d+[.)]")
"""What makes a list or a heading of a line that begins so."""
_LINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(www)(\.)")


def markdown(blocks: Iterable[Block]) -> str:
    """The text of a document."""
    return "\n\n".join(part for block in blocks if (part := _block(block))) + "\n"


def cell(text: str) -> str:
    """A text of others: neither markup, nor a link, nor a mention, nor the end of a cell."""
    parts: list[str] = []
    at = 0
    plain = safe(text)
    for link in _LINK.finditer(plain):  # a tracker makes links of bare addresses
        word, mark = (link[1], link[2]) if link[1] else (link[3], link[4])
        parts += [_escaped(plain[at : link.start()]), word, f"&#{ord(mark)};"]
        at = link.end()
    return "".join((*parts, _escaped(plain[at:])))


def _escaped(text: str) -> str:
    return "".join(_ENTITIES.get(char) or (f"\\{char}" if char in _ESCAPED else char) for char in text)


def _line(text: str) -> str:
    """What stands at the beginning of a line: no list and no heading either."""
    begins = _BEGINNING.match(text)
    return text if begins is None else f"{text[: begins.end() - 1]}\\{text[begins.end() - 1 :]}"


def _text(text: Text) -> str:
    if isinstance(text, str):
        return cell(text)
    shown = safe(text.text)
    return f"`{shown}`" if _CODE.fullmatch(shown) and shown == shown.strip() else cell(text.text)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {cell(block.text)}"
        case Paragraph():
            text = _line("".join(map(_text, block.texts)))
            return f"**{text}**" if block.warning else text
        case Table():
            return _table(block)
        case Commands():
            return _commands(block)
        case Collapsed():
            return f"{cell(block.summary)} {cell(block.instead)}"
        case Chart():
            return _table(samples_table(block.samples))


def _table(table: Table) -> str:
    rule = ("---:" if index in table.right else "---" for index in range(len(table.head)))
    lines = [_row(map(cell, table.head)), _row(rule), *(_row(map(_text, row)) for row in table.rows)]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _commands(block: Commands) -> str:
    if block.command is None:
        return _line(cell(block.text))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.command)), default=0))
    return f"{_line(cell(block.text))}\n\n{fence}sh\n{safe(block.command)}\n{fence}"


def samples_table(samples: Sequence[StateSample]) -> Table:
    """A few samples as a table: the first, the last, and some between."""
    last = len(samples) - 1
    indexes = range(min(len(samples), _MOST_SAMPLES))
    sampled = [samples[round(index * last / max(1, len(indexes) - 1))] for index in indexes]
    there = [state for state in State if any(state in sample.counts for sample in samples)]
    rows = tuple((local(one.at), *(f"{one.counts.get(state, 0):,}" for state in there)) for one in sampled)
    return Table(("Time", *map(readable, there)), rows, right=frozenset(range(1, len(there) + 1)))
