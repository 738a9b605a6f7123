"""A saved plan and the part of it that is in one shard."""

from collections.abc import Sequence

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.cli.support.source import RunChoice, WholePlan
from runcancel.engine.planning import plan
from runcancel.engine.saved import SavedCaller
from runcancel.engine.shards import cut
from runcancel.errors import UsageError
from runcancel.model.outcomes import PlanItem, Shard
from runcancel.model.triggers import TriggerPlan


def whole_plan(
    session: Session,
    items: Sequence[PlanItem],
    triggers: Sequence[TriggerPlan],
    callers: Sequence[SavedCaller],
    shard: Shard,
) -> WholePlan:
    """A saved plan, and what is in one shard of it."""
    recorded = _recorded_triggers(session, triggers)
    return WholePlan(
        items=tuple(items),
        part=cut(items, callers, shard),
        callers=tuple(callers),
        shard=shard,
        triggers=recorded,
        part_of_triggers=cut(recorded, callers, shard),
    )


def whole_trigger_plan(
    session: Session, triggers: Sequence[TriggerPlan], callers: Sequence[SavedCaller], shard: Shard
) -> WholePlan:
    """The same of a plan of triggers alone."""
    return whole_plan(session, _recorded_triggers(session, triggers), (), callers, shard)


def with_triggers(choice: RunChoice, disables: bool | None) -> tuple[RunChoice, bool]:
    """The shard, and whether it disables triggers: those that the plan lists, unless `disables` is false.

    Raises `UsageError` where the plan lists none: each shard would find others.
    """
    whole = choice.whole
    if whole is None or disables is False:
        without = None if whole is None else structs.replace(whole, triggers=(), part_of_triggers=())
        return structs.replace(choice, whole=without), False
    if disables and not whole.triggers:
        raise UsageError(
            "--shard disables the triggers that its plan lists, and this plan lists none; nothing was sent",
            hint="To create such a plan: runcancel cancel … --disable-triggers --dry-run -o json",
        )
    return choice, bool(choice.planned_triggers)


def _recorded_triggers(session: Session, triggers: Sequence[TriggerPlan]) -> tuple[PlanItem, ...]:
    """The triggers that are to be changed, as the plan found them."""
    readings = {one.trigger: structs.replace(one.before, ref=one.trigger) for one in triggers if one.send}
    return tuple(plan(session.clouds.switch.as_snapshot(reading)) for reading in readings.values())
