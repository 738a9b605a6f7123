"""The words of every screen, their colours, and counts in words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

from runcancel.model.outcomes import InvocationOutcome
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Effect, Guarantee, State, Verdict

_Word = TypeVar("_Word", bound=str)

Piece: TypeAlias = tuple[str, str | None]
"""Text that is safe to show, and the word (a state, verdict or effect) whose colour it has."""
Pieces: TypeAlias = tuple[Piece, ...]

STYLES: Mapping[str, str] = {
    "running": "yellow",
    "kept-running": "yellow",
    "partial": "yellow",
    "cancelling": "magenta",
    "stopping": "magenta",
    "requested": "magenta",
    "in-doubt": "magenta",
    "reported": "magenta",
    "cancelled": "cyan",
    "terminated": "cyan",
    "stopped": "cyan",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "undelivered": "red",
    "unknown": "reverse",
}
"""Colour by the word of a state, effect or verdict; a word that is not here has none."""

PROMISES: Mapping[Guarantee, str] = {
    Guarantee.STOPS_RUNNING: "stops running",
    Guarantee.BEST_EFFORT: "best effort",
    Guarantee.PENDING_ONLY: "not started only",
}
"""A guarantee in two words."""

EFFECTS: Mapping[Effect, str] = {
    Effect.CANCELLED: "cancelled",
    Effect.TERMINATED: "terminated",
    Effect.STOPPING: "stopping",
    Effect.KEPT_RUNNING: "kept running",
    Effect.UNKNOWN: "unknown",
    Effect.ALREADY_ENDED: "already ended",
}
"""An effect in words, in the order of interest."""

FEW = 10
"""So many runs are shown one by one; more of them are grouped."""

WORST_LAST = (
    Verdict.STOPPED,
    Verdict.ENDED,
    Verdict.REPORTED,
    Verdict.PARTIAL,
    Verdict.REQUESTED,
    Verdict.IN_DOUBT,
    Verdict.SKIPPED,
    Verdict.FAILED,
)
"""The order of verdicts wherever several are listed."""

ENDED_FIRST = tuple(sorted(State, key=lambda state: not state.over))
"""The order of states if those that need attention are last."""

NOTHING: Pieces = (("-", None),)


def readable(word: StrEnum) -> str:
    """A closed word as people write it: `timed out`."""
    return str(word).replace("_", " ").replace("-", " ")


def counted(number: int, noun: str) -> str:
    """`1 run`, `1,204 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tallied(counts: Mapping[State, int]) -> Pieces:
    """`17 cancelled, 3 running`, each in its colour."""
    return listed((f"{counts[state]:,} {readable(state)}", state) for state in State if counts.get(state))


def listed(pieces: Iterable[Piece]) -> Pieces:
    """The pieces with a comma between any two."""
    return tuple(each for index, piece in enumerate(pieces) for each in (((", ", None), piece) if index else (piece,)))


def scope_of(run: RunName) -> str:
    """The scope of a run; of one that was not found, what was written before its id."""
    return str(run.scope) if isinstance(run, Ref) else run.text.rpartition(":")[0] or run.text


def per_effect(effects: Iterable[Effect]) -> dict[Effect, int]:
    """How often each occurs that does, in the order of `EFFECTS`."""
    counts = Counter(effects)
    return {effect: counts[effect] for effect in EFFECTS if counts[effect]}


def pairs(counts: Mapping[_Word, int]) -> tuple[str, ...]:
    """`completed=12`, one text for each."""
    return tuple(f"{name}={count}" for name, count in counts.items())


def is_unproven(one: InvocationOutcome) -> bool:
    """A stop that the cloud reports and nothing verifies, whoever caused it."""
    stop = one.effect in (Effect.CANCELLED, Effect.TERMINATED) or (one.after is not None and one.after.stopped)
    return stop and not one.confirmed
