"""Cancels against limiters of every shape: seconds over what the limiter lets a client do that knows it."""

import math
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.place import HOME_REGION, RUNCANCEL, Place, sandbox
from benchmarks.report import Figure, Part, table

RATE = 20  # calls a second, documented by Tencent Cloud for each API
_SENT = "CancelInvocation"
_STOPPED = "StopInvocation"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One limiter. `ideal` is the seconds that so many accepted cancels take a client that knows it.

    `faults` are rules of the sandbox beside the published limits; `runs` are cancelled, by each of some processes.
    """

    name: str
    faults: tuple[str, ...]
    ideal: Callable[[int], float]
    provider: str = "tencent"
    runs: int = 200


@dataclass(frozen=True, kw_only=True)
class Throttled:
    """What became of one shape: seconds from the first cancel to the last accepted one, and calls on the way.

    `most` is the largest number of cancels that the server let through in a second.
    """

    shape: str
    processes: int
    runs: int
    ideal: float
    took: float
    calls: int
    most: int

    @property
    def ratio(self) -> float:
        """The time that it took over the ideal."""
        return self.took / self.ideal


def _window(calls: float, seconds: float) -> Callable[[int], float]:
    return lambda runs: (math.ceil(runs / calls) - 1) * seconds


def shapes(*, quick: bool) -> Sequence[Shape]:
    """The limiters of design §4. Where nothing is stated, Tencent Cloud's documented 20 a second hold beside."""
    runs = 100 if quick else 200
    return (
        Shape(name="sliding second, 20", faults=(), ideal=_window(RATE, 1.0), runs=runs),
        Shape(
            name="fixed second, 10",
            faults=(f"tencent:{_SENT}=fixed-window,calls=10,seconds=1",),
            ideal=_window(10, 1.0),
            runs=runs // 2,
        ),
        Shape(
            name="every third refused at random",
            faults=(f"tencent:{_SENT}=refused-share,share=0.33",),
            ideal=lambda runs: runs / 0.67 / RATE - 1,
            runs=runs,
        ),
        Shape(
            name="half of 20 taken by others",
            faults=(f"tencent:{_SENT}=shared-window,calls=20,seconds=1,taken=0.5",),
            ideal=lambda runs: runs / (RATE / 2) - 1,
            runs=runs // 2,
        ),
        Shape(
            name="fixed 15 seconds, 60 (undocumented)",
            faults=(f"alibaba:{_STOPPED}=fixed-window,calls=60,seconds=15",),
            ideal=lambda runs: 0.0,
            provider="alibaba",
            runs=150,
        ),
    )


def throttled(*, quick: bool) -> Iterator[Throttled]:
    """Every shape, for one process and for three that share the runs."""
    for shape in shapes(quick=quick):
        for processes in (1, 3):
            yield _one(shape, processes)


def _one(shape: Shape, processes: int) -> Throttled:
    with sandbox(limits=True, faults=shape.faults) as place:
        ids = place.add(shape.provider, count=shape.runs, runs_for=3600.0)
        if shape.provider == "alibaba":
            _wait_for_window(15.0)
        _cancel(place, shape, ids, processes)
        sent = [each for each in place.box.log.shown() if each["action"] in (_SENT, _STOPPED)]
    accepted = sorted(each["arrived"] for each in sent if each["error"] is None)
    began = min(each["arrived"] for each in sent)
    ideal = shape.ideal(shape.runs) or _by_the_clock(began, shape.runs, calls=60, seconds=15.0)
    return Throttled(
        shape=shape.name,
        processes=processes,
        runs=shape.runs,
        ideal=ideal,
        took=accepted[-1] - began,
        calls=len(sent),
        most=most_in_a_window(accepted, 1.0),
    )


def _cancel(place: Place, shape: Shape, ids: Sequence[str], processes: int) -> None:
    region = HOME_REGION[shape.provider]
    refs = [f"{shape.provider}:{region}:invocation/{id}" for id in ids]
    options = ["--max-runs", "1000000", "--no-wait", "-o", "jsonl"]
    started = [
        subprocess.Popen(
            [RUNCANCEL, "cancel", *refs[number::processes], *options],
            env=place.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(processes)
    ]
    for process in started:
        _, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{shape.name}: {err.decode()[-2000:]}")


def _wait_for_window(seconds: float) -> None:
    """Until two seconds before a window begins: a client that knows it would use what is left of this one, too."""
    time.sleep((-time.time() - 2.0) % seconds)


def _by_the_clock(began: float, runs: int, *, calls: int, seconds: float) -> float:
    """Seconds from the first call until the window begins in which the last of `runs` calls has its place."""
    windows = math.ceil(runs / calls) - 1
    return (began // seconds + windows) * seconds - began


def most_in_a_window(moments: Sequence[float], seconds: float) -> int:
    """The largest number of moments in any window of so many seconds."""
    ordered = sorted(moments)
    first = most = 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def shown(found: Iterable[Throttled]) -> str:
    """One line per limiter and number of processes."""
    return table(
        ("limiter", "processes", "runs", "calls", "ideal", "ours", "ratio", "most in a second"),
        (
            (
                one.shape,
                str(one.processes),
                str(one.runs),
                str(one.calls),
                f"{one.ideal:.1f} s",
                f"{one.took:.1f} s",
                f"{one.ratio:.2f}",
                str(one.most),
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figure of its budget."""
    found = list(throttled(quick=quick))
    worst = max(one.ratio for one in found)
    return Part(text=shown(found), figures={"throttled": Figure(value=worst, how="log of the server")})
