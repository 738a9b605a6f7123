"""The working record of one run between the request and the verdict."""

from runcancel import refs
from runcancel.errors import CloudError
from runcancel.judge import (
    KEEP_READS,
    KEEP_SECONDS,
    Answer,
    Asked,
    judge,
    nothing_left_to_see,
    quiet,
)
from runcancel.ledger import Outcome, PlanItem
from runcancel.model import Problem, Snapshot
from runcancel.providers import kind_of
from runcancel.vocabulary import Reason, State

_FIRST_LOOK_PATIENCE = 15.0  # seconds beyond the timeout for the first look at a run, without which nothing can be said

UNREACHED = Answer(
    asked=Asked.NOT_REACHED,
    problem=Problem(code=Reason.INTERRUPTED, message="interrupted before it was asked; nothing was sent for it"),
)
IN_FLIGHT = Answer(
    asked=Asked.IN_DOUBT,
    problem=Problem(
        code=Reason.INTERRUPTED,
        message="interrupted while the cancel was in flight: it may or may not have been accepted",
    ),
)


def not_asked(item: PlanItem) -> Answer:
    """What stands in for an answer where the plan says not to ask."""
    ended = bool(item.targets) and all(one.before.over for one in item.invocations)
    on_its_way = item.state is State.CANCELLING or (
        bool(item.targets) and any(one.before is State.CANCELLING for one in item.invocations)
    )
    already = on_its_way and not ended
    return Answer(asked=Asked.ALREADY if already else Asked.NEEDLESS)


class Case:
    """The working record of one run between the request and the verdict; only the caller's thread writes to it."""

    def __init__(self, item: PlanItem, *, timeout: float) -> None:
        self.item = item
        self.ref = refs.full(item.run)
        self.kind = kind_of(self.ref)
        self.answer = UNREACHED if item.ask else not_asked(item)
        self.last: Snapshot | None = None
        self.problem: Problem | None = None
        self.timeout = timeout  # seconds
        self._quiet_reads = 0
        self._since = 0.0  # the accepted answer, or the last reading in which something was on its way to an end
        self._seen_at: float | None = None
        self._deadline = 0.0
        self.started: list[Case] = []  # runs that this one started and that are asked as well
        self.judged = False

    @property
    def due(self) -> bool:
        """Whether it is still to be asked."""
        return self.item.ask and self.answer is UNREACHED

    def start(self, now: float) -> None:
        """Watching begins: the timeout counts from here or from the accepted answer, whichever is later."""
        self._since = now if self.answer.at is None else self.answer.at
        self._deadline = max(self._since, now) + self.timeout

    def leave(self, problem: Problem) -> None:
        """Not ask it, for this reason, unless there was nothing to ask."""
        if self.item.ask:
            self.answer = Answer(asked=Asked.NOT_REACHED, problem=problem)

    def observe(self, answer: Snapshot | CloudError, now: float) -> None:
        """Take in one reading."""
        if isinstance(answer, CloudError):
            self.problem = answer.problem(scope=self.ref.scope, ref=self.item.run)
            return
        self.last, self.problem, self._seen_at = answer, None, now
        if quiet(self.item, answer) and all(case.judged for case in self.started):
            self._quiet_reads += 1
        else:
            self._quiet_reads, self._since = 0, now

    def decided(self, now: float) -> bool:
        """Whether the verdict on a run that is watched is due: nothing left to see, or no time left."""
        if self.last is not None and nothing_left_to_see(self.item, self.last, settled=self._settled):
            return True
        deadline = max([self._deadline, *(case._deadline for case in self.started)])
        return now >= deadline + (_FIRST_LOOK_PATIENCE if self._seen_at is None else 0.0)

    def outcome(self) -> Outcome:
        """The verdict on what was seen so far."""
        since = self.answer.at
        seen = self.last if self.last is not None else self.answer.seen
        return judge(
            self.item,
            self.answer,
            seen,
            settled=self._settled,
            seconds=None if since is None or self._seen_at is None else round(self._seen_at - since, 3),
            reported_only=self.kind.reported_only,
            problem=self.problem,
        )

    @property
    def _settled(self) -> bool:
        return (
            self._quiet_reads >= KEEP_READS
            and self._seen_at is not None
            and self._seen_at - self._since >= KEEP_SECONDS
        )
