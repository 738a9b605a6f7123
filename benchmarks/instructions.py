"""CPU instructions of one process, ours over theirs: they hardly depend on what else the machine does.

Counted is what a process executes in user space, without the kernel: by the processor's own counter where `perf` has
one (virtual machines often have none), else by cachegrind, which runs the program on a simulated processor.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from benchmarks.budgets import BUDGETS
from benchmarks.commands import OURS, Comparison, comparisons
from benchmarks.measure import Argv, measured
from benchmarks.place import Place, sandbox
from benchmarks.report import Figure, Part, table

AT_ONCE = 2
_PERF = re.compile(r"^(\d+),[^,]*,instructions", re.MULTILINE)
_CACHEGRIND = re.compile(r"I +refs: +([\d,]+)")


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A program that counts. `wraps` makes the command line out of a folder for its report and a command."""

    name: str
    wraps: Callable[[Path, Argv], list[str]]
    pattern: re.Pattern[str]

    def count(self, argv: Argv, environ: Mapping[str, str], *, codes: Sequence[int] = (0,)) -> int:
        """The instructions of a command, its children included. Raises `RuntimeError` if it ends badly."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                self.wraps(Path(folder), argv),
                env={**environ, "PYTHONHASHSEED": "0"},  # the order of sets is the same each time
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode not in codes:
                raise RuntimeError(f"{argv[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
            reports = "\n".join(path.read_text(encoding="utf-8") for path in Path(folder).iterdir())
        counts = [int(text.replace(",", "")) for text in self.pattern.findall(reports)]
        if not counts:
            raise RuntimeError(f"{self.name} counted nothing: {reports[-2000:]}")
        return sum(counts)


def _perf(folder: Path, argv: Argv) -> list[str]:
    return ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(folder / "perf"), *map(str, argv)]


def _cachegrind(folder: Path, argv: Argv) -> list[str]:
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    return [*tool, "--trace-children=yes", f"--log-file={folder}/%p", *map(str, argv)]


COUNTERS = (
    Counter(name="perf", wraps=_perf, pattern=_PERF),
    Counter(name="valgrind", wraps=_cachegrind, pattern=_CACHEGRIND),
)


@cache
def counter() -> Counter | None:
    """The first counter that works here."""
    return next((one for one in COUNTERS if shutil.which(one.name) and _works(one)), None)


def _works(one: Counter) -> bool:
    try:
        return one.count(["true"], {"PATH": "/usr/bin:/bin"}) > 0
    except RuntimeError:
        return False


@dataclass(frozen=True, kw_only=True)
class Count:
    """One comparison; the counts are instructions. `budget` is the key of the budget, if there is one."""

    what: str
    peer: str
    ours: int
    theirs: int
    budget: str | None

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs


def counts(with_: Counter, *, of: Sequence[str] | None = None) -> list[Count]:
    """Every comparison for which the peer is installed, or only those of the budgets with these keys."""
    with sandbox() as place:
        chosen = [one if of is None else _only(one, of) for one in comparisons(place)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(partial(_count, place, with_), (one for one in chosen if len(one.commands) > 1))
            return [row for rows in found for row in rows]


def _only(one: Comparison, keys: Sequence[str]) -> Comparison:
    budgets = {peer: key for peer, key in one.budgets.items() if key in keys}
    commands = {name: command for name, command in one.commands.items() if name == OURS or name in budgets}
    return replace(one, commands=commands, budgets=budgets)


def _count(place: Place, with_: Counter, one: Comparison) -> list[Count]:
    environ = {**place.environ, **one.variables}
    found = {}
    for name, command in one.commands.items():
        measured(command(), environ)  # byte code and caches
        found[name] = with_.count(command(), environ)
    ours = found.pop(OURS)
    return [
        Count(what=one.what, peer=peer, ours=ours, theirs=theirs, budget=one.budgets.get(peer))
        for peer, theirs in found.items()
    ]


def rows(found: Iterable[Count]) -> str:
    """One line per comparison, in millions."""
    return table(
        ("one process", "against", "ratio", "ours, millions", "theirs, millions", "budget"),
        (
            (
                one.what,
                one.peer,
                f"{one.ratio:.2f}",
                f"{one.ours / 1e6:,.0f}",
                f"{one.theirs / 1e6:,.0f}",
                "" if one.budget is None else BUDGETS[one.budget].shown(BUDGETS[one.budget].bound),
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figures of the budgets."""
    with_ = counter()
    if with_ is None:
        return Part(text="Neither `perf` nor valgrind can count here: only CPU time was measured.\n")
    found = counts(with_, of=[*BUDGETS] if quick else None)
    figures = {one.budget: Figure(value=one.ratio, how="instructions") for one in found if one.budget}
    return Part(text=f"Counted by {with_.name}.\n\n{rows(found)}", figures=figures)
