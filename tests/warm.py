"""The command in processes that begin with everything loaded: copies of one that loads it once per test worker.

Each has its own streams, environment, folder and signals, and leaves nothing to the next. What it does not repeat is
the start of the interpreter and the imports.
"""

import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "MALLOC_", "OPENSSL_", "COVERAGE_")
"""Beginnings of the names of variables that are read when a program starts, or when a library is loaded."""
_LEFT_OUT = ("runcancel.__main__", "runcancel.sandbox")
_LATER = (
    *("concurrent.futures.thread", "email.parser", "encodings.idna", "http.client", "jmespath", "logging", "sqlite3"),
    *("ssl", "tomlkit", "tomllib", "typer.main", "xml.etree.ElementTree", "yaml", "zoneinfo"),
)
"""What modules of the program load in functions."""
_NUMBER = 4  # bytes
_LONGEST_START = 60.0  # seconds


class Warm:
    """The process that has everything loaded. Any number of threads may run copies of it at once."""

    def __init__(self, program: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._at_start = _at_start(environ)
        self._door, inside = socket.socketpair()
        with inside:
            argv = [sys.executable, __file__, str(inside.fileno())]
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(
                argv, stdin=nothing, stdout=nothing, env=dict(environ), pass_fds=[inside.fileno()]
            )

    def close(self) -> None:
        """End it. Copies that still run go on."""
        self._door.close()
        self._process.wait()

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Whether a copy with these variables is what a new process would be."""
        return _at_start(environ) == self._at_start

    def run(
        self, argv: Sequence[str], *, environ: Mapping[str, str], cwd: Path, stdin: str, patience: float
    ) -> tuple[int, str, str]:
        """Exit code (minus the number of a signal), stdout and stderr. Raises `TimeoutExpired` after the patience."""
        request = {"argv": [str(self._program), *argv], "environ": dict(environ), "cwd": str(cwd)}
        (from_us, to_it), (from_out, out), (from_err, err) = (os.pipe() for _ in range(3))
        with self._line() as line, ThreadPoolExecutor(3) as side:
            _send(line, json.dumps(request).encode(), (from_us, out, err))
            for descriptor in (from_us, out, err):
                os.close(descriptor)
            side.submit(_feed, to_it, stdin.encode())
            shown = [side.submit(_drain, each) for each in (from_out, from_err)]
            pid = _number(line, _LONGEST_START)
            try:
                code = _number(line, patience)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*argv], patience) from None
            return code, *(each.result().decode() for each in shown)

    def _line(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._door, [b"."], [theirs.fileno()])
        return ours


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_AT_START)}


def _send(line: socket.socket, request: bytes, descriptors: Sequence[int]) -> None:
    socket.send_fds(line, [len(request).to_bytes(_NUMBER)], descriptors)
    line.sendall(request)


def _number(line: socket.socket, patience: float) -> int:
    line.settimeout(patience)
    return int.from_bytes(line.recv(_NUMBER, socket.MSG_WAITALL), signed=True)


def _feed(descriptor: int, text: bytes) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(text)


def _drain(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


# the process itself


def _serve(door: socket.socket) -> None:
    """Start a copy for every line that comes through the door; returns in a copy, and when the door is closed."""
    woken, wakes = os.pipe()
    for descriptor in (woken, wakes):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as watched:
        watched.register(door, selectors.EVENT_READ)
        watched.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fd == woken:
                    os.read(woken, 1024)
                    _reap(lines)
                    continue
                sign, descriptors, _, _ = socket.recv_fds(door, 1, 1)
                if not sign:
                    return
                line = socket.socket(fileno=descriptors[0])
                pid = os.fork()
                if pid == 0:
                    _become(line)
                    return
                line.sendall(pid.to_bytes(_NUMBER, signed=True))
                lines[pid] = line


def _reap(lines: dict[int, socket.socket]) -> None:
    """Tell the code of every copy that has ended."""
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with suppress(OSError), lines.pop(pid) as line:
            line.sendall(os.waitstatus_to_exitcode(status).to_bytes(_NUMBER, signed=True))


def _become(line: socket.socket) -> None:
    """Make this copy the process that was wished for: nothing open but its streams, and signals as at a start."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(line, _NUMBER, 3)
    request = json.loads(line.recv(int.from_bytes(head), socket.MSG_WAITALL))
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[:] = request["argv"]


def _load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(import_module("runcancel").__path__, "runcancel."):
            if not module.name.startswith(_LEFT_OUT):
                import_module(module.name)
        for name in _LATER:
            import_module(name)
    gc.collect()
    gc.freeze()


def _main() -> None:
    _load()
    first = os.getpid()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    if os.getpid() == first:
        return
    from runcancel.cli import main

    code = 1
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)  # to take everything down would cost more than the command


if __name__ == "__main__":
    _main()
