"""How Tencent Cloud speaks: JSON in, TC3 signatures, and HTTP 200 for every answer, errors included."""

import json
import re
from collections import ChainMap
from typing import Any

from runcancel.sandbox.accounts import REGIONS, keyring
from runcancel.sandbox.signing import check_tencent
from runcancel.sandbox.tencent import around, invocations, invokers, trail
from runcancel.sandbox.wire import Action, Call, Document, Refusal, Reply, Request, encode
from runcancel.sandbox.world import World

VERSIONS = {
    **{"2020-10-28": "tat", "2018-08-13": "sts", "2022-06-27": "region", "2017-03-12": "cvm"},
    "2019-03-19": "cloudaudit",
}

ACTIONS: dict[tuple[str, str], Action] = {
    ("tat", "CancelInvocation"): Action(invocations.cancel, cancels=True, rate=20),
    ("tat", "DescribeInvocations"): Action(invocations.describe, ("InvocationSet",), rate=20),
    ("tat", "DescribeInvocationTasks"): Action(invocations.describe_tasks, ("InvocationTaskSet",), rate=20),
    ("tat", "DescribeInvokers"): Action(invokers.describe, ("InvokerSet",), rate=20),
    ("tat", "DescribeInvokerRecords"): Action(invokers.describe_records, ("InvokerRecordSet",), rate=20),
    ("tat", "DisableInvoker"): Action(invokers.disable, rate=20),
    ("tat", "EnableInvoker"): Action(invokers.enable, rate=20),
    ("tat", "DescribeCommands"): Action(invokers.describe_commands, ("CommandSet",), rate=20),
    ("tat", "DescribeAutomationAgentStatus"): Action(around.describe_agents, ("AutomationAgentSet",), rate=60),
    ("tat", "DescribeRegions"): Action(around.describe_regions, ("RegionSet",), rate=20),
    **trail.ACTIONS,
    ("sts", "GetCallerIdentity"): Action(around.get_caller_identity),
    ("sts", "AssumeRole"): Action(around.assume_role),
    ("sts", "AssumeRoleWithWebIdentity"): Action(around.assume_role_with_web_identity),
    ("region", "DescribeRegions"): Action(around.describe_regions, ("RegionSet",)),
    ("cvm", "DescribeRegions"): Action(around.describe_regions, ("RegionSet",)),
}
_ROLE: dict[str, type] = {
    **{"RoleArn": str, "RoleSessionName": str, "DurationSeconds": int},
    **{"Policy": str, "ExternalId": str, "SourceIdentity": str, "SerialNumber": str, "TokenCode": str, "Tags": list},
}
_PAGES: dict[str, type] = {"Offset": int, "Limit": int}
FIELDS: dict[str, dict[str, type]] = {
    "CancelInvocation": {"InvocationId": str, "InstanceIds": list},
    "DescribeInvocations": {"InvocationIds": list, "Filters": list, **_PAGES},
    "DescribeInvocationTasks": {"InvocationTaskIds": list, "Filters": list, "HideOutput": bool, **_PAGES},
    "DescribeInvokers": {"InvokerIds": list, "Filters": list, **_PAGES},
    "DescribeInvokerRecords": {"InvokerIds": list, **_PAGES},
    "DisableInvoker": {"InvokerId": str},
    "EnableInvoker": {"InvokerId": str},
    "DescribeCommands": {"CommandIds": list, "Filters": list, **_PAGES},
    "DescribeAutomationAgentStatus": {"InstanceIds": list, "Filters": list, **_PAGES},
    "DescribeRegions": {"Product": str, "Scene": int},
    "DescribeEvents": trail.FIELDS,
    "GetCallerIdentity": {},
    "AssumeRole": _ROLE,
    "AssumeRoleWithWebIdentity": {**_ROLE, "ProviderId": str, "WebIdentityToken": str},
}
_REQUIRED = {
    "CancelInvocation": ("InvocationId",),
    "DisableInvoker": ("InvokerId",),
    "EnableInvoker": ("InvokerId",),
}
_INSTANCE = re.compile(r"(ins|lhins|rins)-[a-z0-9]+")
_IDS = ("InvocationIds", "InvocationTaskIds", "InvokerIds", "InstanceIds", "CommandIds")


class Tencent:
    provider = "tencent"

    def __init__(self, world: World, *, accounts: int) -> None:
        self._world = world
        self._keys = ChainMap(keyring("tencent", accounts), world.sessions)

    def read(self, request: Request) -> Call:
        version, action = request.header("x-tc-version"), request.header("x-tc-action")
        service = VERSIONS.get(version)
        if service is None:
            raise Refusal(200, "NoSuchVersion", f"The version {version} does not exist.")
        region, params = request.header("x-tc-region"), _params(request)
        if (service, action) == ("sts", "AssumeRoleWithWebIdentity") and request.header("authorization") == "SKIP":
            call = Call("tencent", service, action, 0, region, params, version)
        else:
            signed = check_tencent(request, self._keys, service=service, now=self._world.clock.wall())
            key = signed.key
            call = Call("tencent", service, action, key.account, region, params, version, principal=key.principal)
        self.action_of(call)
        self._check_region(call)
        _check(call)
        return call

    def _check_region(self, call: Call) -> None:
        if not call.region and call.service == "tat":
            raise Refusal(200, "MissingParameter", "The request is missing a required parameter `Region`.")
        call.region = call.region or REGIONS["tencent"][0]
        if call.service in ("tat", "sts") and not self._world.serves("tencent", call.region):
            raise Refusal(200, "UnsupportedRegion", f"The region {call.region} is not supported.")

    def action_of(self, call: Call) -> Action:
        action = ACTIONS.get((call.service, call.action))
        if action is None:
            raise Refusal(200, "InvalidAction", f"The action {call.action} does not exist or is invalid.")
        return action

    def accept(self, call: Call, document: Document, request_id: str) -> Reply:
        return _reply(200, document | {"RequestId": request_id})

    def refuse(self, request: Request, refusal: Refusal, request_id: str) -> Reply:
        if refusal.status != 200:
            page = f"<html><body><h1>{refusal.status}</h1>{refusal.code}</body></html>"
            return Reply(
                refusal.status, page.encode(), {"Content-Type": "text/html"} | refusal.extra.get("headers", {})
            )
        error = {"Code": refusal.code, "Message": refusal.message}
        return _reply(200, {"Error": error, "RequestId": request_id}, refusal.extra.get("headers", {}))

    def throttled(self, call: Call) -> Refusal:
        return Refusal(200, "RequestLimitExceeded", "Your current request times exceed the limit in one second.")

    def denied(self, call: Call) -> Refusal:
        text = f"CAM authentication failed: you are not authorized to perform operation ({call.service}:{call.action})."
        return Refusal(200, "UnauthorizedOperation.CamAuthFailed", text)

    def expired(self, call: Call) -> Refusal:
        return Refusal(200, "AuthFailure.TokenFailure", "The token has expired.")

    def skewed(self, call: Call) -> Refusal:
        text = "Signature has expired: the timestamp is off by over 5 min."
        return Refusal(200, "AuthFailure.SignatureExpire", text)

    def broken(self, call: Call, status: int) -> Refusal:
        """The gateway answers in HTML; `InternalError` with HTTP 200 is the fault kind `error`."""
        return Refusal(status, "InternalError", "Internal error.")

    def not_stoppable(self, call: Call) -> Refusal:
        return Refusal(200, "InvalidParameter", "The execution activity is not in a state that can be cancelled.")


def _reply(status: int, response: Document, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, encode({"Response": response}), {"Content-Type": "application/json"} | (headers or {}))


def _params(request: Request) -> Document:
    try:
        params = json.loads(request.body or b"{}")
    except ValueError:
        raise Refusal(200, "InvalidRequest", "The request body is not JSON.") from None
    if not isinstance(params, dict):
        raise Refusal(200, "InvalidRequest", "The request body is not a JSON object.")
    return params


def _check(call: Call) -> None:
    fields = FIELDS[call.action]
    for name, value in call.params.items():
        if name not in fields:
            raise Refusal(200, "UnknownParameter", f"The parameter `{name}` is not recognized.")
        if not isinstance(value, fields[name]) or (fields[name] is int and isinstance(value, bool)):
            raise Refusal(200, "InvalidParameter", f"The value of the parameter `{name}` has the wrong type.")
    for name in _REQUIRED.get(call.action, ()):
        if not call.params.get(name):
            raise Refusal(200, "MissingParameter", f"The request is missing a required parameter `{name}`.")
    _check_ids(call.params)
    _check_selection(call.params)
    _check_paging(call.params)


def _check_ids(params: Document) -> None:
    ids = [
        entry["Values"] for entry in params.get("Filters") or () if _is_filter(entry) and entry["Name"] == "instance-id"
    ]
    for each in [*(params.get("InstanceIds") or ()), *(value for values in ids for value in values)]:
        if not isinstance(each, str) or not _INSTANCE.fullmatch(each):
            raise invocations.invalid(".InvalidInstanceId", f"Invalid instance ID: {each}")


def _check_selection(params: Document) -> None:
    filters = params.get("Filters") or []
    ids = [name for name in _IDS if params.get(name)]
    if filters and ids:
        raise Refusal(200, "InvalidParameter.ConflictParameter", f"`{ids[0]}` and `Filters` cannot be used together.")
    if any(len(params[name]) > 100 for name in ids):
        raise invocations.invalid(".LimitExceeded", "At most 100 IDs are allowed.")
    if len(filters) > 10:
        raise Refusal(200, "LimitExceeded.FilterValueExceeded", "At most 10 filters are allowed.")
    for entry in filters:
        if not _is_filter(entry):
            raise Refusal(200, "InvalidFilter", "A filter needs Name and Values.")
        if len(entry["Values"]) > 5:
            raise Refusal(200, "LimitExceeded.FilterValueExceeded", "At most 5 values a filter are allowed.")


def _is_filter(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("Name"), str) and isinstance(entry.get("Values"), list)


def _check_paging(params: Document) -> None:
    if params.get("Limit", 20) > 100:
        raise invocations.invalid(".TooLarge", "Limit: at most 100.")
    if params.get("Limit", 20) < 1 or params.get("Offset", 0) < 0:
        raise invocations.invalid(".TooSmall", "Limit and Offset must not be negative.")
