"""The incident report as Markdown and HTML: whatever the texts are, the document keeps its shape."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from fuzz.budget import tries
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from render.strategies import ANY_TEXT, any_of
from runcancel.model.incident import AccountReport, IncidentReport, RunReport, StateSample, TargetGroup
from runcancel.model.runs import Ref
from runcancel.model.states import Effect, Guarantee, State, Verdict
from runcancel.render.incident.blocks import Paragraph, Table
from runcancel.render.incident.chart import chart
from runcancel.render.incident.html import html
from runcancel.render.incident.markdown import cell, markdown
from runcancel.render.incident.story import story

HOSTILE = ANY_TEXT | st.sampled_from(
    [
        "a|b",
        "`x`",
        "``",
        "\\|",
        "<img src=x onerror=alert(1)>",
        "</td></table>",
        "&lt;",
        "http://x.y",
        "@ops",
        "# x",
        "|",
    ]
)
_EMPTY = frozenset({"meta", "rect", "line", "polygon"})


class Shape(HTMLParser):
    """The elements of a page, which must be nested, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shape(page: str) -> Shape:
    parser = Shape()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def columns(row: str) -> int:
    """How many cells a row of a table has, as GitHub counts them: a bar behind a backslash is text."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) - 1


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=5))
def test_a_table_keeps_its_columns(rows: list[tuple[str, str, str]]) -> None:
    table = Table(("A", "B", "C"), tuple(rows))

    text = markdown([table])

    assert [columns(line) for line in text.rstrip("\n").split("\n")] == [3] * (len(rows) + 2)
    page = shape(html([table], title="x"))
    assert page.tags.count("td") == 3 * len(rows)


@given(HOSTILE, HOSTILE)
def test_no_text_becomes_an_element(text: str, title: str) -> None:
    page = shape(html([Paragraph((text,))], title=title))

    assert page.tags == ["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "p"]
    assert page.names <= {"lang", "charset", "http-equiv", "content", "name"}


@given(HOSTILE)
def test_a_cell_is_neither_markup_nor_a_link_nor_a_mention(text: str) -> None:
    shown = cell(text)

    assert shown.isprintable()
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~]", shown)
    assert not set("<>@") & set(shown)
    assert "://" not in shown


@pytest.mark.parametrize("text", ["- x", "+ x", "= x", "1. x", "12) x", "# x", "> x", "> 1"])
def test_a_paragraph_begins_no_list_and_no_heading(text: str) -> None:
    assert re.match(r"[\\&]|\d+\\", markdown([Paragraph((text,))]))


@tries(25)
@given(any_of(IncidentReport))
def test_any_report_is_a_whole_document(report: IncidentReport) -> None:
    blocks = list(story(report))

    text = re.sub(r"^(`{3,})sh\n.*\n\1$", "", markdown(blocks), flags=re.MULTILINE)  # a command may begin with a bar
    lines = [line for line in text.split("\n") if line.startswith("|")]
    widths = {columns(line) for line in lines}
    assert widths <= {2, 3, 5, 6, 9, *range(1, len(State) + 2)}
    page = shape(html(blocks, title="x"))
    assert {"script", "a", "img", "link", "iframe", "object", "form"}.isdisjoint(page.tags)
    assert {"href", "src", "onerror", "onload", "onclick"}.isdisjoint(page.names)


NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_a_chart_stacks_the_states_and_its_edges_are_the_counts() -> None:
    samples = [
        StateSample(at=NOON, counts={State.RUNNING: 4, State.PENDING: 6}),
        StateSample(at=NOON + timedelta(seconds=10), counts={State.TERMINATED: 4, State.CANCELLED: 6}),
    ]

    picture = chart(samples)

    assert re.findall(r'class="s-(\w+)"', picture) == ["cancelled", "terminated", "running", "pending"]
    tops = {state: points.split()[0] for state, points in re.findall(r'class="s-(\w+)" points="([^"]*)"', picture)}
    assert tops["pending"].endswith(",12.0"), "the highest count is at the top"
    assert "At first 4 running, 6 pending; at last 6 cancelled, 4 terminated." in picture
    shape(picture)


def test_one_reading_alone_is_a_table() -> None:
    assert chart([StateSample(at=NOON, counts={State.RUNNING: 1})]) == ""
    assert chart([]) == ""


def test_many_stopped_runs_are_counts_and_a_list_to_open() -> None:
    def run(number: int, verdict: Verdict) -> RunReport:
        group = TargetGroup(effect=Effect.TERMINATED, confirmed=True, count=2, targets=("a", "b"))
        return RunReport(
            run=Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{number:08}"),
            name="patch",
            verdict=verdict,
            guarantee=Guarantee.STOPS_RUNNING,
            before=State.RUNNING,
            after=State.TERMINATED,
            parent=None,
            operations=("01",),
            found_at=NOON,
            sent_at=NOON,
            accepted_at=NOON,
            seen_at=NOON,
            request_ids=(f"r{number}",),
            targets=(group,),
            error=None,
        )

    account = AccountReport(
        provider="tencent",
        account="100",
        context=None,
        principals=(),
        regions=("ap-guangzhou",),
        verdicts={},
        effects={},
        runs=(*(run(number, Verdict.STOPPED) for number in range(1_000)), run(1_000, Verdict.FAILED)),
    )
    report = IncidentReport(
        operations=(),
        started_at=NOON,
        ended_at=NOON,
        finished=True,
        verdicts={Verdict.STOPPED: 1_000, Verdict.FAILED: 1},
        effects={Effect.TERMINATED: 2_002},
        timeline=(),
        accounts=(account,),
        trigger_verdicts={},
        triggers=(),
        states=(),
        next_steps=(),
        restore=(),
    )

    text, page = markdown(story(report)), html(story(report), title="x")

    assert "1,000 runs stopped" in text
    assert text.count("inv-") == 2, "the one that failed, and its request id"
    assert page.count("<details>") == 2
    assert page.count("inv-") == 2 * 1_001
    assert "inv-00000007" not in markdown(story(structs.replace(report, verdicts={})))
