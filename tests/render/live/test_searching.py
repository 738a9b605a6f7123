"""How far a search is: one line that is wiped away on a terminal, a line now and then in a log."""

import io

from runcancel.engine.events import SearchCount
from runcancel.render.live.searching import SearchLine
from runcancel.render.screens.terminal import Terminal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def line(count: SearchCount, clock: Clock, *, moves: bool, width: int = 80) -> tuple[SearchLine, io.StringIO]:
    err = io.StringIO()
    terminal = Terminal(is_terminal=moves, moves=moves)
    return SearchLine(err, count, terminal=terminal, width=lambda: width, clock=clock), err


def test_a_scope_has_ended_with_the_last_of_its_listings() -> None:
    count = SearchCount()
    count.begin(["a", "a", "b"])

    count.end("a")
    assert count.text(", ") == "searched 0 of 2 scopes"
    count.end("a")
    count.matches, count.failed = 1234, 1

    assert count.text(", ") == "searched 1 of 2 scopes, 1,234 found, 1 failed"


def test_a_terminal_shows_it_after_a_second_and_forgets_it() -> None:
    count, clock = SearchCount(), Clock()
    count.begin(range(10_000))
    shown, err = line(count, clock, moves=True)

    shown.tick()
    shown.close()
    assert err.getvalue() == ""
    clock.now += 3
    shown.tick()
    clock.now += 0.05
    shown.tick()
    shown.close()
    shown.close()

    assert err.getvalue() == "\rsearched 0 of 10,000 scopes · 3 s\x1b[K\r\x1b[K"


def test_the_line_is_never_as_wide_as_the_terminal() -> None:
    count, clock = SearchCount(), Clock()
    count.begin(["a"])
    shown, err = line(count, clock, moves=True, width=20)
    clock.now += 3

    shown.tick()

    assert err.getvalue() == "\rsearched 0 of 1 sco\x1b[K"


def test_a_log_gets_a_line_every_thirty_seconds() -> None:
    count, clock = SearchCount(), Clock()
    count.begin(range(100))
    shown, err = line(count, clock, moves=False)

    for _ in range(700):
        clock.now += 0.1
        shown.tick()
    shown.close()

    assert err.getvalue() == "30s searched 0 of 100 scopes\n60s searched 0 of 100 scopes\n"
