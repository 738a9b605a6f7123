"""The process that has the program loaded, and its copies that run commands. tests/README.md says how it works.

python copies.py DOOR LISTENER: the numbers of two sockets. A line that comes through the first, and a connection to the
second, is a line to whoever wants a command run.
"""

import _signal
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
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from typing import Any, NoReturn

import botocore_once
from protocol import NUMBER

_LEFT_OUT = ("runcancel.__main__",)
_LATER = (
    *("concurrent.futures.thread", "email.parser", "encodings.idna", "http.client", "jmespath", "logging", "sqlite3"),
    *("ssl", "tomlkit", "tomllib", "typer.main", "xml.etree.ElementTree", "yaml", "zoneinfo"),
)
"""What modules of the program load in functions."""
_REHEARSED = (
    ("status", "aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"),
    ("status", "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0001", "-o", "yaml"),
    ("list", "-o", "json"),
    ("logs", "tencent:ap-guangzhou:invocation/inv-ib2lld37"),
    ("triggers",),
    ("doctor",),
    ("cancel", "--yes", "--no-wait", "tencent:ap-guangzhou:invocation/inv-ib2lld37"),
    ("history",),
    ("report",),
)
"""Commands that use most of what commands use."""
_MOST_RUNS = 100  # of one copy
_ORDERS = 250  # the number of the socket to the server; a command's own descriptors begin at 3
_MOST_STREAMS = 100


class _Copy:
    """A copy, as the server sees it."""

    def __init__(self, pid: int, orders: socket.socket) -> None:
        self.pid = pid
        self.orders = orders
        """Lines go to it here, and the codes of commands come back."""
        self.line: socket.socket | None = None
        """To whoever wanted its command run; kept until that one has let go, as signals go to the copy until then."""

    def reply(self, code: int) -> None:
        """Send the code of its command. A second one is not read."""
        with suppress(AttributeError, OSError):
            self.line.sendall(code.to_bytes(NUMBER, signed=True))  # type: ignore[union-attr]

    def let_go(self) -> None:
        """Close the line."""
        if self.line is not None:
            self.line.close()
            self.line = None


class _Server:
    """Gives every line to a copy: to one that has run a command before, else to a new one."""

    def __init__(self, door: socket.socket, listener: socket.socket, first: "_State") -> None:
        self._door = door
        self._listener = listener
        self._first = first
        self._copies: dict[int, _Copy] = {}
        self._idle: list[_Copy] = []
        self._watched = selectors.DefaultSelector()
        self._open = True

    def serve(self) -> None:
        """Until the door is closed."""
        woken, wakes = os.pipe()
        for descriptor in (woken, wakes):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes)
        self._watch(self._door, self._take)
        self._watch(self._listener, lambda: self._begin(self._listener.accept()[0]))
        self._watch(woken, lambda: self._reap(woken))
        while self._open:
            for key, _ in self._watched.select():
                if self._watched.get_map().get(key.fd) is key:  # else what came before it in this round has ended it
                    key.data()

    def _watch(self, what: Any, then: Callable[[], None]) -> None:
        self._watched.register(what, selectors.EVENT_READ, then)

    def _take(self) -> None:
        sign, descriptors, _, _ = socket.recv_fds(self._door, 1, 1)
        self._open = bool(sign)
        if sign:
            self._begin(socket.socket(fileno=descriptors[0]))

    def _begin(self, line: socket.socket) -> None:
        copy = self._idle.pop() if self._idle else self._fork()
        try:
            line.sendall(copy.pid.to_bytes(NUMBER, signed=True))
            socket.send_fds(copy.orders, [b"."], [line.fileno()])
        except OSError:  # whoever wanted it is gone
            line.close()
            self._idle.append(copy)
        else:
            copy.line = line

    def _fork(self) -> _Copy:
        ours, orders = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _live(orders, self._first)
        orders.close()
        self._copies[pid] = copy = _Copy(pid, ours)
        self._watch(ours, lambda: self._reply(copy))
        return copy

    def _reply(self, copy: _Copy) -> None:
        """Its command has ended, and it has put everything back."""
        code = b""
        with suppress(ConnectionError):
            code = copy.orders.recv(NUMBER, socket.MSG_WAITALL)
        if not code:  # it has ended: `_reap` says how
            self._watched.unregister(copy.orders)
            return
        copy.reply(int.from_bytes(code, signed=True))
        if copy.line is not None:
            self._watch(copy.line, lambda: self._rest(copy))

    def _rest(self, copy: _Copy) -> None:
        """Whoever wanted its command run has let go, or says that a signal was sent, which would reach the next one."""
        signalled = b""
        with suppress(OSError):
            signalled = copy.line.recv(_MOST_STREAMS)  # type: ignore[union-attr]
        self._watched.unregister(copy.line)  # type: ignore[arg-type]
        copy.let_go()
        if signalled:
            self._watched.unregister(copy.orders)
            copy.orders.close()
        else:
            self._idle.append(copy)

    def _reap(self, woken: int) -> None:
        """Reply with the code of every copy that has ended."""
        os.read(woken, 1024)
        while self._copies:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            copy = self._copies.pop(pid)
            for each in (copy.orders, copy.line):
                with suppress(KeyError, ValueError):
                    self._watched.unregister(each)  # type: ignore[arg-type]
            if copy in self._idle:
                self._idle.remove(copy)
            copy.reply(os.waitstatus_to_exitcode(status))
            copy.let_go()
            copy.orders.close()


def _live(orders: socket.socket, first: "_State") -> NoReturn:
    """What a copy does: run one command after the other, until one leaves something behind."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(orders.detach(), _ORDERS, inheritable=False)
    os.closerange(3, _ORDERS)
    os.closerange(_ORDERS + 1, _ORDERS + 10_000)
    first.open = _open_descriptors()
    with socket.socket(fileno=_ORDERS) as wishes:
        for number in range(_MOST_RUNS, 0, -1):
            code, ended = _run_one(wishes)
            if not (ended and number > 1 and first.came_back()):
                os._exit(code)  # to take everything down would cost more than the command
            wishes.sendall(code.to_bytes(NUMBER, signed=True))
    os._exit(0)


def _run_one(orders: socket.socket) -> tuple[int, bool]:
    """Run the command that is wanted next; its code, and whether the copy may take another one."""
    sign, lines, _, _ = socket.recv_fds(orders, 1, 1)
    if not sign:
        os._exit(0)
    with socket.socket(fileno=lines[0]) as line:
        head, streams, _, _ = socket.recv_fds(line, NUMBER, _MOST_STREAMS)
        request = line.recv(int.from_bytes(head), socket.MSG_WAITALL)
    return _perform(marshal.loads(request), streams) if head else (0, False)


def _perform(request: Any, streams: list[int]) -> tuple[int, bool]:
    numbers = request.get("descriptors", [0, 1, 2])
    _take_over(streams, numbers)
    if request.get("terminal"):
        _sit_down()
    for signum in request.get("ignored", ()):
        signal.signal(signum, signal.SIG_IGN)
    if "umask" in request:
        os.umask(request["umask"])
    _take_variables(request["environ"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[:] = request["argv"]
    from runcancel.cli import command

    before = request.get("before", "")
    alone = before or request.get("terminal") or numbers != [0, 1, 2]
    code, ended = 1, False
    try:
        exec(before, {})
        code = copy_context().run(command)
        ended = not alone and _threads_ended(0.02)
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
        fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _ORDERS + 1)
        os.close(each)
    for at, number in enumerate(numbers):
        os.dup2(_ORDERS + 1 + at, number)
        os.close(_ORDERS + 1 + at)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number not in numbers:  # as an interpreter does that finds it closed
            os.close(number)
            setattr(sys, name, None)


def _take_variables(environ: Mapping[str, str]) -> None:
    """Have these variables and no others. Most are as they were before, and to set one takes long."""
    before = dict(os.environ)
    for name in before.keys() - environ.keys():
        del os.environ[name]
    for name, value in environ.items():
        if before.get(name) != value:
            os.environ[name] = value


def _sit_down() -> None:
    """Begin a session on the terminal that stderr is, as a shell of its own would."""
    os.setsid()
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


class _State:
    """What a process has that a command may change, apart from its environment and folder."""

    def __init__(self) -> None:
        self._signals = {each: _signal.getsignal(each) for each in map(int, signal.valid_signals())}
        self._filters = [*warnings.filters]
        self._loggers = _loggers()
        self._umask = _umask()
        self._streams = {name: _Stream(getattr(sys, name)) for name in ("stdin", "stdout", "stderr")}
        self.open = _open_descriptors()

    def came_back(self) -> bool:
        """Put it back; False where it cannot be put back."""
        for number in range(3):
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            os.close(nothing)
        for name, stream in self._streams.items():
            stream.renew(name)
        for each, handler in self._signals.items():
            if _signal.getsignal(each) != handler:
                signal.signal(each, handler)
        warnings.filters[:] = self._filters
        threading.stack_size(0)
        os.umask(self._umask)
        self._silence()
        _forget()
        if _open_descriptors() != self.open:
            gc.collect()
        return not _has_children() and _open_descriptors() == self.open

    def _silence(self) -> None:
        """Let loggers write where they wrote before."""
        for each, found in _loggers().items():
            level, propagate, handlers = self._loggers.get(each, (logging.NOTSET, True, ()))
            if found != (level, propagate, handlers):
                each.propagate, each.handlers[:] = propagate, handlers
                each.setLevel(level)


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


def _loggers() -> dict[logging.Logger, tuple[int, bool, tuple[logging.Handler, ...]]]:
    known = (logging.root, *logging.root.manager.loggerDict.values())
    return {each: (each.level, each.propagate, (*each.handlers,)) for each in known if isinstance(each, logging.Logger)}


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _open_descriptors() -> set[str]:
    """Their numbers, and the one that lists them: the first that is free."""
    return {*os.listdir("/dev/fd")}


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


_OF_ARGUMENTS_ALONE = (
    *("cli.bundles._defaults", "cli.bundles._fields", "config.references._links", "config.references._links_as_ids"),
    *("journal.postgres._in_its_dialect", "journal.postgres._is_read"),
    *("providers.aws.profile._words", "providers.common.files._sections"),
    *("redaction._char", "redaction._forms", "redaction._head", "redaction._written", "redaction.is_secret"),
    *("render.documents.shape", "render.formats.yaml._key", "render.formats.yaml._text"),
)
"""Functions whose results depend on nothing but the arguments: what they remember stays."""
_CACHES: list[Any] = []
"""What other functions of the program remember from one call to the next."""
_KEPT: list[tuple[Any, Any]] = []
"""The dicts, lists and sets of the program's modules, each with a copy of what it had at the start."""


def _remember() -> None:
    """Note what `_forget` empties."""
    known = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
    named = {f"{each.__module__}.{each.__qualname__}": each for each in known}
    stay = {f"runcancel.{name}" for name in _OF_ARGUMENTS_ALONE}
    assert stay <= named.keys(), stay - named.keys()
    _CACHES.extend(each for name, each in named.items() if name.startswith("runcancel.") and name not in stay)
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


def _rehearse() -> _State:
    """Run commands before a sandbox of their own: what libraries work out at a first use is there for every copy.

    What the process had before.
    """
    kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ORDERS + _MOST_STREAMS) for number in range(3)]
    before, environ, argv, folder = _State(), dict(os.environ), [*sys.argv], os.getcwd()
    (ours, theirs), home = socket.socketpair(), tempfile.mkdtemp()
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
    _take_variables(environ)
    sys.argv[:] = argv
    os.chdir(folder)
    shutil.rmtree(home)
    back = before.came_back()
    for number, stream in enumerate(kept):
        os.dup2(stream, number)
        os.close(stream)
    assert back, "a command left something behind"
    assert _threads_ended(10), "a process with threads cannot be copied"
    return before


def _stand_in(line: socket.socket) -> NoReturn:
    """Be the clouds until the other side of the line is closed."""
    from runcancel.sandbox import Sandbox, SandboxOptions

    number = os.dup2(line.detach(), _ORDERS)
    os.closerange(3, _ORDERS)
    box = Sandbox(SandboxOptions())
    os.write(number, json.dumps(box.environment()).encode() + b"\n")
    os.read(number, 1)
    os._exit(0)


def _load() -> _State:
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
    first = _rehearse()
    gc.collect()
    gc.freeze()
    return first


if __name__ == "__main__":
    door, listener = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    _Server(door, listener, _load()).serve()
    os._exit(0)
