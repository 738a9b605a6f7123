"""The neutral records and closed words that every part of the program speaks."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self
from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType, structs


class State(StrEnum):
    """Where a run or an invocation stands, in one vocabulary for all clouds."""

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
        """Nothing more will happen here."""
        return self in _OVER

    @property
    def stopped(self) -> bool:
        """Ended by a cancel."""
        return self in (State.CANCELLED, State.TERMINATED)

    @property
    def ended_badly(self) -> bool:
        """Over, and not as it was meant to end: what `--exit-status` reports."""
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
    PARTIAL = "partial"
    ENDED = "ended"
    REQUESTED = "requested"
    FAILED = "failed"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why something failed: the closed set of `code` in JSON."""

    USAGE = "usage"
    REFUSED = "refused"
    NO_CREDENTIALS = "no_credentials"
    EXPIRED_CREDENTIALS = "expired_credentials"
    BAD_CREDENTIALS = "bad_credentials"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    NOT_CANCELLABLE = "not_cancellable"
    INVALID = "invalid"  # the cloud called the request wrong
    BUSY = "busy"  # throttled: not done, ask again later
    DOWN = "down"  # 5xx: may or may not have been done
    LOST = "lost"  # no answer: may or may not have been done
    UNREACHABLE = "unreachable"  # never connected: not done
    UNPROVEN = "unproven"  # an answer without proof that the cloud gave it: may or may not have been done
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"


class Kind(Struct, frozen=True, kw_only=True):
    """What is known beforehand about one kind of run."""

    name: str
    guarantee: Guarantee
    operation: str  # the vendor's cancel operation
    action: str  # the permission it needs, as the vendor spells it
    promise: str  # one sentence for a person: what a cancel does here
    id_pattern: re.Pattern[str]
    nobody: str  # an id of that shape which no run has: asking for it tells whether reading is permitted
    alias_pattern: re.Pattern[str] | None = None  # ids of a part of such a run (a Tencent task), answered with the run
    in_part: bool  # can be cancelled for some targets only
    starts_runs: bool = False  # its invocations start runs of their own, which a cancel leaves running
    read_batch: int = 1  # how many runs one read call takes
    grace: tuple[float, ...] = ()  # seconds before each further look for an id that is not found: it may be fresh
    read_whole: bool = False  # a reading with counts has all that the vendor tells of each invocation
    reported_only: frozenset[State] = frozenset()  # states the vendor may report before they are true

    def takes(self, id: str) -> bool:
        """Whether `id` has the shape of this kind's run ids (or of its parts' ids)."""
        return bool(self.id_pattern.fullmatch(id)) or self.is_alias(id)

    def is_alias(self, id: str) -> bool:
        """Whether `id` names a part of such a run rather than the run."""
        return self.alias_pattern is not None and bool(self.alias_pattern.fullmatch(id))


class Scope(Struct, frozen=True, kw_only=True, order=True):
    """Provider, credentials and region: the unit of connection, of rate limit and of failure.

    `context` is a configured context or a vendor profile; None is the bare environment.
    """

    provider: str
    region: str
    context: str | None = None

    def __str__(self) -> str:
        prefix = "" if self.context is None else f"{quote(self.context, safe='')}@"
        return f"{prefix}{self.provider}:{self.region}"


class Ref(Struct, frozen=True, kw_only=True, order=True):
    """The full name of one run; its text, which `refs` reads back, is `[context@]provider:region:kind/id`."""

    scope: Scope
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.kind}/{self.id}"


class Run(Struct, frozen=True, kw_only=True):
    """One thing that can be cancelled. `ref` is the text every verb accepts; times are UTC."""

    ref: str
    provider: str
    account: str | None
    context: str | None
    region: str
    kind: str
    id: str
    name: str | None
    state: State
    provider_status: str
    status_detail: str | None
    guarantee: Guarantee
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    counts: dict[State, int] | None  # invocations per state, only states that occur; None: not asked for
    target_count: int | None  # how many the vendor says there are, listed or not
    cancellable: bool
    parent: str | None
    task_ids: tuple[str, ...]

    @classmethod
    def at(
        cls,
        ref: Ref,
        kind: Kind,
        *,
        state: State,
        provider_status: str,
        status_detail: str | None = None,
        name: str | None = None,
        created_at: datetime | None = None,
        started_at: datetime | None = None,
        ended_at: datetime | None = None,
        target_count: int | None = None,
        parent: str | None = None,
        task_ids: tuple[str, ...] = (),
    ) -> Self:
        """The run named by `ref`, with what follows from its name and kind filled in."""
        return cls(
            ref=str(ref),
            provider=ref.scope.provider,
            account=None,
            context=ref.scope.context,
            region=ref.scope.region,
            kind=ref.kind,
            id=ref.id,
            name=name or None,
            state=state,
            provider_status=provider_status,
            status_detail=status_detail or None,
            guarantee=kind.guarantee,
            created_at=created_at,
            started_at=started_at,
            ended_at=ended_at,
            counts=None,
            target_count=target_count,
            cancellable=not state.over and state is not State.CANCELLING,
            parent=parent,
            task_ids=task_ids,
        )

    @property
    def not_listed(self) -> int:
        """How many targets the vendor counts beyond those it lists."""
        if self.counts is None or self.target_count is None:
            return 0
        return max(0, self.target_count - sum(self.counts.values()))


class Foreign(Struct, frozen=True, kw_only=True):
    """What an invocation started that is no run of ours. `command` would stop it; None: nothing can."""

    what: str
    command: str | None


class Invocation(Struct, frozen=True, kw_only=True):
    """One execution of a run on one target. A task that has no invocations yet is one row with `target` None."""

    run: str
    id: str
    task: str | None
    target: str | None
    target_name: str | None
    state: State
    provider_status: str
    status_detail: str | None
    exit_code: int | None
    started_at: datetime | None
    ended_at: datetime | None
    child: str | None  # the reference of a run that this invocation started
    owner: str | None
    window_target: str | None
    foreign: Foreign | None = None
    parameters: str | UnsetType = UNSET  # only when asked for: they may hold secrets


class Snapshot(Struct, frozen=True, kw_only=True):
    """A run and its invocations as one reading saw them; no invocations where these were not asked for."""

    run: Run
    invocations: tuple[Invocation, ...] = ()

    @classmethod
    def full(cls, run: Run, invocations: Iterable[Invocation]) -> Self:
        """A complete reading: counts follow from the invocations.

        A run that its vendor calls cancelled is `terminated` when any of its invocations was stopped while running.
        """
        listed = tuple(invocations)
        state = run.state
        if state is State.CANCELLED and any(one.state is State.TERMINATED for one in listed):
            state = State.TERMINATED
        count = len(listed) if run.target_count is None else run.target_count
        return cls(
            run=structs.replace(run, state=state, counts=counts_of(listed), target_count=count), invocations=listed
        )

    @property
    def whole(self) -> bool:
        """Whether every invocation was read."""
        return self.run.counts is not None

    def has(self, targets: Collection[str]) -> bool:
        """Whether one of these targets is among those that were read."""
        return any(one.target in targets for one in self.invocations)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which invocations of a run to list. Empty means all; `limit` 0 means all."""

    task: str | None = None
    states: frozenset[State] = frozenset()
    targets: frozenset[str] = frozenset()
    limit: int = 0
    parameters: bool = False

    def takes(self, invocation: Invocation) -> bool:
        """Whether the invocation passes every filter but the limit."""
        return (
            (self.task is None or invocation.task == self.task)
            and (not self.states or invocation.state in self.states)
            and (not self.targets or invocation.target in self.targets)
        )


class Query(Struct, frozen=True, kw_only=True):
    """Which runs to find. Empty sets and None mean any; times are UTC and mean when a run was created or started."""

    states: frozenset[State] = frozenset()
    kinds: frozenset[str] = frozenset()
    name: str | None = None  # exact
    name_glob: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, run: Run) -> bool:
        """Whether a run is one of those asked for."""
        born = run.created_at or run.started_at
        return (
            (not self.states or run.state in self.states)
            and (not self.kinds or run.kind in self.kinds)
            and (self.name is None or run.name == self.name)
            and (self.name_glob is None or fnmatchcase(run.name or "", self.name_glob))
            and (self.since is None or (born is not None and born >= self.since))
            and (self.until is None or (born is not None and born <= self.until))
        )


class Identity(Struct, frozen=True, kw_only=True):
    """Who the caller is at one provider: the account and the principal as the vendor writes it."""

    account: str
    principal: str


def counts_of(invocations: Iterable[Invocation]) -> dict[State, int]:
    """Invocations per state, in the order of `State`, only those that occur."""
    found = Counter(invocation.state for invocation in invocations)
    return {state: found[state] for state in State if found[state]}


class Problem(Struct, frozen=True, kw_only=True):
    """One entry of `errors` in JSON. `scope` and `ref` are the text forms."""

    code: Reason
    message: str
    hint: str | None = None
    provider_code: str | None = None
    request_id: str | None = None
    retryable: bool = False
    scope: str | None = None
    ref: str | None = None


class Planned(Struct, frozen=True, kw_only=True):
    """One selected invocation before a cancel: where it stands and what the guarantee lets one expect."""

    id: str
    task: str | None
    target: str | None
    before: State
    expected: Effect
    child: str | None = None
    foreign: Foreign | None = None


class PlanItem(Struct, frozen=True, kw_only=True):
    """What a cancel would do to one run. `ask` is false where nothing would be sent, and `why` says why."""

    run: str
    name: str | None
    state: State
    guarantee: Guarantee
    promise: str
    ask: bool
    why: str
    counts: dict[State, int]
    not_listed: int
    targets: tuple[str, ...]  # the ids sent with the request; empty: the whole run
    invocations: tuple[Planned, ...]
    parent: str | None = None  # the run that started it, which is asked first


class InvocationOutcome(Struct, frozen=True, kw_only=True):
    """What became of one selected invocation. `after` is None when it was not seen again.

    `confirmed` is false where the vendor's word is known to be weaker than it sounds.
    """

    id: str
    task: str | None
    target: str | None
    before: State | None
    after: State | None
    effect: Effect
    confirmed: bool
    child: str | None = None
    foreign: Foreign | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What was asked of one run and what was seen afterwards. `seconds`: from the answer to the last look."""

    run: str
    name: str | None
    verdict: Verdict
    guarantee: Guarantee | None
    before: State | None
    after: State | None
    request_ids: tuple[str, ...]
    invocations: tuple[InvocationOutcome, ...]
    not_listed: int
    seconds: float | None
    error: Problem | None
    parent: str | None = None  # the run that started it and was asked first


class Stage(StrEnum):
    """How far an operation came."""

    OPEN = "open"  # it goes on in some process, or was killed
    INTERRUPTED = "interrupted"
    DONE = "done"


class Operation(Struct, frozen=True, kw_only=True):
    """One `cancel`, as it was called. `counts` are its runs per verdict; those without one are `unjudged`."""

    id: str
    at: datetime
    user: str
    host: str
    argv: tuple[str, ...]
    reason: str | None
    verb: str
    state: Stage
    exit_code: int | None = None
    counts: dict[str, int] = {}


class ContextRow(Struct, frozen=True, kw_only=True):
    """A configured context as `contexts list` tells it."""

    name: str
    provider: str
    profile: str | None
    regions: tuple[str, ...]
    protected: bool
    default: bool
    groups: tuple[str, ...]


class SettingRow(Struct, frozen=True, kw_only=True):
    """One value that decides where a connection leads, and where it was found."""

    context: str | None
    provider: str
    key: str
    value: str | None
    origin: str


class AccessPolicy(Struct, frozen=True, kw_only=True):
    """What one provider has to allow, in its own language, and what that language could not say."""

    provider: str
    read_only: bool
    policy: dict[str, Any]
    notes: tuple[str, ...]


class PermissionCheck(Struct, frozen=True, kw_only=True):
    """What is known to be permitted for one kind of run; None: not known.

    `cancel` is known only from a cancel that was accepted or denied, at `cancel_seen_at`.
    """

    kind: str
    list: bool | None
    read: bool | None
    cancel: bool | None = None
    cancel_seen_at: datetime | None = None


class ScopeCheck(Struct, frozen=True, kw_only=True):
    """How one scope is reached and what it answers. Null: not known, or there is none.

    `scope` is the text form, the provider alone where there is no region. `key` holds the last four characters of the
    key's id. `clock_skew`: seconds by which the cloud's clock is ahead of ours, to a second. `latency`: seconds of the
    latest answer. `remark`: what stands in the way.
    """

    scope: str
    provider: str
    context: str | None
    region: str | None
    region_origin: str | None
    configured: bool
    ok: bool
    account: str | None = None
    principal: str | None = None
    credentials: str | None = None
    key: str | None = None
    endpoint: str | None = None
    endpoint_origin: str | None = None
    proxy: str | None = None
    clock_skew: float | None = None
    latency: float | None = None
    permissions: tuple[PermissionCheck, ...] = ()
    remark: str | None = None

    @property
    def clock_is_wrong(self) -> bool:
        """Whether what is signed here is refused: by AWS and Tencent Cloud from 5 minutes on, by Alibaba from 15."""
        return self.clock_skew is not None and abs(self.clock_skew) >= _WRONG_CLOCK


_WRONG_CLOCK = 300.0  # seconds


class FileCheck(Struct, frozen=True, kw_only=True):
    """A file of this program: whether it is there and what can be done with it. `mode` as in `0600`."""

    name: str
    path: str
    exists: bool
    readable: bool
    writable: bool
    mode: str | None
    problem: str | None
