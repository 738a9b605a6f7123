"""Who is told what happens during a cancel: the screen, the journal."""

from collections.abc import Sequence
from typing import Protocol

from runcancel.judge import Answer
from runcancel.ledger import Outcome, PlanItem
from runcancel.model import Invocation, Run


class Progress(Protocol):
    """Who is told what happens, from the caller's thread alone.

    `planned` is told again of runs that join later: what a window started before it was asked.
    """

    def planned(self, items: Sequence[PlanItem]) -> None: ...

    def asked(self, ref: str, answer: Answer) -> None: ...

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None: ...

    def judged(self, outcome: Outcome) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Together:
    """Tells several what happens, in their order."""

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Tell all."""
        for one in self._listeners:
            one.planned(items)

    def asked(self, ref: str, answer: Answer) -> None:
        """Tell all."""
        for one in self._listeners:
            one.asked(ref, answer)

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Tell all."""
        for one in self._listeners:
            one.seen(ref, run, invocations)

    def judged(self, outcome: Outcome) -> None:
        """Tell all."""
        for one in self._listeners:
            one.judged(outcome)

    def tick(self) -> None:
        """Tell all."""
        for one in self._listeners:
            one.tick()

    def close(self) -> None:
        """Tell all."""
        for one in self._listeners:
            one.close()
