"""The plan of a cancel, its outcome, and the operation it belongs to: what the journal keeps."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct, field

from runcancel.model.leases import Claim
from runcancel.model.runs import ExternalExecution, Problem, Ref, RunName, label_of
from runcancel.model.states import Effect, Fact, Guarantee, Reason, RequestStatus, Stage, State, Verdict
from runcancel.model.triggers import Origin, Trigger

Name_co = TypeVar("Name_co", bound=RunName, covariant=True)


class PlannedInvocation(Struct, frozen=True, kw_only=True):
    """One selected invocation before a cancel: its state and the effect that the guarantee lets expect."""

    id: str
    task: str | None
    target: str | None
    before: State
    expected: Effect
    child: Ref | None = None
    foreign: ExternalExecution | None = None
    confirmed: bool = True  # whether its state is more than the cloud's report
    target_count: int = 1  # how many targets it stands for


MOST_RUNS = 20
"""How many runs a cancel takes without `--max-runs`."""


class Limits(Struct, frozen=True, kw_only=True):
    """How many runs and targets one cancel may stop, all its resumptions together; None is no limit."""

    max_runs: int | None = MOST_RUNS
    max_targets: int | None = None


class Planned(Struct, Generic[Name_co], frozen=True, kw_only=True):
    """What a cancel would do to what `run` names. `ask` is false if nothing would be sent, for the reason in `why`."""

    run: Name_co
    name: str | None
    state: State
    guarantee: Guarantee
    promise: str
    ask: bool
    why: str
    counts: dict[State, int]
    not_listed: int
    targets: tuple[str, ...]  # the ids sent with the request; empty: the whole run
    invocations: tuple[PlannedInvocation, ...]
    parent: Ref | None = None  # the run that started it, which is cancelled first
    read: bool = True  # false: it was not read, and nothing is known of its state and targets
    rest_confirmed: bool = False  # whether the vendor counts the targets that it does not list as completed
    comment: str | None = None
    document: str | None = None
    matched_by: Fact | None = None  # through which fact a search found it; None: it was named, or no name was searched
    trigger: Trigger | None = None  # the reading of a trigger on which its plan rests; None for a run
    origin: Origin | None = None  # what started the run and whether it repeats, as far as its reading shows it

    @property
    def label(self) -> str | None:
        """What a person knows the run by, as `Run.label`."""
        return label_of(self.name, self.comment, self.document)


class PlanItem(Planned[Ref], frozen=True, kw_only=True):
    """What a cancel would do to one run. `ask` is false if nothing would be sent, for the reason in `why`."""


class Intent(Planned[RunName], frozen=True, kw_only=True):
    """A reference that was named and is not read yet: nothing is sent before its entry is replaced by what was found.

    `run` is the reference as it was typed, `candidates` are all the runs that it can mean.
    """

    candidates: tuple[Ref, ...]


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
    child: Ref | None = None
    foreign: ExternalExecution | None = None


class Ending(Struct, frozen=True):
    """How one run of a cancel ended. `was_sent` is whether a request for it may have left."""

    verdict: Verdict
    reason: Reason | None = None
    was_sent: bool = True


_FINAL = frozenset(
    {
        *(Reason.NOT_FOUND, Reason.NOT_CANCELLABLE, Reason.USAGE, Reason.REFUSED, Reason.DRIFTED),
        Reason.INVALID,  # the request stays the same
    }
)
"""Failures that a resume would repeat. The hint of a refusal has the command that is not refused again."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The cancel of one run and what was read after it. `seconds`: from the reply to the last reading."""

    run: RunName
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
    parent: Ref | None = None  # the run that started it and was cancelled first
    comment: str | None = None
    document: str | None = None
    origin: Origin | None = None  # as in the plan
    cancelled_by: Claim | None = None  # the operation that sent the cancel, if it is another one

    @property
    def label(self) -> str | None:
        """What a person knows the run by, as `Run.label`."""
        return label_of(self.name, self.comment, self.document)

    @property
    def was_sent(self) -> bool:
        """Whether a request for it may have left, from here or from somewhere else before."""
        if self.request_ids or self.verdict not in (Verdict.ENDED, Verdict.FAILED, Verdict.SKIPPED):
            return True
        refused_here = self.error is None or self.error.code in (Reason.REFUSED, Reason.USAGE)
        return self.verdict is Verdict.FAILED and self.before is not None and not refused_here

    @property
    def ending(self) -> Ending:
        """What counts for the exit code."""
        return Ending(self.verdict, None if self.error is None else self.error.code, self.was_sent)

    @property
    def is_final(self) -> bool:
        """Whether a resume would repeat its error: no run is left to cancel, or the cloud or a guard has refused it."""
        return self.error is not None and self.error.code in _FINAL


def left_running(outcomes: Sequence[Outcome]) -> list[RunName]:
    """Runs with child runs that keep running after a cancel and were not cancelled."""
    parents = {outcome.parent for outcome in outcomes}
    return [
        outcome.run
        for outcome in outcomes
        if outcome.run not in parents and any(one.child is not None for one in _still_running(outcome))
    ]


def left_alone(outcomes: Sequence[Outcome]) -> list[RunName]:
    """Runs with targets that keep running and that no cancel stops."""
    others = left_running(outcomes)
    running = (one.run for one in outcomes if any(map(_is_left_alone, one.invocations)))
    return [run for run in running if run not in others]


def _is_left_alone(row: InvocationOutcome) -> bool:
    """Whether a target keeps running; what it has started in another service is named by itself."""
    return row.effect is Effect.KEPT_RUNNING and row.foreign is None


def external(outcomes: Iterable[Outcome]) -> list[ExternalExecution]:
    """What runs in another service on behalf of these runs and keeps running after their cancel, each once."""
    executions = (one.foreign for outcome in outcomes for one in _still_running(outcome) if one.foreign is not None)
    return list(dict.fromkeys(executions))


def _still_running(outcome: Outcome) -> list[InvocationOutcome]:
    """What a cancel is known to leave alone: it runs on, or will unless it ends by itself."""
    if outcome.guarantee is not Guarantee.PENDING_ONLY:
        return []
    return [one for one in outcome.invocations if one.effect in (Effect.KEPT_RUNNING, Effect.STOPPING, Effect.UNKNOWN)]


class Found(Struct, frozen=True, kw_only=True):
    """What the reading before the cancel showed of a run; null `counts`: the targets are not known."""

    run: Ref
    at: datetime
    state: State
    counts: dict[State, int] | None


class Sent(Struct, frozen=True, kw_only=True):
    """What one request to cancel a run came to; `accepted` is null where no reply shows it."""

    run: Ref
    at: datetime
    accepted: bool | None
    request_ids: tuple[str, ...]
    error: Problem | None
    sent_at: datetime | None = None  # when it left; `at` is when its reply came


class Seen(Struct, frozen=True, kw_only=True):
    """What one reading of a run shows after its cancel was sent; null `counts`: the targets are not known."""

    run: Ref
    at: datetime
    state: State
    counts: dict[State, int] | None


class Shard(Struct, frozen=True, kw_only=True):
    """One part of a saved plan, counted from 0."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Operation(Struct, frozen=True, kw_only=True):
    """One `cancel`, as it was called. `counts` are its runs per verdict; those without one are `unjudged`.

    `plan` is the digest of the saved plan that it carried out, `shard` the part of it; null where it had none.
    """

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
    plan: str | None = None
    shard: Shard | None = None


class Started(Struct, frozen=True, kw_only=True):
    """This process carries the operation out from now on."""

    at: datetime
    host: str
    pid: int


class LeftOver(Struct, frozen=True):
    """An operation that did not come to its end, and its runs that need another look.

    `sent_before`: every cancel that it sent so far, or may have, which counts for its `limits`. `requested`: the same
    with the triggers that it disabled first, or may have. `partial`: the outcomes of runs that continue in part:
    nothing is left to do, and the operation has not stopped them. `triggers`: all that it disables. `beside`: the runs
    that had not ended before that, its own included; None where that is not known. `searched_again`: whether what the
    triggers started meanwhile was found before the interruption. `remarks`: where parts of it are recorded, if not
    all of it is here. `hold_until`: until when a hold let more runs join. `starts`: the processes that carried it out.
    """

    operation: Operation
    items: tuple[PlanItem | Intent, ...]
    sent_before: tuple[PlanItem, ...] = ()
    requested: frozenset[Ref] = frozenset()
    limits: Limits = Limits()
    partial: tuple[Outcome, ...] = ()
    triggers: tuple[PlanItem, ...] = ()
    beside: frozenset[Ref] | None = None
    searched_again: bool = False
    remarks: tuple[str, ...] = ()
    hold_until: datetime | None = None
    starts: tuple[Started, ...] = ()


class Action(Struct, frozen=True):
    """`verb` is the command and the word of the site policy; `noun` is what it is about."""

    verb: str
    noun: str

    @property
    def question(self) -> str:
        """The verb at the beginning of a sentence."""
        return self.verb.capitalize()


CANCEL = Action("cancel", "run")
DISABLE = Action("disable", "trigger")
ENABLE = Action("enable", "trigger")


class CancelResponse(Struct, frozen=True, kw_only=True):
    """What came back for one run. `at` is the monotonic second of the answer.

    `key` is the end of the id of the key that signed it: whose answer it was. `took`: seconds from its request to it.
    `refused`: the targets that the cloud refused while it accepted the others.
    """

    status: RequestStatus = field(name="asked")  # under this name in the journals of 0.1
    at: float | None = None
    request_ids: tuple[str, ...] = ()
    problem: Problem | None = None
    key: str | None = None
    took: float | None = None
    refused: tuple[str, ...] = ()

    @property
    def under_way(self) -> bool:
        """Whether a cancel is known to be at work, so that watching makes sense."""
        return self.status in (RequestStatus.ACCEPTED, RequestStatus.ALREADY)
