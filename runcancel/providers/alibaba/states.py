"""What the status words of Cloud Assistant mean in our words."""

from collections.abc import Iterable

from runcancel.model.states import State
from runcancel.providers.common.fields import JsonObject, map_status, moment, text

INVOCATION_STATES = {
    "Pending": State.PENDING,
    "Scheduled": State.SCHEDULED,
    "Running": State.RUNNING,
    "Stopping": State.CANCELLING,
    "Cancelled": State.CANCELLED,
    "Terminated": State.TERMINATED,
    "Success": State.SUCCEEDED,
    "Failed": State.FAILED,
    "Error": State.FAILED,
    "Invalid": State.FAILED,  # refused before it began: wrong type or parameter
    "Aborted": State.UNDELIVERED,
    "Timeout": State.TIMED_OUT,
}
"""`InvocationStatus` of one instance (DescribeInvocations, DescribeInvocationResults)."""

RUN_STATES = {
    "Pending": State.PENDING,
    "Scheduled": State.SCHEDULED,
    "Running": State.RUNNING,
    "Stopping": State.CANCELLING,
    "Stopped": State.CANCELLED,
    "Success": State.SUCCEEDED,
    "Failed": State.FAILED,
    "PartialFailed": State.FAILED,
}
"""`InvocationStatus` of the whole run."""

LEGACY_STATES = {
    "Running": State.RUNNING,
    "Finished": State.SUCCEEDED,
    "Success": State.SUCCEEDED,
    "Failed": State.FAILED,
    "PartialFailed": State.FAILED,
    "Stopped": State.CANCELLED,
    "Stopping": State.CANCELLING,
}
"""`InvokeStatus`, `InstanceInvokeStatus` and `InvokeRecordStatus`: read only where `InvocationStatus` is missing."""

EXECUTION_STATES = {
    "Pending": State.PENDING,
    "Queued": State.PENDING,
    "Started": State.RUNNING,
    "Running": State.RUNNING,
    "Waiting": State.RUNNING,  # for an approval; for a trigger it is scheduled
    "Success": State.SUCCEEDED,
    "Failed": State.FAILED,
    "Cancelled": State.CANCELLED,
    "Skipped": State.SKIPPED,
}
"""`Status` of an execution of OOS and of its tasks."""

_EXECUTION_FILTERS = ("Pending", "Started", "Waiting", "Running")
"""The words of what has not ended, in the order in which an execution goes through them. `Queued` is not documented."""

NEVER_READ = frozenset(State) - {*RUN_STATES.values(), *LEGACY_STATES.values(), State.TERMINATED, State.UNKNOWN}
"""States that no run has, so that none is searched: only its instances show how a run timed out."""

FILTERS = {
    State.PENDING: "Pending",
    State.SCHEDULED: "Scheduled",
    State.RUNNING: "Running",
    State.CANCELLING: "Stopping",
}
"""`InvokeStatus` of DescribeInvocations that finds every run of a state, in the order in which a run goes through them.

The words for ended runs are left out: which of the two status fields they mean, the vendor's pages leave open.
"""

_NOT_OVER = frozenset(state for state in State if not state.over)
_MIXED = frozenset({"Success", "PartialFailed"})  # both are documented for a mix of success and cancelled
_STOPPED_OR_DONE = frozenset({State.CANCELLED, State.TERMINATED, State.SUCCEEDED})


def run_state(row: JsonObject, invocations: Iterable[State]) -> tuple[State, str]:
    """State and vendor's word of a run, over the states of its invocations.

    Where some invocations were stopped and the others succeeded, the vendor's pages contradict each other: the word
    may be Success or PartialFailed. Then nothing failed and something was stopped, so the run reads `cancelled`.
    """
    state, word = _read(row, RUN_STATES, legacy="InvokeStatus")
    states = set(invocations)
    if word in _MIXED and any(one.stopped for one in states) and states <= _STOPPED_OR_DONE:
        state = State.CANCELLED
    return state, word


def status_filters(states: frozenset[State]) -> tuple[str | None, ...]:
    """The values of `InvokeStatus` to request one after the other, so that none of the states is missed; None is all.

    A run that moves on between two questions is met by the later one. One whose targets start late may go back from
    Running to Pending, hence the last question. No filter finds a word that nobody mapped; what is not over is taken to
    be found by the four, because the vendor documents Running as "as long as a command process is running".
    """
    if not states or not (states <= FILTERS.keys() or states == _NOT_OVER):
        return (None,)
    words = tuple(word for state, word in FILTERS.items() if state in states)
    return (*words, "Pending") if {State.PENDING, State.RUNNING} <= states else words


def execution_state(word: object, *, schedule: bool) -> State:
    """The state of an execution of OOS. A `schedule` that waits does nothing until its next round."""
    return State.SCHEDULED if schedule and word == "Waiting" else map_status(EXECUTION_STATES, word, State.UNKNOWN)


def task_state(word: str, *, started: bool, run: State, schedule: bool) -> State:
    """The state of a task in a `run`. What was cancelled after its start was stopped; a task left over never runs."""
    state = execution_state(word, schedule=schedule)
    if state is State.CANCELLED and started:
        return State.TERMINATED
    return State.SKIPPED if state is State.PENDING and run.over else state


def execution_filters(states: frozenset[State]) -> tuple[dict[str, str], ...]:
    """The parameters of ListExecutions to send one after the other, so that none of the states is missed.

    What moves on between two requests is found by a later one, and what went back to waiting by the last.
    """
    filterable = {State.SCHEDULED, *(EXECUTION_STATES[word] for word in _EXECUTION_FILTERS)}
    if not states or not (states <= filterable or states == _NOT_OVER):
        return ({},)
    words = [word for word in _EXECUTION_FILTERS if EXECUTION_STATES[word] in states]
    words += [] if State.SCHEDULED not in states or "Waiting" in words else ["Waiting"]
    words += ["Waiting"] if {"Waiting", "Running"} <= set(words) else []
    return tuple({"Status": word} for word in words)


def invocation_state(row: JsonObject, *, once: bool) -> tuple[State, str]:
    """State and vendor's word of one instance.

    `Cancelled` with a start time has started, so it is `terminated`, whatever the word. In a repeated run (`once`
    false) the start may be that of an earlier round, so it stays `cancelled`.
    """
    state, word = _read(row, INVOCATION_STATES, legacy="InstanceInvokeStatus")
    if state is State.CANCELLED and once and moment(row.get("StartTime")) is not None:
        state = State.TERMINATED
    return state, word


def _read(row: JsonObject, table: dict[str, State], *, legacy: str) -> tuple[State, str]:
    word = text(row.get("InvocationStatus"))
    if word is not None:
        return map_status(table, word, State.UNKNOWN), word
    word = text(row.get(legacy))
    return map_status(LEGACY_STATES, word, State.UNKNOWN), word or ""
