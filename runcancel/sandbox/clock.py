"""The one clock of a sandbox: real time, real time made faster, or time that moves only when told."""

import threading
import time
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """World time in epoch seconds.

    With `tick`, time stands still except that every API request moves it; with speed 0 only `advance` does.
    """

    def __init__(self, *, speed: float = 1.0, tick: float | None = None) -> None:
        self._speed = 0.0 if tick is not None else speed
        self._tick = tick or 0.0
        self._base = time.time()
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self.skew = 0.0
        """Seconds by which the clouds' own clocks are ahead of this machine's: of signatures and of `Date` headers."""
        self.epoch = self._base

    def now(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._speed

    def wall(self) -> float:
        """What the clouds take for the real time."""
        return time.time() + self.skew

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._base += seconds

    def request_arrives(self) -> None:
        if self._tick:
            self.advance(self._tick)


@lru_cache(maxsize=4096)
def utc(moment: float | None) -> str | None:
    """`2026-11-21T02:22:44Z`, whole seconds."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()[:19] + "Z"
