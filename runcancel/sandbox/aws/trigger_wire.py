"""Windows, associations, EventBridge rules and schedules on the wire: what lists them, and the two switches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.aws.triggers import Association, EventRule, Schedule, starters
from runcancel.sandbox.aws.window_wire import window_document
from runcancel.sandbox.aws.windows import Window, Windows
from runcancel.sandbox.wire import Action, Call, Document, Refusal, Request, token_page
from runcancel.sandbox.world import Book, World

_Row = TypeVar("_Row")


def _page(rows: Sequence[_Row], call: Call, size_name: str) -> tuple[list[_Row], Document]:
    bad = Refusal(400, "ValidationException", "NextToken is invalid.")
    size = int(call.params.get(size_name) or 50)
    rows_of_page, token = token_page(rows, call, size=size, keep=lambda _: True, bad_token=bad)
    return rows_of_page, {"NextToken": token} if token else {}


def _window(book: Book, call: Call) -> Window:
    windows = book.beside(Windows)
    identity = call.params["WindowId"]
    if identity not in windows:
        raise Refusal(400, "DoesNotExistException", f"Maintenance window {identity} does not exist.")
    return windows[identity]


def get_window(world: World, book: Book, call: Call) -> Document:
    window = _window(book, call)
    document = window_document(window, world.now())
    return document | {"AllowUnassociatedTargets": False, "CreatedDate": 1760000000.0, "ModifiedDate": window.changed}


def update_window(world: World, book: Book, call: Call) -> Document:
    """`Enabled` alone is served: anything else would change what a restore has to find again."""
    window = _window(book, call)
    others = call.params.keys() - {"WindowId", "Enabled"}
    if others:
        text = f"The sandbox updates Enabled alone, not {', '.join(sorted(others))}."
        raise Refusal(400, "ValidationException", text)
    if "Enabled" in call.params:
        call.changed = window.enabled is not call.params["Enabled"]
        window.enabled = call.params["Enabled"]
    window.changed = round(world.now(), 3)
    document = window_document(window, world.now())
    document.pop("NextExecutionTime", None)
    return document | {"AllowUnassociatedTargets": False}


def _task_id(window: Window, at: int) -> str:
    digits = f"{at:012d}"
    return f"{window.id[3:11]}-0000-4000-8000-{digits}"


def window_tasks(world: World, book: Book, call: Call) -> Document:
    window = _window(book, call)
    rows, token = _page([_task(window, at) for at in range(len(window.tasks))], call, "MaxResults")
    return {"Tasks": rows, **token}


def _task(window: Window, at: int) -> Document:
    sort, arn, _ = window.tasks[at]
    return {
        "WindowId": window.id,
        "WindowTaskId": _task_id(window, at),
        "TaskArn": arn,
        "Type": sort,
        "Targets": [{"Key": "WindowTargetIds", "Values": [_task_id(window, 0)]}],
        "TaskParameters": {},
        "Priority": at + 1,
        "MaxConcurrency": "10",
        "MaxErrors": "1",
    }


def get_window_task(world: World, book: Book, call: Call) -> Document:
    window = _window(book, call)
    for at, (sort, _, script) in enumerate(window.tasks):
        if call.params["WindowTaskId"] == _task_id(window, at):
            row = _task(window, at)
            row["TaskType"] = row.pop("Type")
            inner = {"Parameters": {"commands": [script]}} if sort == "RUN_COMMAND" else {}
            name = {"RUN_COMMAND": "RunCommand", "AUTOMATION": "Automation"}.get(sort)
            return row | ({"TaskInvocationParameters": {name: inner}} if name else {})
    raise Refusal(400, "DoesNotExistException", "The task does not exist.")


def window_targets(world: World, book: Book, call: Call) -> Document:
    window = _window(book, call)
    row = {
        "WindowId": window.id,
        "WindowTargetId": _task_id(window, 0),
        "ResourceType": "INSTANCE",
        "Targets": [{"Key": "tag:Patch", "Values": [window.name]}],
    }
    rows, token = _page([row], call, "MaxResults")
    return {"Targets": rows, **token}


def list_associations(world: World, book: Book, call: Call) -> Document:
    rows, token = _page([_association(each) for each in starters(book).associations], call, "MaxResults")
    return {"Associations": rows, **token}


def _association(each: Association) -> Document:
    return {
        "Name": each.document,
        "AssociationId": each.id,
        "AssociationVersion": each.version,
        "AssociationName": each.name,
        "Targets": each.targets,
        "Overview": {"Status": "Success", "DetailedStatus": "Success"},
        "ScheduleExpression": each.expression,
    }


def describe_association(world: World, book: Book, call: Call) -> Document:
    for each in starters(book).associations:
        if each.id == call.params.get("AssociationId"):
            return {"AssociationDescription": _association(each) | {"Parameters": each.parameters}}
    raise Refusal(400, "AssociationDoesNotExist", "The specified association does not exist.")


def list_buses(world: World, book: Book, call: Call) -> Document:
    names = dict.fromkeys(("default", *(rule.bus for rule in starters(book).rules)))
    rows, token = _page([{"Name": name, "Arn": _arn(book, f"event-bus/{name}")} for name in names], call, "Limit")
    return {"EventBuses": rows, **token}


def _arn(book: Book, rest: str, service: str = "events") -> str:
    return f"arn:aws:{service}:{book.key.region}:{account_id('aws', book.key.account)}:{rest}"


def list_rules(world: World, book: Book, call: Call) -> Document:
    bus = call.params.get("EventBusName", "default")
    rows, token = _page([_rule(book, each) for each in starters(book).rules if each.bus == bus], call, "Limit")
    return {"Rules": rows, **token}


def _rule(book: Book, each: EventRule) -> Document:
    inner = each.name if each.bus == "default" else f"{each.bus}/{each.name}"
    optional = {
        "ScheduleExpression": each.schedule,
        "EventPattern": each.pattern,
        "ManagedBy": each.managed_by,
    }
    document: Document = {"Name": each.name, "Arn": _arn(book, f"rule/{inner}"), "State": each.state}
    return document | {"EventBusName": each.bus} | {key: value for key, value in optional.items() if value}


def _find(book: Book, call: Call, name: str) -> EventRule:
    bus = call.params.get("EventBusName", "default")
    for each in starters(book).rules:
        if (each.bus, each.name) == (bus, call.params.get(name)):
            return each
    text = f"Rule {call.params.get(name)} does not exist on EventBus {bus}."
    raise Refusal(400, "ResourceNotFoundException", text)


def describe_rule(world: World, book: Book, call: Call) -> Document:
    return _rule(book, _find(book, call, "Name"))


def list_targets(world: World, book: Book, call: Call) -> Document:
    rows, token = _page(_find(book, call, "Rule").targets, call, "Limit")
    return {"Targets": rows, **token}


def disable_rule(world: World, book: Book, call: Call) -> Document:
    return _switch(_find(book, call, "Name"), call, "DISABLED")


def enable_rule(world: World, book: Book, call: Call) -> Document:
    return _switch(_find(book, call, "Name"), call, "ENABLED")


def _switch(rule: EventRule, call: Call, state: str) -> Document:
    if rule.managed_by:
        raise Refusal(400, "ManagedRuleException", f"Rule {rule.name} is managed by {rule.managed_by}.")
    call.changed = rule.state != state
    rule.state = state
    return {}


def list_schedules(world: World, book: Book, call: Call) -> Document:
    rows = [_schedule(book, each) for each in starters(book).schedules]
    for row in rows:
        row["Target"] = {"Arn": row["Target"]["Arn"]}
        for field in ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow"):
            del row[field]
    page_rows, token = _page(rows, call, "MaxResults")
    return {"Schedules": page_rows, **token}


def _schedule(book: Book, each: Schedule) -> Document:
    return {
        "Arn": _arn(book, f"schedule/{each.group}/{each.name}", "scheduler"),
        "Name": each.name,
        "GroupName": each.group,
        "State": each.state,
        "CreationDate": each.created,
        "LastModificationDate": each.created,
        "ScheduleExpression": each.expression,
        "ScheduleExpressionTimezone": each.zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": each.target,
    }


def get_schedule(world: World, book: Book, call: Call) -> Document:
    for each in starters(book).schedules:
        if (each.group, each.name) == (call.params.get("GroupName", "default"), call.params.get("Name")):
            return _schedule(book, each)
    raise Refusal(404, "ResourceNotFoundException", f"Schedule {call.params.get('Name')} does not exist.")


def scheduler_request(request: Request) -> tuple[str, Document]:
    """The action and the parameters of a REST call of EventBridge Scheduler."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    renamed = {"groupName": "GroupName", "ScheduleGroup": "GroupName"}
    params: Document = {renamed.get(key, key): value for key, value in query.items()}
    name = unquote(url.path).removeprefix("/schedules").strip("/")
    if request.method != "GET":
        return "UpdateSchedule", params
    return ("GetSchedule", {**params, "Name": name}) if name else ("ListSchedules", params)


SSM: Mapping[str, Action] = {
    "GetMaintenanceWindow": Action(get_window),
    "UpdateMaintenanceWindow": Action(update_window),
    "DescribeMaintenanceWindowTasks": Action(window_tasks, ("Tasks",)),
    "GetMaintenanceWindowTask": Action(get_window_task),
    "DescribeMaintenanceWindowTargets": Action(window_targets, ("Targets",)),
    "ListAssociations": Action(list_associations, ("Associations",)),
    "DescribeAssociation": Action(describe_association),
}
OTHERS: Mapping[tuple[str, str], Action] = {
    ("events", "ListEventBuses"): Action(list_buses, ("EventBuses",)),
    ("events", "ListRules"): Action(list_rules, ("Rules",)),
    ("events", "DescribeRule"): Action(describe_rule),
    ("events", "ListTargetsByRule"): Action(list_targets, ("Targets",)),
    ("events", "DisableRule"): Action(disable_rule),
    ("events", "EnableRule"): Action(enable_rule),
    ("scheduler", "ListSchedules"): Action(list_schedules, ("Schedules",)),
    ("scheduler", "GetSchedule"): Action(get_schedule),
}
EMPTY = frozenset({"DisableRule", "EnableRule"})


def command_input(script: str) -> str:
    """What a rule or a schedule hands to Run Command."""
    request: dict[str, Any] = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": [script]}}
    return json.dumps({**request, "Targets": [{"Key": "tag:Role", "Values": ["web"]}]})
