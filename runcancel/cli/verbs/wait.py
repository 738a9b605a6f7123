"""`runcancel wait`: return when runs have reached a state."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer
from msgspec import Struct, structs

from runcancel import environment
from runcancel.cli import options
from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.cli.support.named import named_runs
from runcancel.cli.support.stale import Stale
from runcancel.cli.support.watching import watch
from runcancel.config.references import Reference, nearest
from runcancel.engine.lookup import LookupResult
from runcancel.engine.poll import FIRST_PAUSE
from runcancel.engine.verdict import only_reported
from runcancel.errors import CloudError, Exit, Interrupted, UsageError, exit_of_reading
from runcancel.model.runs import Problem, Ref, Run, Snapshot
from runcancel.model.states import Reason, State
from runcancel.render import End
from runcancel.render.screens.notes import name_list

_ENDED = frozenset(state for state in State if state.over)
_GOALS: Mapping[str, frozenset[State]] = {
    "ended": _ENDED,
    "stopped": frozenset(state for state in State if state.stopped),
    **{state.value: frozenset({state}) for state in State},
}


def wait(
    session: Session,
    refs: options.References = None,
    *,
    from_: options.ReferenceFile = None,
    operation: options.OfOperation = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="GOAL",
            help="ended, stopped or a state (repeatable: any of them) [ended].",
        ),
        Offers(lambda: [*_GOALS]),
    ] = None,
    timeout: options.Timeout = None,
    accept_reported: options.AcceptReported = False,
) -> int:
    """Wait until every run reaches a state.

    \b
    Examples:
      runcancel wait inv-ib2lld37
      runcancel wait inv-ib2lld37 --for stopped --for succeeded --timeout 10m
      runcancel cancel "$RUN" --no-wait && runcancel wait "$RUN" --for stopped
      runcancel wait --operation last --timeout 30m

    A run has ended when it and every listed target have ended. It fails at once
    when a run ends in another state. A run that cannot be read, because it is not
    found, credentials are refused or a cloud does not reply, ends no wait for the
    others. With --timeout it also waits for a run that is not listed yet. Exit codes:
    0 goal reached, 4 not permitted, 5 not found, 7 incomplete,
    8 timed out, or the stop is only reported, 9 the goal cannot be reached.
    """
    goals = tuple(environment.plain("--for", part.strip()) for word in goal or ("ended",) for part in word.split(","))
    for word in goals:
        if word not in _GOALS:
            goals_there = ", ".join(_GOALS)
            raise UsageError(f"--for does not accept “{word}”. Expected one of: {goals_there}{nearest(word, _GOALS)}")
    goal_states = frozenset(state for word in goals for state in _GOALS[word])
    stops = "ended" not in goals and any(state.stopped for state in goal_states)
    environment.check_partner("--accept-reported", "--for stopped", is_given=accept_reported, is_there=stops)
    seconds = session.wait_timeout(timeout)
    goal_ = _Goal(goal_states, accept_reported=accept_reported or "ended" in goals)
    began = session.workers.clock.monotonic()
    subject = named_runs(session, refs, from_, operation)
    results = _listed(session, subject.references, None if timeout is None else began + seconds)
    unread = {one.unseen: one.problem for one in results if one.unseen and one.problem and one.problem.retryable}
    problems = [*subject.gaps]
    problems += [one.problem for one in results if one.problem is not None and one.problem not in unread.values()]
    runs = {result.snapshot.run.ref: result.snapshot for result in results if result.snapshot is not None}
    interrupted: int | None = None
    if runs or unread:
        try:
            problems += _wait(session, runs, unread, goal_, seconds, until=began + seconds)
        except Interrupted as signal:
            interrupted = signal.signum
    answer = session.writer("wait")
    for snapshot in runs.values():
        answer.row(snapshot.run)
    missed = [ref for ref, snapshot in runs.items() if goal_.missed(snapshot.run)]
    complete = interrupted is None and not problems
    problems += [_unconfirmed(ref) for ref, snapshot in runs.items() if goal_.only_reported(snapshot)]
    notes = (f"can no longer reach the goal: {name_list(missed)}",) if missed else ()
    code = _code(problems, missed) if interrupted is None else 128 + interrupted
    answer.end(End(exit_code=code, errors=tuple(problems), complete=complete, notes=notes))
    return code


class _Goal(Struct, frozen=True):
    """The goal of the runs. An ended state counts once every listed target has ended, too."""

    states: frozenset[State]
    accept_reported: bool

    def reached(self, run: Run) -> bool:
        """Whether the run has reached the goal."""
        return run.state in self.states and (run.ended or not run.state.over)

    def missed(self, run: Run) -> bool:
        """Whether the run can no longer reach the goal."""
        return run.ended and run.state not in self.states

    def only_reported(self, snapshot: Snapshot) -> bool:
        """Whether a stop that was waited for is no more than the cloud's report."""
        return (
            not self.accept_reported
            and snapshot.run.state.stopped
            and self.reached(snapshot.run)
            and only_reported(snapshot)
        )


def _listed(session: Session, references: Sequence[Reference], until: float | None) -> list[LookupResult]:
    """Read the runs. With `until`, runs that are not found are read again until then: one may not be listed yet."""
    results = {result.reference: result for result in session.look_up(references)}
    clock = session.workers.clock
    missing = _not_found(results.values())
    if missing and until is not None and clock.monotonic() < until:
        names = ", ".join(reference.text for reference in missing)
        session.notes.say(f"not found yet: {names}; retrying until the timeout")
    while missing and until is not None and (seconds := until - clock.monotonic()) > 0:
        session.workers.pause(min(FIRST_PAUSE * 2, seconds))
        results |= {result.reference: result for result in session.look_up(missing)}
        missing = _not_found(results.values())
    return [results[reference] for reference in references]


def _not_found(results: Iterable[LookupResult]) -> list[Reference]:
    return [result.reference for result in results if result.problem and result.problem.code is Reason.NOT_FOUND]


def _wait(
    session: Session,
    runs: dict[Ref, Snapshot],
    unread: Mapping[Ref, Problem],
    goal: _Goal,
    seconds: float,
    *,
    until: float,
) -> list[Problem]:
    """Look until all runs are where they should be, one cannot get there, or time is up; `runs` is kept up to date.

    What is `unread` is read again with the others. Refused credentials end the reading of the runs that they are for.
    """
    open_runs: dict[Ref, Run | None] = dict.fromkeys(unread)
    open_runs |= {ref: snapshot.run for ref, snapshot in runs.items() if not goal.reached(snapshot.run)}
    if any(run is not None and goal.missed(run) for run in open_runs.values()):
        return [*unread.values()]
    stale, denied = Stale(session), set[Ref]()
    for ref, answer in watch(session, open_runs, full=True, until=until):
        if isinstance(answer, CloudError):
            if stale.failed(ref, answer):
                denied.add(ref)
                del open_runs[ref]
            continue
        stale.read(ref)
        runs[ref] = answer
        if goal.reached(answer.run):
            del open_runs[ref]
        elif goal.missed(answer.run):
            failures = _failures(runs, unread, stale)
            return [problem for ref, problem in failures.items() if ref in denied or ref not in runs]
    failures = _failures(runs, unread, stale)
    late = [
        _late(ref, runs[ref].run, seconds, failures.get(ref)) if ref in runs else _never_read(failures[ref], seconds)
        for ref in open_runs
    ]
    return [*(failures[ref] for ref in denied), *late]


def _failures(runs: Mapping[Ref, Snapshot], unread: Mapping[Ref, Problem], stale: Stale) -> dict[Ref, Problem]:
    """Why the latest reading of a run failed, for each whose latest reading did."""
    first = {ref: problem for ref, problem in unread.items() if ref not in runs}
    return first | {problem.ref: problem for problem in stale.problems if isinstance(problem.ref, Ref)}


def _unconfirmed(ref: Ref) -> Problem:
    message = "the cloud reports it stopped; this is not verified"
    hint = "To count reported stops as stopped: add --accept-reported"
    return Problem(code=Reason.UNCONFIRMED, message=message, hint=hint, ref=ref)


def _never_read(failure: Problem, seconds: float) -> Problem:
    """Time is up, and nothing is known of the run: the reading is incomplete, which is no timeout of a run."""
    message = f"the goal was not seen within {seconds:g} s; it was never read: {failure.message}"
    return structs.replace(failure, message=message)


def _late(ref: Ref, run: Run, seconds: float, failure: Problem | None) -> Problem:
    """Time is up. `failure` is why the run could not be read again, and since when."""
    open_states = [state for state in run.counts or () if not state.over]
    state = max(open_states, key=lambda one: one.openness) if run.state.over and open_states else run.state
    if failure is not None:
        message = f"the goal was not seen within {seconds:g} s; {state} when last read, {failure.message}"
        return structs.replace(failure, code=Reason.TIMED_OUT, message=message, retryable=True)
    message = f"still {state} after {seconds:g} s"
    return Problem(code=Reason.TIMED_OUT, message=message, retryable=True, ref=ref)


def _code(problems: Sequence[Problem], missed: Sequence[Ref]) -> int:
    if missed:
        return Exit.ENDED_BADLY
    if any(problem.code in (Reason.TIMED_OUT, Reason.UNCONFIRMED) for problem in problems):
        return Exit.NOT_SEEN
    return exit_of_reading(problem.code for problem in problems)
