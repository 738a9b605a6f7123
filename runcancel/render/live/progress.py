"""What is said on stderr while a cancel is asked for and watched. Call it from one thread."""

from collections.abc import Mapping, Sequence
from typing import TextIO

from runcancel.engine.events import Progress
from runcancel.engine.verdict import CancelResponse
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Run
from runcancel.render.live.plain import PlainProgress
from runcancel.render.screens.terminal import Terminal, size_of
from runcancel.render.sink import Sink
from runcancel.runtime.throttle import Traffic


def progress(
    err: TextIO | None,
    *,
    terminal: Terminal,
    environ: Mapping[str, str],
    quiet: bool = False,
    verbose: bool = False,
    asking: bool = True,
    timeout: float | None = None,
    traffic: Traffic | None = None,
) -> Progress:
    """The progress that fits stderr: a board painted over and over on a terminal, plain lines elsewhere, or none.

    `asking` is false where runs are only watched, `timeout` the seconds for which each of them is, `traffic` what goes
    to the clouds meanwhile. `verbose`: plain lines tell every change, however many runs there are.
    """
    if quiet or err is None:
        return Silent()
    if not terminal.moves or in_a_log(environ):
        return PlainProgress(Sink(err), asking=asking, verbose=verbose)
    from runcancel.render.live.live import LiveProgress

    return LiveProgress(
        err,
        terminal=terminal,
        size=lambda: size_of(err, environ),
        asking=asking,
        timeout=timeout,
        traffic=traffic,
    )


def in_a_log(environ: Mapping[str, str]) -> bool:
    """Whether what looks like a terminal is one of a build server, whose log keeps every frame."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


class Silent:
    """Nothing."""

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Say nothing."""

    def responded(self, ref: str, answer: CancelResponse) -> None:
        """Say nothing."""

    def observed(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Say nothing."""

    def judged(self, outcome: Outcome) -> None:
        """Say nothing."""

    def tick(self) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""
