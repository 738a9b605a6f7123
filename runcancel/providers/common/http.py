"""HTTP for every cloud and every source of credentials, and what a broken connection proves."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from email.utils import parsedate_to_datetime
from re import Pattern
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.authorities import CA_VARIABLES, Authorities
from runcancel.providers.common.proxies import is_loopback, is_metadata, proxy_of, without_user
from runcancel.redaction import redact_reply, redact_sent, secrets_in

if TYPE_CHECKING:
    from runcancel.providers.common.connections import Proxy, Way
    from runcancel.providers.common.exchange import Headers

_IDEMPOTENT = ("GET", "PUT")
"""Methods whose requests may be repeated, whatever they are for."""


def _unusable(message: str) -> CloudError:
    return CloudError(Reason.NOT_CONFIGURED, message)


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a service answers: scheme and host, the port in the host where it is not the scheme's own."""

    scheme: str
    host: str
    loopback: bool

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """Read a URL or a bare host name. Raises `NOT_CONFIGURED` for plain http beyond loopback, a path or a user."""
        try:
            parts = urlsplit(url if "://" in url else f"https://{url}")
            loopback = is_loopback(parts.hostname or "")
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise _unusable("an endpoint URL cannot be read; nothing was sent") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise _unusable("an endpoint URL is https://host[:port]; nothing was sent")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise _unusable("an endpoint URL cannot have a user, query or fragment; nothing was sent")
        if parts.scheme == "http" and not loopback:
            raise _unusable(f"plain http only to loopback, not to {parts.hostname}; nothing was sent")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(scheme=parts.scheme, host=f"{host}{port}", loopback=loopback)

    def sibling(self, host: str) -> "Endpoint":
        """Where another service answers: at its own host of the vendor's, and on loopback at the same place."""
        return self if self.loopback else Endpoint.of(host)


def endpoints(connection: Connection, api: str, sts: str) -> tuple[Endpoint, Endpoint]:
    """Where the API and STS of a scope answer: where the connection sets them, else at these hosts of the vendor's.

    An API on loopback has its STS beside it, unless it is set otherwise: nothing leaves for the vendor then.
    """
    first = Endpoint.of(connection.endpoint_url or api)
    own_sts = connection.sts_endpoint_url
    return first, first if first.loopback and not own_sts else Endpoint.of(own_sts or sts)


def believed(sts: Endpoint, api: Endpoint, own: Pattern[str]) -> bool:
    """Whether the identity from STS counts: at a host of the vendor's `own`, or at that of the service itself."""
    return sts.host == api.host or (sts.scheme == "https" and own.fullmatch(sts.host) is not None)


class Reply(Struct, frozen=True, kw_only=True):
    """What came back over HTTP, unjudged. Header names are lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class EndpointHealth:
    """The latest answer of an endpoint, in seconds: how far its clock is ahead of ours, and how long it took."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.skew: float | None = None
        self.took: float | None = None

    def note(self, date: str | None, took: float) -> None:
        """Take in the `Date` header of an answer that has just come. It has whole seconds: half of one is meant."""
        self.took = round(took, 4)
        try:
            server_time = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        ahead = server_time + 0.5 - (self._now() - took / 2)
        self.skew = 0.0 if abs(ahead) <= 1 else round(ahead, 1)


class HttpClient:
    """HTTP requests from one scope or one source of credentials, to any host; safe to share by threads.

    It follows no redirect, reads no `.netrc`, verifies TLS by `Authorities`, chooses a proxy by `proxy_of` (none for
    loopback and link-local addresses), and sends plain http to loopback alone. It bounds the whole answer in time and
    in size, and tells what never arrived (`UNREACHABLE`) from what may have (`LOST`). Timeouts are in seconds.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        connect_timeout: float,
        read_timeout: float,
        bundle: tuple[str, str] | None = None,
        metadata: bool = False,
    ) -> None:
        self._environ = environ
        from runcancel.providers.common.connections import Connections

        self._connections = Connections(connect_timeout=connect_timeout, read_timeout=read_timeout)
        self._authorities = Authorities(environ, bundle)
        self._metadata = metadata
        self._proxies: dict[
            tuple[str, str], str | None
        ] = {}  # by scheme and host: the environment is read once for each
        self._ways: dict[tuple[str, str | None], Way] = {}

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        secrets: tuple[str | None, ...] = (),
        credentials: bool = False,
        again: "Headers | None" = None,
    ) -> Reply:
        """Send one request. Raises `CloudError`: UNREACHABLE when it certainly was not received, else LOST.

        `again` returns the headers with which it may be sent once more, see `exchange`; GET and PUT always may.

        NOT_CONFIGURED for plain http beyond loopback: nothing was sent. The answer holds none of `secrets`, and no
        token of the headers, whatever the server repeats; but for one that is to give `credentials`.
        """
        host = self._checked(url)
        if credentials:
            from runcancel.providers.common import learned

            learned.from_url(url)
            learned.from_request(headers, body)
        from runcancel.providers.common.connections import NoConnection
        from runcancel.providers.common.exchange import exchange, unreachable

        way = self._way(url)
        again = again or ((lambda: headers) if method in _IDEMPOTENT else None)
        try:
            response, content = exchange(self._connections, way, method, url, headers=headers, body=body, again=again)
        except NoConnection as error:
            raise unreachable(host, error, self._authorities) from None
        returned = {name.lower(): value for name, value in response.headers.items()}
        if credentials:
            from runcancel.providers.common import learned

            learned.from_reply(method, content)
            return Reply(status_code=response.status, headers=returned, content=content)
        all_secrets = (*secrets, *secrets_in(headers))
        return Reply(
            status_code=response.status,
            headers={name: redact_sent(value, all_secrets) for name, value in returned.items()},
            content=redact_reply(content, all_secrets),
        )

    def prepare(self, url: str) -> None:
        """Raise what would keep every request from a URL: a bundle or a proxy that cannot be used, plain http."""
        self._checked(url)
        self._way(url)

    def proxy(self, url: str) -> str | None:
        """The proxy through which a URL is reached."""
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc.rpartition("@")[2])
        if key not in self._proxies:
            self._proxies[key] = proxy_of(*key, self._environ)
        return self._proxies[key]

    def _checked(self, url: str) -> str:
        """The permitted host of a URL, with its port."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError:
            raise _unusable("a URL cannot be read; nothing was sent") from None
        if parts.scheme not in ("http", "https") or not host:
            raise _unusable("a URL starts with https:// and a host; nothing was sent")
        if parts.scheme == "http" and not is_loopback(host) and not (self._metadata and is_metadata(host)):
            raise _unusable(f"plain http only to loopback, not to {host}; nothing was sent")
        return parts.netloc.rpartition("@")[2]

    def _way(self, url: str) -> "Way":
        from runcancel.providers.common.connections import Way

        scheme, proxy = urlsplit(url).scheme, self.proxy(url)
        if (scheme, proxy) not in self._ways:
            tls = self._authorities.context() if scheme == "https" else None
            self._ways[scheme, proxy] = Way(tls, None if proxy is None else _proxy(proxy))
        return self._ways[scheme, proxy]


class Transport:
    """HTTP to the one endpoint of a scope; safe to share by threads. See `HttpClient` for the care that it takes."""

    def __init__(self, endpoint: Endpoint, connection: Connection, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.health = EndpointHealth()
        self._base = f"{endpoint.scheme}://{endpoint.host}"
        self._client = shared(environ, connection.connect_timeout, connection.read_timeout)
        self._client.prepare(self._base)
        self.proxy = without_user(self._client.proxy(self._base))

    def post(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        secrets: tuple[str | None, ...] = (),
        credentials: bool = False,
        again: "Headers | None" = None,
    ) -> Reply:
        """Send one request; see `HttpClient.send`. `credentials`: it requests credentials."""
        began = time.monotonic()
        url = f"{self._base}{path}"
        reply = self._client.send(
            "POST", url, headers=headers, body=body, secrets=secrets, credentials=credentials, again=again
        )
        self.health.note(reply.headers.get("date"), time.monotonic() - began)
        return reply

    def checkup(self, *, credentials: str | None, key: str | None) -> Checkup:
        """What is known of this endpoint so far. `key` is the whole id; its last four characters are kept."""
        return Checkup(
            credentials=credentials,
            key=key[-4:] if key else None,
            endpoint=self._base,
            proxy=self.proxy,
            clock_skew=self.health.skew,
            latency=self.health.took,
        )


_CLIENTS: dict[Hashable, HttpClient] = {}
_LOCK = threading.Lock()


def shared(
    environ: Mapping[str, str], connect_timeout: float, read_timeout: float, *, bundle: tuple[str, str] | None = None
) -> HttpClient:
    """The client of every scope that reaches the network in the same way: accounts share the connections to a host."""
    names = (*CA_VARIABLES, "REQUEST_METHOD")
    ways = {name: value for name, value in environ.items() if name in names or name.lower().endswith("_proxy")}
    new = HttpClient(ways, connect_timeout=connect_timeout, read_timeout=read_timeout, bundle=bundle)
    with _LOCK:
        return _CLIENTS.setdefault((connect_timeout, read_timeout, bundle, frozenset(ways.items())), new)


def _proxy(url: str) -> "Proxy":
    from runcancel.providers.common import learned
    from runcancel.providers.common.connections import Proxy

    learned.from_url(url if "://" in url else f"http://{url}")
    try:
        return Proxy.of(url)
    except ValueError:
        raise _unusable("the proxy in the environment is not an http:// or https:// URL") from None
