"""Look at runs again and again: scope by scope, in batches, at growing intervals."""

from collections.abc import Iterable

from runcancel.clouds import Batch, Clouds, batches, read
from runcancel.errors import CloudError
from runcancel.fanout import Desk, Pass
from runcancel.model import Ref, Snapshot

FIRST_PAUSE = 0.5  # seconds before the first look, and the least between two
LONGEST_PAUSE = 5.0  # seconds between two looks
_IDLE = 0.1  # seconds after which `next` comes back though nothing was read, so that deadlines can be looked at

Readings = tuple[tuple[Ref, Snapshot | CloudError], ...]


class Watch:
    """The runs still watched. A scope that hangs holds up no other."""

    def __init__(
        self,
        refs: Iterable[Ref],
        clouds: Clouds,
        desk: Desk,
        *,
        full: bool = True,
        first: float = FIRST_PAUSE,
        longest: float = LONGEST_PAUSE,
    ) -> None:
        self.left = dict.fromkeys(refs)
        self._clock = desk.clock
        self._lanes = Pass[Batch, Readings](desk, lambda batch: read(clouds, batch, full=full))
        now = self._clock.monotonic()
        self._rounds = {ref.scope: _Round(now, first=first, longest=longest) for ref in self.left}

    def next(self) -> Readings | None:
        """The next answer to a read call about runs still watched; None when nothing came for a while.

        Raises `Interrupted` after a signal.
        """
        now = self._clock.monotonic()
        for scope, round in self._rounds.items():
            if round.due(now):
                for batch in round.begin(batches(ref for ref in self.left if ref.scope == scope)):
                    self._lanes.submit(batch, lane=scope)
        done = self._lanes.next(_IDLE)
        if done is None:
            return None
        self._rounds[done.item.scope].came_back(self._clock.monotonic())
        return tuple(pair for pair in done.value() if pair[0] in self.left)

    def drop(self, ref: Ref) -> None:
        """Watch this run no longer."""
        self.left.pop(ref, None)


class _Round:
    """When a scope is looked at next: soon at first, then ever less often, never before the last look came back."""

    def __init__(self, began: float, *, first: float, longest: float) -> None:
        self._began = began
        self._longest = longest
        self._next_at = began + first
        self._out = 0

    def due(self, now: float) -> bool:
        """Whether it is time and nothing is out."""
        return not self._out and now >= self._next_at

    def begin(self, calls: Iterable[Batch]) -> tuple[Batch, ...]:
        """The read calls of this round."""
        sent = tuple(calls)
        self._out = len(sent)
        return sent

    def came_back(self, now: float) -> None:
        """One read call was answered."""
        self._out -= 1
        if not self._out:
            self._next_at = now + min(self._longest, max(FIRST_PAUSE, (now - self._began) / 4))
