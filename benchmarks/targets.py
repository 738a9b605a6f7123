"""One run with very many targets: how what a command does grows with them."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from benchmarks.fleet import CODES
from benchmarks.instructions import AT_ONCE, Counter, counter
from benchmarks.measure import Argv, cpu, measured, median
from benchmarks.place import HOME_REGION, RUNCANCEL, Place, sandbox
from benchmarks.report import Figure, Part, table
from runcancel.sandbox.control import truth

SIZES, QUICK = (1000, 2000, 4000, 8000), (1000, 2000, 4000)
_LEAST = 2  # targets
_NOISE = 0.001  # of a whole command: what is less is not measured
_CLOUDS = {"aws": "command", "alibaba": "invocation", "tencent": "invocation"}
_LIMITS = ("--max-targets", "100000", "--timeout", "600s", "--lookup-timeout", "600s", "-o", "jsonl")
STEPS: Mapping[str, Sequence[str]] = {
    "status": ("status",),
    "invocations": ("invocations", "-o", "jsonl"),
    "cancel": ("cancel", *_LIMITS),
    "cancel --target": ("cancel", *_LIMITS),  # every second target
}
"""What is measured, with the words of the command beside the reference and the targets."""
_ROUNDS = 3  # of CPU time


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What one step costs by the number of targets, without what it costs for two targets."""

    provider: str
    step: str
    costs: Mapping[int, float]

    @property
    def exponent(self) -> float:
        """The slope of the costs where both scales are logarithmic: 1 is linear, 2 is quadratic."""
        points = [(math.log(size), math.log(cost)) for size, cost in self.costs.items()]
        return statistics.linear_regression(*zip(*points, strict=True)).slope


def growths(sizes: Sequence[int], with_: Counter | None, clouds: Sequence[str] = tuple(_CLOUDS)) -> list[Growth]:
    """Every step of these clouds, in instructions, else in seconds of CPU."""
    with sandbox() as place, ThreadPoolExecutor(AT_ONCE if with_ else 1) as pool:
        cases = [(provider, step) for provider in clouds for step in STEPS]
        return list(pool.map(partial(_growth, place, sizes, with_), cases))


def _growth(place: Place, sizes: Sequence[int], with_: Counter | None, case: tuple[str, str]) -> Growth:
    provider, step = case
    command = partial(_argv, place, provider, step)
    measured(command(_LEAST), place.environ, codes=CODES)  # byte code and caches
    cost = {size: _cost(place, partial(command, size), with_) for size in (_LEAST, *sizes)}
    least = cost.pop(_LEAST)
    more = {size: max(value - least, least * _NOISE) for size, value in cost.items()}
    return Growth(provider=provider, step=step, costs=more)


def _cost(place: Place, command: Callable[[], Argv], with_: Counter | None) -> float:
    if with_ is not None:
        return with_.count(command(), place.environ, codes=CODES)
    return median([measured(command(), place.environ, codes=CODES) for _ in range(_ROUNDS)], of=cpu)


def _argv(place: Place, provider: str, step: str, size: int) -> Argv:
    """The command for a new run, of which two thirds are running."""
    running, pending = size - size // 3, size // 3
    targets = {"running": running, "pending": pending}
    (id,) = place.add(provider, targets=targets, runs_for=3600.0, by_tag=provider == "aws")
    verb, *words = STEPS[step]
    reference = f"{provider}:{HOME_REGION[provider]}:{_CLOUDS[provider]}/{id}"
    if "--target" in step:
        (rows,) = [each["targets"] for each in truth(place.box.world) if each["id"] == id]
        words += [word for row in rows[::2] for word in ("--target", row["id"])]
    return [RUNCANCEL, verb, reference, *words]


def shown(found: Sequence[Growth], unit: float) -> str:
    """One line for each step of each cloud; `unit` is what the costs are divided by."""
    sizes = [*found[0].costs]
    return table(
        ("step", "cloud", *(f"{size:,} targets" for size in sizes), "exponent"),
        (
            (
                f"`{one.step}`",
                one.provider,
                *(f"{one.costs[size] / unit:,.0f}" for size in sizes),
                f"{one.exponent:.2f}",
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figure of its budget."""
    with_ = counter()
    found = growths(QUICK, with_, ["tencent"]) if quick else growths(SIZES, with_)
    how = "CPU time" if with_ is None else "instructions"
    head = "Milliseconds of CPU" if with_ is None else "Millions of instructions"
    worst = max(one.exponent for one in found)
    return Part(
        text=f"{head} beyond those for two targets.\n\n{shown(found, 1e-3 if with_ is None else 1e6)}",
        figures={"growth": Figure(value=worst, how=how)},
    )
