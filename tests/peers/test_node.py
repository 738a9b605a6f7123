"""The vendors' SDKs for Node.js and `runcancel`, side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .bench import Bench

COMMAND = "4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
KILLED = "t-7d2a745b412b4601b2d47f6a768d0002"
RUNNING = "inv-ib2lld37"
NOBODY = "00000000-0000-4000-8000-000000000000"


def aws_word(reply: Any) -> str:
    return str(reply["Commands"][0]["Status"])


def alibaba_word(reply: Any) -> str:
    return str(reply["Invocations"]["Invocation"][0]["InvocationStatus"])


def tencent_word(reply: Any) -> str:
    return str(reply["InvocationSet"][0]["InvocationStatus"])


READS = [
    ("aws", "ListCommands", {"CommandId": COMMAND}, aws_word, f"aws:us-east-2:command/{COMMAND}"),
    ("alibaba", "DescribeInvocations", {"invokeId": KILLED}, alibaba_word, f"alibaba:cn-hangzhou:{KILLED}"),
    ("tencent", "DescribeInvocations", {"InvocationIds": [RUNNING]}, tencent_word, f"tencent:ap-guangzhou:{RUNNING}"),
]
CANCELS = {
    "aws": ("CancelCommand", {"CommandId": COMMAND}),
    "alibaba": ("StopInvocation", {"invokeId": KILLED}),
    "tencent": ("CancelInvocation", {"InvocationId": RUNNING}),
}
each_vendor = pytest.mark.parametrize(("vendor", "read", "params", "word", "ref"), READS, ids=[row[0] for row in READS])


@each_vendor
@pytest.mark.parametrize("sort", ["static", "temporary"])
def test_a_run_reads_the_same(
    still: Bench, node: Path, vendor: str, read: str, params: Any, word: Callable[[Any], str], ref: str, sort: str
) -> None:
    said = still.node(node, vendor, read, still.box.environment(sort=sort), **params)
    (run,) = still.runcancel("status", ref)["runs"]
    assert word(said["reply"]) == run["provider_status"]


@each_vendor
def test_a_cancel_is_seen_by_runcancel(
    moving: Bench, node: Path, vendor: str, read: str, params: Any, word: Callable[[Any], str], ref: str
) -> None:
    action, what = CANCELS[vendor]
    assert "reply" in moving.node(node, vendor, action, **what)
    moving.box.clock.advance(30)
    (run,) = moving.runcancel("status", ref)["runs"]
    assert run["state"] in ("cancelled", "terminated")
    assert word(moving.node(node, vendor, read, **params)["reply"]) == run["provider_status"]
    assert moving.effective() == [action]


@pytest.mark.parametrize(
    ("vendor", "action", "params", "code"),
    [
        (
            "aws",
            "GetCommandInvocation",
            {"CommandId": NOBODY, "InstanceId": "i-0123456789abcdef0"},
            "InvocationDoesNotExist",
        ),
        (
            "aws",
            "DescribeAutomationExecutions",
            {"Filters": [{"Key": "ExecutionStatus", "Values": ["x"]}]},
            "InvalidFilterValue",
        ),
        ("aws", "CancelMaintenanceWindowExecution", {"WindowExecutionId": NOBODY}, "DoesNotExistException"),
        ("alibaba", "StopInvocation", {"invokeId": "t-nobody"}, "InvalidInvokeId.NotFound"),
        ("alibaba", "DescribeInvocations", {"invokeStatus": "x"}, "InvalidParameter.InvokeStatus"),
        ("tencent", "CancelInvocation", {"InvocationId": "inv-nobody00"}, "ResourceNotFound.InvocationNotFound"),
        (
            "tencent",
            "CancelInvocation",
            {"InvocationId": RUNNING, "InstanceIds": ["i-1"]},
            "InvalidParameterValue.InvalidInstanceId",
        ),
    ],
)
def test_a_refusal_has_the_vendors_code(
    still: Bench, node: Path, vendor: str, action: str, params: Any, code: str
) -> None:
    assert still.node(node, vendor, action, **params)["code"] == code


@pytest.mark.parametrize(
    ("vendor", "env", "code"),
    [
        ("aws", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "InvalidSignatureException"),
        ("alibaba", {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}, "SignatureDoesNotMatch"),
        ("tencent", {"TENCENTCLOUD_SECRET_KEY": "wrong"}, "AuthFailure.SignatureFailure"),
    ],
)
def test_a_wrong_secret_is_refused(still: Bench, node: Path, vendor: str, env: dict[str, str], code: str) -> None:
    action, params = CANCELS[vendor]
    assert still.node(node, vendor, action, env, **params)["code"] == code
