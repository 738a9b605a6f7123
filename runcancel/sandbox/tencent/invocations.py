"""TAT invocations and their tasks, and what CancelInvocation does to them."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Call, Document, Refusal
from runcancel.sandbox.world import ACTIVE, STOPPED, WAITING, Book, Run, Seats, Target, Word, World, written

Row = TypeVar("Row")

KIND = "invocation"
OUTPUT_LIMIT = 24 * 1024

WORDS = {
    Word.PENDING: "PENDING",
    Word.DELIVERING: "DELIVERING",
    Word.DELAYED: "DELIVER_DELAYED",
    Word.SCHEDULED: "PENDING",
    Word.RUNNING: "RUNNING",
    Word.CANCELLING: "CANCELLING",
    Word.CANCELLED: "CANCELLED",
    Word.TERMINATED: "TERMINATED",
    Word.SUCCEEDED: "SUCCESS",
    Word.FAILED: "FAILED",
    Word.TIMED_OUT: "TIMEOUT",
    Word.TASK_TIMEOUT: "TASK_TIMEOUT",
    Word.UNDELIVERED: "DELIVER_FAILED",
    Word.START_FAILED: "START_FAILED",
    Word.INVALID: "START_FAILED",
    Word.ERROR: "FAILED",
    Word.MAX_ERRORS: "DELIVER_FAILED",
    Word.SKIPPED: "CANCELLED",
}
_EXIT_CODES = {Word.SUCCEEDED: 0, Word.FAILED: 1}
_ERRORS = {
    Word.UNDELIVERED: "the agent is not online",
    Word.START_FAILED: "the user does not exist",
    Word.TASK_TIMEOUT: "the agent gave no answer",
}


@dataclass(slots=True, kw_only=True)
class Invocation(Run):
    command: str
    description: str = ""
    source: str = "USER"
    instance_kind: str = "CVM"

    def status(self, now: float) -> str:
        words = set(self.words(now))
        if Word.CANCELLING in words:
            return "CANCELLING"
        if words & ACTIVE:
            return "PENDING" if words <= WAITING else "RUNNING"
        if words and words <= STOPPED:
            return "CANCELLED"
        if words & STOPPED:
            return "PARTIAL_CANCELLED"
        return self._end(words)

    @staticmethod
    def _end(words: set[Word]) -> str:
        if words <= {Word.SUCCEEDED}:
            return "SUCCESS"
        if Word.SUCCEEDED in words:
            return "PARTIAL_FAILED"
        return "TIMEOUT" if words <= {Word.TIMED_OUT, Word.TASK_TIMEOUT} else "FAILED"


def invalid(detail: str, message: str) -> Refusal:
    return Refusal(200, f"InvalidParameterValue{detail}", message)


def cancel(world: World, book: Book, call: Call) -> Document:
    identity = call.params["InvocationId"]
    if not identity.startswith("inv-"):
        raise invalid(".InvalidInvocationId", f"Invalid execution activity ID: {identity}")
    run = book.get(Invocation, identity)
    if run is None:
        raise Refusal(200, "ResourceNotFound.InvocationNotFound", "No execution activity found.")
    target_ids = call.params.get("InstanceIds") or []
    if len(target_ids) > 100:
        raise invalid(".LimitExceeded", "InstanceIds: at most 100 IDs are allowed.")
    targets = {target.id: target for target in run.targets}
    stranger = next((each for each in target_ids if each not in targets), None)
    if stranger is not None:
        text = f"The instance {stranger} has no such execution activity."
        raise invalid(".InstanceIsNotRelatedToInvocation", text)
    now = world.now()
    selected_targets = [targets[each] for each in target_ids] or run.targets
    changed = [target.cancel(now, kills=run.kills) for target in selected_targets]
    call.changed = any(changed)
    if call.changed and not target_ids:
        run.cancelled_at = now
    return {}


def describe(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    tests: dict[str, Callable[[Invocation, list[str]], bool]] = {
        "invocation-id": lambda run, values: run.id in values,
        "command-id": lambda run, values: run.command in values,
        "command-created-by": lambda run, values: "USER" in values,
        "instance-kind": lambda run, values: run.instance_kind in values,
    }
    runs = _select(book, call, "InvocationIds")
    rows, total = select(runs, call, tests)
    return {"TotalCount": total, "InvocationSet": [_invocation(run, now) for run in rows]}


def _select(book: Book, call: Call, ids: str) -> list[Invocation]:
    run_ids = call.params.get(ids)
    if not run_ids:
        return book.listed(Invocation)
    if any(not each.startswith("inv-") for each in run_ids):
        raise invalid(".InvalidInvocationId", "Invalid execution activity ID.")
    return [run for each in run_ids if (run := book.find(Invocation, each))]


FILTER_WORDS = {
    "instance-kind": ("CVM", "LIGHTHOUSE", "TAT"),
    "command-created-by": ("USER", "TAT"),
    "agent-status": ("Online", "Offline"),
    "environment": ("Linux", "Windows"),
    "invoker-type": ("SCHEDULE",),
}


def select(
    rows: Sequence[Row], call: Call, tests: dict[str, Callable[[Row, list[str]], bool]], *, done: str = ""
) -> tuple[Sequence[Row], int]:
    """Filters AND, values within one OR; then offset and limit. One filter may already be `done`."""
    filters = call.params.get("Filters") or []
    for entry in filters:
        if entry["Name"] not in tests:
            raise invalid(".InvalidFilter", f"Unknown filter {entry['Name']}.")
        words = FILTER_WORDS.get(entry["Name"])
        if words and not set(entry["Values"]) <= set(words):
            raise invalid(".InvalidFilter", f"Filter {entry['Name']}: the values are {', '.join(words)}.")
    filters = [entry for entry in filters if entry["Name"] != done]
    matching = (
        [row for row in rows if all(tests[each["Name"]](row, each["Values"]) for each in filters)] if filters else rows
    )
    offset, limit = call.params.get("Offset", 0), call.params.get("Limit", 20)
    shift = call.overlap if offset else 0
    start = max(0, offset - shift)
    return matching[start : start + limit], len(matching) + shift


def _invocation(run: Invocation, now: float) -> Document:
    basics = [
        {"InvocationTaskId": each.task, "TaskStatus": WORDS[each.life.word(now)], "InstanceId": each.id}
        for each in run.targets
    ]
    started, ended = run.started(now), run.ended(now)
    return {
        "InvocationId": run.id,
        "CommandId": run.command,
        "CommandName": run.name,
        "InvocationStatus": run.status(now),
        "InvocationTaskBasicInfoSet": basics,
        "Description": run.description,
        "StartTime": _time(started),
        "EndTime": _time(ended),
        "CreatedTime": _time(run.created),
        "UpdatedTime": _time(ended or started or run.created),
        "Parameters": "{}",
        "DefaultParameters": "{}",
        "InstanceKind": run.instance_kind,
        "Username": "root",
        "InvocationSource": run.source,
        **_document(run, "CommandContent"),
    }


def _document(run: Invocation, content: str) -> Document:
    return {
        content: base64.b64encode(written(run.script or f"#!/bin/sh\n/opt/jobs/{run.name}.sh\n")).decode(),
        "CommandType": "SHELL",
        "Timeout": 3600,
        "WorkingDirectory": "/root",
        "OutputCOSBucketUrl": _bucket(run),
        "OutputCOSKeyPrefix": "runs" if run.bucket else "",
    }


def _time(moment: float | None) -> str | None:
    """The samples of this API write the offset out."""
    text = utc(moment)
    return text.replace("Z", "+00:00") if text else None


_Seat = tuple[Invocation, Target]
_TASK_TESTS: dict[str, Callable[[_Seat, list[str]], bool]] = {
    "invocation-task-id": lambda seat, values: seat[1].task in values,
    "invocation-id": lambda seat, values: seat[0].id in values,
    "instance-id": lambda seat, values: seat[1].id in values,
    "command-id": lambda seat, values: seat[0].command in values,
}


def describe_tasks(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    hide = call.params.get("HideOutput", True)
    seats: Sequence[_Seat] = Seats(_runs_of(book, call))
    task_ids = call.params.get("InvocationTaskIds")
    if task_ids:
        if any(not each.startswith("invt-") for each in task_ids):
            raise invalid(".InvalidInvocationTaskId", "Invalid execution task ID.")
        seats = [seat for seat in seats if seat[1].task in set(task_ids)]
    rows, total = select(seats, call, _TASK_TESTS, done="invocation-id")
    return {"TotalCount": total, "InvocationTaskSet": [_task(seat, now, hide=hide) for seat in rows]}


def _runs_of(book: Book, call: Call) -> list[Invocation]:
    """With a filter on invocations only those are walked: a book may hold many thousands."""
    ids = [entry["Values"] for entry in call.params.get("Filters") or () if entry["Name"] == "invocation-id"]
    if ids:
        run_ids = [each for each in ids[0] if all(each in values for values in ids)]
        return [run for each in run_ids if (run := book.find(Invocation, each))]
    return book.listed(Invocation)


def _task(seat: _Seat, now: float, *, hide: bool) -> Document:
    run, target = seat
    word = target.life.word(now)
    started, ended = target.life.started(now), target.life.ended(now)
    return {
        "InvocationId": run.id,
        "InvocationTaskId": target.task,
        "CommandId": run.command,
        "CommandName": run.name,
        "TaskStatus": WORDS[word],
        "InstanceId": target.id,
        "TaskResult": _task_result(run, target, now, hide=hide),
        "StartTime": _time(started),
        "EndTime": _time(ended),
        "CreatedTime": _time(run.created),
        "UpdatedTime": _time(ended or started or run.created),
        "CommandDocument": _document(run, "Content") | {"Username": "root"},
        "ErrorInfo": target.error or _ERRORS.get(word, ""),
        "InvocationSource": run.source,
    }


def _task_result(run: Invocation, target: Target, now: float, *, hide: bool) -> Document:
    word = target.life.word(now)
    started, ended = target.life.started(now), target.life.ended(now)
    text = target.output(now)
    stored = run.bucket and started is not None and ended is not None
    code = target.exit_code or _EXIT_CODES.get(word, -1) if word is not Word.SUCCEEDED else 0
    result: dict[str, Any] = {
        "ExitCode": code if word in _EXIT_CODES else -1,
        "Output": "" if hide else base64.b64encode(text[:OUTPUT_LIMIT]).decode(),
        "ExecStartTime": _time(started),
        "ExecEndTime": _time(ended) if started is not None else None,
        "Dropped": max(0, len(text) - OUTPUT_LIMIT) + target.dropped,
        "OutputUrl": _url(run, target) if stored and not run.upload_error else "",
        "OutputUploadCOSErrorInfo": run.upload_error if stored else "",
    }
    return result


def _bucket(run: Invocation) -> str:
    return f"https://{run.bucket}-1250000000.cos.ap-guangzhou.myqcloud.com" if run.bucket else ""


def _url(run: Invocation, target: Target) -> str:
    return f"{_bucket(run)}/runs/{run.id}/{target.task}.log"
