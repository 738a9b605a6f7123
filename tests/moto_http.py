"""Moto over HTTP: an idea of AWS that we did not write, for a command in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.awsrequest import AWSPreparedRequest, HeadersDict


class Moto(BaseHTTPRequestHandler):
    """Hands each request to moto's backends as botocore would, by the service that its signature names."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        from moto.core.models import botocore_stubber

        parts = self.headers["Authorization"].partition("Credential=")[2].split("/")
        region, service = parts[2:4]
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        url = f"https://{service}.{region}.amazonaws.com{self.path}"
        headers = HeadersDict({name: value for name, value in self.headers.items() if name.lower() != "host"})
        answer = botocore_stubber.process_request(AWSPreparedRequest(self.command, url, headers, body, False))
        assert answer is not None
        status, fields, content = answer
        raw = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("x-amzn-RequestId", fields.get("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555"))
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def moto_over_http(region: str) -> Iterator[dict[str, str]]:
    """The variables that lead to moto, which starts empty. Clients of boto3 in this process share its state."""
    moto = pytest.importorskip("moto")
    with moto.mock_aws(), ThreadingHTTPServer(("127.0.0.1", 0), Moto) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        server.shutdown()
