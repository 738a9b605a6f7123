"""What is known of each run while it is watched, counted as it comes, and the words for it."""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from msgspec import Struct, field

from runcancel.engine.verdict import CancelResponse
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Problem, Run, counts_of
from runcancel.model.states import State, Verdict
from runcancel.render.screens.words import Pieces, readable, scope_of, tallied
from runcancel.text import safe


class Track(Struct):
    """One run under watch. `counts` are of its selected targets; `began` is when it started, as its cloud says."""

    ref: str
    scope: str
    counts: Mapping[State, int]
    state: State
    place: int
    answered: bool | None = False  # whether the cloud answered the cancel; None: nobody asks, it is only watched
    problem: Problem | None = None
    outcome: Outcome | None = None
    began: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether it was judged, or seen to be over."""
        return self.outcome is not None or self.state.over

    def word(self) -> tuple[str, str]:
        """Where it stands in a word or two, and the word whose colour that has."""
        if self.outcome is not None:
            return readable(self.outcome.verdict), self.outcome.verdict
        if self.problem is not None:
            return f"refused: {safe(self.problem.message)}", "failed"
        if self.state is State.CANCELLING or self.state.over or self.answered is None:
            return readable(self.state), self.state
        return f"{'cancel requested' if self.answered else 'no reply yet'}, {readable(self.state)}", self.state

    def pieces(self) -> Pieces:
        """Where it stands: a word, then its targets per state."""
        counts = ((", ", None), *tallied(self.counts)) if self.counts else ()
        return (self.word(), *counts)

    def text(self) -> str:
        """The same without colour."""
        return "".join(text for text, _ in self.pieces())


class Group(Struct):
    """Running totals over runs. `verdicts` are of those that were judged though they are not over."""

    scope: str
    runs: int = 0
    unanswered: int = 0  # without a reply to their cancel, and not done
    open: int = 0
    over: int = 0
    states: Counter[State] = field(default_factory=Counter)
    targets: Counter[State] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    def count(self, track: Track, times: int) -> None:
        """Count a run in (1) or out (-1)."""
        self.runs += times
        self.unanswered += times * (track.answered is False and not track.done)
        self.open += times * (not track.done)
        self.over += times * track.state.over
        self.states[track.state] += times
        for state, number in track.counts.items():
            self.targets[state] += times * number
        if track.outcome is not None and not track.state.over:
            self.verdicts[track.outcome.verdict] += times

    def add(self, other: "Group") -> None:
        """Count in what another counted."""
        self.runs += other.runs
        self.unanswered += other.unanswered
        self.open += other.open
        self.over += other.over
        self.states.update(other.states)
        self.targets.update(other.targets)
        self.verdicts.update(other.verdicts)


class Board:
    """All runs under watch, in the order in which they were planned or seen. `asking` is false where nobody cancels.

    What is told of one run costs the same however many there are, and so does looking at the totals.
    """

    def __init__(self, *, asking: bool = True) -> None:
        self.asking = asking
        self.tracks: dict[str, Track] = {}
        self.groups: dict[str, Group] = {}
        self.total = Group("")
        self.last: Track | None = None  # the run that changed last
        self._by_age: list[tuple[float, int, str]] = []

    def planned(self, items: Iterable[PlanItem]) -> None:
        """Begin with the runs that will be asked, or go on with more."""
        for item in items:
            if item.ask:
                with self._changing(item.run) as track:
                    track.state, track.counts = item.state, item.counts

    def responded(self, ref: str, answer: CancelResponse) -> Track:
        """The cloud has answered the request."""
        with self._changing(ref) as track:
            track.answered, track.problem = True, answer.problem
        return track

    def observed(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> Track:
        """The run was read again."""
        with self._changing(ref) as track:
            track.state = run.state
            track.counts = counts_of(invocations) if invocations else run.counts or track.counts
            track.problem = None if run.state.over else track.problem
            track.began = run.started_at or run.created_at
        return track

    def judged(self, outcome: Outcome) -> Track:
        """The last word on a run."""
        with self._changing(outcome.run) as track:
            track.outcome = outcome
            track.state = outcome.after or track.state
        return track

    def longest(self, most: int) -> list[Track]:
        """At most so many of the runs that are unfinished, the one that began first in front."""
        kept: list[tuple[float, int, str]] = []
        while self._by_age and len(kept) < most:
            entry = heapq.heappop(self._by_age)
            track = self.tracks[entry[2]]
            if not track.done and entry == _age(track) and entry not in kept:
                kept.append(entry)
        for entry in kept:
            heapq.heappush(self._by_age, entry)
        return [self.tracks[ref] for _, _, ref in kept]

    @contextmanager
    def _changing(self, ref: str) -> Iterator[Track]:
        """A run while it changes: the totals follow."""
        known = self.tracks.get(ref)
        track = self._new(ref) if known is None else known
        before = (track.text(), track.done, track.began)
        sums = (self.groups[track.scope], self.total)
        for group in sums if known is not None else ():
            group.count(track, -1)
        yield track
        for group in sums:
            group.count(track, 1)
        text, was_done, began = before
        if not track.done and (known is None or was_done or began != track.began):
            heapq.heappush(self._by_age, _age(track))
        if known is not None and track.text() != text:
            self.last = track

    def _new(self, ref: str) -> Track:
        scope = scope_of(ref)
        self.groups.setdefault(scope, Group(scope))
        track = Track(
            ref=ref,
            scope=scope,
            counts={},
            state=State.UNKNOWN,
            place=len(self.tracks),
            answered=False if self.asking else None,
        )
        return self.tracks.setdefault(ref, track)


def _age(track: Track) -> tuple[float, int, str]:
    """What sorts runs by when they began; those of whom that is not known come last."""
    return (math.inf if track.began is None else track.began.timestamp(), track.place, track.ref)
