"""`runcancel logs`: the output of targets."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.named import named
from runcancel.cli.support.stream import in_chunks
from runcancel.config import references as refs_
from runcancel.environment import plain
from runcancel.errors import CloudError, UsageError, exit_of_reading
from runcancel.model.logs import Output
from runcancel.model.runs import InvocationFilter, Run
from runcancel.model.states import State
from runcancel.render import End, Writer, lines

_CHUNK = 8  # outputs fetched ahead, each of up to 24 KB and, on AWS, a request of its own
_NAMED = 3  # targets that a note names
_BAD = frozenset(state for state in State if state.ended_badly)


def logs(
    session: Session,
    refs: options.References = None,
    *,
    from_: options.ReferenceFile = None,
    operation: options.OfOperation = None,
    target: options.Targets = None,
    task: Annotated[str | None, typer.Option("--task", metavar="ID", help="Only this window task.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only targets that failed.")] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", metavar="N", min=1, max=options.MOST, help="Show only the last N lines of each stream."),
    ] = None,
    prefix: Annotated[
        bool | None,
        typer.Option("--prefix/--no-prefix", help="Print plain lines, with or without the target before each."),
    ] = None,
) -> int:
    """Show the output of each target: stdout and stderr.

    \b
    Examples:
      runcancel logs aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b
      runcancel logs inv-ib2lld37 --failed --tail 20
      runcancel logs t-7d2a745b412b4601 | grep ERROR
      runcancel logs inv-ib2lld37 -t ins-0a1b2c3d --no-prefix > its.log
      runcancel logs inv-ib2lld37 -o json

    On a terminal each target has a heading and indented text; lines of stderr
    start with err. In a pipe each line starts with its target (and stderr) and a
    tab; with several references, with the run. AWS keeps stdout and stderr apart
    and shows them when a step has ended; the other clouds merge both. Runs that
    a window or an automation started are included, one level deep. The clouds
    keep about 24 KB per target; notes report cut output and where all of it is.
    Control characters are escaped.
    Exit codes: 0 read, 4 not permitted, 5 not found, 7 a cloud did not reply.
    """
    criteria = InvocationFilter(
        task=None if task is None else plain("--task", task),
        targets=frozenset(options.targets(target)),
        states=_BAD if failed else frozenset(),
    )
    references = named(session, refs, from_, operation)
    answer, as_lines = _writer(session, prefix, several=len(references) > 1)
    results = session.look_at(references, full=False)
    problems = [result.problem for result in results if result.problem is not None]
    runs = {result.snapshot.run.ref: result.snapshot.run for result in results if result.snapshot is not None}
    notes: list[str] = []
    for run in runs.values():
        seen = _Seen(run.ref, apart=as_lines, tail=tail is not None)
        try:
            for output in _outputs(session, run, criteria):
                seen.add(output)
                answer.row(output if tail is None else output.last(tail))
                if answer.closed:
                    break
        except CloudError as error:
            problems.append(error.problem(ref=run.ref))
        else:
            notes += () if answer.closed else seen.notes()
        if answer.closed:
            break
    code = exit_of_reading(problem.code for problem in problems)
    answer.end(End(exit_code=code, errors=tuple(problems), complete=not problems, notes=tuple(notes)))
    return code


def _outputs(session: Session, run: Run, criteria: InvocationFilter) -> Iterator[Output]:
    ref = refs_.full(run.ref)
    return in_chunks(session, ref, lambda cloud: cloud.logs(ref, criteria), chunk=_CHUNK)


def _writer(session: Session, prefix: bool | None, *, several: bool) -> tuple[Writer, bool]:
    """Where the answer goes, and whether it is plain lines. Raises `UsageError` for lines in another format."""
    if prefix is not None and session.shaped:
        raise UsageError(f"--prefix and --no-prefix cannot be used with -o {session.format}; nothing was sent")
    if prefix is None and (session.shaped or session.out.is_terminal):
        return session.writer("logs"), False
    return lines(out=sys.stdout, notes=session.notes, prefix=prefix is not False, by_run=several), True


class _Seen:
    """What is to be said about the outputs of one run. `apart`: they are printed without their remarks."""

    def __init__(self, ref: str, *, apart: bool, tail: bool) -> None:
        self._ref = ref
        self._apart = apart
        self._tail = tail
        self._cut = False
        self._count = self._silent = 0
        self._said: dict[str, list[str]] = defaultdict(list)
        self._more: dict[str, int] = defaultdict(int)

    def add(self, output: Output) -> None:
        self._count += 1
        self._silent += output.silent
        self._cut |= output.truncated
        for remark in _kinds(output) if self._apart else ():
            self._more[remark] += 1
            if len(self._said[remark]) < _NAMED:
                self._said[remark].append(output.label)

    def notes(self) -> Iterator[str]:
        if not self._count:
            yield f"{self._ref}: no target matches"
            return
        if self._apart and self._silent == self._count:
            yield f"{self._ref}: no output"
        for remark, names in self._said.items():
            rest = self._more[remark] - len(names)
            yield f"{self._ref}: {remark}: {', '.join(names)}{f' and {rest:,} more' if rest else ''}"
        if self._tail and self._cut:
            yield f"{self._ref}: --tail counts from the end of the stored output, which may be incomplete"


def _kinds(output: Output) -> Iterator[str]:
    """Remarks that several outputs have in common."""
    if output.note:
        yield output.note
    if output.truncated:
        yield "the cloud cut the output"
    if output.damaged:
        yield "some of the output is not UTF-8 text"
    if output.location:
        yield "the full output is stored (location: -o json)"
    if output.upload_error:
        yield "the full output was not stored"
