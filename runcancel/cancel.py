"""Ask, watch, judge: the heart. Requested is never called stopped."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from msgspec import Struct, structs

from runcancel.case import IN_FLIGHT, UNREACHED, Case
from runcancel.clouds import Batch, Clouds, read
from runcancel.errors import CREDENTIALS, IN_DOUBT, CloudError, Interrupted, Refused
from runcancel.judge import (
    Answer,
    Asked,
    all_over,
    moved,
    selected,
)
from runcancel.ledger import Outcome, PlanItem
from runcancel.model import Problem, Ref, Scope, Snapshot
from runcancel.plan import started_since
from runcancel.progress import Progress
from runcancel.vocabulary import Reason, State
from runcancel.watch import FIRST_PAUSE, IDLE, Readings, Watch
from runcancel.workers import TaskGroup, TaskResult, Workers

_TRIES = 3  # how often one cancel is asked when its answers are in doubt


class Patience(Struct, frozen=True, kw_only=True):
    """How long to watch. `timeout` is in seconds, per run, from its accepted answer; 0 looks once."""

    wait: bool = True
    timeout: float = 60.0


Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` when caps or guards let no more than what is planned be asked."""


def carry_out(
    items: Sequence[PlanItem],
    clouds: Clouds,
    workers: Workers,
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
    operation = _Operation(items, clouds, workers, patience, progress)
    left = dict(operation.cases)
    progress.planned(items)
    try:
        if admit is not None or any(item.parent in left for item in items):
            operation.ask_above()
            if admit is not None:
                left |= operation.join(admit)
            operation.leave_below()
        for case in operation.settle():
            outcome = left.pop(case.item.run).outcome()
            progress.judged(outcome)
            yield outcome
    except Interrupted:
        for case in left.values():
            operation.break_off(case)
            outcome = case.outcome()
            progress.judged(outcome)
            yield outcome
        raise
    finally:
        progress.close()


class _Operation:
    """One cancel on its way: what its passes share."""

    def __init__(
        self, items: Sequence[PlanItem], clouds: Clouds, workers: Workers, patience: Patience, progress: Progress
    ) -> None:
        self.cases = {item.run: Case(item, timeout=patience.timeout) for item in items}
        self._clouds = clouds
        self._workers = workers
        self._patience = patience
        self._progress = progress
        self._begun: set[str] = set()  # runs whose cancel a thread has taken up

    def ask_above(self) -> None:
        """Send the cancels of runs that no other of the plan started, each scope at its own pace."""
        due = [case for case in self.cases.values() if case.due and case.item.parent not in self.cases]
        for done in self._workers.map(self._ask, due, queue=lambda case: case.ref.scope):
            self._answered(done.item, done.value())

    def join(self, admit: Admit) -> dict[str, Case]:
        """Plan what was started between the look and the answer; what is not admitted is not asked."""
        parents = [case.ref for case in self.cases.values() if case.kind.starts_runs and case.answer.under_way]
        items = started_since(parents, self.cases, self._clouds, self._workers)
        late = {item.run: Case(item, timeout=self._patience.timeout) for item in items}
        if late:
            self._progress.planned([case.item for case in late.values()])
            self.cases |= late
            try:
                admit([case.item for case in self.cases.values()])
            except Refused as refused:
                for case in late.values():
                    case.leave(Problem(code=Reason.REFUSED, message=refused.message, ref=case.item.run))
        return late

    def leave_below(self) -> None:
        """Leave what was started by a run that may start more: the next one would take the place that it frees."""
        for case in self.cases.values():
            if case.item.parent not in self.cases:
                continue
            above = self.cases[str(case.item.parent)]
            above.started.append(case)
            if above.answer.asked in (Asked.REFUSED, Asked.IN_DOUBT, Asked.NOT_REACHED):
                code = Reason.REFUSED if above.answer.problem is None else above.answer.problem.code
                message = (
                    f"{above.item.run}, which started it, was not cancelled and would start more; "
                    "nothing was sent for it"
                )
                case.leave(Problem(code=code, message=message, ref=case.item.run))

    def settle(self) -> Iterator[Case]:
        """Ask what is still due, look at it at growing intervals, and yield each case when its verdict is due.

        A scope is looked at as soon as its own cancels are answered: a cloud that hangs holds up no verdict of another.
        """
        by_ref = {case.ref: case for case in self.cases.values()}
        due = [case for case in self.cases.values() if case.due]
        unanswered = Counter(case.ref.scope for case in due)
        tasks = TaskGroup[Case | Batch, Answer | Readings](self._workers, self._serve)
        watch = Watch(tasks, self._workers.clock, first=min(FIRST_PAUSE, self._patience.timeout))
        for case in due:
            tasks.submit(case, queue=case.ref.scope, send=True)
        yield from self._begin({ref.scope for ref in by_ref} - unanswered.keys(), watch)
        while unanswered or watch.left:
            watch.look()
            done = tasks.next(IDLE)
            now = self._workers.clock.monotonic()
            touched: Sequence[Ref] = ()
            if done is None:
                touched = tuple(watch.left)
            elif isinstance(done.item, Case):
                self._answered(done.item, cast(Answer, done.value()))
                unanswered -= Counter([done.item.ref.scope])
                yield from self._begin({done.item.ref.scope} - unanswered.keys(), watch)
            else:
                readings = watch.took(cast(TaskResult[Batch, Readings], done))
                touched = tuple(ref for ref, _ in readings)
                for ref, answer in readings:
                    self._observe(by_ref[ref], answer, now)
            for case in (by_ref[ref] for ref in touched):
                if case.decided(now):
                    watch.drop(case.ref)
                    case.judged = True
                    yield case

    def break_off(self, case: Case) -> None:
        """A signal came: what was being asked may have been accepted."""
        if case.item.run in self._begun and case.answer is UNREACHED:
            case.answer = IN_FLIGHT

    def _serve(self, item: Case | Batch) -> Answer | Readings:
        return self._ask(item) if isinstance(item, Case) else read(self._clouds, item)

    def _ask(self, case: Case) -> Answer:
        self._begun.add(case.item.run)
        return structs.replace(_ask_one(case, self._clouds, self._workers), key=_key(case.ref.scope, self._clouds))

    def _answered(self, case: Case, answer: Answer) -> None:
        case.answer = answer
        self._progress.asked(case.item.run, answer)

    def _begin(self, scopes: set[Scope], watch: Watch) -> Iterator[Case]:
        """Watch what was asked in these scopes, of which every cancel is answered; yield what needs no watching."""
        now = self._workers.clock.monotonic()
        for case in self.cases.values() if scopes else ():
            if case.ref.scope in scopes:
                case.start(now)
                if self._patience.wait and case.answer.under_way:
                    watch.add(case.ref)
                else:
                    case.judged = True
                    yield case

    def _observe(self, case: Case, answer: Snapshot | CloudError, now: float) -> None:
        case.observe(answer, now)
        if isinstance(answer, Snapshot):
            self._progress.seen(case.item.run, answer.run, selected(answer.invocations, case.item.targets))


def _ask_one(case: Case, clouds: Clouds, workers: Workers) -> Answer:
    """One cancel. An error is never final by itself: the run is read again and judged by its state."""
    accepted: list[str] = []
    answer = UNREACHED
    for _ in range(_TRIES):
        try:
            for request_id in clouds.at(case.ref.scope).cancel(case.ref, case.item.targets):
                accepted.append(request_id)  # noqa: PERF402 - what was accepted before an error counts
            return Answer(asked=Asked.ACCEPTED, at=workers.clock.monotonic(), request_ids=tuple(accepted))
        except CloudError as error:
            refusal = error
        if refusal.reason is Reason.INTERRUPTED and not accepted:
            break
        seen = None if refusal.reason in CREDENTIALS and not accepted else _look_again(case, clouds)
        answer = _after_error(case, refusal, seen, tuple(accepted), now=workers.clock.monotonic())
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


def _part_left(item: PlanItem, seen: Snapshot) -> bool:
    """Named targets travel in several requests: whether one shows no effect yet though another does."""
    chosen = selected(seen.invocations, item.targets) if item.targets else ()
    return any(not one.state.over and one.state is not State.CANCELLING for one in chosen)


def _look_again(case: Case, clouds: Clouds) -> Snapshot | None:
    ((_, seen),) = read(clouds, Batch(scope=case.ref.scope, kind=case.kind, refs=(case.ref,)))
    return seen if isinstance(seen, Snapshot) else None


def _after_error(
    case: Case, refusal: CloudError, seen: Snapshot | None, accepted: tuple[str, ...], *, now: float
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
