"""Text of others made safe to show, and times and durations as people read them."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

LONGEST_LINE = 1 << 20
"""Characters of one line of input."""

_QUOTED = 300  # characters of what somebody wrote, where a message quotes it
_KEPT = "\u3000"  # the ideographic space: common in Chinese names, and as wide as it looks
_INVISIBLE = (
    # printable by category, but drawn as nothing: fillers, joiners, variation selectors
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def safe(text: str) -> str:
    r"""The text with everything that is not plainly visible written as `\x1b`, `\u202e`, `\U000e0041`.

    That is all of C0, DEL, C1, format characters (bidi, zero-width, tags), line and paragraph separators, surrogates,
    private and unassigned code points, odd spaces, and the letters that are drawn as nothing.
    """
    if is_plain(text):
        return text
    return "".join(char if is_plain(char) else _visible(char) for char in text)


def quoted(text: str) -> str:
    """The beginning of a text, safe, as a message quotes it."""
    return safe(text) if len(text) <= _QUOTED else f"{safe(text[:_QUOTED])}…"


def safe_lines(text: str) -> Iterator[str]:
    """The lines of a text, each safe, tabs kept: what a program wrote looks as it did, and cannot move the cursor."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if is_plain(text.replace("\n", "").replace("\t", "")):  # as most text is
        yield from lines
        return
    for line in lines:
        yield "\t".join(map(safe, line.rstrip("\r").split("\t")))


def is_plain(text: str) -> bool:
    """Whether every character shows as itself."""
    return (text.isprintable() or text.replace(_KEPT, "").isprintable()) and not (
        not text.isascii() and re.search(_INVISIBLE, text)
    )


def command(*words: object) -> str:
    """A call of this program as a person can paste it into a POSIX shell: the one way to print one."""
    return words_of_shell("runcancel", *map(str, words))


def words_of_shell(*words: str) -> str:
    """Words as a person can paste them into a POSIX shell.

    What does not show in a word is written out, so that it names nothing rather than something else.
    """
    return shlex.join(map(safe, words))


def duration(seconds: float) -> str:
    """A length of time: `4.1s`, `42s`, `3m20s`, `2h05m`, `5d03h`."""
    if not 0 <= seconds < 1e12:
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    big, small = next(pair for pair in pairwise(_UNITS) if whole >= pair[0][0])
    return f"{whole // big[0]}{big[1]}{whole % big[0] // small[0]:02}{small[1]}"


def ago(then: datetime, now: datetime) -> str:
    """How old something is, in its largest unit: `3m`, `2h`, `5d`; `in 3m` when it is still to come."""
    seconds = int((now - then).total_seconds())
    prefix = "in " if seconds <= -60 else ""  # less may be a clock that differs
    seconds = abs(seconds) if prefix else max(0, seconds)
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{prefix}{seconds // size}{unit}"


def distance(then: datetime, now: datetime) -> str:
    """How far something is from now: `3m ago`, `in 3m`."""
    age = ago(then, now)
    return age if age.startswith("in ") else f"{age} ago"


def local(moment: datetime) -> str:
    """A time as the clock on the wall shows it, to the second, with its distance from UTC."""
    try:
        moment = moment.astimezone()
    except (OverflowError, OSError, ValueError):  # the first and last day of the calendar
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    text = moment.isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:25]}".rstrip()


def _visible(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
