"""TAT invokers: schedules that start invocations as time goes on, the switch of each, and the commands they run."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from runcancel.sandbox.clock import utc
from runcancel.sandbox.tencent.invocations import Invocation, invalid, select
from runcancel.sandbox.wire import Call, Document, Refusal
from runcancel.sandbox.world import Book, World

HOUR = 3600.0


@dataclass(slots=True, kw_only=True)
class Invoker:
    """A schedule, what it started, and how it starts one: every hour, `at` seconds after it began."""

    id: str
    name: str
    command: str
    content: str
    instances: list[str]
    at: float
    created: float
    start: Callable[[float], Invocation]
    spawned: list[str] = field(default_factory=list)
    enabled: bool = True
    changed: float = 0.0

    @property
    def recurrence(self) -> str:
        return f"{int(self.at // 60)} * * * *"

    def due(self, now: float) -> float:
        return now - (now - self.at) % HOUR + HOUR

    def tick(self, now: float) -> float:
        if self.enabled:
            self.spawned.append(self.start(now).id)
        return self.due(now)


class Invokers(list[Invoker]):
    """The invokers of one book."""


def add(book: Book, invoker: Invoker, now: float) -> None:
    """From now on it starts runs, each when its time has come."""
    _all(book).append(invoker)
    book.watch(invoker.due(now), invoker.tick)


def _all(book: Book) -> list[Invoker]:
    return book.beside(Invokers)


def _select(book: Book, call: Call) -> list[Invoker]:
    invokers = _all(book)
    ids = call.params.get("InvokerIds")
    if not ids:
        return invokers
    if any(not each.startswith("ivk-") for each in ids):
        raise invalid(".InvalidInvokerId", "Invalid invoker ID.")
    return [each for each in invokers if each.id in ids]


def describe(world: World, book: Book, call: Call) -> Document:
    tests: dict[str, Callable[[Invoker, list[str]], bool]] = {
        "invoker-id": lambda each, values: each.id in values,
        "command-id": lambda each, values: each.command in values,
        "invoker-type": lambda each, values: "SCHEDULE" in values,
    }
    rows, total = select(_select(book, call), call, tests)
    return {"TotalCount": total, "InvokerSet": [_invoker(each) for each in rows]}


def _invoker(each: Invoker) -> Document:
    return {
        "InvokerId": each.id,
        "Name": each.name,
        "Type": "SCHEDULE",
        "CommandId": each.command,
        "Username": "root",
        "Parameters": "{}",
        "InstanceIds": each.instances,
        "Enable": each.enabled,
        "ScheduleSettings": {"Policy": "RECURRENCE", "Recurrence": each.recurrence, "InvokeTime": ""},
        "CreatedTime": utc(each.created),
        "UpdatedTime": utc(each.changed or each.created),
        "Tags": [],
    }


def describe_records(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    spawned = [(each, run) for each in _select(book, call) for id in each.spawned if (run := book.get(Invocation, id))]
    rows, total = select(spawned, call, {})
    records = [
        {
            "InvokerId": each.id,
            "InvokeTime": utc(run.created),
            "Reason": "",
            "InvocationId": run.id,
            "Result": run.status(now),
        }
        for each, run in rows
    ]
    return {"TotalCount": total, "InvokerRecordSet": records}


def disable(world: World, book: Book, call: Call) -> Document:
    return _switch(world, book, call, enabled=False)


def enable(world: World, book: Book, call: Call) -> Document:
    return _switch(world, book, call, enabled=True)


def _switch(world: World, book: Book, call: Call, *, enabled: bool) -> Document:
    identity = call.params["InvokerId"]
    if not identity.startswith("ivk-"):
        raise invalid(".InvalidInvokerId", f"Invalid invoker ID: {identity}")
    one = next((each for each in _all(book) if each.id == identity), None)
    if one is None:
        raise Refusal(200, "ResourceNotFound", "The invoker does not exist.")
    call.changed = one.enabled is not enabled
    one.enabled = enabled
    one.changed = world.now()
    return {}


def describe_commands(world: World, book: Book, call: Call) -> Document:
    """The commands that invokers run: the sandbox knows no others."""
    tests: dict[str, Callable[[Invoker, list[str]], bool]] = {
        "command-id": lambda each, values: each.command in values,
        "command-name": lambda each, values: each.name in values,
    }
    ids = call.params.get("CommandIds")
    if ids and any(not each.startswith("cmd-") for each in ids):
        raise invalid(".InvalidCommandId", "Invalid command ID.")
    by_command = {each.command: each for each in _all(book) if not ids or each.command in ids}
    rows, total = select(list(by_command.values()), call, tests)
    return {"TotalCount": total, "CommandSet": [_command(each) for each in rows]}


def _command(each: Invoker) -> Document:
    return {
        "CommandId": each.command,
        "CommandName": each.name,
        "Description": "",
        "Content": base64.b64encode(each.content.encode("utf-8", "replace")).decode(),
        "CommandType": "SHELL",
        "WorkingDirectory": "/root",
        "Timeout": 3600,
        "CreatedTime": utc(each.created),
        "UpdatedTime": utc(each.created),
        "EnableParameter": False,
        "DefaultParameters": "{}",
        "Tags": [],
        "Username": "root",
        "CreatedBy": "USER",
    }
