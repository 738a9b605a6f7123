"""Search scopes for runs, in parallel; what a scope that does not answer leaves open is a gap."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from msgspec import structs

from runcancel.engine.connections import Clouds, batches, read
from runcancel.engine.events import SearchCount
from runcancel.engine.retry import last_try
from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Kind, Problem, Ref, Run, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.providers import provider
from runcancel.runtime.throttle import GivenUp, no_later_than
from runcancel.runtime.workers import TaskGroup, Workers

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

_CHUNK = 200  # rows of one source that are fetched before they are handed on: what bounds the memory


def search(
    scopes: Sequence[Scope],
    query: Query,
    clouds: Clouds,
    workers: Workers,
    *,
    answering: set[Scope],
    within: float | None = None,
    count: SearchCount | None = None,
) -> Iterator[Snapshot | Problem]:
    """Find runs in many scopes in parallel, as they arrive; a scope that does not answer is a problem.

    `answering` is given every scope that answered to one of its listings at least. `within`: seconds after which what
    has not come is not waited for: its scope is a problem, too. `count` is kept up to date.
    Whole are those whose vendor lists the targets with the run. Kinds whose listing does not report what the query
    compares are left out. Raises `Interrupted` after a signal.
    """
    sources = {
        (scope, kind.name): partial(
            listing, clouds, scope, structs.replace(query, kinds=frozenset({kind.name})), answering
        )
        for scope in interleaved(scopes)
        for kind in kinds_of(scope, query)
        if query.facts <= kind.lists
    }
    counter = count or SearchCount()
    counter.begin(scope for scope, _ in sources)
    arriving = as_completed(
        sources, workers, queue=lambda key: key[0], within=within, on_end=lambda key: counter.end(key[0])
    )
    reported: dict[Scope, set[Reason]] = {}  # a scope that was given up has its reason already
    for (scope, _), got in arriving:
        reasons = reported.setdefault(scope, set())
        if isinstance(got, Snapshot):
            counter.matches += 1
            yield got
        elif got.reason not in reasons and not (reasons and isinstance(got, GivenUp)):
            counter.failed += not reasons
            reasons.add(got.reason)
            yield got.problem(scope=scope)


def interleaved(scopes: Sequence[Scope]) -> list[Scope]:
    """One scope of every account, then the next of every account.

    The scopes of an account wait for its credentials together: side by side they would take the threads of others.
    """
    numbers: Counter[tuple[str, str | None]] = Counter()
    ranks: dict[Scope, int] = {}
    for scope in scopes:
        account = (scope.provider, scope.context)
        ranks.setdefault(scope, numbers[account])
        numbers[account] += 1
    return sorted(scopes, key=ranks.__getitem__)


def kinds_of(scope: Scope, query: Query) -> tuple[Kind, ...]:
    """The kinds of a scope that a query is about."""
    return tuple(kind for kind in provider(scope.provider).kinds if query.covers(kind))


def born(run: Run) -> tuple[datetime, Ref]:
    """What sorts runs by age, the same every time."""
    return run.created_at or run.started_at or datetime.fromtimestamp(0, UTC), run.ref


def containing(
    snapshots: Iterable[Snapshot], targets: Sequence[str], clouds: Clouds, workers: Workers
) -> Iterator[Run]:
    """The runs that have one of the targets. A run with an incomplete listing is read."""
    unread: list[Ref] = []
    for one in snapshots:
        if not one.whole:
            unread.append(one.run.ref)
        elif one.has(targets):
            yield one.run
    for done in workers.map(lambda batch: read(clouds, batch), list(batches(unread)), queue=lambda batch: batch.scope):
        for _, answer in done.value():
            if isinstance(answer, Snapshot) and answer.has(targets):
                yield answer.run


def split_gaps(gaps: Iterable[Problem], scopes: Sequence[Scope]) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Gaps that are gaps, and notes about regions that are none.

    A region that does not know credentials which work elsewhere with the same provider and context is not enabled
    there. One that refuses them for another reason, a clock that is off or a signature, is a gap like any other.
    """
    errors = tuple(gaps)
    refused = {gap.scope for gap in errors if _says_not_enabled(gap)}
    silent = {gap.scope for gap in errors}
    working = {(scope.provider, scope.context) for scope in scopes if str(scope) not in silent}
    disabled = {str(scope) for scope in scopes if str(scope) in refused and (scope.provider, scope.context) in working}
    notes = (f"{', '.join(sorted(disabled))}: not enabled for these credentials",) if disabled else ()
    return tuple(gap for gap in errors if gap.scope not in disabled), notes


def _says_not_enabled(gap: Problem) -> bool:
    if gap.code is not Reason.BAD_CREDENTIALS or gap.scope is None:
        return False
    return gap.provider_code in provider(gap.scope.rpartition("@")[2].partition(":")[0]).not_enabled


def as_completed(
    sources: Mapping[K, Callable[[], Iterator[T]]],
    workers: Workers,
    *,
    queue: Callable[[K], Hashable],
    within: float | None = None,
    on_end: Callable[[K], None] = lambda key: None,
) -> Iterator[tuple[K, T | CloudError]]:
    """Drain many iterators in parallel, a chunk of each at a time, so that memory stays bounded.

    What one raises ends it and is yielded in its place, and so is that it has not ended `within` seconds. `on_end` is
    called with each that ended. Raises `Interrupted` after a signal.
    """
    opened: dict[K, Iterator[T]] = {}
    until = None if within is None else workers.clock.monotonic() + within
    last_try_at = math.inf if within is None else last_try(workers.clock.monotonic(), within)

    def chunk(key: K) -> list[T | CloudError]:
        rows: list[T | CloudError] = []
        try:
            with no_later_than(last_try_at):
                if key not in opened:
                    opened[key] = sources[key]()
                for row in islice(opened[key], _CHUNK):
                    rows.append(row)  # noqa: PERF402 - what came before an error counts
        except CloudError as error:
            rows.append(error)
        return rows

    tasks = TaskGroup[K, list[T | CloudError]](workers, chunk)
    pending = dict.fromkeys(sources)
    try:
        tasks.submit_all(sources, queue=queue)
        while pending:
            done = tasks.next(None if until is None else max(0.0, until - workers.clock.monotonic()))
            if done is None:
                late = CloudError(Reason.TIMED_OUT, f"it did not reply within {within:g} s")
                yield from ((key, late) for key in pending)
                return
            rows = done.value()
            if len(rows) < _CHUNK or isinstance(rows[-1], CloudError):
                pending.pop(done.item, None)
                opened.pop(done.item, None)
                on_end(done.item)
            else:
                tasks.submit(done.item, queue=queue(done.item))
            yield from ((done.item, row) for row in rows)
        workers.check()
    finally:
        tasks.close()


def listing(clouds: Clouds, scope: Scope, query: Query, answering: set[Scope]) -> Iterator[Snapshot]:
    """The runs of one scope that match. `answering` is given the scope once it is listed. Raises `CloudError`."""
    for snapshot in clouds.at(scope).runs(query):
        if not query.matches(snapshot.run):
            continue
        fact = query.matched_by(snapshot.run)
        snapshots = (
            snapshot if fact is None else structs.replace(snapshot, run=structs.replace(snapshot.run, matched_by=fact))
        )
        yield snapshots
    answering.add(scope)
