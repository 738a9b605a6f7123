"""What the status words of TAT mean in our words."""

from runcancel.model.states import State
from runcancel.providers.common.fields import map_status

RUN_STATES = {
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "CANCELLING": State.CANCELLING,
    "SUCCESS": State.SUCCEEDED,
    "TIMEOUT": State.TIMED_OUT,
    "FAILED": State.FAILED,
    "PARTIAL_FAILED": State.FAILED,
    "CANCELLED": State.CANCELLED,
    "PARTIAL_CANCELLED": State.CANCELLED,
}
"""`InvocationStatus` of a run. There is no word for "all terminated": the tasks show it."""

NEVER_READ = frozenset(State) - {*RUN_STATES.values(), State.TERMINATED, State.UNKNOWN}
"""States that no run has, so that none is searched."""

INVOCATION_STATES = {
    "PENDING": State.PENDING,
    "DELIVERING": State.PENDING,
    "DELIVER_DELAYED": State.PENDING,
    "DELIVER_FAILED": State.UNDELIVERED,
    "START_FAILED": State.FAILED,
    "RUNNING": State.RUNNING,
    "SUCCESS": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "TIMEOUT": State.TIMED_OUT,
    "TASK_TIMEOUT": State.TIMED_OUT,  # the agent never answered
    "CANCELLING": State.CANCELLING,
    "CANCELLED": State.CANCELLED,  # before it started
    "TERMINATED": State.TERMINATED,  # while it ran
}
"""`TaskStatus` of one instance."""


def run_state(word: object) -> State:
    """The state of a run; an unknown word is `unknown`."""
    return map_status(RUN_STATES, word, State.UNKNOWN)


def invocation_state(word: object, *, began: bool = False) -> State:
    """The state of one instance. `began`: the vendor shows a start of execution, so it was not cancelled before one."""
    state = map_status(INVOCATION_STATES, word, State.UNKNOWN)
    return State.TERMINATED if state is State.CANCELLED and began else state
