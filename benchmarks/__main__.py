"""`python -m benchmarks [--quick] [--throttled]`: measure and write docs/performance.md and its chart.

With `--throttled` only the limiters are measured.
"""

import sys
from pathlib import Path

from benchmarks import fleet, limits, processes, report, scopes
from benchmarks.place import said, tools

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")


def main(*, quick: bool) -> None:
    """Measure part by part; each is on the page as soon as it is there, in case the rest is broken off."""
    parts = [
        report.where({name: said(path) for name, path in tools().items()}, quick=quick),
        f"![CPU time of one process, ours over theirs]({CHART.name})\n",
    ]

    def put(title: str, part: str) -> None:
        parts.append(f"### {title}\n\n{part}")
        report.put(PAGE, "\n".join(parts))

    throttled(quick=quick)
    _say("one process")
    rows = processes.compared(rounds=3 if quick else 11)
    CHART.write_text(report.chart(rows), encoding="utf-8")
    put("One process", report.processes(rows))
    _say("one long answer")
    put("One long answer", report.streams(fleet.streams((1000, 100_000))))
    _say("limits")
    put("Limits", report.floors(fleet.floors(quick=quick)))
    _say("many runs")
    put("Many runs", report.crowds(fleet.crowds((1, 100, 1000) if quick else (1, 100, 1000, 10_000))))
    _say("many scopes")
    put("Many scopes", report.breadths([scopes.breadth(1000 if quick else 10_000)]))
    _say("shell loops")
    put("Shell loops", report.shells(fleet.shells(10 if quick else 100)))
    _say(f"written: {PAGE.name}, {CHART.name}")


def throttled(*, quick: bool) -> None:
    """Measure the limiters alone."""
    _say("throttled")
    found: list[limits.Throttled] = []
    for one in limits.throttled(quick=quick):
        found.append(one)  # each is on the page as soon as it is there
        report.put(PAGE, report.throttled(found), marks=report.THROTTLED)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    (throttled if "--throttled" in sys.argv[1:] else main)(quick="--quick" in sys.argv[1:])
