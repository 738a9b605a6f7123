"""The working record of one run between the request and the verdict: events come in, what is due next comes out."""

import random
from collections.abc import Callable
from enum import Enum, auto

from msgspec import Struct, structs

from runcancel.engine.planning import plan
from runcancel.engine.retry import ONE_TRY, READ_WITHIN, WaitPolicy, pause
from runcancel.engine.verdict import (
    KEEP_READS,
    KEEP_SECONDS,
    all_over,
    judge,
    moved,
    nothing_left_to_see,
    quiet,
    untouched,
)
from runcancel.errors import CREDENTIALS, IN_DOUBT, CloudError
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.runs import Problem, Snapshot
from runcancel.model.states import Reason, RequestStatus, Verdict
from runcancel.providers import kind_of

_UNSENT = Problem(code=Reason.INTERRUPTED, message="interrupted; nothing was sent for it")
UNREACHED = CancelResponse(status=RequestStatus.NOT_REACHED, problem=_UNSENT)


class Step(Enum):
    """What one run waits for."""

    WAITING = auto()  # the answer of the run that started it
    LEASED = auto()  # the cancel of another operation
    DUE = auto()  # a cancel has to be sent
    SENT = auto()  # the answer to a cancel
    PAUSED = auto()  # the time of the next reading, after an error
    READING = auto()  # that reading: then it is sent again, watched or judged
    WATCHED = auto()  # its end
    ENDED = auto()  # its verdict is due


class SendResult(Struct, frozen=True, kw_only=True):
    """The result of one try: request ids of what was accepted, then an error or none.

    `began`: the monotonic second at which a thread took it, `departed`: at which its last request was sent, if one was.
    `key`: the end of the id of the key that signed it.
    """

    began: float
    departed: float | None = None
    request_ids: tuple[str, ...] = ()
    error: CloudError | None = None
    key: str | None = None


def not_asked(item: PlanItem) -> CancelResponse:
    """The response for a run that is not sent: a run that has not ended is ending."""
    ended = (bool(item.targets) or item.state.over) and all(one.before.over for one in item.invocations)
    return CancelResponse(status=RequestStatus.NEEDLESS if ended else RequestStatus.ALREADY)


class RunTracker:
    """One run of a cancel; only the caller's thread writes to it. `wake_at`: the time of its next step."""

    def __init__(self, item: PlanItem, policy: WaitPolicy, *, jitter: Callable[[], float] = random.random) -> None:
        self.item = item
        self.ref = item.run
        self.kind = kind_of(self.ref)
        self.answer = UNREACHED if item.ask else not_asked(item)
        self.step = Step.DUE
        self.last: Snapshot | None = None
        self.problem: Problem | None = None
        self.wake_at: float | None = None
        self.started: list[RunTracker] = []  # runs that this one started and that are cancelled as well
        self.chasing = False  # what it started since the plan is being read
        self.judged = False
        self.lease: Lease | None = None  # of another operation, which cancels it
        self._policy = policy
        self._jitter = jitter
        self._error: CloudError | None = None
        self._first_try: float | None = None
        self._give_up_at = 0.0
        self._tries = 0
        self._doubtful = False  # one of its tries may have been accepted
        self._quiet_reads = 0
        self._since = 0.0  # the accepted answer, or the last reading in which something was on its way to an end
        self._seen_at: float | None = None
        self._deadline = 0.0

    def begin(self, now: float, *, waiting: bool) -> None:
        """The operation begins: it is sent, or waits for the run that started it, or is only watched."""
        if self.item.ask:
            self.step = Step.WAITING if waiting else Step.DUE
        else:
            self._watch(now)

    def skip(self, problem: Problem, now: float, *, status: RequestStatus = RequestStatus.NOT_REACHED) -> None:
        """Not send it, for this reason, unless there was nothing to send."""
        if self.item.ask:
            self.answer = CancelResponse(status=status, problem=problem)
            self._watch(now)

    def respect(self, lease: Lease, now: float) -> None:
        """Leave the cancel to another operation: wait until it is accepted, then watch."""
        self.lease = lease
        if not lease.accepted:
            self.step = Step.LEASED
        elif self.step in (Step.DUE, Step.WAITING, Step.LEASED):
            self.answer = CancelResponse(status=RequestStatus.ALREADY)
            self._watch(now)

    def overtake(self) -> bool:
        """Send it after all, as no other operation cancels it; False where a cancel or its end was seen."""
        if self.step not in (Step.LEASED, Step.WATCHED) or (self.last is not None and self._at_work(self.last)):
            return False
        self.lease, self.answer, self.step, self.wake_at = None, UNREACHED, Step.DUE, None
        self._quiet_reads = 0
        return True

    def _at_work(self, shown: Snapshot) -> bool:
        """Whether a reading shows a cancel at work, or its end. Where targets can be stopped alone: on all of them."""
        stopping = not quiet(self.item, shown) and not (self.kind.in_part and untouched(self.item, shown))
        return stopping or moved(self.item, shown)

    def give_up(self, problem: Problem, now: float, *, in_flight: bool) -> None:
        """Send no more: its scope is silent. What may have been accepted stays in doubt."""
        self._end(problem, RequestStatus.REFUSED, in_flight=in_flight)
        self._watch(now)

    def break_off(self, *, in_flight: bool, problem: Problem | None = None) -> None:
        """The operation ends now, by a signal or because of `problem`: what is being sent may have been accepted."""
        self._end(problem, RequestStatus.NOT_REACHED, in_flight=in_flight)
        self.problem = self.problem or problem

    def _end(self, problem: Problem | None, status: RequestStatus, *, in_flight: bool) -> None:
        if self.step is Step.SENT and in_flight and not self.answer.request_ids:
            code = Reason.INTERRUPTED if problem is None else problem.code
            what = "cancel" if self.item.trigger is None else "request"
            message = f"interrupted while the {what} was in flight; it may or may not have been accepted"
            unsure = Problem(code=code, message=message, ref=self.item.run)
            self.answer = CancelResponse(status=RequestStatus.IN_DOUBT, problem=unsure)
        elif problem is not None and self.answer is UNREACHED:
            self.answer = CancelResponse(status=status, problem=problem)

    @property
    def targets(self) -> tuple[str, ...]:
        """The ids to send: of selected targets, those that the last reading does not show on their way to an end.

        Before that reading the plan shows which have ended: a cloud may refuse all targets because of one of them.
        """
        if self.last is not None:
            waits = {one.target for one in untouched(self.item, self.last)}
            left = tuple(one for one in self.item.targets if one in waits)
        else:
            planned = {one.target for one in self.item.invocations}
            may_run = {one.target for one in self.item.invocations if not one.before.over}
            left = tuple(one for one in self.item.targets if one in may_run or one not in planned)
        return left or self.item.targets  # without any it would be a cancel of the whole run

    def record_sent(self, result: SendResult, now: float) -> None:
        """Take in what a try came to."""
        self._tries += 1
        self._first_try = result.began if self._first_try is None else self._first_try
        ids = (*self.answer.request_ids, *result.request_ids)
        self._error = result.error
        if result.error is None:
            self._accept(CancelResponse(status=RequestStatus.ACCEPTED, request_ids=ids, key=result.key), now)
        elif result.error.reason is Reason.INTERRUPTED and not result.request_ids:
            self._watch(now)  # it was not sent: what is known of the tries before still holds
            return
        else:
            self._doubtful = self._doubtful or result.error.reason in IN_DOUBT | {Reason.INTERNAL}
            self.answer = self._after_error(result.error, ids, result.key, now)
            self._try_again(result.error, now)
        self.answer = structs.replace(self.answer, took=None if result.departed is None else now - result.departed)

    def record_reading(self, reading: Snapshot | CloudError, now: float) -> None:
        """Take in one reading, made at `now` (a second of the monotonic clock), and decide the next step."""
        if self.step is Step.READING:
            self._decide_after(reading, now)
        elif self.step is Step.WATCHED:
            self._observe(reading, now)

    def wake(self, now: float) -> None:
        """Decide the next step when the second `wake_at` has come and nothing else has arrived."""
        if self.step is Step.READING and self.wake_at is not None and now >= self.wake_at:
            self._decide_after(CloudError(Reason.LOST, "it could not be read in time"), now)

    def read(self, now: float) -> None:
        """The reading before the next try is on its way. Where nothing left at all, it is given no more than a try."""
        self.step, self.wake_at = Step.READING, now + READ_WITHIN
        if self._error is not None and self._error.reason is Reason.UNREACHABLE and not self._doubtful:
            self.wake_at = now + min(READ_WITHIN, max(ONE_TRY, self._give_up_at - now))

    @property
    def throttled(self) -> bool:
        """Whether it waits for its next reading because its scope throttles without a retry-after."""
        error = self._error
        return self.step is Step.PAUSED and error is not None and error.reason is Reason.BUSY and not error.retry_after

    def decided(self, now: float) -> bool:
        """Whether the verdict is due: nothing left to see, or no time left."""
        if self.chasing or self.step not in (Step.WATCHED, Step.ENDED):
            return False
        if self.step is Step.ENDED:
            return True
        all_seen = self.last is not None and nothing_left_to_see(self.item, self.last, unchanged=self._unchanged)
        if all_seen or (self._denied and all(one.judged for one in self.started)):
            return True
        self.wake_at = max([self._deadline, *(one._deadline for one in self.started)])
        if self._seen_at is None and not self._denied:  # one reading at least is waited for
            self.wake_at += min(READ_WITHIN, max(ONE_TRY, self._policy.timeout))
        return now >= self.wake_at

    @property
    def _denied(self) -> bool:
        """Whether the latest reading was refused for good: waiting longer for another one shows nothing."""
        return self.problem is not None and self.problem.code in CREDENTIALS

    def outcome(self) -> Outcome:
        """The verdict on what was seen so far."""
        since = self.answer.at
        outcome = judge(
            self.item,
            self.answer,
            self.last,
            unchanged=self._unchanged,
            seconds=None if since is None or self._seen_at is None else round(self._seen_at - since, 3),
            problem=self.problem,
        )
        if self.lease is not None:
            outcome = structs.replace(outcome, cancelled_by=self.lease.claim)
        if not self._was_read and outcome.verdict is Verdict.REQUESTED:  # nothing shows that there is such a run
            unread = self.problem or Problem(code=Reason.LOST, message=self.item.why, ref=self.item.run)
            return structs.replace(outcome, verdict=Verdict.IN_DOUBT, error=unread)
        return outcome

    @property
    def _unchanged(self) -> bool:
        return (
            self._quiet_reads >= KEEP_READS
            and self._seen_at is not None
            and self._seen_at - self._since >= KEEP_SECONDS
        )

    def _accept(self, answer: CancelResponse, now: float) -> None:
        self.answer = structs.replace(answer, status=RequestStatus.ACCEPTED, at=now)
        self._watch(now)

    def _watch(self, now: float) -> None:
        """No more is sent. The timeout counts from the accepted answer."""
        self._since, self._deadline = now, now + self._policy.timeout
        self.step = Step.WATCHED if self._policy.wait and self.answer.under_way else Step.ENDED
        self.wake_at = None

    def _after_error(self, error: CloudError, ids: tuple[str, ...], key: str | None, now: float) -> CancelResponse:
        """What an error means before the run is read again. What went out in parts is under way if one was accepted."""
        status = RequestStatus.IN_DOUBT if self._doubtful else RequestStatus.REFUSED
        return CancelResponse(
            status=RequestStatus.ACCEPTED if ids else status,
            at=now if ids else None,
            request_ids=ids,
            problem=error.problem(scope=self.ref.scope, ref=self.item.run),
            key=key,
            refused=error.targets,
        )

    def _try_again(self, error: CloudError, now: float) -> None:
        """After any error but credentials the run is read again: at once, or when the next try is due.

        Targets that the cloud refused alone are not sent again.
        """
        if error.reason in CREDENTIALS and not self.answer.request_ids and not self._doubtful:
            self._watch(now)
            return
        limit = None if error.targets else self._policy.limit(error.reason, doubtful=self._doubtful)
        self._give_up_at = now if limit is None or self._first_try is None else self._first_try + limit
        wait = 0.0 if limit is None else pause(error, self._tries, self._jitter())
        self.step, self.wake_at = Step.PAUSED, min(now + wait, max(now, self._give_up_at))

    def _decide_after(self, reading: Snapshot | CloudError, now: float) -> None:
        """The run was read after an error, or could not be: send it again, watch it, or judge it."""
        shown = reading if isinstance(reading, Snapshot) else None
        if shown is not None:
            self.last, self._seen_at = shown, now
        error = self._error
        missing = error is not None and error.reason is Reason.NOT_FOUND and not error.targets
        not_there = missing and (not self._was_read or _not_found(reading))
        if shown is not None:
            self._judge_by(shown, now, may_have_arrived=self._doubtful or missing)
        if (
            missing and not not_there and self.answer.status is RequestStatus.REFUSED
        ):  # the run is there, whatever the answer was
            self.answer = structs.replace(self.answer, status=RequestStatus.IN_DOUBT)
        incomplete = shown is None or (bool(self.item.targets) and bool(untouched(self.item, shown)))
        if shown is not None and all_over(self.item, shown):
            self.step, self.wake_at = Step.ENDED, None
        elif now < self._give_up_at and not not_there and (incomplete or not self.answer.under_way):
            self.step, self.wake_at = Step.DUE, None
        else:
            self._watch(now)

    def _judge_by(self, shown: Snapshot, now: float, *, may_have_arrived: bool) -> None:
        """What a reading after an error shows of the cancel: that it worked, or that somebody else's is at work.

        A request that certainly did nothing proves nothing, whatever the run shows: it is sent again, unless another
        cancel would change nothing.
        """
        if may_have_arrived and moved(self.item, shown):
            at = now if self.answer.at is None else self.answer.at
            self.answer = structs.replace(self.answer, status=RequestStatus.ACCEPTED, at=at)
        elif not self.answer.under_way and not plan(shown, self.item.targets).ask and not all_over(self.item, shown):
            self.answer = CancelResponse(status=RequestStatus.ALREADY)

    @property
    def _was_read(self) -> bool:
        return self.item.read or self.last is not None

    def _observe(self, reading: Snapshot | CloudError, now: float) -> None:
        if isinstance(reading, CloudError):
            self.problem = reading.problem(scope=self.ref.scope, ref=self.item.run)
            return
        self.last, self.problem, self._seen_at = reading, None, now
        if quiet(self.item, reading) and all(one.judged for one in self.started):
            self._quiet_reads += 1
        else:
            self._quiet_reads, self._since = 0, now


def _not_found(reading: Snapshot | CloudError) -> bool:
    return isinstance(reading, CloudError) and reading.reason is Reason.NOT_FOUND


def left_alone(above: RunTracker, tracker: RunTracker) -> Problem:
    """Why a run is not sent: its parent keeps running, and would start the next task in its place."""
    code = Reason.REFUSED if above.answer.problem is None else above.answer.problem.code
    message = (
        f"{above.item.run}, which started it, was not cancelled and would start more runs; nothing was sent for it"
    )
    return Problem(code=code, message=message, ref=tracker.ref)
