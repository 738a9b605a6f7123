"""The budgets: what a figure may be, and the table on the page that shows which are met.

One table for the measurements, for the tests (`tests/peers/test_budgets.py`) and for `docs/performance.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, between, put, table

NAME = "budgets"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one figure may be.

    `least` turns the bound round: the figure must reach it. `tested` is the bound that the tests check: a tenth above
    what was measured last, so that a step back shows. `unit` follows the figure on the page.
    """

    what: str
    bound: float
    unit: str = ""
    digits: int = 2
    least: bool = False
    tested: float | None = None

    def met(self, value: float) -> bool:
        """Whether a figure is within the budget."""
        return value >= self.bound if self.least else value <= self.bound

    def shown(self, value: float) -> str:
        """A figure as the page shows it."""
        return f"{value:,.{self.digits}f}{self.unit}"


_TYPER = "a bare Typer program"
_SCRIPT = "a script on the typed SDK"

BUDGETS: Mapping[str, Budget] = {
    "version": Budget(what=f"`--version`, ratio to {_TYPER}", bound=0.40, tested=0.33),
    "help": Budget(what=f"`--help`, ratio to {_TYPER}", bound=1.15, tested=0.43),
    "completion": Budget(what=f"completion of a verb, ratio to {_TYPER}", bound=1.15, tested=0.43),
    "aws status": Budget(what="one `status`, AWS, ratio to `aws` v2", bound=0.40, tested=0.27),
    "aws cancel": Budget(what="one `cancel --no-wait`, AWS, ratio to `aws` v2", bound=0.40, tested=0.30),
    "aws v1 status": Budget(what="one `status`, AWS, ratio to `aws` v1", bound=0.40, tested=0.30),
    "aws v1 cancel": Budget(what="one `cancel --no-wait`, AWS, ratio to `aws` v1", bound=0.40, tested=0.34),
    "tencent status": Budget(what="one `status`, Tencent Cloud, ratio to `tccli`", bound=0.30, tested=0.18),
    "tencent cancel": Budget(what="one `cancel --no-wait`, Tencent Cloud, ratio to `tccli`", bound=0.30, tested=0.20),
    "alibaba status": Budget(what=f"one `status`, Alibaba Cloud, ratio to {_SCRIPT}", bound=0.22, tested=0.20),
    "alibaba cancel": Budget(
        what=f"one `cancel --no-wait`, Alibaba Cloud, ratio to {_SCRIPT}", bound=0.22, tested=0.22
    ),
    "hung": Budget(what="first cancel after the reading of its own scope, another cloud hangs", bound=1.0, unit=" s"),
    "throttled": Budget(what="throttled, ratio to a client that knows the limiter (worst row)", bound=1.25),
    "rate": Budget(what="runs at the documented rate, ratio to the time of the limit (worst row)", bound=1.10),
    "window": Budget(what="calls in any second, ratio to the documented limit (worst row)", bound=1.0),
    "threads": Budget(what="10,000 scopes: threads", bound=64, digits=0),
    "memory": Budget(what="10,000 scopes: memory", bound=300, unit=" MB", digits=0),
    "calls": Budget(what="10,000 scopes: calls per second of CPU", bound=400, digits=0, least=True),
    "growth": Budget(what="8,000 targets in one run: exponent of the worst step (n log n: 1.13)", bound=1.13),
    "rows": Budget(what="100,000 invocations as jsonl: rows per second", bound=8000, digits=0, least=True),
    "rows memory": Budget(what="100,000 invocations as jsonl: memory, ratio to 1,000", bound=1.25),
    "suite": Budget(what="the whole test suite on two processors", bound=180, unit=" s", digits=0),
}
"""By the key under which a part of the benchmarks reports its figure."""

_HEAD = ("what", "budget", "measured", "", "how")


def update(page: Path, figures: Mapping[str, Figure]) -> None:
    """Write the figures into the table of a page. The other rows stay as they are."""
    rows = _rows(between(page.read_text(encoding="utf-8"), NAME))
    put(page, rendered(figures, rows), name=NAME)


def rendered(figures: Mapping[str, Figure], rows: Mapping[str, list[str]]) -> str:
    """The table of all budgets. `rows` are the cells that a page has, by their first."""
    return table(_HEAD, (_row(key, figures.get(key), rows.get(budget.what)) for key, budget in BUDGETS.items()))


def _row(key: str, figure: Figure | None, row: list[str] | None) -> list[str]:
    budget = BUDGETS[key]
    sign = "≥" if budget.least else "≤"
    first = [budget.what, f"{sign} {budget.shown(budget.bound)}"]
    if figure is not None:
        return [*first, budget.shown(figure.value), "met" if budget.met(figure.value) else "**not met**", figure.how]
    return [*first, *(row[2:] if row else ["", "not measured", ""])]


def _rows(text: str) -> dict[str, list[str]]:
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: row for row in rows if len(row) == len(_HEAD)}
