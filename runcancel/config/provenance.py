"""Where each value that decides about a connection was found: for `-v`, `contexts show` and `doctor`."""

import re
from urllib.parse import urlsplit

from runcancel.config.file import Context
from runcancel.config.references import Reference
from runcancel.config.settings import Settings, connection_role, owned_regions, regions_of, scopes_of, vendor_settings
from runcancel.environment import Choice, variable
from runcancel.errors import UsageError
from runcancel.model.reports import SettingRow
from runcancel.model.runs import Scope
from runcancel.providers import provider
from runcancel.providers.common.proxies import proxy_in_use, without_user

_USER = re.compile(r"//[^/]*@")


def origins(settings: Settings, reference: Reference) -> tuple[str, ...]:
    """For `-v`: one line per scope with the sources of its region and its credentials."""
    return tuple(
        f"{scope}: region from {_region_origin(settings, reference, scope)}, "
        f"credentials from {_credentials_origin(settings, scope)}"
        for scope in scopes_of(settings, reference)
    )


def shown(settings: Settings, name: str, context: str | None) -> tuple[SettingRow, ...]:
    """Every value that decides where one provider is reached under a context (None: the bare environment)."""
    environ, config = settings.environ, settings.config
    configured = config.contexts.get(context or "")
    shown_context = configured or Context(provider=name, profile=context)
    here = "context" if configured else "profile"
    own_endpoint, own_site = f"{variable(name)}_ENDPOINT_URL", f"{variable(name)}_SITE"
    vendor = vendor_settings(settings, name, context)
    role = connection_role(shown_context)
    account_row = (role.account, "role_arn") if role else _pair(vendor.account)
    account = _first((shown_context.account, here), account_row)
    endpoint = _first(
        (shown_context.endpoint_url, here),
        (environ.get(own_endpoint), own_endpoint),
        _pair(vendor.endpoint_url),
    )
    site = _first((shown_context.site, here), (environ.get(own_site), own_site))
    rows = {
        "profile": (vendor.profile.value, here) if shown_context.vendor_profile else _pair(vendor.profile),
        **_of_role(shown_context, here),
        **({"account": account} if account[0] else {}),
        "regions": _first(
            (",".join(settings.regions.value), settings.regions.origin),
            (",".join(shown_context.regions), here),
            _pair(vendor.region),
        ),
        "endpoint_url": endpoint,
        "proxy": _proxy(settings, endpoint[0] or _host(settings, name, context, site[0])),
        **({"site": site} if provider(name).sites else {}),
        **({"problem": (vendor.error.message, vendor.profile.origin)} if vendor.error else {}),
        "protected": ("true", here) if shown_context.protected else ("false", "default"),
    }
    return tuple(
        SettingRow(context=context, provider=name, key=key, value=_without_user(value), origin=origin)
        for key, (value, origin) in rows.items()
    )


def _of_role(context: Context, here: str) -> dict[str, tuple[str | None, str]]:
    """The role that a context assumes; the profile in use is then the one that assumes it."""
    words = ("role_arn", "external_id")
    rows: dict[str, tuple[str | None, str]] = {word: (getattr(context, word), here) for word in words}
    chain = {"role_chain": (" ".join(context.role_chain), here)} if context.role_chain else {}
    role = connection_role(context)
    session = {"role_session_name": (role.session, "user")} if role else {}
    return {key: pair for key, pair in {**chain, **rows, **session}.items() if pair[0]}


def region_origin(settings: Settings, scope: Scope) -> str:
    """Where the region of a scope was found that no reference named: flag, variable, context, the vendor's own."""
    if any(scope.region in owned_regions(region, scope.provider, settings) for region in settings.regions.value):
        return settings.regions.origin
    configured = settings.config.contexts.get(scope.context or "")
    if configured is not None and configured.regions:
        return f"context {scope.context}"
    vendor_region = vendor_settings(settings, scope.provider, scope.context).region
    return "nowhere" if vendor_region is None else vendor_region.origin


def _host(settings: Settings, name: str, context: str | None, site: str | None) -> str | None:
    """Where the vendor answers in the first region; None where no region is known."""
    try:
        regions = regions_of(settings, name, context)
    except UsageError:
        return None
    return provider(name).host(regions[0], site) if regions else None


def _proxy(settings: Settings, endpoint: str | None) -> tuple[str | None, str]:
    """The proxy on the way to an endpoint, and the variable that decides."""
    if endpoint is None:
        return None, "default"
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    proxy = proxy_in_use(parts.scheme, parts.netloc.rpartition("@")[2], settings.environ)
    return without_user(proxy.value), proxy.origin


def _region_origin(settings: Settings, reference: Reference, scope: Scope) -> str:
    return "the reference" if reference.region is not None else region_origin(settings, scope)


def _credentials_origin(settings: Settings, scope: Scope) -> str:
    if scope.context is None:
        return "the vendor's variables and files"
    return f"{'context' if scope.context in settings.config.contexts else 'profile'} {scope.context}"


def _without_user(value: str | None) -> str | None:
    """A URL as it may be shown: one with a user in it is refused when it is used, and its password is nobody's."""
    return None if value is None else _USER.sub("//…@", value)


def _pair(choice: Choice[str] | None) -> tuple[str | None, str]:
    return (None, "default") if choice is None else (choice.value, choice.origin)


def _first(*choices: tuple[str | None, str]) -> tuple[str | None, str]:
    return next(((value, origin) for value, origin in choices if value), (None, "default"))
