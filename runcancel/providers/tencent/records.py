"""Runs and their tasks, as TAT lists them: rows of DescribeInvocations and DescribeInvocationTasks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from runcancel.model.runs import Invocation, Kind, Ref, Run
from runcancel.model.states import State
from runcancel.providers.common.fields import JsonObject, moment, number, rows, text
from runcancel.providers.tencent.states import invocation_state, run_state

_HAS_EXIT_CODE = frozenset({"SUCCESS", "FAILED", "TERMINATED", "TIMEOUT"})
_BY_SCHEDULE = "started by a schedule (invoker), which a cancel does not disable"


def openness(row: JsonObject) -> int:
    """How far a run is from its end, by its word alone."""
    return run_state(row.get("InvocationStatus")).openness


def task_openness(row: JsonObject) -> int:
    """How far a task is from its end, by its word alone."""
    return invocation_state(row.get("TaskStatus")).openness


def joined(ours: Sequence[JsonObject]) -> JsonObject:
    """One row of those that name the same run: the least ended, with the tasks of all."""
    if len(ours) == 1:
        return ours[0]
    tasks = [task for row in ours for task in rows(row, "InvocationTaskBasicInfoSet")]
    least: JsonObject = max(ours, key=openness)
    return {**least, "InvocationTaskBasicInfoSet": tasks}


def script_of(row: JsonObject) -> str | None:
    """The content of the command, and the parameters of the run."""
    from runcancel.providers.common.scripts import decoded_script, with_parameters

    return with_parameters(decoded_script(row.get("CommandContent")), row.get("Parameters"))


def runs_text(row: JsonObject, part: str) -> bool:
    """Whether the script of a run contains a text."""
    from runcancel.providers.common.scripts import contains

    return contains(script_of(row), part)


def run_of(ref: Ref, kind: Kind, row: JsonObject, targets: int) -> Run:
    """One run that has so many tasks."""
    word = text(row.get("InvocationStatus"))
    source = text(row.get("InvocationSource")) or ""
    return Run.at(
        ref,
        kind,
        state=run_state(word),
        provider_status=word or "",
        status_detail=_BY_SCHEDULE if source.upper() == "INVOKER" else None,
        name=text(row.get("CommandName")),
        created_at=moment(row.get("CreatedTime")),
        started_at=moment(row.get("StartTime")),
        ended_at=moment(row.get("EndTime")),
        target_count=targets,
        comment=text(row.get("Description")),
        document=text(row.get("CommandId")),
        target_kind=text(row.get("InstanceKind")),
        trigger_known=source.upper() == "USER",
        repeats=False,
    )


def invocation_of(ref: Ref, row: JsonObject) -> Invocation:
    """One task: of DescribeInvocationTasks, or the basic part of it inside DescribeInvocations."""
    word = text(row.get("TaskStatus"))
    task_result = row.get("TaskResult")
    result: JsonObject = task_result if isinstance(task_result, Mapping) else {}
    began = moment(result.get("ExecStartTime"))
    state = invocation_state(word, began=began is not None)
    return Invocation(
        run=ref,
        id=text(row.get("InvocationTaskId")) or "",
        task=None,
        target=text(row.get("InstanceId")),
        target_name=None,
        state=state,
        provider_status=word or "",
        status_detail=text(row.get("ErrorInfo")),
        exit_code=_exit_code(word, result),
        started_at=began or moment(row.get("StartTime")),
        ended_at=_ended(row, result, state),
        child=None,
        owner=None,
        window_target=None,
    )


def _ended(row: JsonObject, result: JsonObject, state: State) -> datetime | None:
    return (moment(result.get("ExecEndTime")) or moment(row.get("EndTime"))) if state.over else None


def _exit_code(word: str | None, result: JsonObject) -> int | None:
    """The exit code of a process that ended by itself or was killed; the -1 of one that gave none is none."""
    code = number(result.get("ExitCode")) if word in _HAS_EXIT_CODE else None
    return None if code == -1 and word != "FAILED" else code
