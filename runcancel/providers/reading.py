"""What every provider needs to read a cloud safely: fields, times, pages, ids, and what a broken connection proves."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from runcancel.errors import CloudError, Reason

T = TypeVar("T")
Row = Mapping[str, Any]

_WIRE_LOG = logging.getLogger("runcancel.wire")
_STUCK_AFTER = 3  # pages in a row that bring nothing new
_TARGET_ID = re.compile(r"[a-z]{1,16}-[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,16}){1,5}")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


# A field of a reply may be missing, null or of another type than documented: that is data, not a crash.


def text(value: object) -> str | None:
    """The value as text; None for what is missing, empty or no scalar."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def number(value: object) -> int | None:
    """The value as a whole number; None for anything that is not one."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def rows(value: object, *path: str) -> tuple[Row, ...]:
    """The objects in the list at `path` below `value`; empty when it is missing or of another shape."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return tuple(row for row in value if isinstance(row, Mapping)) if isinstance(value, Sequence) else ()


def moment(value: object) -> datetime | None:
    """The time in UTC out of ISO 8601 text (no zone means UTC), epoch seconds or a datetime; None when it is none."""
    try:
        if isinstance(value, str) and value:
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def by_token(fetch: Callable[[str | None], tuple[Iterable[Row], object]], *, key: Callable[[Row], T]) -> Iterator[Row]:
    """All rows of a listing paged by token, each key once. `fetch` gets None first, returns rows and the next token.

    An absent or empty token ends the listing. Raises `Reason.UNPROVEN` for a token that comes twice.
    """
    token: str | None = None
    tokens: set[str] = set()
    seen: set[T] = set()
    while True:
        page, following = fetch(token)
        yield from _new(page, key, seen)
        token = text(following)
        if token is None:
            return
        if token in tokens:
            raise CloudError(Reason.UNPROVEN, "the listing repeats a page token and would never end")
        tokens.add(token)


def by_offset(
    fetch: Callable[[int], tuple[Sequence[Row], int | None]], *, key: Callable[[Row], T], size: int
) -> Iterator[Row]:
    """All rows of a listing paged by offset, each key once. `fetch` returns rows and the vendor's total, if any.

    The list may change while it is read, so a page may repeat rows. Raises `Reason.UNPROVEN` when page after page
    brings nothing new although the total says there is more.
    """
    offset = stuck = 0
    seen: set[T] = set()
    while True:
        page, total = fetch(offset)
        offset += min(len(page), size)  # a row given twice must not push another one out of sight
        known = len(seen)
        yield from _new(page, key, seen)
        if not page or (offset >= total if total is not None else len(page) < size):
            return
        stuck = 0 if len(seen) > known else stuck + 1
        if stuck >= _STUCK_AFTER:
            raise CloudError(Reason.UNPROVEN, "the listing repeats the same page and would never end")


def _new(page: Iterable[Row], key: Callable[[Row], T], seen: set[T]) -> Iterator[Row]:
    for row in page:
        if (name := key(row)) not in seen:
            seen.add(name)
            yield row


def first(items: Iterable[T], limit: int) -> Iterator[T]:
    """The first `limit` items; all when `limit` is 0."""
    return islice(items, limit) if limit else iter(items)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in pieces of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def distinct(items: Iterable[T]) -> tuple[T, ...]:
    """The items without repetition, in their order."""
    return tuple(dict.fromkeys(items))


def checked_id(id: str, pattern: re.Pattern[str]) -> str:
    """The id, when it has the shape of one: nothing else may travel. Raises `Reason.INVALID`."""
    if not pattern.fullmatch(id):
        raise CloudError(Reason.INVALID, f"{id!r} is not an id of this kind; nothing was sent")
    return id


def checked_targets(targets: Iterable[str]) -> tuple[str, ...]:
    """The target ids, each once, when every one looks like an instance id. Raises `Reason.INVALID`."""
    return tuple(checked_id(target, _TARGET_ID) for target in distinct(targets))


def checked_region(region: str) -> str:
    """The region, when it can stand in a host name. Raises `Reason.USAGE`."""
    if not _REGION.fullmatch(region):
        raise CloudError(Reason.USAGE, f"{region!r} is not the name of a region; nothing was sent")
    return region


def scrubbed(message: str, secrets: Iterable[str | None]) -> str:
    """The message without any of the secrets: a vendor's error text may quote what it was sent."""
    for secret in secrets:
        message = message.replace(secret, "…") if secret else message
    return message


def trace(scope: object, action: str, params: Row, *, outcome: str, began: float) -> None:
    """One `--debug` line per request. It holds ids, never headers or credentials. `began` is of `time.monotonic`."""
    if _WIRE_LOG.isEnabledFor(logging.DEBUG):
        took = (time.monotonic() - began) * 1000
        _WIRE_LOG.debug("%s %s %s -> %s in %.0f ms", scope, action, dict(params), outcome, took)


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


class Transport:
    """HTTP to one endpoint for vendors whose SDK's own transport cannot be trusted with it; safe to share by threads.

    It follows no redirect, reads no `.netrc`, honours NO_PROXY and the usual CA variables, never uses a proxy for
    loopback, bounds the whole answer in time and tells what never arrived (`UNREACHABLE`) from what may have (`LOST`).
    """

    def __init__(
        self, endpoint: Endpoint, *, connect_timeout: float, read_timeout: float, environ: Mapping[str, str]
    ) -> None:
        import urllib3

        self.endpoint = endpoint
        self._read_timeout = read_timeout
        options: dict[str, Any] = {
            "maxsize": 64,
            "retries": False,
            "timeout": urllib3.Timeout(connect=connect_timeout, read=read_timeout),
            **_authorities(endpoint, environ),
        }
        proxy = None if endpoint.loopback else proxy_for(endpoint, environ)
        self._pool = urllib3.PoolManager(**options) if proxy is None else _proxied(proxy, options)

    def post(self, target: str, *, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """Send one request. Raises `CloudError`: UNREACHABLE when it certainly was not received, else LOST."""
        from urllib3.exceptions import HTTPError

        url = f"{self.endpoint.scheme}://{self.endpoint.host}{target}"
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
        return Reply(
            status_code=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=content,
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
        if isinstance(error, unsent):
            return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {type(error).__name__}")
        return CloudError(Reason.LOST, f"no answer from {host}: {type(error).__name__}")


def proxy_for(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for this endpoint, None where NO_PROXY covers it."""
    if any(_covers(entry, endpoint.host) for entry in (_either(environ, "no_proxy") or "").split(",")):
        return None
    return _either(environ, f"{endpoint.scheme}_proxy") or _either(environ, "all_proxy")


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


def worded(table: Mapping[str, T], word: object, otherwise: T) -> T:
    """The entry of a vendor's word; `otherwise` for a word that nobody mapped."""
    return table.get(word, otherwise) if isinstance(word, str) else otherwise
