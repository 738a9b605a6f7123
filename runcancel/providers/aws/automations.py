"""Automation executions: the steps of a plain one, the children of a rate-controlled one."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from runcancel.model.queries import Query
from runcancel.model.runs import Invocation, InvocationFilter, Kind, Ref, Run, Scope, Snapshot
from runcancel.model.states import State
from runcancel.providers.aws.facts import ASSOCIATION, AUTOMATION, COMMAND
from runcancel.providers.aws.fields import alarms, counted, record, time_of, word
from runcancel.providers.aws.states import automation_state, automation_words, step_state
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, number, rows, text, texts, wire_time
from runcancel.providers.common.paging import first
from runcancel.providers.common.scripts import with_parameters

_ELSEWHERE = ("TargetLocations", "TargetLocationsURL")
_FAN_OUT = ("Targets", "TargetMaps", *_ELSEWHERE)
"""Fields that an automation with one child per target has; its children have a `Target`."""

_STEP_COUNTERS = {
    "TotalSteps": "steps",
    "SuccessSteps": "steps_succeeded",
    "FailedSteps": "steps_failed",
    "CancelledSteps": "steps_cancelled",
    "TimedOutSteps": "steps_timed_out",
}
_TARGET_COUNTERS = {
    "StartedCount": "started",
    "CompletedCount": "completed",
    "SuccessfulCount": "succeeded",
    "FailedCount": "failed",
}

_STARTED_BY: Mapping[str, tuple[str, Kind]] = {
    "aws:runCommand": ("CommandId", COMMAND),
    "aws:executeAutomation": ("ExecutionId", AUTOMATION),
}
"""Step actions that start a run of ours, and the output that names it."""

_MOST = 50  # rows per page
_MOST_WORDS = 10  # values of one filter
_LONGEST_VALUE = 150  # characters of one of them


class Automations:
    """Automations are kept for 30 days; AWS answers 3 reads and 1 stop a second."""

    kind = AUTOMATION

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(self, ref: Ref, *, full: bool) -> Snapshot:
        """See `Cloud.read`. AWS includes the steps of a plain automation while they are few."""
        execution = self._execution(ref)
        run = _run(ref, execution)
        if not full and (_fans_out(execution) or execution.get("StepExecutionsTruncated")):
            return Snapshot(run=run)
        return Snapshot.full(run, (one for one, _ in self._rows(ref, execution, run.state)))

    def runs(self, scope: Scope, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. The children of a rate-controlled automation are its invocations, no runs of their own."""
        times = {"StartTimeAfter": query.since, "StartTimeBefore": query.until}
        filters = [{"Key": key, "Values": [wire_time(time)]} for key, time in times.items() if time is not None]
        words = automation_words(query.states)
        if 0 < len(words) <= _MOST_WORDS:
            filters.append({"Key": "ExecutionStatus", "Values": list(words)})
        if query.document is not None and len(query.document) <= _LONGEST_VALUE:
            filters.append({"Key": "DocumentNamePrefix", "Values": [query.document]})
        params = {"Filters": filters} if filters else {}
        unique = "AutomationExecutionId"
        for row in self._wire.pages("DescribeAutomationExecutions", params, unique=unique, size=_MOST, state=_state):
            ref = Ref(scope=scope, kind=AUTOMATION.name, id=text(row.get(unique)) or "")
            if AUTOMATION.matches(ref.id) and not row.get("ParentAutomationExecutionId"):
                yield Snapshot(run=_run(ref, row))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the parameters of the automation. Its steps are those of its document."""
        return with_parameters(None, record(self._execution(ref).get("Parameters")))

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`. Filtered here: steps are few, and children have no filter beside their parent."""
        return first((one for one, _ in self.rows(ref) if criteria.matches(one)), criteria.limit)

    def rows(self, ref: Ref) -> Iterator[tuple[Invocation, JsonObject]]:
        """Every step or child, and its row from AWS."""
        execution = self._execution(ref)
        return self._rows(ref, execution, _run(ref, execution).state)

    def cancel(self, ref: Ref, _targets: Sequence[str]) -> Iterator[str]:
        """See `Cloud.cancel`."""
        yield self._wire.ask("StopAutomationExecution", {"AutomationExecutionId": ref.id, "Type": "Cancel"})

    def _execution(self, ref: Ref) -> JsonObject:
        reply = self._wire.call("GetAutomationExecution", {"AutomationExecutionId": ref.id})
        return record(reply.get("AutomationExecution"))

    def _rows(self, ref: Ref, execution: JsonObject, run: State) -> Iterator[tuple[Invocation, JsonObject]]:
        if _fans_out(execution):
            elsewhere = any(execution.get(field) for field in _ELSEWHERE)
            return ((_child(ref, row, elsewhere=elsewhere), row) for row in self._children(ref))
        return ((_step(ref, row, run), row) for row in self._steps(ref, execution))

    def _children(self, ref: Ref) -> Iterator[JsonObject]:
        params = {"Filters": [{"Key": "ParentExecutionId", "Values": [ref.id]}]}
        of = {"ParentAutomationExecutionId": ref.id}
        return self._wire.pages(
            "DescribeAutomationExecutions", params, unique="AutomationExecutionId", size=_MOST, state=_state, of=of
        )

    def _steps(self, ref: Ref, execution: JsonObject) -> Iterator[JsonObject]:
        if not execution.get("StepExecutionsTruncated"):
            return iter(rows(execution, "StepExecutions"))
        params = {"AutomationExecutionId": ref.id}
        unique = "StepExecutionId"
        return self._wire.pages("DescribeAutomationStepExecutions", params, unique=unique, size=_MOST, state=_step_word)


def _state(row: JsonObject) -> State:
    """The state of an execution by the word alone."""
    return automation_state(word(row.get("AutomationExecutionStatus")))


def _step_word(row: JsonObject) -> State:
    """The state of a step by the word alone."""
    return automation_state(word(row.get("StepStatus")))


def _fans_out(execution: JsonObject) -> bool:
    return any(execution.get(field) for field in _FAN_OUT) and not execution.get("Target")


def _run(ref: Ref, execution: JsonObject) -> Run:
    parent = text(execution.get("ParentAutomationExecutionId"))
    association = _reference(ref, ASSOCIATION, text(execution.get("AssociationId")))
    run = Run.at(
        ref,
        AUTOMATION,
        state=_state(execution),
        provider_status=word(execution.get("AutomationExecutionStatus")),
        status_detail=text(execution.get("FailureMessage")),
        name=text(execution.get("DocumentName")),
        created_at=None,
        started_at=time_of(execution.get("ExecutionStartTime")),
        ended_at=time_of(execution.get("ExecutionEndTime")),
        target_count=number(record(execution.get("TargetsSummary")).get("TotalCount")),
        parent=_reference(ref, AUTOMATION, parent),
        document=text(execution.get("DocumentName")),
        started_by=text(execution.get("ExecutedBy")),
        scheduled_at=time_of(execution.get("ScheduledTime")),
        alarms=alarms(execution),
        vendor_counts=counted(execution.get("ProgressCounters"), _STEP_COUNTERS)
        | counted(execution.get("TargetsSummary"), _TARGET_COUNTERS),
        trigger_known=association is not None,
        repeats=False,
    )
    return structs.replace(run, trigger=association)


def _child(ref: Ref, row: JsonObject, *, elsewhere: bool) -> Invocation:
    """A child automation. One in another region or account cannot be named from here: it has no reference."""
    status = word(row.get("AutomationExecutionStatus"))
    started = time_of(row.get("ExecutionStartTime"))
    id = text(row.get("AutomationExecutionId"))
    far = elsewhere or row.get("AutomationType") == "CrossAccount"
    return Invocation(
        run=ref,
        id=id or ref.id,
        task=None,
        target=_target(row),
        target_name=text(row.get("DocumentName")),
        state=automation_state(status, started=started),
        provider_status=status,
        status_detail=text(row.get("FailureMessage")),
        exit_code=None,
        started_at=started,
        ended_at=time_of(row.get("ExecutionEndTime")),
        child=None if far else _reference(ref, AUTOMATION, id),
        owner=None,
        window_target=None,
    )


def _step(ref: Ref, row: JsonObject, run: State) -> Invocation:
    status = word(row.get("StepStatus"))
    started = time_of(row.get("ExecutionStartTime"))
    name = text(row.get("StepName"))
    return Invocation(
        run=ref,
        id=text(row.get("StepExecutionId")) or name or ref.id,
        task=None,
        target=None,
        target_name=name,
        state=step_state(status, started=started, run=run),
        provider_status=status,
        status_detail=text(row.get("FailureMessage")),
        exit_code=number(row.get("ResponseCode")),
        started_at=started,
        ended_at=time_of(row.get("ExecutionEndTime")),
        child=_started(ref, row),
        owner=None,
        window_target=None,
    )


def _target(row: JsonObject) -> str | None:
    """The one target of a child: AWS gives it as `Target`, or as the only value of `Targets`."""
    values = tuple(value for target in rows(row, "Targets") for value in texts(target.get("Values")))
    return text(row.get("Target")) or (values[0] if len(values) == 1 else None)


def _started(ref: Ref, row: JsonObject) -> Ref | None:
    """The run that a step started."""
    output, kind = _STARTED_BY.get(word(row.get("Action")), ("", AUTOMATION))
    ids = texts(record(row.get("Outputs")).get(output))
    return _reference(ref, kind, ids[0]) if len(ids) == 1 else None


def _reference(ref: Ref, kind: Kind, id: str | None) -> Ref | None:
    return Ref(scope=ref.scope, kind=kind.name, id=id) if id and kind.matches(id) else None
