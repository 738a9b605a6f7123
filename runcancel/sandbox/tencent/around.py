"""The calls around TAT invocations: agents, regions, and the caller's identity."""

from collections.abc import Callable

from runcancel.sandbox import roles
from runcancel.sandbox.accounts import caller
from runcancel.sandbox.clock import utc
from runcancel.sandbox.tencent.invocations import select
from runcancel.sandbox.wire import Call, Document
from runcancel.sandbox.world import Book, World


def describe_agents(world: World, book: Book, call: Call) -> Document:
    tests: dict[str, Callable[[str, list[str]], bool]] = {
        "agent-status": lambda machine, values: "Online" in values,
        "environment": lambda machine, values: "Linux" in values,
        "instance-id": lambda machine, values: machine in values,
    }
    machines = [machine for machine, _ in book.instances]
    target_ids = call.params.get("InstanceIds")
    rows, total = select(machines if not target_ids else [each for each in machines if each in target_ids], call, tests)
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
    rows = [{"Region": name, "RegionName": name, "RegionState": "AVAILABLE"} for name in world.regions["tencent"]]
    return {"TotalCount": len(rows), "RegionSet": rows}


def get_caller_identity(world: World, book: Book, call: Call) -> Document:
    return dict(caller("tencent", call.account, call.principal))


def assume_role(world: World, book: Book, call: Call) -> Document:
    session = roles.assume(world, call)
    key = session.key
    fields = {"Token": key.token, "TmpSecretId": key.id, "TmpSecretKey": key.secret}
    return {"Credentials": fields, "ExpiredTime": session.ends, "Expiration": session.end}


def assume_role_with_web_identity(world: World, book: Book, call: Call) -> Document:
    roles.proved(call, "ProviderId", "WebIdentityToken")
    return assume_role(world, book, call)
