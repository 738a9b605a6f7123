"""Wall clock and CPU time of one process, ours over theirs, measured in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.budgets import BUDGETS
from benchmarks.commands import OURS, Comparison, comparisons, sequences
from benchmarks.measure import Ratio, cpu, interleaved, median, ratio, wall
from benchmarks.place import sandbox
from benchmarks.report import CHART, Part, chart, table


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison. `ours` and `theirs` are medians in seconds; `budget` is the key of its budget, if any."""

    what: str
    peer: str
    wall: Ratio
    cpu: Ratio
    ours: float
    theirs: float
    budget: str | None = None

    @property
    def verdict(self) -> str:
        """The budget, and whether the CPU time meets it."""
        if self.budget is None:
            return ""
        budget = BUDGETS[self.budget]
        return f"{budget.shown(budget.bound)} {'met' if budget.met(self.cpu.median) else '**not met**'}"


def compared(*, rounds: int) -> list[Row]:
    """Every comparison for which the peer is installed."""
    with sandbox() as place:
        return [
            row
            for one in (*comparisons(place), *sequences(place))
            for row in _rows(one, {**place.environ, **one.variables}, rounds=rounds)
        ]


def _rows(one: Comparison, environ: dict[str, str], *, rounds: int) -> list[Row]:
    samples = interleaved(one.commands, environ, rounds=rounds, codes=one.codes)
    ours = samples.pop(OURS)
    return [
        Row(
            what=one.what,
            peer=peer,
            wall=ratio(ours, theirs, of=wall),
            cpu=ratio(ours, theirs, of=cpu),
            ours=median(ours, of=wall),
            theirs=median(theirs, of=wall),
            budget=one.budgets.get(peer),
        )
        for peer, theirs in samples.items()
    ]


def shown(rows: Sequence[Row]) -> str:
    """One line per comparison."""
    return table(
        ("one process", "against", "CPU, ours / theirs (quartiles)", "budget", "wall clock", "ours", "theirs"),
        (
            (
                row.what,
                row.peer,
                str(row.cpu),
                row.verdict,
                str(row.wall),
                f"{row.ours * 1000:.0f} ms",
                f"{row.theirs * 1000:.0f} ms",
            )
            for row in rows
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page; the chart beside it is written, too."""
    rows = compared(rounds=3 if quick else 11)
    CHART.write_text(chart([(f"{row.what} : {row.peer}", row.cpu.median) for row in rows]), encoding="utf-8")
    return Part(text=f"![CPU time of one process, ours over theirs]({CHART.name})\n\n{shown(rows)}")
