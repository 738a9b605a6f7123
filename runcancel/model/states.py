"""The closed words of the program: one vocabulary for all clouds."""

from enum import StrEnum


class State(StrEnum):
    """The state of a run or an invocation, in one vocabulary for all clouds."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"  # ended by a cancel and not seen to have run
    TERMINATED = "terminated"  # stopped while running
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNDELIVERED = "undelivered"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"  # a vendor's word nobody mapped: never over, never stopped

    @property
    def over(self) -> bool:
        """Whether this state is an end: no later reading shows another one."""
        return self in _OVER

    @property
    def stopped(self) -> bool:
        """Whether it was ended by a cancel: before it ran, or while it did."""
        return self in (State.CANCELLED, State.TERMINATED)

    @property
    def openness(self) -> int:
        """How far it is from an end: of two contradicting readings of one thing the greater counts."""
        return _OPENNESS[self]

    @property
    def ended_badly(self) -> bool:
        """Ended without success: what `--exit-status` reports."""
        return self.over and self not in (State.SUCCEEDED, State.SKIPPED)


_OVER = frozenset(
    {
        State.CANCELLED,
        State.TERMINATED,
        State.SUCCEEDED,
        State.FAILED,
        State.TIMED_OUT,
        State.UNDELIVERED,
        State.SKIPPED,
    }
)


_LEAST_ENDED_LAST = (
    State.SKIPPED,
    State.CANCELLED,
    State.UNDELIVERED,
    State.TERMINATED,
    State.TIMED_OUT,
    State.FAILED,
    State.SUCCEEDED,  # ran to its end: a claim to have stopped it would be the greater one
    State.CANCELLING,
    State.SCHEDULED,
    State.PENDING,
    State.UNKNOWN,
    State.RUNNING,
)
_OPENNESS = {state: index for index, state in enumerate(_LEAST_ENDED_LAST)}


class Guarantee(StrEnum):
    """What a cancel can do to this kind of run, as its vendor documents it."""

    STOPS_RUNNING = "stops-running"
    BEST_EFFORT = "best-effort"
    PENDING_ONLY = "pending-only"


class Effect(StrEnum):
    """What was seen to become of one invocation after a cancel."""

    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    KEPT_RUNNING = "kept-running"
    ALREADY_ENDED = "already-ended"
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What was seen to become of one run, over its selected targets."""

    STOPPED = "stopped"
    REPORTED = "reported"  # stopped, but at least one stop is only reported by the cloud
    PARTIAL = "partial"
    ENDED = "ended"
    REQUESTED = "requested"  # accepted; the end was not seen
    IN_DOUBT = "in-doubt"  # sent, or perhaps sent; no reply or reading shows the result
    FAILED = "failed"  # certainly not accepted
    SKIPPED = "skipped"  # not sent


class Reason(StrEnum):
    """Why something failed: the closed set of `code` in JSON."""

    USAGE = "usage"
    REFUSED = "refused"
    NOT_CONFIGURED = (
        "not_configured"  # selected, and cannot be asked: no region, an endpoint or a CA file that cannot be used
    )
    NO_CREDENTIALS = "no_credentials"
    EXPIRED_CREDENTIALS = "expired_credentials"
    BAD_CREDENTIALS = "bad_credentials"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    NOT_CANCELLABLE = "not_cancellable"
    INVALID = "invalid"  # the cloud called the request wrong
    BUSY = "busy"  # throttled: not done, retry later
    DOWN = "down"  # 5xx: may or may not have been done
    LOST = "lost"  # no answer: may or may not have been done
    UNREACHABLE = "unreachable"  # never connected: not done
    UNPROVEN = "unproven"  # an answer without proof that the cloud gave it: may or may not have been done
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed_out"
    DRIFTED = "drifted"  # somebody changed it since: nothing was sent
    UNCONFIRMED = "unconfirmed"  # reached its goal, but only by the cloud's report
    INTERNAL = "internal"


class Fact(StrEnum):
    """What a run can be found by, beside its state, its kind and its age."""

    NAME = "name"
    COMMENT = "comment"
    DOCUMENT = "document"
    SCRIPT = "script"
    STARTED_BY = "started_by"


class Stage(StrEnum):
    """How far an operation came."""

    OPEN = "open"  # it goes on in some process, or was killed
    INTERRUPTED = "interrupted"
    DONE = "done"


class RequestStatus(StrEnum):
    """How far the request for one run came."""

    NEEDLESS = "needless"  # it was over; nothing was sent
    ALREADY = "already"  # somebody had cancelled it before; nothing was sent
    ACCEPTED = "accepted"
    REFUSED = "refused"
    IN_DOUBT = "in-doubt"  # sent, and no reply proves whether it was accepted
    NOT_REACHED = "not-reached"  # a signal came first; nothing was sent
