"""AWS status words, judged by botocore's own service model."""

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from runcancel.model.states import State
from runcancel.providers.aws.states import (
    AUTOMATION_STATES,
    COMMAND_DETAILS,
    COMMAND_FILTER,
    COMMAND_STATES,
    WINDOW_FILTER,
    WINDOW_STATES,
    Words,
    automation_state,
    command_state,
    step_state,
    window_state,
    window_words,
)

THEN = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def model() -> Any:
    return botocore.session.Session().get_service_model("ssm")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("MaintenanceWindowExecutionStatus", WINDOW_STATES),
        ("CommandStatus", COMMAND_STATES),
        ("CommandInvocationStatus", COMMAND_STATES),
        ("CommandPluginStatus", COMMAND_STATES),
        ("AutomationExecutionStatus", AUTOMATION_STATES),
    ],
)
def test_every_word_of_the_vendors_enum_is_mapped(model: Any, shape: str, words: Words) -> None:
    missing = [word for word in model.shape_for(shape).enum if words.state_of(word) is State.UNKNOWN]

    assert missing == []


@pytest.mark.parametrize("words", [WINDOW_STATES, COMMAND_STATES, AUTOMATION_STATES])
@pytest.mark.parametrize("word", ["", "PAUSED", "Quantum", "cancelled!", "\x1b[31mSuccess", "terminated"])
def test_an_invented_word_is_unknown_and_never_over(words: Words, word: str) -> None:
    assert words.state_of(word) is State.UNKNOWN
    assert not words.state_of(word).over


def test_terminated_on_aws_means_never_started() -> None:
    assert command_state("Cancelled", "Terminated") is State.SKIPPED
    assert command_state("Failed", "Terminated") is State.SKIPPED


@pytest.mark.parametrize(
    "spelling", ["DeliveryTimedOut", "Delivery Timed Out", "delivery timed out", "DELIVERY_TIMED_OUT"]
)
def test_details_are_read_in_every_spelling(spelling: str) -> None:
    assert command_state("TimedOut", spelling) is State.UNDELIVERED


@pytest.mark.parametrize(
    ("status", "details", "state"),
    [
        ("InProgress", "Delivery Timed Out", State.RUNNING),
        ("Pending", "Terminated", State.PENDING),
        ("Cancelling", "Cancelled", State.CANCELLING),
        ("Brand New", "Success", State.UNKNOWN),
    ],
)
def test_details_refine_only_what_is_over(status: str, details: str, state: State) -> None:
    assert command_state(status, details) is state


@pytest.mark.parametrize("word", COMMAND_DETAILS)
def test_every_refinement_is_an_ending(word: str) -> None:
    assert COMMAND_DETAILS[word].over


def test_cancelled_that_ran_is_terminated() -> None:
    assert command_state("Cancelled", "Cancelled") is State.CANCELLED
    assert command_state("Cancelled", "Cancelled", ran=True) is State.TERMINATED
    assert command_state("Success", "Success", ran=True) is State.SUCCEEDED
    assert window_state("CANCELLED") is State.CANCELLED
    assert window_state("CANCELLED", ran=True) is State.TERMINATED
    assert automation_state("Cancelled", started=THEN) is State.TERMINATED


@pytest.mark.parametrize(
    ("run", "state"),
    [(State.RUNNING, State.PENDING), (State.CANCELLED, State.SKIPPED), (State.SUCCEEDED, State.SKIPPED)],
)
def test_a_step_left_pending_is_skipped_once_the_automation_is_over(run: State, state: State) -> None:
    assert step_state("Pending", started=None, run=run) is state


@pytest.mark.parametrize("state", State)
def test_window_filter_words_cover_the_state_or_nothing_is_filtered(state: State) -> None:
    words = window_words(frozenset({state}))

    assert set(words) <= WINDOW_FILTER
    assert all(WINDOW_STATES[word] is (State.CANCELLED if state is State.TERMINATED else state) for word in words)


def test_a_state_that_the_filter_does_not_know_turns_it_off() -> None:
    assert window_words(frozenset({State.RUNNING, State.SKIPPED})) == ()
    assert window_words(frozenset({State.UNKNOWN})) == ()
    assert window_words(frozenset()) == ()
    assert window_words(frozenset({State.RUNNING, State.TERMINATED})) == ("IN_PROGRESS", "CANCELLED")


def test_a_command_filter_word_covers_each_state_it_stands_for() -> None:
    for states, word in COMMAND_FILTER.items():
        assert all(command_state(word, word, ran=state is State.TERMINATED) is state for state in states)
