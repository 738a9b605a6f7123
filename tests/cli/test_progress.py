"""The lines on stderr while a cancel is under way: what a reply, or none, means before the verdict."""

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

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
