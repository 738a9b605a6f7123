"""One operation out of two copies of it that went apart while one of the journals could not be reached."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import structs

from runcancel.journal.base import Copy, Entry, Journal
from runcancel.journal.rows import in_words
from runcancel.model.encoding import to_json
from runcancel.model.events import JournalEvent
from runcancel.model.outcomes import Intent
from runcancel.model.runs import RunName

_NEVER = datetime.min.replace(tzinfo=UTC)


def copy_of(journal: Journal, id: str) -> Copy | None:
    """Everything that a journal has about an operation; None if it has nothing. Raises `JournalError`."""
    operation = journal.operation(id)
    if operation is None:
        return None
    return Copy(
        operation=operation,
        limits=journal.limits(id),
        entries=tuple(journal.entries(id)),
        events=tuple(journal.events(id)),
    )


def combined(one: Copy, other: Copy) -> Copy:
    """Both copies of an operation as one: nothing that one of them has is lost. The order of the two does not matter.

    A copy that has all events of the other one continues it, and is the whole. Where two that went apart differ about a
    run, the one that went further counts.
    """
    earlier, later = sorted((one, other), key=_progress)
    events = together(earlier.events, later.events)
    if len(events) == len(later.events):
        return later
    entries = tuple(sorted(_entries(earlier.entries, later.entries), key=lambda entry: entry.item.run.text))
    counts: dict[str, int] = {}
    for entry in entries:
        word = "unjudged" if entry.outcome is None else str(entry.outcome.verdict)
        counts[word] = counts.get(word, 0) + 1
    return Copy(
        operation=structs.replace(later.operation, counts=in_words(later.operation.verb, counts)),
        limits=later.limits,
        entries=entries,
        events=events,
    )


def together(one: Sequence[JournalEvent], other: Sequence[JournalEvent]) -> tuple[JournalEvent, ...]:
    """The events of both in the order of their times, each once: a write whose reply was lost may be in both."""
    events_there = {to_json(event) for event in one}
    events = (*one, *(event for event in other if to_json(event) not in events_there))
    return tuple(sorted(events, key=lambda event: event.at))


def _progress(copy: Copy) -> tuple[datetime, int, int, int]:
    """What tells which of two copies went further: the time of the last event, then how much it has."""
    outcomes = sum(entry.outcome is not None for entry in copy.entries)
    replies = sum(entry.answer is not None for entry in copy.entries)
    return max((event.at for event in copy.events), default=_NEVER), len(copy.events), outcomes, replies


def _entries(earlier: Sequence[Entry], later: Sequence[Entry]) -> Iterator[Entry]:
    before = {entry.item.run: entry for entry in earlier}
    runs: set[RunName] = {entry.item.run for entry in later}
    for entry in later:
        yield _entry(before.get(entry.item.run), entry)
    for entry in earlier:
        item = entry.item
        replaced = isinstance(item, Intent) and not runs.isdisjoint(item.candidates)
        if item.run not in runs and not replaced:
            yield entry


def _entry(earlier: Entry | None, later: Entry) -> Entry:
    """The later entry; where it is about the same plan, with what only the earlier one has."""
    if earlier is None or earlier.item != later.item:
        return later
    return structs.replace(later, answer=later.answer or earlier.answer, outcome=later.outcome or earlier.outcome)
