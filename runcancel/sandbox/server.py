"""The HTTP/1.1 server on loopback: threads, kept-alive connections, and faulty replies on request."""

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from runcancel.sandbox.wire import Reply, Request

DRIPS = 10


class Server:
    def __init__(
        self,
        answer: Callable[[Request], Reply],
        closed: threading.Event,
        *,
        port: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        parts = {"answer": staticmethod(answer), "closed": closed, "wall": staticmethod(wall)}
        handler = type("Handler", (_Handler,), parts)
        self._http = _Http(("127.0.0.1", port), handler)
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True, name="sandbox")
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingTCPServer):
    """Unlike `HTTPServer` it does not look its own name up, which takes seconds where a resolver hangs."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are the purpose of the place."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and body leave in one packet
    answer: Callable[[Request], Reply]
    closed: threading.Event
    wall: Callable[[], float]
    reused = False

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` header: the clouds' clock may differ from ours."""
        return super().date_time_string(self.wall() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """The sandbox keeps its own log of requests."""

    def handle_expect_100(self) -> bool:
        """A client that asks waits for the answer before it sends its body."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = tuple((name, value) for name, value in self.headers.items())
        reply = self.answer(Request(self.command, self.path, headers, body, reused=self.reused))
        self.reused = True
        if reply.wait:
            self.closed.wait(reply.wait)
        if reply.drop or self.closed.is_set():
            self._drop()
            return
        self._send(reply)

    def do_GET(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.wfile.flush()
            self._drop()
            return
        if not reply.drip:
            self.wfile.write(reply.body)
            return
        size = max(1, len(reply.body) // DRIPS)
        for at in range(0, len(reply.body), size):
            if self.closed.wait(reply.drip / DRIPS):
                break
            self.wfile.write(reply.body[at : at + size])
            self.wfile.flush()

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
