"""Lines that are too wide for a terminal break at words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from runcancel.render.screens.wrap import wrapped, wrapped_text

WORDS = st.text(alphabet=st.sampled_from("ab完 '-:;/.,"), max_size=120)


@given(WORDS, st.integers(1, 60))
def test_no_word_is_broken_and_nothing_is_lost(text: str, width: int) -> None:
    lines = list(wrapped(text, width))

    assert [word for line in lines for word in line.split()] == text.split()
    longest = max(map(cell_len, text.split()), default=0)
    assert all(cell_len(line) <= width for line in lines) or longest + len(text) - len(text.lstrip(" ")) + 2 > width


@given(WORDS, st.integers(1, 60))
def test_text_with_colours_breaks_at_the_same_places(text: str, width: int) -> None:
    coloured = Text(text, "red")

    assert [line.plain for line in wrapped_text(coloured, width)] == list(wrapped(text, width))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("short", ["short"]),
        ("  a hint of many words and more words", ["  a hint of many words and more", "    words"]),
        (
            "To proceed: runcancel cancel --name 'two words' --yes   To preview: add --dry-run",
            ["To proceed: runcancel cancel --name 'two words' --yes", "  To preview: add --dry-run"],
        ),
        (
            "see this please: runcancel history --limit 3, then look",
            ["see this please:", "  runcancel history --limit 3,", "  then look"],
        ),
    ],
)
def test_a_command_stays_whole(text: str, lines: list[str]) -> None:
    assert list(wrapped(text, 32)) == lines
    assert re.sub(r"\s+", " ", " ".join(lines)).strip() == re.sub(r"\s+", " ", text).strip()
