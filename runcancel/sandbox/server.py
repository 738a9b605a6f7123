"""The HTTP/1.1 server on loopback: threads, kept-alive connections, and faulty replies on request."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from io import BufferedReader

from runcancel.sandbox.wire import Reply, Request

DRIPS = 10
MOST_BYTES = 1 << 16  # of a line of the head
MOST_HEADERS = 100

_METHODS = frozenset({"GET", "POST", "DELETE"})
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Server:
    def __init__(
        self,
        answer: Callable[[Request], Reply],
        closed: threading.Event,
        *,
        port: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall` is the time of the `Date` headers: the clouds' clock may differ from ours."""
        self._answer = answer
        self._closed = closed
        self._wall = wall
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._turn = threading.Condition()
        self._idle = 0
        self._start()

    def close(self) -> None:
        """End the threads that wait for a connection, by one for each; `closed` is set already."""
        with self._turn:
            idle = self._idle
        for _ in range(idle):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
        with self._turn:
            self._turn.wait_for(lambda: not self._idle, timeout=1)
        self._socket.close()

    def _start(self) -> None:
        threading.Thread(target=self._work, daemon=True, name="sandbox").start()

    def _work(self) -> None:
        """Serve one connection after the other. A thread that leaves no idle one starts another."""
        while True:
            with self._turn:
                if self._closed.is_set():
                    return
                self._idle += 1
            connection = self._accept()
            with self._turn:
                self._idle -= 1
                self._turn.notify()
                is_last = not self._idle
            if connection is not None:
                if is_last:
                    self._start()
                self._serve(connection)

    def _accept(self) -> socket.socket | None:
        while not self._closed.is_set():
            with suppress(OSError):
                return self._socket.accept()[0]
            self._closed.wait(0.05)  # no more files, say: the next try may succeed
        return None

    def _serve(self, connection: socket.socket) -> None:
        # Clients that hang up, and those that send nonsense, are the purpose of the place.
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reused = False
            while self._exchange(connection, reader, reused=reused):
                reused = True

    def _exchange(self, connection: socket.socket, reader: BufferedReader, *, reused: bool) -> bool:
        """Answer one request; True when the connection stays open."""
        try:
            head = _read_head(reader)
        except _BadHead as error:
            connection.sendall(self._head(Reply(error.status, b"", {"Connection": "close"})))
            return False
        if head is None:
            return False
        request, version = head
        if version == "HTTP/1.1" and request.header("expect").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = reader.read(int(request.header("content-length") or 0))
        reply = self._answer(replace(request, body=body, reused=reused))
        if reply.wait:
            self._closed.wait(reply.wait)
        if reply.drop or self._closed.is_set():
            connection.shutdown(socket.SHUT_RDWR)
            return False
        self._send(connection, reply)
        keeps = request.header("connection").lower()
        return not reply.cut and (keeps != "close" if version == "HTTP/1.1" else keeps == "keep-alive")

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        """Head and body leave in one packet."""
        head, body = self._head(reply), reply.body
        if reply.cut:
            connection.sendall(head + body[: len(body) // 2])
            connection.shutdown(socket.SHUT_RDWR)
        elif reply.drip:
            self._drip(connection, head, body, reply.drip)
        else:
            connection.sendall(head + body)

    def _drip(self, connection: socket.socket, head: bytes, body: bytes, seconds: float) -> None:
        size = max(1, len(body) // DRIPS)
        for at in range(0, len(body), size):
            if self._closed.wait(seconds / DRIPS):
                break
            connection.sendall(head + body[at : at + size])
            head = b""

    def _head(self, reply: Reply) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}",
            "Server: sandbox",
            f"Date: {_date(int(self._wall()))}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
            f"Content-Length: {len(reply.body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@lru_cache(maxsize=16)
def _date(second: int) -> str:
    at = datetime.fromtimestamp(second, UTC)
    return f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT"


class _BadHead(Exception):
    """A request that is no HTTP/1, or has a method that no cloud here has."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _read_head(reader: BufferedReader) -> tuple[Request, str] | None:
    """A request without its body, and its HTTP version; None when the client has hung up."""
    line = _line(reader, 414)
    if not line.strip():
        return None
    words = line.split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _BadHead(400)
    method, target, version = words
    headers: list[tuple[str, str]] = []
    while (line := _line(reader, 431)) not in ("\r\n", "\n", ""):
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise _BadHead(400)
        if len(headers) == MOST_HEADERS:
            raise _BadHead(431)
        headers.append((name, value.strip()))
    if method not in _METHODS:
        raise _BadHead(501)
    path = "/" + target.lstrip("/") if target.startswith("//") else target
    return Request(method, path, tuple(headers), b""), version


def _line(reader: BufferedReader, too_long: int) -> str:
    line = reader.readline(MOST_BYTES + 1)
    if len(line) > MOST_BYTES:
        raise _BadHead(too_long)
    return line.decode("latin-1")
