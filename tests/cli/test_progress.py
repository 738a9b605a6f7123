"""The lines on stderr while a cancel is under way: what a reply, or none, means before the verdict."""

import time

import pytest
from outside import COMMAND, KILLED, TENCENT, WINDOW, Outside

CLOUDS = {COMMAND: "CancelCommand", KILLED: "StopInvocation", TENCENT: "CancelInvocation"}
UNCERTAIN = ["drop-after*1", "http-500*1,effect=true", "html-200*1,effect=true"]
"""A request that may have had its effect, and no reply that shows it."""


def lines_of(outside: Outside, ref: str, *flags: str) -> list[str]:
    """What stderr prints about a run while it is cancelled, without the seconds in front."""
    done = outside.run("cancel", ref, *flags, "--accept-reported", "-v")
    lines = [line.partition(" ")[2] for line in done.err.splitlines()]
    return [line.removeprefix(f"{ref}: ") for line in lines if line.startswith(f"{ref}: ")]


@pytest.mark.parametrize("ref", CLOUDS)
@pytest.mark.parametrize("fault", UNCERTAIN)
def test_a_cancel_that_may_have_been_accepted_is_in_doubt_and_never_called_refused(
    outside: Outside, ref: str, fault: str
) -> None:
    outside.faults(f"{CLOUDS[ref]}={fault}")

    lines = lines_of(outside, ref)

    assert [line for line in lines if line.startswith("in doubt, reading again: ")], lines
    assert not [line for line in lines if "refused" in line]


@pytest.mark.parametrize("ref", CLOUDS)
def test_a_throttled_cancel_is_not_accepted_yet(outside: Outside, ref: str) -> None:
    outside.faults(f"{CLOUDS[ref]}=throttle*2")

    lines = lines_of(outside, ref)

    assert [line for line in lines if line.startswith("not accepted yet: ")], lines
    assert not [line for line in lines if "refused" in line]


@pytest.mark.parametrize("ref", CLOUDS)
def test_a_denied_cancel_is_refused(outside: Outside, ref: str) -> None:
    outside.faults(f"{CLOUDS[ref]}=denied")

    assert lines_of(outside, ref)[0].startswith("refused: ")


READS = {
    TENCENT: ("DescribeInvocations", "DescribeInvocationTasks"),
    KILLED: ("DescribeInvocations", "DescribeInvocationResults"),
    COMMAND: ("ListCommands", "ListCommandInvocations"),
    WINDOW: ("GetMaintenanceWindowExecution",),
}


@pytest.mark.parametrize("ref", READS)
def test_a_cancel_of_a_run_that_may_not_be_read_states_that_before_it_and_ends_at_once(
    outside: Outside, ref: str
) -> None:
    outside.faults(*(f"{action}=denied" for action in READS[ref]))
    began = time.monotonic()

    done = outside.run("cancel", ref, "-o", "json")

    assert time.monotonic() - began < 15, "it was watched for the whole timeout"
    assert done.code == 8
    assert (done.outcomes[ref]["verdict"], done.outcomes[ref]["error"]["code"]) == ("in-doubt", "denied")
    assert outside.effective(ref)
    announced = f"{ref}: cancelled without a reading: it could not be read: "
    assert announced in done.err
    progress = f"0s {ref}: "
    assert done.err.index(announced) < done.err.index(progress)


def test_a_run_whose_reads_are_refused_while_it_is_watched_is_judged_at_once(outside: Outside) -> None:
    outside.faults("DescribeInvocationTasks=denied,after=1", "DescribeInvocations=denied,after=1")
    began = time.monotonic()

    done = outside.run("cancel", TENCENT, "-o", "json")

    assert time.monotonic() - began < 15, "it was watched for the whole timeout"
    assert done.code == 8
    outcome = done.outcomes[TENCENT]
    assert (outcome["verdict"], outcome["after"], outcome["error"]["code"]) == ("requested", None, "denied")
