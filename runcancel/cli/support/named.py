"""The runs that a reading verb is about: typed, in a file, or of an operation in the journal."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from runcancel import environment
from runcancel.cli.session import Session
from runcancel.cli.support.files import called, text_of
from runcancel.config.references import Reference, as_written, parse_all, unique
from runcancel.errors import CloudError, JournalError, Refused, UsageError
from runcancel.model.outcomes import Operation
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.model.triggers import TRIGGER_VERBS
from runcancel.text import command, quoted

if TYPE_CHECKING:  # most runs are typed
    from runcancel.engine.saved import ReferenceList
    from runcancel.journal.base import Journal

LAST = "last"
"""The word for the newest operation."""

_ID = r"[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{1,26}"
"""An id of an operation, or the beginning of one."""

_LARGEST = 256 * 1024 * 1024  # bytes of a file of references
_OF_CANCEL = {"run": "ref", "outcome": "run"}
"""Lines of jsonl that name a run to read, each with the key of the reference: what `list` and `cancel` print."""


class NamedRuns(Struct, frozen=True):
    """The runs that a reading verb is about, each once. `gaps`: why there may be others that are not named."""

    references: Sequence[Reference]
    gaps: tuple[Problem, ...] = ()


def named_runs(session: Session, refs: Sequence[str] | None, file: str | None, operation: str | None) -> NamedRuns:
    """The runs, from the one place that is given.

    Raises `UsageError` for none or several places, `CloudError` for an operation that is not in the journal.
    """
    ways = {"references": bool(refs), "--from": file is not None, "--operation": operation is not None}
    used = [way for way, value in ways.items() if value]
    if len(used) > 1:
        raise UsageError(f"{' and '.join(used)} cannot be used together; nothing was sent")
    if file is not None:
        return _of_file(session, environment.plain_file("--from", file))
    if operation is not None:
        return NamedRuns(of_operation(session, operation))
    if not refs:
        raise UsageError(
            "missing argument REF; nothing was sent",
            hint=f"name runs, or a list: -f FILE, or an operation: --operation {LAST}",
        )
    return NamedRuns(parse_all(refs))


def _of_file(session: Session, name: str) -> NamedRuns:
    """The runs of a list. What an incomplete one lacks hides none of those that it has."""
    from runcancel.engine.saved import read_list

    reference_list = read_list(text_of_input(session, name), called(name), keys=_OF_CANCEL)
    if reference_list.cut:
        session.notes.say(f"note: {called(name)} was cut by --limit; only the runs in it are read")
    if reference_list.complete or reference_list.cut:
        return NamedRuns(reference_list.references)
    gap = Problem(
        code=Reason.UNPROVEN, message=f"{called(name)} is an incomplete list: it is marked so, or it was cut off"
    )
    return NamedRuns(reference_list.references, (gap,))


def read_file(session: Session, name: str, *, allow_incomplete: bool = False) -> "ReferenceList":
    """A list of references out of a file or of stdin (`-`), whole unless `allow_incomplete`. Raises `UsageError`."""
    from runcancel.engine.saved import read_list

    listed = read_list(text_of_input(session, name), called(name))
    if not listed.complete and not allow_incomplete:
        hint = f"To list everything: {session.command('list', '--limit', '0', '-o', 'jsonl')}"
        raise UsageError(
            f"{called(name)} is an incomplete list: it is marked so, or it was cut off; nothing was sent",
            hint=f"{hint}   To proceed anyway: add --allow-incomplete",
        )
    return listed


def text_of_input(session: Session, name: str) -> str:
    """The text of a file or of stdin. Raises `UsageError` when it cannot be read, or stdin is used for the request."""
    if name == "-" and session.request.on_stdin:
        raise UsageError("standard input cannot be both the request and the list; nothing was sent")
    return session.workers.read_input(lambda: text_of(name, largest=_LARGEST))


def of_operation(session: Session, word: str) -> tuple[Reference, ...]:
    """The runs of an operation. Raises `CloudError` for one that is not there, `Refused` for a broken journal."""
    from runcancel.journal.restores import is_trigger

    word = environment.plain("--operation", word)
    try:
        journal = session.journal.read()
        id = None if journal is None else whole_id(journal, word)
        entries = [] if journal is None or id is None else list(journal.entries(id))
        operation = None if journal is None or id is None else journal.operation(id)
        other = None if journal is None or word != LAST else _newest_of_runs(journal)
    except JournalError as error:
        raise Refused(f"{error}; nothing was sent") from None
    if operation is None:
        raise no_operation(word)
    runs = [entry.item.run for entry in entries if not is_trigger(operation, entry.item.run)]
    if entries and not runs:
        raise _only_triggers(operation, other)
    return unique(as_written(run) for run in runs)


def _newest_of_runs(journal: "Journal") -> str | None:
    return next((one.id for one in journal.operations() if one.verb not in TRIGGER_VERBS), None)


def _only_triggers(operation: Operation, other: str | None) -> UsageError:
    """What is wrong with an operation that has no run; `other` is the newest one that has."""
    done = "disabled" if operation.verb == "disable" else "enabled"
    hint = f"To show them: {command('history', operation.id)}"
    if other is not None:
        hint += f"   The newest operation on runs: --operation {other}"
    return UsageError(f"operation {operation.id} {done} triggers; it has no runs; nothing was sent", hint=hint)


class Listing(Protocol):
    """Where operations are found by their ids: a journal, or several as one."""

    def operations(self) -> Iterator[Operation]:
        """Operations, newest first."""
        ...

    def ids(self, beginning: str) -> tuple[str, ...]:
        """The ids that begin so, newest first."""
        ...


def whole_id(journal: Listing, word: str, *, verb: str | None = None) -> str | None:
    """The id of an operation: whole, by a beginning that no other has, or `last`; None where there is none.

    With `verb`, `last` is the newest operation of that verb. Raises `UsageError` for a beginning that several have, and
    `JournalError`.
    """
    if word == LAST:
        return next((one.id for one in journal.operations() if verb in (None, one.verb)), None)
    ids = journal.ids(word.upper())
    if len(ids) > 1 and word.upper() not in ids:
        more = ", …" if len(ids) > _NAMED else ""
        raise UsageError(f"{len(ids)} operations begin with {word}: {', '.join(ids[:_NAMED])}{more}; nothing was sent")
    return word.upper() if word.upper() in ids else next(iter(ids), None)


def check_id(word: str, *, others: Sequence[str] = ()) -> None:
    """Raise `UsageError` for what is no id of an operation, nor its beginning. `others`: what else is expected."""
    if word == LAST or re.fullmatch(_ID, word):
        return
    *first, last = ("the beginning of an id", LAST, *others)
    raise UsageError(
        f"“{quoted(word)}” is not the id of an operation. Expected {', '.join(first)} or {last}; nothing was sent",
        hint="see: runcancel history",
    )


def no_operation(word: str, *, of: str = "operation") -> CloudError:
    """What is wrong with an operation that is not in the journal. Raises `UsageError` for what is no id.

    `of`: the verb that `last` is about.
    """
    check_id(word)
    what = f"no {of} is" if word == LAST else f"no operation {word}"
    return CloudError(Reason.NOT_FOUND, f"{what} in the journal; nothing was sent", hint="see: runcancel history")


_NAMED = 3  # ids that a message names
