"""Limiters as clouds have them, and calls that meet them: models that share nothing with the program's own limiter.

Time is simulated; a run of minutes takes milliseconds.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from runcancel.runtime.limiter import Limiter, Rate, Ticket

Server = Callable[[float], bool]
"""Whether a call that arrives at this second is let through."""


def sliding(calls: int, seconds: float = 1.0) -> Server:
    """At most `calls` let through in the seconds before each."""
    through: list[float] = []

    def allows(now: float) -> bool:
        through[:] = [one for one in through if one > now - seconds]
        if len(through) >= calls:
            return False
        through.append(now)
        return True

    return allows


def fixed(calls: int, seconds: float = 1.0, *, phase: float = 0.37) -> Server:
    """At most `calls` in each window of a fixed grid."""
    counts: dict[int, int] = {}

    def allows(now: float) -> bool:
        window = int((now + phase * seconds) // seconds)
        counts[window] = counts.get(window, 0) + 1
        return counts[window] <= calls

    return allows


def bucket(rate: float, burst: float) -> Server:
    """A token bucket."""
    tokens, at = burst, 0.0

    def allows(now: float) -> bool:
        nonlocal tokens, at
        tokens, at = min(burst, tokens + (now - at) * rate), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return allows


def refusing(share: float, seed: int) -> Server:
    """A share of all calls is refused, however slow they are."""
    dice = random.Random(seed)
    return lambda now: dice.random() >= share


def every(number: int) -> Server:
    """One call in so many is refused, in turn."""
    count = 0

    def allows(now: float) -> bool:
        nonlocal count
        count += 1
        return count % number != 0

    return allows


def taken(server: Server, rate: float, seed: int) -> Server:
    """Others call as well, at random moments, so many times a second."""
    dice = random.Random(seed)
    coming = [0.0]

    def allows(now: float) -> bool:
        while coming[0] < now:
            server(coming[0])
            coming[0] = max(coming[0], now - 5.0) + dice.expovariate(rate)
        return server(now)

    return allows


def both(*servers: Server) -> Server:
    """Let through by each, asked in turn."""
    return lambda now: all(server(now) for server in servers)


@dataclass
class Ran:
    """What came of it: seconds until the last call was let through, and every arrival with its fate."""

    seconds: float = 0.0
    arrivals: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def refused(self) -> float:
        return sum(not ok for _, ok in self.arrivals) / len(self.arrivals)

    def most_in(self, seconds: float) -> int:
        """The largest number of arrivals in a window."""
        moments = sorted(moment for moment, _ in self.arrivals)
        first = most = 0
        for last, moment in enumerate(moments):
            while moments[first] <= moment - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


def run(
    server: Server, calls: int, rates: Sequence[Rate], *, latency: float = 0.02, jitter: float = 0.01, seed: int = 0
) -> Ran:
    """`calls` calls by each of some processes, eight threads each. A refused call joins the queue again.

    A request is on its way for half the `latency` and up to `jitter` seconds more; so is its reply.
    """
    dice = random.Random(seed)
    limiters = [Limiter(rate) for rate in rates]
    left = [calls for _ in rates]
    ran, began, number = Ran(), 1000.0, 0
    events: list[tuple[float, int, str, int, Ticket | None, bool]] = []

    def at(moment: float, what: str, process: int, ticket: Ticket | None = None, *, ok: bool = False) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (moment, number, what, process, ticket, ok))

    for process in range(len(rates)):
        for _ in range(8):
            at(began + dice.random() * 0.01, "go", process)
    while events:
        now, _, what, process, ticket, ok = heapq.heappop(events)
        delay = latency / 2 + dice.random() * jitter
        if what == "go" and left[process]:
            leave = limiters[process].take(now)
            if isinstance(leave, Ticket):
                left[process] -= 1
                at(now + delay, "arrives", process, leave)
            else:
                at(now + min(leave, 0.25) + 0.0001 + dice.random() * 0.002, "go", process)
        elif what == "arrives":
            through = server(now)
            ran.arrivals.append((now, through))
            at(now + delay, "replied", process, ticket, ok=through)
        elif what == "replied" and ticket is not None:
            if ok:
                limiters[process].record_reply(ticket, now)
                ran.seconds = now - began
            else:
                limiters[process].refused(ticket, now)
                left[process] += 1
            at(now, "go", process)
    return ran
