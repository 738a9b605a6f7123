"""One process measured; several measured in turn, so that a noisy machine is noisy for all of them."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Argv = Sequence[str | Path]


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


def measured(argv: Argv, environ: Mapping[str, str], *, stdin: str = "", codes: Sequence[int] = (0,)) -> Sample:
    """Run to the end. Raises `RuntimeError` for an exit code that is not in `codes`."""
    began = time.perf_counter()
    process = subprocess.Popen(
        argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(stdin)
    process.stdin.close()
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise RuntimeError(f"{argv[:4]} ends with {process.returncode}: {said[-2000:]}")
    return Sample(wall=time.perf_counter() - began, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)


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
