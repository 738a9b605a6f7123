"""A server that says what a test wants AWS to say, and the runs that the tests speak of."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fakes import HandClock

from runcancel.model.runs import Ref, Scope
from runcancel.providers import provider
from runcancel.providers.aws.cloud import Aws
from runcancel.providers.base import Connection
from runcancel.runtime.throttle import Pace

SCOPE = Scope(provider="aws", region="us-east-2")
NIGHTLY = "02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
DEPLOY = "4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
STEPS = "6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"
RATED = "7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e"
NOBODY = "00000000-0000-4000-8000-000000000000"
CHILD = "1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4aaa"
A, B, C, D = (f"i-0123456789abcdef{end}" for end in "0123")


def ref(kind: str, id: str) -> Ref:
    return Ref(scope=SCOPE, kind=kind, id=id)


WINDOW, COMMAND, AUTOMATION = ref("maintenance-window", NIGHTLY), ref("command", DEPLOY), ref("automation", STEPS)


CancelResponse = tuple[int, Mapping[str, str], bytes]
Script = Callable[[str, dict[str, Any]], object]


class Scripted:
    """A server that says what a test wants AWS to say. `asked` holds (action, parameters), `heads` (path, agent)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.heads: list[tuple[str, str]] = []
        self.script: Script = lambda action, params: {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                action = self.headers.get("x-amz-target", ".").split(".")[1]
                params = json.loads(raw) if action else {}
                outer.asked.append((action, params))
                outer.heads.append((self.path, self.headers.get("user-agent", "")))
                said = outer.script(action, params)
                status, headers, body = said if isinstance(said, tuple) else ok(said)
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def ok(body: object) -> CancelResponse:
    """A success."""
    return 200, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-1"}, json.dumps(body).encode()


def error(code: str, message: str = "", **headers: str) -> CancelResponse:
    """A refusal."""
    body = json.dumps({"__type": code, **({"message": message} if message else {})}).encode()
    return 400, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-9", **headers}, body


def connect(clock: HandClock, region: str = SCOPE.region, **connection: Any) -> Aws:
    """The scope that the variables of this process lead to."""
    scope = Scope(provider="aws", region=region)
    pace = Pace(clock, jitter=lambda: 0.0)
    opened = provider("aws").connect(Connection(scope=scope, read_timeout=1.0, **connection), os.environ, pace)
    assert isinstance(opened, Aws)
    return opened
