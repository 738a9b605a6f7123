"""Connections are kept, and opened anew when the server closed them; proxies of both sorts lead to the host."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from adversary.inspecting import authority
from opened import refused
from urllib3.util import parse_url

from runcancel.model.runs import Scope
from runcancel.model.states import Reason
from runcancel.providers.base import Connection
from runcancel.providers.common.connections import Connections, Way
from runcancel.providers.common.exchange import exchange
from runcancel.providers.common.http import Endpoint, HttpClient, Transport

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CONNECTION = Connection(scope=Scope(provider="alibaba", region="cn-hangzhou"), connect_timeout=2, read_timeout=2)


class Server:
    """Answers every request of every connection; `heads` are the requests, `connections` how many there were."""

    def __init__(self, answers: int = 1000, answer: tuple[bytes, ...] = (ANSWER,), *, reads_on: bool = False) -> None:
        """`reads_on`: after its `answers` a connection is closed when the next request has come."""
        self.heads: list[str] = []
        self.connections = 0
        self.closed = threading.Event()
        self._answers = answers
        self._reads_on = reads_on
        self.answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for _ in range(self._answers):
                head = connection.recv(65536)
                if not head:
                    return
                self.heads.append(head.decode())
                self._reply(connection)
            if self._reads_on and (head := connection.recv(65536)):
                self.heads.append(head.decode())
                connection.shutdown(socket.SHUT_RDWR)
        self.closed.set()

    def _reply(self, connection: socket.socket) -> None:
        """The pieces of the answer: they arrive at once, and behind TLS each is a record."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for piece in self.answer:
            connection.sendall(piece)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def close(self) -> None:
        with suppress(OSError):  # wakes who accepts, who would take one more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


def started(stack: ExitStack, server: Server) -> Server:
    stack.callback(server.close)
    return server


def test_a_connection_serves_many_requests(stack: ExitStack) -> None:
    server = started(stack, Server())
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "a"})

    assert [transport.post("/", headers={}, again=dict).content for _ in range(5)] == [b"{}"] * 5
    assert server.connections == 1


def test_a_connection_that_the_server_closed_is_opened_anew(stack: ExitStack) -> None:
    server = started(stack, Server(answers=1))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "b"})

    for _ in range(3):
        server.closed.clear()
        assert transport.post("/", headers={}, again=dict).content == b"{}"
        assert server.closed.wait(5)
    assert server.connections == 3


def test_a_request_that_may_be_repeated_is_sent_once_more_when_a_kept_connection_ends(stack: ExitStack) -> None:
    server = started(stack, Server(answers=2, reads_on=True))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "c"})
    number = iter("12345")

    for _ in range(3):
        first = next(number)
        assert transport.post("/", headers={"X-N": first}, again=lambda: {"X-N": f"{next(number)} again"}).content

    assert [head.partition("X-N: ")[2].split("\r\n")[0] for head in server.heads] == ["1", "2", "3", "4 again"]
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_method_that_is_idempotent_may_always_be_repeated(method: str, stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, reads_on=True))
    client = HttpClient({}, connect_timeout=2, read_timeout=2)

    for _ in range(2):
        assert client.send(method, f"http://127.0.0.1:{server.port}/", headers={}).content == b"{}"

    assert (len(server.heads), server.connections) == (3, 2)


def test_a_request_that_must_not_be_repeated_is_lost_once_and_goes_over_new_connections_then(stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, reads_on=True))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "d"})

    assert transport.post("/", headers={}).content == b"{}"
    assert refused(lambda: transport.post("/", headers={})).reason is Reason.LOST
    for _ in range(3):
        assert transport.post("/", headers={}).content == b"{}"

    assert (len(server.heads), server.connections) == (5, 4)


def test_a_host_that_lost_a_request_that_was_repeated_loses_no_other(stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, reads_on=True))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "f"})

    for again in (dict, dict, None, None):
        assert transport.post("/", headers={}, again=again).content == b"{}"

    assert (len(server.heads), server.connections) == (5, 4)


def test_what_a_new_connection_loses_is_not_repeated(stack: ExitStack) -> None:
    server = started(stack, Server(answers=0, reads_on=True))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "e"})

    assert refused(lambda: transport.post("/", headers={}, again=dict)).reason is Reason.LOST
    assert len(server.heads) == 1


def test_a_timeout_is_not_repeated(stack: ExitStack) -> None:
    server = started(stack, Server())
    client = HttpClient({}, connect_timeout=2, read_timeout=0.2)
    url = f"http://127.0.0.1:{server.port}/"
    client.send("GET", url, headers={})
    server.answer = ()

    assert refused(lambda: client.send("GET", url, headers={})).reason is Reason.LOST
    assert len(server.heads) == 2


def test_a_request_that_may_have_arrived_is_lost_where_no_further_connection_comes(stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, reads_on=True))
    client = HttpClient({}, connect_timeout=2, read_timeout=2)
    url = f"http://127.0.0.1:{server.port}/"
    client.send("GET", url, headers={})
    server.close()

    assert refused(lambda: client.send("GET", url, headers={})).reason is Reason.LOST
    assert len(server.heads) == 2


def test_the_other_kept_connections_to_the_host_are_closed_too(stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, reads_on=True))
    connections = Connections(connect_timeout=2, read_timeout=2)
    way = Way(None, None)
    kept = [connections.take("127.0.0.1", server.port, way) for _ in range(3)]
    for each in kept:
        each.begin("GET", "/", headers={}, body=b"").read()
        connections.keep(each)

    url = f"http://127.0.0.1:{server.port}/"
    exchange(connections, way, "GET", url, headers={}, body=b"", again=dict)

    assert all(each.sock is None for each in kept)
    assert server.connections == 4


def test_a_path_with_other_signs_is_encoded_and_one_that_is_encoded_stays(stack: ExitStack) -> None:
    server = started(stack, Server())
    client = HttpClient({}, connect_timeout=2, read_timeout=2)

    client.send("GET", f"http://127.0.0.1:{server.port}/a b/%2F?x=ü#part", headers={"X-Y": "z"})

    lines = server.heads[0].split("\r\n")
    assert lines[0] == "GET /a%20b/%2F?x=%C3%BC HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "X-Y: z" in lines


PATHS = {
    "/a/./b/../c?x=/../y": "/a/c?x=/../y",
    "/a/b/..": "/a/",
    "/a/.": "/a/",
    "/../../a": "/a",
    "/.": "/",
    "/..": "/",
    "/a/.b/..c/d.": "/a/.b/..c/d.",
    "/a//../b/": "/a/b/",
    "": "/",
}
"""As RFC 3986 removes dot segments, and as urllib3 does."""


def test_a_path_is_sent_without_dots(stack: ExitStack) -> None:
    server = started(stack, Server())
    client = HttpClient({}, connect_timeout=2, read_timeout=2)

    for path in PATHS:
        client.send("GET", f"http://127.0.0.1:{server.port}{path}", headers={})

    assert [head.split()[1] for head in server.heads] == [*PATHS.values()]
    assert [parse_url(f"http://host{path}").request_uri for path in PATHS] == [*PATHS.values()]


ENDLESS = {
    "more than there is": b"Content-Length: 999999999999999\r\n\r\nabc",
    "more than can be counted": b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "such a chunk": b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\nabc",
    "such a chunk, uncounted": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
}


@pytest.mark.parametrize("announced", ENDLESS)
def test_an_answer_that_announces_more_than_memory_holds_is_too_large(announced: str, stack: ExitStack) -> None:
    server = started(stack, Server(answer=(b"HTTP/1.1 200 OK\r\n" + ENDLESS[announced],)))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {})

    error = refused(lambda: transport.post("/", headers={}, again=dict))

    assert (error.reason, "is larger than 64 MB" in error.message) == (Reason.LOST, True)


@pytest.mark.parametrize("status", ["101 Switching Protocols", "102 Processing", "103 Early Hints"])
def test_an_interim_answer_is_none_and_the_next_request_gets_no_answer_of_this_one(
    status: str, stack: ExitStack
) -> None:
    server = started(stack, Server(answer=(f"HTTP/1.1 {status}\r\n\r\n".encode(), ANSWER)))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": status})

    reasons = [refused(lambda: transport.post("/", headers={}, again=dict)).reason for _ in range(2)]

    assert reasons == [Reason.LOST] * 2
    assert server.connections == 2


WHOLE = {
    "chunks beside a length": (
        b"Content-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"abc",
    ),
    "nothing, compressed": (b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", b""),
}


@pytest.mark.parametrize("answer", WHOLE)
def test_an_answer_that_came_whole_is_read(answer: str, stack: ExitStack) -> None:
    sent, content = WHOLE[answer]
    server = started(stack, Server(answer=(b"HTTP/1.1 503 No\r\n" + sent,)))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {})

    reply = transport.post("/", headers={}, again=dict)

    assert (reply.status_code, reply.content) == (503, content)


SHORT = (b"Content-Length: 4\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nab")


@pytest.mark.parametrize("sent", SHORT)
def test_an_answer_that_is_cut_off_is_lost(sent: bytes, stack: ExitStack) -> None:
    server = started(stack, Server(answers=1, answer=(b"HTTP/1.1 200 OK\r\n" + sent,)))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {})

    assert refused(lambda: transport.post("/", headers={}, again=dict)).reason is Reason.LOST


class Relay:
    """A proxy behind TLS that connects every host to one server, and keeps the head of each CONNECT."""

    def __init__(self, server: Path, target: int, *, status: str = "200 OK") -> None:
        self.heads: list[str] = []
        self._status = status
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as inner:
                    self.heads.append(inner.recv(65536).decode())
                    inner.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
                    if self._status.startswith("200"):
                        self._relay(inner)

    def _relay(self, inner: ssl.SSLSocket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as outer:

            def back() -> None:
                with suppress(OSError):
                    while content := outer.recv(65536):
                        inner.sendall(content)

            threading.Thread(target=back, daemon=True).start()
            while content := inner.recv(65536):
                outer.sendall(content)

    def close(self) -> None:
        self._listener.close()


class TlsServer(Server):
    """The same behind TLS."""

    def __init__(self, server: Path, answer: tuple[bytes, ...] = (ANSWER,)) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server)
        super().__init__(answer=answer)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            super()._serve(self._context.wrap_socket(connection, server_side=True))


def test_a_proxy_behind_tls_leads_to_a_host_behind_tls(stack: ExitStack, tmp_path: Path) -> None:
    made = authority(tmp_path, ("localhost", "ecs.example.com"))
    server = TlsServer(made.server)
    proxy = Relay(made.server, server.port)
    stack.callback(server.close)
    stack.callback(proxy.close)
    environ = {"https_proxy": f"https://me:se%20cret@localhost:{proxy.port}", "AWS_CA_BUNDLE": str(made.bundle)}

    transport = Transport(Endpoint.of("https://ecs.example.com"), CONNECTION, environ)

    assert [transport.post("/", headers={}, again=dict).content for _ in range(2)] == [b"{}"] * 2
    assert server.connections == 1
    assert [head.split("\r\n")[0] for head in proxy.heads] == ["CONNECT ecs.example.com:443 HTTP/1.1"]
    assert "Proxy-Authorization: Basic bWU6c2UgY3JldA==" in proxy.heads[0]
    assert "Host: ecs.example.com\r\n" in server.heads[0]
    assert "Proxy-Authorization" not in server.heads[0]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize("surplus", [b"z", b"\r\n", ANSWER], ids=["a byte", "a line", "an answer"])
@pytest.mark.parametrize("answer", [ANSWER, CHUNKED], ids=["counted", "chunked"])
def test_a_connection_ends_with_an_answer_that_brings_more_than_itself(
    answer: bytes, surplus: bytes, stack: ExitStack
) -> None:
    server = started(stack, Server(answer=(answer + surplus,)))
    transport = Transport(Endpoint.of(f"http://127.0.0.1:{server.port}"), CONNECTION, {"X_PROXY": "c"})

    assert [transport.post("/", headers={}, again=dict).content for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 3


UNREQUESTED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake"
SURPLUS = {"one record": (ANSWER.ljust(8192, b"z") + UNREQUESTED,), "two records": (ANSWER.ljust(8192), UNREQUESTED)}


@pytest.mark.parametrize("surplus", SURPLUS)
@pytest.mark.parametrize("by_proxy", [False, True])
def test_what_tls_holds_behind_an_answer_is_no_answer_to_the_next_request(
    by_proxy: bool, surplus: str, stack: ExitStack, tmp_path: Path
) -> None:
    made = authority(tmp_path, ("localhost", "ecs.example.com"))
    server = TlsServer(made.server, SURPLUS[surplus])
    proxy = Relay(made.server, server.port)
    stack.callback(server.close)
    stack.callback(proxy.close)
    environ = {"https_proxy": f"https://localhost:{proxy.port}", "AWS_CA_BUNDLE": str(made.bundle)}
    url = "https://ecs.example.com" if by_proxy else f"https://localhost:{server.port}"

    transport = Transport(Endpoint.of(url), CONNECTION, environ)

    assert [transport.post("/", headers={}, again=dict).content for _ in range(2)] == [b"{}"] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    ("status", "words"), [("403 No", "the proxy refuses (403)"), ("407 Who", "a name and a password")]
)
def test_the_refusal_of_a_proxy_behind_tls_is_reported(
    status: str, words: str, stack: ExitStack, tmp_path: Path
) -> None:
    made = authority(tmp_path, ("localhost",))
    proxy = Relay(made.server, 1, status=status)
    stack.callback(proxy.close)
    environ = {"https_proxy": f"https://localhost:{proxy.port}", "AWS_CA_BUNDLE": str(made.bundle)}

    error = refused(lambda: Transport(Endpoint.of("https://a.example.com"), CONNECTION, environ).post("/", headers={}))

    assert (error.reason, words in error.message) == (Reason.UNREACHABLE, True)


def test_a_proxy_behind_tls_that_is_not_trusted_gets_no_request(stack: ExitStack, tmp_path: Path) -> None:
    made = authority(tmp_path, ("other.example.com",))
    proxy = Relay(made.server, 1)
    stack.callback(proxy.close)
    environ = {"https_proxy": f"https://localhost:{proxy.port}", "AWS_CA_BUNDLE": str(made.bundle)}

    error = refused(lambda: Transport(Endpoint.of("https://a.example.com"), CONNECTION, environ).post("/", headers={}))

    assert error.reason is Reason.INVALID
    assert "is not trusted" in error.message
    assert proxy.heads == []
