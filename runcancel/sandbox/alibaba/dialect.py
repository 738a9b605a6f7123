"""How Alibaba Cloud speaks: parameters in the query, ACS3 signatures, JSON replies."""

import re
from collections import ChainMap
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from runcancel.sandbox import roles
from runcancel.sandbox.accounts import REGIONS, account_id, caller, keyring
from runcancel.sandbox.alibaba import invocations, oos, trail
from runcancel.sandbox.signing import Nonces, check_alibaba
from runcancel.sandbox.wire import Action, Call, Document, Refusal, Reply, Request, encode
from runcancel.sandbox.world import Book, World

_INDEXED = re.compile(r"(\w+)\.([1-9][0-9]*)(?:\.(\w+))?")
VERSIONS = {"2014-05-26": "ecs", "2015-04-01": "sts", "2020-07-06": "actiontrail", oos.VERSION: oos.SERVICE}


def describe_regions(world: World, book: Book, call: Call) -> Document:
    rows = [
        {"RegionId": name, "LocalName": name, "RegionEndpoint": f"ecs.{name}.aliyuncs.com", "Status": "available"}
        for name in world.regions["alibaba"]
    ]
    return {"Regions": {"Region": rows}}


def get_caller_identity(world: World, book: Book, call: Call) -> Document:
    return dict(caller("alibaba", call.account, call.principal))


def assume_role(world: World, book: Book, call: Call) -> Document:
    session = roles.assume(world, call)
    fields = {"AccessKeyId": session.key.id, "AccessKeySecret": session.key.secret}
    fields |= {"SecurityToken": session.key.token, "Expiration": session.end}
    user = {"Arn": session.key.principal, "AssumedRoleId": f"3{session.key.account:017d}:session"}
    return {"Credentials": fields, "AssumedRoleUser": user}


def assume_role_with_oidc(world: World, book: Book, call: Call) -> Document:
    roles.proved(call, "OIDCProviderArn", "OIDCToken")
    return assume_role(world, book, call)


ACTIONS: dict[tuple[str, str], Action] = {
    ("ecs", "StopInvocation"): Action(invocations.stop, cancels=True, rate=1000, per=60.0),
    ("ecs", "DescribeInvocations"): Action(invocations.describe, ("Invocations", "Invocation")),
    ("ecs", "DescribeInvocationResults"): Action(
        invocations.describe_results, ("Invocation", "InvocationResults", "InvocationResult")
    ),
    ("ecs", "DescribeRegions"): Action(describe_regions, ("Regions", "Region")),
    **oos.ACTIONS,
    **trail.ACTIONS,
    ("sts", "GetCallerIdentity"): Action(get_caller_identity),
    ("sts", "AssumeRole"): Action(assume_role),
    ("sts", "AssumeRoleWithOIDC"): Action(assume_role_with_oidc),
}
_NEED_NO_REGION = {"DescribeRegions", "LookupEvents", "GetCallerIdentity", "AssumeRole", "AssumeRoleWithOIDC"}


class Alibaba:
    provider = "alibaba"

    def __init__(self, world: World, *, accounts: int) -> None:
        self._world = world
        self._keys = ChainMap(keyring("alibaba", accounts), world.sessions)
        self._nonces = Nonces()

    def read(self, request: Request) -> Call:
        query = dict(parse_qsl(urlsplit(request.target).query))
        if query.get("Action") == "AssumeRoleWithOIDC":  # nobody signs it: its token proves the caller
            params = {name: value for name, value in _params(request).items() if name not in query}
            return Call("alibaba", "sts", query["Action"], 0, REGIONS["alibaba"][0], params, query.get("Version", ""))
        if "Action" in query:
            raise Refusal(400, "UnsupportedSignatureMethod", "The sandbox speaks ACS3-HMAC-SHA256 only.")
        signed = check_alibaba(request, self._keys, self._nonces, now=self._world.clock.wall())
        version, action = request.header("x-acs-version"), request.header("x-acs-action")
        service = VERSIONS.get(version)
        if service is None:
            raise Refusal(400, "InvalidVersion", "Specified parameter Version is not valid.")
        params = _params(request)
        _check_words(action, params)
        key = signed.key
        region = params.get("RegionId", "")
        call = Call("alibaba", service, action, key.account, region, params, version, principal=key.principal)
        self.action_of(call)
        self._check_region(call)
        return call

    def _check_region(self, call: Call) -> None:
        if call.action in _NEED_NO_REGION:
            call.region = call.region or REGIONS["alibaba"][0]
            return
        if not call.region:
            text = "The input parameter RegionId that is mandatory for processing this request is not supplied."
            raise Refusal(400, "MissingParameter", text)
        if not self._world.serves("alibaba", call.region):
            raise Refusal(404, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records.")

    def action_of(self, call: Call) -> Action:
        action = ACTIONS.get((call.service, call.action))
        if action is None:
            raise Refusal(
                404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."
            )
        return action

    def accept(self, call: Call, document: Document, request_id: str) -> Reply:
        return _reply(200, {"RequestId": request_id.upper()} | document)

    def refuse(self, request: Request, refusal: Refusal, request_id: str) -> Reply:
        document = {
            "RequestId": request_id.upper(),
            "HostId": request.header("host"),
            "Code": refusal.code,
            "Message": refusal.message,
            "Recommend": f"https://api.aliyun.com/troubleshoot?q={refusal.code}",
        }
        extra = {key: value for key, value in refusal.extra.items() if key != "headers"}
        return _reply(refusal.status, document | extra, refusal.extra.get("headers", {}))

    def throttled(self, call: Call) -> Refusal:
        return Refusal(400, "Throttling.User", "Request was denied due to user flow control.")

    def denied(self, call: Call) -> Refusal:
        detail = {
            "AuthAction": f"{call.service}:{call.action}",
            "AuthPrincipalType": "SubUser",
            "AuthPrincipalOwnerId": account_id("alibaba", call.account),
            "AuthPrincipalDisplayName": "sandbox",
            "PolicyType": "AccountLevelIdentityBasedPolicy",
            "NoPermissionType": "ImplicitDeny",
        }
        text = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
        return Refusal(403, "Forbidden.RAM", text, AccessDeniedDetail=detail)

    def expired(self, call: Call) -> Refusal:
        return Refusal(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")

    def skewed(self, call: Call) -> Refusal:
        return Refusal(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")

    def broken(self, call: Call, status: int) -> Refusal:
        code = "ServiceUnavailable" if status == 503 else "InternalError"
        return Refusal(status, code, "The request processing has failed due to some unknown error.")

    def not_stoppable(self, call: Call) -> Refusal:
        return Refusal(403, "Operation.Forbidden", "The operation is not permitted.")


_STATUSES = (
    "Pending", "Scheduled", "Running", "Finished", "Success", "Failed", "PartialFailed", "Stopping", "Stopped",
)  # fmt: skip
_ENDS = ("Invalid", "Aborted", "Error", "Timeout", "Cancelled", "Terminated")
_ENCODINGS = ("PlainText", "Base64")
_FLAGS = ("true", "false", "True", "False")
_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "DescribeInvocations": {
        "InvokeStatus": _STATUSES,
        "RepeatMode": ("Once", "Period", "NextRebootOnly", "EveryReboot"),
        "CommandType": ("RunBatScript", "RunPowerShellScript", "RunShellScript"),
        "ContentEncoding": _ENCODINGS,
        "Timed": _FLAGS,
        "IncludeOutput": _FLAGS,
    },
    "DescribeInvocationResults": {
        "InvokeRecordStatus": (*_STATUSES, *_ENDS),
        "ContentEncoding": _ENCODINGS,
        "IncludeHistory": _FLAGS,
    },
}
"""The values that the vendor's SDK documents for a parameter. Its pages leave the code of a wrong one open."""


def _check_words(action: str, params: Document) -> None:
    for name, words in _WORDS.get(action, {}).items():
        if params.get(name) and params[name] not in words:
            raise Refusal(400, f"InvalidParameter.{name}", f"The specified parameter {name} is not valid.")


def _reply(status: int, document: Document, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, encode(document), {"Content-Type": "application/json;charset=utf-8"} | (headers or {}))


def _params(request: Request) -> Document:
    """Arrays come as `Name.1`, structures in arrays as `Name.1.Key`; a form in the body counts too."""
    pairs = parse_qsl(urlsplit(request.target).query, keep_blank_values=True)
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    params: Document = {}
    arrays: dict[str, dict[int, Any]] = {}
    for name, value in pairs:
        match = _INDEXED.fullmatch(name)
        if match is None:
            params[name] = value
        elif match[3]:
            arrays.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = value
        else:
            arrays.setdefault(match[1], {})[int(match[2])] = value
    return params | {name: [entries[index] for index in sorted(entries)] for name, entries in arrays.items()}
