"""The command in processes that begin with everything loaded: copies of one that loads it once per test worker.

tests/README.md says how it works, and which commands start an interpreter of their own all the same.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from protocol import NUMBER, STAYS, at_start, place, send

_REPLY = 1 + NUMBER  # bytes
_SERVER = Path(__file__).with_name("copies.py")
_LONGEST_START = 60.0  # seconds


@dataclass(frozen=True)
class Copy:
    """A process that runs commands, and the line to it."""

    pid: int
    line: socket.socket

    def code(self, patience: float | None) -> int:
        """The exit code of a copy that ends (minus the number of a signal). Raises `TimeoutError`."""
        return self.reply(patience)[1]

    def reply(self, patience: float | None) -> tuple[bool, int]:
        """Whether the copy takes another command, and the code of the last one."""
        self.line.settimeout(patience)
        reply = self.line.recv(_REPLY, socket.MSG_WAITALL)
        if not reply:
            raise ConnectionError("the process with everything loaded has ended")
        return reply[:1] == STAYS, int.from_bytes(reply[1:], signed=True)


class Warm:
    """The process that has everything loaded. Any number of threads may run copies of it at once."""

    def __init__(self, program: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._at_start = at_start(environ)
        self.idle: list[Copy] = []
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
        while self.idle:
            self.idle.pop().line.close()
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
        copy = self.idle.pop() if self.idle else self._fork()
        with ThreadPoolExecutor(3) as side:
            self._begin(copy, argv, (from_us, out, err), environ=environ, cwd=cwd, before=before)
            side.submit(_feed, to_it, stdin.encode())
            shown = [side.submit(_drain, each) for each in (from_out, from_err)]
            try:
                code = self._code(copy, patience)
            except TimeoutError:
                os.kill(copy.pid, signal.SIGKILL)
                copy.line.close()
                raise subprocess.TimeoutExpired([*argv], patience) from None
            return code, *(each.result().decode() for each in shown)

    def start(
        self,
        argv: Sequence[str],
        streams: Sequence[int],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        terminal: bool = False,
    ) -> Copy:
        """A copy that runs this command and no other, with these three streams, which it takes over.

        With `terminal` the streams are one, and the copy is the first process of a session on it.
        """
        copy = self._fork()
        self._begin(copy, argv, streams, environ=environ, cwd=cwd, terminal=terminal, alone=True)
        return copy

    def _fork(self) -> Copy:
        line, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._door, [b"."], [theirs.fileno()])
        line.settimeout(_LONGEST_START)
        return Copy(int.from_bytes(line.recv(NUMBER, socket.MSG_WAITALL)), line)

    def _begin(
        self,
        copy: Copy,
        argv: Sequence[str],
        streams: Iterable[int],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        **more: object,
    ) -> None:
        request = {"argv": [str(self._program), *argv], "environ": dict(environ), "cwd": str(cwd), **more}
        streams = [*streams]
        send(copy.line, request, streams)
        for descriptor in {*streams}:
            os.close(descriptor)

    def _code(self, copy: Copy, patience: float) -> int:
        stays, code = copy.reply(patience)
        if stays:
            self.idle.append(copy)
        else:
            copy.line.close()
        return code


def _feed(descriptor: int, text: bytes) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(text)


def _drain(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()
