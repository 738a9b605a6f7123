"""Flag > variable > vendor's own setting > default: every value that decides where to connect, with its origin."""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from runcancel.errors import UsageError
from runcancel.model import Scope
from runcancel.providers import PROVIDERS, Connection, provider
from runcancel.refs import Reference, nearest

T = TypeVar("T")

SITES = ("tencentcloudapi.com", "intl.tencentcloudapi.com")
DEFAULT_TIMEOUT = 60.0  # seconds
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

    providers: Choice[tuple[str, ...]]
    profile: Choice[str | None]
    regions: Choice[tuple[str, ...]]
    environ: Mapping[str, str]


def gather(
    *,
    providers: Iterable[str],
    profile: str | None,
    regions: Iterable[str],
    environ: Mapping[str, str],
) -> Settings:
    """Put flags before variables. Raises `UsageError` for an empty value, an unknown provider or a wrong region."""
    settings = Settings(
        providers=_several("--provider", providers, environ),
        profile=text("--profile", profile, environ),
        regions=_several("--region", regions, environ),
        environ=environ,
    )
    for name in settings.providers.value:
        if name not in PROVIDERS:
            raise UsageError(
                f"no provider “{name}” in {settings.providers.origin}: there are {', '.join(PROVIDERS)}"
                f"{nearest(name, PROVIDERS)}; nothing was sent"
            )
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
    """Where a reference may be found: its own words win, then flags, then the vendor's own region settings.

    Raises `UsageError` when a flag excludes the reference or no region is known.
    """
    names = _narrow_providers(settings, reference)
    context = reference.context or settings.profile.value
    if settings.profile.typed and reference.context not in (None, settings.profile.value):
        raise _excluded(reference, f"--profile {settings.profile.value}")
    scopes = tuple(
        Scope(provider=name, region=region, context=context)
        for name in names
        for region in _regions_of(settings, reference, name, context)
    )
    if not scopes:
        raise UsageError(
            f"no region is known for “{reference.text}”; nothing was sent",
            hint=f"give one: -r REGION, or the full form {names[0]}:REGION:{reference.id}",
        )
    return scopes


def origins(settings: Settings, reference: Reference) -> tuple[str, ...]:
    """For `-v`: one line per scope that says where its region and its credentials are taken from."""
    return tuple(
        f"{scope}: region from {_region_origin(settings, reference, scope)}, "
        f"credentials from {'the environment' if scope.context is None else f'profile {scope.context}'}"
        for scope in scopes_of(settings, reference)
    )


def connection(settings: Settings, scope: Scope) -> Connection:
    """How to reach a scope: profile, endpoints and site as flags, variables and the vendor's own files say."""
    environ = settings.environ
    prefix = variable(scope.provider)
    site = environ.get(f"{prefix}_SITE") or None
    if site is not None and site not in SITES:
        raise UsageError(f"{prefix}_SITE is “{site}”: there are {' and '.join(SITES)}")
    return Connection(
        scope=scope,
        profile=scope.context,
        endpoint_url=environ.get(f"{prefix}_ENDPOINT_URL") or None,
        sts_endpoint_url=environ.get(f"{prefix}_STS_ENDPOINT_URL") or None,
        site=site,
    )


def _several(flag: str, values: Iterable[str], environ: Mapping[str, str]) -> Choice[tuple[str, ...]]:
    given = tuple(values)
    if given:
        return Choice(_split(flag, given), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(_split(name, (environ[name],)), name)
    return Choice((), "default")


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


def _regions_of(settings: Settings, reference: Reference, name: str, context: str | None) -> tuple[str, ...]:
    chosen = tuple(_owned(region, name, settings) for region in settings.regions.value)
    regions = tuple(region for part in chosen for region in part)
    if reference.region is not None:
        if settings.regions.typed and reference.region not in regions:
            raise _excluded(reference, f"-r {','.join(settings.regions.value)}")
        return (reference.region,)
    if regions:
        return regions
    found = provider(name).default_region(settings.environ, context)
    return () if found is None else (found[0],)


def _region_origin(settings: Settings, reference: Reference, scope: Scope) -> str:
    if reference.region is not None:
        return "the reference"
    if any(scope.region in _owned(region, scope.provider, settings) for region in settings.regions.value):
        return settings.regions.origin
    found = provider(scope.provider).default_region(settings.environ, scope.context)
    return "nowhere" if found is None else found[1]


def _owned(region: str, name: str, settings: Settings) -> tuple[str, ...]:
    """What one word of `-r` means for one provider: its own regions only; a name nobody knows goes to all selected."""
    exact, colon, rest = region.partition(":")
    if colon:
        return (rest,) if exact == name else ()
    known = provider(name).REGIONS
    if region == "all":
        return tuple(sorted(known))
    if region in known:
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
