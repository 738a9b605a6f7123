"""Endpoints and connections as hostile networks give them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from opened import refused

from runcancel.model import Scope
from runcancel.providers import Connection, transport
from runcancel.providers.transport import Endpoint, Heard, Transport, without_user
from runcancel.vocabulary import Reason


@pytest.mark.parametrize(
    ("url", "host", "loopback"),
    [
        ("https://ecs.cn-hangzhou.aliyuncs.com", "ecs.cn-hangzhou.aliyuncs.com", False),
        ("ecs-vpc.cn-hangzhou.aliyuncs.com", "ecs-vpc.cn-hangzhou.aliyuncs.com", False),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", True),
        ("http://localhost:8080", "localhost:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
    ],
)
def test_endpoints_are_read(url: str, host: str, loopback: bool) -> None:
    assert (Endpoint.of(url).host, Endpoint.of(url).loopback) == (host, loopback)


@pytest.mark.parametrize(
    "url",
    [
        "http://ecs.aliyuncs.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user:secret@host",
        "https://host/path",
        "https://host?query",
        "https://",
        "http://127.0.0.1:port",
    ],
)
def test_endpoints_that_would_leak_or_mislead_are_refused(url: str) -> None:
    error = refused(lambda: Endpoint.of(url))

    assert error.reason is Reason.USAGE
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("no_proxy", "proxy"),
    [
        ("", "http://proxy:3128"),
        ("*", None),
        ("aliyuncs.com", None),
        (".aliyuncs.com", None),
        ("other.com, ecs.aliyuncs.com", None),
        ("yuncs.com", "http://proxy:3128"),
    ],
)
def test_no_proxy_is_honoured(no_proxy: str, proxy: str | None) -> None:
    environ = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": no_proxy}

    assert transport.proxy_for(Endpoint.of("ecs.aliyuncs.com"), environ) == proxy


Serve = Callable[[socket.socket], None]


@pytest.fixture
def served() -> Iterator[Callable[[Serve], str]]:
    """Starts a server that answers every connection by a function of the test; gives its URL."""
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
                with connection:
                    connection.recv(65536)
                    with suppress(OSError):
                        serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


CONNECTION = Connection(scope=Scope(provider="alibaba", region="cn-hangzhou"), connect_timeout=1, read_timeout=0.3)


def _transport(url: str, **environ: str) -> Transport:
    return Transport(Endpoint.of(url), CONNECTION, environ)


def _answer(head: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_loopback_never_goes_through_a_proxy(served: Callable[[Serve], str]) -> None:
    url = served(lambda connection: connection.sendall(_answer("200 OK", b"{}")))

    assert _transport(url, HTTP_PROXY="http://127.0.0.1:1").post("/", headers={}).content == b"{}"


def test_a_redirect_is_not_followed(served: Callable[[Serve], str]) -> None:
    elsewhere: list[bytes] = []
    target = served(lambda connection: elsewhere.append(b"called"))
    url = served(lambda connection: connection.sendall(_answer(f"307 Temporary Redirect\r\nLocation: {target}", b"")))

    assert _transport(url).post("/", headers={}).status_code == 307
    assert elsewhere == []


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert refused(lambda: _transport(f"http://127.0.0.1:{port}").post("/", headers={})).reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
        lambda connection: connection.recv(1),
        lambda connection: [connection.sendall(part) for part in _drips()],
    ],
    ids=["dropped", "cut in the middle", "hanging", "dripping"],
)
def test_an_answer_that_does_not_come_whole_is_lost(serve: Serve, served: Callable[[Serve], str]) -> None:
    assert refused(lambda: _transport(served(serve)).post("/", headers={})).reason is Reason.LOST


def _drips() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
    for _ in range(20):
        threading.Event().wait(0.05)
        yield b" "


def test_a_ca_file_that_does_not_exist_is_named() -> None:
    error = refused(lambda: _transport("https://127.0.0.1:1", REQUESTS_CA_BUNDLE="/nowhere/ca.pem"))

    assert "REQUESTS_CA_BUNDLE" in error.message


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sat, 21 Nov 2026 02:22:44 GMT", 0.0),
        ("Sat, 21 Nov 2026 02:22:45 GMT", 1.5),
        ("Sat, 21 Nov 2026 02:32:44 GMT", 600.5),
        ("Sat, 21 Nov 2026 02:12:44 GMT", -599.5),
        ("yesterday", None),
        ("Sat, 99 Nov 2026 02:22:44 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_the_clock_of_an_answer_is_held_against_ours(date: str | None, ahead: float | None) -> None:
    ours = 1795227764.25  # 02:22:44.25, half of the half second that the answer took ago
    heard = Heard(now=lambda: ours)

    heard.note(date, 0.5)

    assert (heard.skew, heard.took) == (ahead, 0.5)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        ("http://me:p@ss@proxy:3128", "http://…@proxy:3128"),
        ("me:hunter2@proxy", "http://…@proxy"),
        (None, None),
    ],
)
def test_a_proxy_is_shown_without_its_user(proxy: str | None, shown: str | None) -> None:
    assert without_user(proxy) == shown
