"""Moto: an idea of AWS that we did not write."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import HandClock
from opened import read, unread

from providers.aws.scripted import NOBODY, SCOPE, A, B, connect, ref
from runcancel.model.states import Reason, State
from runcancel.providers.aws.cloud import Aws
from runcancel.providers.aws.http import SENDER
from runcancel.providers.aws.wire import Wire
from runcancel.runtime.throttle import Pace

pytest.importorskip("moto.core.models")  # joins the handlers of botocore before any session has copied them


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3

    with pytest.importorskip("moto").mock_aws():
        yield boto3.client("ssm", region_name=SCOPE.region)


def answered_by_moto(clock: HandClock) -> Aws:
    """A scope whose requests go no further than moto: it answers where we send."""
    cloud = connect(clock)
    cloud._client.meta.events.unregister("before-send", unique_id=SENDER)
    return cloud


def test_moto_agrees_about_a_command(moto: Any, clock: HandClock) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript", Comment="deploy")["Command"]

    run = read(answered_by_moto(clock), ref("command", sent["CommandId"]), full=False).run

    assert (run.name, run.target_count) == ("AWS-RunShellScript", 2)
    assert run.state is State.SUCCEEDED
    assert run.created_at is not None
    assert abs((run.created_at - sent["RequestedDateTime"]).total_seconds()) < 60 * 60 * 24


def test_moto_agrees_about_an_unknown_command_and_no_windows(moto: Any, clock: HandClock) -> None:
    assert unread(answered_by_moto(clock), ref("command", NOBODY)).reason is Reason.NOT_FOUND
    wire = Wire(moto, Pace(clock), scope=SCOPE)
    assert list(wire.pages("DescribeMaintenanceWindows", {}, unique="WindowId", size=10)) == []


def test_moto_agrees_about_what_a_command_wrote(moto: Any, clock: HandClock) -> None:
    sent = moto.send_command(InstanceIds=[A, B], DocumentName="AWS-RunShellScript")["Command"]
    wire = Wire(moto, Pace(clock), scope=SCOPE)

    reply = wire.call("GetCommandInvocation", {"CommandId": sent["CommandId"], "InstanceId": A})

    assert reply["InstanceId"] == A
    assert isinstance(reply["StandardOutputContent"], str)
    assert isinstance(reply["StandardErrorContent"], str)
