"""The constraints that Systems Manager puts on parameters, and the ValidationException it answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runcancel.sandbox.wire import Document, Refusal

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
INSTANCE = r"(i-(\w{8}|\w{17}))|(mi-\w{17})"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one parameter may be; `low` and `high` bound a number, a text's length or a list's size."""

    sort: type
    required: bool = False
    pattern: str = ""
    low: int | None = None
    high: int | None = None
    words: tuple[str, ...] = ()


WINDOW_EXECUTION_ID = Rule(str, True, UUID, 36, 36)
COMMAND_ID = Rule(str, False, "", 36, 36)
AUTOMATION_ID = Rule(str, True, "", 36, 36)
INSTANCE_ID = Rule(str, False, INSTANCE)
TOKEN = Rule(str)
WINDOW_ID = Rule(str, True, r"mw-[0-9a-f]{17}", 20, 20)
RULE_NAME = Rule(str, True, r"[\.\-_A-Za-z0-9]+", 1, 64)
BUS = Rule(str, False, r"[/\.\-_A-Za-z0-9]+", 1, 1600)

EXECUTION_ARN = Rule(str, True, r"arn:aws[a-z-]*:states:.+", 1, 256)
_MACHINE_PAGES = {"maxResults": Rule(int, low=0, high=1000), "nextToken": Rule(str, low=1, high=1024)}
_EXECUTION_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")

_WINDOW_PAGES = {"Filters": Rule(list, high=5), "MaxResults": Rule(int, low=10, high=100), "NextToken": TOKEN}
_PAGES = {"MaxResults": Rule(int, low=1, high=50), "NextToken": TOKEN}
_EVENT_PAGES = {"Limit": Rule(int, low=1, high=100), "NextToken": Rule(str, low=1, high=2048), "NamePrefix": Rule(str)}
_COMMAND_FILTERS = {"Filters": Rule(list, low=1, high=5)}

RULES: Mapping[str, Mapping[str, Rule]] = {
    "CancelMaintenanceWindowExecution": {"WindowExecutionId": WINDOW_EXECUTION_ID},
    "GetMaintenanceWindowExecution": {"WindowExecutionId": WINDOW_EXECUTION_ID},
    "DescribeMaintenanceWindows": _WINDOW_PAGES,
    "DescribeMaintenanceWindowExecutions": {
        "WindowId": WINDOW_ID,
        **_WINDOW_PAGES,
    },
    "DescribeMaintenanceWindowExecutionTasks": {"WindowExecutionId": WINDOW_EXECUTION_ID, **_WINDOW_PAGES},
    "GetMaintenanceWindowExecutionTask": {"WindowExecutionId": WINDOW_EXECUTION_ID, "TaskId": WINDOW_EXECUTION_ID},
    "DescribeMaintenanceWindowExecutionTaskInvocations": {
        "WindowExecutionId": WINDOW_EXECUTION_ID,
        "TaskId": WINDOW_EXECUTION_ID,
        **_WINDOW_PAGES,
    },
    "GetMaintenanceWindowExecutionTaskInvocation": {
        "WindowExecutionId": WINDOW_EXECUTION_ID,
        "TaskId": WINDOW_EXECUTION_ID,
        "InvocationId": WINDOW_EXECUTION_ID,
    },
    "CancelCommand": {"CommandId": Rule(str, True, "", 36, 36), "InstanceIds": Rule(list, high=50)},
    "ListCommands": {"CommandId": COMMAND_ID, "InstanceId": INSTANCE_ID, **_PAGES, **_COMMAND_FILTERS},
    "ListCommandInvocations": {
        "CommandId": COMMAND_ID,
        "InstanceId": INSTANCE_ID,
        "Details": Rule(bool),
        **_PAGES,
        **_COMMAND_FILTERS,
    },
    "GetCommandInvocation": {
        "CommandId": Rule(str, True, "", 36, 36),
        "InstanceId": Rule(str, True, INSTANCE),
        "PluginName": Rule(str, low=4),
    },
    "StopAutomationExecution": {
        "AutomationExecutionId": AUTOMATION_ID,
        "Type": Rule(str, words=("Complete", "Cancel")),
    },
    "GetAutomationExecution": {"AutomationExecutionId": AUTOMATION_ID},
    "DescribeAutomationExecutions": {"Filters": Rule(list, low=1, high=10), **_PAGES},
    "DescribeAutomationStepExecutions": {
        "AutomationExecutionId": AUTOMATION_ID,
        "Filters": Rule(list, low=1, high=6),
        "ReverseOrder": Rule(bool),
        **_PAGES,
    },
    "GetMaintenanceWindow": {"WindowId": WINDOW_ID},
    "UpdateMaintenanceWindow": {"WindowId": WINDOW_ID, "Enabled": Rule(bool), "Replace": Rule(bool)},
    "DescribeMaintenanceWindowTasks": {"WindowId": WINDOW_ID, **_WINDOW_PAGES},
    "GetMaintenanceWindowTask": {"WindowId": WINDOW_ID, "WindowTaskId": WINDOW_EXECUTION_ID},
    "DescribeMaintenanceWindowTargets": {"WindowId": WINDOW_ID, **_WINDOW_PAGES},
    "ListAssociations": {"AssociationFilterList": Rule(list, low=1), **_PAGES},
    "DescribeAssociation": {"AssociationId": Rule(str, False, UUID), "Name": Rule(str), "InstanceId": INSTANCE_ID},
    "StopExecution": {"executionArn": EXECUTION_ARN, "error": Rule(str, high=256), "cause": Rule(str, high=32768)},
    "DescribeExecution": {
        "executionArn": EXECUTION_ARN,
        "includedData": Rule(str, words=("ALL_DATA", "METADATA_ONLY")),
    },
    "ListStateMachines": _MACHINE_PAGES,
    "ListExecutions": {
        "stateMachineArn": Rule(str, low=1, high=256),
        "statusFilter": Rule(str, words=_EXECUTION_STATUSES),
        **_MACHINE_PAGES,
    },
    "ListEventBuses": _EVENT_PAGES,
    "ListRules": {"EventBusName": BUS, **_EVENT_PAGES},
    "ListTargetsByRule": {"Rule": RULE_NAME, "EventBusName": BUS, **_EVENT_PAGES},
    "DescribeRule": {"Name": RULE_NAME, "EventBusName": BUS},
    "DisableRule": {"Name": RULE_NAME, "EventBusName": BUS},
    "EnableRule": {"Name": RULE_NAME, "EventBusName": BUS},
}


MOST_VALUES = 50


def by_tag() -> list[Document]:
    return [{"Key": "tag:Role", "Values": ["web"]}]


def targets(key: str, values: Sequence[str]) -> list[Document]:
    """`Targets` of a request: an entry takes 50 values, and who has more machines names a tag."""
    return by_tag() if len(values) > MOST_VALUES else [{"Key": key, "Values": list(values)}]


def check(action: str, params: Document) -> None:
    rules = RULES[action]
    wrong = [text for name, rule in rules.items() for text in _wrong(name, rule, params.get(name))]
    if wrong:
        count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: "
        raise Refusal(400, "ValidationException", count + "; ".join(wrong))


def _wrong(name: str, rule: Rule, value: Any) -> list[str]:
    spot = name[0].lower() + name[1:]
    if value is None:
        return (
            [f"Value null at '{spot}' failed to satisfy constraint: Member must not be null"] if rule.required else []
        )
    if not isinstance(value, rule.sort) or (rule.sort is int and isinstance(value, bool)):
        raise Refusal(400, "SerializationException", f"Wrong type for {name}.")
    return [f"Value '{value}' at '{spot}' failed to satisfy constraint: {text}" for text in _breaches(rule, value)]


def _breaches(rule: Rule, value: Any) -> list[str]:
    size = value if isinstance(value, int) else len(value)
    noun = "value" if isinstance(value, int) else "length"
    breaches = []
    if rule.low is not None and size < rule.low:
        breaches.append(f"Member must have {noun} greater than or equal to {rule.low}")
    if rule.high is not None and size > rule.high:
        breaches.append(f"Member must have {noun} less than or equal to {rule.high}")
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        breaches.append(f"Member must satisfy regular expression pattern: ^{rule.pattern}$")
    if rule.words and value not in rule.words:
        breaches.append(f"Member must satisfy enum value set: [{', '.join(rule.words)}]")
    return breaches


Filters = list[tuple[str, list[str]]]
Allowed = Mapping[str, Sequence[str]]
"""The keys that a list takes; the values of each, or none where any text will do."""


def capital_filters(params: Document, allowed: Allowed, refusal: Refusal) -> Filters:
    """Filters spelled `{"Key": …, "Values": […]}`, as windows and automations have them."""
    return [_filter(entry, "Key", "Values", allowed, refusal) for entry in params.get("Filters") or ()]


def lower_filters(params: Document, allowed: Allowed, refusal: Refusal) -> Filters:
    """Filters spelled `{"key": …, "value": …}`, as commands have them."""
    return [_filter(entry, "key", "value", allowed, refusal) for entry in params.get("Filters") or ()]


def _filter(entry: Any, key: str, values: str, allowed: Allowed, refusal: Refusal) -> tuple[str, list[str]]:
    if not isinstance(entry, dict) or key not in entry or values not in entry:
        raise Refusal(400, "ValidationException", f"A filter needs {key} and {values}.")
    name, entry_values = entry[key], entry[values]
    if name not in allowed:
        raise refusal
    texts = [entry_values] if isinstance(entry_values, str) else list(entry_values)
    if allowed[name] and not set(texts) <= set(allowed[name]):
        raise Refusal(400, "InvalidFilterValue", f"The filter value isn't valid. {name}: {', '.join(map(str, texts))}")
    return name, texts
