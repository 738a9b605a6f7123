"""The same runs by a shell loop and by `xargs -P8` over the vendors' command lines, and by one process of ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import measured
from benchmarks.place import HOME_REGION, RUNCANCEL, Place, sandbox, tools
from benchmarks.report import Part, table

_KINDS = (("aws", "command"), ("tencent", "invocation"))


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Seconds of wall clock for the same runs by a loop, by `xargs -P8` and by us."""

    verb: str
    runs: int
    loop: float
    xargs: float
    ours: float


def shells(runs: int) -> list[Shell]:
    """Half on AWS, half on Tencent Cloud. Empty where their command lines are not installed."""
    there = tools()
    aws, tccli = there.get("aws v2") or there.get("aws v1"), there.get("tccli")
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


def shown(found: Sequence[Shell], *, sizes: Sequence[int] = (1000, 10_000)) -> str:
    """One line per verb: measured, then what that is for more."""
    more = (f"loop of {size:,}, extrapolated" for size in sizes)
    return table(
        ("verb", "runs", "shell loop", "`xargs -P8`", "ours", "loop / ours", *more),
        (
            (
                f"`{one.verb}`",
                str(one.runs),
                f"{one.loop:.1f} s",
                f"{one.xargs:.1f} s",
                f"{one.ours:.1f} s",
                f"{one.loop / one.ours:.0f}",
                *(f"{one.loop / one.runs * size / 60:.0f} min" for size in sizes),
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page."""
    return Part(text=shown(shells(10 if quick else 60)))
