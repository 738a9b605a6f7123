"""AWS status words as states: one table per vocabulary, and the few rules that need more than a word."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from runcancel.model.states import State


class Words(Mapping[str, State]):
    """Status words and their states.

    Documents, filters and replies spell one word "Delivery Timed Out", "DeliveryTimedOut" and "DELIVERY_TIMED_OUT":
    `state_of` takes them as the same. A word that is not in the table is `unknown`.
    """

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = dict(states)
        self._plain = {_plain(word): state for word, state in states.items()}

    def state_of(self, word: str, otherwise: State = State.UNKNOWN) -> State:
        return self._plain.get(_plain(word), otherwise)

    def __getitem__(self, word: str) -> State:
        return self._states[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word).casefold()


WINDOW_STATES = Words(
    {
        "PENDING": State.PENDING,
        "IN_PROGRESS": State.RUNNING,
        "SUCCESS": State.SUCCEEDED,
        "FAILED": State.FAILED,
        "TIMED_OUT": State.TIMED_OUT,
        "CANCELLING": State.CANCELLING,
        "CANCELLED": State.CANCELLED,
        "SKIPPED_OVERLAPPING": State.SKIPPED,
    }
)
"""MaintenanceWindowExecutionStatus: one enum for execution, task and task invocation."""

WINDOW_FILTER = frozenset(WINDOW_STATES) - {"SKIPPED_OVERLAPPING"}
"""The words that the STATUS filter of task invocations takes."""

COMMAND_STATES = Words(
    {
        "Pending": State.PENDING,
        "InProgress": State.RUNNING,
        "Delayed": State.PENDING,  # not delivered yet, tried again
        "Success": State.SUCCEEDED,
        "Cancelled": State.CANCELLED,
        "Failed": State.FAILED,
        "TimedOut": State.TIMED_OUT,
        "Cancelling": State.CANCELLING,
    }
)
"""CommandStatus, CommandInvocationStatus and CommandPluginStatus."""

COMMAND_DETAILS = Words(
    {
        "DeliveryTimedOut": State.UNDELIVERED,
        "ExecutionTimedOut": State.TIMED_OUT,
        "Undeliverable": State.UNDELIVERED,
        "InvalidPlatform": State.FAILED,
        "AccessDenied": State.FAILED,
        "Incomplete": State.FAILED,
        "RateExceeded": State.FAILED,
        "LimitExceeded": State.FAILED,
        "NoInstancesInTag": State.SKIPPED,  # nothing to run on
        "Terminated": State.SKIPPED,  # never started, because the parent hit MaxErrors: not "killed" as elsewhere
    }
)
"""StatusDetails that are more precise for an ended command or invocation than its Status."""

_WEAK_DETAILS = frozenset({"undeliverable"})

COMMAND_FILTER: Mapping[frozenset[State], str] = {
    frozenset({State.RUNNING}): "InProgress",
    frozenset({State.SUCCEEDED}): "Success",
    frozenset({State.CANCELLED}): "Cancelled",
    frozenset({State.TERMINATED}): "Cancelled",
    frozenset({State.CANCELLED, State.TERMINATED}): "Cancelled",
}
"""Wanted states that one value of the Status filter covers. The other states are spread over several values."""

AUTOMATION_STATES = Words(
    {
        "Pending": State.PENDING,
        "InProgress": State.RUNNING,
        "Waiting": State.RUNNING,
        "Success": State.SUCCEEDED,
        "TimedOut": State.TIMED_OUT,
        "Cancelling": State.CANCELLING,
        "Cancelled": State.CANCELLED,
        "Failed": State.FAILED,
        "PendingApproval": State.PENDING,
        "Approved": State.PENDING,  # a way-point: it starts next
        "Rejected": State.FAILED,
        "Scheduled": State.SCHEDULED,
        "RunbookInProgress": State.RUNNING,
        "PendingChangeCalendarOverride": State.PENDING,
        "ChangeCalendarOverrideApproved": State.PENDING,
        "ChangeCalendarOverrideRejected": State.FAILED,
        "CompletedWithSuccess": State.SUCCEEDED,
        "CompletedWithFailure": State.FAILED,
        "Exited": State.FAILED,  # over, and nothing shows that it succeeded
    }
)
"""AutomationExecutionStatus, of an execution and of a step."""


EXECUTION_STATES = Words(
    {
        "RUNNING": State.RUNNING,
        "SUCCEEDED": State.SUCCEEDED,
        "FAILED": State.FAILED,
        "TIMED_OUT": State.TIMED_OUT,
        "ABORTED": State.TERMINATED,  # an execution starts when it is created
        "PENDING_REDRIVE": State.PENDING,
    }
)
"""ExecutionStatus of Step Functions."""

_LISTINGS = 2
"""More listings of a state machine than so many cost more than one of everything."""

_OF_MAP_RUNS = "PENDING_REDRIVE"
"""AWS refuses this filter for the executions of a state machine."""


def window_state(status: str, *, ran: bool = False) -> State:
    """The state of an execution, a task or a task invocation. `ran`: an invocation had started something."""
    return _stopped_while_running(WINDOW_STATES.state_of(status), ran)


def window_words(states: frozenset[State]) -> tuple[str, ...]:
    """The STATUS filter values that cover `states`; none if one of them has no filter value."""
    mapped = {State.CANCELLED if state is State.TERMINATED else state for state in states}
    words = tuple(word for word, state in WINDOW_STATES.items() if state in mapped)
    askable = mapped <= set(WINDOW_STATES.values()) and WINDOW_FILTER.issuperset(words)
    return words if askable else ()


def command_state(status: str, details: str | None, *, ran: bool = False) -> State:
    """The state of a command or command invocation.

    Status decides; StatusDetails refine an end. `ran`: a plugin shows a start time or a real exit code, so a cancelled
    one was stopped while running.
    """
    state = COMMAND_STATES.state_of(status)
    if state.over:
        state = COMMAND_DETAILS.state_of(details or "", state)
    return _stopped_while_running(state, ran)


def command_confirmed(details: str | None) -> bool:
    """Whether the state of a command invocation is confirmed: Undeliverable was seen on commands that ran."""
    return _plain(details or "") not in _WEAK_DETAILS


def automation_state(status: str, *, started: datetime | None = None) -> State:
    """The state of a child automation or of a step; `started` is its ExecutionStartTime. For a run leave it out."""
    return _stopped_while_running(AUTOMATION_STATES.state_of(status), started is not None)


def automation_words(states: frozenset[State]) -> tuple[str, ...]:
    """The ExecutionStatus filter values that cover `states`; a word that is not mapped has none."""
    mapped = {State.CANCELLED if state is State.TERMINATED else state for state in states}
    return tuple(word for word, state in AUTOMATION_STATES.items() if state in mapped)


def execution_state(status: str) -> State:
    """The state of an execution of a state machine."""
    return EXECUTION_STATES.state_of(status)


def execution_words(states: frozenset[State]) -> tuple[str, ...]:
    """The statusFilter values, one for each listing, that cover `states`; none where everything has to be listed."""
    words = tuple(word for word, state in EXECUTION_STATES.items() if state in states and word != _OF_MAP_RUNS)
    return words if 0 < len(words) <= _LISTINGS else ()


def step_state(status: str, *, started: datetime | None, run: State) -> State:
    """The state of a step. One left pending in an ended automation never runs: a branch not taken, or cancelled."""
    state = automation_state(status, started=started)
    return State.SKIPPED if state is State.PENDING and run.over else state


def _stopped_while_running(state: State, ran: bool) -> State:
    return State.TERMINATED if state is State.CANCELLED and ran else state
