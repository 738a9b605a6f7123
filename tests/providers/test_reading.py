"""Fields, pages and connections as hostile clouds give them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from runcancel.errors import CloudError, Reason
from runcancel.providers import reading
from runcancel.providers.reading import Endpoint, Transport

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T20:00:00+08:00",
        "2026-11-21T12:00:00",
        NOON.timestamp(),
        NOON,
    ],
)
def test_every_spelling_of_a_time_is_read_as_utc(value: object) -> None:
    assert reading.moment(value) == NOON
    assert (reading.moment(value) or NOON).tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "soon", True, [], {}, 1e300, float("nan"), "9999-99-99T00:00:00Z"])
def test_what_is_no_time_is_none(value: object) -> None:
    assert reading.moment(value) is None


def test_rows_of_any_shape_never_crash() -> None:
    odd: tuple[object, ...] = (
        None,
        3,
        "text",
        [],
        {"A": None},
        {"A": []},
        {"A": {"B": "text"}},
        {"A": {"B": {"x": 1}}},
    )

    assert reading.rows({"A": {"B": [{"x": 1}, None, "text", 3]}}, "A", "B") == ({"x": 1},)
    assert [reading.rows(value, "A", "B") for value in odd] == [()] * len(odd)


def test_numbers_and_texts_of_any_type() -> None:
    numbers: tuple[object, ...] = (3, "-3", True, None, "x", 1.5, [])
    texts: tuple[object, ...] = ("a", "", None, 3, True, [], {})

    assert [reading.number(value) for value in numbers] == [3, -3, None, None, None, None, None]
    assert [reading.text(value) for value in texts] == ["a", None, None, "3", None, None, None]


def test_pages_by_token_end_at_an_empty_token_and_drop_what_came_before() -> None:
    pages = {None: ([{"id": 1}, {"id": 2}], "a"), "a": ([{"id": 2}, {"id": 3}], "")}

    found = list(reading.by_token(lambda token: pages[token], key=lambda row: row["id"]))

    assert [row["id"] for row in found] == [1, 2, 3]


def test_a_token_that_repeats_is_an_error_and_not_a_loop() -> None:
    pages = {None: ([{"id": 1}], "a"), "a": ([{"id": 2}], "b"), "b": ([{"id": 3}], "a")}

    with pytest.raises(CloudError) as caught:
        list(reading.by_token(lambda token: pages[token], key=lambda row: row["id"]))

    assert caught.value.reason is Reason.UNPROVEN


def test_pages_by_offset_survive_a_list_that_changes() -> None:
    everything = [{"id": number} for number in range(250)]
    asked: list[int] = []

    def page(offset: int) -> tuple[list[dict[str, int]], int]:
        asked.append(offset)
        start = max(0, offset - 5)  # five newer rows pushed the list down
        return everything[start : start + 100], 255

    found = list(reading.by_offset(page, key=lambda row: row["id"], size=100))

    assert [row["id"] for row in found] == list(range(250))
    assert asked == [0, 100, 200]


def test_an_offset_that_is_ignored_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(CloudError) as caught:
        list(reading.by_offset(lambda offset: ([{"id": 1}], 10**9), key=lambda row: row["id"], size=1))

    assert caught.value.reason is Reason.UNPROVEN


def test_an_empty_page_ends_the_listing_whatever_the_total_says() -> None:
    assert list(reading.by_offset(lambda offset: ([], 50), key=lambda row: row["id"], size=10)) == []


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
    with pytest.raises(CloudError) as caught:
        Endpoint.of(url)

    assert caught.value.reason is Reason.USAGE
    assert "secret" not in caught.value.message


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

    assert reading.proxy_for(Endpoint.of("ecs.aliyuncs.com"), environ) == proxy


@pytest.mark.parametrize("region", ["", "cn", "cn-hangzhou/", "cn hangzhou", "evil.com#", "cn-hangzhou\n", "A-B"])
def test_a_region_that_cannot_stand_in_a_host_name_is_refused(region: str) -> None:
    with pytest.raises(CloudError):
        reading.checked_region(region)


@pytest.mark.parametrize("target", ["", "i-", "i-1\n", "i-1&Action=x", "i 1", "-1", "i-" + "a" * 99])
def test_a_target_that_is_no_id_does_not_travel(target: str) -> None:
    with pytest.raises(CloudError) as caught:
        reading.checked_targets([target])

    assert caught.value.reason is Reason.INVALID


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


def _transport(url: str, **environ: str) -> Transport:
    return Transport(Endpoint.of(url), connect_timeout=1, read_timeout=0.3, environ=environ)


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

    with pytest.raises(CloudError) as caught:
        _transport(f"http://127.0.0.1:{port}").post("/", headers={})

    assert caught.value.reason is Reason.UNREACHABLE


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
    with pytest.raises(CloudError) as caught:
        _transport(served(serve)).post("/", headers={})

    assert caught.value.reason is Reason.LOST


def _drips() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
    for _ in range(20):
        threading.Event().wait(0.05)
        yield b" "


def test_a_ca_file_that_does_not_exist_is_named() -> None:
    with pytest.raises(CloudError) as caught:
        _transport("https://127.0.0.1:1", REQUESTS_CA_BUNDLE="/nowhere/ca.pem")

    assert "REQUESTS_CA_BUNDLE" in caught.value.message


def test_secrets_are_taken_out_of_messages() -> None:
    assert reading.scrubbed("bad key SECRET for TOKEN", ("SECRET", None, "TOKEN")) == "bad key … for …"
