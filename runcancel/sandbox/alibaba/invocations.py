"""The pretended Alibaba Cloud: Cloud Assistant invocations and what StopInvocation does to them."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Call, Document, Refusal, token_page
from runcancel.sandbox.world import STOPPED, Book, Life, Run, Seats, Target, Word, World, written

Row = TypeVar("Row")

KIND = "invocation"
OUTPUT_LIMIT = 24 * 1024
ROUNDS = 3

WORDS = {
    Word.PENDING: "Pending",
    Word.DELIVERING: "Pending",
    Word.DELAYED: "Pending",
    Word.SCHEDULED: "Scheduled",
    Word.RUNNING: "Running",
    Word.CANCELLING: "Stopping",
    Word.CANCELLED: "Cancelled",
    Word.TERMINATED: "Terminated",
    Word.SUCCEEDED: "Success",
    Word.FAILED: "Failed",
    Word.TIMED_OUT: "Timeout",
    Word.TASK_TIMEOUT: "Timeout",
    Word.UNDELIVERED: "Aborted",
    Word.START_FAILED: "Error",
    Word.INVALID: "Invalid",
    Word.ERROR: "Error",
    Word.MAX_ERRORS: "Aborted",
    Word.SKIPPED: "Cancelled",
}
# The old statuses know neither waiting nor the reasons of an end.
_LEGACY = {
    **dict.fromkeys(("Pending", "Running", "Scheduled"), "Running"),
    "Stopping": "Stopping",
    **dict.fromkeys(("Cancelled", "Terminated", "Stopped"), "Stopped"),
    "Success": "Finished",
    "PartialFailed": "PartialFailed",
}
_ERRORS = {
    Word.UNDELIVERED: ("InstanceNotRunning", "The instance is not running."),
    Word.INVALID: ("CommandNotApplicable", "The command is not applicable to the instance."),
    Word.ERROR: ("ExecutionException", "An exception occurred while the command was executed."),
    Word.START_FAILED: ("AccountNotExists", "The account does not exist."),
    Word.TIMED_OUT: ("ExecutionTimeout", "The command execution timed out."),
    Word.TASK_TIMEOUT: ("DeliveryTimeout", "The command delivery timed out."),
    Word.FAILED: ("ExitCodeNonzero", "The exit code is not zero."),
}


@dataclass(slots=True, kw_only=True)
class Invocation(Run):
    """`kills` is false for what the vendor documents: what runs is not interrupted by a stop.

    `past`: the earlier rounds of a schedule, for each instance.
    """

    command: str
    past: dict[str, list[Life]] = field(default_factory=dict)
    repeat: str = "Once"
    frequency: str = ""
    description: str = ""

    @property
    def timed(self) -> bool:
        return self.repeat == "Period"

    def status(self, now: float) -> str:
        words = set(self.words(now))
        for group, status in _OVERALL:
            if words & group:
                return status
        if words <= STOPPED:
            return "Stopped"
        if words == {Word.SUCCEEDED}:
            return "Success"
        return "PartialFailed" if words & {Word.SUCCEEDED} | words & STOPPED else "Failed"


_OVERALL: tuple[tuple[frozenset[Word], str], ...] = (
    (frozenset({Word.CANCELLING}), "Stopping"),
    (frozenset({Word.RUNNING}), "Running"),
    (frozenset({Word.PENDING, Word.DELIVERING, Word.DELAYED}), "Pending"),
    (frozenset({Word.SCHEDULED}), "Scheduled"),
)


def stop(world: World, book: Book, call: Call) -> Document:
    identity = _needed(call, "InvokeId")
    run = book.get(Invocation, identity)
    if run is None:
        raise Refusal(404, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist.")
    target_ids = call.params.get("InstanceId") or []
    if len(target_ids) > 50:
        raise Refusal(403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.")
    targets = {target.id: target for target in run.targets}
    if not set(target_ids) <= targets.keys():
        raise Refusal(404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")
    now = world.now()
    changed = [_stop_target(run, target, now) for target in ([targets[each] for each in target_ids] or run.targets)]
    run.cancelled_at = now if run.cancelled_at is None else run.cancelled_at
    call.changed = any(changed)
    return {}


def _stop_target(run: Invocation, target: Target, now: float) -> bool:
    life = target.life
    if run.timed and not run.kills and life.word(now) is Word.RUNNING and life.outcome is Word.SCHEDULED:
        # The round in flight goes on, later ones do not happen.
        target.life = replace(life, outcome=Word.SUCCEEDED, cancels=life.cancels + 1)
        return True
    return target.cancel(now, kills=run.kills)


def _needed(call: Call, name: str) -> str:
    value = call.params.get(name)
    if not value:
        text = f"The input parameter {name} that is mandatory for processing this request is not supplied."
        raise Refusal(400, "MissingParameter", text)
    return str(value)


def _flag(call: Call, name: str) -> bool:
    return str(call.params.get(name, "")).lower() == "true"


def describe(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    rows, paging = _page(_named_runs(book, call), call, lambda run: _passes_filters(run, call, now))
    output = _flag(call, "IncludeOutput")
    if output and not (call.params.get("InvokeId") or call.params.get("InstanceId")):
        raise Refusal(400, "MissingParameter", "IncludeOutput needs InvokeId or InstanceId.")
    return paging | {"Invocations": {"Invocation": [_invocation(run, call, now, output) for run in rows]}}


def _named_runs(book: Book, call: Call) -> list[Invocation]:
    id = call.params.get("InvokeId")
    if id:
        run = book.find(Invocation, id)
        return [] if run is None else [run]
    return book.listed(Invocation)


def _passes_filters(run: Invocation, call: Call, now: float) -> bool:
    params = call.params
    instance = params.get("InstanceId")
    if instance:
        # The vendor ignores most other filters beside this one.
        return any(target.id == instance for target in run.targets)
    tests: dict[str, Callable[[str], bool]] = {
        "CommandId": lambda value: run.command == value,
        "CommandName": lambda value: run.name == value,
        "CommandType": lambda value: value == "RunShellScript",
        "RepeatMode": lambda value: run.repeat == value,
        "Timed": lambda value: str(run.timed).lower() == value.lower(),
        "InvokeStatus": lambda value: value in (run.status(now), _LEGACY.get(run.status(now), "Failed")),
    }
    return all(test(params[key]) for key, test in tests.items() if params.get(key))


def _number(call: Call, name: str, default: int, code: str) -> int:
    text = call.params.get(name)
    if text is None:
        return default
    if not str(text).isdecimal() or not 1 <= int(text) <= (50 if name != "PageNumber" else 10**9):
        raise Refusal(400, code, f"The specified parameter {name} is not valid.")
    return int(text)


def _page(rows: Sequence[Row], call: Call, keep: Callable[[Row], bool]) -> tuple[list[Row], Document]:
    """By token, or by the page number that is being retired; with a token the total means nothing."""
    if not {"MaxResults", "NextToken"} & call.params.keys():
        return _numbered_page(rows, call, keep)
    size = _number(call, "MaxResults", 10, "InvalidParameter.MaxResults")
    bad = Refusal(400, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid.")
    rows_of_page, token = token_page(rows, call, size=size, keep=keep, bad_token=bad)
    return rows_of_page, {"TotalCount": 0, "PageNumber": 0, "PageSize": 0, "NextToken": token}


def _numbered_page(rows: Sequence[Row], call: Call, keep: Callable[[Row], bool]) -> tuple[list[Row], Document]:
    number = _number(call, "PageNumber", 1, "InvalidParam.PageNumber")
    size = _number(call, "PageSize", 10, "InvalidParam.PageSize")
    matching = [row for row in rows if keep(row)]
    paging = {"TotalCount": len(matching), "PageNumber": number, "PageSize": size, "NextToken": ""}
    return matching[(number - 1) * size : number * size], paging


def _coded(call: Call, data: bytes) -> str:
    plain = call.params.get("ContentEncoding", "Base64") == "PlainText"
    return data.decode("utf-8", "replace") if plain else base64.b64encode(data).decode()


def _invocation(run: Invocation, call: Call, now: float, output: bool) -> Document:
    status = run.status(now)
    instance = call.params.get("InstanceId")
    targets = [target for target in run.targets if not instance or target.id == instance]
    return {
        "InvokeId": run.id,
        "CommandId": run.command,
        "CommandName": run.name,
        "CommandDescription": run.description,
        "CommandType": "RunShellScript",
        "CommandContent": _coded(call, written(run.script or f"#!/bin/sh\n/opt/jobs/{run.name}.sh\n")),
        "Parameters": "{}",
        "RepeatMode": run.repeat,
        "Frequency": run.frequency,
        "Timed": run.timed,
        "Timeout": 3600,
        "WorkingDir": "/root",
        "Username": "root",
        "ContainerId": "",
        "ContainerName": "",
        "Launcher": "",
        "TerminationMode": "Process",
        "OssOutputDelivery": f"oss://{run.bucket}/runs" if run.bucket else "",
        "CreationTime": utc(run.created),
        "InvokeStatus": _LEGACY.get(status, "Failed"),
        "InvocationStatus": status,
        "Tags": {"Tag": []},
        "InvokeInstances": {"InvokeInstance": [_instance(run, each, call, now, output) for each in targets]},
    }


def _instance(run: Invocation, target: Target, call: Call, now: float, output: bool) -> Document:
    row = _result(run, target, call, now, output=output)
    row["InstanceInvokeStatus"] = row.pop("InvokeRecordStatus")
    row["FinishTime"] = row.pop("FinishedTime")
    for name in ("InvokeId", "CommandId", "Username", "TerminationMode", "Launcher", "ContainerId", "ContainerName"):
        row.pop(name, None)
    row.pop("Tags")
    moments = [target.life.started(now), target.life.ended(now), target.life.cancelled_at]
    updated = max((moment for moment in moments if moment is not None), default=run.created)
    return row | {"CreationTime": utc(run.created), "UpdateTime": utc(updated), "Timed": run.timed}


def _result(run: Invocation, target: Target, call: Call, now: float, *, output: bool = True) -> Document:
    word = target.life.word(now)
    started, ended = target.life.started(now), target.life.ended(now)
    code, info = _ERRORS.get(word, ("", ""))
    data, dropped = _written(target, now)
    row: Document = {
        "InvokeId": run.id,
        "InstanceId": target.id,
        "CommandId": run.command,
        "InvocationStatus": WORDS[word],
        "InvokeRecordStatus": _LEGACY.get(WORDS[word], "Failed"),
        "Dropped": dropped,
        "Repeats": len(run.past.get(target.id, ())) + int(started is not None),
        "StartTime": utc(started) or "",
        "FinishedTime": utc(ended) or "",
        "StopTime": utc(target.life.cancelled_at) or "",
        "ErrorCode": target.error or code,
        "ErrorInfo": info,
        "Username": "root",
        "TerminationMode": "Process",
        "Launcher": "",
        "ContainerId": "",
        "ContainerName": "",
        "Tags": {"Tag": []},
    }
    row |= _delivery(run, target, now)
    if output:
        row["Output"] = _coded(call, data)
    if word in _EXIT_CODES:
        row["ExitCode"] = _EXIT_CODES[word] or target.exit_code or int(word is Word.FAILED)
    return row


_EXIT_CODES = {Word.SUCCEEDED: 0, Word.FAILED: 0, Word.TERMINATED: 137, Word.TIMED_OUT: 137}


def _written(target: Target, now: float) -> tuple[bytes, int]:
    """Both streams in one; of what is too long the middle is missing."""
    data = target.output(now)
    extra = len(data) - OUTPUT_LIMIT
    if extra <= 0:
        return data, target.dropped
    half = OUTPUT_LIMIT // 2
    return data[:half] + data[-half:], extra + target.dropped


def _delivery(run: Invocation, target: Target, now: float) -> Document:
    """The place of the whole output, if the run stores it in a bucket."""
    if not run.bucket or target.life.started(now) is None:
        return {}
    if target.life.ended(now) is None:
        return {"OssOutputStatus": "InProgress"}
    if run.upload_error:
        return {
            "OssOutputStatus": "Failed",
            "OssOutputErrorCode": "BucketAccessDenied",
            "OssOutputErrorInfo": run.upload_error,
        }
    return {"OssOutputStatus": "Finished", "OssOutputUri": f"oss://{run.bucket}/runs/{run.id}/{target.id}/output.txt"}


def describe_results(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    instance, status = call.params.get("InstanceId"), call.params.get("InvokeRecordStatus")
    command = call.params.get("CommandId")
    runs = [run for run in _named_runs(book, call) if not command or run.command == command]
    if _flag(call, "IncludeHistory"):
        runs = [_with_history(run) for run in runs]

    def keep(seat: tuple[Invocation, Target]) -> bool:
        if instance and seat[1].id != instance:
            return False
        word = WORDS[seat[1].life.word(now)]
        return not status or status in (word, _LEGACY.get(word, "Failed"))

    rows, paging = _page(Seats(runs), call, keep)
    results = [_result(run, target, call, now) for run, target in rows]
    return {"Invocation": paging | {"InvocationResults": {"InvocationResult": results}}}


def _with_history(run: Invocation) -> Invocation:
    """A schedule with its past rounds as further targets."""
    past = [replace(each, life=life) for each in run.targets for life in run.past.get(each.id, ())]
    return replace(run, targets=run.targets + past)


def earlier_rounds(run: Invocation) -> dict[str, list[Life]]:
    """The rounds of a schedule before it was first looked at; they ended well, a day apart."""
    return {each.id: [_round(run, days) for days in range(ROUNDS - 1, 0, -1)] for each in run.targets}


def _round(run: Invocation, days: int) -> Life:
    began = run.created - 86_400 * days
    return Life(begins=began, ends=began + 40)
