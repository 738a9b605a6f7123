"""What happened when, over several operations: the lines of a timeline, and how many targets were in which state."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct, structs

from runcancel.journal.base import Entry
from runcancel.journal.outcomes import outcome_of
from runcancel.journal.restores import is_trigger
from runcancel.model.events import Confirmed, ConfirmedBy, Ended, JournalEvent, Judged, OriginFound, Resumed
from runcancel.model.incident import StateSample, Step, TimelineEntry
from runcancel.model.outcomes import Found, Operation, Outcome, Seen, Sent
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import RequestStatus, State, Verdict
from runcancel.model.triggers import TriggerVerdict
from runcancel.text import command

_SENT = (RequestStatus.ACCEPTED, RequestStatus.REFUSED, RequestStatus.IN_DOUBT)
MOST_SAMPLES = 240
"""How many samples of the states a report has at most: more no chart shows."""

_ORDER = tuple(Step)
_REPLIES = {
    Step.ACCEPTED: (True, (RequestStatus.ACCEPTED,)),
    Step.REFUSED: (False, (RequestStatus.REFUSED,)),
    Step.NO_REPLY: (None, (RequestStatus.IN_DOUBT,)),
}
"""What a reply was, as its event has it, and as the answer of an entry has it."""


_OF_ONE = (Found, Sent, Seen, Judged, OriginFound)
"""Events about one run or one trigger."""


class Recorded(Struct, frozen=True, kw_only=True):
    """All that the journal has of one operation."""

    operation: Operation
    entries: tuple[Entry, ...]
    events: tuple[JournalEvent, ...]

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each run and trigger, in the order of their names; without a verdict, what is known of it."""
        return [outcome_of(entry) for entry in self.entries]

    @property
    def runs(self) -> "Recorded":
        """The same operation without the entries of triggers."""
        return self._only(triggers=False)

    @property
    def triggers(self) -> "Recorded":
        """The same operation with the entries of triggers alone."""
        return self._only(triggers=True)

    def _only(self, *, triggers: bool) -> "Recorded":
        def fits(name: RunName) -> bool:
            return is_trigger(self.operation, name) is triggers

        return structs.replace(
            self,
            entries=tuple(entry for entry in self.entries if fits(entry.item.run)),
            events=tuple(event for event in self.events if not isinstance(event, _OF_ONE) or fits(event.run)),
        )

    @property
    def caller(self) -> str:
        """Who called the program, and where."""
        return f"{self.operation.user}@{self.operation.host}"

    @property
    def ended_at(self) -> datetime | None:
        """When its last process reported and left; None while it has not, or where that was not recorded."""
        if self.operation.exit_code is None:
            return None
        return max((one.at for one in self.events if isinstance(one, Ended)), default=None)


def timeline(recorded: Sequence[Recorded]) -> tuple[TimelineEntry, ...]:
    """The steps of all operations by time; a step whose time is not recorded follows the one before it."""
    lines: list[tuple[datetime, int, int, TimelineEntry]] = []
    for number, one in enumerate(recorded):
        at = one.operation.at
        for line in _steps(one):
            at = line.at or at
            lines.append((at, number, _ORDER.index(line.step), line))
    return tuple(line for *_, line in sorted(lines, key=lambda line: line[:3]))


def states(recorded: Sequence[Recorded]) -> tuple[StateSample, ...]:
    """How many targets of all runs were in each state after each reading; of many the evenly spaced ones."""
    readings = sorted(
        (event for one in recorded for event in one.events if isinstance(event, (Found, Seen))),
        key=lambda event: event.at,
    )
    samples = list(_samples(readings))
    if len(samples) <= MOST_SAMPLES:
        return tuple(samples)
    step = (len(samples) - 1) / (MOST_SAMPLES - 1)
    return tuple(samples[round(index * step)] for index in range(MOST_SAMPLES))


def _samples(readings: Iterable[Found | Seen]) -> Iterator[StateSample]:
    """One sample for each moment."""
    latest: dict[Ref, dict[State, int]] = {}
    total: Counter[State] = Counter()
    pending: datetime | None = None
    for reading in readings:
        if reading.counts is None:
            continue
        if pending is not None and reading.at != pending:
            yield _sample(pending, total)
        total.subtract(latest.get(reading.run, {}))
        total.update(reading.counts)
        latest[reading.run] = reading.counts
        pending = reading.at
    if pending is not None:
        yield _sample(pending, total)


def _sample(at: datetime, total: Counter[State]) -> StateSample:
    return StateSample(at=at, counts={state: total[state] for state in State if total[state]})


def _steps(one: Recorded) -> Iterator[TimelineEntry]:
    line = _Lines(one)
    operation = one.operation
    yield line.entry(Step.STARTED, [operation.at], by=one.caller, detail=command(*operation.argv))
    yield from (
        line.entry(Step.RESUMED, [event.at], by=f"{event.user}@{event.host}")
        for event in one.events
        if isinstance(event, Resumed)
    )
    yield line.runs(Step.FOUND, [event for event in one.events if isinstance(event, Found)], _read(one))
    yield from _confirmations(one, line)
    yield from _departures(one, line)
    for step, (accepted, statuses) in _REPLIES.items():
        events = [event for event in one.events if isinstance(event, Sent) and event.accepted is accepted]
        replies = sum(entry.answer is not None and entry.answer.status in statuses for entry in one.entries)
        if events or replies:
            yield line.runs(step, events, replies)
    yield from _verdicts(one, line)
    if operation.exit_code is not None:
        moments = [] if one.ended_at is None else [one.ended_at]
        yield line.entry(Step.ENDED, moments, detail=f"exit code {operation.exit_code}")


class _Lines:
    """Makes the lines of one operation."""

    def __init__(self, one: Recorded) -> None:
        self._operation = one.operation.id

    def entry(
        self,
        step: Step,
        moments: Sequence[datetime],
        *,
        runs: int | None = None,
        by: str | None = None,
        detail: str | None = None,
    ) -> TimelineEntry:
        """A line from the first of some moments until the last."""
        return TimelineEntry(
            step=step,
            at=min(moments, default=None),
            last_at=max(moments) if len(set(moments)) > 1 else None,
            operation=self._operation,
            runs=runs,
            by=by,
            detail=detail,
        )

    def runs(
        self, step: Step, events: Sequence[Found | Sent | Judged], earlier: int, *, detail: str | None = None
    ) -> TimelineEntry:
        """A line about the runs of these events; about the `earlier` number where there are no events."""
        runs = max(len({event.run for event in events}), earlier)
        return self.entry(step, [event.at for event in events], runs=runs, detail=detail)


def _departures(one: Recorded, line: _Lines) -> Iterator[TimelineEntry]:
    """When the requests left."""
    events = [event for event in one.events if isinstance(event, Sent) and event.sent_at is not None]
    replied = sum(entry.answer is not None and entry.answer.status in _SENT for entry in one.entries)
    if events or replied:
        moments = [event.sent_at for event in events if event.sent_at is not None]
        yield line.entry(Step.SENT, moments, runs=len({event.run for event in events}) or replied)


def _read(one: Recorded) -> int:
    return sum(entry.item.read for entry in one.entries)


def _confirmations(one: Recorded, line: _Lines) -> Iterator[TimelineEntry]:
    events = [event for event in one.events if isinstance(event, Confirmed)]
    if not events:
        yield line.entry(Step.CONFIRMED, [])
    for event in (event for event in events if event.runs):  # a resume may find nothing to confirm
        by = None if event.how is ConfirmedBy.NOT_REQUIRED else one.caller
        yield line.entry(Step.CONFIRMED, [event.at], runs=event.runs, by=by, detail=_how(event))


def _how(event: Confirmed) -> str:
    if event.how is ConfirmedBy.CONFIRM and event.given is not None:
        return f"{event.how} {event.given}"
    return str(event.how)


def _verdicts(one: Recorded, line: _Lines) -> Iterator[TimelineEntry]:
    """When the runs got their verdicts, one line for each verdict."""
    events = {event.run: event for event in one.events if isinstance(event, Judged)}
    words = {event.run: _word(one, event.run, event.verdict) for event in events.values()}
    for entry in one.entries:
        if entry.outcome is not None:
            words[entry.item.run] = _word(one, entry.item.run, entry.outcome.verdict, entry.outcome)
    for word in dict.fromkeys(map(str, (*Verdict, *TriggerVerdict))):
        of_it = [events[run] for run in words if words[run] == word and run in events]
        count = sum(words[run] == word for run in words)
        if count:
            yield line.runs(Step.SEEN, of_it, count, detail=word)


def _word(one: Recorded, name: RunName, verdict: Verdict, outcome: Outcome | None = None) -> str:
    """The verdict on a run, or on a trigger in its own words."""
    if not is_trigger(one.operation, name):
        return str(verdict)
    error = None if outcome is None else outcome.error
    return str(TriggerVerdict.of(verdict, enable=one.operation.verb == "enable", error=error))
