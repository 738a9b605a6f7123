"""Commands that a test starts and does not wait for: with pipes, or on a terminal."""

import os
import pty
import select
import signal
import subprocess
import termios
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pexpect.fdpexpect import fdspawn
from warm import Copy, Warm


class Child:
    """A command that runs in a copy, with what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        warm: Warm,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        text: bool = True,
        before: str = "",
    ) -> None:
        self.args = [*argv]
        self.returncode: int | None = None
        theirs, self.stdin = _stream(stdin, "w" if text else "wb")
        out, self.stdout = _stream(stdout, "r" if text else "rb")
        err, self.stderr = _stream(stderr, "r" if text else "rb")
        self._copy = warm.start(argv, (theirs, out, err), environ=environ, cwd=cwd, before=before)
        self.pid = self._copy.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.wait()

    def poll(self) -> int | None:
        """The exit code (minus the number of a signal), or None while it runs."""
        if self.returncode is None and select.select([self._copy.line], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, at its end."""
        if self.returncode is None:
            try:
                self.returncode = self._copy.code(timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._copy.line.close()
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            self._copy.signal(signum)

    def kill(self) -> None:
        """End it without warning."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Close stdin, and read everything to the end."""
        if self.stdin is not None:
            with suppress(OSError):
                self.stdin.close()
        with ThreadPoolExecutor(2) as side:
            texts = [side.submit(_rest, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, err = (each.result() for each in texts)
        return out, err


def _stream(wanted: int | IO[Any], mode: str) -> tuple[int, IO[Any] | None]:
    """The end of the command, which it takes over, and of the test."""
    if wanted == subprocess.PIPE:
        reads, writes = os.pipe()
        theirs, ours = (reads, writes) if mode.startswith("w") else (writes, reads)
        return theirs, open(ours, mode)
    if wanted == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_RDWR), None
    return os.dup(wanted if isinstance(wanted, int) else wanted.fileno()), None


def _rest(stream: IO[Any] | None) -> Any:
    if stream is None or stream.closed:
        return None
    with stream:
        return stream.read()


class Seat(fdspawn):  # type: ignore[misc]
    """A command that runs in a copy, on a terminal of its own, with what tests use of `pexpect.spawn`."""

    def __init__(
        self,
        warm: Warm,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        dimensions: tuple[int, int] = (24, 80),
        timeout: float = 60,
        encoding: str | None = None,
        stdin: int | None = None,
    ) -> None:
        """`stdin` is a descriptor that it takes over, in place of the terminal."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, dimensions)
        self._copy: Copy = warm.start(
            argv, (theirs if stdin is None else stdin, theirs, theirs), environ=environ, cwd=cwd, terminal=True
        )
        super().__init__(ours, timeout=timeout, encoding=encoding)
        self.pid = self._copy.pid
        self.exitstatus: int | None = None
        self.signalstatus: int | None = None

    def sendintr(self) -> None:
        """Type what interrupts."""
        os.write(self.child_fd, b"\x03")

    def setwinsize(self, lines: int, columns: int) -> None:
        """Give the terminal another size."""
        termios.tcsetwinsize(self.child_fd, (lines, columns))

    def isalive(self) -> bool:
        """Whether the command runs still."""
        return self.exitstatus is None and self.signalstatus is None and not self._ended(0)

    def close(self, force: bool = True) -> None:
        """Take the terminal away, and wait for the end."""
        if not self.closed:
            super().close()
        if not self._ended(10):
            self._copy.signal(signal.SIGKILL)
            self._ended(None)

    def _ended(self, patience: float | None) -> bool:
        if self.exitstatus is not None or self.signalstatus is not None:
            return True
        if not select.select([self._copy.line], [], [], patience)[0]:
            return False
        code = self._copy.code(None)
        self.exitstatus, self.signalstatus = (code, None) if code >= 0 else (None, -code)
        self._copy.line.close()
        return True
