"""Random faults on the way of random commands: nothing is lost, and nothing is claimed that is not true."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cases import Case, Played, case, play
from .conftest import FIGURES
from .oracle import lies

_IN_THE_SUITE = 60
_AT_ONCE = 8  # most of what a case takes is waiting


def test_whatever_fails_on_the_way_nothing_is_lost_and_nothing_is_claimed(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    seeds = range(first_seed, first_seed + (soak or _IN_THE_SUITE))

    told = {played.case.seed: (played, found) for played, found in _played(seeds, tmp_path, hanging=bool(soak))}

    liars = {seed: (played, found) for seed, (played, found) in told.items() if found}
    assert not liars, "\n\n".join(f"LIES: {found}\n{played}" for played, found in liars.values())


def _played(seeds: range, folder: Path, *, hanging: bool) -> Iterator[tuple[Played, list[str]]]:
    chosen = [case(seed, hanging=0.04 if hanging else 0.0) for seed in seeds]
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
