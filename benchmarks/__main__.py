"""`python -m benchmarks [--quick] [PART…]`: measure, and write each part of docs/performance.md when it is there.

Without words every part but the suite is measured.
"""

import argparse
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence

from benchmarks import (
    budgets,
    fleet,
    hung,
    imports,
    instructions,
    journals,
    limits,
    processes,
    rates,
    report,
    scopes,
    shards,
    shells,
    streams,
    suite,
    targets,
)
from benchmarks.place import reported, tools

PARTS: Mapping[str, Callable[..., report.Part]] = {
    "instructions": instructions.part,
    "imports": imports.part,
    "processes": processes.part,
    "hung": hung.part,
    "limits": limits.part,
    "rates": rates.part,
    "scopes": scopes.part,
    "targets": targets.part,
    "streams": streams.part,
    "fleet": fleet.part,
    "shards": shards.part,
    "journals": journals.part,
    "shells": shells.part,
    "suite": suite.part,
}
"""What measures each part of the page, by the name of the part."""
NAMED = {"suite"}
"""The parts that are measured only if they are named."""
COMPARED = {"instructions", "processes", "shells"}
"""The parts about other command lines, whose versions the page names."""


def main(names: Sequence[str], *, quick: bool) -> int:
    """Measure the parts. One that fails is left as it was on the page, and the others are measured; exit code 1."""
    if not COMPARED.isdisjoint(names):
        versions = {name: reported(path) for name, path in tools().items()}
        report.put(report.PAGE, report.where(versions), name="machine")
    failed = [name for name in names if not _measured(name, quick=quick)]
    if failed:
        _log(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _measured(name: str, *, quick: bool) -> bool:
    began = time.monotonic()
    try:
        part = PARTS[name](quick=quick)
    except (RuntimeError, OSError, subprocess.SubprocessError):
        traceback.print_exc()
        return False
    report.put(report.PAGE, f"Quick: few rounds, small numbers.\n\n{part.text}" if quick else part.text, name=name)
    if not quick or name == "instructions":  # the sizes that the budgets name are measured in full only
        budgets.update(report.PAGE, part.figures)
    _log(f"{name}: {time.monotonic() - began:.0f} s")
    return True


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, small numbers")
    parser.add_argument("part", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    words = parser.parse_args()
    if unknown := [name for name in words.part if name not in PARTS]:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    sys.exit(main(words.part or [name for name in PARTS if name not in NAMED], quick=words.quick))
