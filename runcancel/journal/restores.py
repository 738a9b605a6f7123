"""Which triggers an operation holds: found enabled, then disabled, and not enabled again since."""

from collections.abc import Iterator

from runcancel.journal.base import Entry, Journal
from runcancel.model.outcomes import Operation, PlanItem
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Verdict
from runcancel.model.triggers import NOT_SWITCHED, TRIGGER_VERBS, TriggerState
from runcancel.providers import PROVIDERS, provider, trigger_kind_of

LAST = "last"
"""The word for the newest operation that holds triggers."""


def is_trigger(operation: Operation, name: RunName) -> bool:
    """Whether what an operation is about is a trigger, not a run."""
    return operation.verb in TRIGGER_VERBS or (isinstance(name, Ref) and trigger_kind_of(name) is not None)


def disabled_by(journal: Journal, id: str) -> dict[Ref, str]:
    """What an operation found enabled and disabled, each with the edition it had. Raises `JournalError`."""
    operation = journal.operation(id)
    if operation is None or operation.verb == "enable":
        return {}
    disabled: dict[Ref, str] = {}
    for entry in journal.entries(id):
        trigger = entry.item.trigger if isinstance(entry.item, PlanItem) else None
        if trigger is not None and trigger.state is TriggerState.ENABLED and _may_be_done(entry):
            disabled[trigger.ref] = trigger.edition
    return disabled


def unrestored(journal: Journal) -> Iterator[str]:
    """The operations of whose triggers one is not enabled again, the newest first. Raises `JournalError`."""
    restored: set[Ref] = set()
    about_triggers = journal.about([f":{kind.name}/" for name in PROVIDERS for kind in provider(name).trigger_kinds])
    for operation in journal.operations() if about_triggers else ():
        if operation.id not in about_triggers:
            continue
        if operation.verb == "enable":
            restored |= {
                entry.item.run
                for entry in journal.entries(operation.id)
                if isinstance(entry.item, PlanItem)
                and entry.outcome is not None
                and entry.outcome.verdict in (Verdict.STOPPED, Verdict.ENDED)
            }
        elif disabled_by(journal, operation.id).keys() - restored:
            yield operation.id


def _may_be_done(entry: Entry) -> bool:
    if entry.outcome is not None:
        return entry.outcome.verdict not in NOT_SWITCHED
    return entry.item.ask  # killed before its verdict: it may have been disabled
