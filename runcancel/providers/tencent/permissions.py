"""The least that CAM has to allow for this program on Tencent Cloud.

Which action can be narrowed to what: the page of TAT in the reference of CAM-enabled services. An action that is
authorised by operation is denied where a policy names a resource, hence `*` for those.
"""

from collections.abc import Iterable

from runcancel.model.reports import AccessPolicy
from runcancel.providers.base import PolicyScope

READS = ("sts:GetCallerIdentity", "tat:DescribeRegions", "tat:DescribeInvocations", "tat:DescribeInvocationTasks")
CANCELS = ("tat:CancelInvocation",)
TRIGGER_READS = ("tat:DescribeInvokers", "tat:DescribeInvokerRecords", "tat:DescribeCommands")
SWITCHES = ("tat:DisableInvoker", "tat:EnableInvoker")
AUDIT = ("cloudaudit:DescribeEvents",)

_PRODUCTS = ("cvm", "lighthouse")
_BY_INSTANCE = (
    "tat:CancelInvocation cannot be restricted to an invocation, only to instances: "
    "name those that may be stopped in place of the last *"
)
_READS_ALL = "reads are not restricted: CAM authorises them per command, and a listing needs every command"
_ROLES = "a tccli profile with role-arn also needs sts:AssumeRole on that role, and the role needs this policy"
_MANAGED = 'registered machines (rins-…) are neither cvm nor lighthouse: for those, "resource": ["*"]'


def policy(scope: PolicyScope) -> AccessPolicy:
    """The policy, narrowed as far as CAM can."""
    statements = [_statement(READS, ["*"])]
    if scope.audit:
        statements.append(_statement(AUDIT, ["*"]))
    if scope.triggers:
        statements.append(_statement(TRIGGER_READS if scope.read_only else (*TRIGGER_READS, *SWITCHES), ["*"]))
    if not scope.read_only:
        statements.append(_statement(CANCELS, _instances(scope)))
    document = {"version": "2.0", "statement": statements}
    return AccessPolicy(provider="tencent", read_only=scope.read_only, policy=document, notes=tuple(_notes(scope)))


def _statement(actions: Iterable[str], resources: list[str]) -> dict[str, object]:
    return {"effect": "allow", "action": list(actions), "resource": resources}


def _instances(scope: PolicyScope) -> list[str]:
    """Segments: qcs, project, product, region, account, resource. Empty: every region; the account of the policy."""
    if scope.account is None and not scope.regions:
        return ["*"]
    account = "" if scope.account is None else f"uin/{scope.account}"
    return [
        f"qcs::{product}:{region}:{account}:instance/*" for region in scope.regions or ("",) for product in _PRODUCTS
    ]


def _notes(scope: PolicyScope) -> Iterable[str]:
    if not scope.read_only:
        yield _BY_INSTANCE
        if scope.account is not None or scope.regions:
            yield _MANAGED
    if scope.account is not None or scope.regions:
        yield _READS_ALL
    yield _ROLES
