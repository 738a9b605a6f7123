"""The site policy before a cancel: its rules are read once and compared with the runs to cancel."""

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.cli.support.source import RunChoice
from runcancel.config import protection, settings
from runcancel.engine.verdict import counted_once
from runcancel.errors import Refused
from runcancel.guards import limits, site_policy
from runcancel.guards.site_policy import SitePolicy, Subject
from runcancel.model.outcomes import CANCEL, Action, PlanItem
from runcancel.model.runs import Ref, Scope
from runcancel.providers import trigger_kind_of
from runcancel.render import Caller

if TYPE_CHECKING:
    from runcancel.cli.support.accounts import Accounts
    from runcancel.guards.confirmation import ConfirmationRequirement
    from runcancel.guards.rulings import Rulings


class Guard:
    """The rules at the start of the cancel. A dry run sends nothing and only reports a fault of the file."""

    def __init__(
        self, session: Session, *, dry_run: bool, action: Action = CANCEL, accounts: "Accounts | None" = None
    ) -> None:
        """Read the rules. Raises `Refused` when they cannot be read and something is to be sent.

        `accounts` in place of those that the vendors report now.
        """
        self._given_accounts = accounts
        self._session = session
        self._action = action
        self._rules = SitePolicy()
        self._problem: str | None = None
        try:
            self._rules = site_policy.read()
        except Refused as error:
            if not dry_run:
                raise
            self._problem = error.message.removesuffix("; nothing was sent")

    @property
    def _accounts(self) -> "Accounts":
        return self._given_accounts or self._session.accounts

    @property
    def asks_accounts(self) -> bool:
        """Whether the callers have to be known."""
        return self._rules.asks_accounts

    def asks_caller(self, scope: Scope) -> bool:
        """Whether the caller's identity decides about a scope, by a rule about accounts or a context that names one."""
        return self.asks_accounts or protection.needs_caller(self._session.settings, scope)

    def asks_accounts_of(self, providers: Collection[str]) -> bool:
        """Whether a rule about one of these providers names accounts."""
        return any(
            rule.accounts is not None and (rule.providers is None or not set(rule.providers).isdisjoint(providers))
            for rule in self._rules.rules
        )

    @property
    def counts(self) -> bool:
        """Whether a rule begins where a cancel sends more than so many."""
        return any((rule.over_runs, rule.over_targets) != (None, None) for rule in self._rules.rules)

    def may_match(self, candidates: Sequence[Ref]) -> bool:
        """Whether a rule may be about a run that is at one of these places."""
        subjects = [_subject(self._session, ref, self._action, account=None, targets=0) for ref in candidates]
        return site_policy.may_match(self._rules, subjects)

    def check(self, items: Sequence[PlanItem], callers: Sequence[Caller]) -> None:
        """Raise `Refused` if a rule denies one of the runs to cancel."""
        self._rulings(items, callers).check()

    def stricter(
        self, requirement: "ConfirmationRequirement", items: Sequence[PlanItem], callers: Sequence[Caller]
    ) -> "ConfirmationRequirement":
        """The confirmation that is needed with the rules."""
        return self._rulings(items, callers).stricter(requirement)

    def denials(self, items: Sequence[PlanItem], callers: Sequence[Caller]) -> dict[Ref, Refused]:
        """What a rule denies of these, each with the refusal."""
        return self._rulings(items, callers).denials

    def shown(self, choice: RunChoice, callers: Sequence[Caller], *, whole: bool = True) -> RunChoice:
        """The selection of a dry run, with the results of the rules. `whole`: one denial refuses all."""
        items, misled = self._led_elsewhere(choice.selection.items)
        rulings = self._rulings(items, callers)
        selection = structs.replace(choice.selection, items=rulings.planned(items))
        problem = () if self._problem is None else (self._problem,)
        remarks = (*misled, *problem, *rulings.notes(self._action, whole=whole))
        return structs.replace(choice, selection=selection, notes=(*choice.notes, *remarks))

    def _led_elsewhere(self, items: Sequence[PlanItem]) -> tuple[tuple[PlanItem, ...], tuple[str, ...]]:
        """The plan without the runs whose context leads to another account than it names, and that in sentences."""
        scopes = {item.run: item.run.scope for item in items if item.ask}
        misled = self._accounts.misled(tuple(dict.fromkeys(scopes.values())))
        why = {run: misled[scope] for run, scope in scopes.items() if scope in misled}
        rest = (structs.replace(item, ask=False, why=why[item.run]) if item.run in why else item for item in items)
        return tuple(rest), tuple(f"{one}; a cancel is refused" for one in dict.fromkeys(misled.values()))

    def _rulings(self, items: Sequence[PlanItem], callers: Sequence[Caller]) -> "Rulings":
        from runcancel.guards.rulings import Rulings  # runs that flow are compared with no rule

        return Rulings.of(self._rules, self._subjects(items, callers) if self._rules.rules else ())

    def _subjects(self, items: Sequence[PlanItem], callers: Sequence[Caller]) -> list[Subject]:
        """The runs to cancel as the rules see them, each once."""
        to_cancel = counted_once([item for item in items if item.ask])
        scopes = tuple(dict.fromkeys(item.run.scope for item in to_cancel)) if self._rules.asks_contexts else ()
        by_scope_name = {str(scope): account for scope, account in self._accounts.of(scopes).items()}
        accounts = by_scope_name | {caller.scope: caller.account for caller in callers}
        by_scope: dict[Scope, Subject] = {}  # what a scope leads to stands in files: it is found out once
        subjects: list[Subject] = []
        for item in to_cancel:
            ref = item.run
            if ref.scope not in by_scope:
                account = accounts.get(str(ref.scope)) or None
                by_scope[ref.scope] = _subject(self._session, ref, self._action, account=account, targets=0)
            subjects.append(
                structs.replace(by_scope[ref.scope], run=item.run, kinds=_kinds(ref), targets=_size(item)),
            )
        return subjects


def rules_about(name: str) -> tuple[str, ...]:
    """A note where the site policy has rules about a context of this name, which does not exist any more."""
    try:
        rules = site_policy.read()
    except Refused:  # every cancel reports it
        return ()
    if any(name in (rule.contexts or ()) for rule in (*rules.deny, *rules.confirm)):
        return (f"note: the site policy {site_policy.PATH} has rules about {name}; they do not hold for the new name",)
    return ()


def _size(item: PlanItem) -> int:
    """How many targets of a run may still be stopped; of one that could not be read, more than any rule allows."""
    return limits.size(item) if item.read else sys.maxsize


def _kinds(ref: Ref) -> tuple[str, ...]:
    """The kinds that a rule may name to be about this: of a trigger also those of the runs that it starts."""
    trigger = trigger_kind_of(ref)
    return (ref.kind,) if trigger is None else (ref.kind, *trigger.starts)


def _subject(session: Session, ref: Ref, action: Action, *, account: str | None, targets: int) -> Subject:
    contexts = protection.contexts_at(session.settings, ref.scope, account)
    return Subject(
        run=ref,
        provider=ref.scope.provider,
        region=ref.scope.region,
        kinds=_kinds(ref),
        contexts=contexts if ref.scope.context is None else (*contexts, ref.scope.context),
        profile=settings.profile_at(session.settings, ref.scope),
        account=account,
        targets=targets,
        action=action.verb,
    )
