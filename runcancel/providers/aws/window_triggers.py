"""Maintenance windows and State Manager associations as triggers: what Systems Manager itself starts by a schedule."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin, Trigger, TriggerState
from runcancel.providers.aws.facts import ASSOCIATION, WINDOW_TRIGGER
from runcancel.providers.aws.fields import record, unless_deleted
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, decoded, digest, moment, rows, text, texts
from runcancel.providers.common.schedules import aws

_MOST, _MOST_ASSOCIATIONS = 100, 50  # rows per page that AWS allows
_STATES = {True: TriggerState.ENABLED, False: TriggerState.DISABLED}
_PLAN = (
    *("Name", "Description", "StartDate", "EndDate", "Schedule", "ScheduleTimezone", "ScheduleOffset", "Duration"),
    "Cutoff",
)
"""What somebody may have changed of a window: fields of a listing and of a reading alike."""
_QUICK_SETUP = "AWS-QuickSetup-"


class WindowTriggers:
    """See `TriggersOfOneKind` of `triggers`."""

    kind = WINDOW_TRIGGER

    def __init__(self, wire: Wire, *, scope: Scope) -> None:
        self._wire = wire
        self._scope = scope

    def find(self, *, script: str | None) -> Iterator[Trigger]:
        """DescribeMaintenanceWindows, then the tasks and targets of each window; at last what may not be listed of one.

        A window whose tasks are unknown may be the one that a filter is about.
        """
        denied: CloudError | None = None
        for row in self._windows():
            with unless_deleted():
                effect = self._effect(text(row.get("WindowId")) or "")
                denied = denied or effect.denied
                if script is None or (
                    effect.denied is None and script in self._script(text(row.get("WindowId")) or "")
                ):
                    yield self._trigger(row, effect)
        if denied is not None:
            raise denied

    def read(self, ref: Ref) -> Trigger:
        """GetMaintenanceWindow, then its tasks and targets."""
        return self._trigger(self._wire.call("GetMaintenanceWindow", {"WindowId": ref.id}), self._effect(ref.id))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """UpdateMaintenanceWindow with `Enabled` alone: "only specified parameters are modified"."""
        return self._wire.ask("UpdateMaintenanceWindow", {"WindowId": ref.id, "Enabled": enabled})

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """An execution does not name its window: the executions of every window are read until all are found."""
        pending = {ref.id.lower(): ref for ref in refs}
        for row in self._windows():
            if not pending:
                return
            id = text(row.get("WindowId")) or ""
            params = {"WindowId": id}
            action = "DescribeMaintenanceWindowExecutions"
            state = _state(row)
            comes = moment(row.get("NextExecutionTime")) if state is TriggerState.ENABLED else None
            origin = Origin(trigger=self._ref(id), known=True, state=state, repeats=False, next_start_at=comes)
            with unless_deleted():
                for run in self._wire.pages(action, params, unique="WindowExecutionId", size=_MOST, of=params):
                    ref = pending.pop((text(run.get("WindowExecutionId")) or "").lower(), None)
                    if ref is not None:
                        yield ref, origin

    def _windows(self) -> Iterator[JsonObject]:
        for row in self._wire.pages("DescribeMaintenanceWindows", {}, unique="WindowId", size=_MOST):
            if self.kind.id_pattern.fullmatch(text(row.get("WindowId")) or ""):
                yield row

    def _tasks(self, id: str) -> tuple[JsonObject, ...]:
        params = {"WindowId": id}
        return tuple(self._wire.pages("DescribeMaintenanceWindowTasks", params, unique="WindowTaskId", size=_MOST))

    def _script(self, id: str) -> str:
        """The parameters of every task: only a reading of each task has those of its command."""
        parts = []
        for task in self._tasks(id):
            params = {"WindowId": id, "WindowTaskId": text(task.get("WindowTaskId")) or ""}
            whole = self._wire.call("GetMaintenanceWindowTask", params)
            inner = record(whole.get("TaskInvocationParameters"))
            payload = decoded(record(inner.get("Lambda")).get("Payload")).text  # the one blob: base64 in JSON
            parts += [flat(task.get("TaskParameters")), flat(inner), payload]
        return "\n".join(parts)

    def _effect(self, id: str) -> "_Effect":
        """The tasks and targets of a window, or that they may not be listed."""
        action = "DescribeMaintenanceWindowTargets"
        try:
            targets = self._wire.pages(action, {"WindowId": id}, unique="WindowTargetId", size=_MOST)
            return _Effect(tasks=self._tasks(id), targets=tuple(targets))
        except CloudError as error:
            if error.reason is not Reason.DENIED:
                raise
            return _Effect(denied=error)

    def _trigger(self, row: JsonObject, effect: "_Effect") -> Trigger:
        id, enabled = text(row.get("WindowId")) or "", row.get("Enabled")
        schedule, zone = text(row.get("Schedule")), text(row.get("ScheduleTimezone"))
        return Trigger.at(
            self._ref(id),
            self.kind,
            name=text(row.get("Name")),
            state=_state(row),
            provider_status="" if enabled is None else f"Enabled {str(enabled).lower()}",
            schedule=schedule,
            timezone=zone or "UTC",
            schedule_text=aws(schedule or "", zone, now=datetime.now(UTC)).text,
            next_start_at=moment(row.get("NextExecutionTime")),
            documents=tuple(dict.fromkeys(arn for task in effect.tasks if (arn := text(task.get("TaskArn"))))),
            targets=tuple(dict.fromkeys(one for target in effect.targets for one in targets_of(target))),
            tasks=len(effect.tasks),
            edition=digest(*(row.get(field) for field in _PLAN)),
            effect_unknown=not_permitted(effect.denied),
        )

    def _ref(self, id: str) -> Ref:
        return Ref(scope=self._scope, kind=self.kind.name, id=id)


class _Effect(Struct, frozen=True, kw_only=True):
    """What a window does: the rows of its tasks and targets; neither where one of them may not be listed."""

    tasks: tuple[JsonObject, ...] = ()
    targets: tuple[JsonObject, ...] = ()
    denied: CloudError | None = None


def not_permitted(error: CloudError | None) -> str | None:
    """Why the effect of a trigger is not known."""
    return None if error is None else f"{error.action} is not permitted"


class Associations:
    """See `TriggersOfOneKind` of `triggers`. They are listed and never changed."""

    kind = ASSOCIATION

    def __init__(self, wire: Wire, *, scope: Scope, profile: str | None) -> None:
        self._wire = wire
        self._scope = scope
        self._profile = profile

    def find(self, *, script: str | None) -> Iterator[Trigger]:
        """ListAssociations; for a script each of them is read."""
        listed = self._wire.pages("ListAssociations", {}, unique="AssociationId", size=_MOST_ASSOCIATIONS)
        for row in listed:
            id = text(row.get("AssociationId")) or ""
            if not self.kind.id_pattern.fullmatch(id):
                continue
            with unless_deleted():
                if script is None or script in flat(self._described(id).get("Parameters")):
                    yield self._trigger(row)

    def read(self, ref: Ref) -> Trigger:
        """DescribeAssociation."""
        return self._trigger(self._described(ref.id))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """Raises `Reason.NOT_CANCELLABLE`."""
        raise CloudError(Reason.NOT_CANCELLABLE, f"{ref}: {self.kind.fixed_because}; nothing was sent")

    def _described(self, id: str) -> JsonObject:
        reply = self._wire.call("DescribeAssociation", {"AssociationId": id})
        return record(reply.get("AssociationDescription"))

    def _trigger(self, row: JsonObject) -> Trigger:
        id, name = text(row.get("AssociationId")) or "", text(row.get("AssociationName"))
        schedule = text(row.get("ScheduleExpression"))
        timing = aws(schedule or "", None, now=datetime.now(UTC))
        owner = "; Quick Setup owns it and creates it again" if (name or "").startswith(_QUICK_SETUP) else ""
        words = ["aws", "ssm", "describe-association", "--association-id", id, "--region", self._scope.region]
        words += [] if self._profile is None else ["--profile", self._profile]
        return Trigger.at(
            Ref(scope=self._scope, kind=self.kind.name, id=id),
            self.kind,
            name=name,
            state=TriggerState.ENABLED,
            provider_status=text(record(row.get("Overview")).get("Status")) or "",
            schedule=schedule,
            timezone="UTC" if schedule else None,
            schedule_text=timing.text,
            next_start_at=timing.next_start_at,
            documents=texts(row.get("Name")),
            targets=targets_of(row),
            edition=digest(row.get("AssociationVersion")),
            fixed_because=f"{self.kind.fixed_because}{owner}",
            command=shlex.join(words),
        )


def _state(row: JsonObject) -> TriggerState:
    enabled = row.get("Enabled")
    return _STATES[enabled] if isinstance(enabled, bool) else TriggerState.UNKNOWN


def targets_of(row: JsonObject) -> tuple[str, ...]:
    """`Key=value,value` of each of the targets."""
    return tuple(
        f"{text(target.get('Key')) or ''}={','.join(texts(target.get('Values')))}" for target in rows(row, "Targets")
    )


def flat(value: object) -> str:
    """Every text inside a structure, one per line. `--script` searches it."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(flat(one) for one in value.values())
    return "\n".join(flat(one) for one in value) if isinstance(value, list | tuple) else ""
