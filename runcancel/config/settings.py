"""Flag > variable > vendor's own setting > default: every value that decides where to connect, with its origin."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from runcancel.config.file import Config, Context
from runcancel.config.references import NOT_A_REGION, REGION, Reference, closest, did_you_mean, nearest
from runcancel.environment import Choice, several, text, user_name, variable
from runcancel.errors import CloudError, UsageError
from runcancel.model.runs import Scope
from runcancel.model.states import Reason
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import Connection, ContextRole, VendorSettings
from runcancel.providers.guarded import resolved

NO_REGION = "no-region"
"""Stands where the profile that would tell the region cannot be used: such a scope fails with the reason, unasked."""

_NOT_IN_A_SESSION = r"[^A-Za-z0-9.@_-]"
_LONGEST_SESSION = 64  # characters, of AWS and of Alibaba Cloud

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
    from_command = several("--context", contexts, environ)
    context_choice = (
        from_command if from_command.value else Choice(config.default, "file" if config.default else "default")
    )
    settings = Settings(
        contexts=Choice(config.expand(context_choice.value), context_choice.origin),
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
        if settings.regions.value:
            words = f"{settings.regions.origin} {','.join(settings.regions.value)}"
            why = f"{words} names no region of {provider(name).title}, to which “{reference.text}” belongs"
            raise UsageError(f"{why}; nothing was sent", hint=f"add -r {name}:REGION")
        raise UsageError(
            f"no region for “{reference.text}”; nothing was sent",
            hint=f"add -r REGION, or use the full form {name}:REGION:{reference.id}",
        )
    return scopes


def unknown_regions(settings: Settings) -> tuple[str, ...]:
    """Regions of `-r` that no table has: they go to the only selected provider, with a note."""
    if len(settings.providers.value) != 1 or not settings.regions.value:
        return ()
    regions = {region for name in PROVIDERS for region in provider(name).regions} | {"all"}
    return tuple(word for word in settings.regions.value if ":" not in word and word not in regions)


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
    source = context or Context(provider=scope.provider, profile=scope.context)
    site = source.site or environ.get(f"{prefix}_SITE") or None
    sites = provider(scope.provider).sites
    if site is not None and site not in sites:
        origin = f"the site of context {scope.context}" if source.site else f"{prefix}_SITE"
        raise UsageError(f"{origin} is “{site}”: {no_such_site(scope.provider)}; nothing was sent")
    return Connection(
        scope=scope,
        profile=source.vendor_profile,
        role=connection_role(source),
        endpoint_url=source.endpoint_url or environ.get(f"{prefix}_ENDPOINT_URL") or None,
        sts_endpoint_url=source.sts_endpoint_url or environ.get(f"{prefix}_STS_ENDPOINT_URL") or None,
        site=site,
    )


def endpoint_variables(name: str) -> tuple[str, ...]:
    """The variables that lead a provider's API elsewhere, the stronger first: ours, then the vendor's own."""
    return (f"{variable(name)}_ENDPOINT_URL", *provider(name).endpoint_variables)


def no_such_site(name: str) -> str:
    """Which sites a provider has, for the message about one that it has not."""
    vendor = provider(name)
    return f"expected {' or '.join(vendor.sites)}" if vendor.sites else f"{vendor.title} has no sites"


def profile_at(settings: Settings, scope: Scope) -> str:
    """The vendor's profile behind a scope: named, or chosen by the vendor's variables and files, or "default"."""
    return vendor_settings(settings, scope.provider, scope.context).profile.value


def vendor_settings(settings: Settings, name: str, context: str | None) -> VendorSettings:
    """Which profile, account, region and endpoint one provider has in use under a context: the one answer to it.

    `context` is the name of a context or of the vendor's own profile; None leaves the choice to the vendor's settings.
    """
    configured = settings.config.contexts.get(context or "")
    key = (name, configured.vendor_profile if configured else context)
    if key not in settings.resolved:
        settings.resolved[key] = resolved(name, settings.environ, key[1])
    return settings.resolved[key]


def connection_role(context: Context) -> ContextRole | None:
    """The role of a context; its session names this program and the user in the audit log of the account."""
    if context.role_arn is None:
        return None
    pattern = provider(context.provider).role_pattern
    match = pattern.fullmatch(context.role_arn) if pattern else None
    user = re.sub(_NOT_IN_A_SESSION, "-", user_name())
    return ContextRole(
        arn=context.role_arn,
        account=match[1] if match else "",
        session=f"runcancel-{user}"[:_LONGEST_SESSION],
        external_id=context.external_id,
        chain=context.role_chain,
    )


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
    choice = settings.providers
    names = tuple(name for name in reference.providers if not choice.value or name in choice.value)
    if names:
        return names
    if choice.typed:
        raise _excluded(reference, f"-p {','.join(choice.value)}")
    return reference.providers


def _contexts_of(settings: Settings, reference: Reference, name: str) -> tuple[str | None, ...]:
    """The contexts that a reference can mean at one provider; None is the bare environment."""
    names = settings.contexts.value
    if reference.context is not None:
        if settings.contexts.typed and reference.context not in names:
            raise _excluded(reference, f"-c {','.join(names)}")
        if settings.profile.typed and reference.context != settings.profile.value:
            raise _excluded(reference, f"--profile {settings.profile.value}")
        return (reference.context,)
    if settings.profile.value is not None and not settings.contexts.typed:
        return (settings.profile.value,)
    config = settings.config.contexts
    fitting = tuple(one for one in names if config[one].provider == name)
    if not fitting and settings.contexts.typed:
        raise _excluded(reference, f"-c {','.join(names)}")
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
    known = {one: other for other in PROVIDERS for one in provider(other).regions}
    near = closest(region, known, cutoff=0.8)
    owner = name if near is None else known[near]
    raise UsageError(
        f"no provider has a known region “{region}”{'' if near is None else did_you_mean(near)}; nothing was sent",
        hint=f"For a new region: -r {owner}:{region}",
    )


def _excluded(reference: Reference, flag: str) -> UsageError:
    return UsageError(f"{flag} excludes “{reference.text}”, which has its own scope; nothing was sent")
