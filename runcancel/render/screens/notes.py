"""What is said on stderr: problems with what to do about them, notes, hints."""

from collections.abc import Callable
from typing import TextIO

from runcancel.errors import CloudError, Refused, UsageError, clean
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.redaction import redact
from runcancel.render.sink import Sink
from runcancel.text import safe

PROGRAM = "runcancel"


class Notes:
    """Stderr. `quiet` leaves errors only."""

    def __init__(self, err: TextIO | None, *, quiet: bool = False) -> None:
        self._sink = Sink(err)
        self.quiet = quiet
        self.cut_off = False
        """Whether an answer on stdout could not be written to its end, for another reason than a reader that left."""
        self.aside: Callable[[], None] = lambda: None
        """Called before anything is said: a board that is painted on stderr gives way."""

    def say(self, *sentences: str) -> None:
        """Say lines that may contain text of others, unless it should be quiet."""
        if not self.quiet:
            self.aside()
            self._sink.write("".join(f"{safe(redact(sentence))}\n" for sentence in sentences))

    def warn(self, sentence: str) -> None:
        """Say what a person must know though it stops nothing."""
        self.aside()
        self._sink.write(f"{PROGRAM}: {safe(redact(sentence))}\n")

    def problem(self, problem: Problem) -> None:
        """Say what went wrong and what to do about it."""
        self.aside()
        self._sink.write("".join(f"{line}\n" for line in problem_lines(problem)))


def problem_of(error: CloudError | UsageError | Refused) -> Problem:
    """An expected failure as a record."""
    if isinstance(error, CloudError):
        return error.problem()
    reason = Reason.USAGE if isinstance(error, UsageError) else Reason.REFUSED
    return Problem(code=reason, message=clean(error.message) or "", hint=clean(error.hint))


def problem_lines(problem: Problem) -> tuple[str, ...]:
    """`runcancel: WHERE: what [vendor's code, request id]`, and a second line with the hint where there is one."""
    where = problem.ref or problem.scope
    prefix = f"{where}: " if where and where not in problem.message else ""
    facts = [problem.provider_code or "", f"request {problem.request_id}" if problem.request_id else ""]
    suffix = ", ".join(fact for fact in facts if fact and fact not in problem.message)
    first = f"{PROGRAM}: {prefix}{problem.message}" + (f" [{suffix}]" if suffix else "")
    return (safe(redact(first)), *((f"  {safe(redact(problem.hint))}",) if problem.hint else ()))
