"""The receivers of the events of a cancel: the screen and the journal."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Invocation, Ref, Run
from runcancel.model.states import RequestStatus, State

_ACCEPTED = {RequestStatus.ACCEPTED: True, RequestStatus.ALREADY: True, RequestStatus.REFUSED: False}


class Progress:
    """An observer of a cancel, called from the caller's thread alone. This one does nothing.

    `planned` is called again for runs that join later: what a run started before it was cancelled.
    """

    def planned(self, items: Sequence[PlanItem]) -> None:
        """These runs will be cancelled; called before the first request for any of them."""

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """A request was answered, refused or lost: `answer` says which, with the request ids of what was accepted."""

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """A run was read again. `invocations` is empty where the reading did not list them."""

    def judged(self, outcome: Outcome) -> None:
        """A run has its verdict; called once for each run that was planned."""

    def tick(self) -> None:
        """Time has passed: called several times a second while the cancel waits."""

    def close(self) -> None:
        """Others write now, or it is the end."""


class CombinedProgress(Progress):
    """Passes each event to several observers, in their order."""

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.planned(items)

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.responded(ref, answer)

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.observed(ref, run, invocations)

    def judged(self, outcome: Outcome) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.judged(outcome)

    def tick(self) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.tick()

    def close(self) -> None:
        """Pass it to all."""
        for one in self._listeners:
            one.close()


class Shielded(Progress):
    """An observer whose failure ends what it shows and nothing else: no cancel waits for a screen."""

    def __init__(self, observer: Progress) -> None:
        self._observer: Progress | None = observer

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Pass it on."""
        self._tell(lambda one: one.planned(items))

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Pass it on."""
        self._tell(lambda one: one.responded(ref, answer))

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Pass it on."""
        self._tell(lambda one: one.observed(ref, run, invocations))

    def judged(self, outcome: Outcome) -> None:
        """Pass it on."""
        self._tell(lambda one: one.judged(outcome))

    def tick(self) -> None:
        """Pass it on."""
        self._tell(lambda one: one.tick())

    def close(self) -> None:
        """Pass it on."""
        self._tell(lambda one: one.close())

    def _tell(self, tell: Callable[[Progress], None]) -> None:
        if self._observer is None:
            return
        try:
            tell(self._observer)
        except Exception:
            import logging  # only for a bug

            logging.getLogger("runcancel.wire").exception("the progress display failed and is off")
            self._observer = None


def sent_event(ref: Ref, answer: CancelResponse, at: datetime) -> Sent:
    """What a request came to; `accepted` is null where no reply shows it."""
    took = None if answer.took is None else timedelta(seconds=answer.took)
    return Sent(
        run=ref,
        at=at,
        sent_at=None if took is None else at - took,
        accepted=_ACCEPTED.get(answer.status),
        request_ids=answer.request_ids,
        error=answer.problem,
    )


class StateChanges:
    """Distinguishes a reading that shows something new from one that repeats the last."""

    def __init__(self) -> None:
        self._last: dict[Ref, tuple[State, dict[State, int] | None]] = {}

    def seen_event(self, ref: Ref, state: State, counts: dict[State, int] | None, at: datetime) -> Seen | None:
        """The change since the last reading; None where there is none."""
        if self._last.get(ref) == (state, counts):
            return None
        self._last[ref] = (state, counts)
        return Seen(run=ref, at=at, state=state, counts=counts)


class SearchCount:
    """How far a search over many scopes is. The caller's thread counts, and `tick` lets somebody show it."""

    def __init__(self, doing: str = "searched", things: str = "scopes") -> None:
        self.tick: Callable[[], None] = lambda: None
        self.total = self.ended = self.matches = self.failed = 0
        self._doing = doing
        self._things = things
        self._listings: Counter[Hashable] = Counter()

    def begin(self, scopes: Iterable[Hashable]) -> None:
        """Count the listings of each scope; it ends with the last of them."""
        self._listings.update(scopes)
        self.total = len(self._listings)

    def end(self, scope: Hashable) -> None:
        """One listing of a scope ended."""
        self._listings[scope] -= 1
        self.ended += not self._listings[scope]
        self.tick()

    def text(self, separator: str) -> str:
        """`searched 1,204 of 10,000 scopes, 312 runs, 3 failed`."""
        parts = [f"{self._doing} {self.ended:,} of {self.total:,} {self._things}"]
        parts += [f"{self.matches:,} found"] if self.matches else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        return separator.join(parts)
