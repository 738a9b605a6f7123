"""Many runs at a documented rate: the time over that of the limit, and the calls in any second."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fleet import CODES
from benchmarks.limits import most_in_a_window
from benchmarks.measure import Argv, Sample, measured
from benchmarks.place import HOME_REGION, RUNCANCEL, sandbox
from benchmarks.report import Figure, Part, table


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A kind of run, its cancel, and how many of them a second the cloud accepts; `runs` take it half a minute."""

    provider: str
    kind: str
    cancel: str
    rate: float
    runs: int


LIMITS = (
    Limit(provider="tencent", kind="invocation", cancel="CancelInvocation", rate=20.0, runs=600),
    Limit(provider="aws", kind="automation", cancel="StopAutomationExecution", rate=1.0, runs=40),
)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A cancel of runs in one scope whose limits are enforced; in seconds.

    `least` is what the limit allows, `took` the time from the first accepted cancel to the last. `most` is the largest
    number of cancels that arrived in any second, `limit` how many may.
    """

    what: str
    runs: int
    least: float
    took: float
    most: int
    limit: float
    sample: Sample

    @property
    def ratio(self) -> float:
        """The time that it took over the least that the limit allows."""
        return self.took / self.least


def floors(*, quick: bool) -> list[Floor]:
    """Every limit with as many runs as take a while."""
    return [_floor(limit, limit.runs // (8 if quick else 1)) for limit in LIMITS]


def _floor(limit: Limit, runs: int) -> Floor:
    with sandbox(limits=True) as place:
        ids = place.add(limit.provider, kind=limit.kind, count=runs, runs_for=3600.0)
        refs = [f"{limit.provider}:{HOME_REGION[limit.provider]}:{limit.kind}/{id}" for id in ids]
        argv: Argv = [RUNCANCEL, "cancel", *refs, "--max-runs", "1000000", "--timeout", "600s", "-o", "jsonl"]
        sample = measured(argv, place.environ, codes=CODES)
        sent = [each for each in place.box.log.shown() if each["action"] == limit.cancel]
    accepted = sorted(each["arrived"] for each in sent if each["error"] is None)
    return Floor(
        what=f"{limit.provider} {limit.kind}",
        runs=runs,
        least=(runs - limit.rate) / limit.rate,  # a second's worth of them may go at once
        took=accepted[-1] - accepted[0],
        most=most_in_a_window([each["arrived"] for each in sent], 1.0),
        limit=limit.rate,
        sample=sample,
    )


def shown(found: Sequence[Floor]) -> str:
    """One line per limit."""
    return table(
        ("cancel", "runs", "the limit's own time", "ours", "ratio", "most in a second", "limit", "whole command"),
        (
            (
                one.what,
                str(one.runs),
                f"{one.least:.1f} s",
                f"{one.took:.1f} s",
                f"{one.ratio:.2f}",
                str(one.most),
                f"{one.limit:.0f}",
                f"{one.sample.wall:.1f} s",
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
            "rate": Figure(value=max(one.ratio for one in found), how="log of the server"),
            "window": Figure(value=max(one.most / one.limit for one in found), how="log of the server"),
        },
    )
