"""What is said on stderr while a cancel is asked for and watched. Call it from one thread."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from runcancel.cancel import Progress
from runcancel.judge import Answer
from runcancel.model import Invocation, Outcome, PlanItem, Run
from runcancel.render.board import Board, Track
from runcancel.render.sink import Sink
from runcancel.render.terminal import Terminal, width_of
from runcancel.text import safe


def progress(
    err: TextIO | None,
    *,
    terminal: Terminal,
    environ: Mapping[str, str],
    quiet: bool = False,
    clock: Callable[[], float] = time.monotonic,
    asking: bool = True,
) -> Progress:
    """The progress that fits stderr: painted over and over on a terminal, a line per change elsewhere, or none.

    `asking` is false where runs are only watched.
    """
    if quiet or err is None:
        return Silent()
    if not terminal.moves:
        return PlainProgress(Sink(err), clock=clock, asking=asking)
    from runcancel.render.live import LiveProgress

    return LiveProgress(err, terminal=terminal, width=lambda: width_of(err, environ), clock=clock, asking=asking)


class Silent:
    """Nothing."""

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Say nothing."""

    def asked(self, ref: str, answer: Answer) -> None:
        """Say nothing."""

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Say nothing."""

    def judged(self, outcome: Outcome) -> None:
        """Say nothing."""

    def tick(self) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class PlainProgress:
    """One plain line per change: `12s REF: asked, cancelling, 17 cancelled, 3 running`."""

    def __init__(self, sink: Sink, *, clock: Callable[[], float] = time.monotonic, asking: bool = True) -> None:
        self._sink = sink
        self._clock = clock
        self._began = clock()
        self._board = Board(asking=asking)
        self._said: dict[str, str] = {}

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Remember where each run stood; what has not changed needs no line."""
        self._board.planned(items)
        self._said = {track.ref: track.text() for track in self._board.tracks.values()}

    def asked(self, ref: str, answer: Answer) -> None:
        """Say that it was asked."""
        self._say(self._board.asked(ref, answer))

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Say where it stands, if that is new."""
        self._say(self._board.seen(ref, run, invocations))

    def judged(self, outcome: Outcome) -> None:
        """Say the verdict."""
        self._say(self._board.judged(outcome))

    def tick(self) -> None:
        """Say nothing: no clock runs here."""

    def close(self) -> None:
        """Say nothing."""

    def _say(self, track: Track) -> None:
        text = track.text()
        if self._said.get(track.ref) != text:
            self._said[track.ref] = text
            self._sink.write(f"{int(self._clock() - self._began)}s {safe(track.ref)}: {text}\n")
