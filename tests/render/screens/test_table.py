"""Tables and screens as people see them, at widths people have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from rich.cells import cell_len

from render import samples
from render.golden import PICTURES, WIDTHS, picture
from render.printing import COLOR, written
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Run
from runcancel.model.states import Effect, State, Verdict
from runcancel.render.columns import all_columns, columns_of
from runcancel.render.documents import all_documents
from runcancel.render.screens.words import STYLES

_UNCUT = ("aws:", "alibaba:", "tencent:", "request ", "ask for")  # references, ids and hints: to be pasted whole


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_the_picture_is_the_one_that_was_agreed(name: str, width: int) -> None:
    format, answer, records = PICTURES[name]

    drawn = written(format, answer, records, width=width)

    assert drawn == picture(name, width).read_text(encoding="utf-8"), "TZ=UTC python -m tests.render.golden"


@given(st.sampled_from(sorted(PICTURES.keys() - {"cancel-many"})), st.integers(44, 220))
def test_references_are_never_cut_or_wrapped_and_the_rest_fits(name: str, width: int) -> None:
    format, answer, records = PICTURES[name]

    text = written(format, answer, records, width=width)

    for record in records:
        for ref in (record.ref if isinstance(record, Run) else record.run, getattr(record, "child", None)):
            assert ref is None or str(ref) in text
    for line in text.splitlines():
        assert cell_len(line) <= width or any(word in line for word in _UNCUT)


@pytest.mark.parametrize("name", sorted(PICTURES))
@pytest.mark.parametrize("width", WIDTHS)
def test_colour_changes_nothing_but_colour(name: str, width: int) -> None:
    format, answer, records = PICTURES[name]

    colored = written(format, answer, records, width=width, color=True)

    assert COLOR.search(colored)
    assert COLOR.sub("", colored) == written(format, answer, records, width=width)


def test_the_colours_are_those_of_the_states() -> None:
    rows = [samples.invocation(n, state) for n, state in enumerate(State)]

    lines = written("table", "invocations", rows, color=True).splitlines()[2:]

    codes = {"running": "33", "cancelling": "35", "cancelled": "36", "terminated": "36", "succeeded": "32"}
    codes |= {"failed": "31", "timed out": "31", "undelivered": "31", "unknown": "7"}
    for state, line in zip(State, lines, strict=True):
        word = state.replace("_", " ")
        assert line.startswith(f"\x1b[{codes[word]}m{word}\x1b[0m" if word in codes else word)


def test_data_that_looks_like_markup_is_shown_as_it_is() -> None:
    text = written("table", "status", [samples.run(name="[red]x[/red] :smile: https://example.com")], color=True)

    assert "[red]x[/red] :smile: https://example.com" in text


@pytest.mark.parametrize("kind", [Run, Invocation, PlanItem, Outcome])
def test_every_kind_has_one_leading_reference_and_unique_names(kind: type) -> None:
    columns = columns_of(kind, wide=True)

    assert [column.reference for column in columns if column.is_key] == [True]
    assert len({column.name for column in columns}) == len(columns)


@pytest.mark.parametrize("kind", dict.fromkeys(one.record for one in all_documents().values()))
def test_a_column_that_makes_nothing_of_its_record_is_a_field_of_it(kind: type[Struct]) -> None:
    named = {column.name for column in all_columns(kind) if column.value is None}

    assert named <= set(kind.__struct_fields__)


def test_every_word_has_a_colour_or_none_on_purpose() -> None:
    words = {str(word) for kind in (State, Effect, Verdict) for word in kind}

    assert set(STYLES) <= words
    assert words - set(STYLES) == {"pending", "scheduled", "skipped", "already-ended", "ended"}
