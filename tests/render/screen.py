"""A terminal and a clock in memory, both moved by hand."""

import io
from collections.abc import Sequence

import pyte

from runcancel.model.outcomes import PlanItem
from runcancel.render.live.live import LiveProgress
from runcancel.render.screens.terminal import Terminal
from runcancel.runtime.throttle import Traffic

from . import samples


class Clock:
    """Time by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal that can be resized, as a stream. `written` is what came, write by write."""

    def __init__(self, *, width: int, height: int = 24) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(width, height)
        self.written: list[str] = []
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        self.written.append(text)
        self._stream.feed(text)
        return len(text)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def resize(self, width: int, height: int) -> None:
        """As terminals without reflow do it: lines leave at the top only where the cursor would not stay in sight."""
        screen = self.screen
        gone, below = max(0, screen.cursor.y - (height - 1)), screen.cursor.y
        if height < screen.lines:  # pyte takes all the lines that are too many away from the top
            screen.cursor_position(1, 1)
            screen.insert_lines(screen.lines - height - gone)
        screen.resize(lines=height, columns=width)
        screen.cursor.y, screen.cursor.x = below - gone, min(screen.cursor.x, width - 1)

    @property
    def scrolled(self) -> int:
        """How many lines have left the screen at its top."""
        return len(self.screen.history.top)


def items(count: int, *, scopes: Sequence[str] = ("tencent:ap-guangzhou",)) -> list[PlanItem]:
    return [samples.plan_item(f"{scopes[number % len(scopes)]}:invocation/inv-{number:08}") for number in range(count)]


def live(
    *,
    width: int = 100,
    height: int = 24,
    color: bool = False,
    cancels: bool = True,
    timeout: float | None = None,
    traffic: Traffic | None = None,
) -> tuple[Screen, Clock, LiveProgress]:
    """A screen of that size, the clock, and the progress that is painted on it."""
    screen, clock = Screen(width=width, height=height), Clock()
    shown = LiveProgress(
        screen,
        terminal=Terminal(is_terminal=True, moves=True, width=width, color=color),
        size=lambda: (screen.screen.columns, screen.screen.lines),
        clock=clock,
        cancels=cancels,
        timeout=timeout,
        traffic=traffic,
    )
    return screen, clock, shown
