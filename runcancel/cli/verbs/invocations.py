"""`runcancel invocations`: the targets of runs."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.cli.support.named import named_runs
from runcancel.cli.support.stream import in_chunks
from runcancel.config.references import nearest
from runcancel.environment import plain
from runcancel.errors import CloudError, UsageError, exit_of_reading
from runcancel.model.runs import Invocation, InvocationFilter, Run, Snapshot
from runcancel.model.states import State
from runcancel.providers import kind_of
from runcancel.render import End, Writer

_CHUNK = 200  # rows fetched ahead per run: what bounds the memory


def invocations(
    session: Session,
    refs: options.References = None,
    *,
    from_: options.ReferenceFile = None,
    operation: options.OfOperation = None,
    task: Annotated[str | None, typer.Option("--task", metavar="ID", help="Only this window task.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATE",
            help="Only targets in this state (repeatable).",
        ),
        Offers(lambda: list(State)),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", metavar="ID", help="Only this target (repeatable).")
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="N", min=0, max=options.MOST, help="Show at most N rows per run; 0 means all."),
    ] = 0,
    parameters: Annotated[bool, typer.Option("--parameters", help="Show parameters (may contain secrets).")] = False,
) -> int:
    """Show the targets of runs, one row per target.

    \b
    Examples:
      runcancel invocations 02f05632-d0bc-470d-b1e5-c59a8d4f2a10 -r us-east-2
      runcancel invocations inv-ib2lld37 --status running
      runcancel invocations t-7d2a745b412b4601b2d47f6a768d0001 --limit 5 -o json

    All pages are read. A window task without invocations is one row without a
    target. The column child shows the run that an invocation started. Exit codes:
    0 read, 4 not permitted, 5 not found, 7 incomplete.
    """
    criteria = InvocationFilter(
        task=None if task is None else plain("--task", task),
        states=_states(status or ()),
        targets=frozenset(plain("--target", one) for one in target or ()),
        limit=limit + 1 if limit else 0,  # one more row shows whether there are more
        parameters=parameters,
    )
    everything = not (task or status or target or limit)
    subject = named_runs(session, refs, from_, operation)
    results = session.look_up(subject.references, full=False)
    problems = [*subject.gaps, *(result.problem for result in results if result.problem is not None)]
    snapshots = {result.snapshot.run.ref: result.snapshot for result in results if result.snapshot is not None}
    answer = session.writer("invocations")
    notes: list[str] = []
    truncated = False
    for snapshot in snapshots.values():
        run = snapshot.run
        try:
            rows = _rows_read(snapshot, criteria) or _rows(session, run, criteria)
            shown, more = _show(rows, answer, limit=limit)
        except CloudError as error:
            problems.append(error.problem(ref=run.ref))
            continue
        truncated |= more
        if not (shown or everything or answer.closed) and (task or target or session.err.is_terminal):
            notes.append(f"{run.ref}: no target matches")
        if more:
            notes.append(f"{run.ref}: {shown} shown, there are more")
        elif everything and not answer.closed and (rest := (run.target_count or 0) - shown) > 0:
            notes.append(f"{run.ref}: {rest} targets not yet listed")
        if answer.closed:
            break
    code = exit_of_reading(problem.code for problem in problems)
    answer.end(
        End(exit_code=code, errors=tuple(problems), complete=not problems, truncated=truncated, notes=tuple(notes))
    )
    return code


def _rows_read(snapshot: Snapshot, criteria: InvocationFilter) -> Iterator[Invocation] | None:
    """The rows, if the reading of the run has them already: nothing is read twice."""
    whole = kind_of(snapshot.run.ref).read_whole and snapshot.run.counts is not None
    return filter(criteria.matches, snapshot.invocations) if whole else None


def _show(rows: Iterator[Invocation], answer: Writer, *, limit: int) -> tuple[int, bool]:
    """Write rows up to the limit; how many were shown, and whether more exist."""
    shown = 0
    for row in rows:
        if answer.closed:
            return shown, False
        if limit and shown == limit:
            return shown, True
        answer.row(row)
        shown += 1
    return shown, False


def _rows(session: Session, run: Run, criteria: InvocationFilter) -> Iterator[Invocation]:
    ref = run.ref
    return in_chunks(session, ref, lambda cloud: cloud.invocations(ref, criteria), chunk=_CHUNK)


def _states(words: Sequence[str]) -> frozenset[State]:
    states = [part for word in words for part in plain("--status", word).split(",")]
    for word in states:
        if word not in tuple(State):
            raise UsageError(
                f"--status “{word}” is not a state. Expected one of: {', '.join(State)}{nearest(word, State)}"
            )
    return frozenset(State(word) for word in states)
