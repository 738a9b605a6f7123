"""Every reply of every operation fits the vendors' own models: nothing is lost, nothing has the wrong type."""

import inspect
import json
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_oos20190601 import models as oos
from alibabacloud_oos20190601.client import Client as OosClient
from alibabacloud_tea_openapi import utils_models as openapi
from darabonba.runtime import RuntimeOptions
from tencentcloud.tat.v20201028 import models as tat

from .conftest import AUTOMATION, COMMAND, FANOUT, ONE_SHOT, SCHEDULE, TENCENT, WINDOW, Box

SSM_READS = [
    ("DescribeMaintenanceWindows", {}),
    ("DescribeMaintenanceWindowExecutions", {"WindowId": "mw-0c50858d01c0ffee0"}),
    ("GetMaintenanceWindowExecution", {"WindowExecutionId": WINDOW}),
    ("DescribeMaintenanceWindowExecutionTasks", {"WindowExecutionId": WINDOW}),
    ("ListCommands", {}),
    ("ListCommandInvocations", {"Details": True}),
    ("ListCommandInvocations", {"CommandId": COMMAND}),
    ("DescribeAutomationExecutions", {}),
    ("GetAutomationExecution", {"AutomationExecutionId": AUTOMATION}),
    ("GetAutomationExecution", {"AutomationExecutionId": FANOUT}),
    ("DescribeAutomationStepExecutions", {"AutomationExecutionId": AUTOMATION}),
    ("CancelCommand", {"CommandId": "1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4a5b"}),
    ("CancelMaintenanceWindowExecution", {"WindowExecutionId": "0e1f2a3b-4c5d-4e6f-8a7b-8c9d0e1f2a3b"}),
]


def lost(raw: Any, shape: Any, path: str = "") -> Iterator[str]:
    """What of a raw reply does not fit a botocore shape."""
    sort = shape.type_name
    if sort == "structure":
        if not isinstance(raw, dict):
            yield f"{path} is no object"
            return
        for key, value in raw.items():
            if key not in shape.members:
                yield f"{path}.{key} is unknown"
            else:
                yield from lost(value, shape.members[key], f"{path}.{key}")
    elif sort == "list":
        for index, value in enumerate(raw):
            yield from lost(value, shape.member, f"{path}[{index}]")
    elif sort == "map":
        for key, value in raw.items():
            yield from lost(value, shape.value, f"{path}.{key}")
    else:
        yield from misfit(raw, shape, path)


PYTHON = {"string": str, "integer": int, "long": int, "boolean": bool, "timestamp": (int, float)}


def misfit(raw: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(raw, PYTHON[shape.type_name]) or (shape.type_name == "integer" and isinstance(raw, bool)):
        yield f"{path} is {type(raw).__name__}, not {shape.type_name}"
        return
    limits = shape.metadata
    if isinstance(raw, str):
        if not limits.get("min", 0) <= len(raw) <= limits.get("max", 10**9) and raw:
            yield f"{path} has length {len(raw)}"
        # The model's pattern for dates has lost its plus signs, Java classes are not known here.
        pattern = "" if shape.name == "StringDateTime" else limits.get("pattern", "")
        if pattern and raw and "\\p" not in pattern and not re.search(pattern, raw):
            yield f"{path} {raw!r} is not {pattern}"
        if shape.enum and raw and raw not in shape.enum:
            yield f"{path} {raw!r} is none of {shape.enum}"


def ask_aws(client: Any, action: str, params: dict[str, Any]) -> list[str]:
    raw: list[bytes] = []

    def remember(http_response: Any, **_: Any) -> None:
        raw.append(http_response.content)

    client.meta.events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}.*", remember)
    method = "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_")
    parsed = getattr(client, method)(**params)
    assert parsed["ResponseMetadata"]["RequestId"]
    shape = client.meta.service_model.operation_model(action).output_shape
    if shape is None:  # an operation without output
        return [] if raw[-1] == b"" else [f"{action} has a body: {raw[-1]!r}"]
    return list(lost(json.loads(raw[-1] or b"{}"), shape, action))


@pytest.mark.parametrize(("action", "params"), SSM_READS)
def test_aws_replies_fit_the_service_model(still: Box, action: str, params: dict[str, Any]) -> None:
    assert ask_aws(still.aws(), action, params) == []


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("ListRoots", {}),
        ("ListAccounts", {}),
        ("ListAccountsForParent", {"ParentId": "r-sbox"}),
        ("ListOrganizationalUnitsForParent", {"ParentId": "r-sbox"}),
        ("ListTagsForResource", {"ResourceId": "111122223333"}),
    ],
)
def test_organizations_replies_fit_the_service_model(still: Box, action: str, params: dict[str, Any]) -> None:
    assert ask_aws(still.aws("organizations"), action, params) == []


EXECUTIONS = "arn:aws:states:us-east-2:111122223333:execution:nightly-etl:etl-2026-11-"


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("ListStateMachines", {}),
        ("ListExecutions", {"stateMachineArn": "arn:aws:states:us-east-2:111122223333:stateMachine:nightly-etl"}),
        ("DescribeExecution", {"executionArn": f"{EXECUTIONS}27"}),
        ("DescribeExecution", {"executionArn": f"{EXECUTIONS}26", "includedData": "METADATA_ONLY"}),
        ("StopExecution", {"executionArn": f"{EXECUTIONS}26"}),
    ],
)
def test_step_functions_replies_fit_the_service_model(still: Box, action: str, params: dict[str, Any]) -> None:
    assert ask_aws(still.aws("stepfunctions"), action, params) == []


def test_aws_window_tasks_and_invocations_fit_the_service_model(still: Box) -> None:
    client = still.aws()
    tasks = client.describe_maintenance_window_execution_tasks(WindowExecutionId=WINDOW)
    for task in tasks["WindowExecutionTaskIdentities"]:
        names = {"WindowExecutionId": WINDOW, "TaskId": task["TaskExecutionId"]}
        assert ask_aws(client, "GetMaintenanceWindowExecutionTask", names) == []
        assert ask_aws(client, "DescribeMaintenanceWindowExecutionTaskInvocations", names) == []
        found = client.describe_maintenance_window_execution_task_invocations(**names)
        one = found["WindowExecutionTaskInvocationIdentities"][0]["InvocationId"]
        assert ask_aws(client, "GetMaintenanceWindowExecutionTaskInvocation", names | {"InvocationId": one}) == []


def test_aws_output_and_every_automation_fit_the_service_model(still: Box) -> None:
    client = still.aws()
    rows = client.list_command_invocations(MaxResults=50)["CommandInvocations"]
    for row in rows[::5]:
        names = {"CommandId": row["CommandId"], "InstanceId": row["InstanceId"]}
        assert ask_aws(client, "GetCommandInvocation", names) == []
    for row in client.describe_automation_executions(MaxResults=20)["AutomationExecutionMetadataList"]:
        names = {"AutomationExecutionId": row["AutomationExecutionId"]}
        assert ask_aws(client, "GetAutomationExecution", names) == []


def test_aws_output_in_a_bucket_fits_the_service_model(still: Box) -> None:
    client = still.aws()
    for name in ("chatty", "defrag"):
        sent = next(each for each in client.list_commands()["Commands"] if each["Comment"] == name)
        names = {"CommandId": sent["CommandId"], "InstanceId": sent["InstanceIds"][0]}
        assert sent["OutputS3BucketName"] == "ops-logs"
        assert ask_aws(client, "GetCommandInvocation", names) == []
        assert ask_aws(client, "ListCommandInvocations", {"CommandId": sent["CommandId"], "Details": True}) == []


def test_aws_shows_output_only_when_it_is_over(still: Box) -> None:
    client = still.aws()
    rows = client.list_command_invocations(CommandId=COMMAND, MaxResults=50, Details=True)["CommandInvocations"]
    assert {bool(row["CommandPlugins"][0]["Output"]) for row in rows if row["Status"] == "InProgress"} == {False}
    assert {bool(row["CommandPlugins"][0]["Output"]) for row in rows if row["Status"] == "Success"} == {True}


def test_aws_neighbours_answer(still: Box) -> None:
    identity = still.aws("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("111122223333", "arn:aws:iam::111122223333:user/sandbox")
    enabled = [row["RegionName"] for row in still.aws("ec2").describe_regions()["Regions"]]
    assert "us-east-2" in enabled
    listed = still.aws("account").list_regions(RegionOptStatusContains=["ENABLED_BY_DEFAULT"])["Regions"]
    assert [row["RegionName"] for row in listed] == enabled


ECS_READS = [
    ("DescribeInvocations", {"RegionId": "cn-hangzhou", "MaxResults": 50}),
    ("DescribeInvocations", {"RegionId": "cn-hangzhou", "InvokeId": ONE_SHOT, "IncludeOutput": True}),
    ("DescribeInvocationResults", {"RegionId": "cn-hangzhou", "MaxResults": 50}),
    ("DescribeInvocationResults", {"RegionId": "cn-hangzhou", "InvokeId": SCHEDULE, "IncludeHistory": True}),
    ("DescribeRegions", {}),
    ("StopInvocation", {"RegionId": "cn-hangzhou", "InvokeId": "t-7d2a745b412b4601b2d47f6a768d0009"}),
]


def ask_alibaba(box: Box, action: str, params: dict[str, Any], version: str = "2014-05-26") -> Any:
    client = box.alibaba()
    call = openapi.Params(
        action=action,
        version=version,
        protocol="HTTP",
        method="POST",
        auth_type="AK",
        style="RPC",
        pathname="/",
        req_body_type="formData",
        body_type="json",
    )
    query = {key: str(value) for key, value in params.items()}
    return client.call_api(call, openapi.OpenApiRequest(query=query), RuntimeOptions())["body"]


def wrong_types(model: Any, path: str) -> Iterator[str]:
    """Values of a typed Alibaba model that are not what its constructor says."""
    for name, parameter in inspect.signature(type(model).__init__).parameters.items():
        value = getattr(model, name, None)
        if name == "self" or value is None:
            continue
        said = str(parameter.annotation)
        if said in ("str", "int", "bool"):
            if type(value).__name__ != said:
                yield f"{path}.{name} is {type(value).__name__}, not {said}"
            continue
        for inner in value if isinstance(value, list) else [value]:
            yield from wrong_types(inner, f"{path}.{name}")


@pytest.mark.parametrize(("action", "params"), ECS_READS)
def test_alibaba_replies_survive_the_typed_models(still: Box, action: str, params: dict[str, Any]) -> None:
    raw = ask_alibaba(still, action, params)

    model = getattr(ecs, f"{action}ResponseBody")().from_map(raw)

    assert model.to_map() == raw
    assert list(wrong_types(model, action)) == []


EXECUTION = {"RegionId": "cn-hangzhou", "ExecutionId": "exec-7d2a745b412b4601b2d4"}
OOS_READS = [
    ("ListExecutions", {"RegionId": "cn-hangzhou"}, oos.ListExecutionsResponseBody),
    ("ListExecutions", {**EXECUTION, "IncludeChildExecution": "true"}, oos.ListExecutionsResponseBody),
    ("ListTaskExecutions", EXECUTION, oos.ListTaskExecutionsResponseBody),
    (
        "ListTaskExecutionInvocations",
        {"RegionId": "cn-hangzhou", "TaskExecutionId": "exec-7d2a745b412b4601b2d4.0002"},
        oos.ListTaskExecutionInvocationsResponseBody,
    ),
]


@pytest.mark.parametrize(("action", "params", "model"), OOS_READS)
def test_oos_replies_survive_the_typed_models(still: Box, action: str, params: dict[str, Any], model: Any) -> None:
    raw = ask_alibaba(still, action, params, "2019-06-01")

    assert model().from_map(raw).to_map() == raw


def test_the_typed_client_of_oos_lists_and_cancels(start: Callable[..., Box]) -> None:
    box = start()
    client = OosClient(box.alibaba_config())

    (listed,) = client.list_executions(oos.ListExecutionsRequest(**_OOS_NAMES)).body.executions
    assert (listed.status, listed.template_name, listed.category) == ("Running", "patch-fleet", "Other")
    tasks = client.list_task_executions(oos.ListTaskExecutionsRequest(**_OOS_NAMES)).body.task_executions
    assert [task.status for task in tasks] == ["Success", "Running", "Pending", "Pending"]
    assert client.cancel_execution(oos.CancelExecutionRequest(**_OOS_NAMES)).body.request_id
    with pytest.raises(Exception, match="EntityNotExists"):
        client.cancel_execution(oos.CancelExecutionRequest(region_id="cn-hangzhou", execution_id="exec-00000000"))


_OOS_NAMES = {"region_id": "cn-hangzhou", "execution_id": "exec-7d2a745b412b4601b2d4"}


def test_alibaba_caller_is_known(still: Box) -> None:
    raw = ask_alibaba(still, "GetCallerIdentity", {}, "2015-04-01")
    assert raw["AccountId"] == "1234567890123456"
    assert raw["Arn"].startswith("acs:ram::1234567890123456:")


@pytest.mark.parametrize(("name", "field"), [("chatty", "oss_output_uri"), ("defrag", "oss_output_error_info")])
def test_alibaba_output_in_a_bucket_survives_the_typed_models(still: Box, name: str, field: str) -> None:
    listed = ask_alibaba(still, "DescribeInvocations", {"RegionId": "cn-hangzhou", "CommandName": name})
    id = listed["Invocations"]["Invocation"][0]["InvokeId"]
    raw = ask_alibaba(still, "DescribeInvocationResults", {"RegionId": "cn-hangzhou", "InvokeId": id})

    model = ecs.DescribeInvocationResultsResponseBody().from_map(raw)

    assert model.to_map() == raw
    assert list(wrong_types(model, name)) == []
    assert getattr(model.invocation.invocation_results.invocation_result[0], field)


TAT_READS = [
    ("DescribeInvocations", {"Limit": 100}),
    ("DescribeInvocationTasks", {"Limit": 100, "HideOutput": False}),
    ("DescribeInvokers", {}),
    ("DescribeInvokerRecords", {}),
    ("DescribeCommands", {}),
    ("DescribeAutomationAgentStatus", {}),
    ("DescribeRegions", {}),
    ("CancelInvocation", {"InvocationId": "inv-0ended0001"}),
]


def untyped(model: Any, path: str) -> Iterator[str]:
    """Values of a typed Tencent model that are not what its property documents."""
    for name, member in inspect.getmembers(type(model), lambda each: isinstance(each, property)):
        value, match = getattr(model, name), re.search(r":rtype: (.+)", member.__doc__ or "")
        said = match[1].strip() if match else ""
        if value is None or not said:
            continue
        if said in ("str", "int", "bool"):
            if type(value).__name__ != said:
                yield f"{path}.{name} is {type(value).__name__}, not {said}"
        elif said.startswith(("list of", ":class:")) and said != "list of str":
            for inner in value if isinstance(value, list) else [value]:
                yield from untyped(inner, f"{path}.{name}")


def filled(value: Any) -> Any:
    """Without the nulls that the typed models leave out."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items() if inner is not None}
    return [filled(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("action", "params"), TAT_READS)
def test_tencent_replies_survive_the_typed_models(still: Box, action: str, params: dict[str, Any]) -> None:
    raw = still.tencent().call_json(action, params)["Response"]
    model = getattr(tat, f"{action}Response")()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model._deserialize(raw)

    assert filled(json.loads(model.to_json_string())) == filled(raw)
    assert list(untyped(model, action)) == []


@pytest.mark.parametrize(
    ("service", "version", "action"),
    [
        ("sts", "2018-08-13", "GetCallerIdentity"),
        ("region", "2022-06-27", "DescribeRegions"),
        ("cvm", "2017-03-12", "DescribeRegions"),
    ],
)
def test_tencent_neighbours_answer(still: Box, service: str, version: str, action: str) -> None:
    client = still.tencent()
    client._service, client._apiVersion = service, version
    params = {"Product": "tat"} if service == "region" else {}

    reply = client.call_json(action, params)["Response"]

    assert "Error" not in reply
    assert reply.get("Arn", "").startswith("qcs::cam::uin/100000000001:") or "ap-guangzhou" in json.dumps(reply)


def test_tencent_hides_output_unless_asked(still: Box) -> None:
    params = {"Filters": [{"Name": "invocation-id", "Values": [TENCENT]}]}
    hidden = still.tencent().call_json("DescribeInvocationTasks", params)["Response"]["InvocationTaskSet"]
    shown = still.tencent().call_json("DescribeInvocationTasks", params | {"HideOutput": False})["Response"]
    assert {task["TaskResult"]["Output"] for task in hidden} == {""}
    assert any(task["TaskResult"]["Output"] for task in shown["InvocationTaskSet"])
