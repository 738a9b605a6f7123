"""Progress on a terminal: a few lines painted over and over, gone when it is closed.

Not with `rich.live`: it hides the cursor, and a second Ctrl-C leaves without any clean-up; it paints from a thread of
its own; and after a resize it does not find the lines of the last frame as the terminal has wrapped them. The size is
read for every frame, a few times a second, so that SIGWINCH stays free.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

from msgspec import structs
from rich.text import Text

from runcancel.model.outcomes import CancelResponse, PlanItem
from runcancel.model.runs import Ref
from runcancel.render.live.board import Board, RunProgress
from runcancel.render.live.frame import View, frame
from runcancel.render.screens.paint import paint
from runcancel.render.screens.terminal import Terminal
from runcancel.render.sink import Sink
from runcancel.runtime.throttle import Traffic

_PAUSE = 0.1  # seconds between two frames
_RATE_OVER = 4  # seconds over which calls are counted


class LiveProgress(Board):
    """The board of all runs, painted when something has changed; a clock that runs with `tick`.

    `size` gives columns and lines and is read anew for every frame. `timeout` is in seconds: from the last reply to a
    cancel, or from the beginning where runs are only watched.
    """

    def __init__(
        self,
        err: TextIO,
        *,
        terminal: Terminal,
        size: Callable[[], tuple[int, int]],
        clock: Callable[[], float] = time.monotonic,
        cancels: bool = True,
        timeout: float | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        super().__init__(cancels=cancels)
        self._sink = Sink(err)
        self._terminal = terminal
        self._size = size
        self._clock = clock
        self._timeout = timeout
        self._traffic = traffic or Traffic()
        self._began = self._since = clock()
        self._painted_at = -1.0
        self._rate = _Rate(self._began, self._traffic)
        self._frame: list[Text] = []
        self._framed = (0, 0)

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Begin, or go on with more runs."""
        super().planned(items)
        self._paint()

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Show that its cancel has a reply; the timeout counts from the last one."""
        self._since = self._clock()
        super().responded(ref, answer)

    def changed(self, run: RunProgress, *, bad: bool = False) -> None:
        """Show it with the next frame."""
        self.tick()

    def tick(self) -> None:
        """Let the clock run; at most so many frames a second."""
        if self._clock() - self._painted_at >= _PAUSE:
            self._paint()

    def close(self) -> None:
        """Wipe the lines away; the next event paints them anew."""
        if self._frame:
            self._sink.write(self._wiped(*self._size()))
            self._frame = []

    def _paint(self) -> None:
        """One write per frame, of what has changed alone: no half of it is ever seen, and nothing flickers."""
        self._painted_at = self._clock()
        if not self.runs:
            return
        size = self._size()
        lines = frame(self, self._view(*size))
        if self._frame and size != self._framed:
            self._sink.write(self._wiped(*size))
            self._frame = []
        if lines != self._frame:
            self._sink.write(self._changed_lines(lines))
            self._frame, self._framed = lines, size

    def _view(self, columns: int, lines: int) -> View:
        """A column short of the width (the last one makes terminals wrap), and a line short of the height."""
        now = self._clock()
        return View(
            width=max(1, columns - 1),
            height=max(1, lines - 1),
            terminal=self._terminal,
            elapsed=now - self._began,
            seconds_left=self._seconds_left(now),
            calls=self._rate.at(now),
            waiting=lambda scope: self._traffic.waiting(scope, now),
        )

    def _seconds_left(self, now: float) -> float | None:
        if self._timeout is None or self.total.unanswered:
            return None
        return self._since + self._timeout - now

    def _changed_lines(self, lines: Sequence[Text]) -> str:
        """Codes that turn the last frame into this one; they leave the cursor at its end."""
        if not self._frame:
            return "\r\n".join(self._painted(line) for line in lines)
        parts = ["\r", f"\x1b[{len(self._frame) - 1}A" if len(self._frame) > 1 else ""]
        for index, line in enumerate(lines):
            parts.append("\r\n" if index else "")
            if index + 1 == len(lines) or index >= len(self._frame) or line != self._frame[index]:
                parts += [self._painted(line), "\x1b[K"]
        parts.append("\x1b[J" if len(lines) < len(self._frame) else "")
        return "".join(parts)

    def _painted(self, line: Text) -> str:
        return paint([line], structs.replace(self._terminal, width=max(1, line.cell_len))).removesuffix("\n")

    def _wiped(self, columns: int, lines: int) -> str:
        """Codes that take the last frame away: up over its lines, as wrapped at this width, and clear what is below."""
        rows = min(lines, sum(max(1, -(-line.cell_len // max(1, columns))) for line in self._frame))
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        return f"{up}\r\x1b[J"


class _Rate:
    """Calls per second over the last few seconds; it changes once a second, so that it can be read."""

    def __init__(self, began: float, traffic: Traffic) -> None:
        self._traffic = traffic
        self._samples = deque([(began, traffic.calls)], maxlen=_RATE_OVER + 1)
        self._rate = 0.0

    def at(self, now: float) -> float:
        """The rate at this monotonic second."""
        last, _ = self._samples[-1]
        if now - last >= 1:
            self._samples.append((now, self._traffic.calls))
            began, calls = self._samples[0]
            self._rate = (self._traffic.calls - calls) / (now - began)
        return self._rate
