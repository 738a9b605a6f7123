"""Records one cancel while it runs: the user, the reason, the replies and the readings."""

import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from msgspec import structs

from runcancel.engine.events import Progress, StateChanges, sent_event
from runcancel.environment import this_machine, user_name
from runcancel.errors import Interrupted, Refused, failure_text
from runcancel.journal.base import Journal
from runcancel.journal.leases import RENEWAL
from runcancel.journal.store import JournalStore
from runcancel.model.events import (
    Beside,
    CalledBy,
    Confirmed,
    ConfirmedBy,
    Ended,
    HoldStarted,
    JournalEvent,
    Judged,
    OriginFound,
    Resumed,
    SearchedAgain,
)
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, Found, Intent, Limits, Operation, Outcome, PlanItem, Shard, Started
from runcancel.model.runs import Invocation, Ref, Run, RunName
from runcancel.model.states import Stage, State
from runcancel.model.triggers import Origin
from runcancel.redaction import bare_urls, redact
from runcancel.text import command

_READINGS_TOGETHER = 1.0  # seconds for which readings may wait to be committed with what comes next
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_P = ParamSpec("_P")
_Step = Callable[Concatenate["Recorder", _P], None]


def _shielded(step: "_Step[_P]") -> "_Step[_P]":
    """A step of a recorder whose failure, of whatever kind, ends the recording with one warning and nothing else."""

    @wraps(step)
    def shielded(recorder: "Recorder", /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            step(recorder, *args, **kwargs)
        except (Interrupted, Refused):
            raise
        except Exception as error:  # noqa: BLE001 - a bug of the journal stops no cancel either
            recorder.fail(error)

    return shielded


class Recorder(Progress):
    """An observer that keeps one operation in the journal, each event with its time.

    Intents, answers and outcomes are committed at once. A reading waits up to a second for others: after a kill it is
    read again. The first failure is reported once through `warn`, and then it is silent: an emergency stop never waits
    for a disk. With `required` it refuses instead, while nothing has been sent.
    """

    def __init__(
        self,
        store: JournalStore,
        operation: Operation,
        *,
        limits: Limits | None = None,
        warn: Callable[[str], None],
        required: bool = False,
        resumed: bool = False,
        earlier_starts: Sequence[Started] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        store.prepare()
        self._operation = operation
        self.limits = limits
        self.takes_over = False  # send also what another operation is cancelling
        self._warn = warn
        self._required = required
        self._resumed = resumed
        self._earlier_starts = earlier_starts  # of the operation, when it was read; None: whoever resumes is alone
        self._now = now
        self._journal: Journal | None = None
        self._started = False
        self._failure: Exception | None = None
        self._written: dict[RunName, PlanItem | Intent] = {}
        self._pending: list[JournalEvent] = []
        self._committed_at = now()
        self._latest_states: dict[Ref, tuple[State, dict[State, int] | None]] = {}
        self._signed_at = self._committed_at
        self._changes = StateChanges()
        self._answers: dict[Ref, tuple[object, ...]] = {}

    @property
    def id(self) -> str:
        """The id of the operation, also if it is not recorded."""
        return self._operation.id

    @property
    def operation(self) -> str | None:
        """The id of the recorded operation; None if nothing is recorded."""
        return None if self._journal is None else self._operation.id

    @property
    def described(self) -> Operation:
        """The operation as it is recorded at its start."""
        return self._operation

    def of_plan(self, digest: str, shard: Shard | None) -> None:
        """Note which saved plan the operation carries out, and which part of it."""
        self._operation = structs.replace(self._operation, plan=digest, shard=shard)

    @_shielded
    def record_states(self, items: Sequence[PlanItem]) -> None:
        """Note what a reading before the confirmation showed; it is committed with the intent."""
        self._pending += self._state_events(items)

    @_shielded
    def confirmed(self, how: ConfirmedBy, *, typed_text: str | None, runs: int) -> None:
        """Note how the cancel was confirmed; it is committed with the intent."""
        self._pending.append(Confirmed(at=self._now(), how=how, given=typed_text, runs=runs))

    @_shielded
    def called_by(self, callers: Iterable[tuple[str, str | None, str | None]]) -> None:
        """Note the account and the principal that each scope, given as text, is called with."""
        at = self._now()
        for scope, account, principal in callers:
            self._pending.append(CalledBy(at=at, scope=scope, account=account, principal=principal))

    @_shielded
    def beside(self, runs: Iterable[Ref]) -> None:
        """Note the runs that had not ended before triggers were disabled; it is committed with the intent."""
        self._pending.append(Beside(at=self._now(), runs=tuple(runs)))

    @_shielded
    def record_hold(self, until: datetime) -> None:
        """Note until when more runs may join; it is committed with the intent."""
        self._pending.append(HoldStarted(at=self._now(), until=until))

    @_shielded
    def searched_again(self) -> None:
        """Commit that the look for runs that triggers started meanwhile is complete."""
        self._pending.append(SearchedAgain(at=self._now()))
        self._write(lambda journal, id, events: journal.record(id, events))

    @_shielded
    def not_sent(self, item: PlanItem, outcome: Outcome) -> None:
        """Commit what is known without a request: its intent and its outcome."""
        self.planned([item])
        self.judged(outcome)

    @_shielded
    def planned(self, items: Sequence[PlanItem | Intent]) -> None:
        """Commit the intent. Raises `Refused` when a journal is required and cannot be written."""
        if self._started:
            fresh = [item for item in items if self._written.get(item.run) != item]
            self._written |= {item.run: item for item in items}
            if fresh:
                self._pending += self._state_events(fresh)
                self._write(lambda journal, id, events: journal.join(id, fresh, events))
            return
        self._started = True
        self._written = {item.run: item for item in items}
        try:
            if self._failure is not None:
                raise self._failure
            self._journal = self._store.open()
            self._begin(self._journal, items)
        except Interrupted:  # during the wait for the team: the end is recorded where the intent is
            raise
        except Refused:  # another process continues the operation, and records its end
            self._journal = None
            raise
        except Exception as error:  # noqa: BLE001 - a bug of the journal stops no cancel either
            self._journal = None
            if self._required:
                raise Refused(
                    f"{failure_text(error)}; nothing was sent",
                    hint="To continue without a journal: leave out --require-journal",
                ) from None
            self._warn(f"{failure_text(error)}: this cancel is not recorded and cannot be resumed")

    def fail(self, error: Exception) -> None:
        """End the recording: one warning, or a refusal by `planned` if nothing was sent yet."""
        if not self._started:
            self._failure = error
        elif self._journal is not None:
            journal, self._journal = self._journal, None
            with suppress(Exception):
                journal.close()
            self._warn(f"{failure_text(error)}: the rest is not recorded")

    def _begin(self, journal: Journal, items: Sequence[PlanItem | Intent]) -> None:
        at, id = self._now(), self._operation.id
        events = [*self._pending, Started(at=at, host=this_machine(), pid=os.getpid())]
        self._pending = []
        if not self._resumed:
            journal.begin(self._operation, items, self.limits, [*events, *self._state_events(items)])
            return
        resumed = Resumed(at=at, user=user_name(), host=socket.gethostname())
        if not journal.claim(id, [resumed, *events], self._earlier_starts):
            raise Refused(
                f"operation {id} was continued by another process meanwhile; nothing was sent",
                hint=f"To look at it: {command('history', id)}",
            )
        journal.resume(id, items, self.limits, self._state_events(items))

    @_shielded
    def record_read(self, entries: Sequence[tuple[RunName, PlanItem | None]]) -> None:
        """Commit what was read for references that are recorded as intents; see `Journal.record_read`."""
        read = [item for _, item in entries if item is not None]
        self._written |= {item.run: item for item in read}
        self._pending += self._state_events(read)
        self._write(lambda journal, id, events: journal.record_read(id, entries, events))

    @_shielded
    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Commit an answer and its event. A journal that fails is one warning, and the cancel goes on."""
        event = sent_event(ref, answer, self._now())
        reported = (event.accepted, event.request_ids, None if event.error is None else event.error.code)
        if self._answers.get(ref) != reported:  # a throttled request is answered alike many times
            self._answers[ref] = reported
            self._pending.append(event)
        self._write(lambda journal, id, events: journal.responded(id, ref, answer, events))

    @_shielded
    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Keep a reading that shows something new: states and how many targets are in each."""
        item = self._written.get(ref)
        counts = dict(Counter(one.state for one in invocations)) if item is not None and item.targets else run.counts
        event = self._changes.seen_event(ref, run.state, None if counts is None else dict(counts), self._now())
        if event is not None:
            self._pending.append(event)
        if self._pending and (self._now() - self._committed_at).total_seconds() >= _READINGS_TOGETHER:
            self._write(lambda journal, id, events: journal.record(id, events))

    @_shielded
    def judged(self, outcome: Outcome) -> None:
        """Commit an outcome and its event, as `responded` does."""
        self._pending.append(Judged(run=outcome.run, at=self._now(), verdict=outcome.verdict))
        self._write(lambda journal, id, events: journal.judged(id, outcome, events))

    def take(self, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        """Take a lease on each of these runs; those that other operations took before, unless it takes over."""
        leases = self._leases(lambda journal, id: journal.lease(id, items))
        return {} if self.takes_over else leases

    def others(self) -> Mapping[Ref, Lease]:
        """The leases of other operations, now, on runs of this one."""
        return self._leases(lambda journal, id: journal.leases(id))

    def _leases(self, read: Callable[[Journal, str], Mapping[Ref, Lease]]) -> Mapping[Ref, Lease]:
        answer: list[Mapping[Ref, Lease]] = []
        self._use(lambda journal, id: answer.append(read(journal, id)))
        return answer[0] if answer else {}

    @_shielded
    def _use(self, work: Callable[[Journal, str], None]) -> None:
        if self._journal is not None:
            work(self._journal, self._operation.id)

    @_shielded
    def tick(self) -> None:
        """Commit a sign of life from time to time."""
        if (self._now() - self._signed_at).total_seconds() >= RENEWAL:
            self._signed_at = self._now()
            self._write(lambda journal, id, events: journal.sign(id, events))

    @_shielded
    def end(self, exit_code: int) -> None:
        """Commit the end of the operation."""
        state = Stage.INTERRUPTED if exit_code > 128 else Stage.DONE
        self._pending.append(Ended(at=self._now(), exit_code=exit_code))
        self._write(lambda journal, id, events: journal.end(id, state, exit_code, events))
        if self._journal is not None:
            self._journal.close()

    @_shielded
    def record_origins(self, origins: Mapping[Ref, Origin]) -> None:
        """Commit what started the runs. It is searched once the operation has ended and the journal is closed."""
        if self._journal is None or not origins:
            return
        at = self._now()
        journal = self._store.open()
        try:
            events = [OriginFound(run=ref, at=at, origin=origin) for ref, origin in origins.items()]
            journal.record(self._operation.id, events)
        finally:
            journal.close()

    def _state_events(self, items: Sequence[PlanItem | Intent]) -> list[JournalEvent]:
        """What is new since the run was found last."""
        at = self._now()
        shown = {item.run: (item.state, _counts(item)) for item in items if isinstance(item, PlanItem) and item.read}
        fresh = {run: each for run, each in shown.items() if self._latest_states.get(run) != each}
        self._latest_states |= fresh
        return [Found(run=run, at=at, state=state, counts=counts) for run, (state, counts) in fresh.items()]

    def _write(self, write: Callable[[Journal, str, Sequence[JournalEvent]], None]) -> None:
        """Commit, with the events since the last time."""
        events, self._pending = self._pending, []
        if self._journal is None:
            return
        write(self._journal, self._operation.id, events)
        self._committed_at = self._now()


def _counts(item: PlanItem) -> dict[State, int] | None:
    """How many of the selected targets are in each state; None: not known."""
    if item.targets:
        return dict(Counter(one.before for one in item.invocations))
    return dict(item.counts) or None


def new_operation(verb: str, argv: Sequence[str], reason: str | None) -> Operation:
    """An operation that begins now, by this user on this host."""
    return Operation(
        id=ulid(time.time(), random.SystemRandom().getrandbits(80)),
        at=datetime.now(UTC).replace(microsecond=0),
        user=user_name(),
        host=socket.gethostname(),
        argv=tuple(redact(bare_urls(word)) for word in argv),
        reason=None if reason is None else redact(reason),
        verb=verb,
        state=Stage.OPEN,
    )


def ulid(seconds: float, chance: int) -> str:
    """A 26-character id that sorts by time: 48 bits of milliseconds, 80 of chance (https://github.com/ulid/spec)."""
    number = (int(seconds * 1000) << 80) | (chance & ((1 << 80) - 1))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
