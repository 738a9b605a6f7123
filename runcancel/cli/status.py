"""`runcancel status`: where runs stand."""

from typing import Annotated

import typer

from runcancel.cli.session import Session
from runcancel.errors import Exit, exit_of_reading
from runcancel.render import End


def status(
    session: Session,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Runs: [provider:][region:][kind/]id.")],
    exit_status: Annotated[bool, typer.Option("--exit-status", help="Exit 9 if a run ended badly.")] = False,
) -> int:
    """Show where runs stand, one row per run.

    \b
    Examples:
      runcancel status inv-ib2lld37 -r ap-guangzhou
      runcancel status aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b
      runcancel status t-7d2a745b412b4601 inv-ib2lld37 -o json

    A bare AWS id is looked for among window executions, commands and automations,
    by reading only. Exit codes: 0 read, 4 not permitted, 5 not found, 7 a cloud
    did not answer, 9 with --exit-status when a run ended badly.
    """
    sights = session.look(refs, full=True)
    runs = [sight.snapshot.run for sight in sights if sight.snapshot is not None]
    problems = tuple(sight.problem for sight in sights if sight.problem is not None)
    code = exit_of_reading(problem.code for problem in problems)
    if code is Exit.OK and exit_status and any(run.state.ended_badly for run in runs):
        code = Exit.ENDED_BADLY
    answer = session.writer("status")
    for run in runs:
        answer.row(run)
    answer.end(End(exit_code=code, errors=problems, complete=not problems))
    return code
