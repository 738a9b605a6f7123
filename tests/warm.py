"""The command in processes that begin with everything loaded: copies of one that loads it once per test worker.

tests/README.md says how it works, and which commands start an interpreter of their own all the same.
"""

import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from protocol import NUMBER, SIGNALLED, at_start, place, send

_SERVER = Path(__file__).with_name("copies.py")
_LONGEST_START = 60.0  # seconds


@dataclass(frozen=True)
class Copy:
    """A process that runs a command, and the line to whoever started it.

    Once the line is closed here, the process may run another command: signals must not go to it any more.
    """

    pid: int
    line: socket.socket

    def signal(self, signum: int) -> None:
        """Send its command a signal. The copy takes no other command, which might get it instead."""
        with suppress(OSError):
            self.line.send(SIGNALLED)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def code(self, patience: float | None) -> int:
        """The exit code of its command (minus the number of a signal). Raises `TimeoutError`."""
        self.line.settimeout(patience)
        reply = self.line.recv(NUMBER, socket.MSG_WAITALL)
        if not reply:
            raise ConnectionError("the process with everything loaded has ended")
        return int.from_bytes(reply, signed=True)


class Warm:
    """The process that has everything loaded. Any number of threads may run copies of it at once."""

    def __init__(self, program: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._at_start = at_start(environ)
        self._folder = tempfile.TemporaryDirectory(prefix="warm")
        self._door, inside = socket.socketpair()
        with inside, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{self._folder.name}/listener")
            listener.listen(64)
            numbers = [inside.fileno(), listener.fileno()]
            argv, nothing = [sys.executable, str(_SERVER), *map(str, numbers)], subprocess.DEVNULL
            self._process = subprocess.Popen(argv, stdin=nothing, stdout=nothing, env=dict(environ), pass_fds=numbers)
        self.folder = Path(self._folder.name) / "bin"
        """Where shells find the command: a small program that has a copy run it with the shell's own descriptors."""
        self._write_shim()

    def _write_shim(self) -> None:
        self.folder.mkdir()
        shim = self.folder / self._program.name
        values = (f"{self._folder.name}/listener", str(self._program), self._at_start, place())
        shim.write_text(
            f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {str(_SERVER.parent)!r})\n"
            f"from shim import main\nmain(*{values!r})\n"
        )
        shim.chmod(0o755)

    def close(self) -> None:
        """End it. Copies that still run go on."""
        self._door.close()
        self._process.wait()
        self._folder.cleanup()

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Whether a copy with these variables is what a new process would be."""
        return at_start(environ) == self._at_start

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
        (from_us, to_it), (from_out, out), (from_err, err) = (os.pipe() for _ in range(3))
        copy = self.start(argv, (from_us, out, err), environ=environ, cwd=cwd, before=before)
        with copy.line, _Talk(to_it, stdin.encode(), (from_out, from_err)) as talk:
            if not talk.ends(copy.line, patience):
                copy.signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired([*argv], patience)
            return copy.code(None), *(text.decode() for text in talk.shown)

    def start(
        self,
        argv: Sequence[str],
        streams: Sequence[int],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        terminal: bool = False,
        before: str = "",
    ) -> Copy:
        """A copy that runs this command with these three streams, which it takes over.

        With `terminal` stderr is one, and the copy is the first process of a session on it. `before` is Python
        that it runs first.
        """
        line, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._door, [b"."], [theirs.fileno()])
        line.settimeout(_LONGEST_START)
        copy = Copy(int.from_bytes(line.recv(NUMBER, socket.MSG_WAITALL)), line)
        request = {"argv": [str(self._program), *argv], "environ": dict(environ), "cwd": str(cwd)}
        send(line, {**request, "terminal": terminal, "before": before}, streams)
        for descriptor in {*streams}:
            os.close(descriptor)
        return copy


class _Talk:
    """What goes into a command and comes out of it, by pipes."""

    def __init__(self, to_it: int, text: bytes, from_it: Sequence[int]) -> None:
        self._left = memoryview(text)
        self._shown: dict[int, list[bytes]] = {each: [] for each in from_it}
        self._watched = selectors.DefaultSelector()
        os.set_blocking(to_it, False)
        self._watched.register(to_it, selectors.EVENT_WRITE, self._feed)
        for each in from_it:
            self._watched.register(each, selectors.EVENT_READ, self._drain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in [*self._watched.get_map()]:
            self._end(each)
        self._watched.close()

    @property
    def shown(self) -> list[bytes]:
        """What came out of each so far."""
        return [b"".join(parts) for parts in self._shown.values()]

    def ends(self, line: socket.socket, patience: float) -> bool:
        """Whether something comes through the line within the patience. Reads on to the end of what comes out."""
        last = time.monotonic() + patience
        self._watched.register(line, selectors.EVENT_READ, self._watched.unregister)
        while self._watched.get_map():
            waits = line in self._watched.get_map()
            ready = self._watched.select(max(0.0, last - time.monotonic()) if waits else None)
            if not ready:
                self._watched.unregister(line)
                return False
            for key, _ in ready:
                key.data(key.fd)
        return True

    def _feed(self, descriptor: int) -> None:
        with suppress(BrokenPipeError):
            self._left = self._left[os.write(descriptor, self._left) :] if self._left else self._left
            if self._left:
                return
        self._end(descriptor)

    def _drain(self, descriptor: int) -> None:
        part = os.read(descriptor, 1 << 16)
        self._shown[descriptor].append(part)
        if not part:
            self._end(descriptor)

    def _end(self, descriptor: int) -> None:
        self._watched.unregister(descriptor)
        os.close(descriptor)
