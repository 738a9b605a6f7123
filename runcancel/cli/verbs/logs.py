"""`runcancel logs`: the output of targets."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.cli.support.named import NamedRuns, named_runs
from runcancel.cli.support.remarks import Remarks
from runcancel.cli.support.stream import in_chunks
from runcancel.config.references import nearest, parse
from runcancel.engine.decoding import as_text, is_encoding
from runcancel.environment import plain
from runcancel.errors import CloudError, UsageError, exit_of_reading
from runcancel.model.logs import Output
from runcancel.model.runs import InvocationFilter, Run
from runcancel.model.states import State
from runcancel.render import ROW_FORMATS, End, Writer, lines
from runcancel.text import quoted

_CHUNK = 8  # outputs fetched ahead, each of up to 24 KB and, on AWS, a request of its own
_BAD = frozenset(state for state in State if state.ended_badly)
_HEADED = frozenset({"table", "wide"})
_FOLLOWED = ROW_FORMATS | _HEADED


_USUAL = ("utf-8", "utf-16", "gb18030", "big5", "shift_jis", "euc-kr", "windows-1252", "latin-1")


def _encodings() -> list[str]:
    """What completion offers, and what a mistyped name is compared with."""
    from encodings.aliases import aliases

    return sorted({*_USUAL, *(name.replace("_", "-") for name in aliases.values() if is_encoding(name))})


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
    follow: Annotated[
        bool, typer.Option("--follow", help="Print new output as it comes, until every selected target has ended.")
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="The encoding of the output, as in gb18030 [UTF-8, or UTF-16 where it shows].",
        ),
        Offers(_encodings),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes of one target, unchanged.")] = False,
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
      runcancel logs t-7d2a745b412b4601b2d47f6a768d0001 | grep ERROR
      runcancel logs inv-ib2lld37 -t ins-7ohwlx7u --no-prefix > its.log
      runcancel logs inv-ib2lld37 -o json
      runcancel logs --operation last --follow
      runcancel logs t-7d2a745b412b4601b2d47f6a768d0001 --encoding gb18030
      runcancel logs inv-ib2lld37 -t ins-7ohwlx7u --raw > its.bin

    On a terminal each target has a heading and indented text; lines of stderr
    start with err. In a pipe each line starts with its target (and stderr) and a
    tab; with several references, with the run. AWS keeps stdout and stderr apart
    and shows them when a step has ended; the other clouds merge both. Runs that
    a window or an automation started are included, one level deep. The clouds
    keep about 24 KB per target; notes report cut output and where all of it is.
    --follow prints plain lines, or rows of -o jsonl that hold what is new; Ctrl-C
    ends it. AWS keeps text, so --encoding and the bytes of --raw are its UTF-8.
    Control characters are escaped.
    Exit codes: 0 read, 4 not permitted, 5 not found, 7 incomplete.
    """
    criteria = InvocationFilter(
        task=None if task is None else plain("--task", task),
        targets=frozenset(options.targets(target)),
        states=_BAD if failed else frozenset(),
    )
    encoding_name = None if encoding is None else _encoding(encoding)
    if raw:
        alone = {"--tail": tail is not None, "--follow": follow, "--encoding": encoding is not None}
        _check_raw(session, alone | {"--prefix or --no-prefix": prefix is not None})
    if follow:
        _check_follow(session)
    if from_ is not None and not refs:
        _check_file(session, from_)
    subject = named_runs(session, refs, from_, operation)
    if raw:
        from runcancel.cli.support.raw import write_raw

        return write_raw(session, subject, criteria, chunk=_CHUNK)
    answer, as_lines = _writer(session, prefix, several=len(subject.references) > 1, follow=follow)
    if follow:
        from runcancel.cli.support.follow import Follower

        follower = Follower(session, subject, criteria, answer, encoding=encoding_name, tail=tail, apart=as_lines)
        return follower.until_ended()
    return _print(session, subject, criteria, answer, encoding=encoding_name, tail=tail, apart=as_lines)


def _print(
    session: Session,
    subject: NamedRuns,
    criteria: InvocationFilter,
    answer: Writer,
    *,
    encoding: str | None,
    tail: int | None,
    apart: bool,
) -> int:
    """Print the output that there is, run by run, and return the exit code. Arguments as of `Follower`."""
    results = session.look_up(subject.references, full=False)
    problems = [*subject.gaps, *(result.problem for result in results if result.problem is not None)]
    runs = {result.snapshot.run.ref: result.snapshot.run for result in results if result.snapshot is not None}
    notes: list[str] = []
    for run in runs.values():
        headed = not apart and session.format in _HEADED
        remarks = Remarks(run.ref, apart=apart, headed=headed, tail=tail is not None, encoding=encoding)
        try:
            for output in _outputs(session, run, criteria, encoding):
                remarks.add(output)
                answer.row(output if tail is None else output.last(tail))
                if answer.closed:
                    break
        except CloudError as error:
            problems.append(error.problem(ref=run.ref))
        else:
            notes += () if answer.closed else remarks.notes()
        if answer.closed:
            break
    code = exit_of_reading(problem.code for problem in problems)
    answer.end(End(exit_code=code, errors=tuple(problems), complete=not problems, notes=tuple(notes)))
    return code


def _outputs(session: Session, run: Run, criteria: InvocationFilter, encoding: str | None) -> Iterator[Output]:
    for capture in in_chunks(session, run.ref, lambda cloud: cloud.logs(run.ref, criteria), chunk=_CHUNK):
        yield as_text(capture, encoding)


def _encoding(name: str) -> str:
    """An encoding by any name that Python knows it by. Raises `UsageError` for another."""
    name = plain("--encoding", name)
    if not is_encoding(name):
        raise UsageError(
            f"--encoding does not accept “{name}”. Expected a name such as {', '.join(_USUAL)}"
            f"{nearest(name.lower(), _encodings())}; nothing was sent"
        )
    return name


def _check_file(session: Session, name: str) -> None:
    """Raise `UsageError` for a run in the place of a file: `-f` means follow in other tools."""
    if name == "-" or Path(name).exists():
        return
    try:
        run = parse(name).text
    except UsageError:
        return
    raise UsageError(
        f"-f reads references from a file, and “{quoted(run)}” is a run; nothing was sent",
        hint=f"To follow its output: {session.command('logs', run, '--follow')}",
    )


def _check_raw(session: Session, options: Mapping[str, bool]) -> None:
    """Raise `UsageError` for what cannot go with bytes."""
    used = [name for name, value in options.items() if value]
    used += [f"-o {session.format}"] if session.shaped else []
    if used:
        raise UsageError(f"--raw cannot be used with {used[0]}; nothing was sent")


def _check_follow(session: Session) -> None:
    """Raise `UsageError` for a format that is not whole before the end."""
    if session.shaped and (session.query is not None or session.format not in _FOLLOWED):
        what = "--query" if session.query is not None else f"-o {session.format}"
        raise UsageError(f"--follow cannot be used with {what}; nothing was sent", hint="for programs: -o jsonl")
    if session.table is not None and session.table.sort:
        raise UsageError("--follow cannot be used with --sort; nothing was sent")


def _writer(session: Session, prefix: bool | None, *, several: bool, follow: bool) -> tuple[Writer, bool]:
    """Where the answer goes, and whether it is plain lines. Raises `UsageError` for lines in another format."""
    if prefix is not None and session.shaped:
        raise UsageError(f"--prefix and --no-prefix cannot be used with -o {session.format}; nothing was sent")
    if prefix is None and (session.shaped or (session.out.is_terminal and not follow)):
        return session.writer("logs"), False
    return lines(out=sys.stdout, notes=session.notes, prefix=prefix is not False, by_run=several), True
