"""Flag > variable > vendor's own setting > default: every value that decides where to connect, with its origin."""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from runcancel.config import Config, Context
from runcancel.errors import UsageError
from runcancel.model import Scope, SettingRow
from runcancel.providers import PROVIDERS, SITES, Connection, provider
from runcancel.refs import NOT_A_REGION, REGION, Reference, nearest

T = TypeVar("T")

DEFAULT_TIMEOUT = 60.0  # seconds
_USER = re.compile(r"//[^/]*@")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


class Choice(Struct, Generic[T], frozen=True):
    """A value and where it came from: a flag, the name of a variable, or "default"."""

    value: T
    origin: str

    @property
    def typed(self) -> bool:
        """Whether somebody typed it on this command line."""
        return self.origin.startswith("-")


class Settings(Struct, frozen=True, kw_only=True):
    """What one call of the program was told about connecting."""

    contexts: Choice[tuple[str, ...]]
    providers: Choice[tuple[str, ...]]
    profile: Choice[str | None]
    regions: Choice[tuple[str, ...]]
    config: Config
    environ: Mapping[str, str]


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
    named = _several("--context", contexts, environ)
    chosen = named if named.value else Choice(config.default, "file" if config.default else "default")
    settings = Settings(
        contexts=Choice(config.expand(chosen.value), chosen.origin),
        providers=_several("--provider", providers, environ),
        profile=text("--profile", profile, environ),
        regions=_several("--region", regions, environ),
        config=config,
        environ=environ,
    )
    if settings.contexts.typed and settings.profile.typed:
        raise UsageError("--context and --profile exclude each other: a context has its profile; nothing was sent")
    for name in settings.providers.value:
        if name not in PROVIDERS:
            raise UsageError(
                f"no provider “{name}” in {settings.providers.origin}: there are {', '.join(PROVIDERS)}"
                f"{nearest(name, PROVIDERS)}; nothing was sent"
            )
    for region in settings.regions.value:
        _check_region(settings.regions.origin, region)
    return settings


def text(flag: str, value: str | None, environ: Mapping[str, str]) -> Choice[str | None]:
    """One text setting: the flag, else its `RUNCANCEL_…` variable, else None."""
    if value is not None:
        return Choice(plain(flag, value), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(plain(name, environ[name]), name)
    return Choice(None, "default")


def switch(flag: str, given: bool | None, environ: Mapping[str, str]) -> bool:
    """One on-off setting. Raises `UsageError` for a variable that is neither on nor off."""
    if given:
        return True
    name = variable(flag)
    value = environ.get(name, "").strip().lower()
    if value in _YES | _NO:
        return value in _YES
    raise UsageError(f"{name} is “{value}”: give 1 or 0")


def duration(flag: str, value: str) -> float:
    """Seconds out of `90`, `90s`, `1.5m`, `2h`. Raises `UsageError`."""
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise UsageError(f"{flag} “{value}” is no duration: give seconds or a unit, as in 90, 90s, 2m, 1h")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def plain(origin: str, value: str) -> str:
    """A value as given. Raises `UsageError` for an empty one (an unset variable) or one that looks like an option."""
    if not value:
        raise UsageError(f"{origin} has an empty value: an unset variable? Nothing was sent")
    if not value.isprintable():
        raise UsageError(f"{origin} has a value with characters that do not show; nothing was sent")
    if value.startswith("-"):
        raise UsageError(f"{origin} has the value “{value}”, which looks like an option; nothing was sent")
    return value


def plain_file(flag: str, value: str) -> str:
    """A file's name as given, or `-` for standard streams. Raises `UsageError` as `plain` does."""
    return value if value == "-" else plain(flag, value)


def variable(flag: str) -> str:
    """The variable that stands for a flag: `--no-input` is `RUNCANCEL_NO_INPUT`."""
    return "RUNCANCEL_" + flag.lstrip("-").replace("-", "_").upper()


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
            f"no region is known for “{reference.text}”; nothing was sent",
            hint=f"give one: -r REGION, or the full form {name}:REGION:{reference.id}",
        )
    return scopes


class Place(Struct, frozen=True, kw_only=True):
    """Where to look for runs without a reference: one account of one provider, and its regions.

    `everywhere` is true when all regions were asked for: `regions` is then what the dated table knows.
    """

    provider: str
    context: str | None
    regions: tuple[str, ...]
    everywhere: bool = False


def places(settings: Settings) -> tuple[Place, ...]:
    """The accounts that take part when no reference says so.

    Contexts that are selected; else every selected provider; else each whose variables or profile files exist.
    Raises `UsageError` when nothing is configured, or a provider that was named has no region.
    """
    names = settings.providers.value
    pairs: list[tuple[str, str | None]]
    if settings.contexts.value:
        config = settings.config.contexts
        pairs = [(config[name].provider, name) for name in settings.contexts.value]
        pairs = [(name, context) for name, context in pairs if not names or name in names]
    else:
        chosen = names or tuple(name for name in PROVIDERS if provider(name).configured(settings.environ))
        pairs = [(name, settings.profile.value) for name in chosen]
    if not pairs:
        raise UsageError(
            "no cloud is configured: no credentials in the environment, no profile files; nothing was sent",
            hint="name one: -p aws, or see docs/connecting.md",
        )
    found = tuple(_place(settings, name, context) for name, context in pairs)
    if not any(place.regions for place in found):
        raise UsageError(
            f"no region is known for {' and '.join(place.provider for place in found)}; nothing was sent",
            hint="give one: -r REGION, or -r all",
        )
    return tuple(place for place in found if place.regions)


def unknown_regions(settings: Settings) -> tuple[str, ...]:
    """Regions of `-r` that no table knows: they go to the only provider selected, and somebody should hear of it."""
    if len(settings.providers.value) != 1:
        return ()
    known = {region for name in PROVIDERS for region in provider(name).REGIONS} | {"all"}
    return tuple(word for word in settings.regions.value if ":" not in word and word not in known)


def home_region(settings: Settings, place: Place) -> str:
    """A region of a place where its account certainly answers: the vendor's own setting, else the first it has."""
    configured = settings.config.contexts.get(place.context or "")
    profile = configured.profile if configured else place.context
    found = provider(place.provider).default_region(settings.environ, profile)
    return place.regions[0] if found is None else found[0]


def origins(settings: Settings, reference: Reference) -> tuple[str, ...]:
    """For `-v`: one line per scope that says where its region and its credentials are taken from."""
    return tuple(
        f"{scope}: region from {_region_origin(settings, reference, scope)}, "
        f"credentials from {_credentials_origin(settings, scope)}"
        for scope in scopes_of(settings, reference)
    )


def shown(settings: Settings, name: str, context: str | None) -> tuple[SettingRow, ...]:
    """Every value that decides where one provider is reached under a context (None: the bare environment)."""
    environ, config = settings.environ, settings.config
    configured = config.contexts.get(context or "")
    chosen = configured or Context(provider=name, profile=context)
    here = "context" if configured else "profile"
    prefix = variable(name)
    found = provider(name).default_region(environ, chosen.profile)
    rows = {
        "profile": _first((chosen.profile, here)),
        "regions": _first(
            (",".join(settings.regions.value), settings.regions.origin),
            (",".join(chosen.regions), here),
            (found or (None, "")),
        ),
        "endpoint_url": _first(
            (chosen.endpoint_url, here),
            *((environ.get(key), key) for key in endpoint_variables(name)),
        ),
        "site": _first((chosen.site, here), (environ.get(f"{prefix}_SITE"), f"{prefix}_SITE")),
        "protected": ("true", here) if chosen.protected else ("false", "default"),
    }
    return tuple(
        SettingRow(context=context, provider=name, key=key, value=_without_user(value), origin=origin)
        for key, (value, origin) in rows.items()
    )


def _without_user(value: str | None) -> str | None:
    """A URL as it may be shown: one with a user in it is refused when it is used, and its password is nobody's."""
    return None if value is None else _USER.sub("//…@", value)


def _first(*choices: tuple[str | None, str]) -> tuple[str | None, str]:
    return next(((value, origin) for value, origin in choices if value), (None, "default"))


def endpoint_variables(name: str) -> tuple[str, ...]:
    """The variables that lead a provider's API elsewhere: the vendor's own, the stronger first, then ours."""
    return (*provider(name).ENDPOINT_VARIABLES, f"{variable(name)}_ENDPOINT_URL")


def connection(settings: Settings, scope: Scope) -> Connection:
    """How to reach a scope: profile, endpoints and site as the context, variables and the vendor's own files say."""
    environ = settings.environ
    prefix = variable(scope.provider)
    context = settings.config.contexts.get(scope.context or "")
    if context is not None and context.provider != scope.provider:
        raise UsageError(f"the context {scope.context} is one of {context.provider}, not of {scope.provider}")
    chosen = context or Context(provider=scope.provider, profile=scope.context)
    site = chosen.site or environ.get(f"{prefix}_SITE") or None
    if site is not None and site not in SITES:
        raise UsageError(f"{prefix}_SITE is “{site}”: there are {' and '.join(SITES)}")
    return Connection(
        scope=scope,
        profile=chosen.profile,
        endpoint_url=chosen.endpoint_url or environ.get(f"{prefix}_ENDPOINT_URL") or None,
        sts_endpoint_url=chosen.sts_endpoint_url or environ.get(f"{prefix}_STS_ENDPOINT_URL") or None,
        site=site,
    )


def protected(settings: Settings, scope: Scope) -> str | None:
    """The name of a protected context whose account and region a scope is in, however it was reached.

    A context protects its profile: reached by the profile's own name, as another context of the same profile, or as
    the bare environment that means the same profile, it is the same place.
    """
    contexts = settings.config.contexts
    return next((name for name in contexts_at(settings, scope) if contexts[name].protected), None)


def contexts_at(settings: Settings, scope: Scope) -> tuple[str, ...]:
    """The names of every context whose profile and regions a scope is in, however it was reached."""
    here = profile_at(settings, scope)
    return tuple(
        name
        for name, context in settings.config.contexts.items()
        if context.provider == scope.provider
        and (not context.regions or {"all", scope.region} & set(context.regions))
        and (name == scope.context or (context.profile or _ambient(settings, scope.provider)) == here)
    )


def profile_at(settings: Settings, scope: Scope) -> str:
    """The vendor's profile behind a scope: named, or taken from the vendor's own variable, or "default"."""
    configured = settings.config.contexts.get(scope.context or "")
    named = configured.profile if configured else scope.context
    return named or _ambient(settings, scope.provider)


def _ambient(settings: Settings, name: str) -> str:
    variables = provider(name).PROFILE_VARIABLES
    return next((settings.environ[key] for key in variables if settings.environ.get(key)), "default")


def _several(flag: str, values: Iterable[str], environ: Mapping[str, str]) -> Choice[tuple[str, ...]]:
    given = tuple(values)
    if given:
        return Choice(_split(flag, given), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(_split(name, (environ[name],)), name)
    return Choice((), "default")


def _check_region(origin: str, word: str) -> None:
    name, colon, region = word.rpartition(":")
    if colon and name not in PROVIDERS:
        raise UsageError(
            f"no provider “{name}” in {origin} “{word}”: there are {', '.join(PROVIDERS)}{nearest(name, PROVIDERS)}; "
            "nothing was sent"
        )
    if region != "all" and not REGION.fullmatch(region):
        raise UsageError(f"{origin} “{word}” {NOT_A_REGION}; nothing was sent")


def _split(origin: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(origin, part.strip()) for value in values for part in value.split(",")))


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
        return _regions(settings, name, context)
    if settings.regions.typed and reference.region not in _chosen_regions(settings, name):
        raise _excluded(reference, f"-r {','.join(settings.regions.value)}")
    return (reference.region,)


def _regions(settings: Settings, name: str, context: str | None) -> tuple[str, ...]:
    """Regions without a reference: `-r` or its variable, then the context, then the vendor's own settings."""
    if settings.regions.value:
        return _chosen_regions(settings, name)
    configured = settings.config.contexts.get(context or "")
    if configured is not None and configured.regions:
        return provider_regions(name) if "all" in configured.regions else configured.regions
    found = provider(name).default_region(settings.environ, configured.profile if configured else context)
    return () if found is None else (found[0],)


def provider_regions(name: str) -> tuple[str, ...]:
    """The regions that the dated table knows of one provider."""
    return tuple(sorted(provider(name).REGIONS))


def typed_regions(settings: Settings, name: str) -> tuple[str, ...]:
    """The regions of one provider in a `-r` of this command line; none where nobody typed one, or typed `all`."""
    words = settings.regions.value if settings.regions.typed else ()
    return () if {"all", f"{name}:all"} & set(words) else _chosen_regions(settings, name) if words else ()


def _place(settings: Settings, name: str, context: str | None) -> Place:
    configured = settings.config.contexts.get(context or "")
    asked = settings.regions.value or (configured.regions if configured else ())
    return Place(provider=name, context=context, regions=_regions(settings, name, context), everywhere="all" in asked)


def _chosen_regions(settings: Settings, name: str) -> tuple[str, ...]:
    parts = (_owned(region, name, settings) for region in settings.regions.value)
    return tuple(dict.fromkeys(region for part in parts for region in part))


def _credentials_origin(settings: Settings, scope: Scope) -> str:
    if scope.context is None:
        return "the vendor's own variables and files"
    return f"{'context' if scope.context in settings.config.contexts else 'profile'} {scope.context}"


def _region_origin(settings: Settings, reference: Reference, scope: Scope) -> str:
    return "the reference" if reference.region is not None else region_origin(settings, scope)


def region_origin(settings: Settings, scope: Scope) -> str:
    """Where the region of a scope was found that no reference named: flag, variable, context, the vendor's own."""
    if any(scope.region in _owned(region, scope.provider, settings) for region in settings.regions.value):
        return settings.regions.origin
    configured = settings.config.contexts.get(scope.context or "")
    if configured is not None and configured.regions:
        return f"context {scope.context}"
    found = provider(scope.provider).default_region(
        settings.environ, configured.profile if configured else scope.context
    )
    return "nowhere" if found is None else found[1]


def _owned(region: str, name: str, settings: Settings) -> tuple[str, ...]:
    """What one word of `-r` means for one provider: its own regions only; a name nobody knows goes to all selected."""
    exact, colon, rest = region.rpartition(":")
    if colon and exact != name:
        return ()
    if rest == "all":
        return provider_regions(name)
    if colon:
        return (rest,)
    if region in provider(name).REGIONS:
        return (region,)
    if any(region in provider(other).REGIONS for other in PROVIDERS):
        return ()
    if settings.providers.value == (name,):
        return (region,)
    raise UsageError(
        f"no provider is known to have the region “{region}”; nothing was sent",
        hint=f"if it is new, say whose it is: -r {name}:{region}",
    )


def _excluded(reference: Reference, flag: str) -> UsageError:
    return UsageError(f"{flag} excludes “{reference.text}”: a reference says where it is; nothing was sent")
