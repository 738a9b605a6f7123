"""Send, watch, judge: the heart. Requested is never called stopped."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from runcancel.engine.connections import Batch, Clouds, batches
from runcancel.engine.events import Progress
from runcancel.engine.flow import Flow, Joining
from runcancel.engine.leases import LeasedRuns, Leases
from runcancel.engine.lookup import Probe
from runcancel.engine.planning import started_by
from runcancel.engine.poll import FIRST_PAUSE, IDLE, LONGEST_PAUSE, Readings, Watch
from runcancel.engine.requests import Check, Listing, ReadChildren, Requests, Send, SideQueue, Work, internal_error
from runcancel.engine.retry import NO_ANSWER, WaitPolicy
from runcancel.engine.tracker import RunTracker, SendResult, Step, left_alone
from runcancel.engine.verdict import failed, selected
from runcancel.engine.waiting import HeadStart, SilentScopes, Timers
from runcancel.errors import Interrupted, Refused
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Problem, Ref, Scope, Snapshot
from runcancel.model.states import Reason, RequestStatus, Verdict
from runcancel.runtime.workers import TaskGroup, Workers

if TYPE_CHECKING:
    from runcancel.engine.hold import HoldListings


Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` if limits or guards permit no more runs than those of the plan."""


class CancelSetup(Struct, frozen=True, kw_only=True):
    """The means of one cancel.

    With `flow`, more is read and sent meanwhile, each scope by itself; with `hold`, what a filter finds joins. With
    `leases`, a run that another operation cancels is watched, and sent only if that one does not send it. With `admit`,
    what was started between the plan and the reply is sent as well, as far as it is admitted.
    """

    clouds: Clouds
    workers: Workers
    policy: WaitPolicy
    progress: Progress
    admit: Admit | None = None
    flow: Flow | None = None
    hold: "HoldListings | None" = None
    leases: Leases | None = None
    jitter: Callable[[], float] = random.random


def carry_out(items: Sequence[PlanItem], setup: CancelSetup) -> Iterator[Outcome]:
    """Send the cancel of every run of the plan, watch them, and yield an outcome for each as soon as it is judged.

    Top down: a run is sent after the one that started it, and triggers leave before runs. Whatever is raised, every run
    gets an outcome first: after a signal, `Interrupted`, the rest is judged by what was seen so far, and so it is
    after any other exception.
    """
    operation, progress = _Operation(setup), setup.progress
    operation.begin(items)
    recorded = False
    try:
        if setup.flow is not None:
            setup.flow.begin()
        progress.planned(items)
        recorded = True
        for outcome in operation.settle(setup.workers):
            progress.judged(outcome)
            yield outcome
    except (Interrupted, Exception) as error:
        if isinstance(error, Refused) and not recorded:  # a journal is required: nothing was sent, nothing is judged
            raise
        problem = None if isinstance(error, Interrupted) else internal_error(error).problem()
        for outcome in operation.break_off(problem):
            progress.judged(outcome)
            yield outcome
        raise
    finally:
        operation.close()
        progress.close()


_FollowUp = Callable[[float], None]
"""What the caller's thread does with a result, at a second of its clock."""


class _Operation:
    """One cancel on its way: a loop on the caller's thread, which feeds what comes back to the runs it is about."""

    def __init__(self, setup: CancelSetup) -> None:
        self._clouds = setup.clouds
        self._clock = setup.workers.clock
        self._requests = Requests(setup.clouds, setup.workers.clock)
        self._policy = setup.policy
        self._progress = setup.progress
        self._admit = setup.admit
        self._jitter = setup.jitter
        self._group: TaskGroup[Work, _FollowUp] | None = None
        self._tasks: TaskGroup[Work, _FollowUp]
        self._watch: Watch
        self._trackers: dict[Ref, RunTracker] = {}
        self._open: dict[Ref, RunTracker] = {}
        self._touched: dict[Ref, RunTracker] = {}  # runs that an event has reached since the loop went round
        self._timers, self._head_start = Timers(), HeadStart(self._clock.monotonic())
        self._leased = LeasedRuns(setup.leases, self._touch)
        self._number = itertools.count()
        self._silent = SilentScopes(self._touch)
        self._joining = Joining(setup.flow, setup.hold, self._clock.monotonic())
        self._decided: list[Outcome] = []
        self._chased: set[Ref] = set()
        self._sending: dict[Ref, int] = {}  # the number of the latest send of each run

    def begin(self, items: Sequence[PlanItem]) -> None:
        """Take up these runs: a tracker each, and children below their parents. Sends nothing yet."""
        fresh = [RunTracker(item, self._policy, jitter=self._jitter) for item in items]
        for tracker in fresh:
            self._trackers[tracker.ref] = self._open[tracker.ref] = tracker
        now = self._clock.monotonic()
        for tracker in fresh:
            above = None if tracker.item.parent is None else self._trackers.get(tracker.item.parent)
            if above is not None:
                above.started.append(tracker)
            tracker.begin(now, waiting=above is not None and above.step not in (Step.WATCHED, Step.ENDED))
            self._touch(tracker)
        self._head_start.take(fresh)

    def settle(self, workers: Workers) -> Iterator[Outcome]:
        """Serve events until every run has its verdict, and yield each outcome when it is due.

        No scope waits for another, and no run for another of its scope: what was accepted is watched while others are
        still being sent.
        """
        self._leased.take(list(self._trackers.values()), self._clock.monotonic())
        self._group = self._tasks = TaskGroup(workers, self._serve)
        self._watch = Watch(self._tasks, workers.clock, first=min(FIRST_PAUSE, self._policy.timeout))
        while True:
            yield from self._advance()
            if not self._open and not self._decided and not self._joining.pending(self._clock.monotonic()):
                return
            self._watch.submit_due()
            for work in self._joining.work(self._clock.monotonic()):
                self._tasks.submit(work, queue=work.scope)
            result = self._tasks.next(self._nap(self._clock.monotonic()))
            now = self._clock.monotonic()
            if result is not None:
                result.value()(now)
            self._ring(now)
            self._head_start.release(now, self._touch, self._take_back)
            self._choose(now)
            self._leased.review(now)

    def break_off(self, problem: Problem | None) -> Iterator[Outcome]:
        """The operation ends now: every run that has no verdict yet, and every reference that was not read."""
        yield from self._decided
        for tracker in self._open.values():
            tracker.break_off(in_flight=not self._take_back(tracker), problem=problem)
            yield tracker.outcome()
        why = problem or Problem(
            code=Reason.INTERRUPTED, message="interrupted before the run was read; nothing was sent"
        )
        for name in self._joining.unread:
            yield structs.replace(failed(name, structs.replace(why, ref=name)), verdict=Verdict.SKIPPED)

    def close(self) -> None:
        """Start no task that waits for a thread any more."""
        if self._group is not None:
            self._group.close()

    def _nap(self, now: float) -> float:
        """Seconds until something is due, though nothing comes back."""
        moments = [*self._timers.due, *self._head_start.due, *self._joining.due, *self._leased.due]
        return min(IDLE, max(0.0, min(moments, default=now + IDLE) - now))

    def _choose(self, now: float) -> None:
        """Take up the runs that are selected from the readings of a flow, or from what a hold has found."""
        for selection in self._joining.selections(now):
            fresh = [item for item in selection.items if item.run not in self._trackers]
            self._decided += selection.decided
            self.begin(fresh)
            self._progress.planned(fresh)
            self._leased.take([self._trackers[item.run] for item in fresh], now)

    def _advance(self) -> Iterator[Outcome]:
        """Do what is due for the runs that an event has reached; checks of one moment travel together."""
        decided, self._decided = self._decided, []
        yield from decided
        checks: list[RunTracker] = []
        while self._touched:
            touched, self._touched = self._touched, {}
            for tracker in touched.values():
                if tracker.ref not in self._open:
                    continue
                self._next_step(tracker, checks)
                if tracker.decided(self._clock.monotonic()):
                    self._close(tracker)
                    yield tracker.outcome()
                    self._release(tracker)
                else:
                    self._timers.set(tracker, sending=self._requests.any_queued)
        self._send_checks(checks)

    def _next_step(self, tracker: RunTracker, checks: list[RunTracker]) -> None:
        now = self._clock.monotonic()
        if tracker.step is Step.DUE and self._silent.may_go(tracker):
            self._send(tracker)
        elif tracker.step is Step.PAUSED and (tracker.wake_at or 0.0) <= now and self._silent.may_go(tracker):
            tracker.read(now)
            checks.append(tracker)
        elif tracker.step in (Step.WATCHED, Step.ENDED):
            self._chase(tracker)
            self._release(tracker)
            if tracker.step is Step.WATCHED and tracker.ref not in self._watch.open:
                self._watch.add(tracker.ref)

    def _close(self, tracker: RunTracker) -> None:
        """Nothing more becomes of this run."""
        tracker.judged = True
        del self._open[tracker.ref]
        self._watch.drop(tracker.ref)
        self._silent.next_probe(tracker, alone=True)

    def _send(self, tracker: RunTracker) -> None:
        self._watch.drop(tracker.ref)
        tracker.step, tracker.wake_at = Step.SENT, None
        number = next(self._number)
        self._sending[tracker.ref] = number
        self._requests.enqueue(number)
        work = Send(number, tracker.ref, tracker.targets)
        queue = tracker.ref.scope if tracker.item.read else SideQueue(tracker.ref.scope)
        self._tasks.submit(work, queue=queue, send=True)

    def _take_back(self, tracker: RunTracker) -> bool:
        """Whether a cancel that was to be sent is not: no thread will take it up any more."""
        return tracker.step is Step.SENT and self._requests.withdraw(self._sending[tracker.ref])

    def _send_checks(self, checks: Sequence[RunTracker]) -> None:
        now = self._clock.monotonic()
        for batch in batches(tracker.ref for tracker in checks):
            within = max((self._trackers[ref].wake_at or now) - now for ref in batch.refs)
            self._tasks.submit(Check(batch, within), queue=batch.scope)

    def _chase(self, tracker: RunTracker) -> None:
        """Read what a run has started since it was planned; once, when its cancel is under way."""
        chases = self._admit is not None and tracker.kind.starts_runs and tracker.answer.under_way
        if chases and tracker.ref not in self._chased:
            self._chased.add(tracker.ref)
            tracker.chasing = True
            self._tasks.submit(ReadChildren(tracker.ref), queue=tracker.ref.scope)

    def _release(self, above: RunTracker) -> None:
        """Send the child runs once the cancel of their parent has a reply, unless the parent would start more."""
        for tracker in above.started:
            if tracker.step is Step.WAITING:
                if above.answer.status in (RequestStatus.REFUSED, RequestStatus.IN_DOUBT, RequestStatus.NOT_REACHED):
                    tracker.skip(left_alone(above, tracker), self._clock.monotonic())
                else:
                    tracker.step = Step.DUE
            self._touch(tracker)

    def _record_sent(self, work: Send, result: SendResult, now: float) -> None:
        tracker = self._trackers[work.ref]
        if self._sending[work.ref] != work.number or tracker.step is not Step.SENT:  # it was given up meanwhile
            return
        tracker.record_sent(result, now)
        self._progress.responded(tracker.ref, tracker.answer)
        self._touch(tracker)
        self._listen(tracker, result, now)

    def _watched(self, scope: Scope, readings: Readings, now: float) -> None:
        self._record_readings(self._watch.took(scope, readings), now)

    def _record_readings(self, readings: Readings, now: float) -> None:
        for ref, reading in readings:
            tracker = self._trackers[ref]
            tracker.record_reading(reading, now)
            self._touch(tracker)
            if isinstance(reading, Snapshot):
                self._silent.record_reply(ref.scope, now)
                self._progress.observed(tracker.ref, reading.run, selected(reading.invocations, tracker.item.targets))

    def _join(self, above: RunTracker, items: Sequence[PlanItem], now: float) -> None:
        """Take up what a run started between its plan and its answer; what is not admitted is not sent."""
        above.chasing = False
        self._touch(above)
        fresh = [item for item in items if item.run not in self._trackers]
        if not fresh or self._admit is None:
            return
        self._progress.planned(fresh)
        refused: Refused | None = None
        try:
            self._admit([*(tracker.item for tracker in self._trackers.values()), *fresh])
        except Refused as error:
            refused = error
        self.begin(fresh)
        self._leased.take([self._trackers[item.run] for item in fresh] if refused is None else [], now)
        if refused is not None:
            for item in fresh:
                self._trackers[item.run].skip(refused.about(item.run), now)

    def _listen(self, tracker: RunTracker, result: SendResult, now: float) -> None:
        """Record what a reply, or none, shows about the scope."""
        scope, error = tracker.ref.scope, result.error
        if error is None or error.reason not in NO_ANSWER:
            self._silent.record_reply(scope, now)
            return
        if scope not in self._silent:
            self._call_back(scope)
        silence = self._silent.record_no_reply(scope, result.began, lost=error.reason is Reason.LOST)
        if now - silence.since >= self._policy.silence(lost=silence.lost):
            self._give_up(scope, now)
        else:
            self._silent.next_probe(tracker, alone=False)

    def _call_back(self, scope: Scope) -> None:
        """What waits for a thread waits for the scope to answer instead: one at a time finds out."""
        for tracker in self._open.values():
            if tracker.ref.scope == scope and self._take_back(tracker):
                tracker.step = Step.DUE
                self._touch(tracker)

    def _give_up(self, scope: Scope, now: float) -> None:
        """A scope that was silent for so long is left as a whole: no run of it is sent any more."""
        silence = self._silent[scope]
        message = f"{scope} has not replied for {now - silence.since:.0f} s; nothing was sent for it"
        for tracker in self._open.values():
            if tracker.ref.scope == scope and tracker.step in (Step.DUE, Step.SENT, Step.PAUSED, Step.READING):
                code = Reason.LOST if silence.lost else Reason.UNREACHABLE
                in_flight = tracker.step is Step.SENT and not self._take_back(tracker)
                problem = Problem(code=code, message=message, scope=str(scope), ref=tracker.ref)
                tracker.give_up(problem, now, in_flight=in_flight)
                self._touch(tracker)

    def _ring(self, now: float) -> None:
        """Wake the runs whose time has come."""
        for tracker in self._timers.ring(now):
            if tracker.ref in self._open:
                tracker.wake(now)
                self._touch(tracker)

    def _touch(self, tracker: RunTracker) -> None:
        if tracker.ref in self._open:
            self._touched[tracker.ref] = tracker

    def _serve(self, work: Work) -> _FollowUp:
        """On a worker's thread."""
        match work:
            case Send():
                return partial(self._record_sent, work, self._requests.send(work))
            case ReadChildren():
                started = started_by(work.ref, self._trackers.keys(), self._clouds)
                return partial(self._join, self._trackers[work.ref], started)
            case Probe():
                return self._joining.look_up(work, self._requests)
            case Listing():
                return self._joining.search(work, self._clouds, self._trackers.keys())
            case Check():
                return partial(self._record_readings, self._requests.read(work.batch, within=work.within))
            case Batch():
                readings = self._requests.read(work, within=LONGEST_PAUSE)  # the next round reads again
                return partial(self._watched, work.scope, readings)
