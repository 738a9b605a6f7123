"""The eight maintenance window operations on the wire."""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.aws.checks import capital_filters
from runcancel.sandbox.aws.commands import stamp
from runcancel.sandbox.aws.triggers import daily, due
from runcancel.sandbox.aws.windows import Execution, Share, Task, Window, Windows, cancel
from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Call, Document, Refusal, token_page
from runcancel.sandbox.world import Book, Word, World

_Row = TypeVar("_Row")

WORDS = {
    Word.PENDING: "PENDING",
    Word.DELIVERING: "PENDING",
    Word.DELAYED: "PENDING",
    Word.SCHEDULED: "PENDING",
    Word.RUNNING: "IN_PROGRESS",
    Word.CANCELLING: "CANCELLING",
    Word.CANCELLED: "CANCELLED",
    Word.TERMINATED: "CANCELLED",
    Word.SUCCEEDED: "SUCCESS",
    Word.FAILED: "FAILED",
    Word.TIMED_OUT: "TIMED_OUT",
    Word.TASK_TIMEOUT: "TIMED_OUT",
    Word.UNDELIVERED: "FAILED",
    Word.START_FAILED: "FAILED",
    Word.INVALID: "FAILED",
    Word.ERROR: "FAILED",
    Word.MAX_ERRORS: "FAILED",
    Word.SKIPPED: "SKIPPED_OVERLAPPING",
}
_STATUS_VALUES = ("PENDING", "IN_PROGRESS", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELLING", "CANCELLED")


def _find(book: Book, call: Call) -> Execution:
    execution = book.find(Execution, call.params["WindowExecutionId"])
    if execution is None:
        raise _missing("WindowExecutionId", call.params["WindowExecutionId"])
    return execution


def _missing(field: str, value: str) -> Refusal:
    return Refusal(400, "DoesNotExistException", f"{field} {value} doesn't exist.")


def _task(execution: Execution, call: Call) -> Task:
    task_id = call.params["TaskId"]
    task_there = next((task for task in execution.tasks if task.id == task_id), None)
    if task_there is None:
        raise _missing("TaskId", task_id)
    return task_there


def cancel_execution(world: World, book: Book, call: Call) -> Document:
    execution = _find(book, call)
    call.changed = cancel(execution, world.now())
    return {"WindowExecutionId": execution.id}


def get_execution(world: World, book: Book, call: Call) -> Document:
    execution = _find(book, call)
    document = _status(execution, world.now())
    del document["WindowId"]
    return document | {"TaskIds": [task.id for task in execution.tasks]}


def _times(started: float | None, ended: float | None) -> Document:
    times = {"StartTime": started, "EndTime": ended}
    return {key: stamp(moment) for key, moment in times.items() if moment is not None}


def _status(execution: Execution, now: float) -> Document:
    state = execution.state(now)
    return {
        "WindowId": execution.window.id,
        "WindowExecutionId": execution.id,
        "Status": WORDS[state],
        "StatusDetails": "No tasks to execute." if not execution.tasks and state is Word.SUCCEEDED else "",
        **_times(execution.started(now), execution.ended(now)),
    }


def describe_windows(world: World, book: Book, call: Call) -> Document:
    unknown = Refusal(400, "ValidationException", "Filter keys are Name and Enabled.")
    filters = capital_filters(call.params, {"Name": (), "Enabled": ("True", "False", "true", "false")}, unknown)
    tests: dict[str, Callable[[Window, list[str]], bool]] = {
        "Name": lambda window, values: window.name in values,
        "Enabled": lambda window, values: str(window.enabled).lower() in [value.lower() for value in values],
    }
    windows = book.beside(Windows)
    rows, token = _page(
        list(windows.values()), call, lambda window: all(tests[key](window, values) for key, values in filters)
    )
    return {"WindowIdentities": [window_document(window, world.now()) for window in rows], "NextToken": token}


def window_document(window: Window, now: float) -> Document:
    document: Document = {
        "WindowId": window.id,
        "Name": window.name,
        "Enabled": window.enabled,
        "Duration": 4,
        "Cutoff": 1,
        "Schedule": daily(window.at, weekday="*", day="?"),
        "ScheduleTimezone": "Etc/UTC",
    }
    if window.description:
        document["Description"] = window.description
    if window.enabled:
        document["NextExecutionTime"] = utc(due(window.at, now))
    return document


def describe_executions(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    unknown = Refusal(400, "ValidationException", "Filter keys are ExecutedBefore and ExecutedAfter.")
    filters = capital_filters(call.params, {"ExecutedBefore": (), "ExecutedAfter": ()}, unknown)
    window_id = call.params["WindowId"]

    def keep(execution: Execution) -> bool:
        at = utc(execution.created) or ""
        sides = {"ExecutedBefore": lambda values: at < values[0], "ExecutedAfter": lambda values: at > values[0]}
        if execution.fresh or execution.window.id != window_id:
            return False
        return all(sides[key](values) for key, values in filters)

    rows, token = _page(book.runs_of(Execution), call, keep)
    return {"WindowExecutions": [_status(execution, now) for execution in rows], "NextToken": token}


def _page(rows: Sequence[_Row], call: Call, keep: Callable[[_Row], bool]) -> tuple[list[_Row], str]:
    bad = Refusal(400, "ValidationException", "NextToken is invalid.")
    return token_page(rows, call, size=call.params.get("MaxResults", 50), keep=keep, bad_token=bad)


def _statuses(call: Call) -> list[str] | None:
    unknown = Refusal(400, "ValidationException", "The only filter key is STATUS.")
    filters = capital_filters(call.params, {"STATUS": _STATUS_VALUES}, unknown)
    return [value for _, each in filters for value in each] or None


def describe_tasks(world: World, book: Book, call: Call) -> Document:
    execution, now, statuses = _find(book, call), world.now(), _statuses(call)
    documents = [_task_row(execution, task, now) for task in execution.tasks]
    rows, token = _page(documents, call, lambda row: statuses is None or row["Status"] in statuses)
    return {"WindowExecutionTaskIdentities": rows, "NextToken": token}


def _task_row(execution: Execution, task: Task, now: float) -> Document:
    return {
        "WindowExecutionId": execution.id,
        "TaskExecutionId": task.id,
        "Status": WORDS[task.word(now, execution.cancelled_at)],
        "StatusDetails": "",
        "TaskArn": task.arn,
        "TaskType": task.sort,
        **_times(task.started_at, task.ended(now)),
    }


def get_task(world: World, book: Book, call: Call) -> Document:
    execution = _find(book, call)
    task = _task(execution, call)
    document = _task_row(execution, task, world.now())
    document["Type"] = document.pop("TaskType")
    document |= {"ServiceRole": f"arn:aws:iam::{account_id('aws', book.key.account)}:role/windows"}
    return document | {"Priority": task.priority, "MaxConcurrency": "10", "MaxErrors": "1", "TaskParameters": []}


def describe_invocations(world: World, book: Book, call: Call) -> Document:
    execution, now, statuses = _find(book, call), world.now(), _statuses(call)
    task = _task(execution, call)
    shares = task.shares if task.listed or task.started_at is not None else []
    documents = [_share_row(execution, task, share, now) for share in shares]
    rows, token = _page(documents, call, lambda row: statuses is None or row["Status"] in statuses)
    return {"WindowExecutionTaskInvocationIdentities": rows, "NextToken": token}


def get_invocation(world: World, book: Book, call: Call) -> Document:
    execution = _find(book, call)
    task = _task(execution, call)
    share = next((each for each in task.shares if each.id == call.params["InvocationId"]), None)
    if share is None:
        raise _missing("InvocationId", call.params["InvocationId"])
    return _share_row(execution, task, share, world.now())


def _share_row(execution: Execution, task: Task, share: Share, now: float) -> Document:
    word = task.word(now, execution.cancelled_at) if task.started_at is None else share.word(now)
    row: Document = {
        "WindowExecutionId": execution.id,
        "TaskExecutionId": task.id,
        "InvocationId": share.id,
        "TaskType": task.sort,
        "Status": WORDS[word],
        "StatusDetails": "",
        **_times(share.started(now), share.ended(now)),
    }
    optional = {
        "ExecutionId": share.execution,
        "OwnerInformation": share.owner,
        "WindowTargetId": share.window_target,
        "Parameters": _parameters(task, share),
    }
    return row | {key: value for key, value in optional.items() if value}


def _parameters(task: Task, share: Share) -> str:
    if task.sort == "RUN_COMMAND":
        plan: Document = {"documentName": task.arn, "instanceIds": list(share.instances)}
        return json.dumps(plan | {"parameters": {"commands": ["df"]}, "maxConcurrency": "1", "maxErrors": "1"})
    if task.sort == "AUTOMATION":
        return json.dumps({"documentName": task.arn, "parameters": {"InstanceId": list(share.instances)}})
    return ""
