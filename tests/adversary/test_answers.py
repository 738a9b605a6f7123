"""Answers that never end, that are too large or that are web pages: one bound for every cloud."""

import gzip
import json
import os
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache

import pytest
from fakes import HandClock
from opened import refused
from outside import COMMAND, KILLED, TENCENT, Outside

from adversary.gateway import Answer, Asked, gateway
from adversary.inspecting import inspecting
from runcancel.model.runs import Scope
from runcancel.model.states import Reason
from runcancel.providers import provider
from runcancel.providers.base import Connection
from runcancel.runtime.throttle import Pace, Tries

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
REGIONS = {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-this-test",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIEXAMPLE",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a-secret-of-this-test",
    "TENCENTCLOUD_SECRET_ID": "AKIDEXAMPLE",
    "TENCENTCLOUD_SECRET_KEY": "a-secret-of-this-test",
}
ENDPOINTS = ("AWS_ENDPOINT_URL", "RUNCANCEL_ALIBABA_ENDPOINT_URL", "RUNCANCEL_TENCENT_ENDPOINT_URL")
Serve = Callable[[socket.socket], None]


def _read(connection: socket.socket) -> None:
    """One whole request: what is left unread at the end resets the connection, and the answer with it."""
    request = b""
    while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length[1]) and (piece := connection.recv(65536)):
        body += piece


@pytest.fixture
def served() -> Iterator[Callable[[Serve], str]]:
    """Starts a server that answers every request by a function of the test; gives its URL."""
    listeners: list[socket.socket] = []

    def start(serve: Serve) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection, serve), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def answer(connection: socket.socket, serve: Serve) -> None:
        with connection, suppress(OSError):
            _read(connection)
            serve(connection)

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def ask(cloud: str, url: str, monkeypatch: pytest.MonkeyPatch, *, read_timeout: float) -> Callable[[], object]:
    """Opens a scope before a server, and asks it who we are, once."""
    for name in os.environ:
        if name.startswith(("AWS_", "ALIBABA", "TENCENT")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in {**KEYS, "HOME": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    scope = Scope(provider=cloud, region=REGIONS[cloud])
    connection = Connection(scope=scope, endpoint_url=url, read_timeout=read_timeout)
    environ = dict(os.environ)
    pace = Pace(HandClock(), tries=lambda: Tries.of(0.0))
    return lambda: provider(cloud).connect(connection, environ, pace).identity()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
DRIPS = {
    "body": (HEAD, b" "),
    "status": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("drip", DRIPS)
@pytest.mark.parametrize("cloud", RUNS)
def test_an_answer_has_a_deadline_and_not_only_a_silence(
    cloud: str, drip: str, served: Callable[[Serve], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, drop = DRIPS[drip]

    def serve(connection: socket.socket) -> None:
        connection.sendall(begins)
        for _ in range(80):
            time.sleep(0.05)
            connection.sendall(drop)

    began = time.monotonic()
    error = refused(ask(cloud, served(serve), monkeypatch, read_timeout=0.4))

    assert error.reason is Reason.LOST
    assert time.monotonic() - began < 3


@cache
def _zipped(size: int) -> bytes:
    body = gzip.compress(b'{"Message":"' + b"x" * size + b'"}', compresslevel=1)
    return f"HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 20))


@pytest.mark.parametrize("cloud", RUNS)
def test_an_answer_is_bounded_however_it_is_compressed(
    cloud: str, served: Callable[[Serve], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracemalloc.start()
    for serve in (lambda connection: connection.sendall(_zipped(65 << 20)), _endless):
        error = refused(ask(cloud, served(serve), monkeypatch, read_timeout=20))

        assert error.reason is Reason.LOST
        assert "is larger than 64 MB" in error.message
    assert tracemalloc.get_traced_memory()[1] < 500 << 20
    tracemalloc.stop()


PAGE = b"<!DOCTYPE html>\n<html><head><title>Nobody</title></head><body>The c4n4ry of this page</body></html>"


@pytest.mark.parametrize("status", [200, 302, 403, 429, 503])
def test_a_web_page_is_never_quoted(status: int, outside: Outside) -> None:
    pages = (b"  \n" + PAGE.lower(), b"The c4n4ry of this text: no healthy upstream")

    for page in pages:
        with gateway(
            outside.box.url, lambda asked, page=page: Answer(status, {"content-type": "text/html"}, page)
        ) as at:
            env = dict.fromkeys(ENDPOINTS, at.url)
            done = outside.run("cancel", *RUNS.values(), "-o", "json", "--debug", "--timeout", "0", env=env)

        assert done.code != 0, str(done)
        assert "c4n4ry" not in done.out + done.err
        if status >= 400:
            assert done.out.count(f"HTTP {status}") >= 3, str(done)


def _error(cloud: str, message: str) -> Answer:
    if cloud == "aws":
        return Answer(
            400, {"x-amzn-requestid": message[:9999]}, json.dumps({"__type": message, "message": message}).encode()
        )
    if cloud == "alibaba":
        return Answer(400, {}, json.dumps({"Code": message, "Message": message, "RequestId": message}).encode())
    error = {"Error": {"Code": message, "Message": message}, "RequestId": message}
    return Answer(200, {}, json.dumps({"Response": error}).encode())


@pytest.mark.parametrize("cloud", RUNS)
def test_a_message_is_quoted_up_to_4_kb(cloud: str, outside: Outside) -> None:
    with gateway(outside.box.url, lambda asked: _error(cloud, "much " * 2_000_000)) as at:
        env = dict.fromkeys(ENDPOINTS, at.url)
        done = outside.run("status", RUNS[cloud], "-o", "json", env=env)
        with_page = outside.run("status", RUNS[cloud], env=env)

    assert done.code != 0
    assert len(done.out) < 6_000
    assert len(done.err) < 6_000
    assert len(with_page.err) < 6_000


@pytest.mark.parametrize("cloud", RUNS)
def test_a_page_within_an_error_is_not_quoted_either(cloud: str, outside: Outside) -> None:
    with gateway(outside.box.url, lambda asked: _error(cloud, PAGE.decode())) as at:
        done = outside.run("status", RUNS[cloud], "-o", "json", env=dict.fromkeys(ENDPOINTS, at.url))

    assert "this page" not in done.out + done.err, str(done)


def test_a_line_of_a_list_is_bounded_and_quoted_in_part(outside: Outside) -> None:
    for line in ("x" * (2 << 20), json.dumps({"type": "run", "ref": "y" * (2 << 20)})):
        done = outside.run("cancel", "-f", "-", "--yes", "-o", "json", stdin=f"{TENCENT}\n{line}\n")

        assert done.code == 2, done.err[:500]
        assert "line 2: the line is longer than 1 MiB; nothing was sent" in done.err
        assert len(done.out) + len(done.err) < 5_000
    done = outside.run("status", "x" * 100_000)
    assert (done.code, len(done.err) < 2_000) == (2, True)
    assert outside.writes() == []


# what is said of a proxy

SAID = {
    "HTTPS_PROXY": {"HTTPS_PROXY": "{}"},
    "ALL_PROXY": {"ALL_PROXY": "{}"},
    "small letters": {"https_proxy": "{}", "HTTPS_PROXY": "http://127.0.0.1:1"},
    "emptied": {"https_proxy": "", "HTTPS_PROXY": "{}"},
    "emptied beside all": {"https_proxy": "", "HTTPS_PROXY": "http://127.0.0.1:1", "all_proxy": "{}"},
    "by domain": {"HTTPS_PROXY": "{}", "NO_PROXY": "localhost,.invalid"},
    "by host and port": {"HTTPS_PROXY": "{}", "NO_PROXY": "cloud.invalid:8443"},
    "by another port": {"HTTPS_PROXY": "{}", "NO_PROXY": "cloud.invalid:443"},
    "by star": {"HTTPS_PROXY": "{}", "no_proxy": "*"},
    "for http": {"HTTP_PROXY": "{}", "http_proxy": "{}"},
}


@pytest.mark.parametrize("case", SAID)
def test_doctor_says_of_the_proxy_what_is_used(case: str, outside: Outside) -> None:
    def nobody(host: str, asked: Asked) -> Answer:
        raise AssertionError(host)

    with inspecting(None, nobody) as proxy:
        env = {name: value.format(proxy.url) for name, value in SAID[case].items()}
        env |= dict.fromkeys(ENDPOINTS, "https://cloud.invalid:8443")
        done = outside.run("doctor", "-o", "json", "--timeout", "0", env=env, patience=40)

    said = {check["scope"].partition(":")[0]: check["proxy"] for check in done.document["scopes"] if check["endpoint"]}
    assert set(said) == set(RUNS), str(done)
    used = {proxy.url} if "cloud.invalid" in proxy.hosts else {None}
    assert set(said.values()) == used, str(done)
