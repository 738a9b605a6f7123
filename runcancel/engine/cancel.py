"""Send, watch, judge: the heart. Requested is never called stopped."""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct, structs

from runcancel.engine.connections import Batch, Clouds, batches, read
from runcancel.engine.events import Progress
from runcancel.engine.lookup import Lookup, LookupResponse, LookupResult, Probe, answers
from runcancel.engine.planning import started_by
from runcancel.engine.poll import FIRST_PAUSE, IDLE, LONGEST_PAUSE, Readings, Watch
from runcancel.engine.retry import NO_ANSWER, WaitPolicy
from runcancel.engine.selection import Selection
from runcancel.engine.tracker import RunTracker, Sent, Step
from runcancel.engine.verdict import RequestStatus, failed, selected
from runcancel.errors import CloudError, Interrupted, Refused
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Problem, Ref, Scope, Snapshot
from runcancel.model.states import Reason, Verdict
from runcancel.runtime.throttle import departures, no_later_than
from runcancel.runtime.workers import TaskGroup, Workers

_GATHERED = 0.25  # seconds for which what was read first waits for more of its scope
_REREAD_TOGETHER = 0.5  # seconds for which a throttled run waits for more of them, while others are to be sent, or
_REREAD_ALONE = 0.05


class Flow(Struct, frozen=True):
    """Runs that are read, selected and sent scope by scope.

    `choose` turns the readings of one scope into the items to send and the outcomes that are known already. It is
    called on the caller's thread, and records and announces the items before it returns. `within`: seconds to wait
    for a reading.
    """

    lookup: Lookup
    choose: Callable[[Sequence[LookupResult]], Selection]
    within: float


Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` if limits or guards permit no more runs than those of the plan."""


def carry_out(
    items: Sequence[PlanItem],
    clouds: Clouds,
    workers: Workers,
    policy: WaitPolicy,
    progress: Progress,
    *,
    admit: Admit | None = None,
    flow: Flow | None = None,
    jitter: Callable[[], float] = random.random,
) -> Iterator[Outcome]:
    """Send the cancel of every run of the plan, watch them, and yield an outcome for each as soon as it is judged.

    With `flow`, more are read and sent meanwhile, each scope by itself.

    Top down: a run is sent after the one that started it. With `admit`, what was started between the plan and the
    answer is sent as well, as far as it is admitted. Whatever is raised, every run gets an outcome first: after a
    signal, `Interrupted`, the rest is judged by what was seen so far, and so it is after any other exception.
    """
    operation = _Operation(clouds, workers, policy, progress, admit, flow, jitter)
    operation.begin(items)
    progress.planned(items)
    try:
        for outcome in operation.settle(workers):
            progress.judged(outcome)
            yield outcome
    except Interrupted:
        for outcome in operation.break_off(None):
            progress.judged(outcome)
            yield outcome
        raise
    except Exception as error:
        for outcome in operation.break_off(_broken(error).problem()):
            progress.judged(outcome)
            yield outcome
        raise
    finally:
        operation.close()
        progress.close()


class _Send(Struct, frozen=True):
    """One try to cancel one run. `number` distinguishes it from others, also of the same run."""

    number: int
    ref: Ref
    targets: tuple[str, ...]


class _Check(Struct, frozen=True):
    """The reading of runs whose last try failed, repeated within so many seconds."""

    batch: Batch
    within: float


class _Chase(Struct, frozen=True):
    """The reading of what a run has started."""

    ref: Ref


class _Silence:
    """What is known of a scope that does not answer. `waiting` are runs that leave one by one, until it does."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.lost = False  # requests went out; else none was ever connected
        self.probe: RunTracker | None = None
        self.waiting: deque[RunTracker] = deque()


class _Aside(Struct, frozen=True):
    """A queue beside that of a scope, for what must not wait for a reading that hangs."""

    scope: Scope

    @property
    def provider(self) -> str:
        return self.scope.provider


_Work = _Send | _Check | _Chase | Batch | Probe
_FollowUp = Callable[[float], None]
"""What the caller's thread does with a result, at a second of its clock."""


class _Operation:
    """One cancel on its way: a loop on the caller's thread, which feeds what comes back to the runs it is about."""

    def __init__(
        self,
        clouds: Clouds,
        workers: Workers,
        policy: WaitPolicy,
        progress: Progress,
        admit: Admit | None,
        flow: Flow | None,
        jitter: Callable[[], float],
    ) -> None:
        self._clouds = clouds
        self._clock = workers.clock
        self._policy = policy
        self._progress = progress
        self._admit = admit
        self._flow = flow
        self._jitter = jitter
        self._group: TaskGroup[_Work, _FollowUp] | None = None
        self._tasks: TaskGroup[_Work, _FollowUp]
        self._watch: Watch
        self._trackers: dict[Ref, RunTracker] = {}
        self._open: dict[Ref, RunTracker] = {}
        self._touched: dict[Ref, RunTracker] = {}  # runs that an event has reached since the loop went round
        self._read_by = 0.0
        self._timers: list[tuple[float, int, RunTracker]] = []
        self._timer_of: dict[Ref, float] = {}
        self._reread_at: dict[Scope, float] = {}  # when the throttled runs of a scope are read
        self._number = itertools.count()
        self._replied_at: dict[Scope, float] = {}
        self._silent: dict[Scope, _Silence] = {}
        self._found: dict[Scope, tuple[float, list[LookupResult]]] = {}  # what is to be chosen from, and at what second
        self._decided: list[Outcome] = []
        self._chased: set[Ref] = set()
        self._sending: dict[Ref, int] = {}  # the number of the latest send of each run
        self._queued: dict[int, None] = {}  # sends that no thread has taken up: whoever takes one out decides on it

    def begin(self, items: Sequence[PlanItem]) -> None:
        """Take up these runs."""
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

    def settle(self, workers: Workers) -> Iterator[Outcome]:
        """Serve events until every run has its verdict, and yield each outcome when it is due.

        No scope waits for another, and no run for another of its scope: what was accepted is watched while others are
        still being sent.
        """
        self._group = self._tasks = TaskGroup(workers, self._serve)
        self._watch = Watch(self._tasks, workers.clock, first=min(FIRST_PAUSE, self._policy.timeout))
        self._look_up()
        while True:
            yield from self._advance()
            if not self._open and not self._decided and not self._reading:
                return
            self._watch.submit_due()
            result = self._tasks.next(self._nap(self._clock.monotonic()))
            now = self._clock.monotonic()
            if result is not None:
                result.value()(now)
            self._ring(now)
            self._choose(now)

    def break_off(self, problem: Problem | None) -> Iterator[Outcome]:
        """The operation ends now: every run that has no verdict yet, and every reference that was not read."""
        yield from self._decided
        for tracker in self._open.values():
            tracker.break_off(in_flight=not self._take_back(tracker), problem=problem)
            yield tracker.outcome()
        unread = [result.reference.name for _, results in self._found.values() for result in results]
        unread += [reference.name for reference in self._flow.lookup.left] if self._flow is not None else []
        why = problem or Problem(
            code=Reason.INTERRUPTED, message="interrupted before the run was read; nothing was sent"
        )
        for name in unread:
            yield structs.replace(failed(name, structs.replace(why, ref=name)), verdict=Verdict.SKIPPED)

    def close(self) -> None:
        """Start no task that waits for a thread any more."""
        if self._group is not None:
            self._group.close()

    @property
    def _reading(self) -> bool:
        return bool(self._found) or (self._flow is not None and not self._flow.lookup.complete)

    def _look_up(self) -> None:
        if self._flow is not None:
            self._read_by = self._clock.monotonic() + self._flow.within
            for probe in self._flow.lookup.probes:
                self._tasks.submit(probe, queue=probe.scope)

    def _nap(self, now: float) -> float:
        """Seconds until something is due, though nothing comes back."""
        moments = [self._timers[0][0]] if self._timers else []
        moments += [moment for moment, _ in self._found.values()]
        moments += [self._read_by] if self._flow is not None and not self._flow.lookup.complete else []
        return min(IDLE, max(0.0, min(moments, default=now + IDLE) - now))

    def _choose(self, now: float) -> None:
        """Choose from what was read of a scope, once it was read whole or the first of it has waited a moment."""
        if self._flow is None:
            return
        if now >= self._read_by and not self._flow.lookup.complete:
            for result in self._flow.lookup.overdue(self._flow.within):
                self._gather(self._flow.lookup.named(result.reference)[0].scope, [result], now)
        for scope in [one for one, (due, _) in self._found.items() if self._is_whole(one) or now >= due]:
            _, results = self._found.pop(scope)
            chosen = self._flow.choose(results)
            fresh = [item for item in chosen.items if item.run not in self._trackers]
            self._decided += chosen.decided
            self.begin(fresh)
            self._progress.planned(fresh)

    def _is_whole(self, scope: Scope) -> bool:
        return self._flow is not None and not self._flow.lookup.waits_for(scope)

    def _gather(self, scope: Scope, results: Sequence[LookupResult], now: float) -> None:
        if results:
            self._found.setdefault(scope, (now + _GATHERED, []))[1].extend(results)

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
                    self._set_timer(tracker)
        self._send_checks(checks)

    def _next_step(self, tracker: RunTracker, checks: list[RunTracker]) -> None:
        now = self._clock.monotonic()
        if tracker.step is Step.DUE and self._may_go(tracker):
            self._send(tracker)
        elif tracker.step is Step.PAUSED and (tracker.wake_at or 0.0) <= now and self._may_go(tracker):
            tracker.read(now)
            checks.append(tracker)
        elif tracker.step in (Step.WATCHED, Step.ENDED):
            self._chase(tracker)
            self._release(tracker)
            if tracker.step is Step.WATCHED and tracker.ref not in self._watch.left:
                self._watch.add(tracker.ref)

    def _close(self, tracker: RunTracker) -> None:
        """Nothing more becomes of this run."""
        tracker.judged = True
        del self._open[tracker.ref]
        self._watch.drop(tracker.ref)
        silence = self._silent.get(tracker.ref.scope)
        if silence is not None and silence.probe is tracker:
            self._pass_on(silence)

    def _gather_throttled(self, tracker: RunTracker) -> None:
        """Let the throttled runs of a scope be read together, in one call where the cloud takes several."""
        scope, due = tracker.ref.scope, tracker.wake_at or 0.0
        if self._reread_at.get(scope, -math.inf) < due:
            self._reread_at[scope] = due + (_REREAD_TOGETHER if self._queued else _REREAD_ALONE)
        tracker.wake_at = self._reread_at[scope]

    def _set_timer(self, tracker: RunTracker) -> None:
        if tracker.throttled and self._timer_of.get(tracker.ref) != tracker.wake_at:
            self._gather_throttled(tracker)
        if tracker.wake_at is not None and self._timer_of.get(tracker.ref) != tracker.wake_at:
            self._timer_of[tracker.ref] = tracker.wake_at
            heapq.heappush(self._timers, (tracker.wake_at, next(self._number), tracker))

    def _send(self, tracker: RunTracker) -> None:
        tracker.step, tracker.wake_at = Step.SENT, None
        number = next(self._number)
        self._sending[tracker.ref], self._queued[number] = number, None
        work = _Send(number, tracker.ref, tracker.targets)
        queue = tracker.ref.scope if tracker.item.read else _Aside(tracker.ref.scope)
        self._tasks.submit(work, queue=queue, send=True)

    def _take_back(self, tracker: RunTracker) -> bool:
        """Whether a cancel that was to be sent is not: no thread will take it up any more."""
        return tracker.step is Step.SENT and self._queued.pop(self._sending[tracker.ref], self) is None

    def _send_checks(self, checks: Sequence[RunTracker]) -> None:
        now = self._clock.monotonic()
        for batch in batches(tracker.ref for tracker in checks):
            within = max((self._trackers[ref].wake_at or now) - now for ref in batch.refs)
            self._tasks.submit(_Check(batch, within), queue=batch.scope)

    def _chase(self, tracker: RunTracker) -> None:
        """Read what a run has started since it was planned; once, when its cancel is under way."""
        chases = self._admit is not None and tracker.kind.starts_runs and tracker.answer.under_way
        if chases and tracker.ref not in self._chased:
            self._chased.add(tracker.ref)
            tracker.chasing = True
            self._tasks.submit(_Chase(tracker.ref), queue=tracker.ref.scope)

    def _release(self, above: RunTracker) -> None:
        """Send the child runs once the cancel of their parent has a reply, unless the parent would start more."""
        for tracker in above.started:
            if tracker.step is Step.WAITING:
                if above.answer.status in (RequestStatus.REFUSED, RequestStatus.IN_DOUBT, RequestStatus.NOT_REACHED):
                    tracker.skip(_left_alone(above, tracker), self._clock.monotonic())
                else:
                    tracker.step = Step.DUE
            self._touch(tracker)

    def _record_sent(self, work: _Send, sent: Sent, now: float) -> None:
        tracker = self._trackers[work.ref]
        if self._sending[work.ref] != work.number or tracker.step is not Step.SENT:  # it was given up meanwhile
            return
        tracker.record_sent(sent, now)
        self._progress.responded(tracker.ref, tracker.answer)
        self._touch(tracker)
        self._listen(tracker, sent, now)

    def _watched(self, scope: Scope, readings: Readings, now: float) -> None:
        self._record_readings(self._watch.took(scope, readings), now)

    def _looked_up(self, scope: Scope, found: Sequence[LookupResponse], now: float) -> None:
        if self._flow is not None:
            self._gather(scope, self._flow.lookup.took(scope, found), now)

    def _record_readings(self, readings: Readings, now: float) -> None:
        for ref, reading in readings:
            tracker = self._trackers[ref]
            tracker.record_reading(reading, now)
            self._touch(tracker)
            if isinstance(reading, Snapshot):
                self._note_reply(ref.scope, now)
                chosen = selected(reading.invocations, tracker.item.targets)
                self._progress.observed(tracker.ref, reading.run, chosen)

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
        for item in fresh if refused is not None else ():
            problem = Problem(code=Reason.REFUSED, message=str(refused), ref=item.run)
            self._trackers[item.run].skip(problem, now)

    def _may_go(self, tracker: RunTracker) -> bool:
        """Whether its scope answers, or it is the one that finds out."""
        silence = self._silent.get(tracker.ref.scope)
        if silence is None:
            return True
        if silence.probe is None or silence.probe is tracker:
            silence.probe = tracker
            return True
        if tracker not in silence.waiting:
            silence.waiting.append(tracker)
        return False

    def _listen(self, tracker: RunTracker, sent: Sent, now: float) -> None:
        """Record what a reply, or none, shows about the scope."""
        scope = tracker.ref.scope
        if sent.error is None or sent.error.reason not in NO_ANSWER:
            self._note_reply(scope, now)
            return
        if scope not in self._silent:
            self._silent[scope] = _Silence(max(sent.began, self._replied_at.get(scope, 0.0)))
            self._call_back(scope)
        silence = self._silent[scope]
        silence.lost = silence.lost or sent.error.reason is Reason.LOST
        if now - silence.since >= self._policy.silence(lost=silence.lost):
            self._give_up(scope, now)
        elif silence.probe in (None, tracker):
            self._pass_on(silence)

    def _call_back(self, scope: Scope) -> None:
        """What waits for a thread waits for the scope to answer instead: one at a time finds out."""
        for tracker in self._open.values():
            if tracker.ref.scope == scope and self._take_back(tracker):
                tracker.step = Step.DUE
                self._touch(tracker)

    def _note_reply(self, scope: Scope, now: float) -> None:
        self._replied_at[scope] = now
        silence = self._silent.pop(scope, None)
        for tracker in silence.waiting if silence is not None else ():
            self._touch(tracker)

    def _pass_on(self, silence: _Silence) -> None:
        """Another run is the next to find out whether the scope answers."""
        silence.probe = silence.waiting.popleft() if silence.waiting else None
        if silence.probe is not None:
            self._touch(silence.probe)

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
        while self._timers and self._timers[0][0] <= now:
            _, _, tracker = heapq.heappop(self._timers)
            if tracker.ref in self._open:
                tracker.wake(now)
                self._touch(tracker)

    def _touch(self, tracker: RunTracker) -> None:
        if tracker.ref in self._open:
            self._touched[tracker.ref] = tracker

    def _serve(self, work: _Work) -> _FollowUp:
        """On a worker's thread."""
        match work:
            case _Send():
                return partial(self._record_sent, work, self._try(work))
            case _Chase():
                started = started_by(work.ref, self._trackers.keys(), self._clouds)
                return partial(self._join, self._trackers[work.ref], started)
            case Probe():
                return partial(self._looked_up, work.scope, self._answers(work))
            case _Check():
                return partial(self._record_readings, self._read(work.batch, within=work.within))
            case Batch():
                readings = self._read(work, within=LONGEST_PAUSE)  # the next round reads again
                return partial(self._watched, work.scope, readings)

    def _read(self, batch: Batch, *, within: float) -> Readings:
        try:
            with no_later_than(self._clock.monotonic() + within):
                return read(self._clouds, batch)
        except Exception as failure:  # noqa: BLE001 - a cancel goes on, whatever broke
            return tuple((ref, _broken(failure)) for ref in batch.refs)

    def _answers(self, probe: Probe) -> tuple[LookupResponse, ...]:
        if self._flow is not None and not self._flow.lookup.wants(probe):
            return ()  # its time was up while it waited for a thread
        try:
            unchecked = None if self._flow is None else self._flow.lookup.unchecked
            with no_later_than(self._read_by):
                return answers(self._clouds, probe, self._clock, unchecked=unchecked)
        except Exception as failure:  # noqa: BLE001 - a cancel goes on, whatever broke
            return tuple((reference, _broken(failure)) for reference in probe.references)

    def _try(self, work: _Send) -> Sent:
        """One request for one run, or several where the cloud limits the targets of one."""
        began = self._clock.monotonic()
        if self._queued.pop(work.number, self) is self:
            return Sent(began=began, error=CloudError(Reason.INTERRUPTED, "it was withdrawn; nothing was sent"))
        accepted: list[str] = []
        error: CloudError | None = None
        with departures() as moments:
            try:
                for request_id in self._clouds.send(work.ref, work.targets):
                    accepted.append(request_id)  # noqa: PERF402 - what was accepted before an error counts
            except CloudError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001 - it may have been sent, whatever broke
                error = _broken(failure)
        return Sent(
            began=began,
            left=moments[-1] if moments else None,
            request_ids=tuple(accepted),
            error=error,
            key=_key(work.ref.scope, self._clouds),
        )


def _broken(failure: Exception) -> CloudError:
    return CloudError(Reason.INTERNAL, f"internal error: {type(failure).__name__}: {failure}")


def _left_alone(above: RunTracker, tracker: RunTracker) -> Problem:
    """Why a run is not sent: its parent keeps running, and would start the next task in its place."""
    code = Reason.REFUSED if above.answer.problem is None else above.answer.problem.code
    message = (
        f"{above.item.run}, which started it, was not cancelled and would start more runs; nothing was sent for it"
    )
    return Problem(code=code, message=message, ref=tracker.ref)


def _key(scope: Scope, clouds: Clouds) -> str | None:
    """Whose answer it was, as far as a journal may say it."""
    try:
        return clouds.at(scope).checkup().key
    except Exception:  # noqa: BLE001 - no cancel fails because of it
        return None
