"""The incident report of operations, out of the journal alone."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec import Struct, structs

from runcancel.journal.base import Journal
from runcancel.journal.next_steps import next_steps, restore
from runcancel.journal.outcomes import merged
from runcancel.journal.plans import lacking, plan_reports, unfinished
from runcancel.journal.timeline import Recorded, states, timeline
from runcancel.journal.trigger_reports import (
    starting_again,
    trigger_reports,
    trigger_restore,
    trigger_steps,
    trigger_verdicts,
    verdict_in,
)
from runcancel.model.events import CalledBy, Judged, OriginFound
from runcancel.model.incident import (
    AccountReport,
    IncidentReport,
    NextStep,
    OperationReport,
    RunReport,
    TargetGroup,
)
from runcancel.model.outcomes import Found, Intent, InvocationOutcome, Outcome, PlanItem, Sent
from runcancel.model.runs import RunName, Scope
from runcancel.model.states import Effect, Verdict
from runcancel.model.triggers import Origin, TriggerState


def recorded(journal: Journal, id: str) -> Recorded | None:
    """All that the journal has of an operation; None where it has none. Raises `JournalError`."""
    operation = journal.operation(id)
    if operation is None:
        return None
    return Recorded(operation=operation, entries=tuple(journal.entries(id)), events=tuple(journal.events(id)))


def incident(
    operations: Sequence[Recorded],
    unrestored: Collection[str] = (),
    in_progress: Mapping[str, NextStep] = MappingProxyType({}),
) -> IncidentReport:
    """The report of at least one operation. `unrestored`: the operations whose triggers are not all enabled again.

    `in_progress`: how to watch each operation that a process is carrying out now.
    """
    ordered = sorted(operations, key=lambda one: (one.operation.at, one.operation.id))
    of_runs = [one.runs for one in ordered]
    outcomes = _outcomes(of_runs)
    triggers = trigger_reports(ordered)
    inner = frozenset(outcomes)  # what a target stands for is not counted twice
    states_after = {one.trigger: one.after for one in triggers if one.after is not None}
    accounts = _accounts(of_runs, outcomes, inner, states_after)
    ends = [one.ended_at for one in ordered]
    known_ends = [end for end in ends if end is not None]
    plans = plan_reports(one.operation for one in ordered)
    return IncidentReport(
        operations=tuple(map(_operation, ordered)),
        started_at=ordered[0].operation.at,
        ended_at=max(known_ends) if len(known_ends) == len(ends) else None,
        finished=not unfinished([one.operation for one in ordered]) and not lacking(plans),
        verdicts=_verdicts(outcomes.values()),
        effects=_effects(outcomes.values(), inner),
        timeline=timeline(ordered),
        accounts=accounts,
        trigger_verdicts=trigger_verdicts(one.verdict for one in triggers),
        triggers=triggers,
        states=states(of_runs),
        next_steps=(
            *next_steps(of_runs, outcomes, in_progress),
            *trigger_steps(ordered, triggers, in_progress),
            *starting_again(accounts),
        ),
        restore=(*restore(list(outcomes.values())), *trigger_restore(ordered, unrestored)),
        plans=plans,
    )


def _outcomes(ordered: Sequence[Recorded]) -> dict[RunName, Outcome]:
    """One outcome for each run, in the order in which the runs were first met."""
    of_run: dict[RunName, list[Outcome]] = {}
    for one in ordered:
        for outcome in one.outcomes:
            of_run.setdefault(outcome.run, []).append(outcome)
    return {run: merged(several) for run, several in of_run.items()}


def _operation(one: Recorded) -> OperationReport:
    operation = one.operation
    return OperationReport(
        id=operation.id,
        at=operation.at,
        ended_at=one.ended_at,
        user=operation.user,
        host=operation.host,
        argv=operation.argv,
        reason=operation.reason,
        state=operation.state,
        exit_code=operation.exit_code,
        verdicts=_verdicts(one.runs.outcomes),
        trigger_verdicts=trigger_verdicts(verdict_in(one, outcome) for outcome in one.triggers.outcomes),
        plan=operation.plan,
        shard=operation.shard,
    )


class _Times(Struct):
    """When things happened to one run."""

    found_at: datetime | None = None
    sent_at: datetime | None = None
    accepted: datetime | None = None
    judged: dict[Verdict, datetime] = {}
    last: datetime | None = None

    def seen_at(self, verdict: Verdict) -> datetime | None:
        """When a run first got its verdict; of one that follows from several, when it was read last."""
        return self.judged.get(verdict, self.last)


def _times(ordered: Sequence[Recorded]) -> dict[RunName, _Times]:
    """Per run: first found, sent and accepted, first and last judged."""
    times: dict[RunName, _Times] = {}
    for event in (event for one in ordered for event in one.events):
        if isinstance(event, Found):
            times_of_run = times.setdefault(event.run, _Times())
            times_of_run.found_at = times_of_run.found_at or event.at
        elif isinstance(event, Sent):
            times_of_run = times.setdefault(event.run, _Times())
            times_of_run.sent_at = times_of_run.sent_at or event.sent_at
            times_of_run.accepted = times_of_run.accepted or (event.at if event.accepted else None)
        elif isinstance(event, Judged):
            times_of_run = times.setdefault(event.run, _Times())
            times_of_run.judged.setdefault(event.verdict, event.at)
            times_of_run.last = event.at
    return times


class _Account(Struct, frozen=True):
    """What distinguishes accounts, as far as it is recorded."""

    provider: str
    account: str | None
    context: str | None


def _accounts(
    ordered: Sequence[Recorded],
    outcomes: Mapping[RunName, Outcome],
    inner: frozenset[RunName],
    states_after: Mapping[RunName, TriggerState],
) -> tuple[AccountReport, ...]:
    callers = {event.scope: event for one in ordered for event in one.events if isinstance(event, CalledBy)}
    scopes = {entry.item.run: _scope_of(entry.item) for one in ordered for entry in one.entries}
    operations: dict[RunName, list[str]] = {}
    for one in ordered:
        for entry in one.entries:
            operations.setdefault(entry.item.run, []).append(one.operation.id)
    grouped: dict[_Account, list[RunName]] = {}
    for run in outcomes:
        grouped.setdefault(_account(scopes[run], callers), []).append(run)
    times = _times(ordered)
    origins = _origins(ordered, outcomes, states_after)
    return tuple(
        AccountReport(
            provider=key.provider,
            account=key.account,
            context=key.context,
            principals=_each(callers[str(scopes[run])].principal for run in runs if str(scopes[run]) in callers),
            regions=_each(scopes[run].region for run in runs),
            verdicts=_verdicts(outcomes[run] for run in runs),
            effects=_effects((outcomes[run] for run in runs), inner),
            runs=tuple(_run(outcomes[run], operations[run], times.get(run, _Times()), origins[run]) for run in runs),
        )
        for key, runs in grouped.items()
    )


def _origins(
    ordered: Sequence[Recorded], outcomes: Mapping[RunName, Outcome], states_after: Mapping[RunName, TriggerState]
) -> dict[RunName, Origin | None]:
    """What started each run, as it was found last; a trigger that was changed since has its state in `states_after`."""
    origins = {run: outcome.origin for run, outcome in outcomes.items()}
    origins |= {event.run: event.origin for one in ordered for event in one.events if isinstance(event, OriginFound)}
    return {run: None if origin is None else _as_left(origin, states_after) for run, origin in origins.items()}


def _as_left(origin: Origin, states_after: Mapping[RunName, TriggerState]) -> Origin:
    state = None if origin.trigger is None else states_after.get(origin.trigger)
    if state in (None, origin.state):
        return origin
    comes = origin.next_start_at if state is TriggerState.ENABLED else None
    return structs.replace(origin, state=state, next_start_at=comes)


def _scope_of(item: PlanItem | Intent) -> Scope:
    """The scope of a run; of a reference that was not read, the first in which it may be."""
    return item.candidates[0].scope if isinstance(item, Intent) else item.run.scope


def _account(scope: Scope, callers: Mapping[str, CalledBy]) -> _Account:
    caller = callers.get(str(scope))
    account = None if caller is None else caller.account
    return _Account(scope.provider, account, None if account is not None else scope.context)


def _each(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _run(outcome: Outcome, operations: Sequence[str], times: _Times, origin: Origin | None) -> RunReport:
    return RunReport(
        run=outcome.run,
        name=outcome.label,
        verdict=outcome.verdict,
        guarantee=outcome.guarantee,
        before=outcome.before,
        after=outcome.after,
        parent=outcome.parent,
        operations=tuple(dict.fromkeys(operations)),
        found_at=times.found_at,
        sent_at=times.sent_at,
        accepted_at=times.accepted,
        seen_at=times.seen_at(outcome.verdict),
        request_ids=outcome.request_ids,
        targets=_groups(outcome),
        error=outcome.error,
        origin=origin,
    )


def _groups(outcome: Outcome) -> tuple[TargetGroup, ...]:
    """The targets by what became of them, in the order of `Effect`."""
    of_fate: dict[tuple[Effect, bool], list[InvocationOutcome]] = {}
    for one in outcome.invocations:
        of_fate.setdefault((one.effect, one.confirmed), []).append(one)
    return tuple(
        TargetGroup(
            effect=effect,
            confirmed=confirmed,
            count=sum(_size(one, outcome) for one in rows),
            targets=tuple(one.target or one.task or one.id for one in rows if one.id),
        )
        for (effect, confirmed), rows in sorted(of_fate.items(), key=lambda item: (_EFFECTS.index(item[0][0]), item[0]))
    )


_EFFECTS = tuple(Effect)


def _size(one: InvocationOutcome, outcome: Outcome) -> int:
    """How many targets a row stands for: the one without an id, for those that were never listed."""
    return 1 if one.id else outcome.not_listed


def _verdicts(outcomes: Iterable[Outcome]) -> dict[Verdict, int]:
    counts = Counter(outcome.verdict for outcome in outcomes)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def _effects(outcomes: Iterable[Outcome], inner: frozenset[RunName]) -> dict[Effect, int]:
    """Targets per effect; a target that stands for another run of the report is counted there."""
    counts: Counter[Effect] = Counter()
    for outcome in outcomes:
        for one in outcome.invocations:
            if one.child not in inner:
                counts[one.effect] += _size(one, outcome)
    return {effect: counts[effect] for effect in Effect if counts[effect]}
