"""Runs that another operation is cancelling: they are watched, and cancelled only if that operation does not do it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from runcancel.engine.tracker import RunTracker, Step
from runcancel.model.leases import Lease
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Ref

_READ_EVERY = 1.0  # seconds between two readings of the leases of others


class Leases(Protocol):
    """Where operations see each other. It is called from the caller's thread alone and raises nothing but a signal."""

    def take(self, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        """Take a lease on each of these runs; those that other operations took before."""
        ...

    def others(self) -> Mapping[Ref, Lease]:
        """The leases of other operations, now, on runs on which a lease was taken."""
        ...

    def overtake(self, runs: Sequence[Ref]) -> None:
        """The leases on these runs ran out, or nothing came of them: they are sent from here."""


class LeasedRuns:
    """The runs of one operation on which others have a lease, as far as there are `leases`.

    `touch` is called with each run that may go on.
    """

    def __init__(self, leases: Leases | None, touch: Callable[[RunTracker], None]) -> None:
        self._leases = leases
        self._touch = touch
        self._waiting: dict[Ref, RunTracker] = {}
        self._next_read = 0.0

    @property
    def due(self) -> list[float]:
        """When the leases are read next, as long as a run depends on one."""
        return [self._next_read] if self._waiting else []

    def take(self, trackers: Sequence[RunTracker], now: float) -> None:
        """Take leases on the runs among these that are to be sent, and let those wait that others cancel."""
        mine = {one.ref: one for one in trackers if one.item.ask and one.item.trigger is None}
        if not mine or self._leases is None:
            return
        leases = self._leases.take([one.item for one in mine.values()])
        for ref, lease in leases.items():
            if lease.live and ref in mine and mine[ref].step in (Step.DUE, Step.WAITING):
                self._waiting[ref] = mine[ref]
                mine[ref].respect(lease, now)
                self._touch(mine[ref])
        self._next_read = now + _READ_EVERY

    def review(self, now: float) -> None:
        """Go on with the runs whose lease has changed: watch what was accepted, send what nobody cancels."""
        if self._leases is None or not self._waiting or now < self._next_read:
            return
        leases = self._leases.others()
        overdue: list[Ref] = []
        for ref, tracker in list(self._waiting.items()):
            lease = leases.get(ref)
            if tracker.judged or (lease is not None and lease.accepted and not lease.live):
                del self._waiting[ref]  # the other operation has ended; its cancel was accepted
            if lease is not None and not tracker.judged:
                tracker.respect(lease, now)
                self._touch(tracker)
            elif not tracker.judged:
                del self._waiting[ref]
                if tracker.overtake():
                    overdue.append(ref)
                    self._touch(tracker)
        self._next_read = now + _READ_EVERY
        if overdue:
            self._leases.overtake(overdue)
