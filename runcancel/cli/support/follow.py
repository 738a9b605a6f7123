"""New output of runs as it comes, until every selected target has ended."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

from runcancel.cli.session import Session
from runcancel.cli.support.named import NamedRuns
from runcancel.cli.support.remarks import Remarks
from runcancel.cli.support.stale import Stale
from runcancel.engine.connections import Batch, Clouds, read
from runcancel.engine.decoding import as_text
from runcancel.engine.growth import BEGIN, Marks, fresh
from runcancel.engine.lookup import Lookup, LookupResponse, Probe, answers
from runcancel.errors import RETRYABLE, CloudError, Interrupted, exit_of_reading
from runcancel.model.logs import Capture, Finished, Output
from runcancel.model.runs import InvocationFilter, Problem, Ref, Run
from runcancel.providers import kind_of
from runcancel.render import End, Writer
from runcancel.runtime.workers import TaskGroup

_CHUNK = 8  # outputs that one task reads
_SHORTEST, _LONGEST = 1.0, 5.0  # seconds between two readings of a run: while it writes, and while it is silent
_LISTEN = 0.5  # seconds after which it is looked whether somebody still reads
_SLOWER = 1.5  # how much longer the pause gets after a reading that brought nothing

_Step = Callable[[], Callable[[], None]]
"""A task: it reads on a worker, and returns what the caller's thread does with the reading."""


class Follower:
    """Reads every run again and again, each by itself: one that does not answer delays no other.

    Kept in memory is one mark for each output that still grows, never its text. `apart` as for `Remarks`.
    """

    def __init__(
        self,
        session: Session,
        subject: NamedRuns,
        criteria: InvocationFilter,
        answer: Writer,
        *,
        encoding: str | None,
        tail: int | None,
        apart: bool,
    ) -> None:
        self._session = session
        self._lookup = Lookup(subject.references, session.settings)
        self._criteria = criteria
        self._answer = answer
        self._encoding = encoding
        self._tail = tail
        self._apart = apart
        self._readings: dict[Ref, _Reading] = {}
        self._problems: list[Problem] = [*subject.gaps]
        self._stale = Stale(session)
        self._open = 0  # tasks that are out
        self._tasks = TaskGroup[_Step, Callable[[], None]](session.workers, lambda step: step())

    def until_ended(self) -> int:
        """Print what arrives, and return the exit code. Ends early after a signal, and if the reader is gone."""
        self._session.tell_origins(self._lookup.unread)
        interrupted: int | None = None
        try:
            for probe in self._lookup.probes:
                self._submit(partial(self._look_up, probe), probe, after=0)
            while self._open and not self._answer.reader_left():
                done = self._tasks.next(_LISTEN)
                if done is not None:
                    self._open -= 1
                    done.value()()
        except Interrupted as signal:
            interrupted = signal.signum
        finally:
            self._tasks.close()
        problems = (*self._problems, *self._stale.problems)
        code = int(exit_of_reading(problem.code for problem in problems)) if interrupted is None else 128 + interrupted
        complete = not problems and interrupted is None
        self._answer.end(End(exit_code=code, errors=problems, complete=complete, notes=tuple(self._notes())))
        return code

    def _notes(self) -> Iterator[str]:
        for reading in self._readings.values():
            yield from reading.remarks.notes() if reading.ended and not self._answer.closed else ()

    def _submit(self, step: _Step, reader: "Probe | _Reading", *, after: float) -> None:
        self._open += 1
        not_before = self._session.workers.clock.monotonic() + after
        self._tasks.submit(step, queue=reader.scope, not_before=not_before if after else None)

    def _look_up(self, probe: Probe) -> Callable[[], None]:
        session, unchecked = self._session, self._lookup.unchecked
        results = answers(session.clouds, probe, session.workers.clock, full=False, unchecked=unchecked)
        return partial(self._looked_up, probe, results)

    def _looked_up(self, probe: Probe, responses: Sequence[LookupResponse]) -> None:
        for result in self._lookup.took(probe.scope, responses):
            if result.note:
                self._session.notes.say(f"note: {result.note}")
            if result.problem is not None:
                self._give_up(result.problem)
            elif result.snapshot is not None and result.snapshot.run.ref not in self._readings:
                run = result.snapshot.run
                remarks = Remarks(run.ref, apart=self._apart, tail=self._tail is not None, encoding=self._encoding)
                reading = self._readings[run.ref] = _Reading(run, self._criteria, remarks)
                self._stale.read(run.ref)
                self._submit(partial(self._read, reading), reading, after=0)

    def _read(self, reading: "_Reading") -> Callable[[], None]:
        try:
            rows = reading.some(self._session.clouds)
        except CloudError as error:
            return partial(self._failed, reading, error)
        return partial(self._took, reading, rows)

    def _took(self, reading: "_Reading", rows: Sequence[Capture]) -> None:
        for capture in rows:
            output = reading.fresh(capture, self._encoding, self._tail)
            if output is not None:
                self._answer.row(output)
        if len(rows) == _CHUNK:
            self._submit(partial(self._read, reading), reading, after=0)
            return
        self._stale.read(reading.ref)
        pause = reading.end_round()
        if not reading.ended:
            self._submit(partial(self._read, reading), reading, after=pause)

    def _failed(self, reading: "_Reading", error: CloudError) -> None:
        if error.reason in RETRYABLE:
            self._stale.failed(reading.ref, error)
            self._submit(partial(self._read, reading), reading, after=reading.restart())
        else:
            self._give_up(error.problem(ref=reading.ref))

    def _give_up(self, problem: Problem) -> None:
        """Keep a problem for the end, and print it at once where others go on."""
        self._problems.append(problem)
        if self._open:
            where = problem.ref or problem.scope
            self._session.notes.say(f"{where}: {problem.message}" if where else problem.message)


class _Reading:
    """One run that is followed: rounds of readings of its outputs, a chunk at a time."""

    def __init__(self, run: Run, criteria: InvocationFilter, remarks: Remarks) -> None:
        self.ref = run.ref
        self.scope = run.ref.scope
        self.remarks = remarks
        self.ended = False
        self._criteria = criteria
        self._over = run.state.over  # as read before the round: what was written by then is in it
        self._reading_is_new = True  # whether this round needs no other reading of the run
        self._rows: Iterator[Capture] | None = None
        self._finished = Finished()
        self._marks: dict[tuple[Ref, str, str | None], Marks] = {}
        self._targets: set[str] = set()  # those whose output has ended
        self._children: dict[Ref, bool] = {}  # runs that this one started, and whether all of this round has ended
        self._growing = self._wrote = False
        self._pause = _SHORTEST

    def some(self, clouds: Clouds) -> Sequence[Capture]:
        """The next outputs of this round; fewer than `_CHUNK` are its last. Call it on a worker."""
        if self._rows is None:
            if not self._reading_is_new:
                self._over = _is_over(clouds, self)
            self._reading_is_new = False
            self._rows = clouds.at(self.scope).logs(self.ref, self._criteria, self._finished)
        return tuple(islice(self._rows, _CHUNK))

    def fresh(self, capture: Capture, encoding: str | None, tail: int | None) -> Output | None:
        """What is new of an output: more text, or that it has ended; None for neither."""
        record = capture.record
        if record.key in self._finished.outputs:
            return None
        before = self._marks.get(record.key)
        output, marks = fresh(capture, before or BEGIN, encoding)
        if before is None and tail is not None:
            output = output.last(tail)
        if record.run != self.ref:
            self._children[record.run] = self._children.get(record.run, True) and record.state.over
        if record.state.over:
            self._finished.outputs.add(record.key)
            self._marks.pop(record.key, None)
            self._targets |= {record.target} if record.target and record.parent is None else set()
            self.remarks.add(as_text(capture, encoding))
        else:
            self._growing = True
            self._marks[record.key] = marks
        self._wrote |= not output.silent
        return None if output.silent and not record.state.over else output

    def end_round(self) -> float:
        """Note that all outputs were read once more; the seconds until the next time."""
        targets = self._criteria.targets
        self.ended = not self._growing and (self._over or (bool(targets) and targets <= self._targets))
        self._finished.runs.update(child for child, over in self._children.items() if over)
        self._pause = _SHORTEST if self._wrote else min(_LONGEST, self._pause * _SLOWER)
        return self.restart()

    def restart(self) -> float:
        """Begin another round; the seconds until then."""
        self._rows = None
        self._children.clear()
        self._growing = self._wrote = False
        return self._pause


def _is_over(clouds: Clouds, reading: _Reading) -> bool:
    """Whether the run has ended. Raises `CloudError`."""
    batch = Batch(scope=reading.scope, kind=kind_of(reading.ref), refs=(reading.ref,))
    ((_, answer),) = read(clouds, batch, full=False)
    if isinstance(answer, CloudError):
        raise answer
    return answer.run.state.over
