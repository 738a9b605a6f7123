"""HTTP to one endpoint, and what a broken connection proves: for vendors whose SDK's own transport is not used."""

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.providers import Checkup, Connection
from runcancel.providers.reading import number
from runcancel.vocabulary import Reason

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a service answers: scheme and host, the port in the host where it is not the scheme's own."""

    scheme: str
    host: str
    loopback: bool

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """Read a URL or a bare host name. Raises `Reason.USAGE` for plain http beyond loopback, a path or a user."""
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            loopback = _is_loopback(parts.hostname or "")
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise CloudError(Reason.USAGE, "an endpoint URL cannot be read; nothing was sent") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise CloudError(Reason.USAGE, "an endpoint URL is https://host[:port]; nothing was sent")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise CloudError(Reason.USAGE, "an endpoint URL holds no user, query or fragment; nothing was sent")
        if parts.scheme == "http" and not loopback:
            raise CloudError(Reason.USAGE, f"plain http only to loopback, not to {parts.hostname}; nothing was sent")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(scheme=parts.scheme, host=f"{host}{port}", loopback=loopback)


def endpoints(connection: Connection, api: str, sts: str) -> tuple[Endpoint, Endpoint]:
    """Where the API and STS of a scope answer: where the connection says, else at these hosts of the vendor's.

    An API on loopback has its STS beside it, unless something else is said: nothing leaves for the vendor then.
    """
    first = Endpoint.of(connection.endpoint_url or api)
    chosen = connection.sts_endpoint_url
    return first, first if first.loopback and not chosen else Endpoint.of(chosen or sts)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Reply(Struct, frozen=True, kw_only=True):
    """What came back over HTTP, unjudged. Header names are lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class Heard:
    """The latest answer of an endpoint, in seconds: how far its clock is ahead of ours, and how long it took."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.skew: float | None = None
        self.took: float | None = None

    def note(self, date: str | None, took: float) -> None:
        """Take in the `Date` header of an answer that has just come. It has whole seconds: half of one is meant."""
        self.took = round(took, 4)
        try:
            said = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        ahead = said + 0.5 - (self._now() - took / 2)
        self.skew = 0.0 if abs(ahead) <= 1 else round(ahead, 1)


class Transport:
    """HTTP to one endpoint for vendors whose SDK's own transport cannot be trusted with it; safe to share by threads.

    It follows no redirect, reads no `.netrc`, honours NO_PROXY and the usual CA variables, never uses a proxy for
    loopback, bounds the whole answer in time and tells what never arrived (`UNREACHABLE`) from what may have (`LOST`).
    """

    def __init__(self, endpoint: Endpoint, connection: Connection, environ: Mapping[str, str]) -> None:
        import urllib3

        self.endpoint = endpoint
        self.heard = Heard()
        self._read_timeout = connection.read_timeout
        options: dict[str, Any] = {
            "maxsize": 64,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connection.connect_timeout, read=connection.read_timeout),
            **_authorities(endpoint, environ),
        }
        proxy = proxy_for(endpoint, environ)
        self.proxy = without_user(proxy)
        self._pool = urllib3.PoolManager(**options) if proxy is None else _proxied(proxy, options)

    def post(self, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send one request. Raises `CloudError`: UNREACHABLE when it certainly was not received, else LOST."""
        from urllib3.exceptions import HTTPError

        began = time.monotonic()
        url = f"{self.endpoint.scheme}://{self.endpoint.host}{path}"
        try:
            response = self._pool.request(
                "POST", url, body=body, headers=dict(headers), redirect=False, preload_content=False
            )
        except HTTPError as error:
            raise self._unanswered(error) from None
        try:
            content = self._read(response)
        except HTTPError as error:
            raise CloudError(Reason.LOST, f"{self.endpoint.host} broke off: {type(error).__name__}") from None
        self.heard.note(response.headers.get("date"), time.monotonic() - began)
        return Reply(
            status_code=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=content,
        )

    def checkup(self, *, credentials: str | None, key: str | None) -> Checkup:
        """What is known of this endpoint so far. `key` is the whole id; its last four characters are told."""
        return Checkup(
            credentials=credentials,
            key=key[-4:] if key else None,
            endpoint=f"{self.endpoint.scheme}://{self.endpoint.host}",
            proxy=self.proxy,
            clock_skew=self.heard.skew,
            latency=self.heard.took,
        )

    def _read(self, response: Any) -> bytes:
        """The whole body, in at most the read timeout: a server that drips must not hold us."""
        deadline = time.monotonic() + self._read_timeout
        parts: list[bytes] = []
        while part := response.read1(1 << 16):
            parts.append(part)
            if time.monotonic() > deadline:
                response.close()
                raise CloudError(Reason.LOST, f"{self.endpoint.host} did not finish answering in time")
        response.release_conn()
        content = b"".join(parts)
        promised = number(response.headers.get("content-length"))
        if promised is not None and promised > len(content) and not response.headers.get("content-encoding"):
            raise CloudError(Reason.LOST, f"{self.endpoint.host} broke off in the middle of its answer")
        return content

    def _unanswered(self, error: Exception) -> CloudError:
        from urllib3 import exceptions as broken

        unsent = (broken.NewConnectionError, broken.ConnectTimeoutError, broken.ProxyError, broken.LocationValueError)
        host = self.endpoint.host
        if isinstance(error, broken.NameResolutionError):
            return CloudError(Reason.UNREACHABLE, f"there is no host {host}", hint="Is the region spelled right?")
        if isinstance(error, broken.SSLError) and "CERTIFICATE" in str(error).upper():
            return CloudError(Reason.UNREACHABLE, f"the certificate of {host} is not trusted")
        if isinstance(error, broken.ProxyError):
            told, hint = proxy_said(error)
            return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {told}", hint=hint)
        if isinstance(error, unsent):
            return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {type(error).__name__}")
        return CloudError(Reason.LOST, f"no answer from {host}: {type(error).__name__}")


def proxy_said(error: object) -> tuple[str, str | None]:
    """What a proxy that lets nobody through answered, in our words, and what may help. Its own words are not shown."""
    status = re.search(r"Tunnel connection failed: ([0-9]{3})", str(error))
    if status is None:
        return "the proxy does not answer", "check HTTPS_PROXY and NO_PROXY"
    if status[1] == "407":
        return "the proxy wants a name and a password (407)", "give them: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
    return f"the proxy refuses ({status[1]})", "check HTTPS_PROXY and NO_PROXY"


def proxy_for(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for this endpoint, None on loopback and where NO_PROXY covers it."""
    if endpoint.loopback or any(
        _covers(entry, endpoint.host) for entry in (_either(environ, "no_proxy") or "").split(",")
    ):
        return None
    return _either(environ, f"{endpoint.scheme}_proxy") or _either(environ, "all_proxy")


def without_user(proxy: str | None) -> str | None:
    """A proxy as it can be shown: what stands before its host may be a password."""
    if proxy is None:
        return None
    scheme, _, rest = proxy.rpartition("://")
    return f"{scheme or 'http'}://{'…@' if '@' in rest else ''}{rest.rpartition('@')[2]}"


def _covers(entry: str, host: str) -> bool:
    """Whether one entry of NO_PROXY (`*`, a domain with or without its leading dot, with or without a port) fits."""
    entry = entry.strip().lower().lstrip(".")
    names = (host.lower(), host.lower().rpartition(":")[0])
    return entry == "*" or (bool(entry) and any(name == entry or name.endswith(f".{entry}") for name in names))


def _either(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name) or environ.get(name.upper()) or None


def _proxied(proxy: str, options: Mapping[str, Any]) -> Any:
    import urllib3

    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(address)
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            address, proxy_headers=urllib3.make_headers(proxy_basic_auth=user) if user else None, **options
        )
    except (ValueError, urllib3.exceptions.HTTPError):
        raise CloudError(Reason.USAGE, "the proxy in the environment is not an http:// or https:// URL") from None


def _authorities(endpoint: Endpoint, environ: Mapping[str, str]) -> dict[str, str]:
    """Whose certificates are trusted: the file or folder that a variable names, else certifi's."""
    from pathlib import Path

    if endpoint.scheme == "http":
        return {}
    for variable in _CA_VARIABLES:
        if value := environ.get(variable):
            path = Path(value)
            if not path.exists():
                raise CloudError(Reason.USAGE, f"{variable} names {value}, which does not exist")
            return {"ca_cert_dir": value} if path.is_dir() else {"ca_certs": value}
    import certifi

    return {"ca_certs": certifi.where()}
