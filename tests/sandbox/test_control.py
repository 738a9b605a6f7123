"""The sandbox's own interface: the log, time, more runs, isolation."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runcancel.sandbox import Sandbox, SandboxOptions
from runcancel.sandbox.isolation import child_environment

from .conftest import COMMAND, TENCENT, Box

Start = Callable[..., Box]


def test_requests_are_remembered_in_order(box: Box) -> None:
    box.aws().list_commands(MaxResults=5)
    box.tencent().call_json("CancelInvocation", {"InvocationId": TENCENT})

    first, second = box.control("GET", "requests")

    assert (first["provider"], first["action"], first["region"]) == ("aws", "ListCommands", "us-east-2")
    assert first["params"] == {"MaxResults": 5}
    assert (second["effective"], second["error"], second["account"]) == (True, None, 0)


def test_runs_can_be_added(box: Box) -> None:
    (made,) = box.control(
        "POST",
        "runs",
        {"provider": "tencent", "kind": "invocation", "name": "mine", "targets": {"running": 3, "pending": 2}},
    )["ids"]
    assert box.states(made) == {"pending": 2, "running": 3}
    box.tencent().call_json("CancelInvocation", {"InvocationId": made})
    box.advance(2)
    assert box.states(made) == {"cancelled": 2, "terminated": 3}


def test_runs_can_be_stubborn_or_slow(box: Box) -> None:
    spec = {"provider": "aws", "kind": "command", "targets": {"running": 1}}
    (stubborn,) = box.control("POST", "runs", spec | {"stubborn": True})["ids"]
    (slow,) = box.control("POST", "runs", spec | {"settle": 60})["ids"]
    for run in (stubborn, slow):
        box.aws().cancel_command(CommandId=run)
    box.advance(30)
    assert (box.states(stubborn), box.states(slow)) == ({"cancelling": 1}, {"cancelling": 1})
    box.advance(60)
    assert (box.states(stubborn), box.states(slow)) == ({"cancelling": 1}, {"terminated": 1})


def test_a_fresh_command_is_missed_at_first(start: Start) -> None:
    box = start(fresh=2)
    (made,) = box.control("POST", "runs", {"provider": "aws", "kind": "command"})["ids"]
    found = [bool(box.aws().list_command_invocations(CommandId=made)["CommandInvocations"]) for _ in range(3)]
    assert found == [False, False, True]


def test_ten_thousand_runs_are_cheap(start: Start) -> None:
    begun = time.process_time()
    spec = {"provider": "tencent", "kind": "invocation", "count": 10_000, "targets": {"running": 3}}
    box = start(fleet=False, runs=[spec])
    reply = box.tencent().call_json("DescribeInvocations", {"Limit": 100, "Offset": 9_900})["Response"]
    assert reply["TotalCount"] == 10_000
    assert len(reply["InvocationSet"]) == 100
    assert time.process_time() - begun < 5


def test_reset_brings_the_start_back(box: Box) -> None:
    box.aws().cancel_command(CommandId=COMMAND)
    box.control("POST", "faults", ["*=http-500"])
    box.control("POST", "reset")
    assert box.states(COMMAND) == {"running": 88, "succeeded": 12}
    assert box.control("GET", "requests") == []
    assert box.control("GET", "faults") == []


def test_it_starts_without_waiting_and_closes_more_than_once() -> None:
    begun = time.monotonic()
    box = Sandbox(SandboxOptions())
    assert time.monotonic() - begun < 3
    box.close()
    box.close()


def test_many_threads_cancel_one_run_once(box: Box) -> None:
    client = box.tencent()
    ask = lambda: client.call_json("CancelInvocation", {"InvocationId": TENCENT})  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each["effective"] for each in box.control("GET", "requests")].count(True) == 1


def test_a_child_cannot_reach_a_real_cloud(box: Box, tmp_path: Path) -> None:
    outer = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "BASH_ENV": "/home/me/.cloudrc",
        "ENV": "/home/me/.cloudrc",
        "ALIYUN_ACCESS_KEY_ID": "a",
        "TENCENT_SECRET_ID": "a",
        "QCLOUD_SECRET_ID": "a",
        "EC2_ACCESS_KEY": "a",
        "GOOGLE_APPLICATION_CREDENTIALS": "a",
        "AZURE_CLIENT_SECRET": "a",
        "SOME_CLOUD_THAT_COMES_NEXT_YEAR": "a",
        "AWS_PROFILE": "prod",
        "ALICLOUD_REGION_ID": "cn-beijing",
        "TENCENTCLOUD_TOKEN": "t",
        "TCCLI_PROFILE": "p",
        "RUNCANCEL_CONTEXT": "prod",
        "https_proxy": "http://proxy",
        "HOME": "/home/me",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "s",
    }
    inner = child_environment(outer, box.environment(), tmp_path)
    strays = outer.keys() - {"PATH", "LC_ALL", "HOME"}
    assert not strays & inner.keys()
    assert inner["HOME"] == str(tmp_path)
    assert inner["AWS_ENDPOINT_URL"] == inner["RUNCANCEL_TENCENT_ENDPOINT_URL"] == box.url
    assert inner["AWS_EC2_METADATA_DISABLED"] == "true"


@pytest.mark.parametrize("sort", ["static", "temporary"])
def test_the_environment_has_a_token_only_for_temporary_keys(box: Box, sort: str) -> None:
    assert ("AWS_SESSION_TOKEN" in box.environment(sort=sort)) is (sort == "temporary")
