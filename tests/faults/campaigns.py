"""How a campaign goes: cases or kills in threads, each in a world of its own; every broken promise fails the test."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from outside import Outside

from .cases import ANYWHERE, ON_READS, written
from .conftest import FIGURES


class AnyCase(Protocol):
    """A case: the seed is its name."""

    @property
    def seed(self) -> int: ...


class AnyPlayed(Protocol):
    """What became of a case: at least the requests that the sandbox was sent."""

    @property
    def requests(self) -> list[Any]: ...


C = TypeVar("C", bound=AnyCase)
P = TypeVar("P", bound=AnyPlayed)

Kill = tuple[str, int]
"""The moment and the number of a journal write; 0 is none."""

_KILLS_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Campaign(Generic[C, P]):
    """How its cases are played and judged, and what each adds to the figures of a soak."""

    case: Callable[[int], C]
    grid: Callable[[], Iterator[C]]
    play: Callable[[C, Path], P]
    lies: Callable[[P], list[str]]
    figures: Callable[[P], Mapping[str, int]]
    at_once: int = 8  # most of what a case takes is waiting

    def judge_random(self, folder: Path, *, first: int, soak: int, few: int) -> None:
        """Play the cases of as many seeds as a soak wants, else a few."""
        self.judge([self.case(seed) for seed in range(first, first + (soak or few))], folder)

    def judge_grid(self, folder: Path, *, soak: int, whole: bool, few: int, dice: int) -> None:
        """Play the whole grid, its beginning for a soak, else a few of its cases."""
        everything = list(self.grid())
        some = random.Random(dice).sample(everything, k=few)
        self.judge(everything if whole else everything[:soak] if soak else some, folder)

    def judge(self, chosen: Sequence[C], folder: Path) -> None:
        """Play these cases and fail with all that any of them claimed wrongly."""
        liars: list[str] = []
        with ThreadPoolExecutor(self.at_once) as pool:
            for played, found in pool.map(lambda each: self._judged(each, folder), chosen):
                struck = Counter(kind for one in played.requests for kind in one["faults"])
                FIGURES.update({f"fault injected: {kind}": count for kind, count in struck.items()})
                FIGURES.update({"lies found": len(found), **self.figures(played)})
                liars += [f"LIES: {found}\n{played}"] if found else []
        assert not liars, "\n\n".join(liars)

    def _judged(self, chosen: C, folder: Path) -> tuple[P, list[str]]:
        played = self.play(chosen, folder / str(chosen.seed))
        return played, self.lies(played)


def requests_in_words(requests: Sequence[Any]) -> str:
    """A line for each request: what it was answered, and which faults struck it."""
    return "\n".join(
        f"  {one['action']} {one['error'] or one['status']} {'effective ' if one['effective'] else ''}"
        f"{','.join(one['faults'])}"
        for one in requests
    )


def any_fault(dice: random.Random) -> str:
    """A fault; those that can strike anywhere twice as often."""
    return dice.choice(dice.choice((ANYWHERE, ANYWHERE, ON_READS)))


def struck(
    dice: random.Random,
    provider: str,
    action: str,
    fault: str,
    *,
    afters: Sequence[str] = ("", "", "", ",after=1", ",after=2"),
    times: Sequence[str] = ("", "", "*1", "*1", "*2", "*3"),
) -> str:
    """The rule by which a fault strikes an action: how often, and from which request on."""
    after = dice.choice(afters)
    return f"{provider}:{action}={written(fault, provider, dice.choice(times))}{after}"


def grid_rules(name: str, provider: str, action: str, *, reads: bool) -> Iterator[tuple[str, int, str]]:
    """Every fault at an action, once and for ever: the rule, a seed and a timeout that depend on it alone."""
    for fault in (*ANYWHERE, *(ON_READS if reads else ())):
        for times in ("*1", ""):
            rule = f"{provider}:{action}={written(fault, provider, times)}"
            dice = random.Random(f"{name} {rule}")
            yield rule, dice.randint(1_000_000, 9_999_999), dice.choice(("1", "2"))


def every_kill(writes: int) -> Iterator[Kill]:
    """Before and after each journal write of a command that lives."""
    yield from ((moment, number) for number in range(1, writes + 1) for moment in ("before", "after"))


def judge_kills(
    everything: Sequence[Kill],
    folder: Path,
    story: Callable[[Outside, Kill], object],
    *,
    soak: int,
    few: int,
    dice: int | str,
    figure: str,
) -> None:
    """Play a story with every kill for a soak, else with a few of them, and fail with all that went wrong."""
    chosen = everything if soak else random.Random(dice).sample(everything, k=few)

    def judged(kill: Kill) -> tuple[Kill, str]:
        with Outside(folder / f"{kill[1]}-{kill[0]}") as outside:
            try:
                story(outside, kill)
            except AssertionError as error:
                return kill, str(error)
            FIGURES[figure] += 1
            return kill, ""

    with ThreadPoolExecutor(_KILLS_AT_ONCE) as pool:
        wrong = [f"killed {kill[0]} journal write {kill[1]}: {lie}" for kill, lie in pool.map(judged, chosen) if lie]
    assert not wrong, "\n\n".join(wrong)
