"""Choosing runs from a list on the terminal: by number, after a filter, page by page."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec import Struct

from runcancel.cli.session import Session
from runcancel.cli.support.ask import line
from runcancel.errors import Refused
from runcancel.model.outcomes import Limits
from runcancel.model.runs import Problem, Ref, Run
from runcancel.render.screens.announce import not_searched
from runcancel.render.screens.terminal import size_of
from runcancel.render.screens.words import readable
from runcancel.text import quoted

_NUMBERS = re.compile(r"[\d\s,-]*\d[\d\s,-]*")
_FEW = 6  # numbers that a message names
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_TURNS = {"+": 1, "-": -1}
_BELOW = 3  # lines under the runs: which of them they are, an answer that was wrong, and the question


class Numbers(Struct, frozen=True):
    """Runs by their numbers, in the order of the list."""

    numbers: tuple[int, ...]


class Filter(Struct, frozen=True):
    """From now on only runs whose line has all these words; no word shows all runs again."""

    words: tuple[str, ...]


class Turn(Struct, frozen=True):
    """The next page, or the one before."""

    pages: int


class Nothing(Struct, frozen=True):
    """No run."""


class Wrong(Struct, frozen=True):
    """An answer that means nothing, and why."""

    why: str


Answer: TypeAlias = Numbers | Filter | Turn | Nothing | Wrong


def read_answer(text: str, shown: Sequence[int]) -> Answer:
    """What a typed line means, where the runs of these numbers are listed.

    Numbers and ranges (`1,3-5`, `2 4`) and `all` choose among the listed runs, `+` and `-` turn the page, `/` and any
    other text filters: `/4711` filters by what looks like a number, a bare `/` lists all runs.
    """
    text = text.strip()
    if not text:
        return Nothing()
    if text in _TURNS:
        return Turn(_TURNS[text])
    if text.lower() == "all":
        return Numbers(tuple(shown))
    if _NUMBERS.fullmatch(text):
        return _numbers(text, shown)
    return Filter(tuple(text.removeprefix("/").casefold().split()))


def _a_few(shown: Sequence[int]) -> str:
    """The numbers of a list that was filtered: not every one from the first to the last is in it."""
    *first, last = map(str, shown[:_FEW])
    if len(shown) > _FEW:
        return f"{', '.join(first)}, {last}, …"
    return f"{', '.join(first)} or {last}" if first else last


def _numbers(text: str, shown: Sequence[int]) -> Answer:
    numbers: set[int] = set()
    for word in re.split(r"[\s,]+", text.strip(", \t")):
        match = _RANGE.fullmatch(word)
        if match is None:
            return Wrong(f"“{word}” is not a number or range. Enter numbers such as 1,3-5, or “all”")
        first, last = int(match[1]), int(match[2] or match[1])
        listed = [number for number in shown if first <= number <= last]
        if not listed:
            whole = 1 < len(shown) == max(shown) - min(shown) + 1
            there = f"numbers from {min(shown)} to {max(shown)}" if whole else _a_few(shown)
            return Wrong(f"“{word}” is not in the list. Enter {there}")
        numbers.update(listed)
    return Numbers(tuple(number for number in shown if number in numbers))


class Picker:
    """The list that a person chooses from: all runs with their numbers, a filter, a page."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._numbered = list(enumerate(runs, start=1))
        self._starts = [0]  # the first run of each page so far; the last one is shown
        self._fits = len(runs)
        self.listed = list(self._numbered)

    @property
    def page(self) -> list[tuple[int, Run]]:
        """The listed runs from the first of this page on."""
        return self.listed[self._starts[-1] :]

    @property
    def paged(self) -> bool:
        """Whether the list has more than one page."""
        return len(self._starts) > 1 or self._fits < len(self.page)

    def fits(self, count: int) -> str:
        """Note how many runs the page shows; which ones these are."""
        self._fits = count
        first = self._starts[-1] + 1
        of = f" matching, {len(self._numbered):,} in all" if self.filtered else ""
        return f"Runs {first:,} to {first + count - 1:,} of {len(self.listed):,}{of}"

    @property
    def filtered(self) -> bool:
        """Whether a filter leaves some runs out."""
        return len(self.listed) < len(self._numbered)

    def filter(self, words: Sequence[str]) -> bool:
        """List only the runs that have all these words; false, and nothing changes, where none has."""
        listed = [(number, run) for number, run in self._numbered if all(word in _text(run) for word in words)]
        if listed:
            self.listed, self._starts = listed, [0]
        return bool(listed)

    def turn(self, pages: int) -> bool:
        """Turn the page; false where there is none."""
        if pages < 0 and len(self._starts) > 1:
            self._starts.pop()
            return True
        if pages > 0 and self._fits < len(self.page):
            self._starts.append(self._starts[-1] + self._fits)
            return True
        return False

    def refs(self, numbers: Sequence[int]) -> tuple[Ref, ...]:
        """The references of the runs with these numbers."""
        return tuple(self._numbered[number - 1][1].ref for number in numbers)


class Picked(Struct, frozen=True, kw_only=True):
    """The runs that were chosen, and the limit that was raised for them."""

    refs: tuple[Ref, ...] = ()
    max_runs: int | None = None


def pick(
    session: Session, runs: Sequence[Run], gaps: Sequence[Problem], *, limits: Limits, fixed: int | None
) -> Picked:
    """List the runs, after what was not searched, and ask which ones.

    More than `limits` allow have to be confirmed by their number; `fixed` is the limit that nothing raises. Raises
    `Refused` when nothing is chosen, `Interrupted` at a signal.
    """
    if not runs:
        return Picked()
    missing = list(not_searched(gaps))
    picker = Picker(runs)
    _show(session, picker, missing)
    while True:
        more = "; + more" if picker.paged else ""
        reply = _ask(session, f"Runs to cancel (1,3-5; all; text filters{more}; Enter: none): ")
        answer = read_answer(reply or "", [number for number, _ in picker.listed])
        match answer:
            case Nothing():
                raise Refused("no run was selected; nothing was sent")
            case Numbers(numbers=numbers):
                raised = _allowed(session, len(numbers), limits.max_runs, fixed)
                if raised is not None:
                    return Picked(refs=picker.refs(numbers), max_runs=raised)
            case Filter(words=words) if not picker.filter(words):
                session.notes.warn(f"no run matches “{quoted(' '.join(words))}”")
                continue
            case Turn(pages=pages) if not picker.turn(pages):
                session.notes.warn("there is no other page")
                continue
            case Wrong(why=why):
                session.notes.warn(why)
                continue
        _show(session, picker, missing)


def _show(session: Session, picker: Picker, missing: Sequence[str]) -> None:
    """The page of the list that fits the screen, after what was not searched."""
    from runcancel.render.screens.choices import choices

    width, height = size_of(sys.stderr, session.settings.environ)
    above = sum(-(-len(text) // width) for text in missing)
    room = max(3, height - above - _BELOW)
    text, count = choices(picker.page, lines=room, terminal=session.err, now=datetime.now(UTC))
    session.notes.show(*missing)
    which = picker.fits(count)
    sys.stderr.write(f"{text}{which}\n" if picker.paged or picker.filtered else text)


def _allowed(session: Session, count: int, most: int | None, fixed: int | None) -> int | None:
    """The limit that lets so many runs through: the one there is, or a higher one that was typed. None: neither."""
    if most is None or count <= most:
        return most if most is not None else count
    selected = f"{count:,} runs are selected; the limit is"
    if fixed is not None and count > fixed:
        session.notes.warn(f"{selected} {fixed} (caps.max_runs of the configuration); no option raises it")
        return None
    session.notes.show(f"{selected} {most} (--max-runs).")
    reply = (_ask(session, f"Type {count} to raise it for this cancel (Enter: back to the list): ") or "").strip()
    if reply == str(count):
        return count
    if reply:
        session.notes.warn(f"“{quoted(reply)}” is not {count}; the limit stays {most}")
    return None


def _text(run: Run) -> str:
    """What a filter compares: all that a person sees of the run, and its full reference."""
    facts = (str(run.ref), run.label, run.name, run.comment, run.document, readable(run.state), run.account)
    return " ".join(fact for fact in facts if fact).casefold()


def _ask(session: Session, question: str) -> str | None:
    sys.stderr.write(question)
    sys.stderr.flush()
    return line(session)
