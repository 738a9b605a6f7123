"""What is known of each run while it is cancelled or watched, and running totals of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct, field

from runcancel.engine.events import Progress
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.runs import Invocation, Problem, Ref, Run, RunName, counts_of
from runcancel.model.states import Reason, RequestStatus, State, Verdict
from runcancel.render.screens.words import Piece, Pieces, readable, scope_of
from runcancel.text import safe

LEFT: Mapping[Verdict, str] = {
    Verdict.PARTIAL: "partial",
    Verdict.REQUESTED: "not verified as ended",
    Verdict.IN_DOUBT: "in doubt",
    Verdict.SKIPPED: "not sent",
    Verdict.FAILED: "failed",
}
"""Verdicts on runs that did not end, in words, the worst last.

`requested` is not one of the words: after `cancelling` it would read as a step back.
"""


_REFUSED: Piece = ("refused", Verdict.FAILED)
_REPLIES: Mapping[RequestStatus, Piece] = {
    RequestStatus.ACCEPTED: ("accepted in part", Verdict.PARTIAL),
    RequestStatus.IN_DOUBT: ("in doubt, reading again", Verdict.IN_DOUBT),
    RequestStatus.NOT_REACHED: ("not sent", Verdict.SKIPPED),
    RequestStatus.REFUSED: _REFUSED,
}
"""What a reply with a problem means for the run, before its verdict."""

_NOT_YET: Piece = ("not accepted yet", Verdict.REQUESTED)
_SENT_AGAIN = frozenset({Reason.BUSY, Reason.UNREACHABLE, Reason.NOT_FOUND})
"""Refusals that are not the last word: the run is read, and the cancel may be sent again."""

OPEN_FIRST = tuple(sorted(State, key=lambda state: state.over))
"""The order of states in one line, where the end may be cut off."""


class RunProgress(Struct):
    """One run. `counts` are of its selected targets; `cancels` is false where it is only watched."""

    ref: RunName
    scope: str
    cancels: bool
    state: State = State.UNKNOWN
    counts: Mapping[State, int] = {}
    replied: bool = False
    cancelling: bool = False  # it was, once: a later reading of "running" does not take that back
    reply: CancelResponse | None = None  # the latest one, if it had a problem
    outcome: Outcome | None = None

    @property
    def problem(self) -> Problem | None:
        """What was wrong with the latest reply."""
        return None if self.reply is None else self.reply.problem

    @property
    def refused(self) -> bool:
        """Whether the cloud has refused its cancel for good."""
        return self.reply is not None and _meaning(self.reply) is _REFUSED

    @property
    def done(self) -> bool:
        """Whether it has a verdict, or has ended."""
        return self.outcome is not None or self.state.over

    @property
    def unanswered(self) -> bool:
        """Whether its cancel has no reply yet."""
        return self.cancels and not self.replied and not self.done

    @property
    def unwatched(self) -> bool:
        """Whether its cancel was accepted and not watched."""
        return self.outcome is not None and self.outcome.verdict is Verdict.REQUESTED and not self.outcome.seconds

    def word(self, *, brief: bool = False) -> Piece:
        """Its state, and the word whose colour it has. `brief`: a problem by its code only."""
        if self.outcome is not None and self.unwatched:
            return "cancel accepted" if self.outcome.request_ids else "being cancelled", self.outcome.verdict
        if self.outcome is not None:
            return LEFT.get(self.outcome.verdict, readable(self.outcome.verdict)), self.outcome.verdict
        if self.reply is not None and self.problem is not None:
            meaning, colour = _meaning(self.reply)
            return f"{meaning}: {readable(self.problem.code) if brief else safe(self.problem.message)}", colour
        if self.state.over or not self.cancels:
            return readable(self.state), self.state
        if self.cancelling:
            return readable(State.CANCELLING), State.CANCELLING
        phase = "cancel requested" if self.replied else "no reply yet"
        return (phase, self.state) if self.counts else (f"{phase}, {readable(self.state)}", self.state)

    def text(self) -> str:
        """The same as text, with its targets per state."""
        targets = ", ".join(text for text, _ in tally(self.counts))
        return self.word()[0] + (f"; targets: {targets}" if targets else "")


class Totals(Struct):
    """Running totals over runs. `verdicts` are of those that have one and did not end."""

    name: str
    runs: int = 0
    unanswered: int = 0
    open: int = 0
    ended: int = 0
    states: Counter[State] = field(default_factory=Counter)
    targets: Counter[State] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    def count(self, run: RunProgress, times: int) -> None:
        """Count a run in (1) or out (-1)."""
        self.runs += times
        self.unanswered += times * run.unanswered
        self.open += times * (not run.done)
        self.ended += times * run.state.over
        self.states[run.state] += times
        for state, number in run.counts.items():
            self.targets[state] += times * number
        if run.outcome is not None and not run.state.over:
            self.verdicts[run.outcome.verdict] += times

    def without(self, others: Sequence["Totals"], name: str) -> "Totals":
        """The runs that are left when others are taken out; their states and targets are not counted."""
        verdicts = self.verdicts.copy()
        for one in others:
            verdicts.subtract(one.verdicts)
        return Totals(
            name,
            runs=self.runs - sum(one.runs for one in others),
            unanswered=self.unanswered - sum(one.unanswered for one in others),
            open=self.open - sum(one.open for one in others),
            ended=self.ended - sum(one.ended for one in others),
            verdicts=verdicts,
        )


class Board(Progress):
    """All runs in the order in which they were planned or read, with totals per scope.

    What happens to one run costs the same however many there are. A display derives from it and fills in `changed`.
    """

    def __init__(self, *, cancels: bool = True) -> None:
        self.cancels = cancels
        self.runs: dict[RunName, RunProgress] = {}
        self.scopes: dict[str, Totals] = {}
        self.total = Totals("")
        self.last: RunProgress | None = None  # the run that changed last

    def changed(self, run: RunProgress, *, bad: bool = False) -> None:
        """Show it; `bad` is news of a run that needs attention."""

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Begin with the runs that will be cancelled or are being cancelled, or go on with more."""
        for item in items:
            if item.ask or not item.state.over:
                with self._changing(item.run) as run:
                    run.state, run.counts, run.replied = item.state, item.counts, not item.ask
                    run.cancelling = item.state is State.CANCELLING

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """The cloud has replied to the request."""
        with self._changing(ref) as run:
            run.replied, run.reply = True, None if answer.problem is None else answer
        self.changed(run, bad=answer.problem is not None)

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """The run was read again."""
        with self._changing(ref) as run_progress:
            run_progress.state = run.state
            run_progress.cancelling = run_progress.cancelling or run.state is State.CANCELLING
            run_progress.counts = counts_of(invocations) if invocations else run.counts or run_progress.counts
            if run.state.over or run.state is State.CANCELLING:  # it has worked, whatever the reply was
                run_progress.reply = None
        self.changed(run_progress)

    def judged(self, outcome: Outcome) -> None:
        """The verdict on a run."""
        with self._changing(outcome.run) as run:
            run.outcome = outcome
            run.state = outcome.after or run.state
        self.changed(run, bad=outcome.verdict in LEFT and not run.unwatched)

    @contextmanager
    def _changing(self, ref: RunName) -> Iterator[RunProgress]:
        """A run while it changes: the totals follow."""
        run_progress = self.runs.get(ref)
        run = run_progress or self.runs.setdefault(ref, RunProgress(ref=ref, scope=scope_of(ref), cancels=self.cancels))
        totals = (self.scopes.setdefault(run.scope, Totals(run.scope)), self.total)
        before = run.text()
        for each in totals if run_progress is not None else ():
            each.count(run, -1)
        yield run
        for each in totals:
            each.count(run, 1)
        if run_progress is not None and run.text() != before:
            self.last = run


def tally(counts: Mapping[State, int]) -> Pieces:
    """Counts per state, what has not ended first."""
    return tuple((f"{counts[state]:,} {readable(state)}", state) for state in OPEN_FIRST if counts.get(state, 0) > 0)


def _meaning(reply: CancelResponse) -> Piece:
    """What a reply with a problem means for the run, and the word whose colour that has."""
    again = reply.problem is not None and reply.problem.code in _SENT_AGAIN
    return _NOT_YET if again and reply.status is RequestStatus.REFUSED else _REPLIES.get(reply.status, _REFUSED)
