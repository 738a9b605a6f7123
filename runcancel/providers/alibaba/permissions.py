"""The least that RAM has to allow for this program on Alibaba Cloud.

Which action can be narrowed to what: the pages of the APIs in the ECS reference, as they are since December 2025, and
those of the OOS reference.
"""

from runcancel.model.reports import AccessPolicy
from runcancel.providers.alibaba.facts import INVOCATION, KINDS, OOS
from runcancel.providers.base import PolicyScope

ANYWHERE = ("sts:GetCallerIdentity", "ecs:DescribeRegions")
READS_OOS = ("oos:ListExecutions", "oos:ListTaskExecutions", "oos:ListTaskExecutionInvocations")
CANCELS_OOS = ("oos:CancelExecution",)

READS = ("ecs:DescribeInvocations", "ecs:DescribeInvocationResults")
CANCELS = ("ecs:StopInvocation",)

AUDIT = ("actiontrail:LookupEvents",)

_RESOURCES = ("instance", "command")
_BY_INSTANCE = (
    "ecs:StopInvocation cannot be restricted to an invocation, only to instances and commands: "
    "replace instance/* and command/* by those that may be stopped"
)
_OLDER = 'if a region denies these resources, use "Resource": "*"'


def policy(scope: PolicyScope) -> AccessPolicy:
    """The policy, narrowed as far as RAM can."""
    regions = scope.regions or ("*",)
    account = scope.account or "*"
    kinds = scope.kinds or {kind.name for kind in KINDS}
    instances = [f"acs:ecs:{region}:{account}:{each}/*" for region in regions for each in _RESOURCES]
    executions = [f"acs:oos:{region}:{account}:execution/*" for region in regions]
    granted: list[tuple[tuple[str, ...], list[str]]] = [(ANYWHERE, ["*"])]
    for kind, reads, cancels, resources in (
        (INVOCATION, READS, CANCELS, instances),
        (OOS, READS_OOS, CANCELS_OOS, executions),
    ):
        if kind.name in kinds:
            granted += [(reads, resources), *([] if scope.read_only else [(cancels, resources)])]
    if scope.audit:
        granted.append((AUDIT, ["*"]))
    statements = [
        {"Effect": "Allow", "Action": list(actions), "Resource": allowed_on} for actions, allowed_on in granted
    ]
    notes = (_OLDER,) if scope.read_only or INVOCATION.name not in kinds else (_BY_INSTANCE, _OLDER)
    document = {"Version": "1", "Statement": statements}
    return AccessPolicy(provider="alibaba", read_only=scope.read_only, policy=document, notes=notes)
