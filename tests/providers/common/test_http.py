"""Endpoints and connections as hostile networks give them."""

import gzip
import re
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from msgspec import structs
from opened import refused

from runcancel.errors import CloudError
from runcancel.model.runs import Scope
from runcancel.model.states import Reason
from runcancel.providers.base import Connection
from runcancel.providers.common.authorities import Authorities
from runcancel.providers.common.connections import NoConnection
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.exchange import unreachable
from runcancel.providers.common.http import Endpoint, EndpointHealth, Transport
from runcancel.providers.common.proxies import proxy_of, without_user


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

    assert error.reason is Reason.NOT_CONFIGURED
    assert "secret" not in error.message


PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": " ", "ALL_PROXY": PROXY}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"all_proxy": PROXY, "https_proxy": ""}, PROXY),
        ({"http_proxy": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "aliyuncs.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".aliyuncs.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "ECS.ALIYUNCS.COM"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "other.com, ecs.aliyuncs.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "yuncs.com"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "", "NO_PROXY": "*"}, PROXY),
    ],
)
def test_the_environment_names_the_proxy(environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_of("https", "ecs.aliyuncs.com", environ) == proxy


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:80", "localhost", "LOCALHOST.", "[::1]:443", "[::ffff:127.0.0.1]", "127.9.9.9"),
        *("169.254.169.254", "169.254.170.2:80", "169.254.0.23", "100.100.100.200", "metadata.tencentyun.com"),
        *("[fe80::1]", "[fd00:ec2::254]:80", "fd00:ec2::23", "[::ffff:169.254.169.254]"),
    ],
)
def test_loopback_and_link_local_addresses_have_no_proxy(host: str) -> None:
    environ = {"http_proxy": PROXY, "https_proxy": PROXY, "all_proxy": PROXY}

    assert [proxy_of(scheme, host, environ) for scheme in ("http", "https")] == [None, None]


@pytest.mark.parametrize("host", ["100.100.100.201", "127.0.0.1.example.com", "169.255.1.1", "[fe00::1]"])
def test_what_looks_alike_has_one(host: str) -> None:
    assert proxy_of("https", host, {"https_proxy": PROXY}) == PROXY


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


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_redirect_is_not_followed(served: Callable[[Serve], str]) -> None:
    elsewhere: list[bytes] = []
    target = served(lambda connection: elsewhere.append(b"called"))
    url = served(lambda connection: connection.sendall(_answer(f"307 Temporary Redirect\r\nLocation: {target}", b"")))

    assert _transport(url).post("/", headers={}).status_code == 307
    assert elsewhere == []


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = refused(lambda: _transport(f"http://127.0.0.1:{port}").post("/", headers={}))

    assert error.reason is Reason.UNREACHABLE
    assert not re.search(r"[A-Z][a-z]+[A-Z]", error.message), "the name of a class"


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: None,
        _reset,
        lambda connection: threading.Event().wait(2),
    ],
    ids=["no TLS", "closed", "reset", "hanging"],
)
def test_where_tls_does_not_come_to_stand_nothing_was_sent(serve: Serve, served: Callable[[Serve], str]) -> None:
    url = served(serve).replace("http:", "https:")

    error = refused(lambda: _transport(url).post("/", headers={}))

    assert error.reason is Reason.UNREACHABLE
    assert not re.search(r"[A-Z][a-z]+[A-Z]", error.message), "the name of a class"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _dripping(*parts: bytes, drop: bytes) -> Serve:
    """Sends what is given at once, and then a little every 50 ms: no silence is long, the answer is."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        for _ in range(40):
            threading.Event().wait(0.05)
            connection.sendall(drop)

    return serve


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: None,
        lambda connection: connection.sendall(HEAD + b"{"),
        lambda connection: connection.sendall(CHUNKED + b"5\r\n{"),
        lambda connection: connection.recv(1),
        _dripping(HEAD, drop=b" "),
        _dripping(drop=b"H"),
        _dripping(b"HTTP/1.1 200 OK\r\n", drop=b"X-Y: z\r\n"),
        _dripping(drop=b"HTTP/1.1 100 Continue\r\n\r\n"),
        _dripping(CHUNKED, drop=b"1\r\n \r\n"),
        _dripping(CHUNKED, drop=b"0"),
    ],
    ids=[
        "dropped",
        "cut in the middle",
        "cut in a chunk",
        "hanging",
        "dripping body",
        "dripping status",
        "dripping headers",
        "continue for ever",
        "dripping chunks",
        "dripping size of a chunk",
    ],
)
def test_an_answer_that_does_not_come_whole_is_lost(serve: Serve, served: Callable[[Serve], str]) -> None:
    began = time.monotonic()

    error = refused(lambda: _transport(served(serve)).post("/", headers={}))

    assert error.reason is Reason.LOST
    assert not re.search(r"[A-Z][a-z]+[A-Z]", error.message), "the name of a class"
    assert time.monotonic() - began < 1.5


WORDS: dict[str, tuple[Serve, str]] = {
    "dropped": (lambda connection: None, "no reply from HOST: the connection was closed without a reply"),
    "no HTTP": (lambda connection: connection.sendall(b"hello\r\n\r\n"), "no reply from HOST: what came is not HTTP"),
    "hanging": (lambda connection: connection.recv(1), "no reply from HOST: it timed out"),
    "cut": (
        lambda connection: connection.sendall(CHUNKED + b"5\r\n{"),
        "the reply of HOST was cut off: the connection was closed in the middle of the answer",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_what_went_wrong_is_told_in_words(name: str, served: Callable[[Serve], str]) -> None:
    serve, words = WORDS[name]
    url = served(serve)

    error = refused(lambda: _transport(url).post("/", headers={}))

    assert error.message == words.replace("HOST", url.removeprefix("http://"))


def test_why_no_connection_stands_is_told_in_words(served: Callable[[Serve], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    no_tls = served(lambda connection: connection.sendall(b"hello")).removeprefix("http://")

    assert refused(lambda: _transport(f"http://{closed}").post("/", headers={})).message.endswith("connection refused")
    assert "TLS failed (" in refused(lambda: _transport(f"https://{no_tls}").post("/", headers={})).message


def _compressed(encoding: str, body: bytes) -> bytes:
    return _answer(f"200 OK\r\nContent-Encoding: {encoding}", body)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, identity"])
def test_an_answer_that_is_compressed_unasked_is_read(encoding: str, served: Callable[[Serve], str]) -> None:
    body = zlib.compress(b"{}") if encoding == "deflate" else gzip.compress(b"{}")
    url = served(lambda connection: connection.sendall(_compressed(encoding, body)))

    assert _transport(url).post("/", headers={}).content == b"{}"


MEMBERS = {
    "two members": gzip.compress(b"{") + gzip.compress(b"}"),
    "an empty member": gzip.compress(b"") + gzip.compress(b"{}") + gzip.compress(b""),
    "members and padding": gzip.compress(b"{") + gzip.compress(b"}") + bytes(512),
    "many members": b"".join(gzip.compress(bytes([byte])) for byte in b"{" + b" " * 900 + b"}"),
}


@pytest.mark.parametrize("body", MEMBERS.values(), ids=MEMBERS)
def test_every_member_of_a_compressed_answer_is_read(body: bytes, served: Callable[[Serve], str]) -> None:
    url = served(lambda connection: connection.sendall(_compressed("gzip", body)))

    assert _transport(url).post("/", headers={}).content == gzip.decompress(body)


def _much(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 20))


def _many_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Y: " + b"z" * 60_000 + b"\r\n")


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: connection.sendall(_compressed("gzip", gzip.compress(bytes(65 << 20), 1))),
        lambda connection: connection.sendall(
            _compressed("gzip, gzip", gzip.compress(gzip.compress(bytes(65 << 20), 1)))
        ),
        lambda connection: connection.sendall(_compressed("gzip", 65 * gzip.compress(bytes(1 << 20)))),
        lambda connection: connection.sendall(_compressed("gzip", 100_000 * gzip.compress(b""))),
        lambda connection: connection.sendall(_compressed("gzip", gzip.compress(b"{") + gzip.compress(b"}")[:-9])),
        lambda connection: connection.sendall(_compressed("gzip", gzip.compress(b"{") + gzip.compress(b"}")[:9])),
        lambda connection: connection.sendall(_compressed("gzip", b"no gzip")),
        lambda connection: connection.sendall(_compressed("gzip", gzip.compress(bytes(100))[:-9])),
        lambda connection: connection.sendall(_compressed("br", b"{}")),
        _much,
        _many_headers,
    ],
    ids=[
        *("bomb", "bomb in a bomb", "bomb of members", "members without end", "cut second member", "cut second head"),
        *("no gzip", "cut gzip", "brotli", "no end", "no end of headers"),
    ],
)
def test_an_answer_is_bounded_in_size(serve: Serve, served: Callable[[Serve], str]) -> None:
    transport = Transport(Endpoint.of(served(serve)), structs.replace(CONNECTION, read_timeout=20), {})
    tracemalloc.start()

    assert refused(lambda: transport.post("/", headers={})).reason is Reason.LOST

    assert tracemalloc.get_traced_memory()[1] < 400 << 20
    tracemalloc.stop()


def test_the_credential_client_goes_to_a_link_local_address_directly_and_nowhere_else_in_clear() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        port = proxy.getsockname()[1]
        client = CredentialClient({"http_proxy": f"http://127.0.0.1:{port}"}, connect_timeout=0.1)

        with suppress(CloudError):  # whoever answers there, if anybody does
            client.get("http://169.254.200.201/")
        elsewhere = refused(lambda: client.get("http://192.0.2.1/keys?token=hush"))

        assert elsewhere.reason is Reason.NOT_CONFIGURED
        assert "hush" not in elsewhere.message
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_the_credential_client_asks_by_form(served: Callable[[Serve], str]) -> None:
    url = served(lambda connection: connection.sendall(_answer("302 Found\r\nLocation: http://127.0.0.1:1", b"")))

    reply = CredentialClient({}).post_form(f"{url}/?x=1", {"Action": "AssumeRole"})

    assert reply.status_code == 302


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
    heard = EndpointHealth(now=lambda: ours)

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


@pytest.mark.parametrize(
    ("number", "says", "hint"),
    [
        (socket.EAI_AGAIN, "cannot resolve ssm.example: DNS does not reply", "DNS of this machine"),
        (socket.EAI_NONAME, "there is no host ssm.example", "the region's name"),
    ],
)
def test_a_resolver_that_does_not_reply_proves_nothing_about_the_name(number: int, says: str, hint: str) -> None:
    failure = NoConnection(socket.gaierror(number, "resolver"))

    error = unreachable("ssm.example", failure, Authorities({}))

    assert (error.reason, error.message) == (Reason.UNREACHABLE, says)
    assert hint in str(error.hint)
