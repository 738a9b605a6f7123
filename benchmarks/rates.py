"""Many runs at a documented rate: the time over that of the limit, and the calls in any second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fleet import CODES
from benchmarks.limits import most_in_a_window
from benchmarks.measure import Argv, Sample, measured
from benchmarks.place import HOME_REGION, RUNCANCEL, sandbox
from benchmarks.report import Figure, Part, table


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A kind of run; `cancels` and `reads` are calls a second, and one reading takes `batch` runs."""

    provider: str
    kind: str
    cancel: str
    cancels: float
    reads: float
    batch: int


LIMITS = (
    Limit(provider="tencent", kind="invocation", cancel="CancelInvocation", cancels=20.0, reads=20.0, batch=100),
    Limit(provider="aws", kind="automation", cancel="StopAutomationExecution", cancels=1.0, reads=3.0, batch=1),
)
"""Tencent Cloud answers 20 calls a second for each API; AWS stops one automation a second and lets three be read."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A cancel of runs in one scope whose limits are enforced; all in seconds.

    `sending` is what the limit on the cancel alone imposes, `least` what the limits impose on the readings before and
    after it, too. `most` is the largest number of cancels that arrived in any second, `limit` how many may.
    """

    what: str
    runs: int
    sending: float
    least: float
    most: int
    limit: float
    sample: Sample

    @property
    def ratio(self) -> float:
        """The time that it took over the least that the limits allow."""
        return self.sample.wall / self.least


def floors(*, quick: bool) -> list[Floor]:
    """Every limit with as many runs as take a while."""
    return [_floor(limit, int(limit.cancels * (3 if quick else 20)) + 2 * quick) for limit in LIMITS]


def _floor(limit: Limit, runs: int) -> Floor:
    with sandbox(limits=True) as place:
        ids = place.add(limit.provider, kind=limit.kind, count=runs, runs_for=3600.0)
        refs = [f"{limit.provider}:{HOME_REGION[limit.provider]}:{limit.kind}/{id}" for id in ids]
        argv: Argv = [RUNCANCEL, "cancel", *refs, "--max-runs", "1000000", "--timeout", "600s", "-o", "jsonl"]
        sample = measured(argv, place.environ, codes=CODES)
        arrivals = [each["arrived"] for each in place.box.log.shown() if each["action"] == limit.cancel]
    sending, reading = _imposed(runs, limit.cancels), _imposed(math.ceil(runs / limit.batch), limit.reads)
    return Floor(
        what=f"{limit.provider} {limit.kind}",
        runs=runs,
        sending=sending,
        least=reading + sending + reading,
        most=most_in_a_window(arrivals, 1.0),
        limit=limit.cancels,
        sample=sample,
    )


def _imposed(calls: int, rate: float) -> float:
    """Seconds that so many calls take at least, where a second's worth of them may go at once."""
    return max(0.0, (calls - rate) / rate)


def shown(found: Sequence[Floor]) -> str:
    """One line per limit."""
    head = ("cancel, limits enforced", "runs", "cancels only", "read, cancel, read", "ours", "ratio to that")
    return table(
        (*head, "most in a second", "limit"),
        (
            (
                one.what,
                str(one.runs),
                f"{one.sending:.1f} s",
                f"{one.least:.1f} s",
                f"{one.sample.wall:.1f} s",
                f"{one.ratio:.2f}",
                str(one.most),
                f"{one.limit:.0f}",
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figures of its budgets."""
    found = floors(quick=quick)
    return Part(
        text=shown(found),
        figures={
            "rate": Figure(value=max(one.ratio for one in found), how="wall clock"),
            "window": Figure(value=max(one.most / one.limit for one in found), how="log of the server"),
        },
    )
