"""States over time as inline SVG: areas on each other, a step at each reading. It loads nothing and runs nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from runcancel.model.incident import StateSample
from runcancel.model.states import State
from runcancel.render.screens.words import readable

_WIDTH, _HEIGHT = 900, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 34
_TIMES, _COUNTS = 5, 4  # labels of an axis
_ROUND = (1, 2, 5)

STACKED = (
    State.CANCELLED,
    State.TERMINATED,
    State.SUCCEEDED,
    State.FAILED,
    State.TIMED_OUT,
    State.UNDELIVERED,
    State.SKIPPED,
    State.CANCELLING,
    State.UNKNOWN,
    State.RUNNING,
    State.SCHEDULED,
    State.PENDING,
)
"""From the bottom up: what has ended grows, what is open shrinks."""


class _Scale(Struct, frozen=True):
    """Where a moment and a count are in the picture."""

    begins: datetime
    ends: datetime
    most: int

    def x(self, at: datetime) -> float:
        whole = (self.ends - self.begins) / timedelta(seconds=1)
        share = (at - self.begins) / timedelta(seconds=1) / whole
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, count: float) -> float:
        return round(_HEIGHT - _BOTTOM - count / self.most * (_HEIGHT - _TOP - _BOTTOM), 1)


def chart(samples: Sequence[StateSample]) -> str:
    """The picture; empty where there is no time between the first reading and the last, or no target."""
    most = max((sum(sample.counts.values()) for sample in samples), default=0)
    if not most or samples[0].at == samples[-1].at:
        return ""
    scale = _Scale(samples[0].at, samples[-1].at, most)
    parts = (*_areas(samples, scale), *_counts(scale), *_times(scale))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="chart-title chart-text">'
        '<title id="chart-title">Targets in each state over time</title>'
        f'<desc id="chart-text">{_spoken(samples)}</desc>{"".join(parts)}</svg>'
    )


def present(samples: Sequence[StateSample]) -> list[State]:
    """The states that occur, from the bottom up."""
    return [state for state in STACKED if any(sample.counts.get(state) for sample in samples)]


def _areas(samples: Sequence[StateSample], scale: _Scale) -> Iterator[str]:
    below = [0] * len(samples)
    for state in present(samples):
        above = [low + sample.counts.get(state, 0) for low, sample in zip(below, samples, strict=True)]
        edge = _steps(samples, above, scale)
        floor = reversed(_steps(samples, below, scale))
        points = " ".join(f"{x},{y}" for x, y in (*edge, *floor))
        yield f'<polygon class="s-{state}" points="{points}"/>'
        below = above


def _steps(samples: Sequence[StateSample], counts: Sequence[int], scale: _Scale) -> list[tuple[float, float]]:
    """A count holds until the next reading."""
    points: list[tuple[float, float]] = []
    for sample, count in zip(samples, counts, strict=True):
        x = scale.x(sample.at)
        if points:
            points.append((x, points[-1][1]))
        points.append((x, scale.y(count)))
    return points


def _counts(scale: _Scale) -> Iterator[str]:
    step = _round_up(scale.most / _COUNTS)
    for count in range(0, scale.most + 1, step):
        y = scale.y(count)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>'
        yield f'<text class="axis" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{count:,}</text>'


def _times(scale: _Scale) -> Iterator[str]:
    form = "%H:%M:%S" if scale.ends - scale.begins < timedelta(days=1) else "%m-%d %H:%M"
    for index in range(_TIMES):
        at = scale.begins + (scale.ends - scale.begins) * index / (_TIMES - 1)
        anchor = "start" if index == 0 else "end" if index == _TIMES - 1 else "middle"
        label = at.astimezone().strftime(form)
        yield f'<text class="axis" x="{scale.x(at)}" y="{_HEIGHT - 12}" text-anchor="{anchor}">{label}</text>'


def _round_up(step: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, …"""
    size = 1
    while True:
        for factor in _ROUND:
            if factor * size >= step:
                return factor * size
        size *= 10


def _spoken(samples: Sequence[StateSample]) -> str:
    return f"At first {_tally(samples[0])}; at last {_tally(samples[-1])}."


def _tally(sample: StateSample) -> str:
    return ", ".join(f"{sample.counts[state]:,} {readable(state)}" for state in STACKED if sample.counts.get(state))
