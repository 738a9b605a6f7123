"""`--shard`: what is checked of the whole plan before one process cancels its part of it."""

from collections.abc import Sequence

from msgspec import Struct, structs

from runcancel.cli.support.accounts import Accounts
from runcancel.cli.support.admission import Admission
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.source import RunChoice, WholePlan
from runcancel.engine.saved import SavedCaller
from runcancel.engine.selection import Selection
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.model.outcomes import DISABLE, PlanItem
from runcancel.model.runs import Identity, Scope
from runcancel.render import Caller
from runcancel.render.screens.words import counted


class RecordedCallers(Struct, frozen=True):
    """The callers that a plan recorded: no vendor is called for them."""

    callers: tuple[SavedCaller, ...]

    def of(self, scopes: Sequence[Scope]) -> dict[Scope, Identity | None]:
        """The caller's identity in each scope, None where the plan has none."""
        identities = {
            one.scope: Identity(account=one.account, principal=one.principal or "")
            for one in self.callers
            if one.account is not None
        }
        return {scope: identities.get(str(scope)) for scope in scopes}


def admit_shard(
    admission: Admission, choice: RunChoice, flags: GivenConfirmation, *, max_triggers: int | None = None
) -> ConfirmationRequirement:
    """The confirmation of the whole plan, and no weaker than its shard needs now. Raises `Refused` as `admit`.

    Limits, policy and protection apply to the whole plan by the identities in it: every shard refuses or none. The
    shard is checked again by what the vendors report now.
    """
    whole = choice.whole
    if whole is None:
        return admission.admit(choice, flags)
    recorded = _of_whole(admission, whole)
    of_whole = structs.replace(choice, selection=Selection(items=whole.items), by_hand=False)
    required = recorded.admit(of_whole, flags)
    if recorded.triggers:
        from runcancel.cli.support.triggers_first import admit_triggers

        required = admit_triggers(recorded, of_whole, required, flags, max_triggers=max_triggers)
    admission.check(choice.selection.items)
    needed = admission.requirement(choice)
    if needed.level <= required.level:
        return required
    return structs.replace(required, level=needed.level, names=(), why=needed.why)


def _of_whole(admission: Admission, whole: WholePlan) -> Admission:
    session = admission.session
    accounts = Accounts(session.settings, RecordedCallers(whole.callers))
    callers = tuple(Caller(scope=one.scope, account=one.account, principal=one.principal) for one in whole.callers)
    denied = (
        Guard(session, dry_run=False, action=DISABLE, accounts=accounts).denials(whole.triggers, callers)
        if whole.triggers
        else {}
    )
    return structs.replace(
        admission,
        guard=Guard(session, dry_run=False, action=admission.action, accounts=accounts),
        callers=callers,
        accounts=accounts,
        sent_before=(),
        recorder=None,
        triggers=tuple(item for item in whole.triggers if item.run not in denied),
    )


def part(choice: RunChoice, noun: str = "run") -> tuple[str, ...]:
    """What this process sends of the plan, in one sentence."""
    whole = choice.whole
    if whole is None or not whole.part:
        return ()
    runs, scopes = counted(len(whole.items), noun), counted(len(_scopes(whole.items)), "scope")
    return (
        f"Shard {whole.shard}: {len(whole.part):,} of {runs} and {len(_scopes(whole.part)):,} of {scopes} of the plan",
    )


def _scopes(items: Sequence[PlanItem]) -> set[Scope]:
    return {item.run.scope for item in items}
