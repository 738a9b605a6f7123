"""Ask, watch, judge: the heart. Requested is never called stopped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, structs

from runcancel import refs
from runcancel.errors import CREDENTIALS, IN_DOUBT, CloudError, Interrupted, Refused
from runcancel.fanout import Desk
from runcancel.find import Batch, Clouds, read
from runcancel.judge import (
    KEEP_READS,
    KEEP_SECONDS,
    Answer,
    Asked,
    all_over,
    judge,
    moved,
    nothing_left_to_see,
    quiet,
    selected,
)
from runcancel.model import (
    Invocation,
    Outcome,
    PlanItem,
    Problem,
    Reason,
    Ref,
    Run,
    Scope,
    Snapshot,
    State,
)
from runcancel.plan import started_since
from runcancel.providers import kind_of
from runcancel.watch import FIRST_PAUSE, Watch

_TRIES = 3  # how often one cancel is asked when its answers are in doubt
_FIRST_LOOK_PATIENCE = 15.0  # seconds beyond the timeout for the first look at a run, without which nothing can be said


class Progress(Protocol):
    """Who is told what happens, from the caller's thread alone.

    `planned` is told again of runs that join later: what a window started before it was asked.
    """

    def planned(self, items: Sequence[PlanItem]) -> None: ...

    def asked(self, ref: str, answer: Answer) -> None: ...

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None: ...

    def judged(self, outcome: Outcome) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Together:
    """Tells several what happens, in their order."""

    def __init__(self, *listeners: Progress) -> None:
        self._listeners = listeners

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Tell all."""
        for one in self._listeners:
            one.planned(items)

    def asked(self, ref: str, answer: Answer) -> None:
        """Tell all."""
        for one in self._listeners:
            one.asked(ref, answer)

    def seen(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Tell all."""
        for one in self._listeners:
            one.seen(ref, run, invocations)

    def judged(self, outcome: Outcome) -> None:
        """Tell all."""
        for one in self._listeners:
            one.judged(outcome)

    def tick(self) -> None:
        """Tell all."""
        for one in self._listeners:
            one.tick()

    def close(self) -> None:
        """Tell all."""
        for one in self._listeners:
            one.close()


class Patience(Struct, frozen=True, kw_only=True):
    """How long to watch. `timeout` is in seconds, per run, from its accepted answer; 0 looks once."""

    wait: bool = True
    timeout: float = 60.0


Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` when caps or guards let no more than what is planned be asked."""


def carry_out(
    items: Sequence[PlanItem],
    clouds: Clouds,
    desk: Desk,
    patience: Patience,
    progress: Progress,
    *,
    admit: Admit | None = None,
) -> Iterator[Outcome]:
    """Ask every run of the plan to stop, watch them, and yield an outcome for each as soon as it is judged.

    Top down: a run is asked after the one that started it. With `admit`, what was started between the plan and the
    answer is asked as well, as far as it is admitted. After a signal the rest is judged by what was seen so far; then
    `Interrupted` is raised.
    """
    cases = {item.run: _Case(item, patience) for item in items}
    left = dict(cases)
    progress.planned(items)
    try:
        _ask([case for case in cases.values() if case.item.parent not in cases], clouds, desk, progress)
        if admit is not None:
            left |= _join(cases, clouds, desk, patience, progress, admit)
        _ask(_below(cases), clouds, desk, progress)
        for case in _watch(cases, clouds, desk, progress, wait=patience.wait):
            outcome = left.pop(case.item.run).outcome()
            progress.judged(outcome)
            yield outcome
    except Interrupted:
        for case in left.values():
            outcome = case.outcome()
            progress.judged(outcome)
            yield outcome
        raise
    finally:
        progress.close()


def not_asked(item: PlanItem) -> Answer:
    """What stands in for an answer where the plan says not to ask."""
    ended = bool(item.targets) and all(one.before.over for one in item.invocations)
    on_its_way = item.state is State.CANCELLING or (
        bool(item.targets) and any(one.before is State.CANCELLING for one in item.invocations)
    )
    already = on_its_way and not ended
    return Answer(asked=Asked.ALREADY if already else Asked.NEEDLESS)


class _Case:
    """The working record of one run between the request and the verdict; only the caller's thread writes to it."""

    def __init__(self, item: PlanItem, patience: Patience) -> None:
        self.item = item
        self.ref = refs.full(item.run)
        self.kind = kind_of(self.ref)
        self.answer = _UNREACHED if item.ask else not_asked(item)
        self.last: Snapshot | None = None
        self.problem: Problem | None = None
        self.patience = patience.timeout
        self._quiet_reads = 0
        self._since = 0.0  # the accepted answer, or the last reading in which something was on its way to an end
        self._seen_at: float | None = None
        self._deadline = 0.0
        self.started: list[_Case] = []  # runs that this one started and that are asked as well
        self.judged = False

    def start(self, now: float) -> None:
        """Watching begins: the timeout counts from here or from the accepted answer, whichever is later."""
        self._since = now if self.answer.at is None else self.answer.at
        self._deadline = max(self._since, now) + self.patience

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


_UNREACHED = Answer(
    asked=Asked.NOT_REACHED,
    problem=Problem(code=Reason.INTERRUPTED, message="interrupted before it was asked; nothing was sent for it"),
)
_IN_FLIGHT = Answer(
    asked=Asked.IN_DOUBT,
    problem=Problem(
        code=Reason.INTERRUPTED,
        message="interrupted while the cancel was in flight: it may or may not have been accepted",
    ),
)


def _ask(cases: Sequence[_Case], clouds: Clouds, desk: Desk, progress: Progress) -> None:
    """Send every cancel that is due, each scope at its own pace."""
    begun: set[str] = set()

    def work(case: _Case) -> Answer:
        begun.add(case.item.run)
        return structs.replace(_ask_one(case, clouds, desk), key=_key(case.ref.scope, clouds))

    waiting = [case for case in cases if case.item.ask and case.answer is _UNREACHED]
    try:
        for done in desk.fanout(work, waiting, lane=lambda case: case.ref.scope):
            case = done.item
            case.answer = done.value()
            progress.asked(case.item.run, case.answer)
    except Interrupted:
        for case in waiting:
            if case.item.run in begun and case.answer is _UNREACHED:
                case.answer = _IN_FLIGHT
        raise


def _ask_one(case: _Case, clouds: Clouds, desk: Desk) -> Answer:
    """One cancel. An error is never final by itself: the run is read again and judged by its state."""
    accepted: list[str] = []
    answer = _UNREACHED
    for _ in range(_TRIES):
        try:
            for request_id in clouds.at(case.ref.scope).cancel(case.ref, case.item.targets):
                accepted.append(request_id)  # noqa: PERF402 - what was accepted before an error counts
            return Answer(asked=Asked.ACCEPTED, at=desk.clock.monotonic(), request_ids=tuple(accepted))
        except CloudError as error:
            refusal = error
        if refusal.reason is Reason.INTERRUPTED and not accepted:
            break
        seen = None if refusal.reason in CREDENTIALS and not accepted else _look_again(case, clouds)
        answer = _after_error(case, refusal, seen, tuple(accepted), now=desk.clock.monotonic())
        if refusal.reason not in IN_DOUBT or seen is None or all_over(case.item, seen):
            break
        if answer.asked is Asked.ACCEPTED and not accepted and not _part_left(case.item, seen):
            break
    return answer


def _key(scope: Scope, clouds: Clouds) -> str | None:
    """Whose answer it was, as far as a journal may say it."""
    try:
        return clouds.at(scope).checkup().key
    except CloudError:
        return None


def _join(
    cases: dict[str, _Case], clouds: Clouds, desk: Desk, patience: Patience, progress: Progress, admit: Admit
) -> dict[str, _Case]:
    """Plan what was started between the look and the answer; what is not admitted is not asked."""
    parents = [case.ref for case in cases.values() if case.kind.starts_runs and case.answer.under_way]
    late = {item.run: _Case(item, patience) for item in started_since(parents, cases, clouds, desk)}
    if late:
        progress.planned([case.item for case in late.values()])
        cases.update(late)
        try:
            admit([case.item for case in cases.values()])
        except Refused as refused:
            for case in late.values():
                case.leave(Problem(code=Reason.REFUSED, message=refused.message, ref=case.item.run))
    return late


def _below(cases: Mapping[str, _Case]) -> list[_Case]:
    """The runs that others started, where these start nothing more: else a free place is taken by the next one."""
    found = [case for case in cases.values() if case.item.parent in cases]
    for case in found:
        above = cases[str(case.item.parent)]
        above.started.append(case)
        if above.answer.asked in (Asked.REFUSED, Asked.IN_DOUBT, Asked.NOT_REACHED):
            code = Reason.REFUSED if above.answer.problem is None else above.answer.problem.code
            message = (
                f"{above.item.run}, which started it, was not cancelled and would start more; nothing was sent for it"
            )
            case.leave(Problem(code=code, message=message, ref=case.item.run))
    return found


def _part_left(item: PlanItem, seen: Snapshot) -> bool:
    """Named targets travel in several requests: whether one shows no effect yet though another does."""
    chosen = selected(seen.invocations, item.targets) if item.targets else ()
    return any(not one.state.over and one.state is not State.CANCELLING for one in chosen)


def _look_again(case: _Case, clouds: Clouds) -> Snapshot | None:
    ((_, seen),) = read(clouds, Batch(scope=case.ref.scope, kind=case.kind, refs=(case.ref,)))
    return seen if isinstance(seen, Snapshot) else None


def _after_error(
    case: _Case, refusal: CloudError, seen: Snapshot | None, accepted: tuple[str, ...], *, now: float
) -> Answer:
    """What an error to a cancel means in the light of the state that was read after it.

    A request that went out in parts of which some were accepted is under way, whatever became of the others.
    """
    if accepted or (seen is not None and moved(case.item, seen)):
        asked = Asked.ACCEPTED
    elif refusal.reason in IN_DOUBT or refusal.reason is Reason.INTERRUPTED:
        asked = Asked.IN_DOUBT
    else:
        asked = Asked.REFUSED
    problem = refusal.problem(scope=case.ref.scope, ref=case.item.run)
    return Answer(
        asked=asked,
        at=now if asked is Asked.ACCEPTED else None,
        request_ids=accepted,
        problem=problem,
        seen=seen,
    )


def _watch(cases: dict[str, _Case], clouds: Clouds, desk: Desk, progress: Progress, *, wait: bool) -> Iterator[_Case]:
    """Look at what was asked, scope by scope, at growing intervals, and yield each case when its verdict is due."""
    began = desk.clock.monotonic()
    open_cases: dict[Ref, _Case] = {}
    for case in cases.values():
        case.start(began)
        if wait and case.answer.under_way:
            open_cases[case.ref] = case
        else:
            case.judged = True
            yield case
    watch = Watch(open_cases, clouds, desk, first=min([FIRST_PAUSE, *(case.patience for case in open_cases.values())]))
    while watch.left:
        readings = watch.next()
        now = desk.clock.monotonic()
        for ref, answer in readings or ():
            _observe(open_cases[ref], answer, progress, now)
        touched = tuple(watch.left) if readings is None else tuple(ref for ref, _ in readings)
        for ref in touched:
            if open_cases[ref].decided(now):
                watch.drop(ref)
                open_cases[ref].judged = True
                yield open_cases[ref]


def _observe(case: _Case, answer: Snapshot | CloudError, progress: Progress, now: float) -> None:
    case.observe(answer, now)
    if isinstance(answer, Snapshot):
        progress.seen(case.item.run, answer.run, selected(answer.invocations, case.item.targets))
