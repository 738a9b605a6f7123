"""What is shown of each record: its columns, defined once for people and for machines."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from msgspec import UNSET

from runcancel.model.logs import Output
from runcancel.model.outcomes import Operation, Outcome, PlanItem
from runcancel.model.runs import AuditEvent, Invocation, Run
from runcancel.model.states import Effect
from runcancel.render.column import Column, word
from runcancel.render.screens.words import (
    EFFECTS,
    PROMISES,
    Pieces,
    is_unproven,
    listed,
    pairs,
    per_effect,
    tallied,
)
from runcancel.text import ago, distance, duration, safe

_HOPES: Mapping[Effect, str] = {
    Effect.STOPPING: "may stop",
    Effect.KEPT_RUNNING: "keep running",
    Effect.ALREADY_ENDED: "ended",
}
"""An effect as something to expect, where that reads otherwise."""

_PLAINER: Mapping[str, str] = {"open": "unfinished", "unjudged": "without a result"}
"""Words of the journal that people read otherwise."""


_ELSEWHERE: Mapping[str, str] = {
    "runcancel.model.triggers": "runcancel.render.trigger_columns",
    "runcancel.model.reports": "runcancel.render.other_records",
    "runcancel.model.incident": "runcancel.render.other_records",
}
"""Module of a record -> module of its columns, for records that no command about runs prints."""


def columns_of(record: type, *, wide: bool, extra: Collection[str] = ()) -> tuple[Column[Any], ...]:
    """The columns of a record, in the order in which people see them; `extra` are fields of `EXTRA` that are shown."""
    columns = tuple(column for column in all_columns(record) if wide or not column.wide)
    further = EXTRA.get(record, {})
    return (*columns, *(column for name in further if name in extra for column in further[name]))


def all_columns(record: type) -> tuple[Column[Any], ...]:
    """The columns of a record, those of `wide` too. Raises KeyError for a type that is no record of an answer."""
    if record in COLUMNS:
        return COLUMNS[record]
    columns: tuple[Column[Any], ...] = import_module(_ELSEWHERE[record.__module__]).COLUMNS[record]
    return columns


def extra_of(records: Iterable[object]) -> frozenset[str]:
    """The fields of these records that exist only on request and are set."""
    return frozenset(
        name for one in records for name in EXTRA.get(type(one), ()) if getattr(one, name, UNSET) is not UNSET
    )


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _some(number: int) -> str:
    return f"{number:,}" if number else ""


def _targets(run: Run, _: datetime) -> Pieces:
    if not run.counts:
        return () if run.target_count is None else ((f"{run.target_count:,}", None),)
    more = ((f", {run.not_listed:,} not yet listed", None),) if run.not_listed else ()
    return tallied(run.counts) + more


def _age(run: Run, now: datetime) -> Pieces:
    then = run.created_at or run.started_at
    return ((ago(then, now), None),) if then else ()


def _label(one: Run | PlanItem | Outcome, _: datetime) -> Pieces:
    """What a person knows a run by: ten commands of one document differ by their comments."""
    return ((safe(one.label), None),) if one.label else ()


def _took(invocation: Invocation) -> float | None:
    if invocation.started_at is None or invocation.ended_at is None:
        return None
    return (invocation.ended_at - invocation.started_at).total_seconds()


def _expected(item: PlanItem) -> tuple[str, ...]:
    return tuple(f"{effect}={count}" for effect, count in per_effect(one.expected for one in item.invocations).items())


def _hoped(item: PlanItem, _: datetime) -> Pieces:
    counts = per_effect(one.expected for one in item.invocations)
    return listed((f"{count:,} {_HOPES.get(effect, EFFECTS[effect])}", effect) for effect, count in counts.items())


def _count(effect: Effect, title: str = "") -> Column[Outcome]:
    def count(outcome: Outcome) -> int:
        return sum(one.effect is effect for one in outcome.invocations)

    return Column(
        effect.replace("-", "_"),
        title,
        value=count,
        show=lambda outcome, _: ((f"{number:,}", effect),) if (number := count(outcome)) else (),
        right=True,
    )


def _indented(one: PlanItem | Outcome, _: datetime) -> Pieces:
    """The reference, a little to the right when another run of the answer started it."""
    return ((f"{'  ' if one.parent else ''}{safe(str(one.run))}", None),)


def _remark(outcome: Outcome) -> str | None:
    if outcome.error is not None:
        return outcome.error.message
    unproven = sum(map(is_unproven, outcome.invocations))
    remarks = [f"{unproven:,} reported, not verified"] if unproven else []
    remarks += [f"{outcome.not_listed:,} not yet listed"] if outcome.not_listed else []
    return ", ".join(remarks) or None


def _ended_by(outcome: Outcome) -> str | None:
    return None if outcome.error is None else outcome.error.code


_RUN: tuple[Column[Run], ...] = (
    word("state"),
    Column("created_at", "AGE", show=_age, right=True),
    Column("ref", "RUN", reference=True, is_key=True),
    Column("name", show=_label, shrinkable=True),
    Column("counts", "TARGETS", show=_targets),
    Column("guarantee", "CANCEL", format=PROMISES.__getitem__),
    Column("provider_status", "STATUS", wide=True),
    Column("status_detail", "DETAIL", wide=True),
    Column("target_count", "COUNT", wide=True, right=True),
    Column("account", wide=True),
    Column("started_at", "STARTED", wide=True),
    Column("ended_at", "ENDED", wide=True),
    Column("cancellable", wide=True),
    Column("parent", wide=True, reference=True),
    Column("comment", wide=True, shrinkable=True),
    Column("document", wide=True),
    Column("started_by", wide=True),
    Column("scheduled_at", "SCHEDULED", wide=True),
    Column("target_kind", "MACHINES", wide=True),
    Column("alarms", wide=True),
    Column("vendor_counts", "PROGRESS", value=lambda one: pairs(one.vendor_counts), wide=True),
    Column("matched_by", "MATCHED BY", wide=True),
    Column("trigger", "TRIGGER", wide=True, reference=True),
    Column("trigger_known", "TRIGGER KNOWN", format=_yes, wide=True),
    Column("repeats", format=_yes, wide=True),
    Column("next_start_at", "NEXT START", wide=True),
)

_INVOCATION: tuple[Column[Invocation], ...] = (
    Column("run", reference=True, is_key=True),
    word("state"),
    Column("target"),
    Column("target_name", "NAME", shrinkable=True),
    Column("exit_code", "EXIT", right=True),
    Column(
        "started_at",
        "STARTED",
        show=lambda one, now: ((distance(one.started_at, now), None),) if one.started_at else (),
        right=True,
    ),
    Column("seconds", "TOOK", value=_took, format=duration, right=True),
    Column("child", reference=True),
    Column("provider_status", "STATUS", wide=True),
    Column("status_detail", "DETAIL", wide=True),
    Column("ended_at", "ENDED", wide=True),
    Column("task", wide=True),
    Column("id", wide=True),
    Column("owner", wide=True),
    Column("window_target", wide=True),
    Column("confirmed", wide=True),
    Column("document", wide=True),
    Column("task_type", "TYPE", wide=True),
    Column("alarms", wide=True),
)


def _audited(run: Run) -> AuditEvent | None:
    return run.audit if isinstance(run.audit, AuditEvent) else None


_OUTPUT: tuple[Column[Output], ...] = (
    Column("run", reference=True, is_key=True),
    word("state"),
    Column("target"),
    Column("target_name", "NAME", shrinkable=True),
    Column("step"),
    Column("exit_code", "EXIT", right=True),
    Column("stdout", shrinkable=True),
    Column("stderr", shrinkable=True),
    Column("merged"),
    Column("truncated"),
    Column("dropped", right=True),
    Column("encoding"),
    Column("damaged"),
    Column("location"),
    Column("stderr_location"),
    Column("upload_error"),
    Column("child", reference=True),
    Column("parent", reference=True),
    Column("provider_status", "STATUS"),
    Column("status_detail", "DETAIL"),
    Column("task"),
    Column("id"),
    Column("note"),
)
"""For machines: people read outputs as a transcript, not as a table."""

_PLAN: tuple[Column[PlanItem], ...] = (
    word("state"),
    Column("run", show=_indented, reference=True, is_key=True),
    Column("name", show=_label, shrinkable=True),
    Column("guarantee", "CANCEL", format=PROMISES.__getitem__),
    Column("ask", "SEND", format=lambda ask: "yes" if ask else "no"),
    Column("expected", value=_expected, show=_hoped),
    Column("why", shrinkable=True),
    Column("counts", "TARGETS", show=lambda item, _: tallied(item.counts), wide=True),
    Column("not_listed", wide=True, right=True),
    Column("targets", "ONLY", wide=True),
    Column("promise", wide=True),
    Column("parent", wide=True, reference=True),
    Column("comment", wide=True, shrinkable=True),
    Column("document", wide=True),
    Column("matched_by", "MATCHED BY", wide=True),
)

_OUTCOME: tuple[Column[Outcome], ...] = (
    word("verdict"),
    Column("run", show=_indented, reference=True, is_key=True),
    Column("targets", value=lambda one: len(one.invocations), format=_some, right=True),
    _count(Effect.CANCELLED),
    _count(Effect.TERMINATED),
    _count(Effect.KEPT_RUNNING, "RUNNING"),
    _count(Effect.STOPPING),
    _count(Effect.UNKNOWN),
    _count(Effect.ALREADY_ENDED, "ENDED"),
    Column("seconds", "TOOK", format=duration, right=True),
    Column("remark", value=_remark, shrinkable=True),
    Column("not_listed", wide=True, right=True),
    Column("name", show=_label, wide=True),
    Column("before", wide=True),
    Column("after", wide=True),
    Column("guarantee", "CANCEL", format=PROMISES.__getitem__, wide=True),
    Column("request_ids", "REQUESTS", wide=True),
    Column("error", value=_ended_by, wide=True),
    Column("parent", wide=True, reference=True),
    Column("comment", wide=True, shrinkable=True),
    Column("document", wide=True),
)

_OPERATION: tuple[Column[Operation], ...] = (
    Column("id", "OPERATION", reference=True, is_key=True),
    Column("at", "AGE", show=lambda one, now: ((ago(one.at, now), None),), right=True),
    Column("state", format=lambda stage: _PLAINER.get(stage, str(stage))),
    Column("exit_code", "EXIT", right=True),
    Column(
        "counts",
        "RUNS",
        value=lambda one: pairs(one.counts),
        show=lambda one, _: (
            (
                ", ".join(f"{count:,} {_PLAINER.get(verdict, safe(verdict))}" for verdict, count in one.counts.items()),
                None,
            ),
        ),
    ),
    Column("argv", "COMMAND", value=lambda one: shlex.join(one.argv), shrinkable=True),
    Column("reason", shrinkable=True),
    Column("user", wide=True),
    Column("host", wide=True),
    Column("verb", wide=True),
    Column("plan", wide=True),
    Column("shard", value=lambda one: None if one.shard is None else str(one.shard), wide=True),
)

EXTRA: Mapping[type, Mapping[str, tuple[Column[Any], ...]]] = {
    Invocation: {
        "parameters": (
            Column("parameters", value=lambda one: None if one.parameters is UNSET else one.parameters, wide=True),
        )
    },
    Run: {
        "audit": (
            Column("sent_by", "SENT BY", value=lambda run: one.principal if (one := _audited(run)) else None),
            Column("sent_at", "SENT", value=lambda run: one.at if (one := _audited(run)) else None),
            Column("sent_from", "FROM", value=lambda run: one.address if (one := _audited(run)) else None),
        ),
        "script": (Column("script", value=lambda run: None if run.script is UNSET else run.script, shrinkable=True),),
    },
}
"""Columns of fields that exist only on request."""

COLUMNS: Mapping[type, tuple[Column[Any], ...]] = {
    Run: _RUN,
    Invocation: _INVOCATION,
    Output: _OUTPUT,
    PlanItem: _PLAN,
    Outcome: _OUTCOME,
    Operation: _OPERATION,
}
"""Columns of the records of runs and operations."""
