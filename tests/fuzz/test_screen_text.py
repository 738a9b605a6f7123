"""Any text in any field: every stream takes it, nothing in it moves a cursor, and no reference is broken by it.

`tests/render/test_writers.py` does this for stdout and the four answers about runs; here are the other screens, streams
that know ASCII only, and what is said on stderr.
"""

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs
from render.samples import NOW, WINDOW
from render.strategies import ANY_TEXT, PROBLEMS, any_of

from fuzz.budget import tries
from runcancel.model.outcomes import CancelResponse, Operation, Outcome, PlanItem
from runcancel.model.reports import ContextRow, SettingRow
from runcancel.model.runs import Invocation, Run
from runcancel.model.states import RequestStatus
from runcancel.render import FORMATS, End, writer
from runcancel.render.documents import Caller
from runcancel.render.live.progress import progress
from runcancel.render.screens.announce import announce
from runcancel.render.screens.notes import Notes
from runcancel.render.screens.terminal import Terminal
from runcancel.text import is_plain

SCREENS: dict[str, type[Any]] = {
    "history": Operation,
    "contexts": ContextRow,
    "settings": SettingRow,
    "status": Run,
    "invocations": Invocation,
    "plan": PlanItem,
    "cancel": Outcome,
}
_ANSWERS = st.sampled_from(sorted(SCREENS)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(any_of(SCREENS[name]), min_size=1, max_size=3))
)
_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""What a live screen itself sends."""


def plain(text: str, *, tabs: bool = False, moves: bool = False) -> None:
    """Every line shows as itself."""
    for line in (_MOVES.sub("", text) if moves else text).split("\n"):
        assert is_plain(line.replace("\t", "") if tabs else line), repr(line)


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")


def content(of: io.TextIOWrapper) -> str:
    of.flush()
    buffer = of.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(of.encoding)


@tries(120)
@given(
    _ANSWERS, PROBLEMS, st.sampled_from(FORMATS), st.sampled_from(["ascii", "utf-8", "latin-1"]), st.integers(20, 120)
)
def test_every_screen_on_every_stream(
    answer: tuple[str, Sequence[Any]], problems: Any, format: str, encoding: str, width: int
) -> None:
    name, records = answer
    out = stream(encoding)
    printer = writer(format, name, out=out, terminal=Terminal(is_terminal=True, width=width), now=NOW)

    for record in records:
        printer.row(record)
    printer.end(End(exit_code=1, errors=problems, complete=False))

    text = content(out).replace("\r\n", "\n") if format == "csv" else content(out)  # RFC 4180 ends lines so
    plain(text, tabs=format == "tsv")
    if format == "json":
        json.loads(text)
    elif format == "jsonl":
        assert len([json.loads(line) for line in text.splitlines()]) == len(records) + len(problems) + 1
    elif format == "tsv":
        assert len({line.count("\t") for line in text.removesuffix("\n").split("\n")}) == 1
        assert text.count("\n") == len(records) + 1


@tries(80)
@given(
    st.lists(any_of(Run), min_size=1, max_size=3),
    st.sampled_from(["table", "wide", "tsv", "ref"]),
    st.integers(20, 120),
)
def test_no_reference_is_broken_by_its_neighbours(runs: list[Run], format: str, width: int) -> None:
    out = stream("utf-8")
    printer = writer(format, "status", out=out, terminal=Terminal(is_terminal=True, width=width), now=NOW)

    for run in runs:
        printer.row(structs.replace(run, ref=WINDOW, script=UNSET, audit=UNSET))  # which name the run once more
    printer.end(End(exit_code=0))

    assert sum(WINDOW in line for line in content(out).split("\n")) == (1 if format == "ref" else len(runs))


@pytest.mark.parametrize("moves", [False, True], ids=["lines", "live"])
@tries(60)
@given(
    st.lists(any_of(PlanItem), min_size=1, max_size=3),
    any_of(Run),
    st.lists(any_of(Invocation), max_size=3),
    any_of(Outcome),
    PROBLEMS,
    st.integers(20, 120),
)
def test_progress_shows_any_text_as_text(
    moves: bool,
    items: list[PlanItem],
    run: Run,
    rows: list[Invocation],
    outcome: Outcome,
    problems: Any,
    width: int,
) -> None:
    err = stream("ascii" if not moves else "utf-8")
    terminal = Terminal(is_terminal=moves, moves=moves, width=width)
    shown = progress(err, terminal=terminal, environ={"COLUMNS": str(width)})
    ref = items[0].run

    shown.planned(items)
    problem = problems[0] if problems else None
    shown.responded(
        ref, CancelResponse(status=RequestStatus.REFUSED if problem else RequestStatus.ACCEPTED, problem=problem)
    )
    shown.observed(ref, run, rows)
    shown.tick()
    shown.judged(structs.replace(outcome, run=ref))
    shown.close()

    plain(content(err), moves=moves)


@tries(80)
@given(
    st.lists(any_of(PlanItem), max_size=4),
    st.lists(any_of(Caller), max_size=2),
    PROBLEMS,
    st.lists(ANY_TEXT, max_size=3),
    st.integers(1, 120),
)
def test_what_is_said_is_plain(
    items: list[PlanItem], callers: list[Caller], problems: Any, sentences: list[str], width: int
) -> None:
    err = stream("ascii")
    notes = Notes(err)

    lines = announce(items, callers, width=max(20, width))
    notes.say(*lines, *sentences)
    for problem in problems:
        notes.problem(problem)
    for sentence in sentences:
        notes.warn(sentence)

    plain("\n".join(lines))
    plain(content(err))
