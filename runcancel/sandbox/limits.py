"""How the pretended clouds throttle: windows that slide or stand, a share refused at random, places taken by others.

Each limiter counts what it let through, as the vendors do; a refused call costs nothing. Time is real, whatever the
world's clock does: clients wait in real time.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

LimiterKey = tuple[str, int, str, str]
"""Provider, account, region and operation: each has a limiter of its own."""


class Limiter(Protocol):
    def allows(self, now: float) -> bool: ...


class SlidingWindow:
    """At most `calls` in the `seconds` before any call."""

    def __init__(self, calls: float, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        self._let_through: deque[float] = deque()

    def allows(self, now: float) -> bool:
        while self._let_through and self._let_through[0] <= now - self._seconds:
            self._let_through.popleft()
        if len(self._let_through) >= self._calls:
            return False
        self._let_through.append(now)
        return True


class FixedWindow:
    """At most `calls` in each window of `seconds`; windows begin when the clock on the wall is a multiple of it."""

    def __init__(self, calls: float, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        self._offset = time.time() - time.monotonic()
        self._window, self._count = -1, 0

    def allows(self, now: float) -> bool:
        window = int((now + self._offset) // self._seconds)
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return self._count <= self._calls


class RefusedShare:
    """Any call is refused with the same chance, however slow calls are."""

    def __init__(self, share: float, seed: int) -> None:
        self._share, self._dice = share, random.Random(seed)  # noqa: S311  chances that repeat

    def allows(self, now: float) -> bool:
        return self._dice.random() >= self._share


class SharedWindow:
    """A sliding window of which others, who come first and at random moments, take a share."""

    def __init__(self, calls: float, seconds: float, share: float, seed: int) -> None:
        self._calls, self._seconds = calls, seconds
        self._rate = share * calls / seconds
        self._dice = random.Random(seed)  # noqa: S311  others that repeat
        self._counted: deque[float] = deque()
        self._next: float | None = None

    def allows(self, now: float) -> bool:
        moment = now - self._seconds if self._next is None else self._next
        while self._rate and moment <= now:
            self._counted.append(moment)
            moment += self._dice.expovariate(self._rate)
        self._next = moment
        while self._counted and self._counted[0] <= now - self._seconds:
            self._counted.popleft()
        if len(self._counted) >= self._calls:
            return False
        self._counted.append(now)
        return True


KINDS: Mapping[str, Mapping[str, Any]] = {
    "sliding-window": {"calls": 20, "seconds": 1.0, "retry_after": None},
    "fixed-window": {"calls": 20, "seconds": 1.0, "retry_after": None},
    "refused-share": {"share": 0.33, "seed": 1, "retry_after": None},
    "shared-window": {"calls": 20, "seconds": 1.0, "taken": 0.5, "seed": 1, "retry_after": None},
}
"""Limiters that a fault rule can name, and their options."""


def limiter(kind: str, option: Callable[[str], Any]) -> Limiter:
    if kind == "refused-share":
        return RefusedShare(float(option("share")), int(option("seed")))
    calls, seconds = float(option("calls")), float(option("seconds"))
    if kind == "shared-window":
        return SharedWindow(calls, seconds, float(option("taken")), int(option("seed")))
    return FixedWindow(calls, seconds) if kind == "fixed-window" else SlidingWindow(calls, seconds)


class Limits:
    """The published limits, per account, region and operation, as sliding windows."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._windows: dict[LimiterKey, SlidingWindow] = {}
        self._lock = threading.Lock()

    def allows(self, key: LimiterKey, calls: float | None, seconds: float = 1.0) -> bool:
        if not self._enforced or calls is None:
            return True
        with self._lock:
            return self._windows.setdefault(key, SlidingWindow(calls, seconds)).allows(time.monotonic())
