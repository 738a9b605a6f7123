"""The pictures in docs/screens are what the present code shows."""

import html
import re
from pathlib import Path

import pytest
from screens import FILM, PICTURES, WIDTHS, filmed, taken

FOLDER = Path(__file__).parent.parent / "docs" / "screens"


def words(svg: str) -> str:
    """The text of a picture."""
    return svg.partition("<desc>")[2].partition("</desc>")[0]


def test_there_is_a_picture_of_everything_at_every_width_and_no_other() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {
        FILM,
        *(f"{name}-{width}" for name in PICTURES for width in WIDTHS),
    }


@pytest.mark.parametrize(("name", "columns"), [("refusal", 80), ("list", 120), ("plan", 200), ("consent", 80)])
def test_a_picture_is_what_is_shown_now(name: str, columns: int, tmp_path: Path) -> None:
    svg = taken(name, columns, tmp_path / "home")

    assert words(svg) == words((FOLDER / f"{name}-{columns}.svg").read_text())
    assert svg == (FOLDER / f"{name}-{columns}.svg").read_text(), "make screenshots"


def test_the_moving_picture_is_what_is_shown_now(tmp_path: Path) -> None:
    assert filmed(tmp_path / "home") == (FOLDER / f"{FILM}.svg").read_text(), "make screenshots"


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_picture_cuts_a_reference_or_holds_what_differs_each_time(columns: int) -> None:
    for name in PICTURES:
        text = html.unescape(words((FOLDER / f"{name}-{columns}.svg").read_text()))
        # What was typed is wrapped by the terminal; everything after it is ours.
        shown = text.partition("\n")[2]
        for line in shown.splitlines():
            assert len(line) <= columns
            # Markdown has one line for each row of a table; the terminal wraps it.
            for id in () if name == "report" else re.findall(r"(?<=[a-z0-9]:command/)[^\s,;]+", line):
                assert len(id) == 36 or line.startswith("$"), line
        assert "127.0.0.1" not in text
        assert "/home" not in text
