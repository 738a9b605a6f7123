"""Many runs over many scopes in one process: calls, calls per second, CPU per call, memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Sample, measured
from benchmarks.place import REGIONS, RUNCANCEL, Place, sandbox
from benchmarks.report import Part, table

ACCOUNTS = 5
SCOPES = [
    (provider, account, region) for account in range(ACCOUNTS) for provider in REGIONS for region in REGIONS[provider]
]
CODES = (0, 3, 8)
"""The exit codes of a cancel of such runs: Alibaba Cloud's keep running."""


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """`verb` over `runs` runs in `scopes` scopes."""

    verb: str
    runs: int
    scopes: int
    calls: int
    sample: Sample


def spread(place: Place, runs: int) -> list[str]:
    """Add so many runs, spread over all scopes; their references."""
    refs = []
    scopes = SCOPES[:runs]
    for number, (provider, account, region) in enumerate(scopes):
        share = runs // len(scopes) + (number < runs % len(scopes))
        ids = place.add(provider, account=account, region=region, count=share, runs_for=3600.0)
        kind = "command" if provider == "aws" else "invocation"
        refs += [f"{provider}-account{account + 1}@{provider}:{region}:{kind}/{id}" for id in ids]
    return refs


def crowds(sizes: Sequence[int]) -> list[Crowd]:
    """`status` and `cancel` of so many runs."""
    return [one for size in sizes for one in _crowd(size)]


def _crowd(size: int) -> list[Crowd]:
    with sandbox(accounts=ACCOUNTS) as place:
        refs = spread(place, size)
        found = []
        for verb, options in (("status", []), ("cancel", ["--max-runs", "1000000", "--timeout", "600s"])):
            sample = measured([RUNCANCEL, verb, *refs, *options, "-o", "jsonl"], place.environ, codes=CODES)
            scopes = min(size, len(SCOPES))
            found.append(Crowd(verb=verb, runs=size, scopes=scopes, calls=place.calls(), sample=sample))
    return found


def shown(found: Sequence[Crowd]) -> str:
    """One line per verb and size."""
    return table(
        ("verb", "runs", "scopes", "calls", "wall clock", "calls/s", "CPU per call", "peak memory"),
        (
            (
                f"`{one.verb}`",
                f"{one.runs:,}",
                str(one.scopes),
                f"{one.calls:,}",
                f"{one.sample.wall:.1f} s",
                f"{one.calls / one.sample.wall:.0f}",
                f"{one.sample.cpu / one.calls * 1000:.1f} ms",
                f"{one.sample.peak:.0f} MB",
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page."""
    return Part(text=shown(crowds((1, 100, 1000) if quick else (1, 100, 1000, 10_000))))
