"""The neutral records that every part of the program speaks: what a run is, what was seen of it, what may go wrong."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Self
from urllib.parse import quote, unquote

from msgspec import UNSET, Struct, UnsetType, structs

from runcancel.model.states import Fact, Guarantee, Reason, State


class Kind(Struct, frozen=True, kw_only=True):
    """What is known beforehand about one kind of run."""

    name: str
    guarantee: Guarantee
    action: str  # the API that cancels
    permission: str  # what it needs, as the vendor spells it
    promise: str  # one sentence for a person: what a cancel does here
    id_pattern: re.Pattern[str]
    case_insensitive: bool = False  # an id means the same in capitals, and is read and printed in small letters
    probe_id: str  # an id of that shape which no run has: asking for it tells whether reading is permitted
    alias_pattern: re.Pattern[str] | None = None  # ids of a part of such a run (a Tencent task), answered with the run
    form: str = ""  # what its ids look like, where the provider's `ids` are not of this kind
    in_part: bool  # can be cancelled for some targets only
    starts_runs: bool = False  # its invocations start runs of their own, which a cancel leaves running
    parameters: bool = False  # its invocations can be listed with the parameters of each
    read_batch: int = 1  # how many runs one read call takes
    grace: tuple[float, ...] = ()  # seconds before each further look for an id that is not found: it may be fresh
    read_whole: bool = False  # a reading with counts has all that the vendor tells of each invocation
    scanned: bool = False  # what started one is found in the triggers, where its reading does not report it
    started_with: tuple[str, ...] = ()  # the APIs whose request starts one, as audit logs name them
    may_repeat: bool = False  # such a run may be a schedule itself, which no trigger stands for
    by_kind_only: bool = False  # a filter finds such runs only with --kind: older commands must not widen
    lists: frozenset[Fact] = frozenset()  # by which facts a listing can be searched, names and comments aside

    def matches(self, id: str) -> bool:
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


class RunName:
    """What a record calls a run: a `Ref`, or the words under which nobody has found one yet. Equal by its text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text: Final = text

    @classmethod
    def parse(cls, text: str) -> "RunName":
        """The name that a record was printed with: a `Ref` where it is one."""
        match = _REF.fullmatch(text)
        return RunName(text) if match is None else _ref_of(match)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunName) and self.text == other.text

    def __lt__(self, other: "RunName") -> bool:
        return self.text < other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Ref(RunName):
    """The full name of one run; its text is `[context@]provider:region:kind/id`."""

    __slots__ = ("id", "kind", "scope")

    def __init__(self, *, scope: Scope, kind: str, id: str) -> None:
        super().__init__(f"{scope}:{kind}/{id}")
        self.scope: Final = scope
        self.kind: Final = kind
        self.id: Final = id

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """The reference that a record was printed with. Raises ValueError for any other text."""
        match = _REF.fullmatch(text)
        if match is None:
            raise ValueError(f"{text} is not a full reference of a run")
        return _ref_of(match)


_REF = re.compile(r"(?:([^@:/]+)@)?([^@:/]+):([^@:/]+):([^@:/]+)/(.+)", re.DOTALL)


def _ref_of(match: re.Match[str]) -> Ref:
    context, provider, region, kind, id = match.groups()
    scope = Scope(provider=provider, region=region, context=None if context is None else unquote(context))
    return Ref(scope=scope, kind=kind, id=id)


class AuditEvent(Struct, frozen=True, kw_only=True):
    """What the vendor's audit log has about the request that started a run; null if it has nothing."""

    action: str
    principal: str | None
    at: datetime | None
    address: str | None  # where the request came from: an IP address, or the name of a service
    agent: str | None  # its User-Agent
    id: str | None


class Run(Struct, frozen=True, kw_only=True):
    """One thing that can be cancelled. `ref` is the text every verb accepts; times are UTC."""

    ref: Ref
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
    counts: dict[State, int] | None  # invocations per state, only states that occur; None: not requested
    target_count: int | None  # how many the vendor says there are, listed or not
    cancellable: bool
    parent: Ref | None
    task_ids: tuple[str, ...]
    comment: str | None = None  # what whoever started it wrote about it
    document: str | None = None  # what it runs, as the vendor names it
    started_by: str | None = None  # the principal, where the vendor names it
    scheduled_at: datetime | None = None
    target_kind: str | None = None  # the vendor's word for what sort of machines its targets are
    alarms: tuple[str, ...] = ()  # alarms that stopped it, with their state
    vendor_counts: dict[str, int] = {}  # the vendor's own progress counters, in snake case
    matched_by: Fact | None = None  # through which fact a search by name, document or script found it
    trigger: Ref | None = None  # what started it by itself
    trigger_known: bool = False  # whether the vendor told, so that a null `trigger` means that nothing did
    repeats: bool | None = None  # whether it is a schedule itself, whose cancel is its end; None: not known
    next_start_at: datetime | None = None  # of the run if it repeats, else of its trigger, where that is known
    script: str | UnsetType | None = UNSET  # only on request: it may hold secrets; None: the vendor does not report it
    audit: AuditEvent | UnsetType | None = UNSET  # only on request; None: not found

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
        parent: Ref | None = None,
        task_ids: tuple[str, ...] = (),
        comment: str | None = None,
        document: str | None = None,
        started_by: str | None = None,
        scheduled_at: datetime | None = None,
        target_kind: str | None = None,
        alarms: tuple[str, ...] = (),
        vendor_counts: dict[str, int] | None = None,
        trigger_known: bool = False,
        repeats: bool | None = None,
        next_start_at: datetime | None = None,
    ) -> Self:
        """The run named by `ref`, with what follows from its name and kind filled in."""
        return cls(
            ref=ref,
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
            cancellable=not state.over and (kind.in_part or state is not State.CANCELLING),
            parent=parent,
            task_ids=task_ids,
            comment=comment or None,
            document=document or None,
            started_by=started_by or None,
            scheduled_at=scheduled_at,
            target_kind=target_kind or None,
            alarms=alarms,
            vendor_counts=vendor_counts or {},
            trigger_known=trigger_known,
            repeats=repeats,
            next_start_at=next_start_at,
        )

    @property
    def label(self) -> str | None:
        """Its name for a person: the name, else the comment, else the document."""
        return label_of(self.name, self.comment, self.document)

    @property
    def ended(self) -> bool:
        """Whether it has ended: its own state and every listed invocation. Contradictions go to the least ended."""
        return self.state.over and all(state.over for state in self.counts or ())

    @property
    def ended_badly(self) -> bool:
        """Ended without success: what `--exit-status` reports."""
        return self.ended and self.state.ended_badly

    @property
    def rest_confirmed(self) -> bool:
        """Whether the vendor counts all targets as completed, and so also those that it does not list."""
        return self.target_count is not None and self.vendor_counts.get("completed") == self.target_count

    @property
    def not_listed(self) -> int:
        """How many targets the vendor counts beyond those it lists."""
        if self.counts is None or self.target_count is None:
            return 0
        return max(0, self.target_count - sum(self.counts.values()))


class ExternalExecution(Struct, frozen=True, kw_only=True):
    """What an invocation started that is no run of ours. `command` would stop it; None: nothing can."""

    what: str
    command: str | None


class Invocation(Struct, frozen=True, kw_only=True):
    """One execution of a run on one target. A task that has no invocations yet is one row with `target` None."""

    run: Ref
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
    child: Ref | None  # a run that this invocation started
    owner: str | None
    window_target: str | None
    foreign: ExternalExecution | None = None
    target_count: int = 1  # how many targets this row stands for
    confirmed: bool = True  # false where the vendor's word is weaker than it sounds
    document: str | None = None  # what it runs, where the vendor names it
    task_type: str | None = None  # the vendor's word for what sort of task it is
    alarms: tuple[str, ...] = ()
    parameters: str | UnsetType = UNSET  # only on request: they may hold secrets


class Snapshot(Struct, frozen=True, kw_only=True):
    """A run and its invocations in one reading; no invocations if they were not requested."""

    run: Run
    invocations: tuple[Invocation, ...] = ()

    @classmethod
    def full(cls, run: Run, invocations: Iterable[Invocation]) -> Self:
        """A complete reading: counts follow from the invocations.

        A run that its vendor calls cancelled is `terminated` when any of its invocations was stopped while running.
        """
        listed = least_ended(invocations)
        any_terminated = any(one.state is State.TERMINATED for one in listed)
        state = State.TERMINATED if run.state is State.CANCELLED and any_terminated else run.state
        count = len(listed) if run.target_count is None else run.target_count
        cancellable = _cancellable(run, listed, count)
        whole = structs.replace(run, state=state, counts=counts_of(listed), target_count=count, cancellable=cancellable)
        return cls(run=whole, invocations=listed)

    @property
    def whole(self) -> bool:
        """Whether every invocation was read; then `run.counts` is set."""
        return self.run.counts is not None

    def has(self, targets: Collection[str]) -> bool:
        """Whether one of these targets is among those that were read."""
        return any(one.target in targets for one in self.invocations)


def _cancellable(run: Run, listed: Sequence[Invocation], count: int) -> bool:
    """Whether a cancel of the whole run would reach a target that none has reached yet.

    A run that its vendor calls ended has not ended as long as an invocation has not. A run of a kind that can be
    cancelled in part reads `cancelling` also while only one of its targets is being stopped.
    """
    any_untouched = any(not one.state.over and one.state is not State.CANCELLING for one in listed)
    any_left = run.state is not State.CANCELLING or any_untouched or count > len(listed)
    return any_untouched if run.state.over else run.cancellable and any_left


class InvocationFilter(Struct, frozen=True, kw_only=True):
    """Which invocations of a run to list. Empty means all; `limit` 0 means all."""

    task: str | None = None
    states: frozenset[State] = frozenset()
    targets: frozenset[str] = frozenset()
    limit: int = 0
    parameters: bool = False

    def matches(self, invocation: Invocation) -> bool:
        """Whether the invocation passes every filter but the limit."""
        return (
            (self.task is None or invocation.task == self.task)
            and (not self.states or invocation.state in self.states)
            and (not self.targets or invocation.target in self.targets)
        )


class Identity(Struct, frozen=True, kw_only=True):
    """The caller's identity at one provider: the account and the principal as the vendor writes it.

    `believed`: it comes from the vendor's own host, or from the host of the service itself.
    """

    account: str
    principal: str
    believed: bool = True


def label_of(name: str | None, comment: str | None, document: str | None) -> str | None:
    """What a person knows a run by: ten commands of one document differ by their comments."""
    return (None if name == document else name) or comment or document


def least_ended(invocations: Iterable[Invocation]) -> tuple[Invocation, ...]:
    """Each invocation once, in the order of its first row; of contradicting rows the least ended."""
    rows: dict[tuple[str | None, str], Invocation] = {}
    for one in invocations:
        row_there = rows.setdefault((one.task, one.id), one)
        if one.state.openness > row_there.state.openness:
            rows[one.task, one.id] = one
    return tuple(rows.values())


def counts_of(invocations: Iterable[Invocation]) -> dict[State, int]:
    """Invocations per state, in the order of `State`, only those that occur."""
    counts = Counter(invocation.state for invocation in invocations)
    return {state: counts[state] for state in State if counts[state]}


class Problem(Struct, frozen=True, kw_only=True):
    """One entry of `errors` in JSON. `scope` and `ref` are the text forms."""

    code: Reason
    message: str
    hint: str | None = None
    provider_code: str | None = None
    request_id: str | None = None
    retryable: bool = False
    scope: str | None = None
    ref: RunName | None = None
