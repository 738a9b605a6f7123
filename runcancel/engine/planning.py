"""What a cancel would do: to the runs that were chosen, and to those that they started."""

from collections.abc import Container, Sequence
from typing import TypedDict

from runcancel.engine.connections import Clouds, batches, read
from runcancel.engine.verdict import expected, selected
from runcancel.errors import CloudError
from runcancel.model.outcomes import Intent, PlanItem, PlannedInvocation
from runcancel.model.runs import Invocation, Ref, Run, RunName, Snapshot
from runcancel.model.states import Guarantee, State
from runcancel.model.triggers import Origin, TriggerSnapshot
from runcancel.providers import kind_of


def plan(snapshot: Snapshot, targets: Sequence[str] = (), *, parent: Ref | None = None) -> PlanItem:
    """What a cancel of this run, or of its `targets`, would do by the vendor's guarantee.

    `parent` is the run that started it, where that is cancelled first.
    """
    run = snapshot.run
    kind = kind_of(run.ref)
    invocations = selected(snapshot.invocations, targets)
    trigger, promise = None, kind.promise
    if isinstance(snapshot, TriggerSnapshot):
        trigger, promise = snapshot.trigger, snapshot.promise
    ask, why = _whether(run, invocations if targets else (), snapshot.invocations)
    if trigger is not None:
        ask, why = not run.state.over, f"it is {trigger.state}"
    return PlanItem(
        run=run.ref,
        name=run.name,
        state=run.state,
        guarantee=run.guarantee,
        promise=promise,
        ask=ask,
        why=why,
        counts=run.counts or {},
        not_listed=0 if targets else run.not_listed,
        targets=tuple(targets),
        invocations=tuple(
            PlannedInvocation(
                id=one.id,
                task=one.task,
                target=one.target,
                before=one.state,
                expected=expected(run.guarantee, one.state),
                child=one.child,
                foreign=one.foreign,
                target_count=one.target_count,
                confirmed=one.confirmed,
            )
            for one in invocations
        ),
        parent=parent,
        rest_confirmed=run.rest_confirmed,
        comment=run.comment,
        document=run.document,
        matched_by=run.matched_by,
        trigger=trigger,
        origin=Origin.of(run) if trigger is None else None,
    )


def children(items: Sequence[PlanItem], *, stopped: bool = False) -> dict[Ref, Ref]:
    """The runs that a cancel of these would leave running, each with the run that started it: `{child: parent}`.

    `stopped`: also those whose invocation is stopped, because what it started may run on.
    """
    return {
        one.child: item.run
        for item in items
        if kind_of(item.run).starts_runs
        for one in item.invocations
        if one.child is not None and (not one.before.over or (stopped and one.before.stopped))
    }


def started_by(ref: Ref, planned: Container[Ref], clouds: Clouds) -> list[PlanItem]:
    """What this run has started that is not `planned`, planned; one that cannot be read is planned unseen.

    Of those whose invocation the cancel has stopped meanwhile, the ended ones are left out. Complete only for a run
    that starts nothing more. A run that cannot be read adds nothing. Call it on a worker.
    """
    plans = [plan(answer) for _, answer in _read([ref], clouds) if isinstance(answer, Snapshot)]
    running = children(plans)
    refs = [child for child in children(plans, stopped=True) if child not in planned]
    return [
        plan(answer, parent=ref) if isinstance(answer, Snapshot) else unseen(child, answer.message, parent=ref)
        for child, answer in _read(refs, clouds)
        if child in running or not isinstance(answer, Snapshot) or not answer.run.ended
    ]


def unseen(ref: Ref, why: str, *, parent: Ref | None = None) -> PlanItem:
    """What is planned for a run that could not be read, for the reason `why`: it is cancelled all the same."""
    kind = kind_of(ref)
    return PlanItem(
        run=ref,
        guarantee=kind.guarantee,
        promise=kind.promise,
        ask=True,
        why=f"it could not be read: {why}",
        parent=parent,
        **_UNREAD,
    )


def intended(run: RunName, candidates: Sequence[Ref]) -> Intent:
    """The journal's entry of a reference that is not read yet; `candidates` are the runs that it can mean."""
    kinds = [kind_of(ref) for ref in candidates]
    return Intent(
        run=run,
        guarantee=min((kind.guarantee for kind in kinds), key=tuple(reversed(Guarantee)).index),
        promise=kinds[0].promise,
        ask=False,
        why="the run was not read yet",
        candidates=tuple(candidates),
        **_UNREAD,
    )


class _Unread(TypedDict):
    name: None
    state: State
    counts: dict[State, int]
    not_listed: int
    targets: tuple[str, ...]
    invocations: tuple[PlannedInvocation, ...]
    read: bool


_UNREAD: _Unread = {
    "name": None,
    "state": State.UNKNOWN,
    "counts": {},
    "not_listed": 0,
    "targets": (),
    "invocations": (),
    "read": False,
}
"""What a plan knows of a run that was not read."""


def _read(refs: Sequence[Ref], clouds: Clouds) -> list[tuple[Ref, Snapshot | CloudError]]:
    return [pair for batch in batches(refs) for pair in read(clouds, batch)]


def _whether(run: Run, invocations: Sequence[Invocation], listed: Sequence[Invocation]) -> tuple[bool, str]:
    """Whether to send, and why, for the `invocations` targets (empty: the whole run, of which `listed` was seen).

    A run all of whose listed targets have ended may still start others: its cancel is sent. A run that its cloud calls
    ended while one of its targets is not has not ended. A run that reads `cancelling` may have targets that no cancel
    has reached: see `Run.cancellable`.
    """
    open_states = [one.state for one in invocations or listed if not one.state.over]
    if not open_states and run.state.over:
        return False, f"it has ended ({run.state})"
    if invocations and not open_states:
        return False, "every selected target has ended"
    stopping = all(state is State.CANCELLING for state in open_states) if invocations else not run.cancellable
    if stopping:
        return False, "it is already being cancelled; no second cancel is sent"
    if open_states and (run.state.over or run.state is State.CANCELLING):
        return True, f"its state is {run.state}, but a target is {max(open_states, key=lambda state: state.openness)}"
    return True, f"it is {run.state}"
