"""Networks that lead nowhere: hosts that do not resolve, proxies that refuse, ports where nobody or nothing listens."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

ENDPOINTS = ("AWS_ENDPOINT_URL", "RUNCANCEL_ALIBABA_ENDPOINT_URL", "RUNCANCEL_TENCENT_ENDPOINT_URL")
RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
REFUSES = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
IS_DOWN = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
IS_NONE = b"SSH-2.0-OpenSSH_9.6\r\n"


@contextmanager
def listener(says: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port that answers every connection with the same bytes; and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def refused(outside: Outside, verb: str, env: Mapping[str, str | None], *, code: str = "unreachable") -> list[str]:
    """What a command that can reach none of three clouds prints after one try each: it claims nothing."""
    argv = {"list": (verb, "-p", "aws", "-p", "alibaba", "-p", "tencent")}.get(verb, (verb, *RUNS.values()))

    done = outside.run(*argv, "-o", "json", "--timeout", "0", env=env, patience=30)

    outcomes = done.document.get("outcomes", ())
    for one in outcomes:  # they are cancelled unseen; where no answer tells what became of that, it is in doubt
        assert one["verdict"] == ("in-doubt" if one["error"]["code"] == "lost" else "failed"), str(done)
    verdicts = {one["verdict"] for one in outcomes}
    assert done.code == (7 if verb != "cancel" else {1: 8 if "in-doubt" in verdicts else 1, 2: 3}[len(verdicts)])
    assert "Traceback" not in done.err
    errors = done.document["errors"]
    assert len({error["scope"] for error in errors}) == len(RUNS), str(done)
    assert {error["code"] for error in errors} <= {code, "unreachable"}, str(done)
    assert all(error["message"] in done.err for error in errors)
    assert len(outcomes) == 3 * (verb == "cancel")
    assert outside.requests() == []
    return [str(error["message"]) for error in errors]


@pytest.mark.parametrize("verb", ["cancel", "status", "list"])
def test_a_host_that_does_not_resolve(outside: Outside, verb: str) -> None:
    messages = refused(outside, verb, dict.fromkeys(ENDPOINTS, "https://nowhere.invalid"))

    assert all("nowhere.invalid" in message for message in messages)


def test_a_port_where_nobody_listens(outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    messages = refused(outside, "cancel", dict.fromkeys(ENDPOINTS, f"http://127.0.0.1:{port}"))

    assert all(f"127.0.0.1:{port}" in message for message in messages)


@pytest.mark.parametrize(
    ("says", "told", "code"),
    [
        (REFUSES, "requires a name and a password (407)", "unreachable"),
        (IS_DOWN, "refuses (502)", "unreachable"),
        (IS_NONE, "", "lost"),
    ],
    ids=["407", "502", "no proxy at all"],
)
def test_a_proxy_that_lets_nobody_through(outside: Outside, says: bytes, told: str, code: str) -> None:
    with listener(says) as (port, heard):
        env = {
            "HTTPS_PROXY": f"http://user:canary@127.0.0.1:{port}",
            **dict.fromkeys(ENDPOINTS, "https://cloud.invalid"),
        }

        messages = refused(outside, "cancel", env, code=code)

    assert heard
    assert all(one.startswith(b"CONNECT cloud.invalid:443 ") for one in heard)
    assert all(told in message for message in messages), messages
    assert "canary" not in "".join(messages)


def test_what_answers_in_clear_text_where_tls_was_expected(outside: Outside) -> None:
    with listener(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as (port, heard):
        refused(outside, "cancel", dict.fromkeys(ENDPOINTS, f"https://127.0.0.1:{port}"), code="lost")

    assert not any(b"uthorization" in one for one in heard)
