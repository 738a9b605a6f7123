"""A terminal that a test sits at: it sees the picture, types, resizes, and waits for what it wants to see."""

import re
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import pexpect
import pyte
from outside import Outside, row_of

_DIM = re.compile(rb"\x1b\[([0-9;]*)m")
_HALF = re.compile(rb"\x1b[^A-Za-z]*\Z")  # a sequence whose end has not come yet


class Terminal:
    """The command with all three streams on a terminal of so many columns and lines.

    pyte knows no dim text: it is shown as italics, which nothing else here is.
    """

    def __init__(
        self,
        outside: Outside,
        *argv: str,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str | None] | None = None,
        prompt: str = "",
    ) -> None:
        self.raw = b""
        self.columns, self.lines = columns, lines
        self.screen = pyte.HistoryScreen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._half = b""
        self._rows: list[str] = []
        self._stream.feed(prompt.encode())
        self._child = outside.seat(*argv, columns=columns, lines=lines, env=env, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._child.close(force=True)

    @property
    def rows(self) -> list[str]:
        """The picture without the empty lines below."""
        screen = self.screen
        for at in sorted({*screen.dirty, *range(len(self._rows), screen.lines)}):
            self._rows[at : at + 1] = [row_of(screen, at).rstrip()]
        screen.dirty.clear()
        return "\n".join(self._rows[: screen.lines]).rstrip().split("\n")

    @property
    def text(self) -> str:
        """The picture as one text."""
        return "\n".join(self.rows)

    @property
    def gone(self) -> str:
        """What has left the screen at its top."""
        lines = ("".join(line[x].data for x in range(self.columns)).rstrip() for line in self.screen.history.top)
        return "\n".join(lines)

    def until(self, wanted: str | Callable[[str], object], *, seconds: float = 30) -> Self:
        """Come back when the picture shows a text, or what `wanted` says."""
        seen = wanted if callable(wanted) else lambda text: wanted in text
        deadline = time.monotonic() + seconds
        while not seen(self.text):
            assert time.monotonic() < deadline, f"never seen: {wanted}\n{self.text}"
            assert self._read(0.1) is not None or seen(self.text), f"ended without: {wanted}\n{self.text}"
        return self

    def end(self, meanwhile: Callable[[], object] = lambda: None, *, seconds: float = 60) -> int:
        """Read to the end; the exit code. `meanwhile` is called a few times a second."""
        deadline = time.monotonic() + seconds
        while self._read(0.3) is not None:
            assert time.monotonic() < deadline, f"does not end\n{self.text}"
            meanwhile()
        self._child.close()
        return self._child.exitstatus if self._child.exitstatus is not None else 128 + self._child.signalstatus

    def send(self, text: str) -> None:
        """Type."""
        self._child.send(text)

    def resize(self, columns: int, lines: int) -> None:
        """As terminals without reflow do it: lines leave at the top only where the cursor would not stay in sight."""
        screen = self.screen
        at, gone = screen.cursor.y, max(0, screen.cursor.y - (lines - 1))
        if lines < screen.lines:  # pyte takes all the lines that are too many away from the top
            screen.cursor_position(1, 1)
            screen.insert_lines(screen.lines - lines - gone)
        screen.resize(lines=lines, columns=columns)
        screen.cursor.y, screen.cursor.x = at - gone, min(screen.cursor.x, columns - 1)
        self.columns, self.lines = columns, lines
        self._child.setwinsize(lines, columns)

    def _read(self, seconds: float) -> bytes | None:
        """What has come, perhaps nothing; None at the end."""
        try:
            part: bytes = self._child.read_nonblocking(size=65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return b""
        except pexpect.EOF:
            return None
        self.raw += part
        whole = self._half + part
        half = _HALF.search(whole)
        self._half = half.group() if half else b""
        self._stream.feed(_DIM.sub(_in_italics, whole.removesuffix(self._half) if self._half else whole))
        return part


def _in_italics(found: re.Match[bytes]) -> bytes:
    return b"\x1b[" + b";".join(b"3" if one == b"2" else one for one in found.group(1).split(b";")) + b"m"
