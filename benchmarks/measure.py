"""One process measured; several measured in turn, so that a noisy machine is noisy for all of them."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Argv = Sequence[str | Path]
_WATCHED = Path(__file__).parent / "scripts" / "watched.py"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process, its children included in `cpu`: seconds of wall clock and of CPU, and the peak in MB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median and quartiles of ours over theirs, round by round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def measured(argv: Argv, environ: Mapping[str, str], *, codes: Sequence[int] = (0,)) -> Sample:
    """Run to the end. Raises `RuntimeError` for an exit code that is not in `codes`."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as told:
        done = subprocess.run(
            [sys.executable, "-I", "-S", _WATCHED, str(writing), *argv],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=(writing,),
            check=True,
        )
        os.close(writing)
        found = json.loads(told.read())
    if found.pop("code") not in codes:
        raise RuntimeError(f"{argv[:4]} ended badly: {done.stderr[-2000:]}")
    return Sample(**found)


def interleaved(
    commands: Mapping[str, Callable[[], Argv]],
    environ: Mapping[str, str],
    *,
    rounds: int,
    codes: Sequence[int] = (0,),
) -> dict[str, list[Sample]]:
    """A, B, C, A, B, C, …: the first round warms caches and does not count."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            sample = measured(command(), environ, codes=codes)
            if number:
                samples[name].append(sample)
    return samples


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], *, of: Callable[[Sample], float]) -> Ratio:
    """Ours over theirs, pair by pair: what disturbed a round disturbed both."""
    found = [of(one) / of(other) for one, other in zip(ours, theirs, strict=True)]
    low, median, high = statistics.quantiles(found, n=4) if len(found) > 1 else found * 3
    return Ratio(median=median, low=low, high=high)


def median(samples: Sequence[Sample], *, of: Callable[[Sample], float]) -> float:
    """The middle one."""
    return statistics.median(map(of, samples))


def wall(sample: Sample) -> float:
    """Seconds of wall clock."""
    return sample.wall


def cpu(sample: Sample) -> float:
    """Seconds of CPU."""
    return sample.cpu
