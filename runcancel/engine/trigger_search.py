"""Search scopes for what starts runs by itself; what a scope that does not answer leaves open is a gap."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct, structs

from runcancel.engine.connections import Clouds
from runcancel.engine.events import SearchCount
from runcancel.engine.search import as_completed, interleaved
from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Problem, Ref, Scope, Snapshot
from runcancel.model.states import Reason, State
from runcancel.model.triggers import Origin, Trigger, TriggerQuery
from runcancel.providers import kind_of, provider
from runcancel.runtime.throttle import GivenUp
from runcancel.runtime.workers import Workers


def find_triggers(
    scopes: Sequence[Scope],
    query: TriggerQuery,
    clouds: Clouds,
    workers: Workers,
    *,
    answering: set[Scope],
    within: float | None = None,
    count: SearchCount | None = None,
) -> Iterator[Trigger | Problem]:
    """Find triggers in many scopes in parallel, each kind by itself; a scope that does not answer is a problem.

    `answering`, `within` and `count` as for `search`. One refused kind hides no other. Raises `Interrupted` after a
    signal.
    """
    sources = {
        (scope, kind.name): partial(
            _listing, clouds, scope, structs.replace(query, kinds=frozenset({kind.name})), answering
        )
        for scope in interleaved(scopes)
        for kind in provider(scope.provider).trigger_kinds
        if not query.kinds or kind.name in query.kinds
    }
    counter = count or SearchCount()
    counter.begin(scope for scope, _ in sources)
    arriving = as_completed(
        sources, workers, queue=lambda key: Line(*key), within=within, on_end=lambda key: counter.end(key[0])
    )
    reported: dict[Scope, set[tuple[Reason, str | None]]] = {}  # a scope that was given up has its reason already
    for (scope, kind_name), answer in arriving:
        reasons = reported.setdefault(scope, set())
        if isinstance(answer, Trigger):
            counter.matches += 1
            yield answer
            continue
        counter.failed += not reasons
        about = answer.action if answer.reason is Reason.DENIED else None  # each permission that is missing is named
        if (answer.reason, about) not in reasons and not (reasons and isinstance(answer, GivenUp)):
            reasons.add((answer.reason, about))
            problem = answer.problem(scope=scope)
            yield structs.replace(problem, message=f"{kind_name}: {problem.message}")


class Line(Struct, frozen=True):
    """The queue of one kind of trigger in one scope: most kinds have a service of their own, and one may be silent."""

    scope: Scope
    kind: str

    @property
    def provider(self) -> str:
        """The provider whose share of the threads the queue has."""
        return self.scope.provider


def origins_of(
    runs: Mapping[Ref, Origin], clouds: Clouds, workers: Workers, *, within: float | None = None
) -> tuple[dict[Ref, Origin], tuple[Problem, ...]]:
    """What started each of these runs, and when that starts again: what their readings show, and what a scan of the
    triggers adds to it.

    Also the scopes that did not answer `within` so many seconds. Runs whose cloud cannot know cost no request. Raises
    `Interrupted` after a signal.
    """
    unknown: dict[Scope, list[Ref]] = {}
    by_trigger: dict[Ref, list[Ref]] = {}
    for ref, origin in runs.items():
        if origin.is_settled(scanned=kind_of(ref).scanned):
            continue
        if origin.trigger is not None:
            by_trigger.setdefault(origin.trigger, []).append(ref)
        else:
            unknown.setdefault(ref.scope, []).append(ref)
    sources: dict[tuple[Scope, Ref | None], Callable[[], Iterator[tuple[Ref, Origin]]]] = {
        (scope, None): partial(_scanned, clouds, scope, refs) for scope, refs in unknown.items()
    }
    sources |= {
        (trigger.scope, trigger): partial(_started_by, clouds, trigger, refs) for trigger, refs in by_trigger.items()
    }
    origins = dict(runs)
    problems: list[Problem] = []
    for (scope, _), answer in as_completed(sources, workers, queue=lambda key: key[0], within=within):
        if isinstance(answer, CloudError):
            problems.append(answer.problem(scope=scope))
        else:
            origins[answer[0]] = answer[1]
    return origins, tuple(problems)


def _scanned(clouds: Clouds, scope: Scope, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
    yield from clouds.at(scope).triggers().origins(refs)


def _started_by(clouds: Clouds, trigger: Ref, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
    """Runs whose reading names their trigger."""
    origin = Origin.by(clouds.at(trigger.scope).triggers().read(trigger))
    yield from ((ref, origin) for ref in refs)


def read_triggers(
    refs: Sequence[Ref], clouds: Clouds, workers: Workers, *, within: float | None = None
) -> tuple[dict[Ref, Trigger], tuple[Problem, ...]]:
    """Read triggers, each by itself; those that could not be read `within` so many seconds are problems.

    Raises `Interrupted` after a signal.
    """

    def read(ref: Ref) -> Iterator[Trigger]:
        yield clouds.at(ref.scope).triggers().read(ref)

    by_ref: dict[Ref, Trigger] = {}
    problems: list[Problem] = []
    sources = {ref: partial(read, ref) for ref in dict.fromkeys(refs)}
    for ref, answer in as_completed(sources, workers, queue=lambda ref: ref.scope, within=within):
        if isinstance(answer, CloudError):
            problems.append(answer.problem(scope=ref.scope, ref=ref))
        else:
            by_ref[ref] = answer
    return by_ref, tuple(problems)


def running_beside(
    triggers: Sequence[Trigger], clouds: Clouds, workers: Workers, *, within: float | None = None
) -> tuple[dict[Ref, Origin], tuple[Problem, ...]]:
    """The runs that have not ended of the kinds that these triggers start, in their scopes, with what their rows show.

    Raises `Interrupted` after a signal.
    """
    kinds_at: dict[Scope, set[str]] = {}
    for one in triggers:
        kinds_at.setdefault(one.ref.scope, set()).update(one.starts)
    active = frozenset(state for state in State if not state.over)

    def listing(scope: Scope) -> Iterator[Snapshot]:
        query = Query(kinds=frozenset(kinds_at[scope]), states=active)
        return (one for one in clouds.at(scope).runs(query) if query.matches(one.run))

    origins: dict[Ref, Origin] = {}
    problems: list[Problem] = []
    sources = {scope: partial(listing, scope) for scope in kinds_at}
    for scope, answer in as_completed(sources, workers, queue=lambda scope: scope, within=within):
        if isinstance(answer, CloudError):
            problems.append(answer.problem(scope=scope))
        else:
            origins[answer.run.ref] = Origin.of(answer.run)
    return origins, tuple(problems)


def _listing(clouds: Clouds, scope: Scope, query: TriggerQuery, answering: set[Scope]) -> Iterator[Trigger]:
    for trigger in clouds.at(scope).triggers().find(query):
        if query.matches(trigger):
            yield trigger
    answering.add(scope)
