"""`runcancel list`: find runs across contexts, providers and regions."""

import heapq
from collections.abc import Iterable, Iterator, Sequence

from runcancel.cli import options
from runcancel.cli.bundles import spelled
from runcancel.cli.session import Session
from runcancel.cli.support.searched import coverage, scopes_to_search, unsearched
from runcancel.config.search_scopes import unusable
from runcancel.engine.search import born, containing, search, split_gaps
from runcancel.errors import Searched, exit_of_listing
from runcancel.model.runs import Problem, Run, Scope, Snapshot
from runcancel.render import End

_SHOWN = 50  # rows on a terminal


def list_(
    session: Session,
    *,
    filters: options.Filters,
    target: options.Targets = None,
    limit: options.Limit = None,
) -> int:
    """Find runs across contexts, providers and regions.

    \b
    Examples:
      runcancel list
      runcancel list -r all --name patch-openssl
      runcancel list --status all --since 2h --kind command -o json
      runcancel list --script "rm -rf /var/cache" -r all
      runcancel list --older-than 2h -o jsonl | runcancel cancel -f -

    Without --status it shows runs that have not ended, newest first. Executions of
    Step Functions and of OOS are listed only with --kind state-machine,oos. A scope
    that does not reply is reported, and the exit code is 7; the others are shown.
    The default limit is 50 rows on a terminal; elsewhere all runs are listed. The
    last line of -o jsonl shows whether the list is complete or was cut by --limit.
    cancel -f refuses a list that is not complete. -o ref has no such line.

    Exit codes: 0 listed, 4 every scope refused the credentials, 7 incomplete.
    """
    query = filters.query()
    scopes = scopes_to_search(session, kinds=query.kinds)
    unfindable = [f"note: {note}" for note in unsearched(scopes, query)]
    gaps: list[Problem] = list(unusable(session.settings))
    answering: set[Scope] = set()
    answer = session.writer("list")
    target_ids = options.targets(target)
    total = shown = 0
    most = session.limit(limit, _SHOWN)

    def counted(runs: Iterable[Run]) -> Iterator[Run]:
        nonlocal total
        for run in runs:
            total += 1
            yield run

    with session.search_count() as count:
        listing = search(scopes, query, session.clouds, session.workers, answering=answering, count=count)
        listed = _search(listing, gaps)
        runs = (
            containing(listed, target_ids, session.clouds, session.workers)
            if target_ids
            else (one.run for one in listed)
        )
        for run in _newest(counted(runs), most, as_they_come=session.format == "jsonl"):
            answer.row(run)
            shown += 1
    real, notes = split_gaps(gaps, scopes)
    cut = shown < total
    narrow = f"Showing the newest {shown} of {total} runs. All: --limit 0; fewer: --name, --status, --since, …"
    searched = Searched(gaps=tuple(gap.code for gap in real), replied=bool(answering))
    code = exit_of_listing(searched, any_found=total > 0)
    next_ = session.suggest(_next(session, filters, target_ids))
    empty = () if total else coverage(session, scopes, gaps, query)
    lines = (*unfindable, *empty, *((narrow,) if cut else ()), *notes, *(next_ if shown else ()))
    answer.end(End(exit_code=code, errors=real, complete=not real, truncated=cut, notes=lines))
    return code


def _next(session: Session, filters: options.Filters, targets: Sequence[str]) -> str:
    """How to cancel what is listed: with the same filters, else by choosing."""
    words = (*spelled(filters), *(word for target in targets for word in ("-t", target)))
    what = "To cancel these" if words else "To cancel some of these"
    return f"{what}: {session.command('cancel', *words)}"


def _search(answers: Iterable[Snapshot | Problem], gaps: list[Problem]) -> Iterator[Snapshot]:
    for answer in answers:
        if isinstance(answer, Snapshot):
            yield answer
        else:
            gaps.append(answer)


def _newest(runs: Iterable[Run], limit: int, *, as_they_come: bool) -> Iterable[Run]:
    """The newest `limit` runs, newest first; 0 is all, and then memory stays bounded where the order may be any."""
    if limit:
        return heapq.nlargest(limit, runs, key=born)
    return runs if as_they_come else sorted(runs, key=born, reverse=True)
