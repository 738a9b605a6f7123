"""What stands around TAT invocations: schedules, agents, regions, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from runcancel.sandbox import roles
from runcancel.sandbox.accounts import REGIONS, caller
from runcancel.sandbox.clock import utc
from runcancel.sandbox.tencent.invocations import Invocation, invalid, select
from runcancel.sandbox.wire import Call, Document
from runcancel.sandbox.world import Book, World


@dataclass(slots=True, kw_only=True)
class Invoker:
    """A schedule, and the invocations it spawned."""

    id: str
    name: str
    command: str
    instances: list[str]
    recurrence: str
    created: float
    spawned: list[str]
    enabled: bool = True


def _invokers(book: Book, call: Call) -> list[Invoker]:
    invokers = cast(list[Invoker], book.extras.get("invokers", []))
    wanted = call.params.get("InvokerIds")
    if not wanted:
        return invokers
    if any(not each.startswith("ivk-") for each in wanted):
        raise invalid(".InvalidInvokerId", "Invalid invoker ID.")
    return [each for each in invokers if each.id in wanted]


def describe_invokers(world: World, book: Book, call: Call) -> Document:
    tests: dict[str, Callable[[Invoker, list[str]], bool]] = {
        "invoker-id": lambda each, values: each.id in values,
        "command-id": lambda each, values: each.command in values,
        "invoker-type": lambda each, values: "SCHEDULE" in values,
    }
    rows, total = select(_invokers(book, call), call, tests)
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
        "UpdatedTime": utc(each.created),
        "Tags": [],
    }


def describe_invoker_records(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    spawned = [(each, cast(Invocation, book.runs[run])) for each in _invokers(book, call) for run in each.spawned]
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


def describe_agents(world: World, book: Book, call: Call) -> Document:
    tests: dict[str, Callable[[str, list[str]], bool]] = {
        "agent-status": lambda machine, values: "Online" in values,
        "environment": lambda machine, values: "Linux" in values,
        "instance-id": lambda machine, values: machine in values,
    }
    known = [machine for machine, _ in book.instances]
    wanted = call.params.get("InstanceIds")
    rows, total = select(known if not wanted else [each for each in known if each in wanted], call, tests)
    return {"TotalCount": total, "AutomationAgentSet": [_agent(machine, world.now()) for machine in rows]}


def _agent(machine: str, now: float) -> Document:
    return {
        "InstanceId": machine,
        "Version": "1.1.1",
        "LastHeartbeatTime": utc(now - 20),
        "AgentStatus": "Online",
        "Environment": "Linux",
        "SupportFeatures": ["automation"],
    }


def describe_regions(world: World, book: Book, call: Call) -> Document:
    rows = [{"Region": name, "RegionName": name, "RegionState": "AVAILABLE"} for name in REGIONS["tencent"]]
    return {"TotalCount": len(rows), "RegionSet": rows}


def get_caller_identity(world: World, book: Book, call: Call) -> Document:
    return dict(caller("tencent", call.account, call.principal))


def assume_role(world: World, book: Book, call: Call) -> Document:
    session = roles.assume(world, call)
    key = session.key
    given = {"Token": key.token, "TmpSecretId": key.id, "TmpSecretKey": key.secret}
    return {"Credentials": given, "ExpiredTime": session.ends, "Expiration": session.end}


def assume_role_with_web_identity(world: World, book: Book, call: Call) -> Document:
    roles.proved(call, "ProviderId", "WebIdentityToken")
    return assume_role(world, book, call)
