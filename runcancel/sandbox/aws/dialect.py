"""How AWS speaks: JSON for Systems Manager and Step Functions, forms and XML for STS and EC2, REST for Account."""

import json
from collections import ChainMap
from urllib.parse import parse_qsl

from runcancel.sandbox.accounts import DEFAULT_REGION, caller, keyring
from runcancel.sandbox.aws import (
    automations,
    commands,
    identity,
    organizations,
    state_machines,
    trail,
    trigger_wire,
    window_wire,
)
from runcancel.sandbox.aws.checks import check
from runcancel.sandbox.signing import aws_refusal, check_aws
from runcancel.sandbox.wire import Action, Call, Document, Refusal, Reply, Request, encode
from runcancel.sandbox.world import World

_TARGETS = {
    "AmazonSSM.": "ssm",
    "AWSEvents.": "events",
    state_machines.TARGET: state_machines.SERVICE,
    trail.TARGET: "cloudtrail",
    organizations.TARGET: organizations.SERVICE,
}
"""How `X-Amz-Target` begins, and the service."""

_CHECKED = ("ssm", "events", state_machines.SERVICE)
"""Services whose parameters are checked."""

_REST = ("account", "scheduler")
JSON_TYPE = "application/x-amz-json-1.1"

SSM: dict[str, Action] = {
    "CancelMaintenanceWindowExecution": Action(window_wire.cancel_execution, cancels=True),
    "GetMaintenanceWindowExecution": Action(window_wire.get_execution),
    "DescribeMaintenanceWindows": Action(window_wire.describe_windows, ("WindowIdentities",)),
    "DescribeMaintenanceWindowExecutions": Action(window_wire.describe_executions, ("WindowExecutions",)),
    "DescribeMaintenanceWindowExecutionTasks": Action(window_wire.describe_tasks, ("WindowExecutionTaskIdentities",)),
    "GetMaintenanceWindowExecutionTask": Action(window_wire.get_task),
    "DescribeMaintenanceWindowExecutionTaskInvocations": Action(
        window_wire.describe_invocations, ("WindowExecutionTaskInvocationIdentities",)
    ),
    "GetMaintenanceWindowExecutionTaskInvocation": Action(window_wire.get_invocation),
    "CancelCommand": Action(commands.cancel, cancels=True),
    "ListCommands": Action(commands.list_commands, ("Commands",)),
    "ListCommandInvocations": Action(commands.list_invocations, ("CommandInvocations",)),
    "GetCommandInvocation": Action(commands.get_invocation),
    "StopAutomationExecution": Action(automations.stop, cancels=True, rate=1),
    "GetAutomationExecution": Action(automations.get, rate=3),
    "DescribeAutomationExecutions": Action(automations.describe, ("AutomationExecutionMetadataList",), rate=3),
    "DescribeAutomationStepExecutions": Action(automations.describe_steps, ("StepExecutions",), rate=3),
    **trigger_wire.SSM,
}
OTHERS: dict[tuple[str, str], Action] = {
    ("sts", "GetCallerIdentity"): Action(identity.get_caller_identity),
    ("sts", "AssumeRole"): Action(identity.assume_role),
    ("sts", "AssumeRoleWithWebIdentity"): Action(identity.assume_role_with_web_identity),
    ("ec2", "DescribeRegions"): Action(identity.describe_regions, ("Regions",)),
    ("account", "ListRegions"): Action(identity.list_regions, ("Regions",)),
    **trail.ACTIONS,
    **organizations.ACTIONS,
    **trigger_wire.OTHERS,
    **state_machines.ACTIONS,
}


class Aws:
    provider = "aws"

    def __init__(self, world: World, *, accounts: int) -> None:
        self._world = world
        self._keys = ChainMap(keyring("aws", accounts), world.sessions)

    def read(self, request: Request) -> Call:
        service = service_of(request)
        if service == "sts" and not request.header("authorization"):  # its token proves the caller
            action, params, version = _parse_action(request, service)
            if action == "AssumeRoleWithWebIdentity":
                return Call("aws", service, action, 0, DEFAULT_REGION["aws"], params, version)
        signed = check_aws(request, self._keys, service=service, now=self._world.clock.wall())
        if not self._world.serves("aws", signed.region):
            # A region that is not enabled does not know the account's keys.
            raise aws_refusal("key", service, "The security token included in the request is invalid.")
        action, params, version = _parse_action(request, service)
        key = signed.key
        call = Call("aws", service, action, key.account, signed.region, params, version, principal=key.principal)
        self.action_of(call)
        if service in _CHECKED:
            check(action, params)
        return call

    def action_of(self, call: Call) -> Action:
        action = SSM.get(call.action) if call.service == "ssm" else OTHERS.get((call.service, call.action))
        if action is None:
            in_json = call.service in _TARGETS.values()
            code = "UnknownOperationException" if in_json else "InvalidAction"
            raise Refusal(400, code, f"Unknown operation {call.action}.")
        return action

    def accept(self, call: Call, document: Document, request_id: str) -> Reply:
        headers = {"x-amzn-RequestId": request_id}
        if call.service in identity.VERSIONS:
            return Reply(200, identity.xml_reply(call, document, request_id), headers | {"Content-Type": "text/xml"})
        if call.service in _REST:
            return Reply(200, encode(document), headers | {"Content-Type": "application/json"})
        empty = call.action == "CancelCommand" or call.action in trigger_wire.EMPTY
        return Reply(200, b"" if empty else encode(document), headers | {"Content-Type": _json_type(call.service)})

    def refuse(self, request: Request, refusal: Refusal, request_id: str) -> Reply:
        service = service_of(request)
        headers = {"x-amzn-RequestId": request_id}
        if service in identity.VERSIONS:
            body = identity.xml_error(service, refusal.code, refusal.message, request_id)
            return Reply(refusal.status, body, headers | {"Content-Type": "text/xml"})
        if service in _REST:
            headers |= {"x-amzn-ErrorType": refusal.code, "Content-Type": "application/json"}
            return Reply(refusal.status, encode({"message": refusal.message}), headers)
        document = {"__type": refusal.code} | ({"message": refusal.message} if refusal.message else {})
        headers |= {"Content-Type": _json_type(service)} | refusal.extra.get("headers", {})
        return Reply(refusal.status, encode(document), headers)

    def throttled(self, call: Call) -> Refusal:
        return Refusal(400, "ThrottlingException", "Rate exceeded")

    def denied(self, call: Call) -> Refusal:
        action = f"{call.service}:{call.action}"
        text = f"User: {caller('aws', call.account)['Arn']} is not authorized to perform: {action} on resource: *"
        why = f"because no identity-based policy allows the {action} action"
        return Refusal(400, "AccessDeniedException", f"{text} {why}")

    def expired(self, call: Call) -> Refusal:
        return aws_refusal("expired", call.service, "The security token included in the request is expired")

    def skewed(self, call: Call) -> Refusal:
        return aws_refusal("signature", call.service, "Signature expired: the sender's clock is off by over 5 min.")

    def broken(self, call: Call, status: int) -> Refusal:
        code = "ServiceUnavailable" if status == 503 else "InternalServerError"
        return Refusal(status, code, "An error occurred on the server side.")

    def not_stoppable(self, call: Call) -> Refusal:
        return {
            "StopAutomationExecution": Refusal(
                400, "InvalidAutomationStatusUpdateException", "The automation execution is not in a stoppable state."
            ),
            "CancelCommand": Refusal(400, "InvalidCommandId"),
            "StopExecution": Refusal(400, "ValidationException", "The execution cannot be stopped."),
        }.get(call.action, Refusal(400, "DoesNotExistException", "The window execution is not in progress."))


def _json_type(service: str) -> str:
    return state_machines.JSON_TYPE if service == state_machines.SERVICE else JSON_TYPE


def service_of(request: Request) -> str:
    target = request.header("x-amz-target")
    by_target = next((service for prefix, service in _TARGETS.items() if target.startswith(prefix)), None)
    if by_target is not None:
        return by_target
    if request.path == "/listRegions":
        return "account"
    if request.path.startswith("/schedules"):
        return "scheduler"
    version = dict(parse_qsl(request.body.decode("utf-8", "replace"))).get("Version", "")
    return next((service for service, api_version in identity.VERSIONS.items() if api_version == version), "ssm")


def _parse_action(request: Request, service: str) -> tuple[str, Document, str]:
    if service in identity.VERSIONS:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        return form.pop("Action", ""), dict(form), form.pop("Version", "")
    if service == "scheduler":
        return *trigger_wire.scheduler_request(request), ""
    try:
        params = json.loads(request.body or b"{}")
    except ValueError:
        raise Refusal(400, "SerializationException", "The request body is not JSON.") from None
    if not isinstance(params, dict):
        raise Refusal(400, "SerializationException", "Start of structure or map found where not expected.")
    action = "ListRegions" if service == "account" else request.header("x-amz-target").rpartition(".")[2]
    return action, params, ""
