"""Where operations are read from: one journal or several, and what commands printed."""

from collections.abc import Iterator, Sequence
from itertools import chain

from runcancel.journal.base import Journal
from runcancel.journal.incident import recorded
from runcancel.journal.restores import unrestored
from runcancel.journal.timeline import Recorded
from runcancel.model.outcomes import Operation


class Sources:
    """Journals and outputs as one. An operation that is in several is taken from the first: journals come first."""

    def __init__(self, journals: Sequence[Journal] = (), outputs: Sequence[Recorded] = ()) -> None:
        self._journals = journals
        self.outputs = {one.operation.id: one for one in outputs}

    def operations(self) -> Iterator[Operation]:
        """Every operation, the newest first. Raises `JournalError`."""
        if len(self._journals) == 1 and not self.outputs:
            return self._journals[0].operations()
        printed = (one.operation for one in self.outputs.values())
        every = {one.id: one for one in chain(printed, *(journal.operations() for journal in self._journals))}
        return iter(sorted(every.values(), key=lambda one: one.id, reverse=True))

    def ids(self, beginning: str) -> tuple[str, ...]:
        """The ids that begin so, the newest first."""
        printed = (id for id in self.outputs if id.startswith(beginning))
        every = chain(printed, *(journal.ids(beginning) for journal in self._journals))
        return tuple(sorted(set(every), reverse=True))

    def recorded(self, id: str) -> Recorded | None:
        """All that is known of an operation; None where it is nowhere. Raises `JournalError`."""
        copies = (one for journal in self._journals if (one := recorded(journal, id)) is not None)
        return next(copies, None) or self.outputs.get(id)

    def remarks(self, operation: Operation) -> tuple[str, ...]:
        """Sentences about where parts of an operation are, if not all of it is here."""
        return tuple(line for journal in self._journals for line in journal.remarks(operation))

    def silence(self, id: str) -> float | None:
        """Seconds since the last sign of life of an operation, in the journal that has the latest."""
        seconds = (journal.silence(id) for journal in self._journals)
        return min((one for one in seconds if one is not None), default=None)

    def of_plan(self, operation: Operation) -> tuple[str, ...]:
        """The operations of the same plan, if this one is a shard of one; else it alone."""
        if operation.shard is None:
            return (operation.id,)
        return tuple(one.id for one in self.operations() if one.plan == operation.plan)

    def unrestored(self) -> frozenset[str]:
        """The operations of whose triggers one is not enabled again."""
        return frozenset(chain.from_iterable(map(unrestored, self._journals)))
