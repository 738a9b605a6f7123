"""Progress on stderr while runs are cancelled or watched: a board on a terminal, lines in a log. For one thread."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from runcancel.engine.events import Progress
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import RunName
from runcancel.render.live.board import LEFT, Board, RunProgress, tally
from runcancel.render.screens.notes import cause_of
from runcancel.render.screens.terminal import Terminal, size_of
from runcancel.render.screens.words import counted
from runcancel.render.sink import Sink
from runcancel.runtime.throttle import Traffic
from runcancel.text import safe

_FEW = 20  # runs whose every change gets a line
_OF_A_CAUSE = 3  # lines about single runs of one cause when there are more runs
_BAD_NEWS = 20  # such lines of all causes
_TOTALS = 5.0  # seconds between two lines of totals
_HEARTBEAT = 30.0  # seconds after which a line is printed though nothing happens


def progress(
    err: TextIO | None,
    *,
    terminal: Terminal,
    environ: Mapping[str, str],
    quiet: bool = False,
    verbose: bool = False,
    cancels: bool = True,
    timeout: float | None = None,
    traffic: Traffic | None = None,
) -> Progress:
    """The progress that fits stderr: a board painted over and over on a terminal, plain lines elsewhere, or none.

    `cancels` is false where runs are only watched, `timeout` the seconds for which each of them is, `traffic` the
    requests to the clouds meanwhile. `verbose`: plain lines show every change, however many runs there are.
    """
    if quiet or err is None:
        return Progress()
    if not terminal.moves or in_a_log(environ):
        return PlainProgress(Sink(err), cancels=cancels, verbose=verbose)
    from runcancel.render.live.live import LiveProgress

    return LiveProgress(
        err,
        terminal=terminal,
        size=lambda: size_of(err, environ),
        cancels=cancels,
        timeout=timeout,
        traffic=traffic,
    )


def in_a_log(environ: Mapping[str, str]) -> bool:
    """Whether what looks like a terminal is one of a build server, whose log keeps every frame."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


class PlainProgress(Board):
    """`12s REF: cancelling; targets: 3 running, 17 cancelled`, or `42s 2 of 3 runs ended` where nothing changes.

    Of more than twenty runs only bad news gets lines of its own, the first few of each cause; `verbose` shows every
    change.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        cancels: bool = True,
        verbose: bool = False,
    ) -> None:
        super().__init__(cancels=cancels)
        self._sink = sink
        self._clock = clock
        self._verbose = verbose
        self._printed: dict[RunName, str] = {}
        self._began = self._printed_at = clock()
        self._bad_news: Counter[str] = Counter()
        self._bad_news_lines = 0
        self._stale = False  # something changed since the last line of totals

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Keep the state of each run. An unchanged state needs no line."""
        super().planned(items)
        for item in items:
            if item.run in self.runs:
                self._printed[item.run] = self.runs[item.run].text()

    def changed(self, run: RunProgress, *, bad: bool = False) -> None:
        """Print its state, if that is new."""
        text = run.text()
        if self._printed.get(run.ref) == text:
            return
        self._printed[run.ref] = text
        if self._verbose or self.total.runs <= _FEW:
            self._print(f"{safe(str(run.ref))}: {text}")
            return
        self._stale = True
        if bad:
            self._print_bad_news(run)
        self.tick()

    def tick(self) -> None:
        """Print the totals where nothing was printed for long."""
        silent = self._clock() - self._printed_at
        if self.runs and (silent >= _HEARTBEAT or (self._stale and silent >= _TOTALS)):
            self._totals()

    def close(self) -> None:
        """Print the totals when they have changed since they were last printed."""
        if self._stale:
            self._totals()

    def _print_bad_news(self, run: RunProgress) -> None:
        """A line for the first runs of a cause. A verdict on a run whose refusal was printed is no news."""
        problem = run.problem or (run.outcome.error if run.outcome is not None else None)
        if run.outcome is not None and run.refused:
            return
        cause = run.word(brief=True)[0] + ("" if problem is None else cause_of(problem, run.ref))
        self._bad_news[cause] += 1
        if self._bad_news[cause] > _OF_A_CAUSE or self._bad_news_lines == _BAD_NEWS:
            return
        self._bad_news_lines += 1
        last = self._bad_news[cause] == _OF_A_CAUSE
        more = "; further ones are only counted; -v shows all" if last else ""
        self._print(f"{safe(str(run.ref))}: {run.text()}{more}", totals=False)

    def _totals(self) -> None:
        total = self.total
        parts = [f"{total.ended:,} of {counted(total.runs, 'run')} ended"]
        parts += [f"{total.unanswered:,} without a reply"] if total.unanswered else []
        parts += [f"{total.verdicts[verdict]:,} {text}" for verdict, text in LEFT.items() if total.verdicts[verdict]]
        targets = ", ".join(text for text, _ in tally(total.targets))
        self._print("; ".join([*parts, f"targets: {targets}"] if targets else parts))
        self._stale = False

    def _print(self, text: str, *, totals: bool = True) -> None:
        now = self._clock()
        self._printed_at = now if totals else self._printed_at
        self._sink.write(f"{int(now - self._began)}s {text}\n")
