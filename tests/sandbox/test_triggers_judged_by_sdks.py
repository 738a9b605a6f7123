"""Replies about triggers fit the vendors' models; boto3 and the Tencent SDK switch what the program switches."""

import json
import warnings
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.tat.v20201028 import models as tat

from .conftest import Box
from .test_judged_by_sdks import ask_aws, filled, untyped

WINDOW = "mw-0c50858d01c0ffee0"
EVENTS = [
    ("ListEventBuses", {}),
    ("ListRules", {}),
    ("ListRules", {"EventBusName": "ops"}),
    ("DescribeRule", {"Name": "nightly-cleanup"}),
    ("DescribeRule", {"Name": "restart-on-alarm", "EventBusName": "ops"}),
    ("ListTargetsByRule", {"Rule": "nightly-cleanup"}),
    ("ListTargetsByRule", {"Rule": "restart-on-alarm", "EventBusName": "ops"}),
    ("DisableRule", {"Name": "mail-only"}),
    ("EnableRule", {"Name": "mail-only"}),
]
SSM = [
    ("GetMaintenanceWindow", {"WindowId": WINDOW}),
    ("UpdateMaintenanceWindow", {"WindowId": WINDOW, "Enabled": True}),
    ("DescribeMaintenanceWindowTasks", {"WindowId": WINDOW}),
    ("DescribeMaintenanceWindowTargets", {"WindowId": WINDOW}),
    ("ListAssociations", {}),
]


@pytest.mark.parametrize(("action", "params"), EVENTS)
def test_replies_of_eventbridge_fit_the_service_model(still: Box, action: str, params: dict[str, Any]) -> None:
    assert ask_aws(still.aws("events"), action, params) == []


@pytest.mark.parametrize(("action", "params"), SSM)
def test_replies_about_windows_and_associations_fit_the_service_model(
    still: Box, action: str, params: dict[str, Any]
) -> None:
    assert ask_aws(still.aws(), action, params) == []


def test_each_task_of_each_window_and_each_association_fits_the_service_model(still: Box) -> None:
    client = still.aws()
    for window in client.describe_maintenance_windows()["WindowIdentities"]:
        for task in client.describe_maintenance_window_tasks(WindowId=window["WindowId"])["Tasks"]:
            names = {"WindowId": window["WindowId"], "WindowTaskId": task["WindowTaskId"]}
            assert ask_aws(client, "GetMaintenanceWindowTask", names) == []
    for each in client.list_associations()["Associations"]:
        assert ask_aws(client, "DescribeAssociation", {"AssociationId": each["AssociationId"]}) == []


def test_replies_of_scheduler_fit_the_service_model(still: Box) -> None:
    client = still.aws("scheduler")
    listed = client.list_schedules()["Schedules"]

    assert ask_aws(client, "ListSchedules", {}) == []
    assert listed
    for each in listed:
        assert ask_aws(client, "GetSchedule", {"Name": each["Name"], "GroupName": each["GroupName"]}) == []


def test_boto3_switches_a_window_and_reads_what_it_switched(box: Box) -> None:
    client = box.aws()

    before = client.get_maintenance_window(WindowId=WINDOW)
    reply = client.update_maintenance_window(WindowId=WINDOW, Enabled=False)
    after = client.get_maintenance_window(WindowId=WINDOW)

    assert (before["Enabled"], reply["Enabled"], after["Enabled"]) == (True, False, False)
    assert after["ModifiedDate"] > before["ModifiedDate"]
    changed = {"Enabled", "ModifiedDate", "NextExecutionTime", "ResponseMetadata"}
    assert {key: after.get(key) for key in before.keys() - changed} == {
        key: value for key, value in before.items() if key not in changed
    }


def test_boto3_switches_a_rule_and_meets_the_codes_of_aws(box: Box) -> None:
    client = box.aws("events")

    client.disable_rule(Name="nightly-cleanup")
    assert client.describe_rule(Name="nightly-cleanup")["State"] == "DISABLED"
    client.enable_rule(Name="nightly-cleanup")
    assert client.describe_rule(Name="nightly-cleanup")["State"] == "ENABLED"

    for name, code in (("PatchOnDrift", "ManagedRuleException"), ("no-such-rule", "ResourceNotFoundException")):
        with pytest.raises(ClientError) as raised:
            client.disable_rule(Name=name)
        assert raised.value.response["Error"]["Code"] == code


def invoker(box: Box) -> dict[str, Any]:
    (one,) = box.tencent().call_json("DescribeInvokers", {})["Response"]["InvokerSet"]
    found: dict[str, Any] = one
    return found


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("DescribeInvokers", {"InvokerIds": ["InvokerId"]}),
        ("DescribeInvokerRecords", {"InvokerIds": ["InvokerId"]}),
        ("DescribeCommands", {"CommandIds": ["CommandId"]}),
        ("DisableInvoker", {"InvokerId": "InvokerId"}),
        ("EnableInvoker", {"InvokerId": "InvokerId"}),
    ],
)
def test_replies_about_invokers_survive_the_typed_models(still: Box, action: str, given: dict[str, Any]) -> None:
    one = invoker(still)
    params = {name: [one[field[0]]] if isinstance(field, list) else one[field] for name, field in given.items()}

    raw = still.tencent().call_json(action, params)["Response"]
    model = getattr(tat, f"{action}Response")()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model._deserialize(raw)

    assert filled(json.loads(model.to_json_string())) == filled(raw)
    assert list(untyped(model, action)) == []


def test_the_tencent_sdk_switches_an_invoker_and_meets_its_codes(box: Box) -> None:
    client, one = box.tencent(), invoker(box)

    for action, state in (("Disable", False), ("Enable", True)):
        request = getattr(tat, f"{action}InvokerRequest")()
        request.InvokerId = one["InvokerId"]
        getattr(client, f"{action}Invoker")(request)
        assert invoker(box)["Enable"] is state

    for id, code in (("ivk-00000000", "ResourceNotFound"), ("x", "InvalidParameterValue.InvalidInvokerId")):
        request = tat.DisableInvokerRequest()
        request.InvokerId = id
        with pytest.raises(TencentCloudSDKException) as raised:
            client.DisableInvoker(request)
        assert raised.value.get_code() == code
