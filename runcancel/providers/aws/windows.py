"""Maintenance window executions: execution, its tasks, their invocations."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, structs

from runcancel.model.queries import Query
from runcancel.model.runs import ExternalExecution, Invocation, InvocationFilter, Kind, Ref, Run, Scope, Snapshot
from runcancel.model.states import State
from runcancel.providers.aws.facts import AUTOMATION, COMMAND, STATE_MACHINE, WINDOW, WINDOW_TRIGGER
from runcancel.providers.aws.fields import INSTANCE, alarms, document, record, time_of, unless_deleted, word
from runcancel.providers.aws.states import window_state, window_words
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, moment, text, texts, wire_time
from runcancel.providers.common.paging import first
from runcancel.providers.common.scripts import with_parameters

_CHILDREN: Mapping[str, Kind] = {"RUN_COMMAND": COMMAND, "AUTOMATION": AUTOMATION, "STEP_FUNCTIONS": STATE_MACHINE}
"""Task types whose ExecutionId is a run of ours."""

_FOREIGN = {
    "LAMBDA": ExternalExecution(what="a Lambda function", command=None),
    "STEP_FUNCTIONS": ExternalExecution(what="an EXPRESS execution of Step Functions", command=None),
}
"""What a task starts that is no run. No API stops these."""

_EXPRESS = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:express:[!-~]{1,300}")

_FEWEST, _MOST = 10, 100  # rows per page that AWS allows
_TARGET_KEYS = ("instanceIds", "InstanceIds", "InstanceId")
_NAMED = 3  # targets of a shared invocation that are named


class Windows:
    """A run is a window *execution*; AWS reports neither its window nor its name."""

    kind = WINDOW

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._task_ids: dict[str, tuple[str, ...]] = {}  # what an execution named when it was read last

    def read(self, ref: Ref, *, full: bool) -> Snapshot:
        """See `Cloud.read`. Reads all three levels when `full`."""
        run = _run(ref, self._wire.call("GetMaintenanceWindowExecution", {"WindowExecutionId": ref.id}))
        self._task_ids[ref.id] = run.task_ids
        if not full:
            return Snapshot(run=run)
        tasks = tuple(self._tasks(ref))
        rows = (row for task in tasks for row, _ in self._of_task(ref, task, InvocationFilter()))
        return Snapshot.full(run, (*rows, *_unlisted(ref, run.task_ids, set(map(_task_id, tasks)))))

    def runs(self, scope: Scope, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. AWS lists executions window by window, filtered by time alone."""
        filters = [
            {"Key": key, "Values": [wire_time(time)]}
            for key, time in (("ExecutedAfter", query.since), ("ExecutedBefore", query.until))
            if time is not None
        ]
        for window in self._wire.pages("DescribeMaintenanceWindows", {}, unique="WindowId", size=_MOST):
            params: dict[str, Any] = {"WindowId": text(window.get("WindowId")) or "", "Filters": filters}
            action = "DescribeMaintenanceWindowExecutions"
            of = {"WindowId": params["WindowId"]}
            with unless_deleted():
                for row in self._wire.pages(
                    action, params, unique="WindowExecutionId", size=_MOST, state=_state, of=of
                ):
                    ref = Ref(scope=scope, kind=WINDOW.name, id=text(row.get("WindowExecutionId")) or "")
                    if WINDOW.matches(ref.id):
                        yield Snapshot(run=_of_window(_run(ref, row), window))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the documents of its tasks with their parameters, each once."""
        scripts: dict[str, None] = {}
        for task in self._tasks(ref):
            for row in self._listed(ref, text(task.get("TaskExecutionId")) or "", (), limit=0):
                scripts.setdefault(_task_script(task, document(row.get("Parameters"))))
        scripts.pop("", None)
        return "\n\n".join(scripts) or None

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """One row per task invocation, and one with target None for a task that has none yet.

        An invocation may cover several targets, and its state is theirs together: it stays one row, with target None
        and the targets in `target_name`. Asking for one of its targets finds it. A task that the execution named
        when it was read, and that AWS does not list, comes last.
        """
        rows = (row for row, targets in self._of_tasks(ref, criteria) if _matches(criteria, row, targets))
        return first(rows, criteria.limit)

    def cancel(self, ref: Ref, _targets: Sequence[str]) -> Iterator[str]:
        """See `Cloud.cancel`. The answer must name the same execution."""
        yield self._wire.ask("CancelMaintenanceWindowExecution", {"WindowExecutionId": ref.id})

    def _tasks(self, ref: Ref) -> Iterator[JsonObject]:
        of = {"WindowExecutionId": ref.id}
        action = "DescribeMaintenanceWindowExecutionTasks"
        return self._wire.pages(action, of, unique="TaskExecutionId", size=_MOST, state=_state, of=of)

    def _of_tasks(self, ref: Ref, criteria: InvocationFilter) -> Iterator[tuple[Invocation, tuple[str, ...]]]:
        listed: set[str] = set()
        for task in self._tasks(ref):
            listed.add(_task_id(task))
            yield from self._of_task(ref, task, criteria)
        for row in _unlisted(ref, self._task_ids.get(ref.id, ()), listed):
            yield row, ()

    def _of_task(
        self, ref: Ref, task: JsonObject, criteria: InvocationFilter
    ) -> Iterator[tuple[Invocation, tuple[str, ...]]]:
        """The invocations of a task, and the task itself where they do not account for it.

        A task without invocations is a row, and so is one that has not ended although all of its invocations have.
        """
        task_id = text(task.get("TaskExecutionId"))
        if task_id is None or criteria.task not in (None, task_id):
            return
        words = window_words(criteria.states)
        any_row = any_open = False
        for row in self._listed(ref, task_id, words, limit=criteria.limit):
            any_row, any_open = True, any_open or not _state(row).over
            yield _invocation(ref, task, row, parameters=criteria.parameters)
        if words and not any_open and not (any_row and _state(task).over):  # a filtered listing does not report it
            states = [_state(row) for row in self._listed(ref, task_id, (), limit=0)]
            any_row, any_open = bool(states), any(not state.over for state in states)
        if not any_row or not (any_open or _state(task).over):
            yield _of_whole_task(ref, task, task_id), ()

    def _listed(self, ref: Ref, task_id: str, words: tuple[str, ...], *, limit: int) -> Iterator[JsonObject]:
        params: dict[str, Any] = {"WindowExecutionId": ref.id, "TaskId": task_id}
        if words:
            params["Filters"] = [{"Key": "STATUS", "Values": list(words)}]
        action = "DescribeMaintenanceWindowExecutionTaskInvocations"
        size = min(_MOST, max(_FEWEST, limit or _MOST))
        of = {"WindowExecutionId": ref.id, "TaskExecutionId": task_id}
        return self._wire.pages(action, params, unique="InvocationId", size=size, state=_state, of=of)


def _of_window(run: Run, window: JsonObject) -> Run:
    """An execution with what the window that it was listed under tells of it."""
    id, scope = text(window.get("WindowId")) or "", run.ref.scope
    is_window = WINDOW_TRIGGER.matches(id)
    comes = moment(window.get("NextExecutionTime")) if window.get("Enabled") is True else None
    return structs.replace(
        run,
        name=text(window.get("Name")),
        trigger=Ref(scope=scope, kind=WINDOW_TRIGGER.name, id=id) if is_window else None,
        trigger_known=is_window,
        next_start_at=comes if is_window else None,
    )


def _task_script(task: JsonObject, started_with: Mapping[str, Any]) -> str:
    """What one invocation of a task runs: its document, and below it the script; empty where AWS lists none."""
    parameters = started_with.get("parameters")
    script = with_parameters(None, started_with if parameters is None else parameters)
    name = text(started_with.get("documentName")) or text(task.get("TaskArn"))
    return f"{name}:\n{script}" if script else ""


def _state(row: JsonObject) -> State:
    """The state by the word alone."""
    return window_state(word(row.get("Status")))


def _run(ref: Ref, reply: JsonObject) -> Run:
    return Run.at(
        ref,
        WINDOW,
        state=window_state(word(reply.get("Status"))),
        provider_status=word(reply.get("Status")),
        status_detail=text(reply.get("StatusDetails")),
        started_at=time_of(reply.get("StartTime")),
        ended_at=time_of(reply.get("EndTime")),
        task_ids=texts(reply.get("TaskIds")),
        repeats=False,
    )


def _invocation(ref: Ref, task: JsonObject, row: JsonObject, *, parameters: bool) -> tuple[Invocation, tuple[str, ...]]:
    """The row, and every target it covers."""
    task_id = text(task.get("TaskExecutionId"))
    task_type = word(row.get("TaskType")) or word(task.get("TaskType"))
    execution = text(row.get("ExecutionId"))
    child = _CHILDREN.get(task_type)
    child_id = execution if child is not None and child.matches(execution or "") else None
    targets = _targets(document(row.get("Parameters")))
    started = time_of(row.get("StartTime"))
    invocation = Invocation(
        run=ref,
        id=text(row.get("InvocationId")) or task_id or ref.id,
        task=task_id,
        target=targets[0] if len(targets) == 1 else None,
        target_name=_target_name(targets, None if child_id else execution, task_type),
        # A start time alone proves nothing: AWS prints one for invocations that never ran.
        state=window_state(word(row.get("Status")), ran=started is not None and execution is not None),
        provider_status=word(row.get("Status")),
        status_detail=text(row.get("StatusDetails")),
        exit_code=None,
        started_at=started,
        ended_at=time_of(row.get("EndTime")),
        child=None if child is None or child_id is None else Ref(scope=ref.scope, kind=child.name, id=child_id),
        owner=text(row.get("OwnerInformation")),
        window_target=text(row.get("WindowTargetId")),
        foreign=_external(task_type, execution),
        target_count=max(1, len(targets)),
        document=text(task.get("TaskArn")),
        task_type=task_type or None,
        alarms=alarms(task),
        parameters=(text(row.get("Parameters")) or UNSET) if parameters else UNSET,
    )
    return invocation, targets


def _external(task_type: str, execution: str | None) -> ExternalExecution | None:
    """What a task started that is no run, or none."""
    if task_type == "STEP_FUNCTIONS" and not _EXPRESS.fullmatch(execution or ""):
        return None
    return _FOREIGN.get(task_type)


def _of_whole_task(ref: Ref, task: JsonObject, task_id: str) -> Invocation:
    """A task as a row of its own: AWS does not list on which targets it runs or will run."""
    return Invocation(
        run=ref,
        id=task_id,
        task=task_id,
        target=None,
        target_name=None,
        state=_state(task),
        provider_status=word(task.get("Status")),
        status_detail=text(task.get("StatusDetails")),
        exit_code=None,
        started_at=time_of(task.get("StartTime")),
        ended_at=time_of(task.get("EndTime")),
        child=None,
        owner=None,
        window_target=None,
        document=text(task.get("TaskArn")),
        task_type=text(task.get("TaskType")),
        alarms=alarms(task),
    )


def _task_id(task: JsonObject) -> str:
    return (text(task.get("TaskExecutionId")) or "").lower()


def _unlisted(ref: Ref, ids: Sequence[str], listed: Container[str]) -> Iterator[Invocation]:
    """The tasks that the execution names and AWS does not list: nothing is known of them."""
    for task_id in ids:
        if task_id.lower() not in listed:
            row = _of_whole_task(ref, {}, task_id)
            yield structs.replace(row, status_detail="the execution includes this task, but does not list it")


def _targets(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Instance ids: of a command beside its parameters, of an automation among them."""
    sources = (parameters, record(parameters.get("parameters")))
    ids = [one for source in sources for key in _TARGET_KEYS for one in texts(source.get(key))]
    return tuple(dict.fromkeys(one for one in ids if INSTANCE.fullmatch(one)))


def _target_name(targets: tuple[str, ...], execution: str | None, task_type: str) -> str | None:
    """What one target id and one child reference cannot express."""
    if len(targets) > 1:
        rest = len(targets) - _NAMED
        return ", ".join(targets[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    if targets or execution is None:
        return None
    return f"{task_type} {execution}".strip()


def _matches(criteria: InvocationFilter, row: Invocation, targets: tuple[str, ...]) -> bool:
    if len(targets) < 2 or not criteria.targets:
        return criteria.matches(row)
    by_target = InvocationFilter(task=criteria.task, states=criteria.states)
    return by_target.matches(row) and not criteria.targets.isdisjoint(targets)
