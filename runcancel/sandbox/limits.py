"""The rate limits the vendors publish, per account, region and operation, in real time."""

import threading
import time
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Limits:
    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._buckets: dict[tuple[str, int, str, str], _Bucket] = {}
        self._lock = threading.Lock()

    def allows(self, place: tuple[str, int, str, str], rate: float | None) -> bool:
        """A bucket as large as one second allows, filled evenly."""
        if not self._enforced or rate is None:
            return True
        now = time.monotonic()
        with self._lock:
            bucket = self._buckets.setdefault(place, _Bucket(rate, now))
            bucket.tokens = min(rate, bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True
