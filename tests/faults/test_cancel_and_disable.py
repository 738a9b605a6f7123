"""Faults on the way of `cancel --disable-triggers`: no trigger holds up a run, and every claim is true."""

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cancel_and_disable import Case, Played, case, grid, held_up, lies, play
from .conftest import FIGURES

_IN_THE_SUITE = 3
_OF_THE_GRID = 4
_AT_ONCE = 4  # most of what a case takes is waiting


def test_whatever_fails_on_the_way_the_run_is_cancelled_and_no_trigger_is_forgotten(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    seeds = range(first_seed, first_seed + (soak or _IN_THE_SUITE))

    _judge([case(seed) for seed in seeds], tmp_path)


def test_every_fault_at_every_action_of_triggers_and_of_the_cancel(
    tmp_path: Path, soak: int, *, whole_grid: bool
) -> None:
    everything = list(grid())
    some = random.Random(12).sample(everything, k=_OF_THE_GRID)

    _judge(everything if whole_grid else everything[:soak] if soak else some, tmp_path)


def _judge(chosen: Sequence[Case], folder: Path) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        judged = list(pool.map(lambda each: _judged(each, folder), chosen))
    liars = [(played, found) for played, found in judged if found]
    assert not liars, "\n\n".join(f"LIES: {found}\n{played}" for played, found in liars)


def _judged(chosen: Case, folder: Path) -> tuple[Played, list[str]]:
    played = play(chosen, folder / str(chosen.seed))
    found = lies(played)
    struck = Counter(kind for one in played.requests for kind in one["faults"])
    FIGURES.update({f"fault injected: {kind}": count for kind, count in struck.items()})
    FIGURES["cancels with --disable-triggers run with faults on the way"] += 1
    FIGURES["lies found"] += len(found)
    FIGURES["runs that a trigger held up"] += len(held_up(played))
    return played, found
