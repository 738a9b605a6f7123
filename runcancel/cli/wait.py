"""`runcancel wait`: come back when runs are where they should be."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from runcancel import values
from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.errors import CloudError, Exit, Interrupted, UsageError, exit_of_reading
from runcancel.model import Problem, Run
from runcancel.refs import nearest
from runcancel.render import End
from runcancel.vocabulary import Reason, State

_ENDED = frozenset(state for state in State if state.over)
_GOALS: Mapping[str, frozenset[State]] = {
    "ended": _ENDED,
    "stopped": frozenset(state for state in State if state.stopped),
    **{state.value: frozenset({state}) for state in State},
}
_NEEDS_TARGETS = frozenset({"cancelled", "terminated"})  # a vendor has one word for both: its targets tell them apart


def wait(
    session: Session,
    refs: options.References,
    *,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="GOAL",
            help="ended, stopped or a state; any of several [ended].",
            autocompletion=lambda: [*_GOALS],
        ),
    ] = None,
    timeout: options.Timeout = None,
) -> int:
    """Wait until every run is where it should be.

    \b
    Examples:
      runcancel wait inv-ib2lld37
      runcancel wait inv-ib2lld37 --for stopped --for succeeded --timeout 10m
      runcancel cancel "$RUN" --no-wait && runcancel wait "$RUN" --for stopped

    It fails at once when a run has ended otherwise. Exit codes: 0 all are there,
    4 not permitted, 5 not found, 7 a cloud did not answer, 8 not in time, 9 one
    can no longer get there.
    """
    goals = tuple(values.plain("--for", part.strip()) for word in goal or ("ended",) for part in word.split(","))
    for word in goals:
        if word not in _GOALS:
            raise UsageError(f"--for has no “{word}”: there are {', '.join(_GOALS)}{nearest(word, _GOALS)}")
    wanted = frozenset(state for word in goals for state in _GOALS[word])
    seconds = session.patience(timeout)
    targets_too = not _NEEDS_TARGETS.isdisjoint(goals)
    sights = session.look(refs, full=targets_too)
    problems = [sight.problem for sight in sights if sight.problem is not None]
    runs = {sight.snapshot.run.ref: sight.snapshot.run for sight in sights if sight.snapshot is not None}
    interrupted: int | None = None
    if not problems:
        try:
            problems = _wait(session, runs, wanted, seconds, full=targets_too)
        except Interrupted as signal:
            interrupted = signal.signum
    answer = session.writer("wait")
    for run in runs.values():
        answer.row(run)
    missed = [run.ref for run in runs.values() if run.state.over and run.state not in wanted]
    notes = (f"cannot get there any more: {', '.join(missed)}",) if missed else ()
    code = _code(problems, missed) if interrupted is None else 128 + interrupted
    complete = interrupted is None and not problems
    answer.end(End(exit_code=code, errors=tuple(problems), complete=complete, notes=notes))
    return code


def _wait(
    session: Session, runs: dict[str, Run], wanted: frozenset[State], seconds: float, *, full: bool
) -> list[Problem]:
    """Look until all runs are where they should be, one cannot get there, or time is up; `runs` is kept up to date."""
    left = {ref: run for ref, run in runs.items() if run.state not in wanted}
    if any(run.state.over for run in left.values()):
        return []
    deadline = session.workers.clock.monotonic() + seconds
    last: dict[str, Problem] = {}
    for ref, answer in session.follow(left, full=full, until=deadline):
        if isinstance(answer, CloudError):
            last[ref] = answer.problem(ref=ref)
            continue
        runs[ref] = answer.run
        last.pop(ref, None)
        if answer.run.state in wanted:
            del left[ref]
        elif answer.run.state.over:
            return []
    return [last.get(ref) or _late(ref, run, seconds) for ref, run in runs.items() if ref in left]


def _late(ref: str, run: Run, seconds: float) -> Problem:
    message = f"still {run.state} after {seconds:g} s"
    return Problem(code=Reason.TIMED_OUT, message=message, retryable=True, ref=ref)


def _code(problems: Sequence[Problem], missed: Sequence[str]) -> int:
    if missed:
        return Exit.ENDED_BADLY
    if any(problem.code is Reason.TIMED_OUT for problem in problems):
        return Exit.NOT_SEEN
    return exit_of_reading(problem.code for problem in problems)
