"""A stream that may go away: printing ends then, and nothing else does."""

import os
import select
from collections.abc import Callable
from typing import Any, TextIO

from runcancel.model.encoding import escape


class Sink:
    """Where text goes. After the first failure it is silent. `error` is the reason, None for a reader that is gone."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self.closed = out is None
        self.error: OSError | None = None

    def write(self, text: str) -> None:
        """Write and flush. What the encoding lacks is written as an escape that JSON can read, too."""
        self._attempt(lambda: self._put(text))

    def write_bytes(self, content: bytes) -> None:
        """Write and flush bytes as they are."""
        self._attempt(lambda: self._put_bytes(content))

    def _attempt(self, put: Callable[[], None]) -> None:
        if self._out is None or self.closed:
            return
        try:
            put()
            self._out.flush()
        except BrokenPipeError:
            self._give_up()
        except ValueError:  # closed under our hands
            self.closed = True
        except OSError as error:
            self.error = error
            self._give_up()

    def _put(self, text: str) -> None:
        assert self._out is not None
        try:
            self._out.write(text)
        except UnicodeEncodeError:
            self._out.write("".join(char if char.isascii() else escape(char) for char in text))

    def _put_bytes(self, content: bytes) -> None:
        assert self._out is not None
        view = memoryview(content)
        while view:  # an unbuffered stream may take less than it is given
            view = view[self._out.buffer.write(view) :]

    def reader_left(self) -> bool:
        """Whether the reader is gone, also without a write since; this costs a system call."""
        if not self.closed and hasattr(select, "poll"):
            try:
                poll = select.poll()
                poll.register(self._out.fileno() if self._out is not None else -1, 0)
                self.closed = any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
            except (OSError, ValueError, AttributeError):  # no descriptor
                return self.closed
        return self.closed

    def _give_up(self) -> None:
        """Point the descriptor elsewhere: what is still buffered would fail once more when the interpreter exits."""
        self.closed = True
        try:
            descriptor = self._out.fileno() if self._out is not None else -1
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
        except (OSError, ValueError, AttributeError):  # no descriptor: nothing is buffered below us
            return


class Printer:
    """A writer's side of its sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def closed(self) -> bool:
        """Whether the reader is gone."""
        return self._sink.closed

    def reader_left(self) -> bool:
        """Whether the reader is gone, also without a write since."""
        return self._sink.reader_left()

    def event(self, event: Any) -> None:
        """Pass over what happens beside the rows: most formats have no place for it."""
