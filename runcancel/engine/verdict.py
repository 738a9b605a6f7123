"""What a cancel can do and what it did: pure functions from what was seen to effects and verdicts."""

from collections.abc import Container, Iterable, Iterator, Sequence

from msgspec import structs

from runcancel.errors import IN_DOUBT
from runcancel.model.outcomes import CancelResponse, InvocationOutcome, Outcome, PlanItem, PlannedInvocation
from runcancel.model.runs import Invocation, Problem, Run, RunName, Snapshot
from runcancel.model.states import Effect, Guarantee, Reason, RequestStatus, State, Verdict
from runcancel.providers import kind_of

KEEP_READS = 3  # quiet readings before something is said to keep running …
KEEP_SECONDS = 3.0  # … and how long after the accepted answer the last of them is


_EXPECTED = {
    (Guarantee.STOPS_RUNNING, State.RUNNING): Effect.TERMINATED,
    (Guarantee.BEST_EFFORT, State.RUNNING): Effect.UNKNOWN,
    (Guarantee.PENDING_ONLY, State.RUNNING): Effect.KEPT_RUNNING,
}

_STOPS = (Effect.CANCELLED, Effect.TERMINATED)
_MAY_HAVE_WORKED = IN_DOUBT | {Reason.INTERRUPTED}

_EFFECT_OF_END = {State.CANCELLED: Effect.CANCELLED, State.TERMINATED: Effect.TERMINATED}


def expected(guarantee: Guarantee, state: State) -> Effect:
    """What the vendor lets one expect of a cancel for an invocation in this state."""
    if state.over:
        return Effect.ALREADY_ENDED
    if state in (State.PENDING, State.SCHEDULED):
        return Effect.CANCELLED
    if state is State.CANCELLING:
        return Effect.STOPPING
    return _EXPECTED.get((guarantee, state), Effect.UNKNOWN)


def selected(invocations: Iterable[Invocation], targets: Sequence[str]) -> tuple[Invocation, ...]:
    """The invocations that a cancel of `targets` is about: all of them when none is named."""
    ids = frozenset(targets)
    return tuple(one for one in invocations if not ids or one.target in ids)


def counted_once(items: Sequence[PlanItem]) -> list[PlanItem]:
    """The items, each without the invocations of child runs that are items of their own."""
    runs = {item.run for item in items}
    return [
        structs.replace(item, invocations=tuple(one for one in item.invocations if one.child not in runs))
        for item in items
    ]


def all_over(item: PlanItem, snapshot: Snapshot) -> bool:
    """Seen to be over: every selected invocation and, unless only some targets were selected, the run itself.

    What was planned and is not listed any more was not seen, and so is not over.
    """
    invocations = selected(snapshot.invocations, item.targets)
    whole = bool(invocations) if item.targets else snapshot.run.state.over
    return (
        whole
        and all(one.state.over for one in invocations)
        and all(one.before.over for one in vanished(item, invocations))
    )


def only_reported(snapshot: Snapshot) -> bool:
    """Whether a stopped run, or one of its stops, is no more than the cloud's report: the verdict `reported`."""
    run = snapshot.run
    rest_unseen = run.not_listed > 0 and run.state.stopped and not run.rest_confirmed
    return rest_unseen or any(one.state.stopped and not one.confirmed for one in snapshot.invocations)


def quiet(item: PlanItem, snapshot: Snapshot) -> bool:
    """No selected invocation is on its way to an end that a cancel caused."""
    return all(one.state is not State.CANCELLING for one in selected(snapshot.invocations, item.targets))


def untouched(item: PlanItem, snapshot: Snapshot) -> list[Invocation]:
    """Selected invocations that show no effect of a cancel yet."""
    return [
        one
        for one in selected(snapshot.invocations, item.targets)
        if not one.state.over and one.state is not State.CANCELLING
    ]


def moved(item: PlanItem, snapshot: Snapshot) -> bool:
    """Something changed as only a cancel changes it: the proof that a request that may have arrived worked.

    Where a run can be cancelled in part, the change of one target may come from the cancel of that target alone: it
    proves nothing as long as a target waits that a cancel of all would have reached. What runs on is no such target
    where a cancel leaves it alone.
    """
    before = {one.id: one.before for one in item.invocations}
    signs = (State.CANCELLING, State.CANCELLED, State.TERMINATED)
    run_moved = not item.targets and snapshot.run.state in signs and item.state not in signs
    any_moved = run_moved or any(
        one.state in signs and before.get(one.id) not in signs for one in selected(snapshot.invocations, item.targets)
    )
    return any_moved and not (kind_of(item.run).in_part and _any_waits(item, snapshot))


def _any_waits(item: PlanItem, snapshot: Snapshot) -> bool:
    """Whether a cancel would still change something, as far as its guarantee goes."""
    left_alone = (State.RUNNING,) if item.guarantee is Guarantee.PENDING_ONLY else ()
    return any(one.state not in left_alone for one in untouched(item, snapshot))


def running_tasks(invocations: Iterable[Invocation]) -> frozenset[str]:
    """The tasks of which an invocation runs."""
    return frozenset(one.task for one in invocations if one.task is not None and one.state is State.RUNNING)


def keeps_running(invocation: Invocation, running: Container[str]) -> bool:
    """Runs on in spite of a settled cancel; what waits in one of the `running` tasks shares the task's fate."""
    if invocation.state is State.RUNNING:
        return True
    waits = invocation.state in (State.PENDING, State.SCHEDULED)
    return waits and invocation.task is not None and invocation.task in running


def nothing_left_to_see(item: PlanItem, snapshot: Snapshot, *, unchanged: bool) -> bool:
    """Whether further readings show nothing new: all has ended, or the rest is known to keep running."""
    if all_over(item, snapshot):
        return True
    invocations = selected(snapshot.invocations, item.targets)
    open_ones = [one for one in invocations if not one.state.over]
    can_keep = unchanged and item.guarantee is Guarantee.PENDING_ONLY
    running = running_tasks(invocations)
    return can_keep and bool(open_ones) and all(keeps_running(one, running) for one in open_ones)


def judge(
    item: PlanItem,
    answer: CancelResponse,
    last: Snapshot | None,
    *,
    unchanged: bool = False,
    seconds: float | None = None,
    problem: Problem | None = None,
) -> Outcome:
    """The outcome of one run from its plan, its response and its last reading.

    `last` is None when the run was not seen after the answer; `unchanged` is true once `KEEP_READS` quiet readings over
    `KEEP_SECONDS` were made, which means something only where a cancel leaves running things alone. `problem` is why
    the last look failed.
    """
    can_keep = unchanged and item.guarantee is Guarantee.PENDING_ONLY
    effects = _effects(item, answer, last, can_keep=can_keep)
    verdict = _verdict(item, answer, last, effects)
    return Outcome(
        run=item.run,
        name=item.name,
        verdict=verdict,
        guarantee=item.guarantee,
        before=item.state,
        after=last.run.state if last is not None else (item.state if answer.status is RequestStatus.NEEDLESS else None),
        request_ids=answer.request_ids,
        invocations=effects,
        not_listed=_not_listed(item, last),
        seconds=seconds,
        error=_error(verdict, answer, problem),
        parent=item.parent,
        comment=item.comment,
        document=item.document,
        origin=item.origin,
    )


def failed(run: RunName, problem: Problem) -> Outcome:
    """The outcome of a reference under which no run could be read: nothing was sent for it."""
    return Outcome(
        run=run,
        name=None,
        verdict=Verdict.FAILED,
        guarantee=None,
        before=None,
        after=None,
        request_ids=(),
        invocations=(),
        not_listed=0,
        seconds=None,
        error=problem,
    )


def _verdict(
    item: PlanItem, answer: CancelResponse, last: Snapshot | None, rows: Sequence[InvocationOutcome]
) -> Verdict:
    stopped_some = _run_stopped(item, last) or any(one.effect in _STOPS for one in rows)
    if answer.status is RequestStatus.NOT_REACHED:
        return Verdict.SKIPPED
    if answer.status is RequestStatus.NEEDLESS or (last is not None and all_over(item, last)):
        if any(_only_reported(one, stopped_some=stopped_some) for one in rows):
            return Verdict.REPORTED
        return Verdict.STOPPED if stopped_some else Verdict.ENDED
    if answer.status is RequestStatus.REFUSED:
        return Verdict.PARTIAL if stopped_some else Verdict.FAILED
    never_seen = last is None and not item.read
    if never_seen or (answer.status is RequestStatus.IN_DOUBT and not stopped_some):
        return Verdict.IN_DOUBT
    kept_some = any(one.effect is Effect.KEPT_RUNNING for one in rows)
    return Verdict.PARTIAL if kept_some or _part_refused(answer) else Verdict.REQUESTED


def _only_reported(one: InvocationOutcome, *, stopped_some: bool) -> bool:
    """A stop that only the cloud reports, whoever caused it; or what was never listed of a run that was stopped."""
    if one.confirmed or one.after is None:
        return False
    return one.after.stopped or one.effect in _STOPS or (not one.id and stopped_some)


def _part_refused(answer: CancelResponse) -> bool:
    """One part of the request was accepted and another certainly not."""
    return bool(answer.request_ids) and answer.problem is not None and answer.problem.code not in _MAY_HAVE_WORKED


def _effects(
    item: PlanItem, answer: CancelResponse, last: Snapshot | None, *, can_keep: bool
) -> tuple[InvocationOutcome, ...]:
    if last is None:
        unread = tuple(_unseen(item, one, answer) for one in item.invocations)
        return (*unread, *_rest_before(item)) if answer.status is RequestStatus.NEEDLESS else unread
    before = {one.id: one.before for one in item.invocations}
    after = selected(last.invocations, item.targets)
    running = running_tasks(after)
    refused = frozenset(answer.refused)
    rows = []
    for one in after:
        open_effect = _open_effect(item, one.state)
        if can_keep and keeps_running(one, running):
            open_effect = Effect.KEPT_RUNNING
        if one.target in refused:
            open_effect = Effect.UNKNOWN
        effect = _effect(one.state, before.get(one.id), last.run, answer, open_effect)
        rows.append(
            InvocationOutcome(
                id=one.id,
                task=one.task,
                target=one.target,
                before=before.get(one.id),
                after=one.state,
                effect=effect,
                confirmed=effect is not Effect.UNKNOWN and one.confirmed,
                child=one.child,
                foreign=one.foreign,
            )
        )
    unseen = (_unseen(item, one, answer) for one in vanished(item, after))
    return (*rows, *unseen, *_rest(item, last, answer))


def _open_effect(item: PlanItem, state: State) -> Effect:
    """The effect on what has not ended, until readings show that it keeps running."""
    runs_on = item.guarantee is Guarantee.PENDING_ONLY and state is State.RUNNING
    return Effect.UNKNOWN if runs_on else Effect.STOPPING


def _effect(after: State, before: State | None, run: Run, answer: CancelResponse, open_effect: Effect) -> Effect:
    if before is not None and before.over and after.over:
        return Effect.ALREADY_ENDED
    if after is State.SKIPPED and run.state.stopped:
        return Effect.CANCELLED
    if after.over:
        return _EFFECT_OF_END.get(after, Effect.ALREADY_ENDED)
    if after is State.CANCELLING:
        return Effect.STOPPING
    return Effect.UNKNOWN if after is State.UNKNOWN or not answer.under_way else open_effect


def vanished(item: PlanItem, after: Sequence[Invocation]) -> Iterator[PlannedInvocation]:
    """What was planned and is no longer listed. A task's placeholder that gave way to its rows is no loss."""
    ids = {one.id for one in after}
    tasks = {one.task for one in after}
    for one in item.invocations:
        placeholder = one.target is None and one.task is not None and one.id == one.task
        if one.id not in ids and not (placeholder and one.task in tasks):
            yield one


def _unseen(item: PlanItem, one: PlannedInvocation, answer: CancelResponse) -> InvocationOutcome:
    open_effect = _open_effect(item, one.before) if answer.under_way else Effect.UNKNOWN
    return InvocationOutcome(
        id=one.id,
        task=one.task,
        target=one.target,
        before=one.before,
        after=one.before if one.before.over else None,
        effect=Effect.ALREADY_ENDED if one.before.over else open_effect,
        confirmed=one.before.over and one.confirmed,
        child=one.child,
        foreign=one.foreign,
    )


def _rest(item: PlanItem, last: Snapshot, answer: CancelResponse) -> Iterator[InvocationOutcome]:
    """One row for all targets that the vendor counts and never listed. Its effect follows from the run.

    It is confirmed only once the run has ended and the vendor counts every target as completed.
    """
    if _not_listed(item, last):
        state = last.run.state
        effect = _effect(state, item.state, last.run, answer, _open_effect(item, state))
        yield _unlisted(state, effect, confirmed=state.over and last.run.rest_confirmed)


def _rest_before(item: PlanItem) -> Iterator[InvocationOutcome]:
    """The same for a run that already ended and was not read again."""
    if _not_listed(item, None):
        yield _unlisted(item.state, Effect.ALREADY_ENDED, confirmed=item.rest_confirmed)


def _unlisted(after: State, effect: Effect, *, confirmed: bool) -> InvocationOutcome:
    return InvocationOutcome(
        id="", task=None, target=None, before=None, after=after, effect=effect, confirmed=confirmed
    )


def _run_stopped(item: PlanItem, last: Snapshot | None) -> bool:
    """A run that was seen to end by a cancel, whatever became of its invocations: a schedule that stops repeating."""
    return last is not None and not item.targets and last.run.state.stopped and not item.state.over


def _not_listed(item: PlanItem, last: Snapshot | None) -> int:
    if item.targets:
        return 0
    return item.not_listed if last is None else last.run.not_listed


def _error(verdict: Verdict, answer: CancelResponse, problem: Problem | None) -> Problem | None:
    """The problem that belongs to the verdict: what refused the cancel, or why its end could not be seen."""
    if verdict in (Verdict.FAILED, Verdict.PARTIAL, Verdict.SKIPPED):
        return answer.problem
    if verdict is Verdict.IN_DOUBT:
        return answer.problem or problem
    return (problem or answer.problem) if verdict is Verdict.REQUESTED else None
