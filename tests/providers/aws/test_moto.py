"""Moto: an idea of AWS that we did not write."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import HandClock
from moto_http import moto_over_http
from opened import read, unread

from providers.aws.scripted import NOBODY, SCOPE, A, B, connect, ref
from runcancel.model.states import Reason, State
from runcancel.providers.aws.sdk import SdkSender
from runcancel.providers.aws.wire import Wire
from runcancel.runtime.throttle import Pace

pytest.importorskip("moto.core.models")  # joins the handlers of botocore before any session has copied them


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of boto3 in front of moto; requests of the program go to the same moto over HTTP."""
    import boto3

    with moto_over_http(SCOPE.region) as variables:
        inside = boto3.client("ssm", region_name=SCOPE.region)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
        yield inside


def test_moto_agrees_about_a_command(moto: Any, clock: HandClock) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript", Comment="deploy")["Command"]

    run = read(connect(clock), ref("command", sent["CommandId"]), full=False).run

    assert (run.name, run.target_count) == ("AWS-RunShellScript", 2)
    assert run.state is State.SUCCEEDED
    assert run.created_at is not None
    assert abs((run.created_at - sent["RequestedDateTime"]).total_seconds()) < 60 * 60 * 24


def test_moto_agrees_about_an_unknown_command_and_no_windows(moto: Any, clock: HandClock) -> None:
    assert unread(connect(clock), ref("command", NOBODY)).reason is Reason.NOT_FOUND
    wire = Wire(SdkSender(moto), Pace(clock), scope=SCOPE)
    assert list(wire.pages("DescribeMaintenanceWindows", {}, unique="WindowId", size=10)) == []


def test_moto_agrees_about_what_a_command_wrote(moto: Any, clock: HandClock) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript")["Command"]
    wire = Wire(SdkSender(moto), Pace(clock), scope=SCOPE)

    reply = wire.call("GetCommandInvocation", {"CommandId": sent["CommandId"], "InstanceId": A})

    assert reply["InstanceId"] == A
    assert isinstance(reply["StandardOutputContent"], str)
    assert isinstance(reply["StandardErrorContent"], str)
