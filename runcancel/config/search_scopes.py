"""Which accounts and regions take part in a search, and why others that were selected do not."""

from msgspec import Struct, structs

from runcancel.config.settings import Settings, regions_of, vendor_settings
from runcancel.errors import UsageError
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.guarded import is_configured


class SearchScope(Struct, frozen=True, kw_only=True):
    """Where to look for runs without a reference: one account of one provider, and its regions.

    `everywhere` is true when all regions were requested: `regions` is then what the dated table knows.
    """

    provider: str
    context: str | None
    regions: tuple[str, ...]
    everywhere: bool = False
    problem: Problem | None = None
    """Why it cannot be searched, although it takes part; None where it can."""


def search_scopes(settings: Settings) -> tuple[SearchScope, ...]:
    """The accounts that take part without a reference.

    Contexts that are selected; else every selected provider; else each whose variables or profile files exist. Those
    that take part and cannot be searched are left to `unusable`. Raises `UsageError` when nothing is configured, and
    when nothing can be searched for the lack of a region.
    """
    participants = _taking_part(settings)
    usable = tuple(scope for scope in participants if scope.regions)
    problems = [scope.problem for scope in participants if scope.problem is not None]
    if usable or any(problem.code is not Reason.NOT_CONFIGURED for problem in problems):
        return usable
    raise UsageError(
        f"no region for {' and '.join(_name_of(scope) for scope in participants)}; nothing was sent",
        hint="add -r REGION, or -r all",
    )


def unusable(settings: Settings) -> tuple[Problem, ...]:
    """Selected scopes that cannot be searched. Each makes a result incomplete and names the file, key or variable."""
    return tuple(scope.problem for scope in _taking_part(settings) if scope.problem is not None)


def excluded(settings: Settings) -> tuple[str, ...]:
    """The contexts and providers that were named and of which `-r` names no region: they are not searched."""
    if not (settings.contexts.typed or settings.providers.typed):
        return ()
    return tuple(_name_of(scope) for scope in _taking_part(settings) if not scope.regions and scope.problem is None)


def home_region(settings: Settings, scope: SearchScope) -> str:
    """A region of a place where its account certainly answers: the vendor's own setting, else the first it has."""
    region = vendor_settings(settings, scope.provider, scope.context).region
    return scope.regions[0] if region is None else region.value


def _taking_part(settings: Settings) -> tuple[SearchScope, ...]:
    """Every account that takes part. Raises `UsageError` when there is none."""
    names = settings.providers.value
    pairs: list[tuple[str, str | None]]
    if settings.contexts.value:
        config = settings.config.contexts
        pairs = [(config[name].provider, name) for name in settings.contexts.value]
        pairs = [(name, context) for name, context in pairs if not names or name in names]
    else:
        providers = names or tuple(name for name in PROVIDERS if is_configured(name, settings.environ))
        pairs = [(name, settings.profile.value) for name in providers]
    if not pairs:
        raise UsageError(
            "no cloud is configured: no credentials in the environment, no profile files; nothing was sent",
            hint="What it reads: runcancel help environment   To try it without an account: runcancel sandbox demo",
        )
    return tuple(_search_scope(settings, name, context) for name, context in pairs)


def _search_scope(settings: Settings, name: str, context: str | None) -> SearchScope:
    configured = settings.config.contexts.get(context or "")
    requested = settings.regions.value or (configured.regions if configured else ())
    regions = regions_of(settings, name, context)
    everywhere = not {"all", f"{name}:all"}.isdisjoint(requested)
    scope = SearchScope(provider=name, context=context, regions=regions, everywhere=everywhere)
    return scope if regions or settings.regions.value else structs.replace(scope, problem=_problem(settings, scope))


def _problem(settings: Settings, scope: SearchScope) -> Problem:
    """Why an account has no region: its file or profile cannot be used, it is not set up, or it names none."""
    cloud, where = provider(scope.provider), _name_of(scope)
    error = vendor_settings(settings, scope.provider, scope.context).error
    if error is not None:
        return structs.replace(error.problem(), scope=where)
    if scope.context is None and not is_configured(scope.provider, settings.environ):
        message = f"no credentials for {cloud.title}"
        return Problem(code=Reason.NO_CREDENTIALS, message=message, hint=f"next: {cloud.sign_in}", scope=where)
    return Problem(
        code=Reason.NOT_CONFIGURED,
        message=f"no region for {where}; it was not searched",
        hint=f"add -r {scope.provider}:REGION, or set {cloud.region_variables[0]}",
        scope=where,
    )


def _name_of(scope: SearchScope) -> str:
    return scope.provider if scope.context is None else f"{scope.context}@{scope.provider}"
