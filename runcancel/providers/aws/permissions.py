"""The least that IAM has to allow for this program on AWS.

Which action can be narrowed to what: the service authorization references of Systems Manager and of Step Functions.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct

from runcancel.errors import UsageError
from runcancel.model.reports import AccessPolicy
from runcancel.providers.aws.facts import AUTOMATION, COMMAND, STATE_MACHINE, WINDOW, WINDOW_TRIGGER
from runcancel.providers.aws.links import partition_of
from runcancel.providers.base import PolicyScope


class Grant(Struct, frozen=True, kw_only=True):
    """Actions of one statement. `resource` is the type that AWS can limit them to; None: `*` only."""

    sid: str
    actions: tuple[str, ...]
    kind: str | None = None
    resource: str | None = None
    writes: bool = False
    audit: bool = False
    triggers: bool = False
    service: str = "ssm"
    separator: str = "/"  # between the type and the id in an ARN of the service


GRANTS: tuple[Grant, ...] = (
    Grant(sid="WhoAndWhere", actions=("sts:GetCallerIdentity", "ec2:DescribeRegions")),
    Grant(sid="ReadAuditLog", actions=("cloudtrail:LookupEvents",), audit=True),
    Grant(
        sid="Read",
        kind=WINDOW.name,
        actions=(
            "ssm:DescribeMaintenanceWindows",
            "ssm:GetMaintenanceWindowExecution",
            "ssm:DescribeMaintenanceWindowExecutionTasks",
            "ssm:DescribeMaintenanceWindowExecutionTaskInvocations",
        ),
    ),
    Grant(
        sid="Read",
        kind=COMMAND.name,
        actions=("ssm:ListCommands", "ssm:ListCommandInvocations", "ssm:GetCommandInvocation"),
    ),
    Grant(sid="Read", kind=AUTOMATION.name, actions=("ssm:DescribeAutomationExecutions",)),
    Grant(sid="Read", kind=STATE_MACHINE.name, actions=("states:ListStateMachines",)),
    Grant(
        sid="ReadWindows",
        kind=WINDOW.name,
        actions=("ssm:DescribeMaintenanceWindowExecutions",),
        resource="maintenancewindow",
    ),
    Grant(
        sid="ReadAutomations",
        kind=AUTOMATION.name,
        actions=("ssm:GetAutomationExecution", "ssm:DescribeAutomationStepExecutions"),
        resource="automation-execution",
    ),
    Grant(
        sid="ListExecutions",
        kind=STATE_MACHINE.name,
        actions=("states:ListExecutions",),
        resource="stateMachine",
        service="states",
        separator=":",
    ),
    Grant(
        sid="ReadExecutions",
        kind=STATE_MACHINE.name,
        actions=("states:DescribeExecution",),
        resource="execution",
        service="states",
        separator=":",
    ),
    Grant(
        sid="ReadTriggers",
        triggers=True,
        actions=(
            "ssm:DescribeMaintenanceWindows",
            "ssm:ListAssociations",
            "events:ListEventBuses",
            "events:ListRules",
            "scheduler:ListSchedules",
        ),
    ),
    Grant(
        sid="ReadWindowTriggers",
        triggers=True,
        actions=(
            "ssm:GetMaintenanceWindow",
            "ssm:GetMaintenanceWindowTask",
            "ssm:DescribeMaintenanceWindowTasks",
            "ssm:DescribeMaintenanceWindowTargets",
            "ssm:DescribeMaintenanceWindowExecutions",
        ),
        resource="maintenancewindow",
    ),
    Grant(sid="ReadAssociations", triggers=True, actions=("ssm:DescribeAssociation",), resource="association"),
    Grant(
        sid="ReadRules",
        triggers=True,
        actions=("events:DescribeRule", "events:ListTargetsByRule"),
        service="events",
        resource="rule",
    ),
    Grant(
        sid="ReadSchedules", triggers=True, actions=("scheduler:GetSchedule",), service="scheduler", resource="schedule"
    ),
    Grant(
        sid="SwitchWindows",
        triggers=True,
        kind=WINDOW.name,
        actions=("ssm:UpdateMaintenanceWindow",),
        resource="maintenancewindow",
        writes=True,
    ),
    Grant(
        sid="SwitchRules",
        triggers=True,
        actions=("events:DisableRule", "events:EnableRule"),
        service="events",
        resource="rule",
        writes=True,
    ),
    Grant(sid="CancelCommands", kind=COMMAND.name, actions=("ssm:CancelCommand",), writes=True),
    Grant(
        sid="CancelWindows",
        kind=WINDOW.name,
        actions=("ssm:CancelMaintenanceWindowExecution",),
        resource="maintenancewindow",
        writes=True,
    ),
    Grant(
        sid="CancelAutomations",
        kind=AUTOMATION.name,
        actions=("ssm:StopAutomationExecution",),
        resource="automation-execution",
        writes=True,
    ),
    Grant(
        sid="CancelExecutions",
        kind=STATE_MACHINE.name,
        actions=("states:StopExecution",),
        resource="execution",
        service="states",
        separator=":",
        writes=True,
    ),
)
"""Every action that the adapter calls, in the order of the statements."""

_WHO_AND_WHERE = GRANTS[0].sid
_EVERYTHING = (
    "ssm:CancelCommand cannot be restricted to a command, a target or a tag: "
    "whoever has it may cancel every command of the account"
)
_NO_REGION = "without -r the policy is for the partition aws; for China or GovCloud add -r, as in -r cn-north-1"
_WINDOW_ALONE = (
    "--window restricts only the cancel of windows; to leave out the other kinds, add --kind maintenance-window"
)


def policy(scope: PolicyScope) -> AccessPolicy:
    """The policy, narrowed as far as IAM can. Raises `UsageError` for several partitions, or a wrong window."""
    if scope.trigger is not None and not WINDOW_TRIGGER.id_pattern.fullmatch(scope.trigger):
        raise UsageError(
            f"--window “{scope.trigger}” is not the id of a maintenance window such as mw-0c50858d01e4f7a2b"
        )
    granted = [grant for grant in GRANTS if _needs(grant, scope)]
    partition = _partition(scope.regions)
    statements = [
        _statement(sid, list(same), scope, partition) for sid, same in groupby(granted, key=lambda grant: grant.sid)
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return AccessPolicy(provider="aws", read_only=scope.read_only, policy=document, notes=tuple(_notes(granted, scope)))


def _needs(grant: Grant, scope: PolicyScope) -> bool:
    return (
        not (grant.writes and scope.read_only)
        and (scope.audit or not grant.audit)
        and (scope.triggers or not grant.triggers)
        and (not scope.kinds or grant.kind is None or grant.kind in scope.kinds)
    )


def _statement(sid: str, grants: list[Grant], scope: PolicyScope, partition: str) -> Mapping[str, Any]:
    actions = [action for grant in grants for action in grant.actions]
    first = grants[0]
    statement = {"Sid": f"Runcancel{sid}", "Effect": "Allow", "Action": actions}
    if first.resource is not None:
        return {**statement, "Resource": _resources(first, scope, partition)}
    if scope.regions and sid != _WHO_AND_WHERE:  # identity and regions are read wherever that is possible
        only = {"StringEquals": {"aws:RequestedRegion": list(scope.regions)}}
        return {**statement, "Resource": "*", "Condition": only}
    return {**statement, "Resource": "*"}


def _resources(grant: Grant, scope: PolicyScope, partition: str) -> list[str]:
    """`list` reads every window, so a window limits only what is cancelled."""
    one = scope.trigger if scope.trigger and grant.writes and grant.kind == WINDOW.name else "*"
    account = scope.account or "*"
    regions = scope.regions or ("*",)
    return [
        f"arn:{partition}:{grant.service}:{region}:{account}:{grant.resource}{grant.separator}{one}"
        for region in regions
    ]


def _partition(regions: Iterable[str]) -> str:
    partitions = sorted({partition_of(region) for region in regions})
    if len(partitions) > 1:
        raise UsageError(
            f"these regions are of several partitions ({', '.join(partitions)}): each needs its own policy"
        )
    return partitions[0] if partitions else "aws"


def _notes(granted: Iterable[Grant], scope: PolicyScope) -> Iterable[str]:
    written = {grant.kind for grant in granted if grant.writes}
    if COMMAND.name in written:
        where = f" in {', '.join(scope.regions)}" if scope.regions else ""
        yield f"{_EVERYTHING}{where}"
    if scope.trigger and len(written) > 1:
        yield _WINDOW_ALONE
    if not scope.regions:
        yield _NO_REGION
