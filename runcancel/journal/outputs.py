"""Operations out of what commands printed as jsonl or json, where the journal is on another machine or nowhere."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import structs

from runcancel.config import references
from runcancel.errors import UsageError
from runcancel.journal.base import Entry
from runcancel.journal.outcomes import merged
from runcancel.journal.timeline import Recorded
from runcancel.model.encoding import from_builtins
from runcancel.model.outcomes import Operation, Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Problem, Ref, RunName
from runcancel.model.states import Reason, Stage, State, Verdict
from runcancel.model.triggers import Trigger, TriggerOutcome, TriggerVerdict
from runcancel.providers import kind_of

_EVENTS: Mapping[str, type[Sent | Seen]] = {"sent": Sent, "seen": Seen}
_VERDICTS: Mapping[TriggerVerdict, Verdict] = {
    TriggerVerdict.DISABLED: Verdict.STOPPED,
    TriggerVerdict.ENABLED: Verdict.STOPPED,
    TriggerVerdict.UNCHANGED: Verdict.ENDED,
    TriggerVerdict.REQUESTED: Verdict.REQUESTED,
    TriggerVerdict.IN_DOUBT: Verdict.IN_DOUBT,
    TriggerVerdict.FAILED: Verdict.FAILED,
    TriggerVerdict.DRIFTED: Verdict.SKIPPED,
    TriggerVerdict.SKIPPED: Verdict.SKIPPED,
}
"""The verdict on a trigger as the engine, which knows runs, has it."""
_EXPECTED = "a journal, or the output of cancel --shard I/N as jsonl or json"
_SIGNALLED = 128  # an exit code above it is that of a signal


class _Output:
    """What one operation printed, as far as it was read."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._outcomes: dict[Ref, Outcome] = {}
        self._triggers: dict[Ref, TriggerOutcome] = {}
        self._events: list[Sent | Seen] = []

    def take(self, kind: str, entry: Mapping[str, Any]) -> None:
        """One line. Raises `msgspec.ValidationError` or ValueError for one that no cancel prints."""
        if kind in _EVENTS:
            self._events.append(from_builtins(entry, _EVENTS[kind]))
        elif kind == "outcome":
            outcome = from_builtins(entry, Outcome)
            ref = _full(outcome.run)
            earlier = self._outcomes.get(ref)
            self._outcomes[ref] = outcome if earlier is None else merged((earlier, outcome))
        elif kind == "trigger-outcome":
            row = from_builtins(entry, TriggerOutcome)
            self._triggers[_full(row.trigger)] = row

    def end(self, entry: Mapping[str, Any]) -> None:
        """Its last line. Raises `msgspec.ValidationError`."""
        if entry.get("verb") == self.operation.verb:
            code = msgspec.convert(entry.get("exit_code"), int)
            state = Stage.INTERRUPTED if code > _SIGNALLED else Stage.DONE
            self.operation = structs.replace(self.operation, exit_code=code, state=state)

    def recorded(self) -> Recorded:
        """The operation as a journal has it. What is printed nowhere is not recorded."""
        counts = Counter(str(outcome.verdict) for outcome in self._outcomes.values())
        return Recorded(
            operation=structs.replace(self.operation, counts=dict(counts)),
            entries=(
                *(_entry(ref, outcome, None) for ref, outcome in self._outcomes.items()),
                *(_entry(ref, _of_trigger(row), row.before) for ref, row in self._triggers.items()),
            ),
            events=tuple(self._events),
        )


class Outputs:
    """What several files hold: the operations, also of one that is in several, and what could not be read."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Output] = {}
        self.problems: list[Problem] = []

    def read(self, lines: Iterable[str], name: str) -> None:
        """Take the lines of one file: the operations stand in it one after another.

        Lines that are no JSON objects are left out: a job runner may write stderr into the same file.
        """
        current: _Output | None = None
        for number, line in enumerate(lines, start=1):
            text = line.strip(" \t\r\n\ufeff")
            if not text.startswith("{"):
                continue
            try:
                entry = json.loads(text)
                if entry.get("type") == "operation":
                    current = self._operation_of(entry)
                elif "type" not in entry:
                    self.read_document(entry, name)
                    return
                elif entry.get("type") == "end":  # one of a process that was refused names no operation
                    if (ended := self._outputs.get(str(entry.get("operation")))) is not None:
                        ended.end(entry)
                elif current is not None:
                    current.take(str(entry.get("type")), entry)
            except (ValueError, RecursionError, msgspec.ValidationError) as error:
                self.problems.append(_problem(f"{name}, line {number}: not a line of cancel -o jsonl ({error})"))
        if current is None:
            self.problems.append(_problem(f"{name} has no operation. Expected {_EXPECTED}"))

    def read_document(self, entry: Mapping[str, Any], name: str) -> None:
        """Take a document that names its operations, as those of a cancel and of `history ID` do."""
        operations = entry.get("operations")
        if not isinstance(operations, list) or not isinstance(entry.get("outcomes"), list):
            self.problems.append(_problem(f"{name} is a document that names no operation. Expected {_EXPECTED}"))
            return
        rows = (*entry["outcomes"], *(entry.get("triggers") or ()))
        try:
            current = [self._operation_of(one) for one in operations][-1]
            for row in rows:
                current.take("trigger-outcome" if "trigger" in row else "outcome", row)
        except (ValueError, TypeError, LookupError, msgspec.ValidationError) as error:
            self.problems.append(_problem(f"{name} is not the document of an operation ({error})"))

    def _operation_of(self, entry: Mapping[str, Any]) -> _Output:
        operation = from_builtins(entry, Operation)
        return self._outputs.setdefault(operation.id, _Output(operation))

    @property
    def operations(self) -> list[Recorded]:
        """Each as a journal has it."""
        return [one.recorded() for one in self._outputs.values()]


def _full(name: RunName) -> Ref:
    """The reference of a run or a trigger of a known kind. Raises ValueError."""
    try:
        return references.full(name.text)
    except UsageError as error:
        raise ValueError(error.message.removesuffix("; nothing was sent")) from None


def _problem(message: str) -> Problem:
    return Problem(code=Reason.USAGE, message=message)


def _of_trigger(row: TriggerOutcome) -> Outcome:
    """The outcome of a trigger as the journal keeps it."""
    return Outcome(
        run=row.trigger,
        name=row.name,
        verdict=_VERDICTS[row.verdict],
        guarantee=None,
        before=None,
        after=None,
        request_ids=row.request_ids,
        invocations=(),
        not_listed=0,
        seconds=None,
        error=row.error,
    )


def _entry(ref: Ref, outcome: Outcome, trigger: Trigger | None) -> Entry:
    """What was planned, as far as the outcome shows it, and what became of it."""
    kind = kind_of(ref)
    item = PlanItem(
        run=ref,
        name=outcome.name,
        state=outcome.before or State.UNKNOWN,
        guarantee=outcome.guarantee or kind.guarantee,
        promise=kind.promise,
        ask=outcome.was_sent,
        why="",
        counts={},
        not_listed=outcome.not_listed,
        targets=(),
        invocations=(),
        parent=outcome.parent,
        comment=outcome.comment,
        document=outcome.document,
        trigger=trigger,
        origin=outcome.origin,
    )
    return Entry(item=item, answer=None, outcome=outcome)
