"""The whole test suite, as `make test` runs it."""

import os
from pathlib import Path

from benchmarks.measure import measured
from benchmarks.place import BIN, cpus
from benchmarks.report import Figure, Part, table

_ROOT = Path(__file__).parents[1]


def shown(wall: float, cpu: float) -> str:
    """One line."""
    head = ("`make test`", "processors", "wall clock", "CPU")
    return table(head, [("the whole suite", str(cpus()), f"{wall:.0f} s", f"{cpu:.0f} s")])


def part(*, quick: bool) -> Part:
    """The part of the page, and the figure of its budget. There is no quick way to run everything."""
    sample = measured(["make", "-C", _ROOT, "test", f"VENV={BIN.parent}"], os.environ)
    return Part(text=shown(sample.wall, sample.cpu), figures={"suite": Figure(value=sample.wall, how="wall clock")})
