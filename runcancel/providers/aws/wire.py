"""The one seam to AWS: every request goes through `Wire.call`, with rate, proof, trace and errors in one place."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.runs import Scope
from runcancel.model.states import Reason, State
from runcancel.providers.aws.fields import record, same
from runcancel.providers.common.fields import JsonObject, number, rows, text, trace
from runcancel.providers.common.paging import by_token
from runcancel.runtime.throttle import Pace, Rate


class Api(Struct, frozen=True, kw_only=True):
    """One API: its rate, whether it changes something, where in a reply its proof is.

    The thing at `proof` must be there, a list if it is `many`; if the request has a parameter of its last name, it must
    be equal.
    """

    rate: Rate = Rate(10, documented=False)
    asks: bool = False
    proof: tuple[str, ...] = ()
    many: bool = False


# Automation's and CloudTrail's rates are those of their references. STS allows 600 calls a second to all callers of an
# account together. The others are not published.
APIS: Mapping[str, Api] = {
    "CancelMaintenanceWindowExecution": Api(asks=True, proof=("WindowExecutionId",)),
    "GetMaintenanceWindowExecution": Api(proof=("WindowExecutionId",)),
    "DescribeMaintenanceWindowExecutionTasks": Api(many=True, proof=("WindowExecutionTaskIdentities",)),
    "DescribeMaintenanceWindowExecutionTaskInvocations": Api(
        many=True, proof=("WindowExecutionTaskInvocationIdentities",)
    ),
    "DescribeMaintenanceWindows": Api(many=True, proof=("WindowIdentities",)),
    "DescribeMaintenanceWindowExecutions": Api(many=True, proof=("WindowExecutions",)),
    "CancelCommand": Api(asks=True),
    "ListCommands": Api(many=True, proof=("Commands",)),
    "ListCommandInvocations": Api(many=True, proof=("CommandInvocations",)),
    "GetCommandInvocation": Api(proof=("CommandId",)),
    "StopAutomationExecution": Api(rate=Rate(1), asks=True),
    "GetAutomationExecution": Api(rate=Rate(3), proof=("AutomationExecution", "AutomationExecutionId")),
    "DescribeAutomationExecutions": Api(many=True, rate=Rate(3), proof=("AutomationExecutionMetadataList",)),
    "DescribeAutomationStepExecutions": Api(many=True, rate=Rate(3), proof=("StepExecutions",)),
    "GetMaintenanceWindow": Api(proof=("WindowId",)),
    "DescribeMaintenanceWindowTasks": Api(many=True, proof=("Tasks",)),
    "GetMaintenanceWindowTask": Api(proof=("WindowTaskId",)),
    "DescribeMaintenanceWindowTargets": Api(many=True, proof=("Targets",)),
    "UpdateMaintenanceWindow": Api(asks=True, proof=("WindowId",)),
    "ListAssociations": Api(many=True, proof=("Associations",)),
    "DescribeAssociation": Api(proof=("AssociationDescription", "AssociationId")),
    "ListEventBuses": Api(many=True, proof=("EventBuses",)),
    "ListRules": Api(many=True, proof=("Rules",)),
    "ListTargetsByRule": Api(many=True, proof=("Targets",)),
    "DescribeRule": Api(proof=("Name",)),
    "DisableRule": Api(asks=True),
    "EnableRule": Api(asks=True),
    "StopExecution": Api(asks=True, proof=("stopDate",)),
    "DescribeExecution": Api(proof=("executionArn",)),
    "ListStateMachines": Api(many=True, proof=("stateMachines",)),
    "ListExecutions": Api(many=True, proof=("executions",)),
    "ListSchedules": Api(many=True, proof=("Schedules",)),
    "GetSchedule": Api(proof=("Name",)),
    "LookupEvents": Api(many=True, rate=Rate(2), proof=("Events",)),
    "DescribeRegions": Api(many=True, proof=("Regions",)),
    "GetCallerIdentity": Api(proof=("Account",)),
    "ListAccounts": Api(many=True, proof=("Accounts",)),
    "ListAccountsForParent": Api(many=True, proof=("Accounts",)),
    "ListOrganizationalUnitsForParent": Api(many=True, proof=("OrganizationalUnits",)),
    "ListTagsForResource": Api(many=True, proof=("Tags",)),
    "AssumeRole": Api(rate=Rate(100), proof=("Credentials",)),
}


class Sender(Protocol):
    """One service of AWS at its endpoint, `url`."""

    @property
    def url(self) -> str: ...

    def send(self, action: str, params: Mapping[str, Any]) -> JsonObject:
        """The reply to one request, with its `ResponseMetadata` as in botocore. Raises `CloudError`."""


class Wire:
    """One service, shared by threads."""

    def __init__(self, sender: Sender, pace: Pace, *, scope: Scope) -> None:
        self._sender = sender
        self._host = urlsplit(sender.url).netloc.rpartition("@")[2]
        self._scope = scope
        self.pace = pace

    def call(self, action: str, params: Mapping[str, Any]) -> JsonObject:
        """One request, when its rate allows; a read again while there is time. Raises `CloudError`."""
        api = APIS[action]
        return self.pace.call(action, lambda: self._once(action, api, params), rate=api.rate, once=api.asks)

    def ask(self, action: str, params: Mapping[str, Any]) -> str:
        """One request that changes something; the request id of the accepted answer."""
        return _request_id(self.call(action, params))

    def pages(
        self,
        action: str,
        params: Mapping[str, Any],
        *,
        unique: str,
        size: int,
        size_name: str = "MaxResults",
        next_name: str = "NextToken",
        state: Callable[[JsonObject], State] = lambda _: State.UNKNOWN,
        of: Mapping[str, str] | None = None,
    ) -> Iterator[JsonObject]:
        """Every row of every page of a listing, each `unique` field once.

        `size` is rows per page, as AWS limits it; `size_name` and `next_name` are what a service calls the parameters.

        Where rows of one field contradict each other, the one whose `state` is the least ended counts. A row that
        names another owner than `of`, `{field: id}`, is not taken.
        """
        listed = APIS[action].proof[-1]
        owners = tuple((of or {}).items())

        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            following = {} if token is None else {next_name: token}
            page = self.call(action, {**params, size_name: size, **following})
            return tuple(row for row in rows(page, listed) if _belongs(row, owners)), page.get(next_name)

        # Hashes, because a run may have 100,000 rows and memory stays constant but for these.
        return by_token(
            fetch,
            key=lambda row: hash(text(row.get(unique)) or repr(row)),
            openness=lambda row: state(row).openness,
        )

    def _once(self, action: str, api: Api, params: Mapping[str, Any]) -> JsonObject:
        began = time.monotonic()
        outcome = "interrupted"
        try:
            reply = self._sender.send(action, params)
            _check(action, api, params, reply)
            outcome = f"HTTP {_status(reply)}, request {_request_id(reply)}"
        except CloudError as error:
            outcome = f"{error.reason} {error.provider_code or ''}, request {error.request_id}"
            raise
        finally:
            trace(self._scope, self._host, action, params, outcome=outcome, began=began)
        return reply


OpenWire = Callable[[str], Wire]
"""The seam to a service of AWS, by the name of its client."""


def proven_object(body: object) -> JsonObject:
    """The body of a success. Raises `Reason.UNPROVEN` for what AWS did not write, and for an error in one."""
    if not isinstance(body, dict):
        raise unproven("AWS", "the reply is not a JSON object: a proxy or gateway replied")
    if "__type" in body and body.keys() <= {"__type", "message", "Message"}:
        raise unproven("AWS", "the reply is an error with a success status")
    return body


def _check(action: str, api: Api, params: Mapping[str, Any], reply: JsonObject) -> None:
    """A reply counts only when it proves itself."""
    if not _request_id(reply):
        raise unproven(action, "the reply has no request id")
    node: Any = reply
    for key in api.proof:
        node = node.get(key) if isinstance(node, Mapping) else None
    if api.proof and node is None:
        raise unproven(action, f"the reply has no {api.proof[-1]}", request_id=_request_id(reply))
    if api.many and not isinstance(node, list):
        raise unproven(action, f"{api.proof[-1]} of the reply is no list", request_id=_request_id(reply))
    expected = params.get(api.proof[-1]) if api.proof else None
    if expected is not None and str(node).lower() != str(expected).lower():
        raise unproven(action, f"the reply is about another {api.proof[-1]}", request_id=_request_id(reply))


def _belongs(row: JsonObject, owners: Iterable[tuple[str, str]]) -> bool:
    return all(row.get(field) is None or same(row.get(field), id) for field, id in owners)


def _request_id(reply: JsonObject) -> str:
    return text(record(reply.get("ResponseMetadata")).get("RequestId")) or ""


def _status(reply: JsonObject) -> int | None:
    return number(record(reply.get("ResponseMetadata")).get("HTTPStatusCode"))


def unproven(action: str, what: str, *, request_id: str | None = None) -> CloudError:
    return CloudError(Reason.UNPROVEN, f"{action}: {what}", action=action, request_id=request_id)
