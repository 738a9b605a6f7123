"""Records to draw: one of everything, as the three clouds would give them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import structs

from runcancel.model.outcomes import InvocationOutcome, Outcome, PlanItem, PlannedInvocation
from runcancel.model.runs import Invocation, Problem, Ref, Run
from runcancel.model.states import Effect, Guarantee, Reason, State, Verdict

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
SCRIPT = "prod-cn@alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0001"
PATCH = "tencent:ap-guangzhou:invocation/inv-ib2lld37"
CHILD = "aws:us-east-2:command/4f1c0000-d0bc-470d-b1e5-c59a8d4f2a10"
PROMISE = "A cancel here stops pending tasks. Running tasks run to completion."
DENIED = Problem(
    code=Reason.DENIED,
    message="not permitted: ecs:StopInvocation (profile audit)",
    hint="ask for ecs:StopInvocation, or use another profile",
    provider_code="Forbidden.RAM",
    request_id="473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E",
)

_GUARANTEES = {"aws": Guarantee.PENDING_ONLY, "alibaba": Guarantee.PENDING_ONLY, "tencent": Guarantee.STOPS_RUNNING}


def run(
    ref: str = WINDOW,
    state: State = State.RUNNING,
    *,
    name: str | None = "nightly-patching",
    counts: Mapping[State, int] | None = None,
    target_count: int | None = None,
    status: str = "IN_PROGRESS",
) -> Run:
    """A run that began four minutes ago."""
    named = Ref.parse(ref)
    scope = named.scope
    known = counts if counts is not None else {State.RUNNING: 3, State.CANCELLED: 17, State.SUCCEEDED: 5}
    return Run(
        ref=named,
        provider=scope.provider,
        account="111122223333",
        context=scope.context,
        region=scope.region,
        kind=named.kind,
        id=named.id,
        name=name,
        state=state,
        provider_status=status,
        status_detail=None,
        guarantee=_GUARANTEES[scope.provider],
        created_at=NOW - timedelta(minutes=4),
        started_at=NOW - timedelta(minutes=4, seconds=-2),
        ended_at=NOW - timedelta(minutes=1) if state.over else None,
        counts={state: known[state] for state in State if known.get(state)},
        target_count=sum(known.values()) if target_count is None else target_count,
        cancellable=not state.over,
        parent=None,
        task_ids=(),
    )


def invocation(number: int, state: State, *, ref: str = WINDOW, child: str | None = None) -> Invocation:
    """What one target does."""
    return Invocation(
        run=Ref.parse(ref),
        id=f"task-invocation-{number}",
        task="4711",
        target=f"i-{number:017x}",
        target_name=None,
        state=state,
        provider_status="InProgress",
        status_detail=None,
        exit_code=0 if state is State.SUCCEEDED else None,
        started_at=None if state is State.PENDING else NOW - timedelta(minutes=3),
        ended_at=NOW - timedelta(minutes=1) if state.over else None,
        child=None if child is None else Ref.parse(child),
        owner=None,
        window_target=None,
    )


def seen(
    number: int, effect: Effect, *, before: State = State.PENDING, confirmed: bool = True, child: str | None = None
) -> InvocationOutcome:
    """What became of one target."""
    after = {
        Effect.CANCELLED: State.CANCELLED,
        Effect.TERMINATED: State.TERMINATED,
        Effect.ALREADY_ENDED: State.SUCCEEDED,
        Effect.UNKNOWN: None,
    }.get(effect, State.RUNNING)
    return InvocationOutcome(
        id=f"one-{number}",
        task=None,
        target=f"i-{number:017x}",
        before=before,
        after=after,
        effect=effect,
        confirmed=confirmed,
        child=None if child is None else Ref.parse(child),
    )


def outcome(
    verdict: Verdict,
    *invocations: InvocationOutcome,
    ref: str = WINDOW,
    before: State = State.RUNNING,
    after: State | None = State.CANCELLED,
    seconds: float | None = 4.1,
    error: Problem | None = None,
    not_listed: int = 0,
    request_ids: tuple[str, ...] = ("7a62c49f-347e-4fc4-9331-6e8e7a96aa73",),
) -> Outcome:
    """What became of one run."""
    return Outcome(
        run=Ref.parse(ref),
        name="nightly-patching",
        verdict=verdict,
        guarantee=Guarantee.PENDING_ONLY,
        before=before,
        after=after,
        request_ids=request_ids,
        invocations=invocations,
        not_listed=not_listed,
        seconds=seconds,
        error=error,
    )


def many(
    count: int, effect: Effect, *, start: int = 0, before: State = State.PENDING, confirmed: bool = True
) -> tuple[InvocationOutcome, ...]:
    """Several targets with one fate."""
    return tuple(seen(start + number, effect, before=before, confirmed=confirmed) for number in range(count))


def partial() -> Outcome:
    """The window of the sketch: 17 cancelled, 3 keep running, 5 ended before."""
    return outcome(
        Verdict.PARTIAL,
        *many(17, Effect.CANCELLED),
        *(seen(0xA11 + n, Effect.KEPT_RUNNING, before=State.RUNNING, child=CHILD) for n in range(3)),
        *many(5, Effect.ALREADY_ENDED, before=State.SUCCEEDED),
    )


def reported() -> Outcome:
    """A run that has ended, nine of its targets by the cloud's report only."""
    return outcome(
        Verdict.REPORTED,
        *many(3, Effect.CANCELLED),
        *many(9, Effect.TERMINATED, before=State.RUNNING, confirmed=False),
        ref=PATCH,
        after=State.TERMINATED,
        seconds=2.2,
    )


def requested() -> Outcome:
    """A run that was not verified as ended."""
    return outcome(
        Verdict.REQUESTED,
        *many(88, Effect.TERMINATED, before=State.RUNNING),
        *many(12, Effect.STOPPING, start=100, before=State.RUNNING),
        ref=CHILD,
        after=State.CANCELLING,
        seconds=60.0,
        not_listed=4,
    )


def failed() -> Outcome:
    """A run that nobody was allowed to cancel."""
    return outcome(
        Verdict.FAILED,
        ref=SCRIPT,
        after=None,
        seconds=None,
        error=DENIED,
        request_ids=(),
    )


def plan_item(ref: str = WINDOW, *, ask: bool = True, guarantee: Guarantee = Guarantee.PENDING_ONLY) -> PlanItem:
    """What a cancel would do: 17 would be cancelled, 3 go on, 5 have ended."""
    fates = [(17, State.PENDING, Effect.CANCELLED), (3, State.RUNNING, Effect.KEPT_RUNNING)]
    fates += [(5, State.SUCCEEDED, Effect.ALREADY_ENDED)]
    planned = [
        PlannedInvocation(id=f"{effect}-{n}", task=None, target=f"i-{n}", before=before, expected=effect)
        for count, before, effect in fates
        for n in range(count)
    ]
    return PlanItem(
        run=Ref.parse(ref),
        name="nightly-patching",
        state=State.RUNNING if ask else State.SUCCEEDED,
        guarantee=guarantee,
        promise=PROMISE,
        ask=ask,
        why="" if ask else "it is over (succeeded)",
        counts={State.PENDING: 17, State.RUNNING: 3, State.SUCCEEDED: 5},
        not_listed=2,
        targets=(),
        invocations=tuple(planned),
    )


def large_cancel() -> tuple[Outcome, ...]:
    """Sixty runs: most were stopped, a few of each other verdict, two causes of failure."""
    busy = Problem(code=Reason.BUSY, message="throttled for 10m00s; it was not sent", provider_code="Throttling")
    kept = (*many(31, Effect.CANCELLED), *many(9, Effect.KEPT_RUNNING, before=State.RUNNING))
    parts = (
        (33, "tencent:ap-guangzhou:invocation/inv-{:08}", outcome(Verdict.STOPPED, *many(12, Effect.CANCELLED))),
        (4, "aws:us-east-2:command/4f1c0000-d0bc-470d-b1e5-{:012}", outcome(Verdict.ENDED, after=State.SUCCEEDED)),
        (2, SCRIPT[:-4] + "{:04}", reported()),
        (7, SCRIPT[:-4] + "1{:03}", outcome(Verdict.PARTIAL, *kept)),
        (1, CHILD[:-4] + "{:04}", requested()),
        (3, "aws:eu-west-1:command/4f1c0000-d0bc-470d-b1e5-{:012}", outcome(Verdict.FAILED, error=busy)),
        (10, "prod-cn@alibaba:cn-beijing:invocation/t-7d2a745b412b4601b2d47f6a{:08}", failed()),
    )
    named = ((Ref.parse(ref.format(number)), one) for count, ref, one in parts for number in range(count))
    return tuple(
        structs.replace(
            one, run=ref, name="deploy-4711", error=None if one.error is None else structs.replace(one.error, ref=ref)
        )
        for ref, one in named
    )
