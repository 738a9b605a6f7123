"""The requests of one cancel: they run on the workers' threads, and an error is part of the result."""

from msgspec import Struct

from runcancel.engine.connections import Batch, Clouds, read
from runcancel.engine.lookup import Lookup, LookupResponse, Probe, answers
from runcancel.engine.poll import Readings
from runcancel.engine.tracker import SendResult
from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Reason
from runcancel.runtime.throttle import Clock, departures, no_later_than


class Send(Struct, frozen=True):
    """One try to cancel one run. `number` distinguishes it from others, also of the same run."""

    number: int
    ref: Ref
    targets: tuple[str, ...]


class Check(Struct, frozen=True):
    """The reading of runs whose last try failed, repeated within so many seconds."""

    batch: Batch
    within: float


class ReadChildren(Struct, frozen=True):
    """The reading of the runs that a run has started."""

    ref: Ref


class Listing(Struct, frozen=True):
    """One listing of one kind of run in one scope: a kind that hangs holds up no other."""

    scope: Scope
    kind: str


class SideQueue(Struct, frozen=True):
    """A queue beside that of a scope, for requests that must not wait for a reading that hangs."""

    scope: Scope

    @property
    def provider(self) -> str:
        return self.scope.provider


Work = Send | Check | ReadChildren | Batch | Probe | Listing


class Requests:
    """The requests of one operation. A cancel that waits for a thread can be withdrawn until the thread takes it."""

    def __init__(self, clouds: Clouds, clock: Clock) -> None:
        self._clouds = clouds
        self._clock = clock
        self._queued: dict[int, None] = {}  # sends that no thread has taken up: whoever takes one out decides on it

    @property
    def any_queued(self) -> bool:
        """Whether a cancel waits for a thread."""
        return bool(self._queued)

    def enqueue(self, number: int) -> None:
        """Register a send before it is given to the workers."""
        self._queued[number] = None

    def withdraw(self, number: int) -> bool:
        """Withdraw a send. Returns False where a thread has taken it: it may have been sent."""
        return self._queued.pop(number, self) is None

    def read(self, batch: Batch, *, within: float) -> Readings:
        """Read the runs of a batch, repeated within so many seconds."""
        try:
            with no_later_than(self._clock.monotonic() + within):
                return read(self._clouds, batch)
        except Exception as failure:  # noqa: BLE001 - a cancel goes on, whatever broke
            return tuple((ref, internal_error(failure)) for ref in batch.refs)

    def look_up(self, lookup: Lookup, probe: Probe, *, until: float) -> tuple[LookupResponse, ...]:
        """Look references up at one scope, until this monotonic second."""
        if not lookup.wants(probe):
            return ()  # its time was up while it waited for a thread
        try:
            with no_later_than(until):
                return answers(self._clouds, probe, self._clock, unchecked=lookup.unchecked)
        except Exception as failure:  # noqa: BLE001 - a cancel goes on, whatever broke
            return tuple((reference, internal_error(failure)) for reference in probe.references)

    def send(self, work: Send) -> SendResult:
        """Send one request for one run, or several where the cloud limits the targets of one."""
        began = self._clock.monotonic()
        if not self.withdraw(work.number):
            return SendResult(began=began, error=CloudError(Reason.INTERRUPTED, "it was withdrawn; nothing was sent"))
        accepted: list[str] = []
        error: CloudError | None = None
        with departures() as moments:
            try:
                for request_id in self._clouds.send(work.ref, work.targets):
                    accepted.append(request_id)  # noqa: PERF402 - what was accepted before an error counts
            except CloudError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001 - it may have been sent, whatever broke
                error = internal_error(failure)
        return SendResult(
            began=began,
            departed=moments[-1] if moments else None,
            request_ids=tuple(accepted),
            error=error,
            key=self._key(work.ref.scope),
        )

    def _key(self, scope: Scope) -> str | None:
        """The credential that the request was signed with, as far as a journal may hold it."""
        try:
            return self._clouds.at(scope).checkup().key
        except Exception:  # noqa: BLE001 - no cancel fails because of it
            return None


def internal_error(failure: Exception) -> CloudError:
    """Any exception that no provider raises, as an error with a reason."""
    return CloudError(Reason.INTERNAL, f"internal error: {type(failure).__name__}: {failure}")
