"""What a journal is, whatever keeps it: the records of operations, and the statements of a database below them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from runcancel.model.events import JournalEvent
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, Intent, Limits, Operation, Outcome, PlanItem, Started
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Stage


class Entry(Struct, frozen=True, kw_only=True):
    """One run of an operation: what was intended, what was answered, what was seen."""

    item: PlanItem | Intent
    answer: CancelResponse | None
    outcome: Outcome | None


class Copy(Struct, frozen=True, kw_only=True):
    """Everything that a journal has about one operation."""

    operation: Operation
    limits: Limits
    entries: tuple[Entry, ...]
    events: tuple[JournalEvent, ...]


class Journal(Protocol):
    """An open journal. One per process; any number of processes at once. Every method raises `JournalError`."""

    def close(self) -> None:
        """Close it. What was committed stays; a closed journal is not used again."""

    def begin(
        self,
        operation: Operation,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        """Commit the intent: the operation, every run to cancel, and the limits of the operation."""

    def claim(self, id: str, events: Sequence[JournalEvent], earlier: Sequence[Started] | None = None) -> bool:
        """Commit that this process resumes an operation; false, and nothing, if another one did since `earlier`.

        `events` has its start, `earlier` the starts that were read before; None: nobody else can have resumed it.
        """
        ...

    def resume(
        self,
        id: str,
        items: Sequence[PlanItem | Intent],
        limits: Limits | None = None,
        events: Sequence[JournalEvent] = (),
    ) -> None:
        """Commit that an operation continues with these runs. Earlier data of them is replaced."""

    def join(self, id: str, items: Sequence[PlanItem | Intent], events: Sequence[JournalEvent] = ()) -> None:
        """Commit that these runs will be cancelled as well."""

    def record_read(
        self, id: str, entries: Sequence[tuple[RunName, PlanItem | None]], events: Sequence[JournalEvent] = ()
    ) -> None:
        """Commit what was read under references: the run in place of each intent; None where it is there already."""

    def responded(self, id: str, run: Ref, answer: CancelResponse, events: Sequence[JournalEvent] = ()) -> None:
        """Commit what a request for one run came to, before anything else is done about that run."""

    def judged(self, id: str, outcome: Outcome, events: Sequence[JournalEvent] = ()) -> None:
        """Commit the outcome of one run; a later one, of a resume, replaces it."""

    def record(self, id: str, events: Sequence[JournalEvent]) -> None:
        """Commit events of an operation, in their order."""

    def lease(self, id: str, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        """Commit that an operation is about to cancel these runs; the leases that others took on them before."""
        ...

    def leases(self, id: str) -> Mapping[Ref, Lease]:
        """The leases of others, now, on runs on which this operation took one later."""
        ...

    def sign(self, id: str, events: Sequence[JournalEvent] = ()) -> None:
        """Commit that an operation lives: its leases count for a while from now on."""

    def silence(self, id: str) -> float | None:
        """Seconds since the last sign of life of an operation, by the clock of the journal; None where none is."""
        ...

    def end(self, id: str, state: Stage, exit_code: int, events: Sequence[JournalEvent] = ()) -> None:
        """Commit the end of an operation: its state, and the exit code of the command."""

    def limits(self, id: str) -> Limits:
        """The limits of an operation; the usual ones where it was written without any."""
        ...

    def operations(self, limit: int = 0) -> Iterator[Operation]:
        """Operations, newest first, at most `limit` of them; 0 is all."""
        ...

    def operation(self, id: str) -> Operation | None:
        """One operation, by its whole id; None where the journal has none of that id."""
        ...

    def ids(self, beginning: str) -> tuple[str, ...]:
        """The ids that begin so, newest first."""
        ...

    def about(self, words: Collection[str]) -> frozenset[str]:
        """The operations with a run whose name contains one of these words; perhaps some more."""
        ...

    def entries(self, id: str) -> Iterator[Entry]:
        """The runs of an operation in the order of their names, each with its latest answer and outcome if one came."""
        ...

    def events(self, id: str) -> Iterator[JournalEvent]:
        """What happened during an operation, in its order; nothing where 0.1 wrote the journal.

        What a newer program wrote besides is left out.
        """
        ...

    def answers(self, limit: int = 1000) -> Iterator[tuple[datetime, str, Ref, CancelResponse]]:
        """What clouds answered: when its operation began, its verb, the run or trigger, the answer.

        Newest first, at most `limit`.
        """
        ...

    def remarks(self, operation: Operation) -> tuple[str, ...]:
        """Sentences about where parts of an operation are, if not all of it is here."""
        return ()

    def replace(self, copy: Copy) -> None:
        """Commit a copy of an operation in place of what is known about it."""

    def prune(self, before: datetime, *, keep: AbstractSet[str] = frozenset()) -> tuple[Operation, ...]:
        """Forget the operations that began before and are done, and return them, newest first.

        What is unfinished stays: without its entry nobody could resume it. So does what is to `keep`.
        """
        ...

    def pruned_before(self) -> datetime | None:
        """Before when operations were pruned, at the latest; None where nothing was."""
        ...


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Statements(Protocol):
    """A connection that takes SQL which every database understands, with `?` for each value."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Carry out one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Carry out one statement for each row of values."""
        ...


class Database(Protocol):
    """An open database with the tables of a journal.

    `newest_first`: the order of its operations. `clock`: an expression for its time, in seconds since 1970.
    """

    newest_first: str
    clock: str

    def close(self) -> None:
        """Close it."""

    def used(self) -> AbstractContextManager[Statements]:
        """For statements, and for reading what they gave. Raises `JournalError` for whatever goes wrong."""
        ...

    def changed(self) -> AbstractContextManager[Statements]:
        """The same as one transaction: all of it is committed, or nothing."""
        ...

    def lock(self, db: Statements, id: str) -> None:
        """Keep other processes from this operation until the transaction ends."""

    def has(self, table: str) -> bool:
        """Whether it has this table: one that may only be read can be older than the table."""
        ...
