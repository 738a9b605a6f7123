"""A bar of states: coloured, heavy where nothing more will happen, so that it can be read without colour, too."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from runcancel.model.states import State
from runcancel.render.screens.words import STYLES

_ORDER = (
    State.CANCELLED,
    State.TERMINATED,
    State.SUCCEEDED,
    State.FAILED,
    State.TIMED_OUT,
    State.UNDELIVERED,
    State.SKIPPED,
    State.CANCELLING,
    State.RUNNING,
    State.SCHEDULED,
    State.PENDING,
    State.UNKNOWN,
)
"""From what is over to what has not begun."""

_OVER, _OPEN = ("━", "="), ("─", "-")  # with the characters of bars, and without


def bar(counts: Mapping[State, int], length: int, *, draws: bool) -> Text:
    """Exactly `length` columns, heavy all the way only if all is over; a state that occurs has a column if there are
    enough of them."""
    present = [state for state in _ORDER if counts.get(state, 0) > 0]
    drawn = Text()
    for state, cells in zip(present, shares([counts[state] for state in present], length), strict=True):
        drawn.append((_OVER if state.over else _OPEN)[not draws] * cells, _style(state))
    drawn.append(_OPEN[not draws] * (length - drawn.cell_len), "dim")
    return drawn


def shares(counts: Sequence[int], length: int) -> list[int]:
    """`length` cells divided in proportion, each at least one; the last are cut off when there are too many.

    >>> shares([1, 998, 1], 10)
    [1, 8, 1]
    """
    if len(counts) > length:
        # What is not over stands last: it must not be the part that is lost.
        return [0] * (len(counts) - length) + [1] * length
    total = sum(counts)
    exact = [count * length / total for count in counts] if total else []
    cells = [max(1, int(part)) for part in exact]
    while sum(cells) > length:
        at = max(range(len(cells)), key=lambda place: (cells[place] > 1, cells[place] - exact[place]))
        cells[at] -= 1
    while cells and sum(cells) < length:
        at = max(range(len(cells)), key=lambda place: exact[place] - cells[place])
        cells[at] += 1
    return cells


def _style(state: State) -> str:
    return "dim" if state is State.UNKNOWN else STYLES.get(state, "dim")
