"""`runcancel history`: the journal of past operations."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from msgspec import structs

from runcancel import environment
from runcancel.cli import options
from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.cli.support.alive import to_watch, way_on
from runcancel.cli.support.named import check_id, no_operation, whole_id
from runcancel.cli.support.team_journal import TEAM_WORDS, team_lines
from runcancel.engine.switching import trigger_outcome
from runcancel.errors import Exit, JournalError, Refused, UsageError
from runcancel.journal.base import Entry, Journal
from runcancel.journal.outcomes import merged, outcome_of
from runcancel.journal.plans import missing_in_words, mixed_in_words, plan_reports, unfinished
from runcancel.journal.rest import is_left, rest_of
from runcancel.journal.restores import is_trigger, unrestored
from runcancel.model.outcomes import Operation, Outcome
from runcancel.model.runs import Problem, RunName
from runcancel.model.states import Reason, Stage
from runcancel.model.triggers import TRIGGER_VERBS, TriggerOutcome
from runcancel.render import End, Writer
from runcancel.text import command, local, quoted

_SHOWN = 20  # operations on a terminal
_NAMED = 5  # unfinished operations that a note names
_HEADED = 5  # operations of one plan that a note describes


def history(
    session: Session,
    operation: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|last|prune|migrate|sync]",
            help="An operation; prune deletes old ones; migrate and sync are about the team journal.",
        ),
        Offers("operations"),
    ] = None,
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="VERDICT",
            help="Only with runs of this verdict, or no-result (repeatable).",
        ),
        Offers(lambda: options.VERDICTS),
    ] = None,
    limit: options.Limit = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="With prune: delete finished operations older than this [90d]."
        ),
    ] = None,
) -> int:
    """Show the journal: past operations, who ran them, why, and their results.

    \b
    Examples:
      runcancel history
      runcancel history last
      runcancel history --status partial --status in-doubt
      runcancel history 01K9ZQ3V7W5T8R2M4N6P0C1D2E -o json
      runcancel history prune --older-than 90d
      runcancel history migrate
      runcancel cancel --resume 01K9ZQ3V7W5T8R2M4N6P0C1D2E

    It reads the journal on this machine, and the team journal if one is configured,
    and sends no request to a cloud. The beginning of an ID is enough if no other
    operation begins so. migrate creates or updates the tables of the team journal;
    sync copies to it what only this machine has. Exit codes: 0 shown, 2 not an id,
    5 no such operation, 6 the journal cannot be used, 7 shown without the team
    journal.
    """
    if older_than is not None and operation != "prune":
        raise UsageError("--older-than needs prune: runcancel history prune --older-than 90d")
    verdicts = options.verdicts(status)
    if verdicts and operation in ("prune", *TEAM_WORDS):
        raise UsageError(f"--status cannot be used with {operation}; nothing was changed")
    if limit is not None and operation is not None:
        raise UsageError(f"--limit cannot be used with {quoted(operation)}; nothing was changed")
    journal = session.journal
    before = environment.past("--older-than", "90d" if older_than is None else older_than, datetime.now(UTC))
    try:
        if operation is not None and operation in TEAM_WORDS:
            return _list(session, (), *team_lines(session, operation))
        if operation == "prune":
            return _prune(session, journal.open() if journal.is_there() else None, before)
        opened = journal.read()
        if operation is None:
            return _newest(session, opened, session.limit(limit, _SHOWN), verdicts)
        return _one(session, opened, operation, verdicts)
    except JournalError as error:
        raise Refused(str(error)) from None


def _newest(session: Session, opened: Journal | None, limit: int, verdicts: frozenset[str]) -> int:
    operations = iter(()) if opened is None else opened.operations()
    matching = (one for one in operations if not verdicts or any(one.counts.get(word) for word in verdicts))
    newest = list(islice(matching, limit + 1) if limit else matching)  # one more row shows that there are more
    cut = 0 < limit < len(newest)
    shown = newest[:limit] if cut else newest
    notes = [f"Showing the newest {limit} operations. All: --limit 0"] if cut else []
    open_ = unfinished(shown)
    if opened is not None:
        notes += [way_on(one, opened.events(one.id), opened.silence(one.id)) for one in open_[:_NAMED]]
    notes += [] if opened is None else [f"note: {text}" for text in _about_shards(opened, shown)]
    notes += [] if shown else session.suggest(_empty(session, opened, verdicts))
    remarks = () if opened is None else tuple(line for one in shown for line in opened.remarks(one))
    notes += [*remarks[:_NAMED], *((f"… and {len(remarks) - _NAMED} more",) if len(remarks) > _NAMED else ())]
    return _list(session, shown, *notes, truncated=cut)


def _empty(session: Session, opened: Journal | None, verdicts: frozenset[str]) -> str:
    """That nothing is shown, and where the journal is."""
    store = session.journal
    where = str(store.file) if store.url is None or store.is_lost else f"{store.file} and {store.shown_url}"
    if opened is None:
        return f"There is no journal yet ({where}). A cancel, disable or enable creates it"
    if verdicts and next(iter(opened.operations(1)), None) is not None:
        return f"No operation in the journal has a run of this --status ({where})"
    return f"The journal has no operations ({where})"


def _about_shards(opened: Journal, operations: Sequence[Operation]) -> tuple[str, ...]:
    """Which shards of the plans of these operations are missing in the journal, and plans divided in several ways."""
    plans = {one.plan for one in operations if one.shard is not None}
    if not plans:
        return ()
    reports = plan_reports(one for one in opened.operations() if one.plan in plans)
    return (*missing_in_words(reports), *mixed_in_words(reports))


def _prune(session: Session, opened: Journal | None, before: datetime) -> int:
    disabling = frozenset[str]() if opened is None else frozenset(unrestored(opened))
    forgotten = () if opened is None else opened.prune(before, keep=disabling)
    operations = () if opened is None else opened.operations()
    older = [one for one in operations if one.at < before]
    notes = [f"{len(forgotten)} operation{'' if len(forgotten) == 1 else 's'} deleted"]
    open_ = [one for one in older if one.state is not Stage.DONE]
    if open_:
        ids, verbs = _ids(open_), " or ".join(dict.fromkeys(one.verb for one in open_))
        notes.append(f"{len(open_)} unfinished kept: {ids}. To continue one: runcancel {verbs} --resume ID")
    disabled = [one for one in older if one.state is Stage.DONE]
    if disabled:
        ids = _ids(disabled)
        notes.append(f"{len(disabled)} not restored kept: {ids}. To restore one: runcancel enable --operation ID")
    return _list(session, forgotten, *notes)


def _ids(operations: Sequence[Operation]) -> str:
    return ", ".join(one.id for one in operations[:_NAMED]) + (", …" if len(operations) > _NAMED else "")


def _list(session: Session, operations: Iterable[Operation], *notes: str, truncated: bool = False) -> int:
    answer = session.writer("history")
    for one in operations:
        answer.row(one)
    return _end(session, answer, End(exit_code=Exit.OK, truncated=truncated, notes=notes))


def _end(session: Session, answer: Writer, end: End) -> int:
    """End the answer; without the team's journal it is incomplete."""
    if session.journal.is_lost:
        end = structs.replace(end, exit_code=Exit.INCOMPLETE, complete=False)
    answer.end(end)
    return end.exit_code


def _one(session: Session, opened: Journal | None, word: str, verdicts: frozenset[str]) -> int:
    check_id(word, others=("prune", *TEAM_WORDS))
    id = None if opened is None else whole_id(opened, word)
    operation = None if opened is None or id is None else opened.operation(id)
    if opened is None or operation is None:
        message = no_operation(word).message.removesuffix("; nothing was sent")
        problem = Problem(code=Reason.NOT_FOUND, message=message, hint="see: runcancel history")
        end = End(exit_code=Exit.NOT_FOUND, errors=(problem,), complete=False)
        return _end(session, session.writer("operation"), end)
    operations = _with_shards(opened, operation)
    answer = session.writer(operation.verb if operation.verb in TRIGGER_VERBS else "operation")
    if session.format == "jsonl":  # the others have a place for it beside the outcomes
        for one in operations:
            answer.row(one)
    unfinished_ones: dict[str, Operation] = {}
    for owner, entry, outcome in _outcomes(opened, operations):
        if is_left(outcome):
            unfinished_ones[owner.id] = owner
        row = _of_trigger(owner, entry, outcome) if is_trigger(owner, entry.item.run) else outcome
        if not verdicts or row.verdict in verdicts or (entry.outcome is None and "unjudged" in verdicts):
            answer.row(row)
    notes = [note for one in operations[:_HEADED] for note in _headline(one)]
    if len(operations) > _HEADED:
        notes.append(f"and {len(operations) - _HEADED:,} more operations of this plan")
    notes += [f"note: {text}" for text in _about_shards(opened, operations)]
    notes += [line for one in unfinished_ones.values() for line in _rest(opened, one)]
    restorable = frozenset(unrestored(opened))
    for one in operations:
        if one.id in restorable:
            notes.append(f"To restore the triggers: {command('enable', '--operation', one.id)}")
    notes += [line for one in operations for line in opened.remarks(one)]
    end = End(exit_code=Exit.OK, operation=operation.id, operations=operations, notes=tuple(notes))
    return _end(session, answer, end)


def _rest(opened: Journal, operation: Operation) -> tuple[str, ...]:
    """How to continue an operation, or how to watch it while a process carries it out."""
    events, silence = tuple(opened.events(operation.id)), opened.silence(operation.id)
    if (step := to_watch(operation, events, silence)) is not None and step.command is not None:
        return (way_on(operation, events, silence),)
    commands = rest_of(opened.entries(operation.id)).commands(operation)
    return tuple(f"To continue with the rest: {each}" for each in commands)


def _with_shards(opened: Journal, operation: Operation) -> tuple[Operation, ...]:
    """The operation; if it is a shard of a plan, all operations of the plan, the oldest first."""
    if operation.shard is None:
        return (operation,)
    return tuple(reversed([one for one in opened.operations() if one.plan == operation.plan]))


def _outcomes(opened: Journal, operations: Sequence[Operation]) -> Iterator[tuple[Operation, Entry, Outcome]]:
    """The outcome of each run, once for all operations, with the newest operation that is about it."""
    if len(operations) == 1:
        yield from ((operations[0], entry, outcome_of(entry)) for entry in opened.entries(operations[0].id))
        return
    entries: dict[RunName, list[tuple[Operation, Entry]]] = {}
    for one in operations:
        for entry in opened.entries(one.id):
            entries.setdefault(entry.item.run, []).append((one, entry))
    for several in entries.values():
        yield (*several[-1], merged([outcome_of(entry) for _, entry in several]))


def _headline(operation: Operation) -> tuple[str, ...]:
    line = f"{local(operation.at)} {operation.user}@{operation.host}: {command(*operation.argv)}"
    return (line, *((f"reason: {operation.reason}",) if operation.reason else ()))


def _of_trigger(operation: Operation, entry: Entry, outcome: Outcome) -> TriggerOutcome:
    """The outcome of a trigger: the journal keeps the reading before the change."""
    return trigger_outcome(outcome, enable=operation.verb == "enable", before=entry.item.trigger, after=None)
