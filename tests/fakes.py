"""Seams of the core: a clock moved by hand, threads that run at once, and clouds that live in memory."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from msgspec import Struct, structs

from runcancel.config import references
from runcancel.config.references import Reference
from runcancel.config.settings import gather
from runcancel.engine.connections import Clouds
from runcancel.errors import CloudError, UsageError
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.queries import Query
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Ref, Run, Scope, Snapshot
from runcancel.model.states import Reason, State
from runcancel.providers import kind_of
from runcancel.providers.base import Checkup, Cloud
from runcancel.runtime.throttle import StoppableClock
from runcancel.runtime.workers import Workers

T = TypeVar("T")

WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
COMMAND = "aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
SCRIPT = "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601"
PATCH = "tencent:ap-guangzhou:invocation/inv-ib2lld37"
UUID = "02f05632-d0bc-470d-b1e5-c59a8d4f2a10"


class HandClock(StoppableClock):
    """Time passes only when somebody sleeps, or waits for an answer that is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        if not self.stopped:
            self.now += seconds

    def take(self, inbox: SimpleQueue[T], timeout: float) -> T:
        try:
            return inbox.get_nowait()
        except Empty:
            self.now += timeout
            raise


def read_or_not(text: str) -> Reference | UsageError:
    """What a reference means, or why it is none."""
    try:
        return references.parse(text)
    except UsageError as error:
        return error


def hand_workers() -> tuple[HandClock, Workers]:
    """A workers without threads: work is done when it is submitted."""
    clock = HandClock()
    return clock, Workers(clock, spawn=lambda work: work())


def row(target: str, state: State, *, task: str | None = None, id: str | None = None, run: str = PATCH) -> Invocation:
    """One invocation; its id is its target's unless given."""
    return Invocation(
        run=Ref.parse(run),
        id=id or target,
        task=task,
        target=target or None,
        target_name=None,
        state=state,
        provider_status=state.name,
        status_detail=None,
        exit_code=None,
        started_at=None,
        ended_at=None,
        child=None,
        owner=None,
        window_target=None,
    )


def seen(
    ref: str,
    state: State,
    targets: Mapping[str, State] | Sequence[Invocation] = (),
    *,
    target_count: int | None = None,
    completed: int | None = None,
    weak: Collection[State] = (),
) -> Snapshot:
    """One reading of a run. `weak` are the states that its cloud only reports, `completed` what its vendor counts."""
    full = references.full(ref)
    rows = tuple(row(name, one, run=ref) for name, one in targets.items()) if isinstance(targets, Mapping) else targets
    run = Run.at(
        full,
        kind_of(full),
        state=state,
        provider_status=state.name,
        target_count=target_count,
        vendor_counts=None if completed is None else {"completed": completed},
    )
    return Snapshot.full(run, (structs.replace(one, confirmed=one.state not in weak) for one in rows))


class Reply(Struct, frozen=True, kw_only=True):
    """What a cloud says to a cancel, and whether it does it."""

    ids: tuple[str, ...] = ("req-1",)
    error: CloudError | None = None
    works: bool = True


Life = Callable[[float | None], Snapshot | CloudError]
"""What a reading finds, by the seconds since a cancel worked (None: none did)."""


class FakeCloud:
    """One scope. `log` holds every call: the verb, and the ids or the id and its targets."""

    def __init__(
        self, clock: StoppableClock, lives: Mapping[str, Life], replies: Mapping[str, Sequence[Reply]]
    ) -> None:
        self._clock = clock
        self._lives = {references.full(ref): life for ref, life in lives.items()}
        self._replies = {references.full(ref): list(several) for ref, several in replies.items()}
        self._since: dict[Ref, float] = {}
        self.log: list[tuple[str, tuple[str, ...]]] = []
        self.moments: list[float] = []
        self.on_call: Callable[[str, Ref], None] = lambda verb, ref: None

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        self._note("read", tuple(ref.id for ref in refs))
        self.on_call("read", refs[0])
        for ref in refs:
            if ref not in self._lives:
                yield ref, CloudError(Reason.NOT_FOUND, "not found")
                continue
            since = self._since.get(ref)
            yield ref, self._lives[ref](None if since is None else self._clock.monotonic() - since)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        self._note("cancel", (ref.id, *targets))
        self.on_call("cancel", ref)
        left = self._replies.get(ref, [])
        reply = left.pop(0) if left else Reply()
        if reply.works:
            self._since.setdefault(ref, self._clock.monotonic())
        yield from reply.ids
        if reply.error is not None:
            raise reply.error

    def invocations(self, ref: Ref, wanted: InvocationFilter) -> Iterator[Invocation]:
        raise NotImplementedError

    def runs(self, query: Query) -> Iterator[Snapshot]:
        raise NotImplementedError

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        raise NotImplementedError

    def script(self, ref: Ref) -> str | None:
        raise NotImplementedError

    def regions(self) -> tuple[str, ...]:
        raise NotImplementedError

    def identity(self) -> Identity:
        raise NotImplementedError

    def checkup(self) -> Checkup:
        return Checkup(credentials=None, key=None, endpoint="memory", proxy=None, clock_skew=None, latency=None)

    def count(self, verb: str) -> int:
        """How many calls of that verb were made."""
        return sum(one == verb for one, _ in self.log)

    def _note(self, verb: str, words: tuple[str, ...]) -> None:
        self.log.append((verb, words))
        self.moments.append(self._clock.monotonic())


class FakeClouds(Clouds):
    """Scopes in memory; one that is not there has no credentials."""

    def __init__(self, clouds: Mapping[str, Cloud], workers: Workers) -> None:
        super().__init__(gather(environ={}), workers)
        self._clouds = clouds

    def at(self, scope: Scope) -> Cloud:
        if str(scope) not in self._clouds:
            raise CloudError(Reason.NO_CREDENTIALS, "no credentials")
        return self._clouds[str(scope)]


class Told:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def planned(self, items: Sequence[PlanItem]) -> None:
        self.words.append("planned")

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        self.words.append("responded")

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        self.words.append("observed")

    def judged(self, outcome: Outcome) -> None:
        self.words.append("judged")

    def tick(self) -> None:
        self.words.append("tick")

    def close(self) -> None:
        self.words.append("closed")
