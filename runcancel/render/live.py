"""Progress on a terminal: a few lines painted over and over, gone when it is closed.

Written by hand instead of with `rich.live`: a second Ctrl-C leaves without any clean-up, so the cursor must never be
hidden, and after a resize the lines of the last frame are found again by how the terminal has wrapped them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from msgspec import structs
from rich.cells import cell_len
from rich.text import Text

from runcancel.judge import Answer
from runcancel.model import Invocation, Outcome, PlanItem, Run
from runcancel.render.board import Board, Group, Track
from runcancel.render.columns import tallied
from runcancel.render.layout import painted, shortened
from runcancel.render.paint import console, paint
from runcancel.render.sink import Sink
from runcancel.render.terminal import Terminal, height_of
from runcancel.text import safe

_FEW = 8  # runs that get lines of their own
_PAUSE = 0.1  # seconds between two frames
_BAR = 24  # columns
_WITH_BAR = 70  # columns of a terminal that has room for it
_FOOT_WATCHING = "Ctrl-C stops watching, nothing else"
_FOOT = "Ctrl-C stops asking and watching, not what was asked"


class LiveProgress:
    """A line or two per run when they are few, else one per scope; a clock that runs with `tick`.

    `width` and `height` are asked anew for every frame.
    """

    def __init__(
        self,
        err: TextIO,
        *,
        terminal: Terminal,
        width: Callable[[], int] | None = None,
        height: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        asking: bool = True,
    ) -> None:
        self._sink = Sink(err)
        self._terminal = terminal
        self._width = width or (lambda: terminal.width)
        self._height = height or (lambda: height_of(err))
        self._clock = clock
        self._began = clock()
        self._painted_at = -1.0
        self._asking = asking
        self._board = Board(asking=asking)
        self._frame: list[Text] = []

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Begin."""
        self._board.planned(items)
        self._paint()

    def asked(self, ref: str, answer: Answer) -> None:
        """Show that it was asked."""
        self._board.asked(ref, answer)
        self._paint_soon()

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Show where it stands."""
        self._board.seen(ref, run, invocations)
        self._paint_soon()

    def judged(self, outcome: Outcome) -> None:
        """Show the verdict."""
        self._board.judged(outcome)
        self._paint_soon()

    def tick(self) -> None:
        """Let the clock run."""
        self._paint()

    def close(self) -> None:
        """Wipe the lines away."""
        if self._frame:
            self._sink.write(self._wiped(self._width()))
            self._frame = []

    def _paint_soon(self) -> None:
        if self._clock() - self._painted_at >= _PAUSE:
            self._paint()

    def _paint(self) -> None:
        """One write per frame, so that no half of it is ever seen."""
        self._painted_at = self._clock()
        terminal = structs.replace(self._terminal, width=self._width())
        if not self._board.tracks:
            return
        wiped = self._wiped(terminal.width)
        self._frame = self._lines(terminal)
        self._sink.write(wiped + paint(self._frame, terminal).removesuffix("\n"))

    def _wiped(self, width: int) -> str:
        """Codes that take the last frame away: up over its lines, as wrapped at this width, and clear what is below."""
        rows = sum(max(1, -(-line.cell_len // width)) for line in self._frame)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        return f"{up}\r\x1b[J" if self._frame else ""

    def _lines(self, terminal: Terminal) -> list[Text]:
        """The frame, folded a column short of the width (the last one makes terminals wrap), cut to the height."""
        room = structs.replace(terminal, width=terminal.width - 1)
        drawing = console(room)
        lines = [part for line in self._content(room) for part in line.wrap(drawing, room.width, overflow="fold")]
        height = max(2, self._height() - 1)
        return lines if len(lines) <= height else [*lines[: height - 1], Text("…" if terminal.draws else "...")]

    def _content(self, terminal: Terminal) -> Iterator[Text]:
        tracks = list(self._board.tracks.values())
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        done = sum(track.done for track in tracks)
        runs = f"{len(tracks):,} run{'' if len(tracks) == 1 else 's'}"
        yield Text(f"{'cancelling' if self._asking else 'watching'} {runs}, {done:,} over  {minutes:02}:{seconds:02}")
        if len(tracks) <= _FEW:
            for track in tracks:
                yield from _of_run(track, terminal)
        else:
            groups = self._board.groups()
            column = max(cell_len(safe(group.scope)) for group in groups)
            for group in groups:
                yield _of_scope(group, terminal, column=column)
        yield Text(_FOOT if self._asking else _FOOT_WATCHING, "dim")


def _of_run(track: Track, terminal: Terminal) -> Iterator[Text]:
    ref = Text(f"  {safe(track.ref)}")
    stands = painted(track.pieces())
    if ref.cell_len + 2 + stands.cell_len <= terminal.width:
        yield ref + Text("  ") + stands
    else:
        yield ref
        yield shortened(Text("    ") + stands, terminal.width, terminal=terminal)


def _of_scope(group: Group, terminal: Terminal, *, column: int) -> Text:
    """Scope, a bar of targets that are over, runs, and the targets that are not; the bar goes first."""
    line = Text(f"  {safe(group.scope)}")
    if terminal.width >= _WITH_BAR:
        line.append(" " * (column - cell_len(safe(group.scope)) + 2))
        line.append_text(_bar(group, terminal))
    line.append(f"  {group.done:,} of {group.runs:,} over")
    if group.asked < group.runs:
        line.append(f", {group.asked:,} asked")
    still = {state: count for state, count in group.targets.items() if not state.over}
    line.append_text(Text(" · " if terminal.draws else " - ") + painted(tallied(still)) if still else Text())
    return shortened(line, terminal.width, terminal=terminal)


def _bar(group: Group, terminal: Terminal) -> Text:
    full, rest = ("━", "─") if terminal.draws else ("=", "-")
    length = min(_BAR, terminal.width // 5)
    over = sum(count for state, count in group.targets.items() if state.over)
    part = round(length * over / max(1, sum(group.targets.values())))
    return Text.assemble((full * part, "cyan"), (rest * (length - part), "dim"))
