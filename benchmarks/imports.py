"""Where the CPU time of one process goes: the loading of each package, and the rest."""

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.commands import PROVIDERS, TARGETS
from benchmarks.measure import measured
from benchmarks.place import HOME_REGION, SCRIPTS, Place, sandbox
from benchmarks.report import Part, table

_MORE = 0.02
"""A package with a smaller share counts as one of the others."""
START, LIBRARY, OTHERS, REST = "interpreter", "standard library", "other packages", "the command itself"


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What the loading of each package is of the time of a command; `REST` is what is left of it."""

    command: str
    parts: Mapping[str, float]


def shares(*, rounds: int) -> list[Shares]:
    """`--version`, `--help` and a `status` for each cloud."""
    with sandbox() as place:
        commands = {
            "`--version`": ["--version"],
            "`--help`": ["--help"],
            **{f"`status`, {provider}": ["status", _reference(place, provider)] for provider in PROVIDERS},
        }
        return [_shares(place, name, words, rounds=rounds) for name, words in commands.items()]


def _reference(place: Place, provider: str) -> str:
    (id,) = place.add(provider, targets=TARGETS)
    return f"{provider}:{HOME_REGION[provider]}:{'command' if provider == 'aws' else 'invocation'}/{id}"


def _shares(place: Place, name: str, words: Sequence[str], *, rounds: int) -> Shares:
    tries = [_one(place, words) for _ in range(rounds + 1)][1:]
    names = {package for one in tries for package in one}
    return Shares(
        command=name, parts={package: statistics.median(one.get(package, 0.0) for one in tries) for package in names}
    )


def _one(place: Place, words: Sequence[str]) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as report:
        measured([sys.executable, SCRIPTS / "loading.py", report.name, "runcancel", *words], place.environ)
        return by_package(json.loads(report.read()))


def by_package(seconds: Mapping[str, float]) -> dict[str, float]:
    """The shares of each package, out of the report of `scripts/loading.py`."""
    total = seconds["total"]
    parts: dict[str, float] = {}
    for name, value in seconds.items():
        if name != "total":
            package = LIBRARY if name in sys.stdlib_module_names else name
            parts[package] = parts.get(package, 0.0) + value / total
    return {**parts, REST: 1 - sum(parts.values())}


def shown(found: Sequence[Shares]) -> str:
    """One line for each package that is more than a small share of any command."""
    large = {name for one in found for name, share in one.parts.items() if share >= _MORE} - {START, LIBRARY, REST}
    ordered = sorted(large, key=lambda name: -max(one.parts.get(name, 0.0) for one in found))
    rows = [*((name, [one.parts.get(name, 0.0) for one in found]) for name in (START, LIBRARY, *ordered))]
    rest = [one.parts.get(REST, 0.0) for one in found]
    others = [1 - gone - sum(shares) for gone, *shares in zip(rest, *(cells for _, cells in rows), strict=True)]
    return table(
        ("CPU time", *(one.command for one in found)),
        ((name, *(f"{share:.0%}" for share in cells)) for name, cells in (*rows, (OTHERS, others), (REST, rest))),
    )


def part(*, quick: bool) -> Part:
    """The part of the page."""
    return Part(text=shown(shares(rounds=3 if quick else 11)))
