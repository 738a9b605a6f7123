"""Runs with a number before each, as many as fit the screen, for a person to choose from."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from runcancel.model.runs import Run
from runcancel.render.columns import columns_of
from runcancel.render.screens.layout import Grid, lay_out
from runcancel.render.screens.paint import paint
from runcancel.render.screens.terminal import Terminal

_NARROW = 120  # columns below which what a cancel does has no room; it stands before the confirmation


def choices(runs: Sequence[tuple[int, Run]], *, lines: int, terminal: Terminal, now: datetime) -> tuple[str, int]:
    """The first of the runs, each after its number, in at most so many lines; and how many they are: at least one."""
    count = min(len(runs), max(1, lines))
    drawn = _lines(runs[:count], terminal, now)
    while count > 1 and _height(drawn, terminal.width) > lines:
        count -= 1
        drawn = _lines(runs[:count], terminal, now)
    return paint(drawn, terminal), count


def _height(drawn: Sequence[Text], width: int) -> int:
    return sum(max(1, -(-line.cell_len // width)) for line in drawn)


def _lines(runs: Sequence[tuple[int, Run]], terminal: Terminal, now: datetime) -> list[Text]:
    shown = [one for one in columns_of(Run, wide=False) if one.name != "guarantee" or terminal.width >= _NARROW]
    columns = sorted(shown, key=lambda column: not column.is_key)
    digits = len(str(max(number for number, _ in runs)))
    rows = []
    for number, run in runs:
        key, *cells = (column.cell(run, now=now) for column in columns)
        rows.append([((f"{number:>{digits}}  ", None), *key), *cells])
    return lay_out(Grid(tuple(columns), tuple(rows)), terminal=terminal, cut=True)
