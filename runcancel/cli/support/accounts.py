"""Which account is behind a scope, where that decides about a cancel: protected contexts, contexts that name theirs."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from runcancel.config import protection, settings
from runcancel.config.references import Reference
from runcancel.config.settings import Settings
from runcancel.errors import Refused, UsageError
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Identity, Ref, Scope
from runcancel.text import command


class Identities(Protocol):
    """Who calls each scope."""

    def of(self, scopes: Sequence[Scope]) -> dict[Scope, Identity | None]:
        """The caller's identity in each scope, None if it is not known."""
        ...


class Accounts:
    """The accounts of one call: each identity is requested once."""

    def __init__(self, settings: Settings, callers: Identities) -> None:
        self._settings = settings
        self._callers = callers

    def protected(self, items: Sequence[PlanItem]) -> dict[Ref, str]:
        """The protected context of each run that is in one."""
        scopes = {item.run: item.run.scope for item in items if item.ask}
        names = self.protected_scopes(tuple(dict.fromkeys(scopes.values())))
        return {run: names[scope] for run, scope in scopes.items() if scope in names}

    def protected_scopes(self, scopes: Sequence[Scope]) -> dict[Scope, str]:
        """The protected context of each scope that is in one."""
        suspects = [one for one in scopes if protection.protected(self._settings, one) is not None]
        names = {
            scope: protection.protected(self._settings, scope, account) for scope, account in self.of(suspects).items()
        }
        return {scope: name for scope, name in names.items() if name is not None}

    def of(self, scopes: Sequence[Scope]) -> dict[Scope, str | None]:
        """The account behind each scope where a context that names its account may apply; None: not known.

        Raises `Refused` for a context that leads to another account than it names.
        """
        unverified = [scope for scope in scopes if protection.needs_caller(self._settings, scope)]
        callers = self._callers.of(unverified)
        accounts = {scope: None if (who := callers.get(scope)) is None else who.account for scope in scopes}
        for scope, account in accounts.items():
            if why := protection.misled(self._settings, scope, account):
                hint = f"correct the context: {command('contexts', 'show', str(scope.context))}"
                raise Refused(f"{why}; nothing was sent", hint=hint)
        return accounts

    def misled(self, scopes: Sequence[Scope]) -> dict[Scope, str]:
        """The scopes whose context leads to another account than it names, with that in words."""
        with_account = [scope for scope in scopes if protection.names_account(self._settings, scope)]
        callers = self._callers.of(with_account)
        reasons = {
            scope: protection.misled(self._settings, scope, who.account) for scope, who in callers.items() if who
        }
        return {scope: why for scope, why in reasons.items() if why is not None}

    def identities(self, scopes: Sequence[Scope]) -> dict[Scope, Identity | None]:
        """The caller's identity per scope, from the vendors; None if it is not known."""
        return self._callers.of(scopes)

    def check(self, references: Sequence[Reference]) -> Iterator[str]:
        """Raise `UsageError` where a link names another account than the caller's; then nothing is read.

        A note for each caller that is not known, which stops nothing.
        """
        scopes_of = {reference: settings.scopes_of(self._settings, reference) for reference in references}
        scopes = tuple(dict.fromkeys(scope for scopes_there in scopes_of.values() for scope in scopes_there))
        identities = self.identities(scopes) if scopes else {}
        for reference, scopes_there in scopes_of.items():
            accounts = [None if (one := identities[scope]) is None else one.account for scope in scopes_there]
            if reference.account in accounts:
                continue
            if None not in accounts:
                raise UsageError(
                    f"“{reference.text}” is in account {reference.account}, but these credentials belong to account "
                    f"{' and '.join(map(str, dict.fromkeys(accounts)))}; nothing was sent",
                    hint="use a profile of that account: --profile NAME, -c CONTEXT, or CONTEXT@ before the reference",
                )
            yield f"note: could not verify that the credentials belong to account {reference.account}"
