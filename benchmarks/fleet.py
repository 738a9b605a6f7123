"""Many runs over many scopes: calls, calls per second, CPU per call, memory; and the same by a shell loop."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Sample, measured
from benchmarks.place import HOME_REGION, REGIONS, RUNCANCEL, Place, sandbox, tools

ACCOUNTS = 5
SCOPES = [
    (provider, account, region) for account in range(ACCOUNTS) for provider in REGIONS for region in REGIONS[provider]
]
_ANY = (0, 3, 8)


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """`verb` over `runs` runs in `scopes` scopes."""

    verb: str
    runs: int
    scopes: int
    calls: int
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A cancel of runs in one scope whose limits are enforced; all in seconds.

    `asking` is what the limit on the cancel alone imposes, `least` what the limits impose on the look before it and the
    look after it, too.
    """

    what: str
    runs: int
    asking: float
    least: float
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The same runs by a loop, by `xargs -P8` and by us; seconds of wall clock."""

    verb: str
    runs: int
    loop: float
    xargs: float
    ours: float


def crowds(sizes: Sequence[int]) -> list[Crowd]:
    """`status` and `cancel` of so many runs."""
    return [one for size in sizes for one in _crowd(size)]


def _crowd(size: int) -> list[Crowd]:
    scopes = SCOPES[:size]
    with sandbox(accounts=ACCOUNTS) as place:
        refs: list[str] = []
        for number, (provider, account, region) in enumerate(scopes):
            share = size // len(scopes) + (number < size % len(scopes))
            ids = place.add(provider, account=account, region=region, count=share, runs_for=3600.0)
            kind = "command" if provider == "aws" else "invocation"
            refs += [f"{provider}-account{account + 1}@{provider}:{region}:{kind}/{id}" for id in ids]
        found = []
        for verb, options in (("status", []), ("cancel", ["--max-runs", "1000000", "--timeout", "600s"])):
            argv = [str(RUNCANCEL), verb, *refs, *options, "-o", "jsonl"]
            sample = measured(argv, place.environ, codes=_ANY)
            found.append(Crowd(verb=verb, runs=size, scopes=len(scopes), calls=place.calls(), sample=sample))
    return found


def floors(*, quick: bool) -> list[Floor]:
    """Tencent answers 20 calls a second for each API; AWS stops one automation a second and lets three be read."""
    return [
        _floor("tencent", "invocation", 60 if quick else 400, asks=20.0, reads=20.0, batch=100),
        _floor("aws", "automation", 5 if quick else 40, asks=1.0, reads=3.0, batch=1),
    ]


def _floor(provider: str, kind: str, runs: int, *, asks: float, reads: float, batch: int) -> Floor:
    with sandbox(limits=True) as place:
        ids = place.add(provider, kind=kind, count=runs, runs_for=3600.0)
        refs = [f"{provider}:{HOME_REGION[provider]}:{kind}/{id}" for id in ids]
        argv = [str(RUNCANCEL), "cancel", *refs, "--max-runs", "1000000", "--timeout", "600s", "-o", "jsonl"]
        sample = measured(argv, place.environ, codes=_ANY)
    asking, look = _imposed(runs, asks), _imposed(math.ceil(runs / batch), reads)
    return Floor(what=f"{provider} {kind}", runs=runs, asking=asking, least=look + asking + look, sample=sample)


def _imposed(calls: int, rate: float) -> float:
    """Seconds that so many calls take at least, where a second's worth of them may go at once."""
    return max(0.0, (calls - rate) / rate)


def shells(runs: int) -> list[Shell]:
    """Half on AWS, half on Tencent Cloud. Empty where their command lines are not installed."""
    there = tools()
    aws, tccli = there.get("aws v1"), there.get("tccli")
    if aws is None or tccli is None:
        return []
    with sandbox() as place:
        lines_of = {
            "status": _lines(place, aws, tccli, "list-commands", "DescribeInvocations --InvocationIds '[\"{}\"]'"),
            "cancel": _lines(place, aws, tccli, "cancel-command", "CancelInvocation --InvocationId {}"),
        }
        return [_shell(place, verb, lines, runs) for verb, lines in lines_of.items()]


def _lines(place: Place, aws: str, tccli: str, operation: str, action: str) -> tuple[str, str]:
    return (
        f"{aws} ssm {operation} --command-id {{}} --endpoint-url {place.box.url}",
        f"{tccli} tat {action} --endpoint {place.box.url}",
    )


def _shell(place: Place, verb: str, lines: tuple[str, str], runs: int) -> Shell:
    def script(*, parallel: bool) -> str:
        parts = []
        for provider, line in zip(("aws", "tencent"), lines, strict=True):
            ids = place.add(provider, count=runs // 2)
            looped = "; ".join(line.replace("{}", id) for id in ids)
            parts.append(f"printf '%s\\n' {' '.join(ids)} | xargs -P8 -I{{}} {line}" if parallel else looped)
        return "; ".join(parts)

    refs = [f"{p}:{HOME_REGION[p]}:{k}/{id}" for p, k in _KINDS for id in place.add(p, count=runs // 2)]
    options = ["--max-runs", "1000000", "--no-wait"] if verb == "cancel" else []
    return Shell(
        verb=verb,
        runs=runs // 2 * 2,
        loop=measured(["bash", "-c", script(parallel=False)], place.environ).wall,
        xargs=measured(["bash", "-c", script(parallel=True)], place.environ).wall,
        ours=measured([RUNCANCEL, verb, *refs, *options, "-o", "jsonl"], place.environ).wall,
    )


_KINDS = (("aws", "command"), ("tencent", "invocation"))


def streams(sizes: Sequence[int]) -> dict[int, Sample]:
    """The invocations of one command with so many targets as jsonl."""
    with sandbox() as place:
        ids = {size: place.add("aws", targets={"running": size}, by_tag=True)[0] for size in sizes}
        return {
            size: measured([RUNCANCEL, "invocations", f"aws:us-east-2:command/{id}", "-o", "jsonl"], place.environ)
            for size, id in ids.items()
        }


def cpus() -> int:
    """How many processors this may use."""
    return len(os.sched_getaffinity(0))
