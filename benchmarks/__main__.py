"""`python -m benchmarks [--quick]`: measure everything and write docs/performance.md and its chart."""

import subprocess
import sys
from pathlib import Path

from benchmarks import fleet, processes, report
from benchmarks.place import command

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")


def main(*, quick: bool) -> None:
    """Measure part by part; each is on the page as soon as it is there, in case the rest is broken off."""
    parts = [report.where(_tools(), quick=quick), f"![CPU time of one process, ours over theirs]({CHART.name})\n"]

    def put(part: str) -> None:
        parts.append(part)
        report.put(PAGE, "\n".join(parts))

    _say("one process")
    rows = processes.compared(rounds=3 if quick else 11)
    CHART.write_text(report.chart(rows), encoding="utf-8")
    put(report.processes(rows))
    _say("one long answer")
    put(report.streams(fleet.streams((1000, 100_000))))
    _say("limits")
    put(report.floors(fleet.floors(quick=quick)))
    _say("many runs")
    put(report.crowds(fleet.crowds((1, 100, 1000) if quick else (1, 100, 1000, 10_000))))
    _say("shell loops")
    put(report.shells(fleet.shells(10 if quick else 100)))
    _say(f"written: {PAGE.name}, {CHART.name}")


def _tools() -> dict[str, str]:
    """The vendors' command lines that took part, with what they say of their version."""
    found = {name: command(name) for name in ("aws", "tccli", "aliyun")}
    return {name: _said(path) if path else "not installed" for name, path in found.items()}


def _said(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout or done.stderr).split("\n")[0].split(" ")[0].removeprefix("aws-cli/")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
