"""How often one API may be called: the documented limit, and what the cloud's refusals teach.

A limiter hands out waiting times, never sleeps, and takes the time as an argument: it can be run against models of the
clouds' own limiters. All of it is safe to share by threads.
"""

import math
import threading
from bisect import insort
from collections import deque

from msgspec import Struct


class Rate(Struct, frozen=True):
    """`calls` in any window of `seconds`. Where no limit is documented, `calls` a second are only where to begin."""

    calls: int
    seconds: float = 1.0
    documented: bool = True


class Ticket:
    """Leave for one call. Seconds on the caller's clock; `answered_at` is None while the call is in flight."""

    __slots__ = ("answered_at", "epoch", "sent_at")

    def __init__(self, sent_at: float, epoch: int) -> None:
        self.sent_at = sent_at
        self.epoch = epoch
        self.answered_at: float | None = None


_MARGIN = 0.02  # of a window, at most _MOST_MARGIN: clocks and schedulers are not exact
_MOST_MARGIN = 0.05  # seconds
_MOST_DELAY = 1.0  # seconds for which a request may be on its way before it counts as arrived
_SAMPLES = 20  # replies after which it is known what time every request needs

_FASTEST = 10  # times the rate to begin with, where no limit is documented
_SLOWEST = 4  # a rate never falls below the fourth part of the usual one
_GROWTH = 1.1  # after each answer, until the first refusal, where no limit is documented
_LONGEST_STEP = 5.0  # seconds of growth that one answer brings at most
_SPACING_SLACK = 0.1  # seconds by which a late call may be made up for

_EPOCH = 1.0  # seconds for which refusals are counted before the rate changes, at least
_FEWEST = 5  # replies in an epoch, without which its share of refusals means nothing
_TOLERATED = 0.1  # share of refusals that changes nothing: the limit is used up, and that is the purpose
_STEADY = 1.3  # times what the epoch accepted: the two seconds before accepted more, so a burst has just been used up
_MUCH_LESS = 0.4  # of the share that was accepted before
_KEEP = 12.0  # seconds for which the rate is not slowed when that was of no use, or
_KEEP_EPOCHS = 4  # so many epochs, whichever is longer

_NOTHING_IN_A_ROW = 10  # refusals, or those of two seconds at the usual rate, and
_NOTHING_FOR = 1.5  # seconds without a reply: nothing passes
_PROBE_PAUSES = (1.0, 2.0, 3.0)  # seconds between the calls that look whether that is over; the last goes on


class _Before(Struct, frozen=True, kw_only=True):
    """What was seen before calls were slowed: calls a second, and the share of them that was refused."""

    rate: float
    share: float

    def seems_random(self, calls: float, share: float) -> bool:
        """Whether the share that is refused at another rate is more like the one before than like what a limit does."""
        by_limit = max(0.0, 1 - self.rate * (1 - self.share) / calls)
        much_worse = 1 - share < (1 - self.share) * _MUCH_LESS  # no chance does that: fewer places are left
        return share > (self.share + by_limit) / 2 and not much_worse


class Limiter:
    """When the next call of one API may leave.

    - A documented limit holds for every window of its length, by the times at which calls may *arrive*: a call counts
      from the moment at which it left until it certainly arrived, so that a slow connection squeezes none together.
    - Refusals are counted for an epoch. More than a tenth: calls leave evenly, at the rate that was accepted. If that
      made refusals no fewer, they are not a question of rate (a share refused at random): the rate comes back at once
      and stays for a while. Else it comes back with every call that is accepted.
    - When no call is accepted, one call at a time tests whether the next window has started. Then calls continue at the
      earlier rate.
    - The server's own word, `retry_after`, holds every call.
    """

    def __init__(self, rate: Rate) -> None:
        self._limit = rate if rate.documented else None
        full = rate.calls / rate.seconds
        self._full = full if rate.documented else full * _FASTEST
        self._rate = math.inf if rate.documented else full
        self._usual = full
        self._step = full / 2
        self._slack = _SPACING_SLACK if rate.documented else 1.0
        self._probing = not rate.documented  # until the first refusal
        self._window: deque[Ticket] = deque()
        self._accepted: deque[float] = deque()  # within the last two seconds
        self._departures: deque[float] = deque()  # within the last second
        self._least = math.inf  # the shortest answer
        self._samples = 0
        self._took = 0.0  # all of them together
        self._due = 0.0  # when the next call is due if calls leave evenly
        self._held_until = 0.0
        self._latest = 0.0  # when leave was last requested
        self._epoch = 0
        self._epoch_began: float | None = None  # with its first reply
        self._epoch_accepted = self._epoch_refused = 0
        self._replied = 0.0
        self._before: _Before | None = None  # what was seen when calls were slowed; None while they are not
        self._keep_until = 0.0
        self._in_a_row = 0  # refusals since the last accepted call
        self._row_began = 0.0
        self._probes = 0  # since nothing gets through; 0 while calls do
        self._probe_at = 0.0
        self._lock = threading.Lock()

    def take(self, now: float) -> Ticket | float:
        """Leave for one call now, or the seconds after which to come again."""
        with self._lock:
            self._latest = now
            wait = max(self._held_until, self._probe_at if self._probes else 0.0, self._free_at(now)) - now
            spaced = self._due - self._slack - now
            if max(wait, spaced) > 0:
                return max(wait, spaced)
            if self._probes:
                self._probes += 1
                self._probe_at = now + _PROBE_PAUSES[min(self._probes, len(_PROBE_PAUSES)) - 1]
            if self._rate < math.inf:
                self._due = max(self._due, now) + 1 / self._rate
            ticket = Ticket(now, self._epoch)
            self._departures.append(now)
            if self._limit is not None:
                self._window.append(ticket)
            return ticket

    @property
    def throttled(self) -> bool:
        """Whether calls wait because the cloud refused some, and not for the documented limit alone."""
        with self._lock:
            return self._probes > 0 or self._held_until > self._latest

    def record_reply(self, ticket: Ticket, now: float) -> None:
        """The cloud accepted the call, whatever its reply was."""
        with self._lock:
            self._replied_to(ticket, now)
            self._accepted.append(now)
            self._in_a_row = self._probes = 0
            if self._probing:
                self._rate = min(self._rate * _GROWTH, self._full)
            self._count(ticket, now, refused=False)

    def refused(self, ticket: Ticket, now: float, retry_after: float | None = None) -> None:
        """The cloud refused the call for its rate, and requests a retry after `retry_after` seconds."""
        with self._lock:
            self._replied_to(ticket, now)
            if self._probing:
                self._probing, self._slack, self._due = False, _SPACING_SLACK, now
            if retry_after:
                self._held_until = max(self._held_until, now + retry_after)
            if not self._in_a_row:
                self._row_began = now
            self._in_a_row += 1
            in_a_row = self._in_a_row >= max(_NOTHING_IN_A_ROW, 2 * self._usual)
            if in_a_row and not self._probes and now - self._row_began >= _NOTHING_FOR:
                self._nothing_passes(now)
            self._count(ticket, now, refused=True)

    def lost(self, ticket: Ticket, now: float) -> None:
        """The call ended without a reply."""
        with self._lock:
            self._ended(ticket, now)

    def _replied_to(self, ticket: Ticket, now: float) -> None:
        self._ended(ticket, now)
        took = min(now - ticket.sent_at, _MOST_DELAY)
        self._least = min(self._least, took)
        self._samples += 1
        self._took += took

    def _ended(self, ticket: Ticket, now: float) -> None:
        ticket.answered_at = now
        _forget(self._accepted, now - 2.0)
        _forget(self._departures, now - 1.0)

    def _free_at(self, now: float) -> float:
        """When the documented limit lets the next call through."""
        if self._limit is None:
            return now
        while self._window and self._leaves_window(self._window[0], now) <= now:
            self._window.popleft()
        over = len(self._window) - self._limit.calls
        if over < 0:
            return now
        soonest: list[float] = []
        for ticket in self._window:
            if len(soonest) > over and soonest[over] <= ticket.sent_at + self._limit.seconds:
                break  # it leaves later, and so does each that was sent after it
            insort(soonest, self._leaves_window(ticket, now))
        return soonest[over]

    def _leaves_window(self, ticket: Ticket, now: float) -> float:
        """When a call counts no longer: a window after the latest time at which it can have arrived.

        Whatever it took longer than every request needs, it may have been on its way.
        """
        seconds = 1.0 if self._limit is None else self._limit.seconds
        took = (now if ticket.answered_at is None else ticket.answered_at) - ticket.sent_at
        late = min(max(0.0, took - self._needed), _MOST_DELAY)
        return ticket.sent_at + late + seconds + min(seconds * _MARGIN, _MOST_MARGIN)

    @property
    def _needed(self) -> float:
        """Seconds that every request needs: less than the shortest that was seen, by as much as they differ."""
        if self._samples < _SAMPLES:
            return 0.0
        return max(0.0, self._least - (self._took / self._samples - self._least) / 2)

    def _count(self, ticket: Ticket, now: float, *, refused: bool) -> None:
        """Take one reply into its epoch, and end the epoch when it has lasted."""
        if ticket.epoch != self._epoch:
            return
        if self._epoch_began is not None and now - self._replied > _LONGEST_STEP:
            self._next_epoch()
            ticket.epoch = self._epoch
        if self._epoch_began is None:
            self._epoch_began = now
        self._epoch_refused += refused
        self._epoch_accepted += not refused
        replies = self._epoch_accepted + self._epoch_refused
        if not refused:
            self._faster(min(now - self._replied, _LONGEST_STEP))
        self._replied = now
        lasted = now - self._epoch_began
        if lasted >= _EPOCH and replies >= _FEWEST:
            self._judge(now, lasted)
            self._next_epoch()

    def _next_epoch(self) -> None:
        self._epoch += 1
        self._epoch_began, self._epoch_accepted, self._epoch_refused = None, 0, 0

    def _judge(self, now: float, lasted: float) -> None:
        """Slower, or as before, by what the epoch that ends now showed."""
        share, accepted = self._share, self._epoch_accepted / lasted
        calls = (self._epoch_accepted + self._epoch_refused) / lasted
        if share <= _TOLERATED or now < self._keep_until:
            return
        if self._before is not None and self._before.seems_random(calls, share):
            self._rate = self._before.rate if self._limit is None else self._full
            self._before = None
            self._keep_until = now + max(_KEEP, _KEEP_EPOCHS * lasted)
            return
        if self._before is None and len(self._accepted) / 2 > accepted * _STEADY:  # a burst is just used up
            return
        self._before = _Before(rate=min(self._rate, max(len(self._departures), calls)), share=share)
        slower = max(accepted, len(self._accepted) / 2) or calls / 2
        self._rate = max(min(self._rate, slower), self._usual / _SLOWEST)
        self._step = max(self._rate / 2, self._usual / _SLOWEST)
        self._due = max(self._due, now)

    @property
    def _share(self) -> float:
        """The share of refusals in this epoch."""
        return self._epoch_refused / (self._epoch_accepted + self._epoch_refused)

    def _faster(self, seconds: float) -> None:
        """By one step a second. Even at the full rate calls leave evenly: whoever refused some may not like bursts."""
        if self._probing or self._rate >= self._full:
            return
        self._rate = min(self._rate + self._step * seconds, self._full)
        if self._before is not None and self._rate >= self._before.rate:
            self._before = None

    def _nothing_passes(self, now: float) -> None:
        """From now on one call at a time tests whether calls are accepted again."""
        self._probes, self._probe_at, self._before = 1, now + _PROBE_PAUSES[0], None
        self._next_epoch()


def _forget(moments: deque[float], before: float) -> None:
    while moments and moments[0] < before:
        moments.popleft()
