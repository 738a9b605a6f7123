"""Every state has its place in the chart of the incident report, and its colours."""

from runcancel.model.states import State
from runcancel.render.incident.chart import STACKED
from runcancel.render.incident.html import _COLORS


def test_the_chart_stacks_every_state_once() -> None:
    assert sorted(STACKED) == sorted(State)


def test_every_state_has_a_colour_on_a_light_and_on_a_dark_page() -> None:
    assert sorted(_COLORS) == sorted(State)
    assert all(len(colors) == 2 for colors in _COLORS.values())
