"""How far a search over many scopes is: one line on stderr, painted over on a terminal, now and then in a log."""

import time
from collections.abc import Callable, Mapping
from typing import TextIO

from msgspec import structs

from runcancel.engine.events import SearchCount
from runcancel.render.live.progress import in_a_log
from runcancel.render.screens.terminal import Terminal, size_of
from runcancel.render.sink import Sink

_QUIET = 1.0  # seconds that a search takes before a terminal shows how far it is
_PAUSE = 0.1  # seconds between two paintings
_HEARTBEAT = 30.0  # seconds between two lines of a log


def show(err: TextIO | None, count: SearchCount, *, terminal: Terminal, environ: Mapping[str, str]) -> "SearchLine":
    """Show a count on stderr: painted where the cursor can go back, and nobody keeps a log of it."""
    moves = terminal.moves and not in_a_log(environ)
    line = SearchLine(
        err, count, terminal=structs.replace(terminal, moves=moves), width=lambda: size_of(err, environ)[0]
    )
    count.tick = line.tick
    return line


class SearchLine:
    """Shows a count when `tick` is called, on a terminal until `close`. `width` is read for every painting."""

    def __init__(
        self,
        err: TextIO | None,
        count: SearchCount,
        *,
        terminal: Terminal,
        width: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = Sink(err)
        self._count = count
        self._terminal = terminal
        self._width = width
        self._clock = clock
        self._began = clock()
        self._due = self._began + (_QUIET if terminal.moves else _HEARTBEAT)
        self._painted = False

    def tick(self) -> None:
        """Paint the line, or print one, when it is time."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + (_PAUSE if self._terminal.moves else _HEARTBEAT)
        if not self._terminal.moves:
            self._sink.write(f"{int(now - self._began)}s {self._count.text(', ')}\n")
            return
        text = f"{self._count.text(self._terminal.dot)}{self._terminal.dot}{int(now - self._began)} s"
        self._sink.write(f"\r{text[: max(1, self._width() - 1)]}\x1b[K")
        self._painted = True

    def close(self) -> None:
        """Wipe the line away."""
        if self._painted:
            self._sink.write("\r\x1b[K")
            self._painted = False
