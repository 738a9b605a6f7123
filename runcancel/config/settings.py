"""Flag > variable > vendor's own setting > default: every value that decides where to connect, with its origin."""

from collections.abc import Iterable, Mapping

from msgspec import Struct, field, structs

from runcancel.config.file import Config, Context
from runcancel.config.references import NOT_A_REGION, REGION, Reference, nearest
from runcancel.environment import Choice, several, text, variable
from runcancel.errors import CloudError, UsageError
from runcancel.model.runs import Problem, Scope
from runcancel.model.states import Reason
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import Connection, VendorSettings
from runcancel.providers.guarded import is_configured, resolved

NO_REGION = "no-region"
"""Stands where the profile that would tell the region cannot be used: such a scope fails with the reason, unasked."""

DEFAULT_TIMEOUT = 60.0  # seconds


class Settings(Struct, frozen=True, kw_only=True):
    """The connection settings of one call of the program."""

    contexts: Choice[tuple[str, ...]]
    providers: Choice[tuple[str, ...]]
    profile: Choice[str | None]
    regions: Choice[tuple[str, ...]]
    config: Config
    environ: Mapping[str, str]
    resolved: dict[tuple[str, str | None], VendorSettings] = field(default_factory=dict)
    """The profile in use of each provider: decided once, although every run and every context needs it."""


def gather(
    *,
    contexts: Iterable[str] = (),
    providers: Iterable[str] = (),
    profile: str | None = None,
    regions: Iterable[str] = (),
    config: Config | None = None,
    environ: Mapping[str, str],
) -> Settings:
    """Put flags before variables before the file.

    Raises `UsageError` for an empty value, an unknown context or provider, or a wrong region.
    """
    config = config or Config()
    named = several("--context", contexts, environ)
    chosen = named if named.value else Choice(config.default, "file" if config.default else "default")
    settings = Settings(
        contexts=Choice(config.expand(chosen.value), chosen.origin),
        providers=several("--provider", providers, environ),
        profile=text("--profile", profile, environ),
        regions=several("--region", regions, environ),
        config=config,
        environ=environ,
    )
    if settings.contexts.typed and settings.profile.typed:
        raise UsageError(
            "--context and --profile cannot be used together: a context has its own profile; nothing was sent"
        )
    for name in settings.providers.value:
        if name not in PROVIDERS:
            raise UsageError(
                f"no provider “{name}” in {settings.providers.origin}. Expected one of: {', '.join(PROVIDERS)}"
                f"{nearest(name, PROVIDERS)}; nothing was sent"
            )
    for region in settings.regions.value:
        _check_region(settings.regions.origin, region)
    return settings


def scopes_of(settings: Settings, reference: Reference) -> tuple[Scope, ...]:
    """Where a reference may be found: its own words win, then flags, contexts, and the vendor's own region settings.

    Raises `UsageError` when a flag excludes the reference or no region is known.
    """
    scopes = tuple(
        Scope(provider=name, region=region, context=context)
        for name in _narrow_providers(settings, reference)
        for context in _contexts_of(settings, reference, name)
        for region in _regions_for(settings, reference, name, context)
    )
    if not scopes:
        name = reference.providers[0]
        raise UsageError(
            f"no region for “{reference.text}”; nothing was sent",
            hint=f"add -r REGION, or use the full form {name}:REGION:{reference.id}",
        )
    return scopes


class SearchScope(Struct, frozen=True, kw_only=True):
    """Where to look for runs without a reference: one account of one provider, and its regions.

    `everywhere` is true when all regions were asked for: `regions` is then what the dated table knows.
    """

    provider: str
    context: str | None
    regions: tuple[str, ...]
    everywhere: bool = False
    problem: Problem | None = None
    """Why it cannot be searched, although it takes part; None where it can."""


def search_scopes(settings: Settings) -> tuple[SearchScope, ...]:
    """The accounts that take part when no reference says so.

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
        f"no region for {' and '.join(_named(scope) for scope in participants)}; nothing was sent",
        hint="add -r REGION, or -r all",
    )


def unusable(settings: Settings) -> tuple[Problem, ...]:
    """Selected scopes that cannot be searched. Each makes a result incomplete and names the file, key or variable."""
    return tuple(scope.problem for scope in _taking_part(settings) if scope.problem is not None)


def excluded(settings: Settings) -> tuple[str, ...]:
    """The contexts and providers that were named and of which `-r` names no region: they are not searched."""
    if not (settings.contexts.typed or settings.providers.typed):
        return ()
    return tuple(_named(scope) for scope in _taking_part(settings) if not scope.regions and scope.problem is None)


def _taking_part(settings: Settings) -> tuple[SearchScope, ...]:
    """Every account that takes part. Raises `UsageError` when there is none."""
    names = settings.providers.value
    pairs: list[tuple[str, str | None]]
    if settings.contexts.value:
        config = settings.config.contexts
        pairs = [(config[name].provider, name) for name in settings.contexts.value]
        pairs = [(name, context) for name, context in pairs if not names or name in names]
    else:
        chosen = names or tuple(name for name in PROVIDERS if is_configured(name, settings.environ))
        pairs = [(name, settings.profile.value) for name in chosen]
    if not pairs:
        raise UsageError(
            "no cloud is configured: no credentials in the environment, no profile files; nothing was sent",
            hint=f"choose one, as in -p {next(iter(PROVIDERS))}, or see docs/connecting.md",
        )
    return tuple(_search_scope(settings, name, context) for name, context in pairs)


def unknown_regions(settings: Settings) -> tuple[str, ...]:
    """Regions of `-r` that no table has: they go to the only selected provider, with a note."""
    if len(settings.providers.value) != 1:
        return ()
    known = {region for name in PROVIDERS for region in provider(name).regions} | {"all"}
    return tuple(word for word in settings.regions.value if ":" not in word and word not in known)


def home_region(settings: Settings, scope: SearchScope) -> str:
    """A region of a place where its account certainly answers: the vendor's own setting, else the first it has."""
    region = vendor_settings(settings, scope.provider, scope.context).region
    return scope.regions[0] if region is None else region.value


def connection(settings: Settings, scope: Scope) -> Connection:
    """The connection of a scope: profile, endpoints and site from the context, variables and the vendor's own files.

    Raises `CloudError` where the vendor's settings cannot be used, `UsageError` for a name that does not exist.
    """
    environ = settings.environ
    vendor = vendor_settings(settings, scope.provider, scope.context)
    if scope.region == NO_REGION and vendor.error is not None:
        raise vendor.error.fresh()
    if vendor.region is not None and vendor.region.value == scope.region and not REGION.fullmatch(scope.region):
        origin = vendor.region.origin
        message = f"{origin} “{scope.region}” {NOT_A_REGION}; nothing was sent"
        raise CloudError(Reason.NOT_CONFIGURED, message, hint=f"correct {origin}, or add -r {scope.provider}:REGION")
    prefix = variable(scope.provider)
    context = settings.config.contexts.get(scope.context or "")
    if context is not None and context.provider != scope.provider:
        raise UsageError(f"the context {scope.context} is one of {context.provider}, not of {scope.provider}")
    chosen = context or Context(provider=scope.provider, profile=scope.context)
    site = chosen.site or environ.get(f"{prefix}_SITE") or None
    sites = provider(scope.provider).sites
    if site is not None and site not in sites:
        origin = f"the site of context {scope.context}" if chosen.site else f"{prefix}_SITE"
        raise UsageError(f"{origin} is “{site}”: {no_such_site(scope.provider)}; nothing was sent")
    return Connection(
        scope=scope,
        profile=chosen.profile,
        endpoint_url=chosen.endpoint_url or environ.get(f"{prefix}_ENDPOINT_URL") or None,
        sts_endpoint_url=chosen.sts_endpoint_url or environ.get(f"{prefix}_STS_ENDPOINT_URL") or None,
        site=site,
    )


def no_such_site(name: str) -> str:
    """Which sites a provider has, for the message about one that it has not."""
    vendor = provider(name)
    return f"expected {' or '.join(vendor.sites)}" if vendor.sites else f"{vendor.title} has no sites"


def protected(settings: Settings, scope: Scope, account: str | None = None) -> str | None:
    """The name of a protected context whose account and region a scope is in, however it was reached.

    A context protects its profile: reached by the profile's own name, as another context of the same profile, or as
    the bare environment that means the same profile, it is the same place. One that names its account protects that,
    too. `account` is the one that the caller is known to be of; None, not known, counts as that of every context which
    names one, and a context that names one is protected then.
    """
    contexts = settings.config.contexts
    here = contexts.get(scope.context or "")
    if here is not None and here.account is not None and account is None:
        return scope.context
    return next((name for name in contexts_at(settings, scope, account) if contexts[name].protected), None)


def contexts_at(settings: Settings, scope: Scope, account: str | None = None) -> tuple[str, ...]:
    """The names of every context whose profile or account, and regions, a scope is in, however it was reached."""
    here = profile_at(settings, scope)
    ambient = vendor_settings(settings, scope.provider, None).profile.value  # of the contexts that name none
    return tuple(
        name
        for name, context in settings.config.contexts.items()
        if context.provider == scope.provider
        and (not context.regions or "all" in context.regions or scope.region in context.regions)
        and (
            name == scope.context
            or (context.profile or ambient) == here
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


def profile_at(settings: Settings, scope: Scope) -> str:
    """The vendor's profile behind a scope: named, or chosen by the vendor's variables and files, or "default"."""
    return vendor_settings(settings, scope.provider, scope.context).profile.value


def vendor_settings(settings: Settings, name: str, context: str | None) -> VendorSettings:
    """Which profile, account, region and endpoint one provider has in use under a context: the one answer to it.

    `context` is the name of a context or of the vendor's own profile; None leaves the choice to the vendor's settings.
    """
    configured = settings.config.contexts.get(context or "")
    key = (name, configured.profile if configured else context)
    if key not in settings.resolved:
        settings.resolved[key] = resolved(name, settings.environ, key[1])
    return settings.resolved[key]


def _check_region(origin: str, word: str) -> None:
    name, colon, region = word.rpartition(":")
    if colon and name not in PROVIDERS:
        raise UsageError(
            f"no provider “{name}” in {origin} “{word}”. Expected one of: {', '.join(PROVIDERS)}"
            f"{nearest(name, PROVIDERS)}; nothing was sent"
        )
    if region != "all" and not REGION.fullmatch(region):
        raise UsageError(f"{origin} “{word}” {NOT_A_REGION}; nothing was sent")


def _narrow_providers(settings: Settings, reference: Reference) -> tuple[str, ...]:
    chosen = settings.providers
    names = tuple(name for name in reference.providers if not chosen.value or name in chosen.value)
    if names:
        return names
    if chosen.typed:
        raise _excluded(reference, f"-p {','.join(chosen.value)}")
    return reference.providers


def _contexts_of(settings: Settings, reference: Reference, name: str) -> tuple[str | None, ...]:
    """The contexts that a reference can mean at one provider; None is the bare environment."""
    chosen = settings.contexts.value
    if reference.context is not None:
        if settings.contexts.typed and reference.context not in chosen:
            raise _excluded(reference, f"-c {','.join(chosen)}")
        if settings.profile.typed and reference.context != settings.profile.value:
            raise _excluded(reference, f"--profile {settings.profile.value}")
        return (reference.context,)
    if settings.profile.value is not None and not settings.contexts.typed:
        return (settings.profile.value,)
    config = settings.config.contexts
    fitting = tuple(one for one in chosen if config[one].provider == name)
    if not fitting and settings.contexts.typed:
        raise _excluded(reference, f"-c {','.join(chosen)}")
    return fitting or (None,)


def _regions_for(settings: Settings, reference: Reference, name: str, context: str | None) -> tuple[str, ...]:
    if reference.region is None:
        regions = regions_of(settings, name, context)
        broken = not settings.regions.value and vendor_settings(settings, name, context).error is not None
        return regions or ((NO_REGION,) if broken else ())
    if settings.regions.typed and reference.region not in _chosen_regions(settings, name):
        raise _excluded(reference, f"-r {','.join(settings.regions.value)}")
    return (reference.region,)


def regions_of(settings: Settings, name: str, context: str | None) -> tuple[str, ...]:
    """Regions without a reference: `-r` or its variable, then the context, then the vendor's own settings."""
    if settings.regions.value:
        return _chosen_regions(settings, name)
    configured = settings.config.contexts.get(context or "")
    if configured is not None and configured.regions:
        return provider_regions(name) if "all" in configured.regions else configured.regions
    vendor_region = vendor_settings(settings, name, context).region
    return () if vendor_region is None else (vendor_region.value,)


def provider_regions(name: str) -> tuple[str, ...]:
    """The regions that the dated table knows of one provider."""
    return tuple(sorted(provider(name).regions))


def typed_regions(settings: Settings, name: str) -> tuple[str, ...]:
    """The regions of one provider in a `-r` of this command line; none without `-r` and for `all`."""
    words = settings.regions.value if settings.regions.typed else ()
    return () if {"all", f"{name}:all"} & set(words) else _chosen_regions(settings, name) if words else ()


def _search_scope(settings: Settings, name: str, context: str | None) -> SearchScope:
    configured = settings.config.contexts.get(context or "")
    requested = settings.regions.value or (configured.regions if configured else ())
    regions = regions_of(settings, name, context)
    scope = SearchScope(provider=name, context=context, regions=regions, everywhere="all" in requested)
    return scope if regions or settings.regions.value else structs.replace(scope, problem=_problem(settings, scope))


def _problem(settings: Settings, scope: SearchScope) -> Problem:
    """Why an account has no region: its file or profile cannot be used, it is not set up, or it names none."""
    cloud, where = provider(scope.provider), _named(scope)
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


def _named(scope: SearchScope) -> str:
    return scope.provider if scope.context is None else f"{scope.context}@{scope.provider}"


def _chosen_regions(settings: Settings, name: str) -> tuple[str, ...]:
    parts = (owned_regions(region, name, settings) for region in settings.regions.value)
    return tuple(dict.fromkeys(region for part in parts for region in part))


def owned_regions(region: str, name: str, settings: Settings) -> tuple[str, ...]:
    """The regions of one provider in one word of `-r`. An unknown name goes to all selected providers."""
    exact, colon, rest = region.rpartition(":")
    if colon and exact != name:
        return ()
    if rest == "all":
        return provider_regions(name)
    if colon:
        return (rest,)
    if region in provider(name).regions:
        return (region,)
    if any(region in provider(other).regions for other in PROVIDERS):
        return ()
    if settings.providers.value == (name,):
        return (region,)
    raise UsageError(
        f"no provider has a known region “{region}”; nothing was sent",
        hint=f"For a new region: -r {name}:{region}",
    )


def _excluded(reference: Reference, flag: str) -> UsageError:
    return UsageError(f"{flag} excludes “{reference.text}”, which has its own scope; nothing was sent")
