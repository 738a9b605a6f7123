"""One saved plan by one process and by several shards at once: wall clock, CPU, calls."""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import ACCOUNTS, CODES, spread
from benchmarks.measure import Argv, Sample, measured
from benchmarks.place import RUNCANCEL, Place, sandbox
from benchmarks.report import Part, table

_PROFILES = [
    f"{provider}-account{number + 1}" for provider in ("aws", "alibaba", "tencent") for number in range(ACCOUNTS)
]


@dataclass(frozen=True, kw_only=True)
class Division:
    """A plan in so many shards, all at once: a sample of each. `fixed` is the CPU of a shard without runs."""

    runs: int
    shards: int
    wall: float
    calls: int
    samples: Sequence[Sample]
    fixed: float

    @property
    def cpu(self) -> float:
        """CPU seconds of all shards together."""
        return sum(one.cpu for one in self.samples)

    @property
    def slowest(self) -> float:
        """CPU seconds of the shard with the most work: with a processor for each, it is what the others wait for."""
        return max(one.cpu for one in self.samples)


def divisions(runs: int, counts: Sequence[int]) -> list[Division]:
    """The same plan in each number of shards, each time before a fresh sandbox."""
    return [_division(runs, count) for count in counts]


def _division(runs: int, count: int) -> Division:
    with sandbox(accounts=ACCOUNTS) as place:
        plan = _plan(place, runs)
        place.calls()
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            samples = list(pool.map(lambda index: _cancel(place, plan, f"{index}/{count}", runs), range(count)))
        wall, calls = time.perf_counter() - begun, place.calls()
        fixed = _cancel(place, plan, _empty(place, plan), runs).cpu
    return Division(runs=runs, shards=count, wall=wall, calls=calls, samples=samples, fixed=fixed)


def _plan(place: Place, runs: int) -> Path:
    """A plan of so many runs over all scopes."""
    refs = spread(place, runs)
    done = subprocess.run(
        [RUNCANCEL, "cancel", "-f", "-", "--dry-run", "-o", "json", "-q", "--lookup-timeout", "600s"],
        env=place.environ,
        input="\n".join(refs),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    path = Path(place.environ["HOME"]) / "plan.json"
    path.write_text(done.stdout)
    return path


def _empty(place: Place, plan: Path) -> str:
    """A shard of this plan without a scope."""
    from datetime import UTC, datetime

    from runcancel.engine.saved import read_plan
    from runcancel.engine.shards import cut
    from runcancel.model.outcomes import Shard

    saved = read_plan(plan.read_text(), str(plan), now=datetime.now(UTC))
    empty = (index for index in range(1000) if not cut(saved.plan, saved.identities, Shard(index=index, count=1000)))
    return f"{next(empty)}/1000"


def _cancel(place: Place, plan: Path, shard: str, runs: int) -> Sample:
    flags = ("--max-runs", str(runs), "--confirm", str(runs), "--timeout", "600s", "--lookup-timeout", "600s")
    argv: Argv = [RUNCANCEL, "cancel", "--plan", plan, "--shard", shard, *flags, "-o", "jsonl", "-q"]
    return measured(argv, place.environ, codes=CODES)


def shown(found: Sequence[Division]) -> str:
    """One line for each number of shards."""
    head = ("runs", "shards", "CPU of the largest", "CPU of all", "CPU of a shard without runs", "calls", "wall clock")
    return table(
        (*head, "memory of the largest"),
        (
            (
                f"{one.runs:,}",
                str(one.shards),
                f"{one.slowest:.1f} s",
                f"{one.cpu:.1f} s",
                f"{one.fixed:.2f} s",
                f"{one.calls:,}",
                f"{one.wall:.1f} s",
                f"{max(each.peak for each in one.samples):.0f} MB",
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page."""
    return Part(text=shown(divisions(200, (1, 2)) if quick else divisions(2000, (1, 2, 4, 8))))


if __name__ == "__main__":
    size, *numbers = map(int, sys.argv[1:] or ["2000", "1", "2", "4"])
    print(shown(divisions(size, numbers)))
