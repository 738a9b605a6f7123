"""Which proxy a request goes through: one answer for every cloud, for `doctor` and for `contexts show`."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from runcancel.environment import Choice

_METADATA_NAMES = frozenset({"metadata.tencentyun.com"})
_METADATA = (
    ip_network("169.254.0.0/16"),
    ip_network("fe80::/10"),
    ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ip_network("fd00:ec2::/32"),  # AWS
)


def is_loopback(host: str) -> bool:
    """Whether a host name or an address means this machine."""
    address = _address(host)
    return address.is_loopback if address else host.lower().rstrip(".") == "localhost"


def is_metadata(host: str) -> bool:
    """Whether a host is a metadata service or another link-local address, which no proxy can reach."""
    address = _address(host)
    if address is None:
        return host.lower().rstrip(".") in _METADATA_NAMES
    return any(address in network for network in _METADATA if network.version == address.version)


def proxy_of(scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for a host; see `proxy_in_use`."""
    return proxy_in_use(scheme, host, environ).value


def proxy_in_use(scheme: str, host: str, environ: Mapping[str, str]) -> Choice[str | None]:
    """The proxy for a host (with its port, where it has one) and the variable that decides; None for a direct way.

    Loopback and link-local addresses are reached directly whatever the environment sets.
    """
    name = _name(host)
    proxies = _proxies(environ)
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None or is_loopback(name) or is_metadata(name):
        return Choice(None, "default")
    past = proxies.get("no")
    if past is not None and (_is_bypassed(host, past.value) or _is_bypassed(name, past.value)):
        return Choice(None, past.origin)
    return Choice(proxy.value, proxy.origin)


def without_user(proxy: str | None) -> str | None:
    """A proxy that can be printed: the part before its host may be a password."""
    if proxy is None:
        return None
    scheme, _, rest = proxy.rpartition("://")
    host = re.split(r"[/?#]", rest.rpartition("@")[2])[0]
    return f"{scheme or 'http'}://{'…@' if '@' in rest else ''}{host}"


def proxy_answer(status: int | None) -> tuple[str, str | None]:
    """The refusal of a proxy in our words, with a hint; None: it did not answer. Its own words are not printed."""
    if status is None:
        return "the proxy does not reply", "check HTTPS_PROXY and NO_PROXY"
    if status == 407:
        return "the proxy requires a name and a password (407)", "set HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
    return f"the proxy refuses ({status})", "check HTTPS_PROXY and NO_PROXY"


def _proxies(environ: Mapping[str, str]) -> dict[str, Choice[str]]:
    """Scheme to proxy, `all` and `no` among them, by the rules of `urllib.request.getproxies_environment`.

    Small letters win, also when they are empty: an empty `https_proxy` takes HTTPS_PROXY away.
    """
    proxies: dict[str, Choice[str]] = {}
    for name in sorted((name for name in environ if name.lower().endswith("_proxy")), key=str.islower):
        scheme, value = name.lower().removesuffix("_proxy"), environ.get(name, "").strip()
        if scheme == "http" and name != "http_proxy" and "REQUEST_METHOD" in environ:
            continue
        if value:
            proxies[scheme] = Choice(value, name)
        elif name.islower():
            proxies.pop(scheme, None)
    return proxies


def _is_bypassed(host: str, past: str) -> bool:
    import urllib.request  # its rules for NO_PROXY are those of Python's other programs

    bypassed: bool = vars(urllib.request)["proxy_bypass_environment"](host, {"no": past})  # typeshed lacks it
    return bypassed


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is; an IPv4 address written as IPv6 is the former."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _name(host: str) -> str:
    """The host without its port and without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]
