"""The audit logs of the sandbox, asked by the vendors' own clients."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_openapi.utils_models import Config as AlibabaConfig
from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
from botocore.exceptions import ClientError
from darabonba.runtime import RuntimeOptions
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from runcancel.sandbox.accounts import key

from .conftest import AUTOMATION, COMMAND, ONE_SHOT, TENCENT, Box
from .test_judged_by_sdks import ask_aws

NAMED = [{"AttributeKey": "EventName", "AttributeValue": "SendCommand"}]


def action_trail(box: Box, **query: str) -> dict[str, Any]:
    pair = key("alibaba", 0)
    config = AlibabaConfig(
        access_key_id=pair.id,
        access_key_secret=pair.secret,
        region_id="cn-hangzhou",
        endpoint=f"127.0.0.1:{box.port}",
        protocol="http",
    )
    params = Params(
        action="LookupEvents",
        version="2020-07-06",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    answer = OpenApiClient(config).call_api(params, OpenApiRequest(query=query), RuntimeOptions())
    return dict(answer["body"])


def cloud_audit(box: Box, **params: Any) -> dict[str, Any]:
    pair = key("tencent", 0)
    profile = ClientProfile(httpProfile=HttpProfile(endpoint=f"127.0.0.1:{box.port}", protocol="http"))
    client = CommonClient("cloudaudit", "2019-03-19", Credential(pair.id, pair.secret), "ap-guangzhou", profile)
    return dict(client.call_json("DescribeEvents", params)["Response"])


def test_cloudtrail_tells_who_sent_a_command(still: Box) -> None:
    client = still.aws("cloudtrail")
    pages = client.get_paginator("lookup_events").paginate(LookupAttributes=NAMED, PaginationConfig={"PageSize": 5})
    found = [event for page in pages for event in page["Events"]]

    assert {event["EventName"] for event in found} == {"SendCommand"}
    assert len(found) > 5
    assert [event["EventTime"] for event in found] == sorted((one["EventTime"] for one in found), reverse=True)
    documents = {
        document["responseElements"]["command"]["commandId"]: document
        for document in (json.loads(event["CloudTrailEvent"]) for event in found)
    }
    assert documents[COMMAND]["userIdentity"]["arn"] == "arn:aws:sts::111122223333:assumed-role/ops/sandbox"
    assert "ssm.amazonaws.com" in {one["sourceIPAddress"] for one in documents.values()}  # those of windows


def test_its_replies_fit_the_model(still: Box) -> None:
    assert ask_aws(still.aws("cloudtrail"), "LookupEvents", {"LookupAttributes": NAMED}) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"LookupAttributes": NAMED * 2}, "InvalidLookupAttributesException"),
        ({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}, "InvalidTimeRangeException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
    ],
)
def test_cloudtrail_refuses_what_it_documents(still: Box, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        still.aws("cloudtrail").lookup_events(**params)

    assert caught.value.response["Error"]["Code"] == code


def test_an_automation_is_told_too(still: Box) -> None:
    named = [{"AttributeKey": "EventName", "AttributeValue": "StartAutomationExecution"}]
    found = still.aws("cloudtrail").lookup_events(LookupAttributes=named)["Events"]

    assert AUTOMATION in {
        json.loads(one["CloudTrailEvent"])["responseElements"]["automationExecutionId"] for one in found
    }


def test_an_event_comes_a_while_after_its_request(start: Callable[..., Box]) -> None:
    box = start(fleet=False)
    box.control("POST", "runs", {"provider": "aws", "kind": "command", "age": 1, "started_by": "mallory"})
    before = box.aws("cloudtrail").lookup_events()["Events"]
    box.advance(120)
    (event,) = box.aws("cloudtrail").lookup_events()["Events"]

    assert before == []
    assert event["Username"] == "mallory"


def test_lookups_are_limited(start: Callable[..., Box]) -> None:
    client = start(limits=True).aws("cloudtrail")

    for _ in range(2):
        client.lookup_events()
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.lookup_events()


def test_actiontrail_tells_who_started_an_invocation(still: Box) -> None:
    found: list[dict[str, Any]] = []
    for name in ("RunCommand", "InvokeCommand"):
        query = {"LookupAttribute.1.Key": "EventName", "LookupAttribute.1.Value": name, "MaxResults": "3"}
        while True:
            page = action_trail(still, **query)
            assert {event["eventName"] for event in page["Events"]} <= {name}
            found += page["Events"]
            if not page.get("NextToken"):
                break
            query["NextToken"] = page["NextToken"]

    users = {event["responseElements"]["InvokeId"]: event["userIdentity"]["userName"] for event in found}
    assert users[ONE_SHOT] == "ops"
    assert len(found) == len(users)


@pytest.mark.parametrize(
    "query",
    [
        {"MaxResults": "51"},
        {"StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-03-01T00:00:00Z"},
        {"StartTime": "yesterday"},
        {"LookupAttribute.1.Key": "Color", "LookupAttribute.1.Value": "red"},
    ],
)
def test_actiontrail_refuses_what_it_documents(still: Box, query: dict[str, str]) -> None:
    with pytest.raises(Exception, match="Invalid"):
        action_trail(still, **query)


def test_cloudaudit_tells_who_started_an_invocation(still: Box) -> None:
    now = int(still.clock.now())
    found: list[dict[str, Any]] = []
    for name in ("RunCommand", "InvokeCommand"):
        given: dict[str, Any] = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}]}
        while True:
            page = cloud_audit(still, StartTime=now - 20 * 86_400, EndTime=now, MaxResults=4, **given)
            found += page["Events"]
            if page["ListOver"]:
                break
            given["NextToken"] = page["NextToken"]

    ids = {json.loads(event["CloudAuditEvent"])["responseElements"]["InvocationId"]: event for event in found}
    assert ids[TENCENT]["Username"] == "ops"
    assert len(ids) == len(found)
    assert {event["EventRegion"] for event in found} >= {"ap-guangzhou", "ap-shanghai"}


@pytest.mark.parametrize(
    "params",
    [
        {"MaxResults": 51},
        {"StartTime": 0},
        {"LookupAttributes": [{"AttributeKey": "Color", "AttributeValue": "red"}]},
        {"Limit": 3},
    ],
)
def test_cloudaudit_refuses_what_it_documents(still: Box, params: dict[str, Any]) -> None:
    now = int(still.clock.now())

    with pytest.raises(TencentCloudSDKException):
        cloud_audit(still, **{"StartTime": now - 60, "EndTime": now, **params})
