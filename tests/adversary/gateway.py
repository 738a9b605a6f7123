"""A gateway between the program and the sandbox: it hands on what it gets, and answers what a test wants."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from outside import WRITES


class Asked(NamedTuple):
    """One request: its method, its target, its headers in small letters, its body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def action(self) -> str:
        """The API that is asked for, in whichever of the clouds' dialects."""
        by_header = self.headers.get("x-amz-target", "").rpartition(".")[2]
        tencent = self.headers.get("x-tc-action", "") or self.headers.get("x-acs-action", "")
        form = parse_qs(self.body.decode("latin-1")).get("Action", [""])[0]
        return by_header or tencent or form

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        return self.action in WRITES


class Answer(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Asked], Answer | None]


class Gateway:
    """Its address, and every request that it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []


@contextmanager
def gateway(behind: str, answer: Answering) -> Iterator[Gateway]:
    """A gateway before the server at `behind`; None of `answer` hands a request on."""
    host = urlsplit(behind).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(self.command, self.path, {n.lower(): v for n, v in self.headers.items()}, body)
            made.asked.append(asked)
            given = answer(asked) or self._behind(asked)
            self.send_response(given.status)
            for name, value in {**given.headers, "content-length": str(len(given.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        do_GET = do_POST = do_PUT = _any

        def _behind(self, asked: Asked) -> Answer:
            connection = http.client.HTTPConnection(host, timeout=20)
            connection.request(asked.method, asked.target, asked.body, dict(self.headers.items()))
            reply = connection.getresponse()
            kept = {n: v for n, v in reply.getheaders() if n.lower() not in ("transfer-encoding", "content-length")}
            found = Answer(reply.status, kept, reply.read())
            connection.close()
            return found

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Gateway(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
