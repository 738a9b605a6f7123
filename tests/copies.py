"""The process that has the program loaded, and its copies that run commands. tests/README.md says how it works.

python copies.py DOOR LISTENER: the numbers of two sockets. A line that comes through the first, and a connection to the
second, is a copy's line to whoever wants commands run.
"""

import _thread
import fcntl
import functools
import gc
import json
import logging
import marshal
import os
import pkgutil
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import termios
import threading
import time
import traceback
import warnings
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from typing import Any, NoReturn

import botocore_once
from protocol import GONE, NUMBER, STAYS

_LEFT_OUT = ("runcancel.__main__",)
_LATER = (
    *("concurrent.futures.thread", "email.parser", "encodings.idna", "http.client", "jmespath", "logging", "sqlite3"),
    *("ssl", "tomlkit", "tomllib", "typer.main", "xml.etree.ElementTree", "yaml", "zoneinfo"),
)
"""What modules of the program load in functions."""
_REHEARSED = (
    ("status", "aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"),
    ("list", "-o", "json"),
    ("triggers",),
    ("doctor",),
    ("cancel", "--yes", "--no-wait", "tencent:ap-guangzhou:invocation/inv-ib2lld37"),
    ("history",),
)
"""Commands that use most of what commands use."""
_MOST_RUNS = 100  # of one copy
_LINE = 250  # the number of a copy's line; a command's own descriptors begin at 3
_MOST_STREAMS = 100


def _serve(door: socket.socket, listener: socket.socket) -> None:
    """Start a copy for every line; returns when the door is closed."""
    woken, wakes = os.pipe()
    for descriptor in (woken, wakes):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    lines: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as watched:
        for one in (door, listener, woken):
            watched.register(one, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fileobj == woken:
                    os.read(woken, 1024)
                    _reap(lines)
                elif key.fileobj is listener:
                    _fork(listener.accept()[0], lines)
                else:
                    sign, descriptors, _, _ = socket.recv_fds(door, 1, 1)
                    if not sign:
                        return
                    _fork(socket.socket(fileno=descriptors[0]), lines)


def _fork(line: socket.socket, lines: dict[int, socket.socket]) -> None:
    pid = os.fork()
    if pid == 0:
        _live(line)
    lines[pid] = line
    with suppress(OSError):
        line.sendall(pid.to_bytes(NUMBER, signed=True))


def _reap(lines: dict[int, socket.socket]) -> None:
    """Tell the code of every copy that has ended."""
    while lines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with suppress(OSError), lines.pop(pid) as line:
            line.sendall(GONE + os.waitstatus_to_exitcode(status).to_bytes(NUMBER, signed=True))


def _live(line: socket.socket) -> NoReturn:
    """What a copy does: run one command after the other, until one leaves something behind."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(line.detach(), _LINE, inheritable=False)
    os.closerange(3, _LINE)
    os.closerange(_LINE + 1, 256)
    with socket.socket(fileno=_LINE) as wishes:
        for number in range(_MOST_RUNS, 0, -1):
            before = _State()
            code, ended = _run_one(wishes)
            if not (ended and number > 1 and before.came_back()):
                os._exit(code)  # to take everything down would cost more than the command
            wishes.sendall(STAYS + code.to_bytes(NUMBER, signed=True))
    os._exit(0)


def _run_one(line: socket.socket) -> tuple[int, bool]:
    """Run the command that is wanted next; its code, and whether the copy may take another one."""
    head, streams, _, _ = socket.recv_fds(line, NUMBER, _MOST_STREAMS)
    if not head:
        os._exit(0)
    return _perform(marshal.loads(line.recv(int.from_bytes(head), socket.MSG_WAITALL)), streams)


def _perform(request: Any, streams: list[int]) -> tuple[int, bool]:
    _take_over(streams, request.get("descriptors", (0, 1, 2)))
    if request.get("terminal"):
        _sit_down()
    for signum in request.get("ignored", ()):
        signal.signal(signum, signal.SIG_IGN)
    if "umask" in request:
        os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[:] = request["argv"]
    from runcancel.cli import command

    before = request.get("before", "")
    code, ended = 1, False
    try:
        exec(before, {})
        code = copy_context().run(command)
        ended = not before and not request.get("alone") and _threads_ended(0.02)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # None where it was closed
            stream.flush()
    return code, ended


def _threads_ended(patience: float) -> bool:
    """Whether no other thread is left: those that were done with may take a moment."""
    last = time.monotonic() + patience
    while _thread._count() and time.monotonic() < last:
        time.sleep(0.001)
    return not _thread._count()


def _take_over(streams: list[int], numbers: list[int]) -> None:
    """Give the streams the numbers that they had where they come from."""
    for each in streams:
        fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _LINE + 1)
        os.close(each)
    for at, number in enumerate(numbers):
        os.dup2(_LINE + 1 + at, number)
        os.close(_LINE + 1 + at)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number not in numbers:  # as an interpreter does that finds it closed
            os.close(number)
            setattr(sys, name, None)


def _sit_down() -> None:
    """Begin a session on the terminal that the streams are, as a shell of its own would."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


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


def _declare_verbs() -> None:
    """Have Typer read off the options of every verb: what it makes of them holds nothing of a command line."""
    from runcancel.cli import app
    from runcancel.cli.verbs import VERBS

    app.load = functools.cache(app.load)
    for verb in VERBS:
        app.load(verb)


def _rehearse() -> None:
    """Run commands before a sandbox of their own: what libraries work out at a first use is there for every copy."""
    before, environ, argv, folder = _State(), dict(os.environ), [*sys.argv], os.getcwd()
    (ours, theirs), home = socket.socketpair(), tempfile.mkdtemp()
    kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _LINE + _MOST_STREAMS) for number in range(3)]
    sandbox = os.fork()
    if sandbox == 0:
        _stand_in(theirs)
    theirs.close()
    with ours, ours.makefile() as line:
        variables = {**environ, **json.loads(line.readline()), "HOME": home}
        for words in _REHEARSED:
            streams = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]
            _perform({"environ": variables, "cwd": home, "argv": ["runcancel", *words]}, streams)
            before.came_back()
    os.waitpid(sandbox, 0)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[:] = argv
    os.chdir(folder)
    shutil.rmtree(home)
    back = before.came_back()
    for number, stream in enumerate(kept):
        os.dup2(stream, number)
        os.close(stream)
    assert back, "a command left something behind"
    assert _threads_ended(10), "a process with threads cannot be copied"


def _stand_in(line: socket.socket) -> NoReturn:
    """Be the clouds until the other side of the line is closed."""
    from runcancel.sandbox import Sandbox, SandboxOptions

    number = os.dup2(line.detach(), _LINE)
    os.closerange(3, _LINE)
    box = Sandbox(SandboxOptions())
    os.write(number, json.dumps(box.environment()).encode() + b"\n")
    os.read(number, 1)
    os._exit(0)


def _load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(import_module("runcancel").__path__, "runcancel."):
            if not module.name.startswith(_LEFT_OUT):
                import_module(module.name)
        for name in _LATER:
            import_module(name)
    botocore_once.install()
    _remember()
    _declare_verbs()
    _rehearse()
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    _serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]))
