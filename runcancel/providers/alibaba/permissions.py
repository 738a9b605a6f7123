"""The least that RAM has to allow for this program on Alibaba Cloud.

Which action can be narrowed to what: the pages of the three APIs in the ECS reference, as they are since December 2025.
"""

from runcancel.model.reports import AccessPolicy
from runcancel.providers.common.policy_scope import PolicyScope

ANYWHERE = ("sts:GetCallerIdentity", "ecs:DescribeRegions")
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
    resources = [f"acs:ecs:{region}:{account}:{each}/*" for region in regions for each in _RESOURCES]
    granted = [(ANYWHERE, ["*"]), (READS, resources), *([] if scope.read_only else [(CANCELS, resources)])]
    if scope.audit:
        granted.append((AUDIT, ["*"]))
    statements = [
        {"Effect": "Allow", "Action": list(actions), "Resource": allowed_on} for actions, allowed_on in granted
    ]
    notes = (_OLDER,) if scope.read_only else (_BY_INSTANCE, _OLDER)
    document = {"Version": "1", "Statement": statements}
    return AccessPolicy(provider="alibaba", read_only=scope.read_only, policy=document, notes=notes)
