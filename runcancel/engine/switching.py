"""Triggers as the engine takes them: read like runs, and disabled or enabled where a run is cancelled.

So a change of triggers has the machinery of a cancel: lookup, plan, confirmation, limits, policy, journal, tries
bounded by time, readings afterwards, signals, resume.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from runcancel.errors import CloudError
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Ref, Run, Snapshot
from runcancel.model.states import Reason, State
from runcancel.model.triggers import Trigger, TriggerOutcome, TriggerPlan, TriggerSnapshot, TriggerState, TriggerVerdict
from runcancel.providers import kind_of, trigger_kind_of
from runcancel.providers.base import Triggers
from runcancel.runtime.throttle import no_later_than

_ABOUT_ONE = frozenset({Reason.NOT_FOUND, Reason.INVALID})
"""Failures of a reading that show nothing about the next one."""


class Switch:
    """Which way triggers are switched, and the latest reading of each since its latest request.

    `one_try`: a reading that fails is not repeated, because who reads does that.
    """

    def __init__(self, *, enable: bool) -> None:
        self.enable = enable
        self.one_try = False
        self.readings: dict[Ref, Trigger] = {}

    @property
    def goal(self) -> TriggerState:
        """The state that is requested of every trigger: enabled or disabled."""
        return TriggerState.ENABLED if self.enable else TriggerState.DISABLED

    def read(
        self, triggers: Triggers, refs: Sequence[Ref], *, now: float
    ) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """Read triggers of one scope. Raises `CloudError` for what concerns more than one of them."""
        for ref in refs:
            try:
                with no_later_than(now if self.one_try else math.inf):
                    trigger = triggers.read(ref)
                yield ref, self.snapshot(trigger)
            except CloudError as error:
                if error.reason not in _ABOUT_ONE:
                    raise
                yield ref, error

    def send(self, triggers: Triggers, ref: Ref) -> Iterator[str]:
        """Request the requested state; yields the request id of the accepted answer."""
        self.readings.pop(ref, None)  # it shows nothing about the state after this request
        yield triggers.switch(ref, enabled=self.enable)

    def snapshot(self, trigger: Trigger) -> TriggerSnapshot:
        """A reading as the engine takes it. It is the latest of this trigger."""
        self.readings[trigger.ref] = trigger
        return self.as_snapshot(trigger)

    def as_snapshot(self, trigger: Trigger) -> TriggerSnapshot:
        """A trigger as the engine takes it: what is in the requested state has ended by the request."""
        state = State.TERMINATED if trigger.state is self.goal else State.RUNNING
        if trigger.state is TriggerState.UNKNOWN:
            state = State.UNKNOWN
        row = Invocation(
            run=trigger.ref,
            id=trigger.id,
            task=None,
            target=None,
            target_name=None,
            state=state,
            provider_status=trigger.provider_status,
            status_detail=None,
            exit_code=None,
            started_at=None,
            ended_at=None,
            child=None,
            owner=None,
            window_target=None,
        )
        run = Run.at(
            trigger.ref,
            kind_of(trigger.ref),
            state=state,
            provider_status=trigger.provider_status,
            name=trigger.name,
            document=", ".join(trigger.documents),
        )
        whole = Snapshot.full(run, (row,))
        kind = trigger_kind_of(trigger.ref)
        promise = "" if kind is None else kind.promise_of(enable=self.enable)
        return TriggerSnapshot(run=whole.run, invocations=whole.invocations, trigger=trigger, promise=promise)


def trigger_plans(items: Iterable[PlanItem]) -> tuple[TriggerPlan, ...]:
    """The triggers among the items of a plan, as a plan shows them."""
    return tuple(
        TriggerPlan(
            trigger=item.run, name=item.name, send=item.ask, why=item.why, promise=item.promise, before=item.trigger
        )
        for item in items
        if item.trigger is not None
    )


def trigger_outcome(outcome: Outcome, *, enable: bool, before: Trigger | None, after: Trigger | None) -> TriggerOutcome:
    """The outcome of the engine as that of a trigger; `after` is the latest reading, if one followed the request."""
    verdict = TriggerVerdict.of(outcome.verdict, enable=enable, error=outcome.error)
    return TriggerOutcome(
        trigger=outcome.run,
        name=outcome.name,
        verdict=verdict,
        before=before,
        after=before if verdict is TriggerVerdict.UNCHANGED else after,
        request_ids=outcome.request_ids,
        error=outcome.error,
    )
