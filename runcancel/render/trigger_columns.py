"""The columns of triggers, of their plans and of their outcomes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runcancel.model.triggers import Trigger, TriggerOutcome, TriggerPlan
from runcancel.render.column import Column, word
from runcancel.render.screens.words import Pieces
from runcancel.text import safe


def _runs(one: Trigger, _: datetime) -> Pieces:
    """`patch-openssl on tag:Role=web`: what it runs, and where."""
    what = ", ".join(one.documents)
    where = f" on {', '.join(one.targets)}" if one.targets else ""
    return ((safe(f"{what}{where}"), None),) if what or where else ()


_TRIGGER: tuple[Column[Trigger], ...] = (
    word("state"),
    Column("next_start_at", "NEXT START"),
    Column("ref", "TRIGGER", reference=True, is_key=True),
    Column("name", shrinkable=True),
    Column("schedule_text", "SCHEDULE", value=lambda one: one.schedule_text or one.schedule, shrinkable=True),
    Column("documents", "RUNS", show=_runs, shrinkable=True),
    Column("targets", "ON", wide=True),
    Column("fixed_because", "NOT CHANGED BECAUSE", wide=True, shrinkable=True),
    Column("command", "TO INSPECT", wide=True),
    Column("schedule", "EXPRESSION", wide=True),
    Column("timezone", wide=True),
    Column("starts", wide=True),
    Column("tasks", wide=True, right=True),
    Column("others", "OTHER TARGETS", wide=True, right=True),
    Column("effect_unknown", "EFFECT UNKNOWN", wide=True),
    Column("provider_status", "STATUS", wide=True),
    Column("account", wide=True),
)

_TRIGGER_OUTCOME: tuple[Column[TriggerOutcome], ...] = (
    word("verdict"),
    Column("trigger", reference=True, is_key=True),
    Column("name", shrinkable=True),
    Column("before", value=lambda one: None if one.before is None else one.before.state),
    Column("after", value=lambda one: None if one.after is None else one.after.state),
    Column("next_start_at", "NEXT START", value=lambda one: None if one.after is None else one.after.next_start_at),
    Column("remark", value=lambda one: None if one.error is None else one.error.message, shrinkable=True),
    Column("request_ids", "REQUESTS", wide=True),
    Column("error", value=lambda one: None if one.error is None else one.error.code, wide=True),
)

_TRIGGER_PLAN: tuple[Column[TriggerPlan], ...] = (
    Column("state", value=lambda one: one.before.state),
    Column("trigger", reference=True, is_key=True),
    Column("name", shrinkable=True),
    Column("send", format=lambda send: "yes" if send else "no"),
    Column("next_start_at", "NEXT START", value=lambda one: one.before.next_start_at),
    Column("documents", "RUNS", value=lambda one: one.before.documents, shrinkable=True),
    Column("why", shrinkable=True),
    Column("targets", "ON", value=lambda one: one.before.targets, wide=True),
    Column("promise", wide=True),
)

COLUMNS: Mapping[type, tuple[Column[Any], ...]] = {
    Trigger: _TRIGGER,
    TriggerPlan: _TRIGGER_PLAN,
    TriggerOutcome: _TRIGGER_OUTCOME,
}
