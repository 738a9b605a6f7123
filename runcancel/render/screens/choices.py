"""Runs with a number before each, for a person to choose from."""

from collections.abc import Sequence
from datetime import datetime

from runcancel.model.runs import Run
from runcancel.render.columns import columns_of
from runcancel.render.screens.layout import Grid, lay_out
from runcancel.render.screens.paint import paint
from runcancel.render.screens.terminal import Terminal


def choices(runs: Sequence[Run], *, terminal: Terminal, now: datetime) -> str:
    """The runs, numbered from 1 in their order, as the text of a screen."""
    columns = sorted(columns_of(Run, wide=False), key=lambda column: not column.is_key)
    digits = len(str(len(runs)))
    rows = []
    for number, run in enumerate(runs, start=1):
        key, *cells = (column.cell(run, now=now) for column in columns)
        rows.append([((f"{number:>{digits}}  ", None), *key), *cells])
    return paint(lay_out(Grid(tuple(columns), tuple(rows)), terminal=terminal, cut=True), terminal)
