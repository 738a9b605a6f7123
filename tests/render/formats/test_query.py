"""JMESPath over documents: what is refused before anything is sent, and how results are printed."""

import csv
import io
import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from render import samples
from render.strategies import ANY_TEXT
from runcancel.errors import UsageError
from runcancel.model.encoding import encode
from runcancel.render import QUERYABLE, End, writer
from runcancel.render.formats.query import Expression, QueryError, printed
from runcancel.render.screens.notes import Notes
from runcancel.render.screens.terminal import Terminal
from runcancel.text import is_plain

DATA = {"runs": [{"ref": "a", "n": 1, "on": True}, {"ref": "=b", "n": None, "on": False}], "text": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs[?", "at character 7 (marked ^): runs[?^;"),
        ("runs[?state=1]", "at character 12 (marked ^): runs[?state^=1];"),
        ("a b", "at character 3 (marked ^): a ^b;"),
        ("a\n  b", "(marked ^): a ^b;"),
        ("`x", "at character 1 (marked ^): ^`x;"),
        ('"\x1b[31m', '"\\x1b[31m'),
        ("", "is empty (an unset variable?)"),
        (" ", "is empty (an unset variable?)"),
        ("lenght(runs)", "JMESPath has no function “lenght” (did you mean length?)"),
        ("runs[].{a: foo(ref)}", "JMESPath has no function “foo”"),
        ("length(runs, runs)", "length() takes 1 arguments, not 2"),
        ("sort_by(runs)", "sort_by() takes 2 arguments, not 1"),
        ("merge()", "merge() takes 1 or more arguments, not 0"),
        ("(" * 5000, "is n"),
    ],
    ids=lambda text: text[:20],
)
def test_a_wrong_expression_is_one_line_that_says_where(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Expression(text)

    assert said in caught.value.message
    assert caught.value.message.lower().endswith("nothing was sent")
    assert is_plain(caught.value.message)


@pytest.mark.parametrize(
    "text", ["length(none)", "&runs", "runs[::0]", "contains('a', `1`)", "[&a]", "sum(runs[].ref)"]
)
def test_an_expression_that_does_not_fit_says_why(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        Expression(text).of(DATA if "::" not in text else {"runs": [1, 2]})

    assert str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "tsv"),
    [
        ("text", "x\n"),
        ("none", ""),
        ("`[]`", ""),
        ("length(runs)", "2\n"),
        ("runs[].ref", "a\n=b\n"),
        ("runs[].[ref, n, on]", "a\t1\ttrue\n=b\t\tfalse\n"),
        ("runs[].{ref: ref, n: n}", "ref\tn\na\t1\n=b\t\n"),
        ("{first: runs[0].ref, text: text}", "first\ttext\na\tx\n"),
        ("[`1`, `null`, 'b']", "1\n\nb\n"),
        ("[runs[0], text]", '{"ref":"a","n":1,"on":true}\nx\n'),
        ("[[runs[0], [text]]]", '{"ref":"a","n":1,"on":true}\t["x"]\n'),
        ("'a\tb\n'", "a\\x09b\\x0a\n"),
    ],
)
def test_tsv_of_a_query(text: str, tsv: str) -> None:
    assert printed(Expression(text).of(DATA), "tsv") == tsv


def test_csv_of_a_query_is_defused() -> None:
    assert printed(Expression("runs[].[ref, n]").of(DATA), "csv") == "a,1\r\n'=b,\r\n"
    assert printed(Expression('`[-1, "-1"]`').of(DATA), "csv") == "-1\r\n'-1\r\n"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("to_number('nan')", None),
        ("to_number('inf')", None),
        (f"to_number('{'9' * 30}')", 1e30),
        ("[runs, runs]", [DATA["runs"], DATA["runs"]]),
        ("\n runs[]\n .ref", ["a", "=b"]),
    ],
)
def test_a_result_is_always_json(text: str, result: Any) -> None:
    found = Expression(text).of(DATA)

    assert found == result
    assert json.loads(printed(found, "json")) == result
    assert yaml.safe_load(printed(found, "yaml")) == result


PIECES = st.lists(
    st.sampled_from([*("runs", "ref", "[", "]", "[]", "*", ".", "?", "&", "|", "||", "@", "`1`", "'a'", "{", "}"), ":"])
    | st.sampled_from(["length(", "sort_by(", "to_string(", "map(", ")", ",", " ", "==", "!", "0", "-1", "\x1b"]),
    max_size=8,
).map("".join)


@given(PIECES)
def test_any_expression_is_refused_or_finds_what_prints_plain(text: str) -> None:
    found: Any = ""
    with suppress(UsageError, QueryError):
        found = Expression(text).of(DATA)
    for format in QUERYABLE:
        assert is_plain(printed(found, format).replace("\n", "").replace("\r", "").replace("\t", ""))


@given(st.dictionaries(ANY_TEXT, ANY_TEXT, min_size=1, max_size=3))
def test_what_a_query_finds_reads_back_in_every_format(data: dict[str, str]) -> None:
    plain = json.loads(encode(data))

    assert json.loads(printed(plain, "json")) == plain
    assert yaml.safe_load(printed(plain, "yaml")) == plain
    head, row = csv.reader(io.StringIO(printed(plain, "csv"), newline=""))
    tsv = [line.split("\t") for line in printed(plain, "tsv").removesuffix("\n").split("\n")]
    assert [[cell.removeprefix("'") for cell in each] for each in (head, row)] == tsv


@pytest.mark.parametrize("format", QUERYABLE)
def test_a_query_that_cannot_be_applied_loses_no_answer(format: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    printer = writer(
        format, "status", out=out, terminal=Terminal(), notes=Notes(err, quiet=True), query=Expression("length(none)")
    )
    printer.row(samples.run())
    printer.end(End(exit_code=0))

    assert yaml.safe_load(out.getvalue())["runs"][0]["ref"] == str(samples.run().ref)
    assert err.getvalue().startswith("runcancel: --query cannot be applied: In function length()")
