"""One long answer: the invocations of one command as jsonl, by the number of targets."""

from collections.abc import Mapping, Sequence

from benchmarks.measure import Sample, measured
from benchmarks.place import RUNCANCEL, sandbox
from benchmarks.report import Figure, Part, table


def streams(sizes: Sequence[int]) -> dict[int, Sample]:
    """The invocations of one command with so many targets as jsonl."""
    with sandbox() as place:
        ids = {size: place.add("aws", targets={"running": size}, by_tag=True)[0] for size in sizes}
        return {
            size: measured([RUNCANCEL, "invocations", f"aws:us-east-2:command/{id}", "-o", "jsonl"], place.environ)
            for size, id in ids.items()
        }


def shown(found: Mapping[int, Sample]) -> str:
    """One line per size, with the peak as a multiple of the first."""
    least = next(iter(found.values())).peak
    head = ("invocations as jsonl", "wall clock", "CPU", "rows/s", "rows per second of CPU", "peak memory", "ratio")
    return table(
        head,
        (
            (
                f"{size:,}",
                f"{sample.wall:.1f} s",
                f"{sample.cpu:.1f} s",
                f"{size / sample.wall:,.0f}",
                f"{size / sample.cpu:,.0f}",
                f"{sample.peak:.0f} MB",
                f"{sample.peak / least:.2f}",
            )
            for size, sample in found.items()
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figures of its budgets: the sandbox takes the other processors, so CPU counts."""
    found = streams((1000, 20_000) if quick else (1000, 100_000))
    (_, least), (size, most) = found.items()
    return Part(
        text=shown(found),
        figures={
            "rows": Figure(value=size / most.cpu, how="CPU time"),
            "rows memory": Figure(value=most.peak / least.peak, how="peak memory"),
        },
    )
