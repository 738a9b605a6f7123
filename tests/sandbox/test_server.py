"""The HTTP server on the wire: connections that stay open, heads that are none, and many clients at once."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse

import pytest

from .conftest import Box

TIME = b"GET /_sandbox/time HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def client(still: Box) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", still.port), timeout=5) as connection:
        yield connection


def status(client: socket.socket, request: bytes) -> int:
    """The status of the answer, which is read to its end."""
    client.sendall(request)
    with HTTPResponse(client) as reply:
        reply.begin()
        reply.read()
        return reply.status


def test_a_connection_serves_one_request_after_the_other(client: socket.socket) -> None:
    assert [status(client, TIME + b"\r\n") for _ in range(3)] == [200, 200, 200]


def test_two_requests_may_arrive_in_one_packet(client: socket.socket) -> None:
    client.sendall(2 * (TIME + b"\r\n") + TIME + b"Connection: close\r\n\r\n")
    whole = b"".join(iter(lambda: client.recv(65_536), b""))
    assert whole.count(b"HTTP/1.1 200 OK\r\n") == 3


@pytest.mark.parametrize(
    ("request_head", "stays"),
    [
        (TIME + b"Connection: close\r\n\r\n", False),
        (TIME.replace(b"1.1", b"1.0") + b"\r\n", False),
        (TIME.replace(b"1.1", b"1.0") + b"Connection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_the_client_decides_how_long_a_connection_lasts(
    client: socket.socket, request_head: bytes, stays: bool
) -> None:
    assert status(client, request_head) == 200
    if stays:
        assert status(client, request_head) == 200
    else:
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"GET /" + 70_000 * b"a", 414),
        (TIME + b"X-A: " + 70_000 * b"a", 431),
        (TIME + 101 * b"X-A: a\r\n" + b"\r\n", 431),
    ],
)
def test_a_head_that_is_none_is_refused_and_the_connection_ends(
    client: socket.socket, head: bytes, expected: int
) -> None:
    assert status(client, head) == expected
    assert client.recv(1) == b""


def test_a_client_that_waits_to_send_its_body_is_told_to_go_on(client: socket.socket) -> None:
    head = b"POST /_sandbox/advance HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    client.sendall(head + b"Expect: 100-continue\r\nContent-Length: 14\r\n\r\n")
    assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status(client, b'{"seconds": 0}') == 200


def test_the_date_is_that_of_the_clouds(box: Box) -> None:
    box.control("POST", "skew", {"seconds": 86_400})
    with socket.create_connection(("127.0.0.1", box.port), timeout=5) as client:
        client.sendall(TIME + b"\r\n")
        with HTTPResponse(client) as reply:
            reply.begin()
            ahead = parsedate_to_datetime(reply.headers["Date"]).timestamp() - box.clock.wall()
    assert -5 < ahead <= 0


def test_many_clients_are_served_at_the_same_time(start: Callable[..., Box]) -> None:
    """Each keeps its connection; a closed sandbox takes no other."""
    box = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", box.port), 5)) for _ in range(50)]
        for _ in range(2):
            assert {status(client, TIME + b"\r\n") for client in clients} == {200}
        box.close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", box.port), timeout=5).close()
