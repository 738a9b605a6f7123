"""Flow or frozen: whether runs are cancelled scope by scope as they are read, or all together after one plan."""

from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from runcancel.engine.connections import Clouds
from runcancel.engine.lookup import Lookup, LookupResponse, LookupResult, Probe
from runcancel.engine.requests import Listing, Requests
from runcancel.engine.selection import Selection
from runcancel.model.runs import Ref, RunName, Scope

if TYPE_CHECKING:
    from runcancel.engine.hold import HoldListings

_GATHERED = 0.25  # seconds for which what was read first waits for more of its scope


class Facts(Struct, frozen=True, kw_only=True):
    """The facts in argv, configuration and policy before the first request."""

    typed: bool  # every run was typed on the command line
    references: int = 1
    max_runs: int | None = None
    targets: bool = False  # --target
    max_targets: bool = False  # a limit on targets
    protected: bool = False  # a run may be in a protected context
    policy: bool = False  # a run may fall under a rule of the site policy
    accounts: bool = False  # a rule of a provider in use is about accounts
    counts: bool = False  # a rule begins where a cancel sends more than so many
    guarantee: bool = False  # --require-guarantee, and a run that may be below
    confirm: bool = False  # --confirm, which has to fit
    chases: bool = False  # --stop-running
    parts: bool = False  # an id of a part of a run was typed, which is wrong usage


_FROZEN: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (lambda one: not one.typed, "not every run was typed on the command line"),
    (lambda one: one.protected, "a protected context may match"),
    (lambda one: one.policy, "a rule of the site policy may match"),
    (lambda one: one.accounts, "a rule is about accounts"),
    (lambda one: one.targets, "--target selects targets"),
    (lambda one: one.max_targets, "the number of targets is limited"),
    (lambda one: one.counts, "a rule counts runs or targets"),
    (lambda one: one.guarantee, "--require-guarantee needs a reading"),
    (lambda one: one.confirm, "--confirm must match the plan"),
    (lambda one: one.chases, "--stop-running includes the runs that these have started"),
    (lambda one: one.parts, "a part of a run was named"),
    (lambda one: one.max_runs is not None and one.references > one.max_runs, "more references than --max-runs"),
)
"""When the whole plan has to be known before anything is sent, and why."""


def why_frozen(facts: Facts) -> str | None:
    """Why the plan is frozen: everything is read before anything is sent. None where the runs flow."""
    return next((why for applies, why in _FROZEN if applies(facts)), None)


class Flow(Struct, frozen=True):
    """Runs that are read, selected and sent scope by scope.

    `begin` records the references before the first request. It may raise `Refused`, and `Interrupted`. `choose` turns
    the readings of one scope into the items to send and the outcomes that are known already. It is called on the
    caller's thread, and records and announces the items before it returns. `within`: seconds to wait for a reading.
    """

    lookup: Lookup
    choose: Callable[[Sequence[LookupResult]], Selection]
    within: float
    begin: Callable[[], None] = lambda: None


class FlowReadings:
    """The readings of a flow until they are selected from: of each scope together, or after a moment what there is."""

    def __init__(self, flow: Flow, now: float) -> None:
        self.lookup = flow.lookup
        self.until = now + flow.within
        self._flow = flow
        self._results: dict[Scope, tuple[float, list[LookupResult]]] = {}  # with the second when they are due

    @property
    def pending(self) -> bool:
        """Whether a reference is not read, or a reading is not selected from."""
        return bool(self._results) or not self.lookup.complete

    @property
    def due(self) -> list[float]:
        """The seconds at which `selections` has something to do although nothing arrives."""
        moments = [moment for moment, _ in self._results.values()]
        return moments if self.lookup.complete else [*moments, self.until]

    @property
    def unread(self) -> list[RunName]:
        """The references without a run so far."""
        waiting = [result.reference.name for _, results in self._results.values() for result in results]
        return [*waiting, *(reference.name for reference in self.lookup.unread)]

    def record(self, scope: Scope, responses: Sequence[LookupResponse], now: float) -> None:
        """Take the responses of one scope."""
        self._add(scope, self.lookup.took(scope, responses), now)

    def selections(self, now: float) -> Iterator[Selection]:
        """Select from each scope that was read whole, or whose first reading has waited a moment."""
        if now >= self.until and not self.lookup.complete:
            for result in self.lookup.overdue(self._flow.within):
                self._add(self.lookup.candidates(result.reference)[0].scope, [result], now)
        for scope in [one for one, (due, _) in self._results.items() if now >= due or not self.lookup.waits_for(one)]:
            _, results = self._results.pop(scope)
            yield self._flow.choose(results)

    def _add(self, scope: Scope, results: Sequence[LookupResult], now: float) -> None:
        if results:
            self._results.setdefault(scope, (now + _GATHERED, []))[1].extend(results)


class Joining:
    """What may join a cancel on its way: runs that a flow reads, and runs that a hold finds."""

    def __init__(self, flow: Flow | None, hold: "HoldListings | None", now: float) -> None:
        self._flow = None if flow is None else FlowReadings(flow, now)
        self._hold = hold
        self._probes = [] if flow is None else list(flow.lookup.probes)

    def pending(self, now: float) -> bool:
        """Whether a reading or a listing may still bring runs."""
        return bool(self._flow and self._flow.pending) or bool(self._hold and self._hold.pending(now))

    @property
    def due(self) -> list[float]:
        """The seconds at which there is something to do although nothing arrives."""
        return [*(self._flow.due if self._flow else ()), *(self._hold.due if self._hold else ())]

    @property
    def unread(self) -> Sequence[RunName]:
        """The references without a run so far."""
        return self._flow.unread if self._flow else ()

    def work(self, now: float) -> list[Probe | Listing]:
        """The readings and listings that begin now."""
        probes, self._probes = self._probes, []
        return [*probes, *(self._hold.take_due(now) if self._hold else ())]

    def selections(self, now: float) -> Iterator[Selection]:
        """Select from what was read and found."""
        yield from self._flow.selections(now) if self._flow else ()
        yield from self._hold.selections() if self._hold else ()

    def look_up(self, probe: Probe, requests: Requests) -> Callable[[float], None]:
        """Read references on a worker; what the caller's thread does with the responses."""
        flow = self._flow
        if flow is None:
            return lambda now: None
        return partial(flow.record, probe.scope, requests.look_up(flow.lookup, probe, until=flow.until))

    def search(self, listing: Listing, clouds: Clouds, trackers: Container[Ref]) -> Callable[[float], None]:
        """List on a worker, beside the runs that have a tracker; what the caller's thread does with the result."""
        hold = self._hold
        if hold is None:
            return lambda now: None
        return partial(hold.record, listing, hold.run(listing, clouds, trackers))
