"""The contract that each cloud keeps: what a provider offers, and what one connected scope does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from re import Pattern
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, structs

from runcancel import __version__
from runcancel.environment import Choice
from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Kind, Ref, Run, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin, Trigger, TriggerKind, TriggerQuery
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.inventory import Account
    from runcancel.model.queries import Query
    from runcancel.model.reports import AccessPolicy
    from runcancel.providers.common.links import Link

AGENT = f"runcancel/{__version__}"
"""The `User-Agent` of every request."""


class ContextRole(Struct, frozen=True, kw_only=True):
    """The role of a context: its credentials are requested once for all regions. `session` names the caller.

    `account` is the one that the role is of.
    """

    arn: str
    account: str
    session: str
    external_id: str | None = None
    chain: tuple[str, ...] = ()  # roles that are assumed one after another before this one

    def __str__(self) -> str:
        return f"role {self.arn}"


class Connection(Struct, frozen=True, kw_only=True):
    """Everything needed to reach one scope; each value was chosen by `settings`.

    `profile` is the vendor's own profile name (None: the environment and the vendor's default chain). With a `role` its
    credentials assume the role. `operation` is the id under which the journal has what is asked, None where it has
    nothing.
    """

    scope: Scope
    profile: str | None = None
    role: ContextRole | None = None
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    site: str | None = None  # one of the provider's `SITES`
    connect_timeout: float = 5.0  # seconds
    read_timeout: float = 20.0  # seconds
    operation: str | None = None

    @property
    def agent(self) -> str:
        """Program and operation for the `User-Agent`: the audit logs keep it, for a join with the journal."""
        return f"{AGENT} op/{self.operation}" if self.operation else AGENT


class VendorSettings(Struct, frozen=True, kw_only=True):
    """The settings of a connection in a provider's own variables and files, each value with where it was found.

    `profile` is the one in use, "default" where nothing names one; keys in the environment may win over its keys.
    `account` is the one that a role or a sign-in there names; None where only the cloud knows it. `error`: why the
    profile or its file cannot be used.
    """

    profile: Choice[str]
    region: Choice[str] | None = None
    endpoint_url: Choice[str] | None = None
    account: Choice[str] | None = None
    error: CloudError | None = None


class Checkup(Struct, frozen=True, kw_only=True):
    """The endpoint and credentials of a connection, and the clock and latency of the latest reply; without secrets.

    `credentials`: their source, in words. `key`: the last four characters of the key, by which `doctor` finds the
    cancels of this key in the journal; None: it cannot find any. `proxy` without its user.
    `clock_skew`: seconds by which the cloud's clock is ahead of ours; `latency`: seconds of the last answer.
    """

    credentials: str | None
    key: str | None
    endpoint: str
    proxy: str | None
    clock_skew: float | None
    latency: float | None

    def with_fallback(self, other: "Checkup") -> "Checkup":
        """The same, completed from another endpoint of the vendor if this one has not replied."""
        if self.latency is not None:
            return self
        return structs.replace(self, clock_skew=other.clock_skew, latency=other.latency)


class PolicyScope(Struct, frozen=True, kw_only=True):
    """What a policy is for. None and empty: not narrowed in this respect.

    `audit`: also to read the audit log; `triggers`: also to find, disable and enable triggers. `account` is the
    vendor's own number; `trigger` the id of one whose runs may be cancelled; `kinds` are kinds of runs.
    """

    read_only: bool = False
    audit: bool = False
    triggers: bool = False
    account: str | None = None
    regions: tuple[str, ...] = ()
    trigger: str | None = None
    kinds: frozenset[str] = frozenset()


class AuditLog(Protocol):
    """The audit log of one scope."""

    def of(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`."""
        ...


class Cloud(Protocol):
    """One connected scope. All methods block, may be called from many threads, and raise only `CloudError`."""

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """Read runs of one kind, at most `kind.read_batch` of them, each answered exactly once, in any order.

        `full` reads every invocation and sets `run.counts`; without it only what costs no further request is there
        (`invocations` may be empty and `run.counts` None). An unknown id is answered with `Reason.NOT_FOUND`; an id
        that matches `kind.alias_pattern` with the snapshot of the run it belongs to (its `run.id` then differs); one of
        neither shape with `Reason.INVALID`, and it never travels.
        What concerns the whole call (no credentials, throttled to the end, down) is raised.
        """
        ...

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """The run's invocations that pass `criteria`, page by page, filtered by the vendor where it can.

        Raises `Reason.NOT_FOUND` for a run that is not there.
        """
        ...

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """What the run's invocations that pass `criteria` wrote, page by page; `criteria.limit` does not count here.

        An invocation with several steps has an output for each. Runs that an invocation started are followed one level
        down. What is `finished` may be left out where another reading of it costs a request. Every other method asks
        the vendor to leave the output out. Raises `Reason.NOT_FOUND`.
        """
        ...

    def script(self, ref: Ref) -> str | None:
        """The script that the run executes, with its parameters, as text; None where the vendor does not report it.

        It may hold secrets: nothing but `status --script` requests it. Raises `Reason.NOT_FOUND`.
        """
        ...

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """Ask the vendor to cancel the run, or only `targets` of it; yields one request id per accepted request.

        Chunked to the vendor's limit. Never repeated after an answer in doubt: `cancel` reads the state first.
        """
        ...

    def runs(self, query: "Query") -> Iterator[Snapshot]:
        """The scope's runs, page by page, newest first where the vendor lists so; no request per run.

        The vendor's own filters are used where they are exact; the caller applies `query.matches` to what comes, and
        the provider `query.script`, for which it reads the script of each listed run.
        A listing that carries the targets gives what `read` would give; else `run.counts` is None. Kinds that are not
        in `query.kinds` cost no request.
        """
        ...

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """What the vendor's audit log has about the request that started each run, by the run's reference.

        Runs that it does not report are left out. It has a permission, a rate and a delay of its own.
        """
        ...

    def triggers(self) -> "Triggers":
        """The triggers of this scope; makes no request."""
        ...

    def regions(self) -> tuple[str, ...]:
        """The regions that this account can use, from the vendor (`DescribeRegions` and its siblings)."""
        ...

    def identity(self) -> Identity:
        """The caller's identity, from the vendor."""
        ...

    def checkup(self) -> Checkup:
        """What is known of this connection so far; makes no request."""
        ...


class Triggers(Protocol):
    """The triggers of one connected scope. All methods block, may be called from many threads, raise `CloudError`."""

    def find(self, query: TriggerQuery) -> Iterator[Trigger]:
        """The scope's triggers, page by page; the caller applies `query.matches` to what comes.

        With `query.script` only those come whose script contains it. Kinds that are not in `query.kinds` cost no
        request.
        """
        ...

    def read(self, ref: Ref) -> Trigger:
        """Read one trigger whole. Raises `Reason.NOT_FOUND`, or `Reason.INVALID` for an id that is none."""
        ...

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """Disable or enable a trigger by the vendor's own switch, change nothing else of it, and return the request id.

        Raises `Reason.NOT_CANCELLABLE` for a kind that has no such switch. Never repeated after an answer in doubt:
        the caller reads the state first.
        """
        ...

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """What started these runs and when that starts again, found by scanning; each reference at most once.

        Those that do not come are not known. It is slow, and never on the way of a cancel.
        """
        ...


class Organization(Protocol):
    """The accounts that belong together at one vendor."""

    id: str
    """Known once an account was listed."""

    def accounts(self, units: tuple[str, ...], *, role: str | None) -> "Iterator[Account]":
        """The active accounts of these units and of the units in them, each once; of all without any.

        `role` is the name of the role in each account; None: the vendor's usual one. Raises `UsageError` for a name
        that cannot be one.
        """
        ...

    def tags(self, account: "Account") -> tuple[str, ...]:
        """The tags of an account, as `key:value`."""
        ...


class NoTriggers:
    """The `Triggers` of a cloud that has none."""

    def find(self, query: TriggerQuery) -> Iterator[Trigger]:
        """No trigger, without a request."""
        yield from ()

    def read(self, ref: Ref) -> Trigger:
        """Raises `CloudError` with `Reason.NOT_FOUND` for every reference, without a request."""
        raise CloudError(Reason.NOT_FOUND, f"{ref} is not a trigger")

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """Raises `CloudError` with `Reason.NOT_FOUND` for every reference; nothing is sent."""
        raise CloudError(Reason.NOT_FOUND, f"{ref} is not a trigger; nothing was sent")

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """Nothing is known of what started a run here."""
        yield from ()


class Provider(Struct, frozen=True, kw_only=True):
    """What a cloud is to the rest of the program: facts, and functions that open it. Its module calls it `PROVIDER`."""

    name: str
    title: str  # as a person writes it: "Alibaba Cloud"
    account_pattern: Pattern[str]  # how the number of an account is written
    role_pattern: Pattern[str] | None = None  # how a role is written, its first group the account; None: it has none
    role_example: str = ""
    ids: tuple[str, ...]  # what ids look like, for the message about one that has no such shape: "a UUID"
    link_prefixes: tuple[str, ...] = ()  # how links to its runs begin that are no URLs
    clock_limit: float = 300.0  # seconds by which the clock of a signed request may be wrong
    kinds: tuple[Kind, ...]  # in the order in which a bare id is looked up
    trigger_kinds: tuple[TriggerKind, ...] = ()  # what starts its runs by itself
    regions: frozenset[str]  # regions this vendor is known to have (a dated table), in the shape of `references.REGION`
    sites: tuple[str, ...] = ()  # separate clouds of one vendor, by domain, the default first; most have none
    audit_log: str = ""  # what the vendor calls it; empty: none that this program reads
    variables: tuple[str, ...]  # how the names of the vendor's own variables begin: the sandbox hands none of them on
    endpoint_variables: tuple[str, ...] = ()  # those for another endpoint, the stronger first; `connect` heeds them
    region_variables: tuple[str, ...]  # the vendor's own variables that choose a region, the stronger first
    profile_variables: tuple[str, ...] = ()  # the vendor's own variables that choose a profile
    not_enabled: frozenset[str] = frozenset()  # codes of a region that is not enabled for good credentials; often none
    credentials: str  # where credentials come from, for the message when there are none
    sign_in: str  # the commands that provide them

    resolve: Callable[[Mapping[str, str], str | None], VendorSettings]
    """Which profile, account, region and endpoint are in use, in the vendor's own order of precedence.

    The one answer for `connect`, the guards, `doctor` and `contexts show`. Raises nothing. The profile was named by a
    flag, a context or a reference; None leaves the choice to the vendor's variables and files.
    """

    host: Callable[[str, str | None], str]
    """Where the vendor answers in a region, at one of its `sites`, if no other endpoint is chosen."""

    configured: Callable[[Mapping[str, str]], bool]
    """Whether the vendor's variables or profile files exist (metadata roles do not count)."""

    link: "Callable[[str], Link | None]"
    """The run that an ARN or a console URL names. None for a host or a partition that is none of this vendor's,
    whatever else is wrong with it; else raises `links.NotARun`.
    """

    policy: "Callable[[PolicyScope], AccessPolicy]"
    """The least that has to be allowed for this program, in the vendor's own language. Raises `UsageError`."""

    organization: Callable[[Connection, Mapping[str, str], Pace], Organization] | None = None
    """The organization that the credentials of a scope can read; None: the vendor has none. Raises `CloudError`."""

    accounts_of_file: "Callable[[str, str], tuple[Account, ...]] | None" = None
    """The accounts in a file of another tool, by its name and content. Raises `UsageError`."""

    connect: Callable[[Connection, Mapping[str, str], Pace], Cloud]
    """Open one scope. Raises `CloudError`: `NO_CREDENTIALS` when they cannot be found without asking the network,
    `NOT_CONFIGURED` for an endpoint that must not be used or a region that is none, `USAGE` for a profile where the
    vendor has none.
    """
