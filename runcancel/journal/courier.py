"""The one thread that uses the database of a team. Whoever waits for it gives it up in time, whatever hangs."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Generic, Protocol, TypeVar

from runcancel.errors import JournalError
from runcancel.journal.base import Database, Journal
from runcancel.journal.sql import SqlJournal

T = TypeVar("T")

_TOGETHER = 200  # writes that one transaction takes
_GRACE = 0.25  # seconds beyond a limit until a step counts as hung: the server's own limit comes first
_CALL = 10.0  # seconds that a caller waits at most
_END = 5.0  # seconds in which everything that was posted is done at the end
_POLL = 0.02  # seconds between two checks of a step that is waited for


class Checked(Database, Protocol):
    """A database that knows whether its tables are those of this program."""

    def check(self) -> None:
        """Raise `JournalError` if they are not."""


class Connect(Protocol):
    """Opens the database; it reports how long each step may take, and None after it."""

    def __call__(self, limit: Callable[[float | None], None], /) -> Checked:
        """The open database. Raises `JournalError`."""
        ...


class _Job(Generic[T]):
    """Work for the thread. Somebody waits for the result of a job that is not `posted`."""

    def __init__(self, work: Callable[[Journal], T], *, posted: bool) -> None:
        self.posted = posted
        self.done = Event()
        self.result: list[T] = []
        self._work = work

    def run(self, journal: Journal) -> None:
        self.result.append(self._work(journal))


class Courier:
    """Carries work to the database: at once and waited for, or posted and done soon, several in one transaction.

    The first failure is the last: from then on `failure` has it and nothing more is tried.
    """

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect = connect
        self._name = name
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._step = 0.0  # seconds that the current step may take
        self._due: float | None = None  # when it counts as hung
        self._failure: Exception | None = None
        self._ended = Event()
        Thread(target=self._serve, name="team-journal", daemon=True).start()

    @property
    def failure(self) -> Exception | None:
        """What went wrong; None as long as nothing did."""
        due = self._due
        if self._failure is None and due is not None and time.monotonic() > due:
            self._failure = self._silence(self._step)
        return self._failure

    def post(self, work: Callable[[Journal], object]) -> None:
        """Have this done soon, in the order of the calls. Raises what went wrong before."""
        self._put(_Job(work, posted=True))

    def call(
        self, work: Callable[[Journal], T], *, within: float = _CALL, pause: Callable[[float], None] | None = None
    ) -> T:
        """Have this done, after what was posted before, and wait for its result. Raises what went wrong.

        `within`: the seconds that this waits at most, whatever each step takes. `pause` is called while this waits;
        whatever it raises ends the waiting.
        """
        deadline = time.monotonic() + within
        job = _Job(work, posted=False)
        self._put(job)
        while not job.done.wait(_POLL):
            if time.monotonic() > deadline:
                self._failure = self.failure or self._silence(within)
            if self.failure is not None:
                raise self.failure
            if pause is not None:
                pause(0)
        if self._failure is not None:
            raise self._failure
        return job.result[0]

    def close(self) -> None:
        """Close the connection once everything that was posted is done. Raises what went wrong.

        A server that is too slow for what was posted is given up after some seconds: somebody waits for the report.
        """
        self._jobs.put(None)
        deadline = time.monotonic() + _END
        while not self._ended.wait(_POLL):
            if time.monotonic() > deadline:
                self._failure = self.failure or self._silence(_END)
            if self.failure is not None:
                break
        if self._failure is not None:
            raise self._failure

    def _put(self, job: _Job[Any]) -> None:
        if self.failure is not None:
            raise self.failure
        self._jobs.put(job)

    def _silence(self, seconds: float) -> JournalError:
        return JournalError(f"{self._name} cannot be used (no reply within {seconds:g} s)")

    def _limit(self, seconds: float | None) -> None:
        self._step = seconds or 0.0
        self._due = None if seconds is None else time.monotonic() + seconds + _GRACE

    def _serve(self) -> None:
        database: Checked | None = None
        try:
            database = self._connect(self._limit)
            database.check()
            self._work(database)
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            if self._failure is None:
                self._failure = error
        finally:
            self._due = None
            if database is not None:
                database.close()
            self._ended.set()

    def _work(self, database: Database) -> None:
        """Do what comes until the end is posted, or until a step failed or was given up."""
        journal = SqlJournal(database)
        while self._failure is None:
            jobs, is_last = self._next_jobs()
            with database.changed():
                for job in jobs:
                    job.run(journal)
            for job in jobs:
                job.done.set()
            if is_last:
                return

    def _next_jobs(self) -> tuple[list[_Job[Any]], bool]:
        """What is done in one transaction, and whether it is the last: posted work, or one job that is waited for."""
        jobs: list[_Job[Any]] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if not job.posted or len(jobs) == _TOGETHER:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True
