"""The layout of the board: whatever the counts and the size, nothing is too wide, too high or cut in a wrong place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from render import samples
from runcancel.model.outcomes import CancelResponse, Outcome
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Reason, RequestStatus, State, Verdict
from runcancel.render.live.board import Board
from runcancel.render.live.frame import View, bar, frame, shares
from runcancel.render.screens.terminal import Terminal

SCOPES = (
    "aws:us-east-2:command/4f1c0000-d0bc-470d-b1e5-{:012}",
    "prod-cn@alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a{:08}",
    "tencent:ap-guangzhou:invocation/inv-{:08}",
    "tencent:na-siliconvalley:invocation/inv-{:08}",
)
COUNTS = st.dictionaries(st.sampled_from(State), st.integers(1, 10**6), max_size=5)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    """Any board: runs planned, asked, refused, seen and judged, in any order."""
    board = Board(cancels=draw(st.booleans()))
    count = draw(st.sampled_from([1, 2, 3, 8, 9, 40]))
    scopes = draw(st.integers(1, len(SCOPES)))
    refs = [SCOPES[number % scopes].format(number) for number in range(count)]
    board.planned([samples.plan_item(ref) for ref in refs])
    for ref in draw(st.lists(st.sampled_from(refs), max_size=20)):
        step = draw(st.sampled_from(["asked", "refused", "seen", "judged"]))
        if step in ("asked", "refused"):
            board.responded(
                Ref.parse(ref),
                CancelResponse(status=RequestStatus.ACCEPTED, problem=samples.DENIED if step == "refused" else None),
            )
        elif step == "seen":
            run = samples.run(ref, draw(st.sampled_from(State)), counts=draw(COUNTS))
            board.observed(run.ref, run, ())
        else:
            board.judged(outcome(ref, draw(st.sampled_from(Verdict)), draw(st.none() | st.sampled_from(State))))
    return board


def outcome(ref: str, verdict: Verdict, after: State | None) -> Outcome:
    return structs.replace(samples.partial(), run=Ref.parse(ref), verdict=verdict, after=after)


@given(
    board=boards(),
    width=st.integers(4, 320),
    height=st.integers(1, 60),
    draws=st.booleans(),
    seconds_left=st.none() | st.floats(-5, 10**5),
    wait=st.none() | st.tuples(st.floats(0.1, 10**4), st.sampled_from([Reason.BUSY, Reason.LOST])),
)
def test_a_frame_fits_and_cuts_no_reference(
    board: Board,
    width: int,
    height: int,
    draws: bool,
    seconds_left: float | None,
    wait: tuple[float, Reason] | None,
) -> None:
    view = View(
        width=width,
        height=height,
        terminal=Terminal(draws=draws),
        elapsed=4711,
        seconds_left=seconds_left,
        calls=12.3,
        waiting=lambda scope: wait,
    )

    lines = frame(board, view)

    assert 1 <= len(lines) <= height
    assert all(line.cell_len <= width for line in lines), [line.plain for line in lines]
    assert all("\n" not in line.plain for line in lines)
    for name in re.findall(r"\S*:(?:command|invocation)\S*", "\n".join(line.plain for line in lines)):
        assert RunName.parse(name) in board.runs
    if not draws:
        assert all(line.plain.isascii() for line in lines)


@given(boards())
def test_the_running_totals_are_those_of_the_runs(board: Board) -> None:
    tracks = list(board.runs.values())

    assert board.total.runs == len(tracks) == sum(group.runs for group in board.scopes.values())
    assert board.total.ended == sum(track.state.over for track in tracks)
    assert board.total.open == sum(not track.done for track in tracks)
    for group in (board.total, *board.scopes.values()):
        mine = [track for track in tracks if group is board.total or track.scope == group.name]
        assert group.targets.total() == sum(sum(track.counts.values()) for track in mine)
        assert +group.states == +type(group.states)(track.state for track in mine)


@given(boards(), st.integers(40, 200), st.integers(5, 60))
def test_no_count_is_lost_and_no_run_is_counted_with_targets(board: Board, width: int, height: int) -> None:
    lines = [line.plain for line in frame(board, View(width=width, height=height))]

    scopes = [re.search(r"([\d,]+) of ([\d,]+) ended", line) for line in lines]
    shown = [(int(found[1].replace(",", "")), int(found[2].replace(",", ""))) for found in scopes if found]
    if shown:
        assert sum(runs for _, runs in shown) == board.total.runs
        assert sum(ended for ended, _ in shown) == board.total.ended
    for line in lines:
        if line.startswith("targets: "):
            assert sum(int(number.replace(",", "")) for number in re.findall(r"[\d,]+", line)) == (
                board.total.targets.total()
            )
        assert not (re.search(r"\d+ of \d+ ended", line) and "targets" in line)


@given(COUNTS, st.integers(0, 60), st.booleans())
def test_a_bar_has_its_length_and_is_heavy_all_the_way_only_if_all_is_over(
    counts: dict[State, int], length: int, draws: bool
) -> None:
    drawn = bar(counts, length, draws=draws)

    assert drawn.cell_len == length
    if length and counts:
        heavy = set(drawn.plain) == {"━" if draws else "="}
        assert heavy == all(state.over for state in counts)


@given(st.lists(st.integers(1, 10**9), max_size=12), st.integers(0, 60))
def test_shares_add_up_and_nobody_who_is_there_is_left_out(counts: list[int], length: int) -> None:
    cells = shares(counts, length)

    assert sum(cells) == (length if counts else 0)
    assert len(cells) == len(counts)
    assert length < len(counts) or all(cells)


@pytest.mark.parametrize("height", range(1, 12))
def test_what_is_dropped_first_is_what_matters_least(height: int) -> None:
    board = Board()
    board.planned([samples.plan_item(SCOPES[number % 3].format(number)) for number in range(30)])
    board.observed(Ref.parse(SCOPES[0].format(0)), samples.run(samples.CHILD), ())

    lines = [line.plain for line in frame(board, View(width=79, height=height))]

    together = "\n".join(lines)
    assert lines[0].strip().startswith("cancelling 30 runs") or not lines[0]
    assert ("Ctrl-C" in together) == (height >= 3)
    assert ("0 of 30 ended" in together) == (height in (2, 3, 4))
    assert ("targets: " in together) == (height >= 4)
    assert ("last: aws" in together) == (height >= 7)


def test_a_frame_of_many_scopes_sums_up_those_for_which_there_is_no_line() -> None:
    board = Board()
    board.planned(
        [samples.plan_item(f"c{number}@tencent:ap-guangzhou:invocation/inv-{number:08}") for number in range(99)]
    )
    for number in range(90):
        ref = f"c{number}@tencent:ap-guangzhou:invocation/inv-{number:08}"
        board.responded(Ref.parse(ref), CancelResponse(status=RequestStatus.ACCEPTED))

    lines = [line.plain for line in frame(board, View(width=79, height=13))]

    assert lines[1] == "  90 more scopes            0 of 90 ended"
    assert [line.split()[0] for line in lines[2:11]] == [f"c{number}@tencent:ap-guangzhou" for number in range(90, 99)]
    assert all(line.endswith("1 without a reply") for line in lines[2:11])
