"""What is printed on stderr: problems with what to do about them, notes, hints."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TextIO

from runcancel.errors import CloudError, Refused, UsageError, clean
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason
from runcancel.redaction import redact
from runcancel.render.screens.terminal import encodes, is_terminal, width_of
from runcancel.render.sink import Sink
from runcancel.text import safe

PROGRAM = "runcancel"

_APART = 3  # problems of one sort that are printed one by one
_SHOWN = 10  # runs or scopes that are named where they are printed as one
_NAMED = 3  # names that stand for many in one line
_REGIONS = 4  # regions of one account that are printed one by one
_ACCOUNT = r"\b[0-9]{5,20}\b"
"""The number of an account: problems that differ in it alone have one cause."""

_ASCII = str.maketrans({"“": '"', "”": '"', "…": "...", "·": "-", "×": "x", "–": "-"})
_TYPOGRAPHIC = "“”…"
"""The characters of this program's own sentences that an encoding may lack, and what stands for them there."""

_SHORTEST = 5  # characters of a name that is taken out of a message


class Notes:
    """Stderr. `quiet` leaves errors only. On a terminal lines break at words."""

    def __init__(
        self, err: TextIO | None, *, quiet: bool = False, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._err = err
        self._sink = Sink(err)
        self._environ = environ
        self.quiet = quiet
        self.cut_off = False
        """Whether an answer on stdout could not be written to its end, for another reason than a reader that left."""
        self.aside: Callable[[], None] = lambda: None
        """Called before anything is printed: a board that is painted on stderr gives way."""

    def say(self, *sentences: str) -> None:
        """Print lines that may contain text of others, unless it should be quiet."""
        if not self.quiet:
            self.show(*sentences)

    def show(self, *sentences: str) -> None:
        """Print lines that may contain text of others, also with `--quiet`: a question follows them."""
        self.aside()
        self._write(*(safe(redact(sentence)) for sentence in sentences))

    def warn(self, sentence: str) -> None:
        """Print what a person must know though it stops nothing."""
        self.aside()
        self._write(f"{PROGRAM}: {safe(redact(sentence))}")

    def problem(self, *problems: Problem) -> None:
        """Print what went wrong and what to do about it; many problems of one sort are printed as one."""
        self.aside()
        self._write(*grouped_lines(problems))

    def _write(self, *lines: str) -> None:
        if not encodes(self._err, _TYPOGRAPHIC):
            lines = tuple(line.translate(_ASCII) for line in lines)
        if is_terminal(self._err):
            width = width_of(self._err, self._environ)
            lines = tuple(part for line in lines for part in _broken(line, width))
        self._sink.write("".join(f"{line}\n" for line in lines))


def _broken(line: str, width: int) -> Iterable[str]:
    if len(line) <= width and line.isascii():
        return (line,)
    from runcancel.render.screens.wrap import wrapped  # rich only where it is needed

    return wrapped(line, width)


def problem_of(error: CloudError | UsageError | Refused) -> Problem:
    """An expected failure as a record."""
    if isinstance(error, CloudError):
        return error.problem()
    reason = Reason.USAGE if isinstance(error, UsageError) else Reason.REFUSED
    return Problem(code=reason, message=clean(error.message) or "", hint=clean(error.hint))


def grouped_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """The lines of each problem in their order; more than `_APART` that differ in the run or scope alone are one."""
    groups: dict[Hashable, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(_sort_of(problem), []).append(problem)
    for sort, group in groups.items():
        if isinstance(sort, Problem):
            yield from problem_lines(sort)
        elif len(group) > _APART:
            yield from _group_lines(group)
        else:
            for problem in group:
                yield from problem_lines(problem)


def _sort_of(problem: Problem) -> Hashable:
    where = str(problem.ref or problem.scope or "")
    if not where or where in problem.message:
        return problem
    return (problem.ref is None, problem.code, _shared(problem), problem.provider_code, _general(problem.hint, where))


def _shared(problem: Problem) -> str:
    """The message without what differs from scope to scope: the number of an account, the region in a host name."""
    message = re.sub(_ACCOUNT, "…", problem.message)
    scope = problem.scope if not isinstance(problem.ref, Ref) else str(problem.ref.scope)
    region = (scope or "").rpartition(":")[2]
    return re.sub(rf"(?<=[.-]){re.escape(region)}(?=\.)", "REGION", message) if region else message


def _group_lines(group: Sequence[Problem]) -> Iterator[str]:
    """`runcancel: 23 runs: what`, then the first of them, a line each, then the hint."""
    first = group[0]
    names = [str(problem.ref or problem.scope or "") for problem in group]
    noun = "scopes" if first.ref is None else "runs"
    same = all(problem.message == first.message for problem in group)
    message = first.message if same else _shared(first)
    facts = f" [{first.provider_code}]" if first.provider_code and first.provider_code not in message else ""
    yield safe(redact(f"{PROGRAM}: {len(group):,} {noun}: {message}{facts}"))
    lines = names if first.ref is not None else list(by_account(names))
    yield from (f"  {safe(line)}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        more = f"{len(lines) - _SHOWN:,} more" + (" accounts" if len(lines) < len(names) else "")
        yield f"  … and {more} (-o json lists all)"
    if first.hint:
        yield f"  {safe(redact(_general(first.hint, names[0]) or ''))}"


def by_account(scopes: Sequence[str]) -> Iterator[str]:
    """Scopes in their order; many regions of one account are one line."""
    regions: dict[str, list[str]] = {}
    for scope in scopes:
        regions.setdefault(scope.rpartition(":")[0], []).append(scope)
    for account, members in regions.items():
        if account and len(members) > _REGIONS:
            yield f"{account}: {len(members):,} regions"
        else:
            yield from members


def _general(hint: str | None, where: str) -> str | None:
    """The hint for any run or scope in place of this one."""
    return None if hint is None else hint.replace(where, "REF")


def problem_lines(problem: Problem) -> tuple[str, ...]:
    """`runcancel: WHERE: what [vendor's code, request id]`, and a second line with the hint where there is one."""
    where = problem.scope if problem.ref is None else problem.ref.text
    prefix = f"{where}: " if where and where not in problem.message else ""
    facts = [problem.provider_code or "", f"request {problem.request_id}" if problem.request_id else ""]
    suffix = ", ".join(fact for fact in facts if fact and fact not in problem.message)
    first = f"{PROGRAM}: {prefix}{problem.message}" + (f" [{suffix}]" if suffix else "")
    return (safe(redact(first)), *((f"  {safe(redact(problem.hint))}",) if problem.hint else ()))


def cause_of(problem: Problem, name: object) -> str:
    """Its message with the vendor's code, and without the name of the run or scope that it is about."""
    message, where = problem.message, str(name)
    for part in (where, where.rpartition("/")[2]):
        message = message.replace(part, "…") if len(part) > _SHORTEST else message
    code = problem.provider_code
    return f"{message} [{code}]" if code and code not in message else message


def name_list(names: Sequence[object]) -> str:
    """The first few names, and how many more there are."""
    few = names if len(names) <= _NAMED + 1 else names[:_NAMED]
    return ", ".join(map(str, few)) + (f" and {len(names) - len(few):,} more" if len(few) < len(names) else "")


def collapsed(notes: Sequence[str]) -> Iterator[str]:
    """Notes that begin with the run they are about, `REF: what`; many that differ in the run alone are one."""
    groups: dict[str, list[str]] = {}
    for note in notes:
        ref, _, what = note.partition(": ")
        groups.setdefault(what if what and "/" in ref else note, []).append(note)
    for what, group in groups.items():
        yield from group if len(group) <= _APART else (f"{len(group):,} runs: {what}",)
