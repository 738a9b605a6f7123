"""HTTP connections whose answers are bounded: in time from the first byte to the last, and in size."""

import time
import zlib
from http import client
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any, Protocol

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer: as they come over the wire, and again after they were decompressed."""

_PIECE = 1 << 16  # bytes that are decompressed at once


class TooLarge(Exception):
    """An answer has more than `LARGEST` bytes."""


class _Source(Protocol):
    def readinto(self, into: Any, /) -> int | None: ...

    def close(self) -> None: ...


class _Bounded(RawIOBase):
    """The bytes of one answer. The socket's timeout at its start bounds all of it, not each silence.

    Raises TimeoutError and `TooLarge`.
    """

    def __init__(self, sock: socket, source: _Source) -> None:
        self._sock = sock
        self._source = source
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._bytes_left = LARGEST + _PIECE  # the head of the answer counts, too

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int:
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


class _Response(client.HTTPResponse):
    """An answer of `http.client`, or a proxy's answer to CONNECT, that is read through `_Bounded`."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = BufferedReader(_Bounded(sock, self.fp.detach()))


class _Http(HTTPConnection):
    response_class = _Response


class _Https(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        """Connect, through a proxy and TLS where there are: whatever fails here, no request was sent."""
        try:
            super().connect()
        except (client.HTTPException, OSError) as error:
            if "Tunnel connection failed" in str(error) or "CERTIFICATE" in str(error).upper():
                raise
            raise NewConnectionError(self, "no connection stands") from error


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


POOLS = {"http": _HttpPool, "https": _HttpsPool}
"""For `urllib3.PoolManager.pool_classes_by_scheme`."""


def decompressed(content: bytes, encoding: str) -> bytes:
    """The content without its `Content-Encoding`, which a server may use without a request.

    Raises `TooLarge`, and ValueError for what is damaged or encoded otherwise than by gzip or deflate.
    """
    names = [name for each in encoding.lower().split(",") if (name := each.strip()) not in ("", "identity")]
    for name in reversed(names):
        if name not in ("gzip", "x-gzip", "deflate") or len(names) > 2:
            raise ValueError(encoding)
        content = _inflated(content)
    return content


def _inflated(content: bytes) -> bytes:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as its first bytes show
    parts: list[bytes] = []
    size = 0
    try:
        while content and not inflate.eof:
            parts.append(inflate.decompress(content, _PIECE))
            content = inflate.unconsumed_tail
            size += len(parts[-1])
            if size > LARGEST:
                raise TooLarge
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("cut off")
    return b"".join(parts)
