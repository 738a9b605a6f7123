"""A hold: for a time, every run that matches the filter of a cancel joins it."""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count, islice

from msgspec import Struct, structs

from runcancel.engine.connections import Clouds, batches, read
from runcancel.engine.requests import Listing, internal_error
from runcancel.engine.search import kinds_of, listing
from runcancel.engine.selection import Selection
from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Ref, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin

LISTED_EVERY = 30.0
"""Seconds between two listings of one kind of run in one scope, at least."""

_LAST_WITHIN = 15.0
"""Seconds after the end of a hold for which a listing that is out is waited for."""


class Hold(Struct, frozen=True, kw_only=True):
    """What is listed again and again, for `seconds` from the first request.

    `query` is that of the first search, which ended at the monotonic second `listed_at`. `choose` turns what is found
    into the items to send and the outcomes of the rest; it records and announces them before it returns. `listed` is
    given each listing that has ended, its error, and whether another follows; `slow` one that has not ended when the
    next one would be due, once. All are called on the caller's thread.
    """

    scopes: Sequence[Scope]
    query: Query
    listed_at: float
    seconds: float
    choose: Callable[[Sequence[Snapshot]], Selection]
    listed: Callable[[Listing, CloudError | None, bool], None]
    slow: Callable[[Listing], None]
    is_full: Callable[[], bool]


class Listed(Struct, frozen=True):
    """What one listing found beside the runs that were known."""

    snapshots: Sequence[Snapshot]
    error: CloudError | None


class HoldListings:
    """The listings of a hold, each with the second when it is due."""

    def __init__(self, hold: Hold, now: float) -> None:
        self._hold = hold
        self._until = now + hold.seconds
        self._due: list[tuple[float, int, Listing]] = []  # a heap: ten thousand scopes are ten thousand entries
        self._number = count()
        self._out: dict[Listing, float] = {}  # since when
        self._started: deque[tuple[float, Listing]] = deque()  # since when, the oldest first
        self._snapshots: dict[Ref, Snapshot] = {}
        for one in _listings(hold):
            self._plan(one, hold.listed_at)

    def pending(self, now: float) -> bool:
        """Whether more runs may join at `now`, a second of the monotonic clock."""
        if now >= self._until + _LAST_WITHIN:
            self._give_up()
        self._report_slow(now)
        waits = now < self._until and not self._hold.is_full()
        return waits or bool(self._due or self._out or self._snapshots)

    @property
    def due(self) -> list[float]:
        """The seconds at which there is something to do although nothing arrives."""
        return [
            *(due for due, _, _ in self._due[:1]),
            self._until,
            *(began + LISTED_EVERY for began, _ in islice(self._started, 1)),
            *([self._until + _LAST_WITHIN] if self._out else ()),
        ]

    def _report_slow(self, now: float) -> None:
        """Report the listings that have not ended although the next ones would be due."""
        while self._started and now >= self._started[0][0] + LISTED_EVERY:
            began, one = self._started.popleft()
            if self._out.get(one) == began:
                self._hold.slow(one)

    def take_due(self, now: float) -> list[Listing]:
        """The listings that begin now."""
        if self._hold.is_full():
            self._due.clear()
        ready: list[Listing] = []
        while self._due and self._due[0][0] <= now:
            ready.append(heappop(self._due)[2])
        self._out |= dict.fromkeys(ready, now)
        self._started += ((now, one) for one in ready)
        return ready

    def run(self, one: Listing, clouds: Clouds, trackers: Container[Ref]) -> Listed:
        """List, and read what has no tracker. Call it on a worker."""
        query = structs.replace(self._hold.query, kinds=frozenset({one.kind}))
        listed: dict[Ref, Snapshot] = {}
        error: CloudError | None = None
        try:
            for snapshot in listing(clouds, one.scope, query, set()):
                if snapshot.run.ref not in trackers:
                    listed[snapshot.run.ref] = snapshot
        except CloudError as failure:  # what came before it counts
            error = failure
        except Exception as failure:  # noqa: BLE001 - the others are listed, whatever broke
            error = internal_error(failure)
        try:
            return Listed(tuple(_read(listed, clouds)), error)
        except Exception as failure:  # noqa: BLE001 - what was listed is cancelled, whatever broke
            return Listed(tuple(listed.values()), error or internal_error(failure))

    def record(self, one: Listing, result: Listed, now: float) -> None:
        """Take the result of a listing, and plan the next one. One that came too late is dropped."""
        if one not in self._out:
            return
        del self._out[one]
        self._snapshots |= {snapshot.run.ref: snapshot for snapshot in result.snapshots}
        self._hold.listed(one, result.error, self._plan(one, now))

    def selections(self) -> Iterator[Selection]:
        """The runs that were listed since the last call, as one selection; nothing where there are none."""
        if self._snapshots:
            snapshots, self._snapshots = self._snapshots, {}
            yield self._hold.choose(tuple(snapshots.values()))

    def _give_up(self) -> None:
        """Do not wait for the listings that are out: what they would have found is not known."""
        for one in self._out:
            error = CloudError(Reason.TIMED_OUT, f"the last listing did not reply within {_LAST_WITHIN:g} s")
            self._hold.listed(one, error, False)
        self._out.clear()

    def _plan(self, one: Listing, last: float) -> bool:
        """Plan the listing after `last`, if there is one. The final one is at the end, so that it finds what started
        before.
        """
        due = last + LISTED_EVERY
        if due > self._until:
            return False
        due = self._until if self._until - due < LISTED_EVERY else due
        heappush(self._due, (due, next(self._number), one))
        return True


def _listings(hold: Hold) -> Iterator[Listing]:
    for scope in hold.scopes:
        for kind in kinds_of(scope, hold.query):
            if hold.query.facts <= kind.lists:
                yield Listing(scope, kind.name)


def _read(listed: dict[Ref, Snapshot], clouds: Clouds) -> Iterable[Snapshot]:
    """The runs with their targets, where the listing has none; as listed where they cannot be read."""
    partly = [ref for ref, snapshot in listed.items() if not snapshot.whole]
    whole = dict(listed)
    for batch in batches(partly):
        try:
            answers = dict(read(clouds, batch))
        except CloudError:
            continue
        whole |= {ref: _as_listed(one, listed[ref]) for ref, one in answers.items() if isinstance(one, Snapshot)}
    return whole.values()


def _as_listed(reading: Snapshot, listed: Snapshot) -> Snapshot:
    """A reading with the trigger and the fact of its listing, which a reading does not have."""
    run = structs.replace(reading.run, matched_by=listed.run.matched_by)
    if not run.trigger_known and listed.run.trigger_known:
        run = Origin.of(listed.run).put_into(run)
    return structs.replace(reading, run=run)
