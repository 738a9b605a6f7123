"""`runcancel status`: the state of runs."""

from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.named import named_runs
from runcancel.errors import Exit, Interrupted, exit_of_reading
from runcancel.model.runs import Problem, Ref, Run, Snapshot
from runcancel.render import End
from runcancel.text import command


def status(
    session: Session,
    refs: options.References = None,
    *,
    from_: options.ReferenceFile = None,
    operation: options.OfOperation = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat until every run has ended.")] = False,
    script: Annotated[
        bool, typer.Option("--script", help="Print the script of each run (may contain secrets).")
    ] = False,
    who: Annotated[bool, typer.Option("--who", help="Look up in the cloud's audit log who sent each run.")] = False,
    trigger: Annotated[
        bool, typer.Option("--trigger", help="Find what started each run, and when that starts again.")
    ] = False,
    exit_status: Annotated[bool, typer.Option("--exit-status", help="Exit 9 if a run failed.")] = False,
) -> int:
    """Show the state of runs, one row per run.

    \b
    Examples:
      runcancel status inv-ib2lld37 -r ap-guangzhou
      runcancel status aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b
      runcancel status t-7d2a745b412b4601b2d47f6a768d0001 inv-ib2lld37 -o json
      runcancel status inv-ib2lld37 --watch --exit-status
      runcancel status inv-ib2lld37 --script --who
      runcancel status 02f05632-d0bc-470d-b1e5-c59a8d4f2a10 --trigger
      runcancel status --operation last --watch

    A bare AWS id is looked up among window executions, commands and automations,
    with read calls only. Exit codes: 0 read, 4 not permitted, 5 not found, 7
    incomplete, 9 with --exit-status when a run failed.
    """
    subject = named_runs(session, refs, from_, operation)
    results = session.look_up(subject.references)
    runs = {result.snapshot.run.ref: result.snapshot.run for result in results if result.snapshot is not None}
    problems = (*subject.gaps, *(result.problem for result in results if result.problem is not None))
    interrupted, stale = _follow(session, runs) if watch else (None, ())
    problems = (*problems, *stale)
    code = int(exit_of_reading(problem.code for problem in problems))
    if code == Exit.OK and exit_status and any(run.ended_badly for run in runs.values()):
        code = Exit.ENDED_BADLY
    code = code if interrupted is None else 128 + interrupted
    notes: tuple[str, ...] = ()
    if (script or who or trigger) and interrupted is None:
        from runcancel.cli.support.background import background

        try:
            runs, notes = background(session, runs, script=script, who=who, trigger=trigger)
        except Interrupted as signal:
            interrupted = signal.signum
            code = 128 + interrupted
    answer = session.writer("status")
    for run in runs.values():
        answer.row(run)
    alive = [run.ref for run in runs.values() if run.cancellable]
    next_ = session.suggest("To cancel it:", f"  {command('cancel', alive[0])}") if len(alive) == 1 else ()
    if watch and len(runs) > 1:
        from runcancel.render.screens.groups import totals

        next_ = (*next_, totals(tuple(runs.values())))
    complete = not problems and interrupted is None
    answer.end(End(exit_code=code, errors=problems, complete=complete, notes=(*notes, *next_)))
    return code


def _follow(session: Session, runs: dict[Ref, Run]) -> tuple[int | None, tuple[Problem, ...]]:
    """Read until every run has ended or cannot be read with these credentials; `runs` is kept up to date.

    The signal that ended it, and the runs whose latest reading failed.
    """
    from runcancel.cli.support.stale import Stale
    from runcancel.cli.support.watching import watch

    stale = Stale(session)
    open_runs = {ref: run for ref, run in runs.items() if not run.ended}
    try:
        for ref, answer in watch(session, open_runs, full=True, until=None):
            if isinstance(answer, Snapshot):
                stale.read(ref)
                runs[ref] = answer.run
                if answer.run.ended:
                    del open_runs[ref]
            elif stale.failed(ref, answer):
                del open_runs[ref]
    except Interrupted as signal:
        return signal.signum, stale.problems
    return None, stale.problems
