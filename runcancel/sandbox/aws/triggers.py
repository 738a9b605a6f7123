"""EventBridge rules, which start runs as time goes on; schedules and associations, which are only listed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runcancel.sandbox.aws.windows import Window
from runcancel.sandbox.world import Book

DAY = 86_400.0


@dataclass(slots=True, kw_only=True)
class EventRule:
    """A rule of EventBridge. `at`: the second of the day of a scheduled one, None for one that waits for events."""

    bus: str
    name: str
    targets: list[dict[str, Any]]
    at: float | None = None
    pattern: str = ""
    state: str = "ENABLED"
    managed_by: str = ""
    start: Callable[[float], object] = lambda now: None

    def tick(self, now: float) -> float:
        if self.state != "DISABLED":
            self.start(now)
        return due(self.at or 0.0, now)

    @property
    def schedule(self) -> str:
        return "" if self.at is None else daily(self.at, weekday="*", day="?")


@dataclass(slots=True, kw_only=True)
class Schedule:
    """A schedule of EventBridge Scheduler; the sandbox lists it and starts nothing by it."""

    group: str
    name: str
    target: dict[str, Any]
    expression: str
    zone: str = "UTC"
    state: str = "ENABLED"
    created: float = 0.0


@dataclass(slots=True, kw_only=True)
class Association:
    """A State Manager association; the sandbox lists it and starts nothing by it."""

    id: str
    name: str
    document: str
    expression: str
    parameters: dict[str, list[str]]
    targets: list[dict[str, Any]]
    version: str = "1"


@dataclass(slots=True, kw_only=True)
class Starters:
    """All that one book has of these."""

    rules: list[EventRule] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)


def starters(book: Book) -> Starters:
    return book.beside(Starters)


def daily(at: float, *, weekday: str, day: str) -> str:
    """A cron expression of six fields for every day at this second."""
    return f"cron({int(at // 60 % 60)} {int(at // 3600)} {day} * {weekday} *)"


def due(at: float, now: float) -> float:
    """The next time after `now` that the day is `at` seconds old."""
    return now - (now - at) % DAY + DAY


def follow(book: Book, window: Window, start: Callable[[float], object], now: float) -> None:
    """The window starts an execution each day, as long as it is enabled."""

    def tick(then: float) -> float:
        if window.enabled:
            start(then)
        return due(window.at, then)

    book.watch(due(window.at, now), tick)
