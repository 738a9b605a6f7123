"""The requests that the simulated clouds received, in order."""

import threading
from collections import deque
from dataclasses import dataclass, field, fields

from runcancel.sandbox.wire import Document

KEPT = 200_000


@dataclass(slots=True)
class LogEntry:
    """One API request. `effective`: it changed something in the world; `faults`: which rules struck it.

    `arrived` and `real_time` are the epoch seconds at which it came and was answered.
    """

    provider: str
    service: str = ""
    account: int | None = None
    region: str = ""
    action: str = ""
    params: Document = field(default_factory=dict)
    effective: bool = False
    error: str | None = None
    status: int = 200
    faults: tuple[str, ...] = ()
    request_id: str = ""
    user_agent: str = ""
    arrived: float = 0.0
    world_time: float = 0.0
    real_time: float = 0.0


_KEYS = tuple(each.name for each in fields(LogEntry))


class Log:
    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, entry: LogEntry) -> None:
        with self._lock:
            self._entries.append(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def shown(self) -> list[Document]:
        """Every request. `params` are those of the entry, not a copy: a log is read many times while it grows."""
        with self._lock:
            entries = [*self._entries]
        return [{key: getattr(each, key) for key in _KEYS} for each in entries]
