"""Runs that are read again and again while somebody waits."""

from collections.abc import Iterator, Mapping

from runcancel.cli.session import Session
from runcancel.engine.connections import Batch, read
from runcancel.engine.poll import LONGEST_PAUSE, Readings, Watch
from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Run, Snapshot
from runcancel.runtime.throttle import no_later_than
from runcancel.runtime.workers import TaskGroup


def watch(
    session: Session, runs: Mapping[Ref, Run | None], *, full: bool, until: float | None
) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
    """Read the runs in `runs` again and again, telling on stderr what is seen; the caller takes out what is done.
    A run that was not read yet is None.

    Ends when `runs` is empty or at the monotonic second `until`. Raises `Interrupted`.
    """

    def read_batch(batch: Batch) -> Readings:
        with no_later_than(session.workers.clock.monotonic() + LONGEST_PAUSE):  # the next round reads again
            return read(session.clouds, batch, full=full)

    tasks = TaskGroup[Batch, Readings](session.workers, read_batch)
    rounds = Watch(tasks, session.workers.clock)
    for ref in runs:
        rounds.add(ref)
    shown = session.progress(
        cancels=False, timeout=None if until is None else until - session.workers.clock.monotonic()
    )
    for ref, run in runs.items():
        if run is not None:
            shown.observed(ref, run, ())
    try:
        while runs and (until is None or session.workers.clock.monotonic() < until):
            for ref, answer in rounds.next() or ():
                if isinstance(answer, Snapshot):
                    shown.observed(ref, answer.run, answer.invocations)
                yield ref, answer
                if ref not in runs:
                    rounds.drop(ref)
    finally:
        shown.close()
