"""Every word of both status enums of TAT."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.model.states import State
from runcancel.providers.tencent.states import INVOCATION_STATES, RUN_STATES, invocation_state, run_state

RUN_WORDS = [
    "PENDING",
    "RUNNING",
    "CANCELLING",
    "SUCCESS",
    "TIMEOUT",
    "FAILED",
    "CANCELLED",
    "PARTIAL_FAILED",
    "PARTIAL_CANCELLED",
]
TASK_WORDS = [
    "PENDING",
    "DELIVERING",
    "DELIVER_DELAYED",
    "DELIVER_FAILED",
    "START_FAILED",
    "RUNNING",
    "SUCCESS",
    "FAILED",
    "TIMEOUT",
    "TASK_TIMEOUT",
    "CANCELLING",
    "CANCELLED",
    "TERMINATED",
]


def test_every_documented_word_is_mapped_and_no_other() -> None:
    assert set(RUN_STATES) == set(RUN_WORDS)
    assert set(INVOCATION_STATES) == set(TASK_WORDS)
    assert State.UNKNOWN not in {*RUN_STATES.values(), *INVOCATION_STATES.values()}


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.text()), st.booleans()))
def test_an_invented_word_is_unknown(word: object) -> None:
    if word not in TASK_WORDS:
        assert invocation_state(word) is State.UNKNOWN
    if word not in RUN_WORDS:
        assert run_state(word) is State.UNKNOWN


@pytest.mark.parametrize("word", ["PENDING", "DELIVERING", "DELIVER_DELAYED", "RUNNING", "CANCELLING"])
def test_what_goes_on_is_not_over(word: str) -> None:
    assert not INVOCATION_STATES[word].over


def test_cancelled_with_a_start_of_execution_is_terminated() -> None:
    assert invocation_state("CANCELLED") is State.CANCELLED
    assert invocation_state("CANCELLED", began=True) is State.TERMINATED
    assert invocation_state("SUCCESS", began=True) is State.SUCCEEDED
