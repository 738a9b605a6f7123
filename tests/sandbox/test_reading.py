"""Lists: filters, every style of paging, limits of size and rate, output."""

import base64
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as ecs
from botocore.exceptions import ClientError
from darabonba.exceptions import DaraException
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from runcancel.sandbox.accounts import REGIONS

from .conftest import AUTOMATION, COMMAND, ONE_SHOT, SCHEDULE, WINDOW, Box

NIGHTLY = "mw-0c50858d01c0ffee0"


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("method", "params", "rows"),
    [
        ("describe_maintenance_windows", {}, "WindowIdentities"),
        ("describe_maintenance_window_executions", {"WindowId": NIGHTLY}, "WindowExecutions"),
        ("list_commands", {}, "Commands"),
        ("list_command_invocations", {"CommandId": COMMAND}, "CommandInvocations"),
        ("describe_automation_executions", {}, "AutomationExecutionMetadataList"),
    ],
)
def test_aws_pages_join_without_gaps(still: Box, method: str, params: dict[str, Any], rows: str) -> None:
    client = still.aws()
    pages = list(client.get_paginator(method).paginate(**params, PaginationConfig={"PageSize": 10}))
    whole = [row for page in pages for row in page[rows]]
    assert len(pages) > 1
    assert all(len(page[rows]) == 10 for page in pages[:-1])
    assert len({repr(sorted(row.items(), key=str)) for row in whole}) == len(whole)


def test_aws_window_pages_end_with_an_empty_token(still: Box) -> None:
    assert still.aws().describe_maintenance_windows(MaxResults=100)["NextToken"] == ""


@pytest.mark.parametrize("size", [9, 101])
def test_aws_window_pages_hold_ten_to_a_hundred(still: Box, size: int) -> None:
    client = still.aws()
    client.meta.config.parameter_validation = False
    with pytest.raises(ClientError) as caught:
        _unchecked(client).describe_maintenance_windows(MaxResults=size)
    assert code_of(caught) == "ValidationException"


def _unchecked(client: Any) -> Any:
    client._serializer = _Raw(client._serializer)
    return client


class _Raw:
    """The SDK's serializer without its own validation."""

    def __init__(self, inner: Any) -> None:
        self._inner = getattr(inner, "_serializer", inner)

    def serialize_to_request(self, *args: Any) -> Any:
        return self._inner.serialize_to_request(*args)


def test_a_token_continues_only_its_own_query(still: Box) -> None:
    client = still.aws()
    token = client.list_commands(MaxResults=5)["NextToken"]
    with pytest.raises(ClientError) as caught:
        client.list_commands(MaxResults=5, NextToken=token, Filters=[{"key": "Status", "value": "Success"}])
    assert code_of(caught) == "InvalidNextToken"


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("Status", "Pending", {"Pending"}),
        ("Status", "DeliveryTimedOut", set()),
        ("ExecutionStage", "Executing", {"Pending", "InProgress"}),
        ("DocumentName", "AWS-RunPatchBaseline", {"Pending"}),
    ],
)
def test_aws_commands_are_filtered(still: Box, key: str, value: str, status: set[str]) -> None:
    found = still.aws().list_commands(Filters=[{"key": key, "value": value}])["Commands"]
    assert {command["Status"] for command in found} == status


def test_aws_filters_know_their_keys_only(still: Box) -> None:
    with pytest.raises(ClientError) as caught:
        still.aws().list_command_invocations(Filters=[{"key": "ExecutionStage", "value": "Executing"}])
    assert code_of(caught) == "InvalidFilterKey"


@pytest.mark.parametrize(
    ("call", "filters"),
    [
        ("list_commands", [{"key": "Status", "value": "Nonsense"}]),
        ("list_commands", [{"key": "ExecutionStage", "value": "Nonsense"}]),
        ("list_command_invocations", [{"key": "Status", "value": "NoInstancesInTag"}]),
        ("describe_automation_executions", [{"Key": "ExecutionStatus", "Values": ["InProgress", "Nonsense"]}]),
        ("describe_automation_executions", [{"Key": "AutomationType", "Values": ["Nonsense"]}]),
        ("describe_automation_step_executions", [{"Key": "StepExecutionStatus", "Values": ["Nonsense"]}]),
        ("describe_maintenance_windows", [{"Key": "Enabled", "Values": ["Nonsense"]}]),
        ("describe_maintenance_window_execution_tasks", [{"Key": "STATUS", "Values": ["Nonsense"]}]),
    ],
)
def test_aws_filters_know_their_words_only(still: Box, call: str, filters: list[dict[str, Any]]) -> None:
    needed = {"step": {"AutomationExecutionId": AUTOMATION}, "tasks": {"WindowExecutionId": WINDOW}}
    more = next((params for part, params in needed.items() if part in call), {})
    with pytest.raises(ClientError) as caught:
        getattr(still.aws(), call)(Filters=filters, **more)
    assert code_of(caught) == "InvalidFilterValue"


def test_an_aws_entry_of_targets_has_fifty_values_at_most(still: Box) -> None:
    client = still.aws()
    pages = client.get_paginator("describe_automation_executions").paginate()
    automations = [each for page in pages for each in page["AutomationExecutionMetadataList"]]
    listed = client.list_commands()["Commands"] + automations
    assert max(len(entry["Values"]) for each in listed for entry in each["Targets"]) <= 50
    fleet = next(each for each in automations if each["DocumentName"] == "Patch-Fleet" and each["Targets"])
    assert fleet["Targets"] == [{"Key": "tag:Role", "Values": ["web"]}]
    assert len(fleet["ResolvedTargets"]["ParameterValues"]) == 50
    assert fleet["ResolvedTargets"]["Truncated"] is True


def test_aws_executions_are_filtered_by_time(still: Box) -> None:
    client = still.aws()
    everything = client.describe_maintenance_window_executions(WindowId=NIGHTLY, MaxResults=100)["WindowExecutions"]
    middle = everything[1]["StartTime"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = client.describe_maintenance_window_executions(
        WindowId=NIGHTLY, Filters=[{"Key": "ExecutedAfter", "Values": [middle]}]
    )["WindowExecutions"]
    assert 0 < len(after) < len(everything)


def test_unknown_things_are_not_found(still: Box) -> None:
    client, nothing = still.aws(), "00000000-0000-4000-8000-000000000000"
    with pytest.raises(client.exceptions.DoesNotExistException):
        client.get_maintenance_window_execution(WindowExecutionId=nothing)
    with pytest.raises(client.exceptions.AutomationExecutionNotFoundException):
        client.get_automation_execution(AutomationExecutionId=nothing)
    assert client.list_command_invocations(CommandId=nothing)["CommandInvocations"] == []
    with pytest.raises(client.exceptions.InvocationDoesNotExist):
        client.get_command_invocation(CommandId=COMMAND, InstanceId="i-0123456789abcdef0")
    with pytest.raises(client.exceptions.InvocationDoesNotExist):
        client.get_command_invocation(CommandId=nothing, InstanceId="i-0123456789abcdef0")


def test_the_kinds_do_not_mix(still: Box) -> None:
    client = still.aws()
    with pytest.raises(client.exceptions.DoesNotExistException):
        client.get_maintenance_window_execution(WindowExecutionId=COMMAND)
    assert client.list_commands(CommandId=AUTOMATION)["Commands"] == []
    with pytest.raises(client.exceptions.AutomationExecutionNotFoundException):
        client.get_automation_execution(AutomationExecutionId=WINDOW)


def describe(box: Box, **params: Any) -> Any:
    query = ecs.DescribeInvocationsRequest(region_id="cn-hangzhou", **params)
    return box.alibaba().describe_invocations(query).body


def test_alibaba_pages_by_token_and_by_number(still: Box) -> None:
    tokens, token = [], ""
    while True:
        body = describe(still, max_results=5, next_token=token)
        tokens += [each.invoke_id for each in body.invocations.invocation]
        token = body.next_token
        if not token:
            break
    first = describe(still, page_number=1, page_size=10)
    second = describe(still, page_number=2, page_size=10)
    numbers = [each.invoke_id for body in (first, second) for each in body.invocations.invocation]
    assert len(tokens) == len(set(tokens)) == first.total_count
    assert numbers == tokens[:20]


def test_alibaba_results_page_inside_the_invocation(still: Box) -> None:
    query = ecs.DescribeInvocationResultsRequest(region_id="cn-hangzhou", invoke_id=ONE_SHOT, max_results=30)
    body = still.alibaba().describe_invocation_results(query).body.invocation
    assert len(body.invocation_results.invocation_result) == 30
    assert body.next_token


def test_alibaba_filters(still: Box) -> None:
    assert {each.invocation_status for each in describe(still, invoke_status="Pending").invocations.invocation} == {
        "Pending"
    }
    timed = describe(still, timed=True).invocations.invocation
    assert {each.repeat_mode for each in timed} == {"Period"}
    assert describe(still, invoke_id="t-nothing").invocations.invocation == []
    running = describe(still, invoke_id=SCHEDULE).invocations.invocation[0].invoke_instances.invoke_instance
    assert describe(still, instance_id=running[0].instance_id).invocations.invocation


@pytest.mark.parametrize(("params", "code"), [({"max_results": 51}, "InvalidParameter.MaxResults")])
def test_alibaba_page_sizes_are_bounded(still: Box, params: dict[str, Any], code: str) -> None:
    with pytest.raises(DaraException) as caught:
        describe(still, **params)
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_alibaba_regions_are_checked(still: Box) -> None:
    with pytest.raises(DaraException) as caught:
        still.alibaba().describe_invocations(ecs.DescribeInvocationsRequest(region_id="cn-nowhere"))
    assert caught.value.code == "InvalidRegionId.NotFound"  # type: ignore[attr-defined]


def test_alibaba_output_is_coded_and_cut(still: Box) -> None:
    chatty = next(
        each for each in describe(still, page_size=50).invocations.invocation if each.command_name == "chatty"
    )
    shown = describe(still, invoke_id=chatty.invoke_id, include_output=True).invocations.invocation[0]
    plain = describe(still, invoke_id=chatty.invoke_id, include_output=True, content_encoding="PlainText")
    row = shown.invoke_instances.invoke_instance[0]
    text = plain.invocations.invocation[0].invoke_instances.invoke_instance[0].output
    assert base64.b64decode(row.output).decode() == text
    assert row.dropped > 0


def invocations(box: Box, **params: Any) -> Any:
    return box.tencent().call_json("DescribeInvocations", params)["Response"]


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        ("DescribeInvocations", "invoke_status", "Nonsense"),
        ("DescribeInvocations", "repeat_mode", "Sometimes"),
        ("DescribeInvocations", "content_encoding", "Base32"),
        ("DescribeInvocationResults", "invoke_record_status", "Nonsense"),
    ],
)
def test_alibaba_words_are_checked(still: Box, call: str, name: str, value: str) -> None:
    request = getattr(ecs, f"{call}Request")(region_id="cn-hangzhou", **{name: value})
    send = {"DescribeInvocations": "describe_invocations", "DescribeInvocationResults": "describe_invocation_results"}
    with pytest.raises(DaraException) as caught:
        getattr(still.alibaba(), send[call])(request)
    parameter = "".join(part.capitalize() for part in name.split("_"))
    assert caught.value.code == f"InvalidParameter.{parameter}"  # type: ignore[attr-defined]


def test_tencent_pages_by_offset(still: Box) -> None:
    first, ids = invocations(still), []
    for offset in range(0, first["TotalCount"], 20):
        ids += [each["InvocationId"] for each in invocations(still, Offset=offset)["InvocationSet"]]
    assert first["TotalCount"] > 20 == len(first["InvocationSet"])
    assert len(set(ids)) == len(ids) == first["TotalCount"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Limit": 101}, "InvalidParameterValue.TooLarge"),
        ({"Limit": "20"}, "InvalidParameter"),
        ({"InvocationIds": ["inv-ib2lld37"] * 101}, "InvalidParameterValue.LimitExceeded"),
        (
            {"InvocationIds": ["inv-ib2lld37"], "Filters": [{"Name": "command-id", "Values": ["c"]}]},
            "InvalidParameter.ConflictParameter",
        ),
        ({"Filters": [{"Name": "status", "Values": ["RUNNING"]}]}, "InvalidParameterValue.InvalidFilter"),
        ({"Filters": [{"Name": "command-id", "Values": ["c"] * 6}]}, "LimitExceeded.FilterValueExceeded"),
        ({"Filters": [{"Name": "instance-kind", "Values": ["PC"]}]}, "InvalidParameterValue.InvalidFilter"),
    ],
)
def test_tencent_limits(still: Box, params: dict[str, Any], code: str) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        invocations(still, **params)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("CancelInvocation", {"InvocationId": "inv-ib2lld37", "InstanceIds": ["i-0123456789abcdef0"]}),
        ("DescribeInvocationTasks", {"Filters": [{"Name": "instance-id", "Values": ["machine 7"]}]}),
        ("DescribeAutomationAgentStatus", {"InstanceIds": ["ins_0a1b2c3d"]}),
    ],
)
def test_tencent_instances_have_a_shape(still: Box, action: str, params: dict[str, Any]) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        still.tencent().call_json(action, params)
    assert caught.value.code == "InvalidParameterValue.InvalidInstanceId"


@pytest.mark.parametrize(("sort", "prefix"), [("CVM", "ins-"), ("LIGHTHOUSE", "lhins-"), ("TAT", "rins-")])
def test_tencent_runs_are_on_machines_of_three_sorts(still: Box, sort: str, prefix: str) -> None:
    found = invocations(still, Filters=[{"Name": "instance-kind", "Values": [sort]}])["InvocationSet"]
    machines = {task["InstanceId"] for run in found for task in run["InvocationTaskBasicInfoSet"]}
    assert {run["InstanceKind"] for run in found} == {sort}
    assert {machine.partition("-")[0] + "-" for machine in machines} == {prefix}


def test_tencent_regions_are_checked(still: Box) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        still.tencent(region="ap-nowhere").call_json("DescribeInvocations", {})
    assert caught.value.code == "UnsupportedRegion"


def test_published_rates_are_enforced_when_asked(start: Callable[..., Box]) -> None:
    box = start(limits=True)
    aws, tencent = box.aws(), box.tencent()
    with pytest.raises(ClientError) as caught:
        repeat(10, lambda: aws.get_automation_execution(AutomationExecutionId=AUTOMATION))
    assert code_of(caught) == "ThrottlingException"
    with pytest.raises(TencentCloudSDKException) as refused:
        repeat(60, lambda: tencent.call_json("DescribeInvocations", {"Limit": 1}))
    assert refused.value.code == "RequestLimitExceeded"
    assert len(box.control("GET", "requests")) > 3 + 20


def repeat(times: int, call: Callable[[], object]) -> None:
    for _ in range(times):
        call()


def test_every_region_has_runs_of_every_kind_in_many_states(still: Box) -> None:
    truth = still.control("GET", "truth")
    kinds = {
        "aws": {"maintenance-window", "command", "automation"},
        "alibaba": {"invocation"},
        "tencent": {"invocation"},
    }
    for provider, regions in REGIONS.items():
        for region in regions:
            here = [run for run in truth if (run["provider"], run["region"]) == (provider, region)]
            assert {run["kind"] for run in here} >= kinds[provider]
            for kind in kinds[provider]:
                runs = [run for run in here if run["kind"] == kind]
                assert {"pending", "running", "succeeded", "failed", "timed_out"} <= {run["state"] for run in runs}
                assert max(len(run["targets"]) for run in runs) >= 60


def test_the_same_seed_gives_the_same_ids(start: Callable[..., Box]) -> None:
    one, two, other = ({run["id"] for run in start(seed=seed).control("GET", "truth")} for seed in (7, 7, 8))
    assert one == two != other


def test_the_same_seed_gives_the_same_ids_to_later_runs(start: Callable[..., Box]) -> None:
    runs = [
        {"provider": "aws", "kind": "automation", "targets": {"pending": 3}},
        {"provider": "alibaba", "kind": "invocation", "count": 2},
        {"provider": "tencent", "kind": "invocation", "instance_kind": "LIGHTHOUSE"},
    ]
    one, two = (start(seed=seed, runs=runs).control("POST", "runs", runs)["ids"] for seed in (7, 7))

    assert one == two
    assert len(set(one)) == 4


def test_aws_output_is_cut_at_its_head(still: Box) -> None:
    client = still.aws()
    chatty = next(each for each in client.list_commands()["Commands"] if each["Comment"] == "chatty")
    shown = client.get_command_invocation(CommandId=chatty["CommandId"], InstanceId=chatty["InstanceIds"][0])
    assert len(shown["StandardOutputContent"]) == 24_000
    assert shown["StandardOutputContent"].startswith("line 00001")


def test_hostile_text_travels_unharmed(still: Box) -> None:
    names = [each["Comment"] for each in still.aws().list_commands()["Commands"]]
    names += [each["CommandName"] for each in invocations(still)["InvocationSet"]]
    assert sum("\x1b[31m" in name and "\u202e" in name for name in names) == 2
