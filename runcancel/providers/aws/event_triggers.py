"""EventBridge rules and schedules as triggers: those that start runs of Systems Manager or state machines."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Reason
from runcancel.model.triggers import Trigger, TriggerState
from runcancel.providers.aws.facts import RULE, SCHEDULE
from runcancel.providers.aws.fields import document, record, unless_deleted
from runcancel.providers.aws.window_triggers import flat, not_permitted
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, digest, moment, text, texts
from runcancel.providers.common.schedules import aws

_MOST = 100  # rows per page that AWS allows
_RUNS = (":document/", ":automation-definition/", ":stateMachine:", ":aws-sdk:ssm:", ":aws-sdk:sfn:")
"""Parts of the ARNs of targets that are runs: documents, runbooks, state machines, and calls of their APIs."""
_STATES = {"ENABLED": TriggerState.ENABLED, "DISABLED": TriggerState.DISABLED}
_NO_WAY_BACK = "EnableRule does not restore its state, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


class Rules:
    """See `TriggersOfOneKind` of `triggers`. Only rules that start runs are listed."""

    kind = RULE

    def __init__(self, wire: Wire, *, scope: Scope) -> None:
        self._wire = wire
        self._scope = scope

    def find(self, *, script: str | None) -> Iterator[Trigger]:
        """The rules of every bus, and the targets of each rule; at last what may not be listed of one.

        A rule whose targets are unknown starts no runs as far as anybody can see.
        """
        denied: CloudError | None = None
        for bus in self._wire.pages("ListEventBuses", {}, unique="Name", size=_MOST, size_name="Limit"):
            params = {"EventBusName": text(bus.get("Name")) or ""}
            for row in self._wire.pages("ListRules", params, unique="Name", size=_MOST, size_name="Limit"):
                targets: tuple[JsonObject, ...] = ()
                try:
                    with unless_deleted():
                        targets = self._targets(params["EventBusName"], text(row.get("Name")) or "")
                except CloudError as error:
                    denied = denied or _only_denied(error)
                if not any(map(_starts_runs, targets)):
                    continue
                if script is None or any(script in flat(target.get("Input")) for target in targets):
                    yield self._trigger(params["EventBusName"], row, targets)
        if denied is not None:
            raise denied

    def read(self, ref: Ref) -> Trigger:
        """DescribeRule and its targets, or that they may not be listed."""
        bus, name = _parts(ref.id)
        row = self._wire.call("DescribeRule", {"Name": name, "EventBusName": bus})
        try:
            return self._trigger(bus, row, self._targets(bus, name))
        except CloudError as error:
            return self._trigger(bus, row, (), denied=_only_denied(error))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """EnableRule or DisableRule."""
        bus, name = _parts(ref.id)
        return self._wire.ask("EnableRule" if enabled else "DisableRule", {"Name": name, "EventBusName": bus})

    def _targets(self, bus: str, rule: str) -> tuple[JsonObject, ...]:
        params = {"Rule": rule, "EventBusName": bus}
        return tuple(self._wire.pages("ListTargetsByRule", params, unique="Id", size=_MOST, size_name="Limit"))

    def _trigger(
        self, bus: str, row: JsonObject, targets: tuple[JsonObject, ...], *, denied: CloudError | None = None
    ) -> Trigger:
        word = text(row.get("State")) or ""
        schedule = text(row.get("ScheduleExpression"))
        timing = aws(schedule or "", None, now=datetime.now(UTC))
        runs = tuple(target for target in targets if _starts_runs(target))
        manager = text(row.get("ManagedBy"))
        fixed = f"the service {manager} manages this rule" if manager else None
        if word.startswith("ENABLED_"):
            fixed = fixed or _NO_WAY_BACK
        return Trigger.at(
            Ref(scope=self._scope, kind=self.kind.name, id=f"{bus}/{text(row.get('Name')) or ''}"),
            self.kind,
            name=text(row.get("Name")),
            state=TriggerState.ENABLED if word.startswith("ENABLED") else _STATES.get(word, TriggerState.UNKNOWN),
            provider_status=word,
            schedule=schedule or text(row.get("EventPattern")),
            timezone="UTC" if schedule else None,
            schedule_text=timing.text if schedule else "on events that match its pattern",
            next_start_at=timing.next_start_at,
            documents=tuple(dict.fromkeys(_runs(target.get("Arn"), target.get("Input")) for target in runs)),
            targets=tuple(dict.fromkeys(one for target in runs for one in _command_targets(target))),
            tasks=len(targets),
            others=len(targets) - len(runs),
            edition="" if denied else digest(schedule, row.get("EventPattern"), row.get("RoleArn"), targets),
            fixed_because=fixed,
            effect_unknown=not_permitted(denied),
        )


class Schedules:
    """See `TriggersOfOneKind` of `triggers`. They are listed and never changed."""

    kind = SCHEDULE

    def __init__(self, wire: Wire, *, scope: Scope, profile: str | None) -> None:
        self._wire = wire
        self._scope = scope
        self._profile = profile

    def find(self, *, script: str | None) -> Iterator[Trigger]:
        """ListSchedules, and each schedule that starts runs."""
        for row in self._wire.pages("ListSchedules", {}, unique="Arn", size=_MOST):
            if not _starts_runs(record(row.get("Target"))):
                continue
            id = f"{text(row.get('GroupName')) or 'default'}/{text(row.get('Name')) or ''}"
            if not self.kind.id_pattern.fullmatch(id):
                continue
            with unless_deleted():  # one for a single time deletes itself
                reply = self._got(id)
                if script is None or script in flat(record(reply.get("Target")).get("Input")):
                    yield self._trigger(id, reply)

    def read(self, ref: Ref) -> Trigger:
        """GetSchedule."""
        return self._trigger(ref.id, self._got(ref.id))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """Raises `Reason.NOT_CANCELLABLE`."""
        raise CloudError(Reason.NOT_CANCELLABLE, f"{ref}: {self.kind.fixed_because}; nothing was sent")

    def _got(self, id: str) -> JsonObject:
        group, name = _parts(id)
        return self._wire.call("GetSchedule", {"GroupName": group, "Name": name})

    def _trigger(self, id: str, row: JsonObject) -> Trigger:
        target = record(row.get("Target"))
        word, zone = text(row.get("State")) or "", text(row.get("ScheduleExpressionTimezone"))
        schedule = text(row.get("ScheduleExpression"))
        timing = aws(schedule or "", zone, now=datetime.now(UTC))
        group, name = _parts(id)
        words = ["aws", "scheduler", "get-schedule", "--group-name", group, "--name", name]
        words += ["--region", self._scope.region] + ([] if self._profile is None else ["--profile", self._profile])
        return Trigger.at(
            Ref(scope=self._scope, kind=self.kind.name, id=id),
            self.kind,
            name=name,
            state=_STATES.get(word, TriggerState.UNKNOWN),
            provider_status=word,
            schedule=schedule,
            timezone=zone or "UTC",
            schedule_text=timing.text,
            next_start_at=timing.next_start_at,
            documents=(_runs(target.get("Arn"), target.get("Input")),),
            targets=_targets_of(document(target.get("Input"))),
            edition=digest(schedule, zone, target, str(moment(row.get("LastModificationDate")))),
            command=shlex.join(words),
        )


def _only_denied(error: CloudError) -> CloudError:
    """The error, if it is that something may not be listed. Raises any other."""
    if error.reason is not Reason.DENIED:
        raise error
    return error


def _parts(id: str) -> tuple[str, str]:
    """`BUS/NAME`: the name of a partner's bus has slashes of its own."""
    before, _, name = id.rpartition("/")
    return before, name


def _starts_runs(target: JsonObject) -> bool:
    arn = text(target.get("Arn")) or ""
    return any(part in arn for part in _RUNS)


def _runs(arn: object, request: object) -> str:
    """The document, runbook or state machine; of a call of an API what its request names."""
    target_arn = text(arn) or ""
    inner = document(request)
    if ":aws-sdk:" in target_arn:
        return text(inner.get("DocumentName")) or text(inner.get("StateMachineArn")) or target_arn
    for part in (":document/", ":automation-definition/", ":stateMachine:"):
        if part in target_arn:
            return target_arn.partition(part)[2].partition(":")[0] or target_arn
    return target_arn


def _command_targets(target: JsonObject) -> tuple[str, ...]:
    parameters: Any = record(target.get("RunCommandParameters")).get("RunCommandTargets")
    return _targets_of({"Targets": parameters or []})


def _targets_of(request: Any) -> tuple[str, ...]:
    """The targets that a request names: `Key=value,value`, and ids."""
    listed = request.get("Targets")
    keyed = [record(one) for one in listed] if isinstance(listed, list) else []
    filters = [f"{text(one.get('Key')) or ''}={','.join(texts(one.get('Values')))}" for one in keyed]
    return (*filters, *texts(request.get("InstanceIds") or []))
