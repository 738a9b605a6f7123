"""What a stream is: asked of the stream; colour and width by flag and variable."""

import io
from collections.abc import Mapping

import pytest

from runcancel.render.screens.terminal import Color, Terminal, width_of


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("tty", "environ", "flag", "colored"),
    [
        (True, {}, "auto", True),
        (False, {}, "auto", False),
        (True, {"NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": ""}, "auto", True),
        (True, {"NO_COLOR": "1"}, "always", True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", False),
        (True, {"TERM": "dumb"}, "auto", False),
        (True, {"CLICOLOR": "0"}, "auto", False),
        (True, {"CLICOLOR": "1"}, "auto", True),
        (False, {"CLICOLOR": "1"}, "auto", False),
        (False, {"CLICOLOR_FORCE": "1"}, "auto", True),
        (False, {"CLICOLOR_FORCE": "0"}, "auto", False),
        (False, {"FORCE_COLOR": "1"}, "auto", True),
        (False, {"FORCE_COLOR": ""}, "auto", False),
        (True, {"FORCE_COLOR": "0"}, "auto", False),
        (False, {"FORCE_COLOR": "1"}, "never", False),
        (False, {}, "always", True),
        (True, {}, "never", False),
    ],
)
def test_color(tty: bool, environ: Mapping[str, str], flag: str, colored: bool) -> None:
    stream = Tty() if tty else io.StringIO()

    terminal = Terminal.of(stream, environ, color=Color(flag))

    assert terminal.color is colored
    assert terminal.is_terminal is tty


@pytest.mark.parametrize("environ", [{"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_no_variable_makes_a_pipe_a_terminal(environ: Mapping[str, str]) -> None:
    terminal = Terminal.of(io.StringIO(), environ)

    assert not terminal.is_terminal
    assert not terminal.moves


def test_a_dumb_terminal_does_not_move() -> None:
    assert Terminal.of(Tty(), {}).moves
    assert not Terminal.of(Tty(), {"TERM": "dumb"}).moves


@pytest.mark.parametrize(
    ("columns", "width"), [("", 80), ("120", 120), ("0", 80), ("-5", 80), ("x", 80), ("3", 20), ("٣", 80)]
)
def test_width(columns: str, width: int) -> None:
    assert width_of(io.StringIO(), {"COLUMNS": columns}) == width


def test_streams_that_are_closed_or_missing_are_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()

    assert not Terminal.of(closed, {}).is_terminal
    assert not Terminal.of(None, {}).is_terminal


def test_bars_need_an_encoding_that_has_them() -> None:
    assert Terminal.of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), {}).draws
    assert not Terminal.of(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"), {}).draws
