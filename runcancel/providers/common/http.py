"""HTTP for every cloud and every source of credentials, and what a broken connection proves."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from email.utils import parsedate_to_datetime
from re import Pattern
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.authorities import CA_VARIABLES, Authorities
from runcancel.providers.common.fields import number
from runcancel.providers.common.proxies import is_loopback, is_metadata, proxy_answer, proxy_of, without_user
from runcancel.redaction import redact_reply, redact_sent, secrets_in


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


_HOSTS = 24
"""Hosts whose connections are kept: the regions of a fleet. With the threads of a provider that bounds open files."""


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
        self._timeouts = (connect_timeout, read_timeout)
        self._authorities = Authorities(environ, bundle)
        self._metadata = metadata
        self._pools: dict[tuple[str, str | None], Any] = {}
        self._proxies: dict[
            tuple[str, str], str | None
        ] = {}  # by scheme and host: the environment is read once for each

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        secrets: tuple[str | None, ...] = (),
        credentials: bool = False,
    ) -> Reply:
        """Send one request. Raises `CloudError`: UNREACHABLE when it certainly was not received, else LOST.

        NOT_CONFIGURED for plain http beyond loopback: nothing was sent. The answer holds none of `secrets`, and no
        token of the headers, whatever the server repeats; but for one that is to give `credentials`.
        """
        from urllib3.exceptions import HTTPError

        from runcancel.providers.common.bounded import TooLarge

        host = self._checked(url)
        if credentials:
            from runcancel.providers.common import learned

            learned.from_url(url)
            learned.from_request(headers, body)
        pool = self._pool(url)
        options = {"redirect": False, "preload_content": False, "decode_content": False}
        try:
            response = pool.request(method, url, body=body, headers=dict(headers), **options)
        except HTTPError as error:
            raise self._unanswered(host, error) from None
        except TooLarge:
            raise CloudError(Reason.LOST, _too_large(host)) from None
        content = _whole(response, host)
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
        self._pool(url)

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

    def _pool(self, url: str) -> Any:
        scheme, proxy = urlsplit(url).scheme, self.proxy(url)
        if (scheme, proxy) not in self._pools:
            self._pools[scheme, proxy] = self._opened(scheme, proxy)
        return self._pools[scheme, proxy]

    def _opened(self, scheme: str, proxy: str | None) -> Any:
        import urllib3

        from runcancel.providers.common.bounded import POOLS

        connect, read = self._timeouts
        options: dict[str, Any] = {
            "num_pools": _HOSTS,
            "maxsize": 64,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connect, read=read),
        }
        if scheme == "https":
            options |= {"ssl_context": self._authorities.context(), "cert_reqs": "CERT_REQUIRED"}
        pool = urllib3.PoolManager(**options) if proxy is None else _proxied(proxy, options)
        pool.pool_classes_by_scheme = POOLS
        return pool

    def _unanswered(self, host: str, error: Exception) -> CloudError:
        from urllib3 import exceptions as broken

        from runcancel.providers.common.causes import cause

        unsent = (broken.NewConnectionError, broken.ConnectTimeoutError, broken.ProxyError, broken.LocationValueError)
        if isinstance(error, broken.NameResolutionError):
            return CloudError(Reason.UNREACHABLE, f"there is no host {host}", hint="Is the region spelled right?")
        if "CERTIFICATE" in str(error).upper() and isinstance(error, broken.SSLError | broken.ProxyError):
            return self._authorities.not_trusted(host, error)
        if isinstance(error, broken.ProxyError):
            message, hint = proxy_answer(error)
            return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {message}", hint=hint)
        if isinstance(error, unsent):
            return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {cause(error)}")
        return CloudError(Reason.LOST, f"no reply from {host}: {cause(error)}")


class Transport:
    """HTTP to the one endpoint of a scope; safe to share by threads. See `HttpClient` for the care that it takes."""

    def __init__(self, endpoint: Endpoint, connection: Connection, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.health = EndpointHealth()
        self._base = f"{endpoint.scheme}://{endpoint.host}"
        self._client = _shared(environ, connection.connect_timeout, connection.read_timeout)
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
    ) -> Reply:
        """Send one request; see `HttpClient.send`. `credentials`: it requests credentials."""
        began = time.monotonic()
        url = f"{self._base}{path}"
        reply = self._client.send("POST", url, headers=headers, body=body, secrets=secrets, credentials=credentials)
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


def _shared(environ: Mapping[str, str], connect_timeout: float, read_timeout: float) -> HttpClient:
    """The client of every scope that reaches the network in the same way: accounts share the connections to a host."""
    names = (*CA_VARIABLES, "REQUEST_METHOD")
    ways = {name: value for name, value in environ.items() if name in names or name.lower().endswith("_proxy")}
    new = HttpClient(ways, connect_timeout=connect_timeout, read_timeout=read_timeout)
    with _LOCK:
        return _CLIENTS.setdefault((connect_timeout, read_timeout, frozenset(ways.items())), new)


def _whole(response: Any, host: str) -> bytes:
    """The whole body, decompressed. Raises `Reason.LOST` for one that did not come whole, in time and in size."""
    from urllib3.exceptions import HTTPError

    from runcancel.providers.common.bounded import TooLarge, decompressed

    try:
        content: bytes = response.read(decode_content=False)
        response.release_conn()
        promised = number(response.headers.get("content-length"))
        if promised is not None and promised > len(content):
            raise CloudError(Reason.LOST, f"{host} closed the connection in the middle of its reply")
        return decompressed(content, response.headers.get("content-encoding", ""))
    except TooLarge:
        response.close()
        raise CloudError(Reason.LOST, _too_large(host)) from None
    except HTTPError as error:
        from runcancel.providers.common.causes import cause

        raise CloudError(Reason.LOST, f"the reply of {host} was cut off: {cause(error)}") from None
    except ValueError:
        raise CloudError(Reason.LOST, f"the reply of {host} cannot be decompressed") from None


def _too_large(host: str) -> str:
    from runcancel.providers.common.bounded import LARGEST

    return f"the reply of {host} is larger than {LARGEST >> 20} MB"


def _proxied(proxy: str, options: Mapping[str, Any]) -> Any:
    import urllib3

    from runcancel.providers.common import learned

    address = proxy if "://" in proxy else f"http://{proxy}"
    learned.from_url(address)
    try:
        parts = urlsplit(address)
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return urllib3.ProxyManager(
            address,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=user) if user else None,
            proxy_ssl_context=options.get("ssl_context"),
            **options,
        )
    except (ValueError, urllib3.exceptions.HTTPError):
        raise _unusable("the proxy in the environment is not an http:// or https:// URL") from None
