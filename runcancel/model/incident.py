"""The incident report: what the journal knows of one or several operations, as one record that every writer prints."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from runcancel.model.outcomes import Shard
from runcancel.model.runs import Problem, Ref, RunName
from runcancel.model.states import Effect, Guarantee, Stage, State, Verdict
from runcancel.model.triggers import Origin, TriggerState, TriggerVerdict


class Step(StrEnum):
    """What a line of the timeline is about, in the order in which it happens."""

    STARTED = "started"
    RESUMED = "resumed"
    FOUND = "found"
    CONFIRMED = "confirmed"
    SENT = "sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_REPLY = "no-reply"
    SEEN = "seen"
    ENDED = "ended"


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """One step of an operation: `at`, or from `at` until `last_at` for several runs. Null `at`: not recorded.

    `by`: who did it. `runs`: how many runs it is about; null where it is about none.
    """

    step: Step
    at: datetime | None
    last_at: datetime | None
    operation: str
    runs: int | None
    by: str | None
    detail: str | None


class OperationReport(Struct, frozen=True, kw_only=True):
    """One operation as it was called, and how far it came.

    `verdicts`: its runs per verdict; `trigger_verdicts`: its triggers.
    """

    id: str
    at: datetime
    ended_at: datetime | None
    user: str
    host: str
    argv: tuple[str, ...]
    reason: str | None
    state: Stage
    exit_code: int | None
    verdicts: dict[Verdict, int]
    trigger_verdicts: dict[TriggerVerdict, int]
    plan: str | None = None
    shard: Shard | None = None


class PlanReport(Struct, frozen=True, kw_only=True):
    """One saved plan in shards of one `count`, null where it was carried out as a whole.

    `missing`: the shards that no operation here is of. `unfinished`: those that were started and did not end.
    """

    plan: str
    count: int | None
    missing: tuple[int, ...]
    unfinished: tuple[int, ...]
    complete: bool


class TargetGroup(Struct, frozen=True, kw_only=True):
    """The targets of a run with the same fate. `confirmed` is false where the cloud's report is not verified.

    `targets` are their ids where the cloud names them; `count` includes those that it never listed.
    """

    effect: Effect
    confirmed: bool
    count: int
    targets: tuple[str, ...]


class RunReport(Struct, frozen=True, kw_only=True):
    """One run over all the operations that were about it. Null times: not recorded, or it did not happen."""

    run: RunName
    name: str | None
    verdict: Verdict
    guarantee: Guarantee | None
    before: State | None
    after: State | None
    parent: Ref | None
    operations: tuple[str, ...]
    found_at: datetime | None
    sent_at: datetime | None
    accepted_at: datetime | None
    seen_at: datetime | None
    request_ids: tuple[str, ...]
    targets: tuple[TargetGroup, ...]
    error: Problem | None
    origin: Origin | None = None  # what started it and whether that starts it again, as far as it is recorded


class AccountReport(Struct, frozen=True, kw_only=True):
    """The runs of one account. Null `account`: not recorded; then provider and context distinguish accounts."""

    provider: str
    account: str | None
    context: str | None
    principals: tuple[str, ...]
    regions: tuple[str, ...]
    verdicts: dict[Verdict, int]
    effects: dict[Effect, int]
    runs: tuple[RunReport, ...]


class TriggerReport(Struct, frozen=True, kw_only=True):
    """One trigger over all the operations that were about it. Null times: not recorded, or it did not happen.

    `before`: as it was found first; `after`: as it was left, null where no reading shows it.
    """

    trigger: RunName
    name: str | None
    provider: str
    account: str | None
    context: str | None
    region: str
    documents: tuple[str, ...]
    schedule_text: str | None
    verdict: TriggerVerdict
    before: TriggerState | None
    after: TriggerState | None
    operations: tuple[str, ...]
    sent_at: datetime | None
    accepted_at: datetime | None
    seen_at: datetime | None
    request_ids: tuple[str, ...]
    error: Problem | None


class StateSample(Struct, frozen=True, kw_only=True):
    """How many targets of all runs were in each state, by the readings until then."""

    at: datetime
    counts: dict[State, int]


class NextStep(Struct, frozen=True, kw_only=True):
    """What is left to do, or how to restore what was changed; `command` where one line of a shell does it."""

    text: str
    command: str | None


class IncidentReport(Struct, frozen=True, kw_only=True):
    """What happened, from the journal alone.

    `finished` is false while an operation is open or was interrupted, or a shard of a plan is missing. `verdicts` count
    runs, `effects` targets, `trigger_verdicts` triggers, all over all operations; what several were about counts once.
    """

    operations: tuple[OperationReport, ...]
    started_at: datetime
    ended_at: datetime | None
    finished: bool
    verdicts: dict[Verdict, int]
    effects: dict[Effect, int]
    timeline: tuple[TimelineEntry, ...]
    accounts: tuple[AccountReport, ...]
    trigger_verdicts: dict[TriggerVerdict, int]
    triggers: tuple[TriggerReport, ...]
    states: tuple[StateSample, ...]
    next_steps: tuple[NextStep, ...]
    restore: tuple[NextStep, ...]
    plans: tuple[PlanReport, ...] = ()
