"""What is known of each run while it is watched, and the words for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from runcancel.judge import Answer
from runcancel.model import Invocation, Outcome, PlanItem, Problem, Run, State, counts_of
from runcancel.render.announce import scope_of
from runcancel.render.columns import Pieces, tallied, worded
from runcancel.text import safe


class Track(Struct):
    """One run under watch. `counts` are of its selected targets."""

    ref: str
    counts: Mapping[State, int]
    state: State
    asked: bool | None = False  # None: nobody asks, it is only watched
    problem: Problem | None = None
    outcome: Outcome | None = None

    @property
    def done(self) -> bool:
        """Whether it was judged, or seen to be over."""
        return self.outcome is not None or self.state.over

    def pieces(self) -> Pieces:
        """Where it stands: a word, then its targets per state."""
        counts = ((", ", None), *tallied(self.counts)) if self.counts else ()
        return ((self._word(), self._color()), *counts)

    def text(self) -> str:
        """The same without colour."""
        return "".join(text for text, _ in self.pieces())

    def _word(self) -> str:
        if self.outcome is not None:
            return worded(self.outcome.verdict)
        if self.problem is not None:
            return f"the answer was: {safe(self.problem.message)}"
        if self.state is State.CANCELLING or self.state.over:
            return worded(self.state)
        if self.asked is None:
            return worded(self.state)
        return f"asked, {worded(self.state)}" if self.asked else f"not asked yet, {worded(self.state)}"

    def _color(self) -> str:
        if self.outcome is not None:
            return self.outcome.verdict
        return "failed" if self.problem is not None else self.state


class Group(Struct, frozen=True):
    """The runs of one scope. `targets` are counted over all of them."""

    scope: str
    runs: int
    asked: int
    done: int
    targets: Mapping[State, int]


class Board:
    """All runs under watch, in the order in which they were planned or seen. `asking` is false where nobody cancels."""

    def __init__(self, *, asking: bool = True) -> None:
        self.tracks: dict[str, Track] = {}
        self._asked = False if asking else None

    def planned(self, items: Iterable[PlanItem]) -> None:
        """Begin with the runs that will be asked."""
        for item in items:
            if item.ask:
                self._track(item.run, item.state).counts = item.counts

    def asked(self, ref: str, answer: Answer) -> Track:
        """The cloud has answered the request."""
        track = self._track(ref)
        track.asked, track.problem = True, answer.problem
        return track

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> Track:
        """The run was read again."""
        track = self._track(ref)
        track.state = run.state
        track.counts = counts_of(invocations) if invocations else run.counts or track.counts
        track.problem = None if run.state.over else track.problem
        return track

    def judged(self, outcome: Outcome) -> Track:
        """The last word on a run."""
        track = self._track(outcome.run)
        track.outcome = outcome
        track.state = outcome.after or track.state
        return track

    def groups(self) -> list[Group]:
        """The runs per scope."""
        found: dict[str, list[Track]] = {}
        for track in self.tracks.values():
            found.setdefault(scope_of(track.ref), []).append(track)
        return [_group(scope, tracks) for scope, tracks in found.items()]

    def _track(self, ref: str, state: State = State.UNKNOWN) -> Track:
        return self.tracks.setdefault(ref, Track(ref=ref, counts={}, state=state, asked=self._asked))


def _group(scope: str, tracks: Sequence[Track]) -> Group:
    targets: Counter[State] = Counter()
    for track in tracks:
        targets.update(track.counts)
    return Group(
        scope,
        len(tracks),
        sum(track.asked is not False for track in tracks),
        sum(track.done for track in tracks),
        dict(targets),
    )
