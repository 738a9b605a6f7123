"""One cancel written down as it goes: who asked, why, what was answered, what was seen."""

import getpass
import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from runcancel.engine.verdict import CancelResponse
from runcancel.errors import JournalError, Refused
from runcancel.journal.store import Journal
from runcancel.model.outcomes import Limits, Operation, Outcome, PlanItem
from runcancel.model.runs import Invocation, Run
from runcancel.model.states import Stage
from runcancel.redaction import bare_urls, redact

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Recorder:
    """A `cancel.Progress` that writes one operation down.

    The first failure is told once through `warn`, and then it is silent: an emergency stop never waits for a disk. With
    `required` it refuses instead, while nothing has been sent.
    """

    def __init__(
        self,
        file: Path,
        operation: Operation,
        *,
        limits: Limits | None = None,
        warn: Callable[[str], None],
        required: bool = False,
        resumed: bool = False,
    ) -> None:
        self._file = file
        self._operation = operation
        self._limits = limits
        self._warn = warn
        self._required = required
        self._resumed = resumed
        self._journal: Journal | None = None
        self._begun = False
        self._written: dict[str, PlanItem] = {}

    @property
    def id(self) -> str:
        """The id of the operation, whether or not it is written down."""
        return self._operation.id

    @property
    def operation(self) -> str | None:
        """The id under which everything so far can be found; None when nothing is written down."""
        return None if self._journal is None else self._operation.id

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Commit the intent. Raises `Refused` when a journal is required and cannot be written."""
        if self._begun:
            fresh = [item for item in items if self._written.get(item.run) != item]
            self._written |= {item.run: item for item in items}
            if fresh:
                self._write(lambda journal, id: journal.join(id, fresh))
            return
        self._begun = True
        self._written = {item.run: item for item in items}
        try:
            journal = Journal.open(self._file)
            if self._resumed:
                journal.resume(self._operation.id, items, self._limits)
            else:
                journal.begin(self._operation, items, self._limits)
            self._journal = journal
        except JournalError as error:
            if self._required:
                raise Refused(
                    f"{error}; nothing was sent", hint="To continue without a journal: leave out --require-journal"
                ) from None
            self._warn(f"{error}: this cancel is not recorded and cannot be resumed")

    def record_read(self, entries: Sequence[tuple[str, PlanItem | None]]) -> None:
        """Commit what was read under references that were written down as intents; see `Journal.found`."""
        self._written |= {item.run: item for _, item in entries if item is not None}
        self._write(lambda journal, id: journal.record_read(id, entries))

    def responded(self, ref: str, answer: CancelResponse) -> None:
        """Commit an answer."""
        self._write(lambda journal, id: journal.responded(id, ref, answer))

    def observed(self, ref: str, run: Run, invocations: Sequence[Invocation]) -> None:
        """Readings are not kept."""

    def judged(self, outcome: Outcome) -> None:
        """Commit an outcome."""
        self._write(lambda journal, id: journal.judged(id, outcome))

    def tick(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """The end is written by `end`."""

    def end(self, exit_code: int) -> None:
        """Commit the end of the operation."""
        state = Stage.INTERRUPTED if exit_code > 128 else Stage.DONE
        self._write(lambda journal, id: journal.end(id, state, exit_code))
        if self._journal is not None:
            self._journal.close()

    def _write(self, write: Callable[[Journal, str], None]) -> None:
        if self._journal is None:
            return
        try:
            write(self._journal, self._operation.id)
        except JournalError as error:
            self._journal.close()
            self._journal = None
            self._warn(f"{error}: the rest is not recorded")


def new_operation(verb: str, argv: Sequence[str], reason: str | None) -> Operation:
    """An operation that begins now, by this user on this host."""
    return Operation(
        id=ulid(time.time(), random.SystemRandom().getrandbits(80)),
        at=datetime.now(UTC).replace(microsecond=0),
        user=_user(),
        host=socket.gethostname(),
        argv=tuple(redact(bare_urls(word)) for word in argv),
        reason=None if reason is None else redact(reason),
        verb=verb,
        state=Stage.OPEN,
    )


def ulid(seconds: float, chance: int) -> str:
    """A 26-character id that sorts by time: 48 bits of milliseconds, 80 of chance (https://github.com/ulid/spec)."""
    number = (int(seconds * 1000) << 80) | (chance & ((1 << 80) - 1))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this number
        return str(os.getuid())
