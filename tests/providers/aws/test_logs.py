"""What was written, where the sandbox has no such runs."""

from collections.abc import Mapping
from typing import Any

import pytest
from opened import refused

from providers.aws.scripted import AUTOMATION, CHILD, COMMAND, DEPLOY, NOBODY, RATED, STEPS, A, B, Scripted, error, ref
from runcancel.engine.decoding import as_text
from runcancel.model.logs import Output
from runcancel.model.runs import InvocationFilter, Ref
from runcancel.model.states import Reason
from runcancel.providers.aws.cloud import Aws


def step(action: str = "aws:runCommand", **said: Any) -> dict[str, Any]:
    given = {"StepName": "patch", "Action": action, "StepExecutionId": NOBODY, "ExecutionStartTime": 1e9}
    return {**given, "StepStatus": "Failed", "FailureMessage": "two nodes failed", **said}


def runbook(*steps: Mapping[str, Any]) -> dict[str, Any]:
    execution = {"AutomationExecutionId": STEPS, "AutomationExecutionStatus": "Failed", "StepExecutions": steps}
    return {"AutomationExecution": execution}


def plugin(name: str = "aws:runShellScript", **said: Any) -> dict[str, Any]:
    return {"Name": name, "Status": "Failed", "ResponseCode": 2, "ResponseStartDateTime": 1e9, **said}


def node(*plugins: Mapping[str, Any]) -> dict[str, Any]:
    return {"CommandInvocations": [{"InstanceId": A, "Status": "Failed", "CommandPlugins": plugins}]}


def outputs(cloud: Aws, run: Ref) -> list[Output]:
    """What the targets of a run wrote, as text."""
    return [as_text(capture, None) for capture in cloud.logs(run, InvocationFilter())]


WROTE = {"CommandId": CHILD, "InstanceId": A, "StandardOutputContent": "out", "StandardErrorContent": "err"}


def test_a_step_that_started_a_command_is_followed_and_says_why_it_failed(wire: Scripted, scripted: Aws) -> None:
    replies = {
        "GetAutomationExecution": runbook(step(Outputs={"CommandId": [CHILD], "Output": ["out…"]})),
        "ListCommandInvocations": node(plugin()),
        "GetCommandInvocation": WROTE,
    }
    wire.script = lambda action, params: replies[action]

    why, wrote = outputs(scripted, AUTOMATION)

    assert (why.run, why.step, why.stdout, why.stderr) == (AUTOMATION, "patch", None, "two nodes failed")
    assert (wrote.run, wrote.parent) == (ref("command", CHILD), AUTOMATION)
    assert (wrote.step, wrote.target, wrote.stdout, wrote.stderr) == ("patch", A, "out", "err")


def test_a_command_that_is_gone_leaves_what_its_step_returned(wire: Scripted, scripted: Aws) -> None:
    said = step(StepStatus="Success", FailureMessage="", Outputs={"CommandId": [CHILD], "Output": ["all of it"]})
    replies: dict[str, object] = {
        "GetAutomationExecution": runbook(said),
        "ListCommandInvocations": error("InvalidCommandId"),
    }
    wire.script = lambda action, params: replies[action]

    (one,) = outputs(scripted, AUTOMATION)

    assert one.child == ref("command", CHILD)
    assert one.note == "the run that it started is no longer kept"
    assert "all of it" in (one.stdout or "")


def test_what_lies_deeper_is_named_and_not_followed(wire: Scripted, scripted: Aws) -> None:
    def answer(action: str, params: dict[str, Any]) -> object:
        inner = step("aws:runCommand", StepStatus="Success", Outputs={"CommandId": [CHILD]})
        outer = step("aws:executeAutomation", StepStatus="Success", Outputs={"ExecutionId": [RATED]})
        found = runbook(outer if params["AutomationExecutionId"] == STEPS else inner)
        found["AutomationExecution"]["AutomationExecutionId"] = params["AutomationExecutionId"]
        return found

    wire.script = answer

    found = outputs(scripted, AUTOMATION)

    assert found[-1].run == ref("automation", RATED)
    assert found[-1].child == ref("command", CHILD)
    assert {action for action, _ in wire.asked} == {"GetAutomationExecution"}


def test_why_a_step_failed_is_said_once(wire: Scripted, scripted: Aws) -> None:
    details = {"Details": {"Script": ["disk full"], "VerificationErrorMessage": ["node i-1 is gone"]}}
    said = step(
        "aws:executeScript", FailureMessage="Step fails: disk full", FailureDetails=details, Outputs={"a": ["1"]}
    )
    wire.script = lambda action, params: runbook(said)

    (one,) = outputs(scripted, AUTOMATION)

    assert (one.stdout, one.stderr) == ("a: 1\n", "Step fails: disk full\nnode i-1 is gone")


@pytest.mark.parametrize("code", ["InvalidPluginName", "InvocationDoesNotExist"])
def test_a_step_that_aws_does_not_know_by_name_leaves_the_short_text(wire: Scripted, scripted: Aws, code: str) -> None:
    replies: dict[str, object] = {
        "ListCommandInvocations": node(plugin(Output="out\n----------ERROR-------\nbad\n---Error truncated----")),
        "GetCommandInvocation": error(code),
    }
    wire.script = lambda action, params: replies[action]

    (one,) = outputs(scripted, COMMAND)

    assert (one.stdout, one.stderr, one.truncated) == ("out", "bad\n---Error truncated----", True)


@pytest.mark.parametrize("said", [{"InstanceId": B}, {"InstanceId": None}, {"CommandId": NOBODY}])
def test_the_output_of_another_is_no_answer(wire: Scripted, scripted: Aws, said: dict[str, Any]) -> None:
    replies = {"ListCommandInvocations": node(plugin()), "GetCommandInvocation": {**WROTE, "CommandId": DEPLOY, **said}}
    wire.script = lambda action, params: replies[action]

    assert refused(lambda: list(scripted.logs(COMMAND, InvocationFilter()))).reason is Reason.UNPROVEN


def test_a_log_group_is_named(wire: Scripted, scripted: Aws) -> None:
    group = {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/ops/ssm"}
    reply = {**WROTE, "CommandId": DEPLOY, "CloudWatchOutputConfig": group}
    replies = {"ListCommandInvocations": node(plugin()), "GetCommandInvocation": reply}
    wire.script = lambda action, params: replies[action]

    (one,) = outputs(scripted, COMMAND)

    assert one.note == "also in the CloudWatch log group /ops/ssm"
