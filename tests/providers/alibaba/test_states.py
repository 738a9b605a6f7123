"""Every word of every status enum of Cloud Assistant, old and new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.model.states import State
from runcancel.providers.alibaba.states import INVOCATION_STATES, LEGACY_STATES, RUN_STATES, invocation_state, run_state

INVOCATION_WORDS = [
    "Pending",
    "Invalid",
    "Aborted",
    "Running",
    "Success",
    "Failed",
    "Error",
    "Timeout",
    "Cancelled",
    "Stopping",
    "Terminated",
    "Scheduled",
]
RUN_WORDS = ["Pending", "Scheduled", "Running", "Success", "Failed", "Stopping", "Stopped", "PartialFailed"]
LEGACY_WORDS = ["Running", "Finished", "Success", "Failed", "PartialFailed", "Stopped", "Stopping"]


def test_every_documented_word_is_mapped_and_no_other() -> None:
    assert set(INVOCATION_STATES) == set(INVOCATION_WORDS)
    assert set(RUN_STATES) == set(RUN_WORDS)
    assert set(LEGACY_STATES) == set(LEGACY_WORDS)
    assert State.UNKNOWN not in {*INVOCATION_STATES.values(), *RUN_STATES.values(), *LEGACY_STATES.values()}


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.booleans()))
def test_an_invented_word_is_unknown(word: object) -> None:
    if word not in INVOCATION_WORDS:
        assert invocation_state({"InvocationStatus": word}, once=True)[0] is State.UNKNOWN
    if word not in RUN_WORDS:
        assert run_state({"InvocationStatus": word}, ())[0] is State.UNKNOWN


@pytest.mark.parametrize("word", ["Pending", "Scheduled", "Running", "Stopping"])
def test_what_goes_on_is_not_over(word: str) -> None:
    assert not INVOCATION_STATES[word].over
    assert not RUN_STATES[word].over


def test_the_legacy_word_counts_only_where_the_new_one_is_missing() -> None:
    assert run_state({"InvokeStatus": "Finished"}, ()) == (State.SUCCEEDED, "Finished")
    assert run_state({"InvokeStatus": "Finished", "InvocationStatus": "Running"}, ()) == (State.RUNNING, "Running")
    assert invocation_state({"InstanceInvokeStatus": "Stopped"}, once=True)[0] is State.CANCELLED
    assert invocation_state({"InstanceInvokeStatus": "Running", "InvocationStatus": "New"}, once=True) == (
        State.UNKNOWN,
        "New",
    )


@pytest.mark.parametrize("word", ["Success", "PartialFailed"])
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((State.SUCCEEDED, State.CANCELLED), State.CANCELLED),
        ((State.SUCCEEDED, State.TERMINATED), State.CANCELLED),  # Snapshot.full makes it terminated
        ((State.SUCCEEDED, State.CANCELLED, State.FAILED), None),
        ((State.CANCELLED, State.RUNNING), None),
        ((State.CANCELLED, State.UNKNOWN), None),
        ((State.SUCCEEDED,), None),
        ((), None),
    ],
)
def test_a_mix_of_done_and_stopped_is_cancelled(word: str, states: tuple[State, ...], expected: State | None) -> None:
    assert run_state({"InvocationStatus": word}, states) == (expected or RUN_STATES[word], word)


def test_cancelled_with_a_start_is_terminated_unless_the_run_repeats() -> None:
    row = {"InvocationStatus": "Cancelled", "StartTime": "2026-11-21T00:00:00Z"}

    assert invocation_state(row, once=True)[0] is State.TERMINATED
    assert invocation_state(row, once=False)[0] is State.CANCELLED
    assert invocation_state({**row, "StartTime": ""}, once=True)[0] is State.CANCELLED
