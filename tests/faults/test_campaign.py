"""Random faults on the way of random commands: nothing is lost, and nothing is claimed that is not true."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cases import Case, Played, case, grid, play
from .conftest import FIGURES
from .oracle import left_unsent, lies

_IN_THE_SUITE = 10
_OF_THE_GRID = 12
_AT_ONCE = 8  # most of what a case takes is waiting


def test_whatever_fails_on_the_way_nothing_is_lost_and_nothing_is_claimed(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    seeds = range(first_seed, first_seed + (soak or _IN_THE_SUITE))

    _judge([case(seed, hanging=0.04 if soak else 0.0) for seed in seeds], tmp_path)


def test_every_fault_at_every_action(tmp_path: Path, soak: int, *, whole_grid: bool) -> None:
    everything = list(grid())
    some = random.Random(11).sample(everything, k=_OF_THE_GRID)

    _judge(everything if whole_grid else everything[:soak] if soak else some, tmp_path)


def _judge(chosen: Sequence[Case], folder: Path) -> None:
    liars = [(played, found) for played, found in _played(chosen, folder) if found]
    assert not liars, "\n\n".join(f"LIES: {found}\n{played}" for played, found in liars)


def _played(chosen: Sequence[Case], folder: Path) -> Iterator[tuple[Played, list[str]]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for one in pool.map(lambda each: _judged(each, folder), chosen):
            _count(*one)
            yield one


def _judged(chosen: Case, folder: Path) -> tuple[Played, list[str]]:
    played = play(chosen, folder / str(chosen.seed), patience=300)
    return played, lies(played)


def _count(played: Played, found: list[str]) -> None:
    struck = Counter(kind for one in played.requests for kind in one["faults"])
    FIGURES.update({f"fault injected: {kind}": count for kind, count in struck.items()})
    FIGURES["faults injected"] += struck.total()
    FIGURES["commands run with faults on the way"] += 1
    FIGURES["requests answered by the sandbox"] += len(played.requests)
    FIGURES["lies found"] += len(found)
    FIGURES["runs left unsent that could have been sent"] += len(left_unsent(played))
