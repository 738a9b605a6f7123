"""Rows laid out for a width: one line each, else two, else labelled cells; references are never cut or wrapped."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text

from runcancel.render.column import Column
from runcancel.render.screens.paint import console
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import NOTHING, STYLES, Pieces

_GAP = 2
_INDENT = 2
_LEAST = 24  # columns that remain of a cell that gives way
_BESIDE = 32  # columns that remain of one under its reference: with less it stands on a line of its own

Row = Sequence[Pieces]


class Grid(Struct, frozen=True):
    """Columns and their cells, without those that have nothing to show."""

    columns: tuple[Column[Any], ...]
    rows: tuple[Row, ...]

    def only(self, keep: Callable[[Column[Any]], bool]) -> "Grid":
        """The grid of some columns."""
        indexes = [index for index, column in enumerate(self.columns) if keep(column)]
        return Grid(
            tuple(self.columns[index] for index in indexes),
            tuple([row[index] for index in indexes] for row in self.rows),
        )

    def filled(self) -> "Grid":
        """The grid without columns that have nothing in any row."""
        empty = [all(row[index] == NOTHING for row in self.rows) for index in range(len(self.columns))]
        names = {column.name for column, nothing in zip(self.columns, empty, strict=True) if nothing and self.rows}
        return self.only(lambda column: column.name not in names)


def lay_out(grid: Grid, *, terminal: Terminal, cut: bool, headers: bool = True, empty: bool = False) -> list[Text]:
    """Lines for the terminal's width. `cut`: cells that may give way are shortened before a row takes more lines.

    `empty`: columns that have nothing in any row stay.
    """
    grid = grid if empty else grid.filled()
    widths = _fitted(grid, terminal.width, cut=cut)
    if widths is not None:
        head = [_heading(grid, widths)] if headers else []
        return [*head, *(_line(grid, row, widths, terminal) for row in grid.rows)]
    return _two_lines(grid, terminal, cut=cut, headers=headers)


def painted(pieces: Pieces) -> Text:
    """Cell text with the colours of its states."""
    text = Text()
    for part, word in pieces:
        text.append(part, STYLES.get(word or "", ""))
    return text


def shortened(text: Text, width: int, *, mark: str) -> Text:
    """The text in at most `width` columns, with a mark where something is missing."""
    if text.cell_len <= width:
        return text
    short = text.copy()
    short.truncate(max(0, width - 1))
    return short.append(mark)


def _two_lines(grid: Grid, terminal: Terminal, *, cut: bool, headers: bool) -> list[Text]:
    """The leading reference alone, then the cells, then what has no room beside them on lines of its own."""
    keys = grid.only(lambda column: column.is_key)
    indent = _INDENT if keys.columns else 0
    cells, below = _with_room(grid, terminal.width - indent, cut=cut)
    widths = _fitted(cells, terminal.width - indent, cut=cut, least=_BESIDE)
    lines: list[Text] = []
    if headers and widths is not None:
        lines = [Text(column.title, "bold") for column in keys.columns]
        lines.append(Text(" " * indent) + _heading(cells, widths))
    for head, row, rest in zip(keys.rows, cells.rows, below.rows, strict=True):
        lines += [painted(pieces) for pieces in head]
        if widths is not None:
            lines.append(Text(" " * indent) + _line(cells, row, widths, terminal))
        else:
            lines += _flow(cells, row, terminal)
        lines += _below(below, rest, terminal, indent=_INDENT + (0 if widths is None else indent))
    return lines


def _with_room(grid: Grid, width: int, *, cut: bool) -> tuple[Grid, Grid]:
    """The cells that stand side by side, and those below them, uncut: other references, and what lacks room."""
    cells = grid.only(lambda column: not column.reference)
    flexible = [column.name for column in cells.columns if column.shrinkable]
    for count in range(len(flexible) + 1):  # as few as possible go below, the last first
        below = frozenset(flexible[len(flexible) - count :])
        beside = _without(cells, below)
        if _fitted(beside, width, cut=cut and not count, least=_BESIDE) is not None:
            return beside, _below_the_cells(grid, below)
    return cells, _below_the_cells(grid, frozenset())


def _without(grid: Grid, names: frozenset[str]) -> Grid:
    return grid.only(lambda column: column.name not in names)


def _below_the_cells(grid: Grid, names: frozenset[str]) -> Grid:
    return grid.only(lambda column: column.name in names or (column.reference and not column.is_key))


def _below(grid: Grid, row: Row, terminal: Terminal, *, indent: int) -> list[Text]:
    """References on lines of their own; other cells beside each other where they fit, else wrapped."""
    lines: list[Text] = []
    open_ = False  # whether the last line may take one more cell
    for column, pieces in zip(grid.columns, row, strict=True):
        if pieces == NOTHING:
            continue
        if column.reference:
            lines.append(Text(" " * indent).append(f"{column.title.lower()} ", "dim").append_text(painted(pieces)))
        elif open_ and lines[-1].cell_len + _GAP + _width(pieces) <= terminal.width:
            lines[-1] = lines[-1] + Text(" " * _GAP) + painted(pieces)
        else:
            lines += _wrapped(painted(pieces), terminal, indent=indent)
        open_ = not column.reference
    return lines


def _flow(grid: Grid, row: Row, terminal: Terminal) -> list[Text]:
    """Labelled cells one after the other, broken between cells; one that is too long for a line is wrapped."""
    lines: list[Text] = []
    for column, pieces in zip(grid.columns, row, strict=True):
        if pieces == NOTHING:
            continue
        cell = Text(f"{column.title.lower()} ", "dim") + painted(pieces)
        if lines and lines[-1].cell_len + _GAP + cell.cell_len <= terminal.width:
            lines[-1] = lines[-1] + Text(" " * _GAP) + cell
        else:
            lines += _wrapped(cell, terminal, indent=_INDENT)
    return lines


def _wrapped(text: Text, terminal: Terminal, *, indent: int) -> list[Text]:
    width = max(1, terminal.width - indent)
    parts = text.wrap(console(terminal), width, overflow="fold")
    for part in parts:
        part.rstrip()
    return [Text(" " * indent) + part for part in parts]


def _fitted(grid: Grid, width: int, *, cut: bool, least: int = _LEAST) -> list[int] | None:
    """The width of each column, None where they do not fit. `least`: what remains of a cell that is cut."""
    widths = [
        max([cell_len(column.title), *(_width(row[index]) for row in grid.rows)])
        for index, column in enumerate(grid.columns)
    ]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    givers = [index for index, column in enumerate(grid.columns) if column.shrinkable and cut]
    for index in sorted(givers, key=lambda index: -widths[index]):
        share = min(max(0, excess), max(0, widths[index] - max(least, len(grid.columns[index].title))))
        widths[index] -= share
        excess -= share
    return None if excess > 0 else widths


def _heading(grid: Grid, widths: Sequence[int]) -> Text:
    titles = [Text(column.title, "bold") for column in grid.columns]
    return _joined(grid, titles, widths)


def _line(grid: Grid, row: Row, widths: Sequence[int], terminal: Terminal) -> Text:
    cells = [shortened(painted(pieces), width, mark=terminal.mark) for pieces, width in zip(row, widths, strict=True)]
    return _joined(grid, cells, widths)


def _joined(grid: Grid, cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for column, cell, width in zip(grid.columns, cells, widths, strict=True):
        pad = " " * (width - cell.cell_len)
        line.append(pad if column.right else "")
        line.append_text(cell)
        line.append(("" if column.right else pad) + " " * _GAP)
    line.rstrip()
    return line


def _width(pieces: Pieces) -> int:
    return sum(cell_len(text) for text, _ in pieces)
