"""The end of many runs: every run is in one group, the worst group is the last, and every line fits."""

import io
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from fuzz.budget import tries
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from render import samples
from render.printing import written
from runcancel.model.outcomes import Outcome
from runcancel.model.runs import Problem
from runcancel.model.states import Reason, State, Verdict
from runcancel.render import End, Record, writer
from runcancel.render.screens.groups import FEW, grouped, groups_of, row_of, totals
from runcancel.render.screens.notes import Notes
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import WORST_LAST

CAUSES = st.sampled_from([None, samples.DENIED, *(Problem(code=Reason.BUSY, message=f"cause {n}") for n in range(20))])
ENDINGS = st.builds(
    lambda verdict, number, error, name: structs.replace(
        samples.outcome(verdict, ref=f"aws:us-east-2:command/{number:036}", error=error), name=name
    ),
    st.sampled_from(Verdict),
    st.integers(0, 10**6),
    CAUSES,
    st.sampled_from(["deploy-4711", "补丁 openssl", "a b", "\x1b[2J", ""]),
)


@tries(40)
@given(st.lists(ENDINGS, max_size=60))
def test_no_run_is_lost_and_the_worst_is_last(outcomes: list[Outcome]) -> None:
    groups = groups_of(map(row_of, outcomes))

    words = [group[0].word for group in groups]
    assert Counter(row.word for group in groups for row in group) == Counter(one.verdict for one in outcomes)
    assert words == sorted(words, key=lambda word: WORST_LAST.index(Verdict(word)))
    assert all(len({row.word for row in group}) == 1 for group in groups)
    assert all(count <= 8 for count in Counter(words).values())


@tries(40)
@given(st.lists(ENDINGS, min_size=FEW + 1, max_size=60))
def test_the_counts_that_are_printed_add_up(outcomes: list[Outcome]) -> None:
    lines = ["".join(text for text, _ in line) for line in grouped(outcomes)]

    heads = [re.match(rf"({'|'.join(Verdict)}) +([\d,]+) runs?", line) for line in lines]
    assert sum(int(head[2].replace(",", "")) for head in heads if head) == len(outcomes)
    first = totals(outcomes).partition(": ")[2].partition(";")[0]
    assert sum(map(int, re.findall(r"(\d+) [a-z-]+", first))) == len(outcomes)


@tries(40)
@given(st.lists(ENDINGS, min_size=FEW + 1, max_size=30), st.integers(40, 200))
def test_no_line_is_wider_than_the_terminal_and_no_reference_is_cut(outcomes: list[Outcome], width: int) -> None:
    text = written("table", "cancel", outcomes, width=width)

    for line in text.splitlines():
        assert cell_len(line) <= width or any(cell_len(word) > width - 10 for word in line.split()), line
    for group in groups_of(map(row_of, outcomes)):
        assert group[0].collapsed or group[0].ref in text


def said(format: str, records: Sequence[Record], *, quiet: bool = False, terminal: bool = False) -> tuple[str, str]:
    """Stdout and stderr of the end of a cancel."""
    out, err = io.StringIO(), io.StringIO()
    printer = writer(
        format,
        "cancel",
        out=out,
        terminal=Terminal(is_terminal=terminal),
        notes=Notes(err, quiet=quiet),
        now=samples.NOW,
    )
    for record in records:
        printer.row(record)
    errors = tuple(one.error for one in records if isinstance(one, Outcome) and one.error is not None)
    printer.end(End(exit_code=3, errors=errors, complete=False, operation="01K9Z", notes=("a hint",)))
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("format", ["tsv", "csv", "json", "jsonl", "yaml", "ref", "wide"])
def test_the_end_is_on_stderr_where_stdout_has_the_rows(format: str) -> None:
    out, err = said(format, samples.large_cancel())

    *_, hint, details, report, last = err.splitlines()
    assert hint == "a hint"
    assert (details, report) == ("Details: runcancel history 01K9Z", "Report: runcancel report 01K9Z")
    assert last == (
        "60 runs: 33 stopped, 4 ended, 2 reported, 7 partial, 1 requested, 13 failed; 63 targets keep running; "
        "12 targets not verified as ended; 18 targets reported, not verified; 4 targets not yet listed; operation 01K9Z"
    )
    assert "not permitted" in err
    assert err.count("not permitted") == 1
    assert "runcancel: " not in err
    assert "60 runs" not in out


def test_a_terminal_has_the_groups_on_stdout_and_the_totals_last() -> None:
    out, err = said("table", samples.large_cancel(), terminal=True)

    assert out.startswith("stopped    33 runs  396 targets  deploy-4711\n")
    assert "not permitted" in out
    assert err.splitlines()[:3] == [
        "a hint",
        "Details: runcancel history 01K9Z",
        "Report: runcancel report 01K9Z",
    ]


@pytest.mark.parametrize(("format", "terminal"), [("tsv", False), ("table", False)])
def test_errors_are_grouped_where_nothing_else_shows_them(format: str, terminal: bool) -> None:
    _, err = said(format, samples.large_cancel(), quiet=True, terminal=terminal)

    errors = [line for line in err.splitlines() if line.startswith("runcancel: ")]
    assert errors[-1] == "runcancel: 10 runs: not permitted: ecs:StopInvocation (profile audit) [Forbidden.RAM]"
    assert len(errors) == 4, "three runs of the other cause have lines of their own"


def test_a_table_in_a_file_has_the_groups_and_stderr_each_cause_once() -> None:
    out, err = said("table", samples.large_cancel())

    assert out.startswith("stopped    33 runs")
    assert "60 runs: 33 stopped" not in out
    assert "stopped    33 runs" not in err
    assert err.count("runcancel: 10 runs: not permitted") == 1
    assert err.splitlines()[-1].startswith("60 runs: 33 stopped")


def test_the_worst_of_a_few_is_the_last_row_unless_another_order_is_asked_for() -> None:
    few = (samples.failed(), samples.partial(), samples.reported())

    rows = written("table", "cancel", few, width=200).splitlines()[1:]

    assert [row.split()[0] for row in rows] == ["reported", "partial", "failed"]


def test_a_few_runs_stay_one_by_one() -> None:
    out, err = said("table", samples.large_cancel()[:FEW], terminal=True)

    assert out.count("tencent:ap-guangzhou:invocation/") == FEW
    assert err.splitlines() == ["a hint", "10 runs: 10 stopped; operation 01K9Z"]


def test_runs_that_were_waited_for_are_grouped_by_state() -> None:
    runs = [samples.run(f"{samples.PATCH}{n}", State.RUNNING if n < 2 else State.CANCELLED) for n in range(30)]
    out = io.StringIO()
    printer = writer("table", "wait", out=out, terminal=Terminal(is_terminal=True), now=samples.NOW)
    for run in runs:
        printer.row(run)
    printer.end(End(exit_code=8))

    assert out.getvalue().splitlines() == [
        "cancelled  28 runs  700 targets  nightly-patching",
        "running     2 runs  50 targets",
        f"  {samples.PATCH}0  nightly-patching",
        f"  {samples.PATCH}1  nightly-patching",
    ]


def test_scopes_whose_messages_differ_in_the_region_of_a_host_alone_are_one_message() -> None:
    regions = ["us-east-1", "us-east-2", "eu-west-1", "ap-southeast-1", "sa-east-1"]
    out = io.StringIO()

    Notes(out).problem(
        *(
            Problem(
                code=Reason.UNREACHABLE,
                message=f"cannot resolve ssm.{region}.amazonaws.com: DNS does not reply",
                hint="check the network",
                scope=f"aws:{region}",
            )
            for region in regions
        )
    )

    assert out.getvalue() == (
        "runcancel: 5 scopes: cannot resolve ssm.REGION.amazonaws.com: DNS does not reply\n"
        "  aws: 5 regions\n"
        "  check the network\n"
    )
