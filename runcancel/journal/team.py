"""A team's journal beside that of this machine: what is recorded goes to both, what is read comes from both.

The file of this machine is written first and waits for nobody. The team's follows on a thread of its own, so that a
slow server holds up no cancel. After its first failure only the file is used.
"""

import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from runcancel.errors import JournalError
from runcancel.journal.base import Copy, Entry, Journal
from runcancel.journal.copies import combined, copy_of, together
from runcancel.journal.courier import Courier
from runcancel.journal.restores import unrestored
from runcancel.model.events import JournalEvent
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, Intent, Limits, Operation, Outcome, PlanItem, Started
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Stage

T = TypeVar("T")

SYNC = "runcancel history sync"

_ALIVE = timedelta(minutes=1)  # after the last event of an unfinished operation, in which its process may live
_PAGE = 50  # operations that are read at first: most readers need the newest only
_Pause = Callable[[float], None]
_Parts = tuple[Operation | None, Operation | None]  # what this machine has of an operation, and what the team has


class TeamJournal(Journal):
    """Both journals as one. `lost` is called once, with what went wrong, when the team's can no longer be used.

    `local` is None where this machine has no journal, or none can be written: then every write waits for the team's.
    """

    def __init__(
        self, local: Journal | None, courier: Courier, lost: Callable[[Exception], None], pause: _Pause | None = None
    ) -> None:
        self._local = local
        self._courier: Courier | None = courier
        self._lost = lost
        self._pause = pause
        self._parts: dict[str, _Parts] = {}
        self._failure = JournalError("the journal cannot be used")
        self._pruning: tuple[datetime, AbstractSet[str]] | None = None
        self.left_out = 0  # operations that a sync did not copy, because they were pruned

    def close(self) -> None:
        if self._local is not None:
            self._local.close()
        courier = self._courier
        if courier is not None:
            try:
                courier.close()
            except JournalError as error:
                self._lose(error)

    # written

    def begin(
        self,
        operation: Operation,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        self._write(lambda journal: journal.begin(operation, items, limits, events), wait=True)

    def claim(self, id: str, events: Sequence[JournalEvent], earlier: Sequence[Started] | None = None) -> bool:
        self.level(id)
        if self._ask(lambda journal: journal.claim(id, events, earlier), self._pause) is False:
            return False
        try:
            return self._local is None or self._local.claim(id, events, earlier)
        except JournalError as error:
            self._local, self._failure = None, error
            return True

    def resume(
        self,
        id: str,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        self.level(id)
        self._write(lambda journal: journal.resume(id, items, limits, events), wait=True)

    def join(self, id: str, items: Sequence[PlanItem | Intent], events: Sequence[JournalEvent] = ()) -> None:
        self._write(lambda journal: journal.join(id, items, events))  # the lease, taken next, waits for it

    def record_read(
        self, id: str, entries: Sequence[tuple[RunName, PlanItem | None]], events: Sequence[JournalEvent] = ()
    ) -> None:
        self._write(lambda journal: journal.record_read(id, entries, events))

    def responded(self, id: str, run: Ref, answer: CancelResponse, events: Sequence[JournalEvent] = ()) -> None:
        self._write(lambda journal: journal.responded(id, run, answer, events))

    def judged(self, id: str, outcome: Outcome, events: Sequence[JournalEvent] = ()) -> None:
        self._write(lambda journal: journal.judged(id, outcome, events))

    def record(self, id: str, events: Sequence[JournalEvent]) -> None:
        self._write(lambda journal: journal.record(id, events))

    def lease(self, id: str, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        ours = self._of_file(lambda journal: journal.lease(id, items))
        return {**ours, **(self._ask(lambda journal: journal.lease(id, items), self._pause) or {})}

    def leases(self, id: str) -> Mapping[Ref, Lease]:
        ours = self._of_file(lambda journal: journal.leases(id))
        return {**ours, **(self._ask(lambda journal: journal.leases(id), self._pause) or {})}

    def sign(self, id: str, events: Sequence[JournalEvent] = ()) -> None:
        self._write(lambda journal: journal.sign(id, events))

    def silence(self, id: str) -> float | None:
        ours = None if self._local is None else self._local.silence(id)
        theirs = self._ask(lambda journal: journal.silence(id))
        return min((one for one in (ours, theirs) if one is not None), default=None)

    def end(self, id: str, state: Stage, exit_code: int, events: Sequence[JournalEvent] = ()) -> None:
        self._write(lambda journal: journal.end(id, state, exit_code, events))

    def replace(self, copy: Copy) -> None:
        self._write(lambda journal: journal.replace(copy), wait=True)

    def prune(self, before: datetime, *, keep: AbstractSet[str] = frozenset()) -> tuple[Operation, ...]:
        theirs = self._ask(lambda journal: journal.prune(before, keep=keep)) or ()
        ours = () if self._local is None else self._local.prune(before, keep=keep)
        by_id = {one.id: one for one in (*ours, *theirs)}
        return tuple(by_id[id] for id in sorted(by_id, reverse=True))

    def sync(self) -> Iterator[str]:
        """Give the team's journal what only this machine has; the ids of the operations that it lacked.

        What another process is recording now is left to it. What was pruned there stays `left_out`.
        """
        for ours in () if self._local is None else list(self._local.operations()):
            if self._is_being_recorded(ours):
                continue
            theirs = self._theirs(ours.id)
            if theirs is None and self._was_pruned(ours):
                self.left_out += 1
                continue
            if self._courier is None:
                return
            if (theirs is None or not _are_alike(ours, theirs)) and self.level(ours.id):
                yield ours.id

    def pruned_before(self) -> datetime | None:
        return self._ask(lambda journal: journal.pruned_before())

    def _was_pruned(self, ours: Operation) -> bool:
        """Whether an operation that the team lacks is as old as what was pruned there and would not be kept."""
        if self._pruning is None:
            before = self.pruned_before()
            unrestored_ids = () if self._local is None or before is None else unrestored(self._local)
            self._pruning = before or datetime.min.replace(tzinfo=UTC), frozenset(unrestored_ids)
        before, kept = self._pruning
        return ours.state is Stage.DONE and ours.at < before and ours.id not in kept

    def _is_being_recorded(self, ours: Operation) -> bool:
        if self._local is None or ours.state is not Stage.OPEN:
            return False
        latest = max((event.at for event in self._local.events(ours.id)), default=ours.at)
        return abs(datetime.now(UTC) - latest) < _ALIVE

    def level(self, id: str) -> bool:
        """Give both journals all of an operation; whether the team's lacked something and has it now."""
        whole = self._whole(id)
        if whole is None:
            return False
        ours, theirs, both = whole
        if self._local is not None and ours != both:
            self._local.replace(both)
        if theirs == both:
            return False
        self._ask(lambda journal: journal.replace(both))
        return self._courier is not None

    # read

    def limits(self, id: str) -> Limits:
        whole = self._whole(id)
        return Limits() if whole is None else whole[2].limits

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        first = list(self._newest(limit or _PAGE))
        yield from first
        if not limit and len(first) >= _PAGE:
            ids = {one.id for one in first}
            yield from (one for one in self._newest(0) if one.id not in ids)

    def operation(self, id: str) -> Operation | None:
        return self._one_of(*self._both(id))

    def ids(self, beginning: str) -> tuple[str, ...]:
        ours = () if self._local is None else self._local.ids(beginning)
        theirs = self._ask(lambda journal: journal.ids(beginning)) or ()
        return tuple(sorted({*ours, *theirs}, reverse=True))

    def about(self, words: Collection[str]) -> frozenset[str]:
        ours = frozenset[str]() if self._local is None else self._local.about(words)
        return ours | (self._ask(lambda journal: journal.about(words)) or frozenset())

    def entries(self, id: str) -> Iterator[Entry]:
        whole = self._whole(id)
        yield from () if whole is None else whole[2].entries

    def events(self, id: str) -> Iterator[JournalEvent]:
        ours = () if self._local is None else tuple(self._local.events(id))
        theirs = self._ask(lambda journal: tuple(journal.events(id))) or ()
        yield from together(theirs, ours) if ours and theirs else ours or theirs

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, str, Ref, CancelResponse]]:
        theirs = self._ask(lambda journal: list(journal.answers(limit)))
        if theirs is not None:
            yield from theirs
        elif self._local is not None:
            yield from self._local.answers(limit)

    def remarks(self, operation: Operation) -> tuple[str, ...]:
        ours, theirs = self._parts.get(operation.id) or self._both(operation.id)
        if self._courier is None:
            return ()
        way = f"To copy it there: {SYNC}"
        if theirs is None and ours is not None and self._was_pruned(ours):
            return (
                f"Operation {operation.id} is older than the newest prune of the team journal; "
                "only this machine has it",
            )
        if theirs is None:
            return (f"Only the journal of this machine has operation {operation.id}. {way}",)
        if ours is not None and operation != theirs:
            return (f"The team journal lacks a part of operation {operation.id}, which this machine has. {way}",)
        if operation.state is not Stage.DONE and ours is None and operation.host != socket.gethostname():
            where = f"{operation.user}@{operation.host}"
            return (
                f"Operation {operation.id} is unfinished. If {where} lost the team journal, the rest is in its own",
            )
        return ()

    def _both(self, id: str) -> _Parts:
        return None if self._local is None else self._local.operation(id), self._theirs(id)

    def _theirs(self, id: str) -> Operation | None:
        return self._ask(lambda journal: journal.operation(id))

    def _newest(self, limit: int) -> Iterator[Operation]:
        """Operations of both journals, in the order of the team's; those of this machine alone by their ids."""
        ours = {} if self._local is None else {one.id: one for one in self._local.operations(limit)}
        there = self._ask(lambda journal: (list(journal.operations(limit)), frozenset(journal.ids(""))))
        theirs, known = ([], frozenset[str]()) if there is None else there
        alone = [one for id, one in ours.items() if id not in known]
        known_there = {one.id: one for one in theirs}
        for one in islice(_merged(theirs, alone), limit or None):
            yield self._one_of(ours.get(one.id), known_there.get(one.id)) or one

    def _one_of(self, ours: Operation | None, theirs: Operation | None) -> Operation | None:
        """The operation as both journals together have it."""
        one = theirs or ours
        if one is not None:
            self._parts[one.id] = ours, theirs
        if ours is None or theirs is None or _are_alike(ours, theirs):
            return one
        whole = self._whole(ours.id)
        return ours if whole is None else whole[2].operation

    def _whole(self, id: str) -> tuple[Copy | None, Copy | None, Copy] | None:
        """The copy of this machine, the team's, and both as one; None where neither journal has the operation."""
        ours = None if self._local is None else copy_of(self._local, id)
        theirs = self._ask(lambda journal: copy_of(journal, id))
        if ours is None or theirs is None:
            one = ours or theirs
            return None if one is None else (ours, theirs, one)
        return ours, theirs, combined(ours, theirs)

    # both

    def _write(self, work: Callable[[Journal], None], *, wait: bool = False) -> None:
        """Have something recorded in both. Raises `JournalError` when neither can be used."""
        if self._local is not None:
            try:
                work(self._local)
            except JournalError as error:
                self._local, self._failure = None, error
        if wait or self._local is None:
            self._ask(work, self._pause if wait else None)  # what ends an operation is written after a signal, too
        elif self._courier is not None:
            try:
                self._courier.post(work)
            except JournalError as error:
                self._lose(error)
        if self._local is None and self._courier is None:
            raise self._failure

    def _of_file(self, work: Callable[[Journal], Mapping[Ref, Lease]]) -> Mapping[Ref, Lease]:
        """What the journal of this machine returns; nothing if it cannot be used."""
        if self._local is None:
            return {}
        try:
            return work(self._local)
        except JournalError as error:
            self._local, self._failure = None, error
            return {}

    def _ask(self, work: Callable[[Journal], T], pause: _Pause | None = None) -> T | None:
        """What the team's journal returns; None if it cannot be used."""
        if self._courier is None:
            return None
        try:
            return self._courier.call(work, pause=pause)
        except JournalError as error:
            self._lose(error)
            return None

    def _lose(self, error: JournalError) -> None:
        self._courier, self._failure = None, error
        self._lost(error)


def _are_alike(ours: Operation, theirs: Operation) -> bool:
    return ours == theirs and ours.state is Stage.DONE


def _merged(theirs: Sequence[Operation], alone: Sequence[Operation]) -> Iterator[Operation]:
    """Both, newest first: the order of the team's is kept."""
    rest: Mapping[int, Operation] = dict(enumerate(alone))
    at = 0
    for one in theirs:
        while at in rest and rest[at].id > one.id:
            yield rest[at]
            at += 1
        yield one
    yield from alone[at:]
