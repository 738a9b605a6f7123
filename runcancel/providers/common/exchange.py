"""One request and its answer over one connection, and what a failure of either proves."""

import socket
from collections.abc import Callable, Mapping
from http.client import HTTPException, IncompleteRead
from ssl import SSLCertVerificationError, SSLEOFError, SSLZeroReturnError
from urllib.parse import quote, urlsplit

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.authorities import Authorities
from runcancel.providers.common.connections import (
    LARGEST,
    Connection,
    Connections,
    NoConnection,
    ProxyFailure,
    Response,
    TooLarge,
    Way,
)
from runcancel.providers.common.proxies import proxy_answer

_AS_THEY_ARE = "!#$%&'()*+,/:;=?@[]~"
"""Signs of a path and of a query that are not encoded."""

_ENDED = (ConnectionError, SSLEOFError, SSLZeroReturnError)
"""How a connection ends that the other side has closed: `RemoteDisconnected` is among them, a timeout is not."""

_NO_DNS = "check the network and the DNS of this machine, or set HTTPS_PROXY"
_NO_HOST = "check the region's name, and the DNS of this machine"


Headers = Callable[[], Mapping[str, str]]
"""The headers of one attempt."""


def exchange(
    connections: Connections,
    way: Way,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    again: Headers | None,
) -> tuple[Response, bytes]:
    """The answer to one request, and its whole body, decompressed.

    A server may close a connection that it kept at any moment, also while a request is on its way (RFC 9112, 9.3.1).
    Such a request is sent once more, over a new connection and with the headers that `again` returns. With None it must
    not be repeated; to a host that lost one in this way the next goes over a new connection.

    Raises `Reason.LOST` for one that did not come whole, in time and in size, and `NoConnection`.
    """
    try:
        return _attempt(connections, way, method, url, headers=headers, body=body, once=again is None)
    except _Stale as stale:
        if again is None:
            raise stale.error from None
        try:
            return _attempt(connections, way, method, url, headers=again(), body=body, once=True)
        except NoConnection:  # the first one may have been received
            raise stale.error from None


class _Stale(Exception):
    """A connection that was used before ended without a reply."""

    def __init__(self, error: CloudError) -> None:
        super().__init__(error)
        self.error = error


def _attempt(
    connections: Connections, way: Way, method: str, url: str, *, headers: Mapping[str, str], body: bytes, once: bool
) -> tuple[Response, bytes]:
    parts = urlsplit(url)
    target = quote(f"{plain_path(parts.path)}{'?' if parts.query else ''}{parts.query}", safe=_AS_THEY_ARE)
    host = parts.netloc.rpartition("@")[2]
    connection = connections.take(parts.hostname or "", parts.port, way, once=once)
    try:
        response = _head(connection, method, target, host=host, headers=headers, body=body)
        content = _whole(response, host)
    except _Stale:
        connections.discard(connection)
        raise
    except BaseException:
        connection.close()
        raise
    if response.is_last:
        connection.close()
    else:
        connections.keep(connection)
    return response, content


def plain_path(path: str) -> str:
    """A path without `.` and `..`, as it is sent and signed: `/a/./b/../c` is `/a/c` (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path or "/"
    last = path.rpartition("/")[2]
    parts: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/" + "/".join((*parts, "") if last in (".", "..") else parts)


def unreachable(host: str, failure: NoConnection, authorities: Authorities) -> CloudError:
    """The failure of a connection that did not come to stand: no request was sent."""
    error = failure.error
    if isinstance(error, SSLCertVerificationError):
        return authorities.not_trusted(host, error)
    if isinstance(error, socket.gaierror):
        silent = error.errno == socket.EAI_AGAIN  # the resolver did not reply, which proves nothing about the name
        message = f"cannot resolve {host}: DNS does not reply" if silent else f"there is no host {host}"
        return CloudError(Reason.UNREACHABLE, message, hint=_NO_DNS if silent else _NO_HOST)
    if isinstance(error, ProxyFailure):
        message, hint = proxy_answer(error.status)
        return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {message}", hint=hint)
    return CloudError(Reason.UNREACHABLE, f"cannot connect to {host}: {_cause(error)}")


def _head(
    connection: Connection, method: str, target: str, *, host: str, headers: Mapping[str, str], body: bytes
) -> Response:
    """The status and the headers. Raises `Reason.LOST`, and `_Stale`."""
    try:
        response = connection.begin(method, target, headers=headers, body=body)
        if response.status < 200:  # the answer itself comes later: `http.client` passes over 100 alone
            raise HTTPException(response.status)
        return response
    except (OSError, HTTPException) as error:
        lost = CloudError(Reason.LOST, f"no reply from {host}: {_cause(error)}")
        raise _Stale(lost) if connection.reused and isinstance(error, _ENDED) else lost from None
    except TooLarge:
        raise _too_large(host) from None


def _whole(response: Response, host: str) -> bytes:
    """The body. Raises `Reason.LOST`."""
    try:
        return _plain(response.read(), response.headers.get("content-encoding"))
    except (TooLarge, MemoryError, OverflowError):  # `http.client` requests at once what a length or a chunk announces
        raise _too_large(host) from None
    except IncompleteRead as error:
        if response.chunked:
            raise CloudError(Reason.LOST, f"the reply of {host} was cut off: {_cause(error)}") from None
        raise _cut(host) from None
    except (OSError, HTTPException) as error:
        raise CloudError(Reason.LOST, f"the reply of {host} was cut off: {_cause(error)}") from None
    except ValueError:
        raise CloudError(Reason.LOST, f"the reply of {host} cannot be decompressed") from None


def _plain(content: bytes, encoding: str | None) -> bytes:
    if not encoding or not content:
        return content
    from runcancel.providers.common.compression import decompressed

    return decompressed(content, encoding)


def _cause(error: BaseException) -> str:
    from runcancel.providers.common.causes import cause  # rare

    return cause(error)


def _cut(host: str) -> CloudError:
    return CloudError(Reason.LOST, f"{host} closed the connection in the middle of its reply")


def _too_large(host: str) -> CloudError:
    return CloudError(Reason.LOST, f"the reply of {host} is larger than {LARGEST >> 20} MB")
