"""An automation: its steps, or the children of a rate-controlled one."""

import pytest
from fakes import HandClock
from opened import read

from providers.aws.scripted import AUTOMATION, CHILD, RATED, STEPS, A, Scripted, ref
from runcancel.model.runs import InvocationFilter
from runcancel.model.states import State
from runcancel.providers.aws.cloud import Aws
from runcancel.sandbox import Sandbox


def test_a_plain_automation_lists_steps_and_a_rate_controlled_one_its_children(cloud: Aws) -> None:
    steps = read(cloud, AUTOMATION)
    children = read(cloud, ref("automation", RATED))

    assert [one.target_name for one in steps.invocations] == [f"step{number}" for number in range(1, 7)]
    assert {one.child for one in steps.invocations} == {None}
    assert len(children.invocations) == 8
    assert all(one.child == ref("automation", one.id) for one in children.invocations)
    assert all((one.target or "").startswith("i-") for one in children.invocations)


def test_a_step_that_never_ran_is_skipped_after_the_stop(box: Sandbox, cloud: Aws) -> None:
    list(cloud.cancel(AUTOMATION))
    box.clock.advance(30)

    assert read(cloud, AUTOMATION).run.counts == {State.TERMINATED: 1, State.SUCCEEDED: 2, State.SKIPPED: 3}


def test_truncated_steps_are_paged_and_steps_name_what_they_started(wire: Scripted, scripted: Aws) -> None:
    step = {"StepExecutionId": "s1", "StepName": "patch", "Action": "aws:runCommand", "StepStatus": "Success"}
    pages = {
        None: {"StepExecutions": [{**step, "Outputs": {"CommandId": [CHILD]}, "ResponseCode": "0"}], "NextToken": "2"},
        "2": {"StepExecutions": [step, {"StepExecutionId": "s2", "StepName": "wait", "StepStatus": "Pending"}]},
    }
    execution = {"AutomationExecutionId": STEPS, "AutomationExecutionStatus": "Failed", "StepExecutionsTruncated": True}
    wire.script = lambda action, params: (
        {"AutomationExecution": execution} if action == "GetAutomationExecution" else pages[params.get("NextToken")]
    )

    listed = list(scripted.invocations(AUTOMATION, InvocationFilter()))

    assert [(one.target_name, one.state, one.exit_code) for one in listed] == [
        ("patch", State.SUCCEEDED, 0),
        ("wait", State.SKIPPED, None),
    ]
    assert listed[0].child == ref("command", CHILD)


def test_children_in_other_regions_have_no_reference_here(wire: Scripted, scripted: Aws) -> None:
    execution = {"AutomationExecutionId": RATED, "TargetLocations": [{"Regions": ["eu-west-1"]}]}
    row = {"AutomationExecutionId": CHILD, "AutomationExecutionStatus": "InProgress", "Target": A}
    wire.script = lambda action, params: (
        {"AutomationExecution": execution}
        if action == "GetAutomationExecution"
        else {"AutomationExecutionMetadataList": [row]}
    )

    (one,) = scripted.invocations(ref("automation", RATED), InvocationFilter())

    assert (one.target, one.child) == (A, None)


def test_a_stop_is_paced_to_one_a_second(wire: Scripted, scripted: Aws, clock: HandClock) -> None:
    began = clock.now

    for _ in range(4):
        list(scripted.cancel(AUTOMATION))

    assert clock.now - began == pytest.approx(3.0, rel=0.06)
