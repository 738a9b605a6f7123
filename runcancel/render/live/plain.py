"""Progress in a log: a plain line per change while runs are few, a line of totals now and then when they are many."""

import time
from collections.abc import Callable, Sequence

from runcancel.engine.verdict import CancelResponse
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Run
from runcancel.model.states import Verdict
from runcancel.render.live.board import Board, Track
from runcancel.render.screens.words import counted, readable, tallied
from runcancel.render.sink import Sink
from runcancel.text import safe

_FEW = 20  # runs whose every change gets a line
_BAD_NEWS = 20  # lines about single runs when there are more
_TOTALS = 5.0  # seconds between two lines of totals
_HEARTBEAT = 30.0  # seconds after which something is said though nothing happens
_UNFINISHED = (Verdict.PARTIAL, Verdict.REQUESTED, Verdict.IN_DOUBT, Verdict.FAILED, Verdict.SKIPPED)


class PlainProgress:
    """`12s REF: cancelling, 17 cancelled, 3 running`; `42s 2 of 3 runs ended, 3 running` where nothing changes.

    Of more than twenty runs only bad news gets lines of its own, and no more than twenty; `verbose` shows every change.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        asking: bool = True,
        verbose: bool = False,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._verbose = verbose
        self._board = Board(asking=asking)
        self._said: dict[str, str] = {}
        self._began = self._said_at = clock()
        self._bad_news = 0
        self._stale = False  # something changed since the last line of totals

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Remember where each run stood; what has not changed needs no line."""
        self._board.planned(items)
        for item in items:
            if item.run in self._board.tracks:
                self._said[item.run] = self._board.tracks[item.run].text()

    def responded(self, ref: str, answer: CancelResponse) -> None:
        """Say that it was asked."""
        self._tell(self._board.responded(ref, answer), bad=answer.problem is not None)

    def observed(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Say where it stands, if that is new."""
        self._tell(self._board.observed(ref, run, invocations))

    def judged(self, outcome: Outcome) -> None:
        """Say the verdict."""
        self._tell(self._board.judged(outcome), bad=outcome.verdict in _UNFINISHED)

    def tick(self) -> None:
        """Say how things are where nothing was said for long."""
        silent = self._clock() - self._said_at
        if self._board.tracks and (silent >= _HEARTBEAT or (self._stale and silent >= _TOTALS)):
            self._totals()

    def close(self) -> None:
        """Say the totals when they have changed since they were last said."""
        if self._stale:
            self._totals()

    def _tell(self, track: Track, *, bad: bool = False) -> None:
        text = track.text()
        if self._said.get(track.ref) == text:
            return
        self._said[track.ref] = text
        if self._verbose or self._board.total.runs <= _FEW:
            self._say(f"{safe(track.ref)}: {text}")
            return
        self._stale = True
        if bad and self._bad_news < _BAD_NEWS:
            self._bad_news += 1
            more = "; further ones are only counted; -v shows all" if self._bad_news == _BAD_NEWS else ""
            self._say(f"{safe(track.ref)}: {text}{more}", totals=False)
        self.tick()

    def _totals(self) -> None:
        total = self._board.total
        parts = [f"{total.over:,} of {counted(total.runs, 'run')} ended"]
        parts += [f"{total.unanswered:,} without a reply"] if total.unanswered else []
        parts += [f"{total.verdicts[one]:,} {readable(one)}" for one in _UNFINISHED if total.verdicts[one]]
        parts += ["".join(text for text, _ in tallied(total.targets))] if total.targets.total() else []
        self._say("; ".join(parts))
        self._stale = False

    def _say(self, text: str, *, totals: bool = True) -> None:
        now = self._clock()
        self._said_at = now if totals else self._said_at
        self._sink.write(f"{int(now - self._began)}s {text}\n")
