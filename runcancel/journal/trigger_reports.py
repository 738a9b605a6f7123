"""What an incident report has about triggers: what became of each, what is left to do, and how to restore them."""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from runcancel.journal.outcomes import outcome_of
from runcancel.journal.timeline import Recorded
from runcancel.model.events import CalledBy, Judged
from runcancel.model.incident import AccountReport, NextStep, TriggerReport
from runcancel.model.outcomes import Intent, Outcome, PlanItem, Sent
from runcancel.model.runs import RunName, Scope
from runcancel.model.states import Stage
from runcancel.model.triggers import TRIGGER_VERBS, Trigger, TriggerState, TriggerVerdict
from runcancel.providers import trigger_kind_of
from runcancel.text import command

_MOST = 10  # triggers that get a command of their own
_SWITCHED = (TriggerVerdict.DISABLED, TriggerVerdict.ENABLED, TriggerVerdict.REQUESTED, TriggerVerdict.IN_DOUBT)
_UNSURE = (TriggerVerdict.REQUESTED, TriggerVerdict.IN_DOUBT)
_LEFT = (*_UNSURE, TriggerVerdict.FAILED, TriggerVerdict.SKIPPED)


class _Change(Struct, frozen=True, kw_only=True):
    """What one operation did to one trigger."""

    recorded: Recorded
    item: PlanItem | Intent
    outcome: Outcome

    @property
    def verdict(self) -> TriggerVerdict:
        return verdict_in(self.recorded, self.outcome)

    @property
    def before(self) -> Trigger | None:
        return self.item.trigger if isinstance(self.item, PlanItem) else None

    @property
    def after(self) -> TriggerState | None:
        """The state in which the operation left it; None where no reading shows it."""
        if self.verdict in _UNSURE:
            return None
        if self.verdict in (TriggerVerdict.DISABLED, TriggerVerdict.ENABLED, TriggerVerdict.UNCHANGED):
            enables = self.recorded.operation.verb == "enable"
            return TriggerState.ENABLED if enables else TriggerState.DISABLED
        return None if self.before is None else self.before.state


def verdict_in(one: Recorded, outcome: Outcome) -> TriggerVerdict:
    """What an operation did to a trigger, in the words for triggers."""
    return TriggerVerdict.of(outcome.verdict, enable=one.operation.verb == "enable", error=outcome.error)


def trigger_verdicts(verdicts: Iterable[TriggerVerdict]) -> dict[TriggerVerdict, int]:
    """How many triggers have each verdict."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in TriggerVerdict if counts[verdict]}


def trigger_reports(ordered: Sequence[Recorded]) -> tuple[TriggerReport, ...]:
    """One report for each trigger, in the order in which they were first met."""
    changes: dict[RunName, list[_Change]] = {}
    for one in (each.triggers for each in ordered):
        for entry, outcome in zip(one.entries, one.outcomes, strict=True):
            change = _Change(recorded=one, item=entry.item, outcome=outcome)
            changes.setdefault(entry.item.run, []).append(change)
    return tuple(map(_report, changes.values()))


def _report(changes: Sequence[_Change]) -> TriggerReport:
    """The last change that took effect; where none did, what the last operation found."""
    switched = [one for one in changes if one.verdict in _SWITCHED]
    final = switched[-1] if switched else changes[-1]
    at_first = changes[0].before
    reading = final.before or at_first
    one, name = final.recorded, final.item.run
    scope = _scope(final.item)
    caller = next((event for event in one.events if isinstance(event, CalledBy) and event.scope == str(scope)), None)
    requests = _of(one, Sent, name)
    return TriggerReport(
        trigger=name,
        name=final.outcome.name,
        provider=scope.provider,
        account=None if caller is None else caller.account,
        context=scope.context,
        region=scope.region,
        documents=() if reading is None else reading.documents,
        schedule_text=None if reading is None else reading.schedule_text,
        verdict=final.verdict,
        before=None if at_first is None else at_first.state,
        after=changes[-1].after if changes[-1].verdict is TriggerVerdict.UNCHANGED else final.after,
        operations=tuple(dict.fromkeys(change.recorded.operation.id for change in changes)),
        sent_at=_first(event.sent_at for event in requests),
        accepted_at=_first(event.at for event in requests if event.accepted),
        seen_at=_first(event.at for event in reversed(_of(one, Judged, name))),
        request_ids=tuple(dict.fromkeys(id for change in changes for id in change.outcome.request_ids)),
        error=final.outcome.error,
    )


_Event = TypeVar("_Event", Sent, Judged)


def _of(one: Recorded, kind: type[_Event], name: RunName) -> list[_Event]:
    return [event for event in one.events if isinstance(event, kind) and event.run == name]


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return next((moment for moment in moments if moment is not None), None)


def _scope(item: PlanItem | Intent) -> Scope:
    return item.candidates[0].scope if isinstance(item, Intent) else item.run.scope


def trigger_steps(
    ordered: Sequence[Recorded], reports: Sequence[TriggerReport], in_progress: Container[str]
) -> Iterator[NextStep]:
    """What is left to do about triggers; an operation `in_progress` does it itself."""
    final = {one.trigger: one.verdict for one in reports}
    for one in ordered:
        verb, id = one.operation.verb, one.operation.id
        if id in in_progress:
            continue
        if verb not in TRIGGER_VERBS:  # a resume of a cancel does the rest of its runs
            yield from _not_disabled(id, [run for run in _repeatable(one) if final.get(run) in _LEFT])
            continue
        open_count = sum(final[run] in _LEFT for run in _repeatable(one))
        unfinished = one.operation.state is not Stage.DONE
        if open_count or unfinished:
            what = (
                "is unfinished"
                if unfinished
                else f"left {_triggers(open_count)} that {'is' if open_count == 1 else 'are'} not verified {verb}d"
            )
            yield NextStep(text=f"Operation {id} {what}. To continue it:", command=command(verb, "--resume", id))
    drifted = [one.trigger for one in reports if one.verdict is TriggerVerdict.DRIFTED]
    for trigger in drifted[:_MOST]:
        text = f"{trigger} was changed after it was disabled, and was left alone. To enable it all the same:"
        yield NextStep(text=text, command=command("enable", str(trigger)))
    if len(drifted) > _MOST:
        text = f"{_triggers(len(drifted) - _MOST)} more were changed after they were disabled."
        yield NextStep(text=text, command=None)


def _repeatable(one: Recorded) -> Iterator[RunName]:
    """What the operation did, but for what would be refused again."""
    return (entry.item.run for entry in one.entries if not outcome_of(entry).is_final)


def _not_disabled(id: str, triggers: Sequence[RunName]) -> Iterator[NextStep]:
    if triggers:
        is_, them = ("is", "it") if len(triggers) == 1 else ("are", "them")
        text = f"{_triggers(len(triggers))} of operation {id} {is_} not verified disabled. To disable {them}:"
        yield NextStep(text=text, command=command("disable", *triggers[:_MOST]))


def starting_again(accounts: Iterable[AccountReport]) -> Iterator[NextStep]:
    """What started the runs and starts them again, each with the command that ends that."""
    origins = [run.origin for one in accounts for run in one.runs if run.origin is not None]
    started = dict.fromkeys(
        one.trigger for one in origins if one.trigger is not None and one.state is TriggerState.ENABLED
    )
    for trigger in list(started)[:_MOST]:
        kind = trigger_kind_of(trigger)
        if kind is None:
            text = f"{trigger} is a schedule that starts more runs. To cancel it; it cannot be resumed:"
            yield NextStep(text=text, command=command("cancel", str(trigger)))
        elif kind.switchable:
            text = f"{trigger} is enabled and starts more runs. To disable it:"
            yield NextStep(text=text, command=command("disable", str(trigger)))
    if len(started) > _MOST:
        yield NextStep(text=f"{_triggers(len(started) - _MOST)} more start runs again.", command=None)


def trigger_restore(ordered: Sequence[Recorded], unrestored: Collection[str]) -> Iterator[NextStep]:
    """How to restore what was disabled, and what somebody restored since."""
    for one in ordered:
        verdicts = [verdict_in(one, outcome) for outcome in one.triggers.outcomes]
        disabled = sum(verdict in (TriggerVerdict.DISABLED, *_UNSURE) for verdict in verdicts)
        id = one.operation.id
        if not disabled or one.operation.verb == "enable":
            continue
        if id in unrestored:
            text = f"Operation {id} disabled {_triggers(disabled)}. To restore what it found:"
            yield NextStep(text=text, command=command("enable", "--operation", id))
        else:
            yield NextStep(text=f"What operation {id} disabled is enabled again.", command=None)


def _triggers(count: int) -> str:
    return f"{count:,} trigger{'' if count == 1 else 's'}"
