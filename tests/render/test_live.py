"""Progress: a terminal that a person watches, and a log that a person reads later."""

import io

import pyte
import pytest

from runcancel.judge import Answer, Asked
from runcancel.model import PlanItem, State
from runcancel.render.live import LiveProgress
from runcancel.render.progress import PlainProgress, Progress, Silent, progress
from runcancel.render.sink import Sink
from runcancel.render.terminal import Terminal

from . import samples


class Clock:
    """Time by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal that can be resized, as a stream."""

    def __init__(self, *, width: int, height: int = 24) -> None:
        super().__init__()
        self.screen = pyte.Screen(width, height)
        self.screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        self._stream.feed(text)
        return len(text)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]


def items(count: int) -> list[PlanItem]:
    return [samples.plan_item(f"tencent:ap-guangzhou:invocation/inv-{number:08}") for number in range(count)]


def live(screen: Screen, clock: Clock, *, color: bool = False) -> LiveProgress:
    terminal = Terminal(is_terminal=True, moves=True, width=screen.screen.columns, color=color)
    return LiveProgress(
        screen,
        terminal=terminal,
        width=lambda: screen.screen.columns,
        height=lambda: screen.screen.lines,
        clock=clock,
    )


def play(shown: Progress, clock: Clock) -> None:
    """One window: asked, seen twice, judged."""
    shown.planned([samples.plan_item()])
    clock.now = 1
    shown.asked(samples.WINDOW, Answer(asked=Asked.ACCEPTED))
    for clock.now in (2, 3):
        shown.seen(samples.WINDOW, samples.run(state=State.CANCELLING), ())
    clock.now = 12
    shown.seen(samples.WINDOW, samples.run(state=State.CANCELLED), ())
    shown.judged(samples.partial())
    shown.tick()


def test_a_live_run_shows_what_it_is_and_leaves_nothing() -> None:
    screen, clock = Screen(width=100), Clock()
    shown = live(screen, clock, color=True)

    play(shown, clock)

    assert screen.lines() == [
        "cancelling 1 run, 1 over  00:12",
        f"  {samples.WINDOW}",
        "    partial, 3 running, 17 cancelled, 5 succeeded",
        "Ctrl-C stops asking and watching, not what was asked",
    ]
    shown.close()
    shown.close()
    assert screen.lines() == []


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("count", [1, 8, 9, 300])
def test_frames_never_pile_up(width: int, count: int) -> None:
    screen, clock = Screen(width=width, height=60), Clock()
    shown = live(screen, clock)
    shown.planned(items(count))
    for clock.now in range(1, 6):
        shown.asked("tencent:ap-guangzhou:invocation/inv-00000000", Answer(asked=Asked.ACCEPTED))
        shown.tick()

    assert sum("cancelling" in line for line in screen.lines()) == 1
    shown.close()
    assert screen.lines() == []


def test_many_runs_are_told_per_scope() -> None:
    screen, clock = Screen(width=100), Clock()
    shown = live(screen, clock)

    shown.planned(items(9))
    clock.now = 61
    shown.tick()

    lines = screen.lines()
    assert lines[0] == "cancelling 9 runs, 0 over  01:01"
    assert lines[1].startswith("  tencent:ap-guangzhou  ━")
    assert "0 of 9 over, 0 asked · 153 pending" in lines[1]


def test_a_narrower_terminal_is_wiped_by_its_new_width() -> None:
    written: list[str] = []

    class Recorder(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    widths, clock = [100], Clock()
    terminal = Terminal(is_terminal=True, moves=True, width=100)
    shown = LiveProgress(Recorder(), terminal=terminal, width=lambda: widths[0], clock=clock)
    shown.planned([samples.plan_item()])

    widths[0] = 40
    shown.close()

    # 4 lines of 31, 71, 61 and 52 columns take 1 + 2 + 2 + 2 rows at 40
    assert written[-1] == "\x1b[6A\r\x1b[J"


def test_without_a_terminal_there_is_a_line_per_change_and_no_more() -> None:
    err, clock = io.StringIO(), Clock()

    play(PlainProgress(Sink(err), clock=clock), clock)

    assert err.getvalue().splitlines() == [
        f"1s {samples.WINDOW}: asked, running, 17 pending, 3 running, 5 succeeded",
        f"2s {samples.WINDOW}: cancelling, 3 running, 17 cancelled, 5 succeeded",
        f"12s {samples.WINDOW}: cancelled, 3 running, 17 cancelled, 5 succeeded",
        f"12s {samples.WINDOW}: partial, 3 running, 17 cancelled, 5 succeeded",
    ]


def test_a_problem_is_said_and_is_not_the_last_word() -> None:
    err, clock = io.StringIO(), Clock()
    shown = PlainProgress(Sink(err), clock=clock)

    shown.planned([samples.plan_item()])
    shown.asked(samples.WINDOW, Answer(asked=Asked.REFUSED, problem=samples.DENIED))
    shown.seen(samples.WINDOW, samples.run(state=State.TERMINATED), ())

    first, second = err.getvalue().splitlines()
    assert "the answer was: not permitted: ecs:StopInvocation" in first
    assert ": terminated, " in second


@pytest.mark.parametrize(
    ("terminal", "quiet", "kind"),
    [
        (Terminal(is_terminal=True, moves=True), False, LiveProgress),
        (Terminal(is_terminal=True), False, PlainProgress),
        (Terminal(), False, PlainProgress),
        (Terminal(is_terminal=True, moves=True), True, Silent),
    ],
)
def test_progress_fits_the_stream(terminal: Terminal, quiet: bool, kind: type) -> None:
    assert type(progress(io.StringIO(), terminal=terminal, environ={}, quiet=quiet)) is kind


@pytest.mark.parametrize("height", [3, 5])
def test_a_low_terminal_gets_as_many_lines_as_it_has(height: int) -> None:
    screen, clock = Screen(width=80, height=height), Clock()
    shown = live(screen, clock)

    shown.planned(items(8))
    shown.tick()

    assert screen.lines()[0] == "cancelling 8 runs, 0 over  00:00"
    shown.close()
    assert screen.lines() == []
