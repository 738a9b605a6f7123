"""Flow or frozen, and for how long a cancel is tried: tables."""

import math
from typing import Any

import pytest
from msgspec import structs

from runcancel.engine.flow import Facts, why_frozen
from runcancel.engine.retry import WaitPolicy, pause
from runcancel.errors import CloudError
from runcancel.model.states import Reason

FLOWS = Facts(typed=True, references=20, max_runs=20)


@pytest.mark.parametrize(
    ("changes", "frozen"),
    [
        ({}, False),
        ({"max_runs": None, "references": 5000}, False),
        ({"typed": False}, True),
        ({"protected": True}, True),
        ({"policy": True}, True),
        ({"accounts": True}, True),
        ({"targets": True}, True),
        ({"max_targets": True}, True),
        ({"counts": True}, True),
        ({"guarantee": True}, True),
        ({"confirm": True}, True),
        ({"chases": True}, True),
        ({"parts": True}, True),
        ({"references": 21}, True),
    ],
)
def test_what_freezes_a_plan(changes: dict[str, Any], frozen: bool) -> None:
    why = why_frozen(structs.replace(FLOWS, **changes))

    assert (why is not None) is frozen
    assert why is None or why.strip()


@pytest.mark.parametrize(
    ("reason", "doubtful", "limit"),
    [
        (Reason.BUSY, False, 600.0),
        (Reason.BUSY, True, 600.0),
        (Reason.UNREACHABLE, False, 600.0),
        (Reason.UNREACHABLE, True, 60.0),
        (Reason.DOWN, True, 60.0),
        (Reason.LOST, True, 60.0),
        (Reason.UNPROVEN, True, 60.0),
        (Reason.NOT_FOUND, False, 60.0),
        *((reason, False, None) for reason in (Reason.DENIED, Reason.INVALID, Reason.NOT_CANCELLABLE, Reason.INTERNAL)),
    ],
)
def test_how_long_a_cancel_is_tried(reason: Reason, doubtful: bool, limit: float | None) -> None:
    assert WaitPolicy().limit(reason, doubtful=doubtful) == limit
    assert WaitPolicy(timeout=0).limit(reason, doubtful=doubtful) is None


def test_no_end_is_no_end() -> None:
    assert WaitPolicy(give_up_after=0).limit(Reason.BUSY, doubtful=False) == math.inf


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_pauses_double_from_one_to_twenty_seconds(jitter: float) -> None:
    pauses = [pause(CloudError(Reason.DOWN, "down"), tries, jitter) for tries in range(1, 12)]

    assert 1.0 <= pauses[0] <= 2.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 20.0
    assert pause(CloudError(Reason.DOWN, "down"), 5000, jitter) == 20.0


def test_the_server_and_the_queue_have_pauses_of_their_own() -> None:
    assert pause(CloudError(Reason.DOWN, "down", retry_after=33.0), 1, 0.9) == 33.0
    assert pause(CloudError(Reason.BUSY, "busy", retry_after=3.0), 9, 0.9) == 3.0
    assert pause(CloudError(Reason.BUSY, "busy"), 9, 0.9) < 0.5
