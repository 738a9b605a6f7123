"""Run Command: what SendCommand started, seen through the five operations that read and cancel it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from runcancel.sandbox.aws.checks import MOST_VALUES, by_tag, lower_filters
from runcancel.sandbox.wire import Call, Document, Refusal, token_page
from runcancel.sandbox.world import ACTIVE, STOPPED, WAITING, Book, Run, Seats, Target, Word, World, written

Row = TypeVar("Row")

KIND = "command"
STDOUT_LIMIT = 24_000
STDERR_LIMIT = 8_000
PLUGIN_OUTPUT_LIMIT = 2_500
CUT = "--output truncated--"
CUT_OUTPUT, CUT_ERROR = "\n---Output truncated---", "\n---Error truncated----"
ERROR_FOLLOWS = "\n----------ERROR-------\n"

# Word -> Status, StatusDetails of one invocation. "Terminated" is AWS's word for "never started".
INVOCATION_WORDS = {
    Word.PENDING: ("Pending", "Pending"),
    Word.DELIVERING: ("Pending", "Pending"),
    Word.DELAYED: ("Delayed", "Delayed"),
    Word.SCHEDULED: ("Pending", "Pending"),
    Word.RUNNING: ("InProgress", "InProgress"),
    Word.CANCELLING: ("Cancelling", "Cancelling"),
    Word.CANCELLED: ("Cancelled", "Cancelled"),
    Word.TERMINATED: ("Cancelled", "Cancelled"),
    Word.SUCCEEDED: ("Success", "Success"),
    Word.FAILED: ("Failed", "Failed"),
    Word.TIMED_OUT: ("TimedOut", "ExecutionTimedOut"),
    Word.TASK_TIMEOUT: ("TimedOut", "DeliveryTimedOut"),
    Word.UNDELIVERED: ("Failed", "Undeliverable"),
    Word.START_FAILED: ("Failed", "InvalidPlatform"),
    Word.INVALID: ("Failed", "AccessDenied"),
    Word.ERROR: ("Failed", "Failed"),
    Word.MAX_ERRORS: ("Cancelled", "Terminated"),
    Word.SKIPPED: ("Cancelled", "Cancelled"),
}
_PLUGIN_WORDS = {"Delayed": "Pending", "Cancelling": "InProgress"}
_EXIT_CODES = {Word.TERMINATED: 137, Word.SUCCEEDED: 0, Word.TIMED_OUT: 137}


@dataclass(slots=True, kw_only=True)
class Command(Run):
    """`by_tag` targets are not listed in InstanceIds; `wake` lets the window that started it look again."""

    comment: str = ""
    steps: tuple[str, ...] = ("runShellScript",)
    by_tag: bool = False
    max_concurrency: str = "50"
    wake: Callable[[], None] | None = None

    def status(self, now: float) -> tuple[str, str]:
        words = set(self.words(now))
        if not words:
            return "Failed", "NoInstancesInTag"
        if words & ACTIVE:
            return self._active_status(words)
        for group, status in _COMMAND_ENDS:
            if words & group:
                return status
        return "Success", "Success"

    def _active_status(self, words: set[Word]) -> tuple[str, str]:
        """AWS does not document what a command reads while one of its nodes is being stopped: here the less clear."""
        if Word.CANCELLING in words or self.cancelled_at is not None:
            return "Cancelling", "Cancelling"
        if words <= WAITING:
            return "Pending", "Pending"
        return "InProgress", "InProgress"


_COMMAND_ENDS: tuple[tuple[frozenset[Word], tuple[str, str]], ...] = (
    (STOPPED, ("Cancelled", "Cancelled")),
    (frozenset({Word.MAX_ERRORS}), ("Failed", "RateExceeded")),
    (frozenset({Word.FAILED, Word.ERROR, Word.INVALID, Word.START_FAILED}), ("Failed", "Failed")),
    (frozenset({Word.TIMED_OUT}), ("TimedOut", "ExecutionTimedOut")),
    (frozenset({Word.TASK_TIMEOUT}), ("TimedOut", "DeliveryTimedOut")),
    (frozenset({Word.UNDELIVERED}), ("Failed", "Incomplete")),
)


def stamp(moment: float) -> float:
    return round(moment, 3)


def cancel(world: World, book: Book, call: Call) -> Document:
    command = book.get(Command, call.params["CommandId"])
    if command is None:
        raise Refusal(400, "InvalidCommandId")
    target_ids = call.params.get("InstanceIds") or []
    if len(set(target_ids)) != len(target_ids):
        raise Refusal(400, "DuplicateInstanceId")
    targets = {target.id: target for target in command.targets}
    if not set(target_ids) <= targets.keys():
        raise Refusal(400, "InvalidInstanceId", "The following instance IDs are not part of the command.")
    now = world.now()
    selected_targets = [targets[each] for each in target_ids] if target_ids else command.targets
    call.changed = stop(command, selected_targets, now)
    if not target_ids and call.changed:
        command.cancelled_at = now
    return {}


def stop(command: Command, targets: list[Target], now: float) -> bool:
    changed = [target.cancel(now, kills=command.kills) for target in targets]
    if any(changed) and command.wake is not None:
        command.wake()
    return any(changed)


def list_commands(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    filters = lower_filters(call.params, _COMMAND_VALUES, Refusal(400, "InvalidFilterKey"))
    instance = call.params.get("InstanceId")
    if instance and any(key == "Status" and values == ["Pending"] for key, values in filters):
        raise Refusal(400, "ValidationException", "InstanceId cannot be combined with the filter Status=Pending.")

    def keep(command: Command) -> bool:
        if command.fresh or (instance and all(target.id != instance for target in command.targets)):
            return False
        return all(_COMMAND_FILTERS[key](command, now, values[0]) for key, values in filters)

    rows, token = _page(_commands(book, call), call, keep)
    return {"Commands": [_command(command, now) for command in rows], "NextToken": token}


def _commands(book: Book, call: Call) -> list[Command]:
    command_id = call.params.get("CommandId")
    if not command_id:
        return book.runs_of(Command)
    command = book.find(Command, command_id)
    return [] if command is None else [command]


def _page(rows: Sequence[Row], call: Call, keep: Callable[[Row], bool]) -> tuple[list[Row], str]:
    bad = Refusal(400, "InvalidNextToken", "The specified token isn't valid.")
    return token_page(rows, call, size=call.params.get("MaxResults", 50), keep=keep, bad_token=bad)


def _command(command: Command, now: float) -> Document:
    status, details = command.status(now)
    words = command.words(now)
    over = [word for word in words if word not in ACTIVE]
    ids = [target.id for target in command.targets]
    tagged = command.by_tag or len(ids) > MOST_VALUES
    return {
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": "1",
        "Comment": command.comment,
        "ExpiresAfter": stamp(command.created + 7200),
        "Parameters": {"commands": shown(command.script or f"/opt/jobs/{command.document.lower()}.sh").splitlines()},
        "InstanceIds": [] if tagged else ids,
        "Targets": by_tag() if tagged else [],
        "RequestedDateTime": stamp(command.created),
        "Status": status,
        "StatusDetails": details,
        "OutputS3BucketName": command.bucket,
        "OutputS3KeyPrefix": "runs" if command.bucket else "",
        "MaxConcurrency": command.max_concurrency,
        "MaxErrors": "0",
        "TargetCount": len(words),
        "CompletedCount": len(over),
        "ErrorCount": sum(word not in STOPPED and word is not Word.SUCCEEDED for word in over),
        "DeliveryTimedOutCount": words.count(Word.TASK_TIMEOUT),
        "ServiceRole": "",
        "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
        "TimeoutSeconds": 3600,
    }


def _is(status: tuple[str, str], word: str) -> bool:
    return word in status


def _iso(text: str) -> float:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except ValueError:
        raise Refusal(400, "ValidationException", f"Not a date: {text}") from None


_COMMAND_FILTERS: dict[str, Callable[[Command, float, str], bool]] = {
    "InvokedAfter": lambda command, now, value: command.created >= _iso(value),
    "InvokedBefore": lambda command, now, value: command.created <= _iso(value),
    "Status": lambda command, now, value: _is(command.status(now), value),
    "ExecutionStage": lambda command, now, value: (
        (value == "Executing") == any(word in ACTIVE for word in command.words(now))
    ),
    "DocumentName": lambda command, now, value: command.document == value,
}
_BOTH = (
    "Pending", "InProgress", "Success", "Cancelled", "Failed", "TimedOut", "Cancelling",
    "AccessDenied", "DeliveryTimedOut", "ExecutionTimedOut",
)  # fmt: skip
_COMMAND_VALUES = dict.fromkeys(_COMMAND_FILTERS, ()) | {
    "Status": (*_BOTH, "Incomplete", "NoInstancesInTag", "LimitExceeded"),
    "ExecutionStage": ("Executing", "Complete"),
}


_Seat = tuple[Command, Target]
_INVOCATION_FILTERS: dict[str, Callable[[_Seat, float, str], bool]] = {
    "InvokedAfter": lambda seat, now, value: seat[0].created >= _iso(value),
    "InvokedBefore": lambda seat, now, value: seat[0].created <= _iso(value),
    "Status": lambda seat, now, value: _is(INVOCATION_WORDS[seat[1].life.word(now)], value),
    "DocumentName": lambda seat, now, value: seat[0].document == value,
}
_INVOCATION_VALUES = dict.fromkeys(_INVOCATION_FILTERS, ()) | {
    "Status": (*_BOTH, "Delayed", "Undeliverable", "InvalidPlatform", "Terminated"),
}


def list_invocations(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    filters = lower_filters(call.params, _INVOCATION_VALUES, Refusal(400, "InvalidFilterKey"))
    instance = call.params.get("InstanceId")
    hidden = not call.params.get("CommandId")
    seats = Seats([command for command in _commands(book, call) if not (hidden and command.fresh)])

    def keep(seat: _Seat) -> bool:
        if instance and seat[1].id != instance:
            return False
        return all(_INVOCATION_FILTERS[key](seat, now, values[0]) for key, values in filters)

    rows, token = _page(seats, call, keep)
    details = call.params.get("Details", False)
    return {"CommandInvocations": [_invocation(seat, now, details) for seat in rows], "NextToken": token}


def _invocation(seat: _Seat, now: float, details: bool) -> Document:
    command, target = seat
    status, status_details = INVOCATION_WORDS[target.life.word(now)]
    return {
        "CommandId": command.id,
        "InstanceId": target.id,
        "InstanceName": target.name,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "1",
        "RequestedDateTime": stamp(command.created),
        "Status": status,
        "StatusDetails": status_details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": [_plugin(command, step, target, now) for step in command.steps] if details else [],
        "ServiceRole": "",
        "NotificationConfig": {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""},
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


def _plugin(command: Command, step: str, target: Target, now: float) -> Document:
    status, details = INVOCATION_WORDS[target.life.word(now)]
    started, ended = target.life.started(now), target.life.ended(now)
    plugin: Document = {
        "Name": step,
        "Status": _PLUGIN_WORDS.get(status, status),
        "StatusDetails": details,
        "ResponseCode": exit_code(target, now),
        "Output": _combined(target) if started is not None and ended is not None else "",
        "StandardOutputUrl": _url(command, target, step, "stdout"),
        "StandardErrorUrl": _url(command, target, step, "stderr"),
        "OutputS3Region": "us-east-2" if command.bucket else "",
        "OutputS3BucketName": command.bucket,
        "OutputS3KeyPrefix": "runs" if command.bucket else "",
    }
    if started is not None:
        plugin["ResponseStartDateTime"] = stamp(started)
    if started is not None and ended is not None:
        plugin["ResponseFinishDateTime"] = stamp(ended)
    return plugin


def _combined(target: Target) -> str:
    """Both streams as the agent reports a plugin: of what is too long the beginnings, half the room for each."""
    out, err = shown(target.stdout), shown(target.stderr)
    if len(out) + (len(ERROR_FOLLOWS) + len(err) if err else 0) <= PLUGIN_OUTPUT_LIMIT:
        return out + (ERROR_FOLLOWS + err if err else "")
    if not err:
        return out[: PLUGIN_OUTPUT_LIMIT - len(CUT_OUTPUT)] + CUT_OUTPUT
    room = (PLUGIN_OUTPUT_LIMIT - len(ERROR_FOLLOWS)) // 2
    return _beginning(out, room, CUT_OUTPUT) + ERROR_FOLLOWS + _beginning(err, room, CUT_ERROR)


def _beginning(text: str, most: int, cut: str) -> str:
    return text if len(text) <= most else text[: most - len(cut)] + cut


def shown(text: str) -> str:
    """What was written, as the agent sends it: JSON takes no byte that is no UTF-8."""
    return written(text).decode("utf-8", "replace")


def _url(command: Command, target: Target, step: str, stream: str) -> str:
    """The console's address of one stream in the bucket."""
    if not command.bucket:
        return ""
    path = f"runs/{command.id}/{target.id}/awsrunShellScript/{step}/{stream}"
    return f"https://s3.us-east-2.amazonaws.com/{command.bucket}/{path}"


def exit_code(target: Target, now: float) -> int:
    """-1 as long as nothing came back."""
    word = target.life.word(now)
    if word is Word.FAILED:
        return target.exit_code or 1
    return _EXIT_CODES.get(word, -1)


def get_invocation(world: World, book: Book, call: Call) -> Document:
    command = book.find(Command, call.params["CommandId"])
    targets = command.targets if command is not None else []
    target = next((each for each in targets if each.id == call.params["InstanceId"]), None)
    if command is None or target is None:
        raise Refusal(400, "InvocationDoesNotExist")
    step = call.params.get("PluginName")
    if step is not None and step not in command.steps:
        raise Refusal(400, "InvalidPluginName")
    return _output(command, target, step or command.steps[0], world.now())


def _output(command: Command, target: Target, step: str, now: float) -> Document:
    status, details = INVOCATION_WORDS[target.life.word(now)]
    started, ended = target.life.started(now), target.life.ended(now)
    ran = started is not None
    over = ran and ended is not None  # before that AWS shows nothing
    return {
        "CommandId": command.id,
        "InstanceId": target.id,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "1",
        "PluginName": step,
        "ResponseCode": exit_code(target, now),
        "ExecutionStartDateTime": _text(started),
        "ExecutionElapsedTime": f"PT{ended - started:.3f}S" if started is not None and ended is not None else "",
        "ExecutionEndDateTime": _text(ended) if ran else "",
        "Status": status,
        "StatusDetails": details,
        "StandardOutputContent": _beginning(shown(target.stdout), STDOUT_LIMIT, CUT) if over else "",
        "StandardOutputUrl": _url(command, target, step, "stdout"),
        "StandardErrorContent": _beginning(shown(target.stderr), STDERR_LIMIT, CUT) if over else "",
        "StandardErrorUrl": _url(command, target, step, "stderr") if over else "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


def _text(moment: float | None) -> str:
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
