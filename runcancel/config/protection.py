"""Which contexts a scope is in, however it was reached: whether one is protected, whether one names another account."""

from collections.abc import Iterator, Mapping

from runcancel.config.file import Context
from runcancel.config.settings import Settings, profile_at, vendor_settings
from runcancel.model.runs import Scope


def protected(settings: Settings, scope: Scope, account: str | None = None) -> str | None:
    """The name of a protected context whose account and region a scope is in, however it was reached.

    A context protects its profile, or the role that it assumes: reached by the profile's own name, as another context
    of the same profile or role, or as the bare environment that means the same profile, it is the same place. One that
    names its account protects that, too. `account` is the one that the caller is known to be of; None, not known,
    counts as that of every context which names one, and a context that names one is protected then.
    """
    contexts = settings.config.contexts
    here = contexts.get(scope.context or "")
    if here is not None and here.account is not None and account is None:
        return scope.context
    guarded = {name: context for name, context in contexts.items() if context.protected}
    return next(iter(_at(guarded, settings, scope, account)), None) if guarded else None


def contexts_at(settings: Settings, scope: Scope, account: str | None = None) -> tuple[str, ...]:
    """The names of every context whose credentials or account, and regions, a scope is in, however it was reached."""
    return tuple(_at(settings.config.contexts, settings, scope, account))


def _at(contexts: Mapping[str, Context], settings: Settings, scope: Scope, account: str | None) -> Iterator[str]:
    configured = settings.config.contexts.get(scope.context or "")
    here = (profile_at(settings, scope), None if configured is None else configured.role_arn)
    ambient = vendor_settings(settings, scope.provider, None).profile.value  # of the contexts that name none
    return (
        name
        for name, context in contexts.items()
        if context.provider == scope.provider
        and (not context.regions or "all" in context.regions or scope.region in context.regions)
        and (
            name == scope.context
            or (context.vendor_profile or ambient, context.role_arn) == here
            or (context.account is not None and account in (None, context.account))
        )
    )


def needs_caller(settings: Settings, scope: Scope) -> bool:
    """Whether the caller's identity decides about the protection of a scope, because a context names its account."""
    return any(
        context.account is not None and context.provider == scope.provider
        for context in settings.config.contexts.values()
    )


def names_account(settings: Settings, scope: Scope) -> bool:
    """Whether the context of a scope names the account to which it has to lead."""
    here = settings.config.contexts.get(scope.context or "")
    return here is not None and here.account is not None


def misled(settings: Settings, scope: Scope, account: str | None) -> str | None:
    """That the context of a scope leads to another account than it names, in words; None where it does not.

    `account` is the one that the caller is known to be of.
    """
    here = settings.config.contexts.get(scope.context or "")
    if here is None or here.account is None or account in (None, here.account):
        return None
    return f"the context {scope.context} is of account {here.account}, and its credentials are of account {account}"
