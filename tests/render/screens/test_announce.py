"""What is printed before a cancel: in which order, how many lines, and that no run is left out of the counts."""

import re

import pytest
from fakes import COMMAND, PATCH, seen
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len

from runcancel.engine.planning import plan
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason, State
from runcancel.render.documents import Caller
from runcancel.render.screens.announce import announce, listing

P, R, S = State.PENDING, State.RUNNING, State.SUCCEEDED
LATE = "it did not reply within 15 s"


def item(
    number: int, name: str | None = "patch-openssl", region: str = "ap-guangzhou", *, over: bool = False
) -> PlanItem:
    ref = f"tencent:{region}:invocation/inv-{number:08d}"
    made = plan(seen(ref, S if over else R, {f"i-{number}": S if over else R, f"j-{number}": S if over else P}))
    return structs.replace(made, name=name)


def late(place: str, message: str = LATE) -> Problem:
    return Problem(code=Reason.TIMED_OUT, message=message, scope=place)


def test_what_is_missing_comes_first_then_the_runs_then_what_a_cancel_does_then_who() -> None:
    who = Caller(scope="tencent:ap-guangzhou", account="100", principal="qcs::cam::uin/100:uin/200")

    lines = announce([item(1), item(2)], [who], missing=[late("aws:us-east-2")], width=160)

    assert [line.split()[0] for line in lines] == ["NOT", "About", "patch-openssl", "tencent", "As"]
    assert lines[0] == f"NOT searched: aws us-east-2 ({LATE})"
    assert lines[1] == "About to cancel 2 runs (4 targets):"
    assert lines[2].startswith("  patch-openssl  tencent ap-guangzhou  2 runs  4 targets  stops running: 2 pending")


def test_places_that_are_missing_for_one_reason_share_a_line() -> None:
    gone = Problem(code=Reason.NOT_FOUND, message="not found", ref=PATCH)
    missing = [late("prod@aws:us-east-2"), late("aws:eu-west-1"), late("aws:eu-west-1"), gone]

    lines = announce([item(1)], missing=missing, width=200)

    assert lines[0] == f"NOT searched: prod@aws us-east-2, aws eu-west-1 ({LATE})"
    assert lines[1] == f"NOT included: {PATCH} (not found)"


def test_ten_names_are_lines_and_the_rest_is_counted() -> None:
    names = [f"deploy-{number:02d}" for number in range(14)]
    items = [item(number, name) for number, name in enumerate([*names, names[13]])]

    lines = announce(items, width=120)
    rows = [line for line in lines if line.startswith("  deploy-")]

    assert len(rows) == 10
    assert rows[0].startswith("  deploy-13  tencent ap-guangzhou  2 runs")
    assert lines[11] == "  … and 4 more names: 4 runs"
    assert lines[12] == "Expected: 15 pending: will be cancelled · 15 running: will be terminated."
    assert len(lines) == 13
    assert listing(items, width=120)[-1].startswith("tencent invocation: A cancel here stops")


def test_one_name_in_many_regions_is_one_line() -> None:
    items = [item(number, region=f"ap-{number}") for number in range(20)]

    lines = announce(items, width=120)

    assert lines[1].startswith("  patch-openssl  tencent 20 regions  20 runs  40 targets")


def test_a_name_gives_way_last_where_the_account_is_long() -> None:
    made = item(1)
    items = [structs.replace(made, run=Ref.parse(f"tencent-account1@{made.run}"[:-1] + str(n))) for n in range(2)]

    lines = announce(items, width=80)

    assert lines[1].startswith("  patch-openssl  tencent-account1@tencent ap-guangzhou  2 runs  4 targets")
    assert lines[2].startswith("    stops running: 2 pending: will be cancelled")
    assert all(len(line) < 90 for line in lines)


def test_many_runs_that_have_ended_are_one_line() -> None:
    lines = announce([item(1), *(item(number, over=True) for number in range(2, 8))], width=200)

    assert lines[-1] == "6 runs not sent: they have ended (succeeded)"


def test_a_run_without_a_name_is_called_by_its_kind() -> None:
    assert announce([item(1, None), item(2)], width=120)[1].startswith("  (tencent invocation)")


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_list_names_every_run_whole(width: int) -> None:
    items = [item(1), item(2, "x" * 300), plan(seen(COMMAND, R, {"a": R})), item(3, over=True)]

    text = "\n".join(listing(items, width=width))

    for one in items:
        assert str(one.run) in text
    assert "x" * 300 in text.replace("\n", "").replace(" ", "")
    assert "not sent: it has ended" in text


names = (
    st.none() | st.text("abc XYZ-_.更新é\u0301\x1b", max_size=60) | st.sampled_from(["patch-openssl", "deploy-4711"])
)


regions = st.sampled_from(["ap-guangzhou", "ap-shanghai", "ap-beijing", "eu-frankfurt"])


@given(st.lists(st.tuples(names, regions), min_size=2, max_size=30), st.integers(80, 200))
def test_the_lines_count_every_run_and_none_is_wider_than_the_terminal(
    found: list[tuple[str, str]], width: int
) -> None:
    items = [item(number, name, region) for number, (name, region) in enumerate(found)]

    lines = announce(items, width=width)
    below = (at for at, line in enumerate(lines) if line.startswith(("Expected: ", "tencent invocation: ")))
    rows = lines[1 : next(below, len(lines))]
    counts = [int(match[1]) for row in rows if (match := re.search(r"[: ] (\d+) runs?(?:  |$)", row))]

    assert sum(counts) == len(items)
    assert all(cell_len(line) <= width for line in lines)
