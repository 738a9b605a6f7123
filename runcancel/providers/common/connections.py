"""Connections that are kept: to a host directly, or through a proxy by CONNECT, with TLS or in clear."""

import select
import socket
import threading
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import client
from io import BufferedReader, RawIOBase
from ssl import SSLCertVerificationError, SSLContext
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Struct

_HOSTS = 24
"""Hosts whose connections are kept: the regions of a fleet. With the threads of a provider that bounds open files."""

_KEPT = 64
"""Idle connections that are kept to one host."""

_PORTS = {"http": 80, "https": 443}

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer: as they come over the wire, and again after they were decompressed."""

_HEAD = 1 << 16  # more of them for the head of an answer


class TooLarge(Exception):
    """An answer has more than `LARGEST` bytes."""


class _Source(Protocol):
    def readinto(self, into: Any, /) -> int | None: ...

    def close(self) -> None: ...


class _Bounded(RawIOBase):
    """The bytes of one answer. The socket's timeout at its start bounds all of it, not each silence.

    Raises TimeoutError and `TooLarge`.
    """

    def __init__(self, sock: socket.socket, source: _Source) -> None:
        self._sock = sock
        self._source = source
        self.ended = False  # nothing more is taken from the socket
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._bytes_left = LARGEST + _HEAD  # the head of the answer counts, too

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int:
        if self.ended:
            return 0
        if self._deadline is not None:
            seconds = self._deadline - time.monotonic()
            if seconds <= 0:
                raise TimeoutError("the reply takes too long")
            self._sock.settimeout(seconds)
        count = self._source.readinto(into) or 0
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Reader(BufferedReader):
    """The buffer of one answer. `http.client` closes it at the end of the answer, with what it has read beyond."""

    def __init__(self, bounded: _Bounded) -> None:
        super().__init__(bounded)
        self._bounded = bounded
        self.surplus = False

    def close(self) -> None:
        if not self.closed:
            self._bounded.ended = True
            self.surplus = bool(self.peek(1))
        super().close()


class Response(client.HTTPResponse):
    """An answer of `http.client`, or a proxy's answer to CONNECT, that is read through `_Bounded`."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = self._reader = _Reader(_Bounded(sock, self.fp.detach()))

    @property
    def is_last(self) -> bool:
        """Whether the connection serves no further request: it ends, or bytes that nobody requested came with this."""
        return self.will_close or self._reader.surplus


class ProxyFailure(Exception):
    """A proxy that cannot be reached; or one that refuses, then `status` is its answer."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(status)
        self.status = status


class NoConnection(Exception):
    """No connection came to stand, because of `error`: no request was sent."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Proxy(Struct, frozen=True):
    """A proxy of http:// or https://, and the value of its `Proxy-Authorization`."""

    tls: bool
    host: str
    port: int
    authorization: str | None

    @classmethod
    def of(cls, url: str) -> "Proxy":
        """Read an address; one without a scheme is http. Raises ValueError for what is no proxy."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("not an http:// or https:// URL")
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        authorization = None if user is None else f"Basic {b64encode(user.encode('latin-1')).decode()}"
        port = parts.port or _PORTS[parts.scheme]
        return cls(tls=parts.scheme == "https", host=parts.hostname, port=port, authorization=authorization)


class Way(Struct, frozen=True):
    """How servers are reached. Without `tls`, in clear, no proxy is used."""

    tls: SSLContext | None
    proxy: Proxy | None


class Connection(client.HTTPConnection):
    """One connection of `http.client` whose answers are bounded. Timeouts are in seconds."""

    response_class = Response
    auto_open = 0  # no request opens another one

    def __init__(self, host: str, port: int, way: Way, *, connect_timeout: float, read_timeout: float) -> None:
        self.default_port = _PORTS["http" if way.tls is None else "https"]  # another one is named in `Host`
        super().__init__(host, port)
        self.key = (host, port, way)
        self.reused = False  # it has served a request before: the server may be closing it
        self._way = way
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    def connect(self) -> None:
        """Open the socket, the tunnel and TLS: whatever this raises, no request was sent.

        Raises OSError, UnicodeError for what cannot be a host, or `ProxyFailure`.
        """
        tls, proxy = self._way.tls, self._way.proxy
        opened: Any
        if tls is None:
            opened = _opened(self.host, self.port, self._connect_timeout)
        elif proxy is None:
            opened = _secured(_opened(self.host, self.port, self._connect_timeout), tls, self.host)
        else:
            opened = _secured(self._tunnel_of(proxy, tls), tls, self.host, twice=proxy.tls)
        opened.settimeout(self._read_timeout)
        self.sock = opened

    def begin(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request over the connection that stands, and read the head of its answer."""
        self.sock.settimeout(self._read_timeout)  # an answer before may have left less
        self.request(method, target, body=body or None, headers=dict(headers))
        response = self.getresponse()
        assert isinstance(response, Response)
        return response

    @property
    def dropped(self) -> bool:
        """Whether the server closed the idle connection, or wrote what nobody requested."""
        if _has_unread(self.sock):
            return True
        if hasattr(select, "poll"):  # select() refuses descriptors above 1,023
            poll = select.poll()
            poll.register(self.sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self.sock], [], [], 0)[0])

    def _tunnel_of(self, proxy: Proxy, tls: SSLContext) -> Any:
        """A socket that a proxy connected to the host."""
        try:
            opened: Any = _opened(proxy.host, proxy.port, self._connect_timeout)
            if proxy.tls:
                opened = _secured(opened, tls, proxy.host)
            with _closed_on_failure(opened):
                self._request_tunnel(opened, proxy)
        except SSLCertVerificationError:
            raise
        except (OSError, UnicodeError, client.HTTPException) as error:
            raise ProxyFailure from error
        return opened

    def _request_tunnel(self, opened: Any, proxy: Proxy) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"CONNECT {host}:{self.port} HTTP/1.1", f"Host: {host}:{self.port}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        opened.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        answer = Response(opened, method="CONNECT")
        answer.begin()
        if answer.status != client.OK:
            raise ProxyFailure(answer.status)
        answer.close()
        opened.settimeout(self._connect_timeout)


class Connections:
    """Idle connections by the host that they lead to; safe to share by threads."""

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._idle: OrderedDict[tuple[str, int, Way], list[Connection]] = OrderedDict()
        self._losing: set[tuple[str, int, Way]] = set()
        self._lock = threading.Lock()

    def take(self, host: str, port: int | None, way: Way, *, once: bool = False) -> Connection:
        """A connection that stands: an idle one, else a new one. Raises `NoConnection`.

        For a request that is sent only `once` it is a new one where a request was lost on an idle one before.
        """
        key = (host, port or _PORTS["http" if way.tls is None else "https"], way)
        while not (once and key in self._losing) and (idle := self._pop(key)) is not None:
            if not idle.dropped:
                return idle
            idle.close()
        connect, read = self._timeouts
        new = Connection(*key, connect_timeout=connect, read_timeout=read)
        try:
            new.connect()
        except (OSError, UnicodeError, ProxyFailure) as error:
            raise NoConnection(error) from None
        return new

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end, for the next request."""
        surplus: list[Connection] = []
        connection.reused = True
        with self._lock:
            idle = self._idle.setdefault(connection.key, [])
            self._idle.move_to_end(connection.key)
            idle.append(connection)
            if len(idle) > _KEPT:
                surplus.append(idle.pop(0))
            if len(self._idle) > _HOSTS:
                surplus += self._idle.popitem(last=False)[1]
        for each in surplus:
            each.close()

    def discard(self, connection: Connection) -> None:
        """Close a connection that lost a request, and the idle ones to the same host, which may lose the next."""
        connection.close()
        with self._lock:
            self._losing.add(connection.key)
            idle = self._idle.pop(connection.key, [])
        for each in idle:
            each.close()

    def _pop(self, key: tuple[str, int, Way]) -> Connection | None:
        with self._lock:
            idle = self._idle.get(key)
            return idle.pop() if idle else None


@contextmanager
def _closed_on_failure(opened: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


def _opened(host: str, port: int, timeout: float) -> socket.socket:
    """A socket to a host. An ASCII name goes as bytes: Python would load the tables of other names for a text."""
    name: Any = host.encode("ascii") if host.isascii() else host
    opened = socket.create_connection((name, port), timeout)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _has_unread(opened: Any) -> bool:
    """Whether TLS has read more from its socket than was taken: `poll` does not see that."""
    tls = getattr(opened, "sslobj", opened)  # of TLS within TLS, which also has records that are not yet decrypted
    records = getattr(opened, "incoming", None)
    return bool(getattr(tls, "pending", int)() or (records is not None and records.pending))


def _secured(opened: Any, tls: SSLContext, host: str, *, twice: bool = False) -> Any:
    """TLS over a socket; `twice` where that has TLS already, towards a proxy."""
    name = host.rstrip(".")
    with _closed_on_failure(opened):
        if not twice:
            return tls.wrap_socket(opened, server_hostname=name)
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(opened, tls, server_hostname=name)
