"""What keeps running after a cancel, and what would stop it."""

from collections.abc import Iterable, Sequence

from runcancel.model.outcomes import InvocationOutcome, Outcome
from runcancel.model.runs import ExternalExecution, RunName
from runcancel.model.states import Effect, Guarantee


def left_running(outcomes: Sequence[Outcome]) -> list[RunName]:
    """Runs with child runs that keep running after a cancel and were not cancelled."""
    parents = {outcome.parent for outcome in outcomes}
    return [
        outcome.run
        for outcome in outcomes
        if outcome.run not in parents and any(one.child is not None for one in _still_running(outcome))
    ]


def external(outcomes: Iterable[Outcome]) -> list[ExternalExecution]:
    """What runs in another service on behalf of these runs, each once."""
    found = (one.foreign for outcome in outcomes for one in _still_running(outcome) if one.foreign is not None)
    return list(dict.fromkeys(found))


def _still_running(outcome: Outcome) -> list[InvocationOutcome]:
    """What a cancel is known to leave alone: it runs on, or will unless it ends by itself."""
    if outcome.guarantee is not Guarantee.PENDING_ONLY:
        return []
    return [one for one in outcome.invocations if one.effect in (Effect.KEPT_RUNNING, Effect.STOPPING, Effect.UNKNOWN)]
