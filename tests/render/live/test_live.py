"""Progress on a terminal that a person watches: what it shows, that it never piles up, and that it leaves nothing."""

import io
import re

import pytest
from msgspec import structs

from render import samples
from render.screen import Clock, Screen, items, live
from runcancel.engine.events import Progress
from runcancel.model.outcomes import CancelResponse
from runcancel.model.runs import Ref
from runcancel.model.states import Reason, RequestStatus, State
from runcancel.render.live.live import LiveProgress
from runcancel.render.live.progress import PlainProgress, progress
from runcancel.render.screens.terminal import Terminal, size_of
from runcancel.runtime.throttle import Traffic

ACCEPTED = CancelResponse(status=RequestStatus.ACCEPTED)


def test_a_live_run_shows_what_it_is_and_leaves_nothing() -> None:
    screen, clock, shown = live(color=True)

    shown.planned([samples.plan_item()])
    clock.now = 1
    shown.responded(Ref.parse(samples.WINDOW), ACCEPTED)
    clock.now = 12
    shown.observed(Ref.parse(samples.WINDOW), samples.run(state=State.CANCELLED), ())
    shown.judged(samples.partial())
    clock.now = 13
    shown.tick()

    assert screen.lines() == [
        f"cancelling 1 run · 1 ended{'00:13':>73}",
        f"  {samples.WINDOW}",
        f"    {'━' * 27}────  partial · targets: 3 running · 17 cancelled · 5 succeeded",
        "Ctrl-C: stop here; cancels already sent continue",
    ]
    shown.close()
    shown.close()
    assert screen.lines() == []


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("count", [1, 8, 9, 300])
@pytest.mark.parametrize("height", [5, 24])
def test_frames_never_pile_up_and_never_scroll(width: int, count: int, height: int) -> None:
    screen, clock, shown = live(width=width, height=height)
    shown.planned(items(count, scopes=("tencent:ap-guangzhou", "aws:eu-west-1")))
    for clock.now in range(1, 6):
        shown.responded(Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{2 * (clock.now % 4):08}"), ACCEPTED)
        shown.tick()

    assert sum("run" in line and "over" not in line.partition("run")[0] for line in screen.lines()[:1]) == 1
    assert sum("cancelling" in line for line in screen.lines()[1:]) == 0
    assert screen.scrolled == 0
    shown.close()
    assert screen.lines() == []


def test_many_runs_have_one_bar_and_a_line_per_scope() -> None:
    screen, clock, shown = live()

    shown.planned(items(9, scopes=("tencent:ap-guangzhou", "aws:eu-west-1")))
    clock.now = 61
    shown.observed(Ref.parse("tencent:ap-guangzhou:invocation/inv-00000006"), samples.run(samples.PATCH), ())

    lines = screen.lines()
    assert lines[0].startswith("cancelling 9 runs in 2 scopes · 0 ended  ──────")
    assert lines[0].endswith("01:01")
    assert lines[1:3] == [
        "  tencent:ap-guangzhou  0 of 5 ended · 5 without a reply",
        "  aws:eu-west-1         0 of 4 ended · 4 without a reply",
    ]
    assert lines[3] == "targets: 136 pending · 27 running · 17 cancelled · 45 succeeded"
    assert lines[4] == "last: tencent:ap-guangzhou:invocation/inv-00000006  no reply yet"
    assert sum("──" in line for line in lines) == 1


def test_the_scope_that_needs_attention_is_the_last() -> None:
    traffic = Traffic()
    screen, clock, shown = live(traffic=traffic)
    scopes = ("aws:us-east-1", "aws:us-east-2", "alibaba:cn-hangzhou", "tencent:ap-guangzhou", "tencent:ap-shanghai")
    planned = items(20, scopes=scopes)
    shown.planned(planned)
    for item in planned[:-1]:
        shown.responded(item.run, ACCEPTED)
    for item in planned[::5]:
        shown.observed(item.run, samples.run(str(item.run), State.CANCELLED), ())
    traffic.waits("aws:us-east-2", Reason.BUSY, until=9)
    shown.judged(structs.replace(samples.failed(), run=planned[2].run))
    clock.now = 1
    shown.tick()

    assert [line.split()[0] for line in screen.lines()[1:6]] == [
        "aws:us-east-1",
        "tencent:ap-guangzhou",
        "tencent:ap-shanghai",
        "aws:us-east-2",
        "alibaba:cn-hangzhou",
    ]
    assert screen.lines()[1].endswith("4 of 4 ended")
    assert screen.lines()[5].endswith("0 of 4 ended · 1 failed")


def test_cancelling_never_steps_back() -> None:
    screen, clock, shown = live()
    shown.planned(items(1))
    ref = Ref.parse("tencent:ap-guangzhou:invocation/inv-00000000")

    steps = []
    for state, response in ((State.RUNNING, True), (State.CANCELLING, False), (State.RUNNING, True)):
        clock.now += 1
        if response:
            shown.responded(ref, ACCEPTED)
        shown.observed(ref, samples.run(str(ref), state), ())
        shown.tick()
        steps.append(screen.lines()[2])
    clock.now += 1
    shown.judged(structs.replace(samples.requested(), run=ref))

    assert [re.search("cancel requested|cancelling|requested", step)[0] for step in steps] == [
        "cancel requested",
        "cancelling",
        "cancelling",
    ]
    assert "not verified as ended" in screen.lines()[2]
    assert "requested" not in screen.lines()[2]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_twenty_scopes_fit_on_a_small_terminal_with_their_counts(width: int) -> None:
    traffic = Traffic()
    screen, clock, shown = live(width=width, traffic=traffic)
    scopes = tuple(f"customer-{number:02}@tencent:na-siliconvalley" for number in range(20))
    shown.planned(items(200, scopes=scopes))
    for number in range(0, 20, 3):
        traffic.waits(scopes[number], Reason.BUSY, until=90)
    clock.now = 61
    shown.tick()

    lines = screen.lines()
    assert screen.scrolled == 0
    assert len(lines) == 23
    assert sum("0 of 10 ended" in line for line in lines) == 20
    assert all("next try in 29 s" in line for line in lines[-9:-2])
    assert lines[-2].startswith("targets: 3,400 pending")
    assert lines[0].startswith("cancelling 200 runs")


def test_who_waits_and_why_how_many_calls_go_and_how_long_it_may_take() -> None:
    traffic = Traffic()
    screen, clock, shown = live(width=160, timeout=60, traffic=traffic)

    shown.planned(items(2))
    clock.now = 2
    for number in range(2):
        shown.responded(Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{number:08}"), ACCEPTED)
    traffic.waits("tencent:ap-guangzhou", Reason.BUSY, until=6.5)
    for _ in range(54):
        traffic.called()
    clock.now = 3
    shown.tick()

    assert screen.lines()[0].endswith("00:03 · 59 s left · 18 calls/s")
    assert all("throttled, next try in 4 s" in line for line in screen.lines()[1:3])
    clock.now = 7
    shown.tick()
    assert "next try" not in "".join(screen.lines())


def test_a_scope_without_an_answer_is_not_said_to_have_asked_for_patience() -> None:
    traffic = Traffic()
    screen, clock, shown = live(width=120, cancels=False, traffic=traffic)

    traffic.waits("aws:us-east-2", Reason.LOST, until=2)
    shown.observed(Ref.parse(samples.WINDOW), samples.run(), ())
    clock.now = 1
    shown.tick()

    assert "no reply, next try in 1 s" in "".join(screen.lines())


def test_nothing_is_written_while_nothing_changes() -> None:
    screen, clock, shown = live()
    shown.planned(items(300))
    before = len(screen.written)

    for tenth in range(1, 10):
        clock.now = tenth / 10
        shown.tick()

    assert len(screen.written) == before


def test_only_lines_that_changed_are_written() -> None:
    screen, clock, shown = live()
    shown.planned(items(300, scopes=("tencent:ap-guangzhou", "aws:eu-west-1")))

    clock.now = 1.5
    shown.tick()

    assert "00:01" in screen.written[-1]
    assert "aws:eu-west-1" not in screen.written[-1]
    assert "\x1b[J" not in screen.written[-1]


def test_it_is_painted_at_most_ten_times_a_second() -> None:
    screen, clock, shown = live()
    shown.planned(items(1000))

    for number in range(1000):
        clock.now = number / 1000
        shown.responded(Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{number:08}"), ACCEPTED)
        shown.tick()

    assert len(screen.written) <= 11


@pytest.mark.parametrize("sizes", [[(40, 24), (120, 24)], [(100, 6), (100, 40)], [(20, 5), (300, 50), (33, 7)]])
def test_a_resize_is_followed_and_leaves_nothing(sizes: list[tuple[int, int]]) -> None:
    screen, clock, shown = live()
    shown.planned(items(5))

    for clock.now, (width, height) in enumerate(sizes, start=1):
        screen.resize(width, height)
        shown.tick()
        assert "run" in screen.lines()[0]
        assert sum("Ctrl-C" in line for line in screen.lines()) == 1
        assert len(screen.lines()) < height

    shown.close()
    assert screen.lines() == []


def test_a_narrower_terminal_is_wiped_by_its_new_width() -> None:
    screen, sizes = Screen(width=200), [(100, 24)]
    terminal = Terminal(is_terminal=True, moves=True, width=100)
    shown = LiveProgress(screen, terminal=terminal, size=lambda: sizes[0], clock=Clock())
    shown.planned([samples.plan_item()])

    sizes[0] = (40, 24)
    shown.close()

    # an empty line and 4 of 99, 71, 83 and 49 columns take 1 + 3 + 2 + 3 + 2 rows at 40
    assert screen.written[-1] == "\x1b[10A\r\x1b[J"


def test_runs_that_join_later_are_shown() -> None:
    screen, _, shown = live()

    shown.planned(items(1))
    shown.planned([samples.plan_item(samples.WINDOW)])

    assert screen.lines()[0].startswith("cancelling 2 runs in 2 scopes")


def test_a_board_that_gave_way_comes_back_below() -> None:
    screen, clock, shown = live()
    shown.planned(items(2))

    shown.close()
    screen.write("runcancel: the journal cannot be written\r\n")
    clock.now = 1
    shown.tick()

    assert screen.lines()[0] == "runcancel: the journal cannot be written"
    assert screen.lines()[1].startswith("cancelling 2 runs")


@pytest.mark.parametrize(
    ("terminal", "environ", "quiet", "kind"),
    [
        (Terminal(is_terminal=True, moves=True), {}, False, LiveProgress),
        (Terminal(is_terminal=True, moves=True), {"CI": "false"}, False, LiveProgress),
        (Terminal(is_terminal=True, moves=True), {"CI": "true"}, False, PlainProgress),
        (Terminal(is_terminal=True), {}, False, PlainProgress),
        (Terminal(), {}, False, PlainProgress),
        (Terminal(is_terminal=True, moves=True), {}, True, Progress),
    ],
)
def test_progress_fits_the_stream(terminal: Terminal, environ: dict[str, str], quiet: bool, kind: type) -> None:
    assert type(progress(io.StringIO(), terminal=terminal, environ=environ, quiet=quiet)) is kind


def test_what_is_no_terminal_has_a_size_all_the_same() -> None:
    assert size_of(io.StringIO(), {}) == (80, 24)
    assert size_of(io.StringIO(), {"COLUMNS": "120"}) == (120, 24)
