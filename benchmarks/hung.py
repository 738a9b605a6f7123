"""One cloud hangs: when the first cancel of each other cloud leaves, after the reading of its own scope.

Everything is seen by the log of the sandbox, which stands for the clouds that answer. The one that hangs is a server
that takes connections and never completes a reply, or a sandbox that holds one action.
"""

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.place import HOME_REGION, RUNCANCEL, Place, sandbox
from benchmarks.report import Figure, Part, table

ENDPOINTS = {
    "aws": "AWS_ENDPOINT_URL",
    "alibaba": "RUNCANCEL_ALIBABA_ENDPOINT_URL",
    "tencent": "RUNCANCEL_TENCENT_ENDPOINT_URL",
}
_ROLES = {
    "aws": "arn:aws:iam::{}:role/ops",
    "alibaba": "acs:ram::{}:role/ops",
    "tencent": "qcs::cam::uin/{}:roleName/ops",
}
_READS = {"aws": "ListCommandInvocations", "alibaba": "DescribeInvocations", "tencent": "DescribeInvocations"}
"""The last call of a reading."""
_CANCELS = {"aws": "CancelCommand", "alibaba": "StopInvocation", "tencent": "CancelInvocation"}
_PATIENCE = 30.0
IDENTITY = "identity (`GetCallerIdentity`) of a context with `account`"
"""Such a context freezes the plan: its identity is part of what is confirmed, and has 5 s. The budget is about named
runs that flow.
"""


@dataclass(frozen=True, kw_only=True)
class Hung:
    """What hangs, in which cloud (None: nothing), and what became of the others, in seconds.

    `after_reading` is the longest time from the end of a scope's own reading to its cancel, `after_start` the longest
    from the start of the command.
    """

    thing: str
    cloud: str | None
    after_reading: float
    after_start: float


def hung(clouds: Sequence[str] = tuple(ENDPOINTS)) -> Iterator[Hung]:
    """Nothing hangs, then each thing in each cloud."""
    yield _tried("nothing", None, _nothing)
    for thing, way in THINGS.items():
        for cloud in clouds:
            yield _tried(thing, cloud, way)


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """`place` answers; `variables` lead the cloud that hangs elsewhere.

    `prefix` is its context in a reference, and `options` are added to the command.
    """

    place: Place
    variables: Mapping[str, str]
    prefix: str = ""
    options: Sequence[str] = ()


_Way = Callable[[str], contextlib.AbstractContextManager[_Setting]]


def _tried(thing: str, cloud: str | None, way: _Way) -> Hung:
    with way(cloud or "") as setting:
        refs = {one: _reference(setting, one, hangs=one == cloud) for one in ENDPOINTS}
        others = [one for one in ENDPOINTS if one != cloud]
        argv = [str(RUNCANCEL), "cancel", *refs.values(), *setting.options, "-o", "jsonl"]
        began = time.time()
        with subprocess.Popen(
            argv,
            env={**setting.place.environ, **setting.variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                moments = _moments(setting.place, others, process)
            finally:
                _end(process)
    return Hung(
        thing=thing,
        cloud=cloud,
        after_reading=max(sent - read for read, sent in moments),
        after_start=max(sent - began for _, sent in moments),
    )


def _reference(setting: _Setting, provider: str, *, hangs: bool) -> str:
    (id,) = setting.place.add(provider, runs_for=3600.0)
    kind = "command" if provider == "aws" else "invocation"
    return f"{setting.prefix if hangs else ''}{provider}:{HOME_REGION[provider]}:{kind}/{id}"


def _moments(place: Place, others: Sequence[str], process: "subprocess.Popen[bytes]") -> list[tuple[float, float]]:
    """For each cloud, when its reading was answered and when its cancel arrived."""
    until = time.monotonic() + _PATIENCE
    while True:
        log = place.box.log.shown()
        sent = {each["provider"]: each["arrived"] for each in reversed(log) if each["action"] in _CANCELS.values()}
        if sent.keys() >= set(others):
            break
        if process.poll() is not None or time.monotonic() > until:
            err = b"" if process.poll() is None or process.stderr is None else process.stderr.read()
            raise RuntimeError(f"no cancel of {set(others) - sent.keys()}: {err.decode()[-2000:]}")
        time.sleep(0.02)
    read = {
        one: max(
            each["real_time"]
            for each in log
            if each["provider"] == one and each["action"] == _READS[one] and each["real_time"] <= sent[one]
        )
        for one in others
    }
    return [(read[one], sent[one]) for one in others]


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
            return


@contextmanager
def _nothing(_: str) -> Iterator[_Setting]:
    with sandbox() as place:
        yield _Setting(place=place, variables={})


@contextmanager
def _no_connection(cloud: str) -> Iterator[_Setting]:
    """A queue of connections that is full: the first packet of another one gets no reply."""
    waiting = [socket.socket() for _ in range(4)]
    with sandbox() as place, socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield _Setting(place=place, variables={ENDPOINTS[cloud]: f"http://127.0.0.1:{port}"})
    for one in waiting:
        one.close()


def _server(scheme: str, serve: Callable[[socket.socket], None]) -> _Way:
    @contextmanager
    def way(cloud: str) -> Iterator[_Setting]:
        with sandbox() as place, socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=_accept, args=(server, serve), daemon=True).start()
            port = server.getsockname()[1]
            yield _Setting(place=place, variables={ENDPOINTS[cloud]: f"{scheme}://127.0.0.1:{port}"})
            server.shutdown(socket.SHUT_RDWR)

    return way


def _accept(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    kept = []
    while True:
        try:
            kept.append(server.accept()[0])
        except OSError:
            break
        threading.Thread(target=serve, args=(kept[-1],), daemon=True).start()
    for one in kept:
        one.close()


def _silence(_: socket.socket) -> None:
    """No byte."""


def _drip(connection: socket.socket) -> None:
    """A complete head, then a byte of the body every half second."""
    with contextlib.suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.5)


def _context(*, fault: str, setting: Callable[[str], str], options: Sequence[str] = ()) -> _Way:
    """A context in which one action of the sandbox hangs; `setting` makes a line of it that takes an account."""

    @contextmanager
    def way(cloud: str) -> Iterator[_Setting]:
        with sandbox(faults=[f"{cloud}:{fault}=hang"]) as place:
            config = Path(place.environ["HOME"]) / ".config" / "runcancel" / "config.toml"
            config.parent.mkdir(parents=True, exist_ok=True)
            line = setting(cloud).format(place.box.account_id(cloud, 0))
            config.write_text(f'[contexts.hung]\nprovider = "{cloud}"\nregions = ["{HOME_REGION[cloud]}"]\n{line}\n')
            yield _Setting(place=place, variables={}, prefix="hung@", options=options)

    return way


THINGS: Mapping[str, _Way] = {
    "connection": _no_connection,
    "TLS handshake": _server("https", _silence),
    "headers of the reply": _server("http", _silence),
    "body of the reply": _server("http", _drip),
    "role (`AssumeRole`)": _context(fault="AssumeRole", setting=lambda cloud: f'role_arn = "{_ROLES[cloud]}"'),
    IDENTITY: _context(fault="GetCallerIdentity", setting=lambda _: 'account = "{}"', options=("--confirm", "3")),
}
"""What hangs, by its name on the page."""


def shown(found: Sequence[Hung]) -> str:
    """One line for each thing that hangs and each cloud."""
    return table(
        ("hangs", "of", "others: from own reading to cancel", "others: from start to cancel"),
        (
            (one.thing, one.cloud or "", f"{one.after_reading * 1000:.0f} ms", f"{one.after_start * 1000:.0f} ms")
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figure of its budget."""
    found = list(hung(("aws",) if quick else tuple(ENDPOINTS)))
    worst = max(one.after_reading for one in found if one.thing != IDENTITY)
    return Part(text=shown(found), figures={"hung": Figure(value=worst, how="log of the server")})
