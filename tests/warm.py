"""The command in processes that begin with everything loaded: copies of one that loads it once per test worker.

Each has its own streams, environment, folder and signals. What it does not repeat is the start of the interpreter and
the imports. A copy in which a command ended and left nothing behind (no thread, descriptor, process or log handler)
takes the next one: most of what a copy costs is the copying of memory at the first write to each page.
"""

import functools
import gc
import json
import logging
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "MALLOC_", "OPENSSL_", "COVERAGE_")
"""Beginnings of the names of variables that are read when a program starts, or when a library is loaded."""
_LEFT_OUT = ("runcancel.__main__", "runcancel.sandbox")
_LATER = (
    *("concurrent.futures.thread", "email.parser", "encodings.idna", "http.client", "jmespath", "logging", "sqlite3"),
    *("ssl", "tomlkit", "tomllib", "typer.main", "xml.etree.ElementTree", "yaml", "zoneinfo"),
)
"""What modules of the program load in functions."""
_NUMBER = 4  # bytes
_REPLY = 1 + _NUMBER  # bytes
_STAYS, _GONE = b"+", b"-"  # whether the copy that ran a command takes another one
_MOST_RUNS = 100  # of one copy
_LINE = 250  # the number of a copy's line to whoever wants a command run; a command's own descriptors begin at 3
_LONGEST_START = 60.0  # seconds


class Warm:
    """The process that has everything loaded. Any number of threads may run copies of it at once."""

    def __init__(self, program: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._at_start = _at_start(environ)
        self.idle: list[_Copy] = []
        self._door, inside = socket.socketpair()
        with inside:
            argv = [sys.executable, __file__, str(inside.fileno())]
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(
                argv, stdin=nothing, stdout=nothing, env=dict(environ), pass_fds=[inside.fileno()]
            )

    def close(self) -> None:
        """End it. Copies that still run go on."""
        while self.idle:
            self.idle.pop().line.close()
        self._door.close()
        self._process.wait()

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Whether a copy with these variables is what a new process would be."""
        return _at_start(environ) == self._at_start

    def run(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        stdin: str,
        patience: float,
        before: str = "",
    ) -> tuple[int, str, str]:
        """Exit code (minus the number of a signal), stdout and stderr. Raises `TimeoutExpired` after the patience.

        `before` is Python that a copy of the command's own runs first.
        """
        request = {"argv": [str(self._program), *argv], "environ": dict(environ), "cwd": str(cwd), "before": before}
        (from_us, to_it), (from_out, out), (from_err, err) = (os.pipe() for _ in range(3))
        copy = self.idle.pop() if self.idle else self._fork()
        with ThreadPoolExecutor(3) as side:
            _send(copy.line, json.dumps(request).encode(), (from_us, out, err))
            for descriptor in (from_us, out, err):
                os.close(descriptor)
            side.submit(_feed, to_it, stdin.encode())
            shown = [side.submit(_drain, each) for each in (from_out, from_err)]
            try:
                code = self._code(copy, patience)
            except TimeoutError:
                os.kill(copy.pid, signal.SIGKILL)
                copy.line.close()
                raise subprocess.TimeoutExpired([*argv], patience) from None
            return code, *(each.result().decode() for each in shown)

    def _fork(self) -> "_Copy":
        line, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._door, [b"."], [theirs.fileno()])
        line.settimeout(_LONGEST_START)
        return _Copy(int.from_bytes(line.recv(_NUMBER, socket.MSG_WAITALL)), line)

    def _code(self, copy: "_Copy", patience: float) -> int:
        copy.line.settimeout(patience)
        reply = copy.line.recv(_REPLY, socket.MSG_WAITALL)
        if reply[:1] == _STAYS:
            self.idle.append(copy)
        else:
            copy.line.close()
        return int.from_bytes(reply[1:], signed=True)


@dataclass(frozen=True)
class _Copy:
    pid: int
    line: socket.socket


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_AT_START)}


def _send(line: socket.socket, request: bytes, descriptors: Sequence[int]) -> None:
    socket.send_fds(line, [len(request).to_bytes(_NUMBER)], descriptors)
    line.sendall(request)


def _feed(descriptor: int, text: bytes) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(text)


def _drain(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


# the process itself


def _serve(door: socket.socket) -> None:
    """Start a copy for every line that comes through the door; returns when the door is closed."""
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
                    _live(line)
                line.sendall(pid.to_bytes(_NUMBER, signed=True))
                lines[pid] = line


def _reap(lines: dict[int, socket.socket]) -> None:
    """Tell the code of every copy that has ended."""
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with suppress(OSError), lines.pop(pid) as line:
            line.sendall(_GONE + os.waitstatus_to_exitcode(status).to_bytes(_NUMBER, signed=True))


def _live(line: socket.socket) -> NoReturn:
    """What a copy does: run one command after the other, until one leaves something behind."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(line.detach(), _LINE, inheritable=False)
    os.closerange(3, _LINE)
    os.closerange(_LINE + 1, 256)
    gc.freeze = lambda: None  # type: ignore[assignment] # what a command leaves to the collector must reach it
    with socket.socket(fileno=_LINE) as wishes:
        for number in range(_MOST_RUNS, 0, -1):
            before = _State()
            code, ended = _run_one(wishes)
            if not (ended and number > 1 and before.came_back()):
                os._exit(code)  # to take everything down would cost more than the command
            wishes.sendall(_STAYS + code.to_bytes(_NUMBER, signed=True))
    os._exit(0)


def _run_one(line: socket.socket) -> tuple[int, bool]:
    """Run the command that is wanted next; its code, and whether it ended as commands do."""
    head, streams, _, _ = socket.recv_fds(line, _NUMBER, 3)
    if not head:
        os._exit(0)
    request = json.loads(line.recv(int.from_bytes(head), socket.MSG_WAITALL))
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[:] = request["argv"]
    from runcancel.cli import main

    code, ended = 1, False
    try:
        exec(request["before"], {})
        copy_context().run(main)
    except SystemExit as end:
        code, ended = int(end.code or 0), not request["before"]
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    with suppress(OSError):
        sys.stderr.flush()
    return code, ended


class _State:
    """What a process has that a command may change, apart from its environment and folder."""

    def __init__(self) -> None:
        self._signals = {each: signal.getsignal(each) for each in signal.valid_signals()}
        self._filters = [*warnings.filters]
        self._loggers = _loggers()
        self._open = _open_descriptors()
        self._streams = {name: _Stream(getattr(sys, name)) for name in ("stdin", "stdout", "stderr")}

    def came_back(self) -> bool:
        """Put it back; False where it cannot be put back."""
        for number in range(3):
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            os.close(nothing)
        for name, stream in self._streams.items():
            stream.renew(name)
        for each, handler in self._signals.items():
            if signal.getsignal(each) is not handler:
                signal.signal(each, handler)
        warnings.filters[:] = self._filters
        threading.stack_size(0)
        _forget()
        if _open_descriptors() != self._open:
            gc.collect()
        return not _has_children() and _loggers() == self._loggers and _open_descriptors() == self._open


class _Stream:
    """How a standard stream was opened at the start."""

    def __init__(self, stream: Any) -> None:
        self._how = {"encoding": stream.encoding, "errors": stream.errors, "closefd": False}
        self._number, self._mode, self._lines = stream.fileno(), stream.mode, stream.line_buffering

    def renew(self, name: str) -> None:
        """Put a new one in its place; what the old one still has goes nowhere."""
        fresh = open(self._number, self._mode, **self._how)  # noqa: SIM115
        fresh.reconfigure(line_buffering=self._lines)
        setattr(sys, name, fresh)
        setattr(sys, f"__{name}__", fresh)


def _loggers() -> dict[str, tuple[int, tuple[Any, ...]]]:
    known = {"": logging.root, **logging.root.manager.loggerDict}
    found = {name: each for name, each in known.items() if isinstance(each, logging.Logger)}
    return {name: (each.level, (*each.handlers,)) for name, each in found.items() if each.handlers}


def _open_descriptors() -> list[int]:
    found = []
    for number in range(_LINE):
        with suppress(OSError):
            os.fstat(number)
            found.append(number)
    return found


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


_CACHES: list[Any] = []
"""What functions of the program remember from one call to the next."""
_KEPT: list[tuple[Any, Any]] = []
"""The dicts, lists and sets of the program's modules, each with a copy of what it had at the start."""


def _remember() -> None:
    """Note what `_forget` empties."""
    known = (each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper))
    _CACHES.extend(each for each in known if str(each.__module__).startswith("runcancel."))
    for name, module in [*sys.modules.items()]:
        if name.startswith("runcancel."):
            values = (value for key, value in vars(module).items() if not key.startswith("__"))
            _KEPT.extend((value, value.copy()) for value in values if type(value) in (dict, list, set))


def _forget() -> None:
    """Let the program know nothing of the commands before."""
    for cached in _CACHES:
        cached.cache_clear()
    for kept, first in _KEPT:
        if kept != first:
            kept.clear()
            (kept.extend if isinstance(kept, list) else kept.update)(first)


def _load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(import_module("runcancel").__path__, "runcancel."):
            if not module.name.startswith(_LEFT_OUT):
                import_module(module.name)
        for name in _LATER:
            import_module(name)
    _remember()
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
