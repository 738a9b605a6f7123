"""Executions of OOS (API 2019-06-01): a template with tasks, some of which start invocations or further executions."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import structs

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished, Output
from runcancel.model.queries import Query
from runcancel.model.runs import Invocation, InvocationFilter, Kind, Ref, Run, Scope, Snapshot
from runcancel.model.states import Reason, State
from runcancel.model.triggers import Origin, TriggerState
from runcancel.providers.alibaba.facts import INVOCATION, OOS
from runcancel.providers.alibaba.states import execution_filters, execution_state, task_state
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.common.fields import (
    NO_RUN,
    JsonObject,
    checked_id,
    checked_region,
    moment,
    rows,
    text,
    wire_time,
)
from runcancel.providers.common.paging import by_token, first
from runcancel.providers.common.scripts import with_parameters

VERSION = "2019-06-01"
_PAGE = 100  # rows, the vendor's most
_STARTS_INVOCATIONS = re.compile(r"Command")
"""Actions of tasks that start invocations of Cloud Assistant: ACS::ECS::RunCommand and its siblings."""

_TRIGGERS = frozenset({"TimerTrigger", "EventTrigger", "AlarmTrigger"})
"""Categories of executions that are schedules: each round is a child execution."""

_USER = re.compile(r"[^/:()]+\(\d+\)")
"""`ExecutedBy` of what a user of an account started. How a role of a service is written is not documented."""

_HIGHEST = 8  # parents that are read on the way from an execution to a schedule
_NO_OUTPUT = "OOS keeps what its tasks returned, which is not supported"


class Executions:
    """The executions of one scope. The connection to OOS is opened when it is first needed."""

    kind = OOS

    def __init__(self, open_: Callable[[], Wire], *, scope: Scope) -> None:
        self._open = open_
        self._scope = scope

    def read(self, ref: Ref, *, full: bool = True) -> Snapshot:
        """See `Cloud.read`. The tasks cost a request, and so does each task that starts invocations."""
        row = self._find(ref)
        run = _run(ref, row)
        return Snapshot.full(run, self._tasks(ref, row, run.state)) if full else Snapshot(run=run)

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`: one row for each task, and for each run of a task that started several."""
        row = self._find(ref)
        tasks = self._tasks(ref, row, _run(ref, row).state)
        return first(filter(criteria.matches, tasks), criteria.limit)

    def logs(self, ref: Ref, criteria: InvocationFilter, _finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`: no output, and why."""
        for invocation in self.invocations(ref, structs.replace(criteria, limit=0)):
            yield Capture.of_text(structs.replace(Output.of(invocation, merged=True), note=_NO_OUTPUT))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the parameters of the execution. Its tasks are those of its template."""
        return with_parameters(None, self._find(ref).get("Parameters"))

    def cancel(self, ref: Ref) -> Iterator[str]:
        """See `Cloud.cancel`."""
        yield str(self._open().call("CancelExecution", self._parameters_of(ref), once=True)["RequestId"])

    def runs(self, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. Child executions are invocations of their parent. Schedules come only if they are included.

        A timer goes round between its states and could slip through several requests, hence the last repeats one.
        """
        keys: set[int] = set()
        common = {"RegionId": self._scope.region}
        common |= {"StartDateAfter": wire_time(query.since)} if query.since is not None else {}
        common |= {"TemplateName": query.document} if query.document is not None else {}
        for status in execution_filters(query.states):
            for row in self._pages("ListExecutions", "Executions", "ExecutionId", {**common, **status}):
                id = text(row.get("ExecutionId")) or ""
                if hash(id) in keys or not OOS.id_pattern.fullmatch(id) or row.get("ParentExecutionId"):
                    continue
                run = _run(Ref(scope=self._scope, kind=OOS.name, id=id), row)
                if _is_schedule(row) and not run.state.over and not query.include_schedules:
                    continue
                if query.matches(run):  # else a later request may still find it
                    keys.add(hash(id))
                    yield Snapshot(run=run)

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """See `Triggers.origins`. A child names its parent: the first parent that is a schedule started it."""
        cache: dict[str, JsonObject] = {}
        for ref in refs:
            origin = self._origin(ref, cache)
            if origin is not None:
                yield ref, origin

    def _origin(self, ref: Ref, cache: dict[str, JsonObject]) -> Origin | None:
        one: Ref | None = ref
        for _ in range(_HIGHEST):
            if one is None:
                return None
            if one.id not in cache:
                try:
                    cache[one.id] = self._find(one)
                except CloudError as error:
                    if error.reason is not Reason.NOT_FOUND:
                        raise
                    return None
            row = cache[one.id]
            if _is_schedule(row) and one != ref:
                return _started_by(_run(one, row))
            if not row.get("ParentExecutionId"):
                return Origin.of(_run(one, row))
            one = _reference(ref.scope, OOS, row.get("ParentExecutionId"))
        return None

    def _find(self, ref: Ref) -> JsonObject:
        action = "ListExecutions"
        page = self._open().call(action, {**self._parameters_of(ref), "IncludeChildExecution": "true"})
        listed = _listing(page, "Executions", action)
        for row in listed:
            if row.get("ExecutionId") == ref.id:
                return row
        if listed:
            raise CloudError(Reason.UNPROVEN, "the reply is about other runs", action=action)
        raise CloudError(Reason.NOT_FOUND, NO_RUN, action=action)

    def _tasks(self, ref: Ref, execution: JsonObject, run: State) -> Iterator[Invocation]:
        for row in self._pages("ListTaskExecutions", "TaskExecutions", "TaskExecutionId", self._parameters_of(ref)):
            if row.get("ExecutionId") in (None, ref.id):
                yield from self._task(ref, row, run, schedule=_is_schedule(execution))

    def _task(self, ref: Ref, row: JsonObject, run: State, *, schedule: bool) -> Iterator[Invocation]:
        """The task, and each run that it started where these are several: the only one stands beside the task."""
        task = _task(ref, row, run, schedule=schedule)
        started: tuple[tuple[JsonObject, Ref], ...] = ()
        if _STARTS_INVOCATIONS.search(text(row.get("TaskAction")) or ""):
            action = "ListTaskExecutionInvocations"
            page = self._open().call(action, {"RegionId": self._scope.region, "TaskExecutionId": task.id})
            listed = _listing(page, "TaskExecutionInvocations", action)
            started = tuple((one, child) for one in listed if (child := _child(ref, one)) is not None)
        elif schedule and task.child is None:
            started = self._rounds(ref)
        if len(started) == 1:
            yield structs.replace(task, child=started[0][1])
            return
        yield task
        yield from (_started(task, one, child, run) for one, child in started)

    def _rounds(self, ref: Ref) -> tuple[tuple[JsonObject, Ref], ...]:
        """The child executions of a schedule that have not ended, of the newest."""
        action = "ListExecutions"
        params = {"RegionId": self._scope.region, "ParentExecutionId": ref.id, "MaxResults": str(_PAGE)}
        listed = _listing(self._open().call(action, params), "Executions", action)
        return tuple(
            (row, child)
            for row in listed
            if row.get("ParentExecutionId") == ref.id
            and not execution_state(row.get("Status"), schedule=False).over
            and (child := _reference(ref.scope, OOS, row.get("ExecutionId"))) is not None
        )

    def _pages(self, action: str, field: str, key: str, params: Mapping[str, str]) -> Iterator[JsonObject]:
        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            following = {} if token is None else {"NextToken": token}
            page = self._open().call(action, {**params, "MaxResults": str(_PAGE), **following})
            return _listing(page, field, action), page.get("NextToken")

        return by_token(
            fetch,
            key=lambda row: hash(text(row.get(key)) or repr(row)),
            openness=lambda row: execution_state(row.get("Status"), schedule=False).openness,
        )

    def _parameters_of(self, ref: Ref) -> dict[str, str]:
        return {"RegionId": self._scope.region, "ExecutionId": checked_id(ref.id, OOS.id_pattern)}


def _listing(page: JsonObject, field: str, action: str) -> tuple[JsonObject, ...]:
    if not isinstance(page.get(field), list):
        raise CloudError(Reason.UNPROVEN, "the reply has no listing", action=action)
    return rows(page, field)


def _is_schedule(row: JsonObject) -> bool:
    return row.get("Category") in _TRIGGERS and not row.get("ParentExecutionId")


def _by_user(row: JsonObject) -> bool:
    """Whether it is known that no trigger started an execution: it has no parent, and a user executed it."""
    return not row.get("ParentExecutionId") and _USER.fullmatch(text(row.get("ExecutedBy")) or "") is not None


def _started_by(schedule: Run) -> Origin:
    """What a schedule started; it starts more as long as it has not ended."""
    return Origin(
        trigger=schedule.ref,
        known=True,
        state=TriggerState.DISABLED if schedule.state.over else TriggerState.ENABLED,
        repeats=False,
        next_start_at=schedule.next_start_at,
    )


def _run(ref: Ref, row: JsonObject) -> Run:
    schedule = _is_schedule(row)
    state = execution_state(row.get("Status"), schedule=schedule)
    return Run.at(
        ref,
        OOS,
        state=state,
        provider_status=text(row.get("Status")) or "",
        status_detail=text(row.get("StatusMessage")) or _schedule(row),
        name=text(row.get("TemplateName")),
        created_at=moment(row.get("CreateDate")),
        started_at=moment(row.get("StartDate")),
        ended_at=moment(row.get("EndDate")) if state.over else None,
        parent=_reference(ref.scope, OOS, row.get("ParentExecutionId")),
        comment=text(row.get("Description")),
        document=text(row.get("TemplateName")),
        started_by=text(row.get("ExecutedBy")),
        trigger_known=_by_user(row),
        repeats=schedule,
        next_start_at=moment(row.get("NextScheduleTime")) if schedule and not state.over else None,
    )


def _schedule(row: JsonObject) -> str | None:
    """How an execution starts others, for a person; None for one that does not."""
    if not _is_schedule(row):
        return None
    upcoming = text(row.get("NextScheduleTime"))
    return f"{row['Category']}{f', next start {upcoming}' if upcoming else ''}"


def _task(ref: Ref, row: JsonObject, run: State, *, schedule: bool) -> Invocation:
    word = text(row.get("Status")) or ""
    started = moment(row.get("StartDate"))
    state = task_state(word, started=started is not None, run=run, schedule=schedule)
    name = text(row.get("TaskName"))
    return Invocation(
        run=ref,
        id=text(row.get("TaskExecutionId")) or name or ref.id,
        task=None,
        target=None,
        target_name=name,
        state=state,
        provider_status=word,
        status_detail=text(row.get("StatusMessage")),
        exit_code=None,
        started_at=started if state is not State.PENDING else None,
        ended_at=moment(row.get("EndDate")) if state.over else None,
        child=_reference(ref.scope, OOS, row.get("ChildExecutionId")),
        owner=None,
        window_target=None,
        task_type=text(row.get("TaskAction")),
        confirmed=state is not State.TERMINATED,  # the vendor does not document what happens to a task in flight
    )


def _started(task: Invocation, row: JsonObject, child: Ref, run: State) -> Invocation:
    """A run that a task started beside others."""
    word = text(row.get("Status")) or ""
    state = task_state(word, started=True, run=run, schedule=False)
    return structs.replace(
        task,
        id=child.id,
        task=task.id,
        target_name=text(row.get("InvocationTaskName")) or text(row.get("TemplateName")) or task.target_name,
        state=state,
        provider_status=word,
        status_detail=None,
        ended_at=task.ended_at if state.over else None,
        child=child,
        confirmed=state is not State.TERMINATED,
    )


def _child(ref: Ref, row: JsonObject) -> Ref | None:
    """The invocation of Cloud Assistant that a row names: it may run in another region."""
    region = text(row.get("RegionId")) or ref.scope.region
    try:
        scope = structs.replace(ref.scope, region=checked_region(region))
    except CloudError:
        return None
    return _reference(scope, INVOCATION, row.get("InvocationId"))


def _reference(scope: Scope, kind: Kind, id: object) -> Ref | None:
    word = text(id)
    return Ref(scope=scope, kind=kind.name, id=word) if word and kind.matches(word) else None
