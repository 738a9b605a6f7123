"""What is shown of each record: columns defined once, for people and for machines."""

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Struct

from runcancel.model import (
    AccessPolicy,
    ContextRow,
    Effect,
    Guarantee,
    Invocation,
    InvocationOutcome,
    Operation,
    Outcome,
    PlanItem,
    Run,
    ScopeCheck,
    SettingRow,
    State,
)
from runcancel.outputs import Output
from runcancel.render import doctor
from runcancel.text import ago, duration, local, safe

R = TypeVar("R")

Value: TypeAlias = str | int | float | bool | datetime | tuple[str, ...] | Mapping[State, int] | None
Piece: TypeAlias = tuple[str, str | None]
"""Text that is safe to show, and the word (a state, verdict or effect) whose colour it has."""
Pieces: TypeAlias = tuple[Piece, ...]

STYLES: Mapping[str, str] = {
    "running": "yellow",
    "kept-running": "yellow",
    "partial": "yellow",
    "cancelling": "magenta",
    "stopping": "magenta",
    "requested": "magenta",
    "cancelled": "cyan",
    "terminated": "cyan",
    "stopped": "cyan",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "undelivered": "red",
    "unknown": "reverse",
}
"""Colour by the word of a state, effect or verdict; a word that is not here has none."""

PROMISES: Mapping[Guarantee, str] = {
    Guarantee.STOPS_RUNNING: "stops running",
    Guarantee.BEST_EFFORT: "best effort",
    Guarantee.PENDING_ONLY: "not started only",
}
"""A guarantee in two words."""

EFFECTS: Mapping[Effect, str] = {
    Effect.CANCELLED: "cancelled",
    Effect.TERMINATED: "terminated",
    Effect.STOPPING: "still stopping",
    Effect.KEPT_RUNNING: "kept running",
    Effect.UNKNOWN: "not known",
    Effect.ALREADY_ENDED: "already ended",
}
"""An effect as people read it, in the order in which they want to know."""

_HOPES: Mapping[Effect, str] = {
    Effect.STOPPING: "may stop",
    Effect.KEPT_RUNNING: "keep running",
    Effect.ALREADY_ENDED: "ended",
}
"""An effect as something to expect, where that reads otherwise."""

NOTHING: Pieces = (("-", None),)


class Column(Struct, Generic[R], frozen=True, kw_only=True):
    """One column. `name` heads it for machines, `title` for people; `show` None: people see the data as they are.

    `reference`: never cut, never wrapped. `lead`: the reference that names the row. `gives`: cut first where room is
    short.
    """

    name: str
    title: str
    data: Callable[[R], Value]
    show: Callable[[R, datetime], Pieces] | None = None
    wide: bool = False
    right: bool = False
    gives: bool = False
    reference: bool = False
    lead: bool = False

    def cell(self, record: R, *, now: datetime) -> Pieces:
        """What people see."""
        if self.show is not None:
            return self.show(record, now) or NOTHING
        return _said(self.data(record))

    def field(self, record: R) -> str:
        """What a machine reads: no control character, empty for null."""
        return text_of(self.data(record))


def text_of(value: Value) -> str:
    """A value as one field of text: RFC 3339 for times, `true` and `false`, `running=3,cancelled=17` for counts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return ",".join(f"{state}={count}" for state, count in value.items())
    if isinstance(value, tuple):
        return ",".join(safe(each) for each in value)
    return safe(str(value))


def columns_of(kind: type, *, wide: bool) -> tuple[Column[Any], ...]:
    """The columns of one kind of record, in the order in which people see them."""
    return tuple(column for column in COLUMNS[kind] if wide or not column.wide)


def tallied(counts: Mapping[State, int]) -> Pieces:
    """`17 cancelled, 3 running`, each in its colour."""
    pieces: list[Piece] = []
    for state in State:
        if counts.get(state):
            pieces += [(", ", None)] if pieces else []
            pieces.append((f"{counts[state]:,} {worded(state)}", state))
    return tuple(pieces)


def worded(word: StrEnum) -> str:
    """A closed word as people write it: `timed out`."""
    return str(word).replace("_", " ").replace("-", " ")


def effects_of(outcome: Outcome) -> dict[Effect, int]:
    """Selected targets per effect, only those that occur."""
    found = dict.fromkeys(EFFECTS, 0)
    for one in outcome.invocations:
        found[one.effect] += 1
    return {effect: count for effect, count in found.items() if count}


def is_unproven(one: InvocationOutcome) -> bool:
    """Said to be stopped by somebody whose word is weaker than it sounds."""
    return not one.confirmed and one.effect in (Effect.CANCELLED, Effect.TERMINATED)


def _said(value: Value) -> Pieces:
    if isinstance(value, datetime):
        return ((local(value), None),)
    text = text_of(value)
    return ((text, None),) if text else NOTHING


def _word(value: StrEnum) -> Pieces:
    return ((worded(value), value),)


def _yes(value: bool) -> Pieces:
    return (("yes", None),) if value else ()


def _targets(run: Run) -> Pieces:
    if not run.counts:
        return () if run.target_count is None else ((f"{run.target_count:,}", None),)
    more = ((f", {run.not_listed:,} not yet listed", None),) if run.not_listed else ()
    return tallied(run.counts) + more


def _age(run: Run, now: datetime) -> Pieces:
    then = run.created_at or run.started_at
    return ((ago(then, now), None),) if then else ()


def _took(invocation: Invocation) -> float | None:
    if invocation.started_at is None or invocation.ended_at is None:
        return None
    return (invocation.ended_at - invocation.started_at).total_seconds()


def _expected(item: PlanItem) -> dict[Effect, int]:
    return {
        effect: count
        for effect in EFFECTS
        if (count := sum(planned.expected is effect for planned in item.invocations))
    }


def _hoped(counts: Mapping[Effect, int]) -> Pieces:
    pieces: list[Piece] = []
    for effect, count in counts.items():
        pieces += [(", ", None)] if pieces else []
        pieces.append((f"{count:,} {_HOPES.get(effect, EFFECTS[effect])}", effect))
    return tuple(pieces)


def _pairs(counts: Mapping[Effect, int]) -> tuple[str, ...]:
    return tuple(f"{effect}={count}" for effect, count in counts.items())


def _count(name: str, title: str, effect: Effect) -> Column[Outcome]:
    return Column(
        name=name,
        title=title,
        data=lambda outcome: effects_of(outcome).get(effect, 0),
        show=lambda outcome, _: ((f"{count:,}", effect),) if (count := effects_of(outcome).get(effect, 0)) else (),
        right=True,
    )


def _indented(one: PlanItem | Outcome, _: datetime) -> Pieces:
    """The reference, a little to the right when another run of the answer started it."""
    return ((f"{'  ' if one.parent else ''}{safe(one.run)}", None),)


def _remark(outcome: Outcome) -> str | None:
    if outcome.error is not None:
        return outcome.error.message
    unproven = sum(map(is_unproven, outcome.invocations))
    said = [f"{unproven:,} reported, not proven"] if unproven else []
    said += [f"{outcome.not_listed:,} not yet listed"] if outcome.not_listed else []
    return ", ".join(said) or None


def _ended_by(outcome: Outcome) -> str | None:
    return None if outcome.error is None else outcome.error.code


_RUN: tuple[Column[Run], ...] = (
    Column(name="state", title="STATE", data=lambda run: run.state, show=lambda run, _: _word(run.state)),
    Column(name="created_at", title="AGE", data=lambda run: run.created_at, show=_age, right=True),
    Column(name="ref", title="RUN", data=lambda run: run.ref, reference=True, lead=True),
    Column(name="name", title="NAME", data=lambda run: run.name, gives=True),
    Column(name="counts", title="TARGETS", data=lambda run: run.counts, show=lambda run, _: _targets(run)),
    Column(
        name="guarantee",
        title="CANCEL",
        data=lambda run: run.guarantee,
        show=lambda run, _: ((PROMISES[run.guarantee], None),),
    ),
    Column(name="provider_status", title="STATUS", data=lambda run: run.provider_status, wide=True),
    Column(name="status_detail", title="DETAIL", data=lambda run: run.status_detail, wide=True),
    Column(name="target_count", title="COUNT", data=lambda run: run.target_count, wide=True, right=True),
    Column(name="account", title="ACCOUNT", data=lambda run: run.account, wide=True),
    Column(name="started_at", title="STARTED", data=lambda run: run.started_at, wide=True),
    Column(name="ended_at", title="ENDED", data=lambda run: run.ended_at, wide=True),
    Column(name="cancellable", title="CANCELLABLE", data=lambda run: run.cancellable, wide=True),
    Column(name="parent", title="PARENT", data=lambda run: run.parent, wide=True, reference=True),
)

_INVOCATION: tuple[Column[Invocation], ...] = (
    Column(name="run", title="RUN", data=lambda one: one.run, reference=True, lead=True),
    Column(name="state", title="STATE", data=lambda one: one.state, show=lambda one, _: _word(one.state)),
    Column(name="target", title="TARGET", data=lambda one: one.target),
    Column(name="target_name", title="NAME", data=lambda one: one.target_name, gives=True),
    Column(name="exit_code", title="EXIT", data=lambda one: one.exit_code, right=True),
    Column(
        name="started_at",
        title="STARTED",
        data=lambda one: one.started_at,
        show=lambda one, now: ((f"{ago(one.started_at, now)} ago", None),) if one.started_at else (),
        right=True,
    ),
    Column(
        name="seconds",
        title="TOOK",
        data=_took,
        show=lambda one, _: ((duration(took), None),) if (took := _took(one)) is not None else (),
        right=True,
    ),
    Column(name="child", title="CHILD", data=lambda one: one.child, reference=True),
    Column(name="provider_status", title="STATUS", data=lambda one: one.provider_status, wide=True),
    Column(name="status_detail", title="DETAIL", data=lambda one: one.status_detail, wide=True),
    Column(name="ended_at", title="ENDED", data=lambda one: one.ended_at, wide=True),
    Column(name="task", title="TASK", data=lambda one: one.task, wide=True),
    Column(name="id", title="ID", data=lambda one: one.id, wide=True),
    Column(name="owner", title="OWNER", data=lambda one: one.owner, wide=True),
    Column(name="window_target", title="WINDOW TARGET", data=lambda one: one.window_target, wide=True),
)

PARAMETERS: Column[Any] = Column(
    name="parameters",
    title="PARAMETERS",
    data=lambda one: None if not isinstance(one, Invocation) or one.parameters is UNSET else one.parameters,
    wide=True,
)
"""One more column for invocations that were asked for with their parameters."""

_OUTPUT: tuple[Column[Output], ...] = (
    Column(name="run", title="RUN", data=lambda one: one.run, reference=True, lead=True),
    Column(name="state", title="STATE", data=lambda one: one.state, show=lambda one, _: _word(one.state)),
    Column(name="target", title="TARGET", data=lambda one: one.target),
    Column(name="target_name", title="NAME", data=lambda one: one.target_name, gives=True),
    Column(name="step", title="STEP", data=lambda one: one.step),
    Column(name="exit_code", title="EXIT", data=lambda one: one.exit_code, right=True),
    Column(name="stdout", title="STDOUT", data=lambda one: one.stdout, gives=True),
    Column(name="stderr", title="STDERR", data=lambda one: one.stderr, gives=True),
    Column(name="merged", title="MERGED", data=lambda one: one.merged),
    Column(name="truncated", title="TRUNCATED", data=lambda one: one.truncated),
    Column(name="dropped", title="DROPPED", data=lambda one: one.dropped, right=True),
    Column(name="damaged", title="DAMAGED", data=lambda one: one.damaged),
    Column(name="location", title="LOCATION", data=lambda one: one.location),
    Column(name="stderr_location", title="STDERR LOCATION", data=lambda one: one.stderr_location),
    Column(name="upload_error", title="UPLOAD ERROR", data=lambda one: one.upload_error),
    Column(name="child", title="CHILD", data=lambda one: one.child, reference=True),
    Column(name="parent", title="PARENT", data=lambda one: one.parent, reference=True),
    Column(name="provider_status", title="STATUS", data=lambda one: one.provider_status),
    Column(name="status_detail", title="DETAIL", data=lambda one: one.status_detail),
    Column(name="task", title="TASK", data=lambda one: one.task),
    Column(name="id", title="ID", data=lambda one: one.id),
    Column(name="note", title="NOTE", data=lambda one: one.note),
)
"""For machines: people read outputs as a transcript, not as a table."""

_PLAN: tuple[Column[PlanItem], ...] = (
    Column(name="state", title="STATE", data=lambda item: item.state, show=lambda item, _: _word(item.state)),
    Column(name="run", title="RUN", data=lambda item: item.run, show=_indented, reference=True, lead=True),
    Column(name="name", title="NAME", data=lambda item: item.name, gives=True),
    Column(
        name="guarantee",
        title="CANCEL",
        data=lambda item: item.guarantee,
        show=lambda item, _: ((PROMISES[item.guarantee], None),),
    ),
    Column(
        name="ask",
        title="ASK",
        data=lambda item: item.ask,
        show=lambda item, _: (("yes" if item.ask else "no", None),),
    ),
    Column(
        name="expected",
        title="EXPECTED",
        data=lambda item: _pairs(_expected(item)),
        show=lambda item, _: _hoped(_expected(item)),
    ),
    Column(name="why", title="WHY", data=lambda item: item.why or None, gives=True),
    Column(
        name="counts",
        title="TARGETS",
        data=lambda item: item.counts,
        show=lambda item, _: tallied(item.counts),
        wide=True,
    ),
    Column(name="not_listed", title="NOT LISTED", data=lambda item: item.not_listed, wide=True, right=True),
    Column(name="targets", title="ONLY", data=lambda item: item.targets, wide=True),
    Column(name="promise", title="PROMISE", data=lambda item: item.promise, wide=True),
    Column(name="parent", title="PARENT", data=lambda item: item.parent, wide=True, reference=True),
)

_OUTCOME: tuple[Column[Outcome], ...] = (
    Column(name="verdict", title="VERDICT", data=lambda one: one.verdict, show=lambda one, _: _word(one.verdict)),
    Column(name="run", title="RUN", data=lambda one: one.run, show=_indented, reference=True, lead=True),
    Column(
        name="targets",
        title="TARGETS",
        data=lambda one: len(one.invocations),
        show=lambda one, _: ((f"{len(one.invocations):,}", None),) if one.invocations else (),
        right=True,
    ),
    _count("cancelled", "CANCELLED", Effect.CANCELLED),
    _count("terminated", "TERMINATED", Effect.TERMINATED),
    _count("kept_running", "RUNNING", Effect.KEPT_RUNNING),
    _count("stopping", "STOPPING", Effect.STOPPING),
    _count("unknown", "UNKNOWN", Effect.UNKNOWN),
    _count("already_ended", "ENDED", Effect.ALREADY_ENDED),
    Column(
        name="seconds",
        title="TOOK",
        data=lambda one: one.seconds,
        show=lambda one, _: ((duration(one.seconds), None),) if one.seconds is not None else (),
        right=True,
    ),
    Column(name="remark", title="REMARK", data=_remark, gives=True),
    Column(name="not_listed", title="NOT LISTED", data=lambda one: one.not_listed, wide=True, right=True),
    Column(name="name", title="NAME", data=lambda one: one.name, wide=True),
    Column(name="before", title="BEFORE", data=lambda one: one.before, wide=True),
    Column(name="after", title="AFTER", data=lambda one: one.after, wide=True),
    Column(
        name="guarantee",
        title="CANCEL",
        data=lambda one: one.guarantee,
        show=lambda one, _: ((PROMISES[one.guarantee], None),) if one.guarantee else (),
        wide=True,
    ),
    Column(name="request_ids", title="REQUESTS", data=lambda one: one.request_ids, wide=True),
    Column(name="error", title="ERROR", data=_ended_by, wide=True),
    Column(name="parent", title="PARENT", data=lambda one: one.parent, wide=True, reference=True),
)

_OPERATION: tuple[Column[Operation], ...] = (
    Column(name="id", title="OPERATION", data=lambda one: one.id, reference=True, lead=True),
    Column(
        name="at",
        title="AGE",
        data=lambda one: one.at,
        show=lambda one, now: ((ago(one.at, now), None),),
        right=True,
    ),
    Column(name="state", title="STATE", data=lambda one: one.state, show=lambda one, _: _word(one.state)),
    Column(name="exit_code", title="EXIT", data=lambda one: one.exit_code, right=True),
    Column(
        name="counts",
        title="RUNS",
        data=lambda one: tuple(f"{verdict}={count}" for verdict, count in one.counts.items()),
        show=lambda one, _: ((", ".join(f"{count:,} {safe(verdict)}" for verdict, count in one.counts.items()), None),),
    ),
    Column(name="reason", title="REASON", data=lambda one: one.reason, gives=True),
    Column(name="user", title="USER", data=lambda one: one.user, wide=True),
    Column(name="host", title="HOST", data=lambda one: one.host, wide=True),
    Column(name="verb", title="VERB", data=lambda one: one.verb, wide=True),
    Column(name="argv", title="COMMAND", data=lambda one: shlex.join(one.argv), wide=True),
)

_CONTEXT: tuple[Column[ContextRow], ...] = (
    Column(name="name", title="CONTEXT", data=lambda one: one.name, reference=True, lead=True),
    Column(name="provider", title="PROVIDER", data=lambda one: one.provider),
    Column(name="profile", title="PROFILE", data=lambda one: one.profile),
    Column(name="regions", title="REGIONS", data=lambda one: one.regions, gives=True),
    Column(
        name="protected", title="PROTECTED", data=lambda one: one.protected, show=lambda one, _: _yes(one.protected)
    ),
    Column(name="default", title="USED", data=lambda one: one.default, show=lambda one, _: _yes(one.default)),
    Column(name="groups", title="GROUPS", data=lambda one: one.groups, gives=True),
)

_SETTING: tuple[Column[SettingRow], ...] = (
    Column(name="context", title="CONTEXT", data=lambda one: one.context),
    Column(name="provider", title="PROVIDER", data=lambda one: one.provider),
    Column(name="key", title="KEY", data=lambda one: one.key),
    Column(name="value", title="VALUE", data=lambda one: one.value, gives=True),
    Column(name="origin", title="FROM", data=lambda one: one.origin),
)

_POLICY: tuple[Column[AccessPolicy], ...] = (
    Column(name="provider", title="PROVIDER", data=lambda one: one.provider, lead=True),
    Column(name="policy", title="POLICY", data=lambda one: msgspec.json.encode(one.policy).decode()),
    Column(name="notes", title="NOTES", data=lambda one: one.notes),
)

_SCOPE: tuple[Column[ScopeCheck], ...] = (
    Column(name="scope", title="SCOPE", data=lambda one: one.scope, reference=True, lead=True),
    Column(name="principal", title="WHO", data=lambda one: one.principal),
    Column(
        name="credentials",
        title="CREDENTIALS",
        data=lambda one: one.credentials,
        show=lambda one, _: doctor.credentials(one),
    ),
    Column(name="clock_skew", title="CLOCK", data=lambda one: one.clock_skew, show=lambda one, _: doctor.clock(one)),
    Column(
        name="latency",
        title="ANSWER",
        data=lambda one: one.latency,
        show=lambda one, _: ((f"{one.latency * 1000:.0f} ms", None),) if one.latency is not None else (),
        right=True,
    ),
    Column(name="can", title="CAN", data=lambda one: doctor.can(one) or None),
    Column(name="remark", title="REMARK", data=lambda one: one.remark, gives=True),
    Column(name="ok", title="OK", data=lambda one: one.ok, wide=True),
    Column(name="configured", title="CONFIGURED", data=lambda one: one.configured, wide=True),
    Column(name="account", title="ACCOUNT", data=lambda one: one.account, wide=True),
    Column(name="key", title="KEY", data=lambda one: one.key, wide=True),
    Column(name="region", title="REGION", data=lambda one: one.region, wide=True),
    Column(name="region_origin", title="REGION FROM", data=lambda one: one.region_origin, wide=True),
    Column(name="endpoint", title="ENDPOINT", data=lambda one: one.endpoint, wide=True),
    Column(name="endpoint_origin", title="ENDPOINT FROM", data=lambda one: one.endpoint_origin, wide=True),
    Column(name="proxy", title="PROXY", data=lambda one: one.proxy, wide=True),
)

COLUMNS: Mapping[type, tuple[Column[Any], ...]] = {
    Run: _RUN,
    Invocation: _INVOCATION,
    Output: _OUTPUT,
    PlanItem: _PLAN,
    Outcome: _OUTCOME,
    Operation: _OPERATION,
    ContextRow: _CONTEXT,
    SettingRow: _SETTING,
    AccessPolicy: _POLICY,
    ScopeCheck: _SCOPE,
}
"""Columns per kind of record."""
