"""The bytes of one target on stdout."""

import sys
from collections.abc import Sequence

from runcancel.cli.session import Session
from runcancel.cli.support.named import NamedRuns
from runcancel.cli.support.stream import in_chunks
from runcancel.errors import CloudError, UsageError, exit_of_reading
from runcancel.model.logs import Capture
from runcancel.model.runs import InvocationFilter, Problem, Ref
from runcancel.model.states import Reason
from runcancel.render import End, raw


def write_raw(session: Session, subject: NamedRuns, criteria: InvocationFilter, *, chunk: int) -> int:
    """Write what one target wrote, byte for byte, and return the exit code.

    Raises `UsageError` for a terminal, for several runs and for several targets; then nothing was written.
    """
    if session.out.is_terminal:
        raise UsageError("--raw does not write to a terminal; nothing was sent", hint="redirect it: > FILE")
    if len(subject.references) > 1:
        raise UsageError(f"--raw takes one run, and {len(subject.references)} are named; nothing was sent")
    answer = raw(out=sys.stdout, notes=session.notes)
    (result,) = session.look_up(subject.references, full=False)
    problems = [*subject.gaps, *(() if result.problem is None else (result.problem,))]
    notes: list[str] = []
    if result.snapshot is not None:
        ref = result.snapshot.run.ref
        try:
            captures = _of_one(session, ref, criteria, chunk=chunk)
        except CloudError as error:
            problems.append(error.problem(ref=ref))
        else:
            if not captures:
                problems.append(Problem(code=Reason.NOT_FOUND, message="no target matches", ref=ref))
            for capture in captures:
                answer.put(_content(capture))
            notes += _notes(captures)
    code = exit_of_reading(problem.code for problem in problems)
    answer.end(End(exit_code=code, errors=tuple(problems), complete=not problems, notes=tuple(notes)))
    return code


def _of_one(session: Session, ref: Ref, criteria: InvocationFilter, *, chunk: int) -> list[Capture]:
    """The outputs of the only target, one for each of its steps. Raises `UsageError` when there are several."""
    captures: list[Capture] = []
    for capture in in_chunks(session, ref, lambda cloud: cloud.logs(ref, criteria), chunk=chunk):
        if captures and (capture.record.run, capture.record.id) != (captures[0].record.run, captures[0].record.id):
            raise UsageError(f"{ref}: --raw takes one target, and several match; nothing was written: add --target ID")
        captures.append(capture)
    return captures


def _content(capture: Capture) -> bytes:
    """Stdout in bytes; the text of a cloud that keeps text in UTF-8."""
    return (capture.record.stdout or "").encode("utf-8", "replace") if capture.content is None else capture.content


def _notes(captures: Sequence[Capture]) -> list[str]:
    records = [capture.record for capture in captures]
    ref = records[0].run if records else ""
    texts = any(capture.content is None and capture.record.stdout for capture in captures)
    facts = {
        "this cloud keeps text, not bytes: it was written as UTF-8": texts,
        "stderr was not written; see the command without --raw": any(record.stderr for record in records),
        "the cloud cut the output": any(record.truncated for record in records),
        "some bytes were broken in the reply": not all(capture.intact for capture in captures),
        **{record.note: True for record in records if record.note},
    }
    return [f"{ref}: {fact}" for fact, holds in facts.items() if holds]
