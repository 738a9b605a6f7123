"""Text of others: everything that is not plainly visible is shown as an escape."""

import sys
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.text import ago, distance, duration, is_plain, local, safe, words_of_shell

ANY = st.text(alphabet=st.characters())
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_every_code_point_of_a_hidden_category_is_escaped() -> None:
    categories = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    every = map(chr, range(sys.maxunicode + 1))
    hidden = "".join(char for char in every if unicodedata.category(char) in categories)

    shown = safe(hidden)

    assert shown.isascii()
    assert shown.count("\\") == len(hidden)
    assert shown.encode().decode("unicode_escape") == hidden


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"),
        ("\x1b[2J\x7f\x9b", "\\x1b[2J\\x7f\\x9b"),
        ("\u061c\u200e\u202e\u2066", "\\u061c\\u200e\\u202e\\u2066"),
        ("\u200b\u200d\u2060\ufeff", "\\u200b\\u200d\\u2060\\ufeff"),
        ("\u2028\u2029\udc80", "\\u2028\\u2029\\udc80"),
        ("\U000e0041\ufe0f\u3164", "\\U000e0041\\ufe0f\\u3164"),
        ("nightly [bold]x[/] C:\\temp", "nightly [bold]x[/] C:\\temp"),
        ("补丁\u3000openssl é 😀", "补丁\u3000openssl é 😀"),
    ],
)
def test_safe_shows_what_it_hides(raw: str, shown: str) -> None:
    assert safe(raw) == shown


@given(ANY)
def test_safe_text_is_plain_and_stays_as_it_is(text: str) -> None:
    once = safe(text)

    assert is_plain(once)
    assert safe(once) == once
    assert len(once.splitlines()) <= 1
    assert not text or once


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"),
        (4.1, "4.1s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (200, "3m20s"),
        (7500, "2h05m"),
        (442800, "5d03h"),
        (-1, "?"),
        (float("nan"), "?"),
        (float("inf"), "?"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (-5, "0s"), (59, "59s"), (60, "1m"), (7300, "2h"), (86400 * 5, "5d"), (-600, "in 10m")],
)
def test_ago(seconds: int, shown: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(60, "1m ago"), (0, "0s ago"), (-86400 * 3, "in 3d")])
def test_distance(seconds: int, shown: str) -> None:
    assert distance(NOW - timedelta(seconds=seconds), NOW) == shown


def test_local_survives_the_ends_of_the_calendar() -> None:
    assert local(datetime.min.replace(tzinfo=UTC)) == "0001-01-01 00:00:00 +00:00"
    assert local(datetime.max.replace(tzinfo=UTC))[:4] == "9999"


def test_what_a_shell_would_read_is_quoted() -> None:
    assert words_of_shell("aws:us-east-2:command/4f1c") == "aws:us-east-2:command/4f1c"
    assert words_of_shell("a b;rm") == "'a b;rm'"
