"""Look at given runs: which scope and kind a reference means, and what stands there now."""

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from msgspec import Struct, structs

from runcancel import refs
from runcancel import settings as settings_
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.fanout import Desk, Pass
from runcancel.model import Kind, Problem, Query, Reason, Ref, Run, Scope, Snapshot
from runcancel.pace import Pace, Traffic
from runcancel.providers import Cloud, kind_of, provider
from runcancel.providers.reading import chunks
from runcancel.refs import Reference
from runcancel.settings import Settings

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

_CHUNK = 200  # rows of one source that are fetched before they are handed on: what bounds the memory


class Clouds:
    """The connected scopes; each is opened when first asked for, and only once."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self._open: dict[Scope, Cloud] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self.traffic = Traffic()
        """What goes to all of them, for the screen."""
        self.operation: str | None = None
        """The id that scopes opened from now on tell the clouds; None where the journal will have nothing."""

    def at(self, scope: Scope) -> Cloud:
        """The connection of a scope. Raises `CloudError`. One provider's SDK loads while another's answers."""
        with self._lock:
            lock = self._locks.setdefault(scope.provider, threading.Lock())
        with lock:  # creating SDK clients is not safe in parallel
            if scope not in self._open:
                pace = Pace(self._desk.clock, on_call=self.traffic.called, on_wait=partial(self._waits, str(scope)))
                connection = structs.replace(settings_.connection(self._settings, scope), operation=self.operation)
                self._open[scope] = provider(scope.provider).connect(connection, self._settings.environ, pace)
            return self._open[scope]

    def _waits(self, scope: str, reason: Reason, seconds: float) -> None:
        self.traffic.waits(scope, reason, until=self._desk.clock.monotonic() + seconds)


class Sight(Struct, frozen=True, kw_only=True):
    """What was found under one reference: a snapshot or a problem. `note` is what a person should know beside it."""

    reference: Reference
    snapshot: Snapshot | None
    problem: Problem | None = None
    note: str | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """Runs of one kind in one scope that one read call takes."""

    scope: Scope
    kind: Kind
    refs: tuple[Ref, ...]


class _Probe(Struct, frozen=True, kw_only=True):
    """One place where references may be found: several ids where the kind is known, else one id and its kinds."""

    scope: Scope
    kinds: tuple[Kind, ...]
    references: tuple[Reference, ...]


_Answer = tuple[Reference, Snapshot | CloudError]


def look(
    references: Sequence[Reference], settings: Settings, clouds: Clouds, desk: Desk, *, full: bool = True
) -> Iterator[Sight]:
    """Read every reference wherever it may be, in parallel, and yield each once, as soon as it is settled.

    Found in one scope is found, whatever else failed; found in several is a problem, because nobody said which.
    Raises `UsageError` before the first request, `Interrupted` after a signal.
    """
    probes = _probes(references, settings)
    open_places = dict.fromkeys(references, 0)
    for probe in probes:
        for reference in probe.references:
            open_places[reference] += 1
    answers: dict[Reference, list[tuple[Scope, Snapshot | CloudError]]] = {one: [] for one in references}
    for done in desk.fanout(lambda probe: _answers(clouds, probe, full=full), probes, lane=lambda probe: probe.scope):
        for reference, answer in done.value():
            answers[reference].append((done.item.scope, answer))
            open_places[reference] -= 1
            if not open_places[reference]:
                yield _settle(reference, answers.pop(reference))


def search(scopes: Sequence[Scope], query: Query, clouds: Clouds, desk: Desk) -> Iterator[Run | Problem]:
    """Find runs in many scopes in parallel, as they arrive; a scope that does not answer is a problem.

    Raises `Interrupted` after a signal.
    """
    sources = {
        (scope, kind.name): partial(_found, clouds, scope, structs.replace(query, kinds=frozenset({kind.name})))
        for scope in scopes
        for kind in provider(scope.provider).KINDS
        if not query.kinds or kind.name in query.kinds
    }
    silent: set[tuple[Scope, Reason]] = set()
    for (scope, _), got in streamed(sources, desk, lane=lambda key: key[0]):
        if isinstance(got, Run):
            yield got
        elif (scope, got.reason) not in silent:
            silent.add((scope, got.reason))
            yield got.problem(scope=scope)


def born(run: Run) -> tuple[datetime, str]:
    """What sorts runs by age, the same every time."""
    return run.created_at or run.started_at or datetime.fromtimestamp(0, UTC), run.ref


def containing(runs: Iterable[Run], targets: Sequence[str], clouds: Clouds, desk: Desk) -> Iterator[Run]:
    """Those runs that have one of the targets. It reads each of them: no listing tells the targets of every kind."""
    waiting = list(batches(refs.full(run.ref) for run in runs))
    for done in desk.fanout(lambda batch: read(clouds, batch), waiting, lane=lambda batch: batch.scope):
        for _, answer in done.value():
            if isinstance(answer, Snapshot) and any(one.target in targets for one in answer.invocations):
                yield answer.run


def split_gaps(gaps: Iterable[Problem], scopes: Sequence[Scope]) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """Gaps that are gaps, and notes about regions that are none.

    A region that does not know credentials which work elsewhere with the same provider and context is not enabled
    there. One that refuses them for another reason, a clock that is off or a signature, is a gap like any other.
    """
    found = tuple(gaps)
    refused = {gap.scope for gap in found if _says_not_enabled(gap)}
    silent = {gap.scope for gap in found}
    working = {(scope.provider, scope.context) for scope in scopes if str(scope) not in silent}
    disabled = {str(scope) for scope in scopes if str(scope) in refused and (scope.provider, scope.context) in working}
    notes = (f"{', '.join(sorted(disabled))}: not enabled for these credentials",) if disabled else ()
    return tuple(gap for gap in found if gap.scope not in disabled), notes


def _says_not_enabled(gap: Problem) -> bool:
    if gap.code is not Reason.BAD_CREDENTIALS or gap.scope is None:
        return False
    return gap.provider_code in provider(gap.scope.rpartition("@")[2].partition(":")[0]).NOT_ENABLED


def streamed(
    sources: Mapping[K, Callable[[], Iterator[T]]], desk: Desk, *, lane: Callable[[K], Hashable]
) -> Iterator[tuple[K, T | CloudError]]:
    """Drain many iterators in parallel, a chunk of each at a time, so that memory stays bounded.

    What one raises ends it and is yielded in its place. Raises `Interrupted` after a signal.
    """
    opened: dict[K, Iterator[T]] = {}

    def chunk(key: K) -> list[T | CloudError]:
        rows: list[T | CloudError] = []
        try:
            if key not in opened:
                opened[key] = sources[key]()
            for row in islice(opened[key], _CHUNK):
                rows.append(row)  # noqa: PERF402 - what came before an error counts
        except CloudError as error:
            rows.append(error)
        return rows

    lanes = Pass[K, list[T | CloudError]](desk, chunk)
    left = set(sources)
    for key in sources:
        lanes.submit(key, lane=lane(key))
    while left:
        done = lanes.next(None)
        if done is None:
            continue
        rows = done.value()
        if len(rows) < _CHUNK or isinstance(rows[-1], CloudError):
            left.discard(done.item)
        else:
            lanes.submit(done.item, lane=lane(done.item))
        yield from ((done.item, row) for row in rows)


def _found(clouds: Clouds, scope: Scope, query: Query) -> Iterator[Run]:
    return (run for run in clouds.at(scope).runs(query) if query.takes(run))


def batches(refs: Iterable[Ref]) -> Iterator[Batch]:
    """Group references into as few read calls as the vendors take."""
    groups: dict[tuple[Scope, str], list[Ref]] = {}
    for ref in refs:
        groups.setdefault((ref.scope, ref.kind), []).append(ref)
    for (scope, _), members in groups.items():
        kind = kind_of(members[0])
        for part in chunks(members, kind.read_batch):
            yield Batch(scope=scope, kind=kind, refs=tuple(part))


def read(clouds: Clouds, batch: Batch, *, full: bool = True) -> tuple[tuple[Ref, Snapshot | CloudError], ...]:
    """Read one batch; what fails as a whole fails for each of its runs. Raises nothing."""
    answered: dict[Ref, Snapshot | CloudError] = {}
    try:
        for ref, answer in clouds.at(batch.scope).read(batch.refs, full=full):
            answered[ref] = answer  # noqa: PERF403 - what came before an error counts
    except CloudError as error:
        answered |= {ref: error for ref in batch.refs if ref not in answered}
    return tuple((ref, answered.get(ref, _unanswered(ref))) for ref in batch.refs)


def _probes(references: Sequence[Reference], settings: Settings) -> tuple[_Probe, ...]:
    known: dict[tuple[Scope, str], dict[Ref, list[Reference]]] = {}
    probes: list[_Probe] = []
    for reference in references:
        for scope in settings_.scopes_of(settings, reference):
            kinds = reference.kinds(scope.provider)
            if len(kinds) == 1:
                same = known.setdefault((scope, kinds[0].name), {})
                same.setdefault(reference.at(scope, kinds[0]), []).append(reference)
            else:
                probes.append(_Probe(scope=scope, kinds=kinds, references=(reference,)))
    for (scope, _), members in known.items():
        kind = kind_of(next(iter(members)))
        for part in chunks(tuple(members.values()), kind.read_batch):
            written = tuple(reference for same in part for reference in same)
            probes.append(_Probe(scope=scope, kinds=(kind,), references=written))
    return tuple(probes)


def _answers(clouds: Clouds, probe: _Probe, *, full: bool) -> tuple[_Answer, ...]:
    if len(probe.kinds) > 1:
        return ((probe.references[0], _first_hit(clouds, probe, full=full)),)
    of = {reference: reference.at(probe.scope, probe.kinds[0]) for reference in probe.references}
    batch = Batch(scope=probe.scope, kind=probe.kinds[0], refs=tuple(dict.fromkeys(of.values())))
    by_ref = dict(read(clouds, batch, full=full))
    return tuple((reference, by_ref[ref]) for reference, ref in of.items())


def _first_hit(clouds: Clouds, probe: _Probe, *, full: bool) -> Snapshot | CloudError:
    """Ask kind after kind, by reads alone, and stop at the first that knows the id."""
    failures: list[CloudError] = []
    for kind in probe.kinds:
        ref = probe.references[0].at(probe.scope, kind)
        ((_, answer),) = read(clouds, Batch(scope=probe.scope, kind=kind, refs=(ref,)), full=full)
        if isinstance(answer, Snapshot):
            return answer
        failures.append(answer)
        if answer.reason in CREDENTIALS - {Reason.DENIED}:
            break
    return _worst(failures, probe)


def _worst(failures: list[CloudError], probe: _Probe) -> CloudError:
    """What to say when no kind had the id: only if every one said so it is not found."""
    telling = [failure for failure in failures if failure.reason is not Reason.NOT_FOUND]
    if not telling:
        kinds = ", ".join(kind.name for kind in probe.kinds)
        return CloudError(
            Reason.NOT_FOUND,
            f"not found in {probe.scope} (looked for {kinds}), or too old, or of another account or region",
        )
    first = telling[0]
    if first.reason is not Reason.DENIED:
        return first
    return CloudError(
        first.reason,
        f"could not tell whether it exists in {probe.scope}: {first.message}",
        provider_code=first.provider_code,
        request_id=first.request_id,
        hint="give the kind, as in "
        + f"{probe.scope}:{probe.kinds[0].name}/{probe.references[0].id}, or ask for the permission",
    )


def _settle(reference: Reference, answers: list[tuple[Scope, Snapshot | CloudError]]) -> Sight:
    hits = [answer for _, answer in answers if isinstance(answer, Snapshot)]
    if len(hits) == 1:
        return Sight(reference=reference, snapshot=hits[0], note=_note(reference, hits[0]))
    if hits:
        found = " and ".join(hit.run.ref for hit in hits)
        message = f"“{reference.text}” is found more than once: {found}; give the full form"
        return Sight(
            reference=reference, snapshot=None, problem=Problem(code=Reason.USAGE, message=message, ref=reference.text)
        )
    failures = [(scope, answer) for scope, answer in answers if isinstance(answer, CloudError)]
    scope, error = min(failures, key=lambda pair: _RANK.get(pair[1].reason, 1))
    problem = error.problem(scope=scope, ref=reference.text)
    return Sight(reference=reference, snapshot=None, problem=problem)


_RANK = {Reason.DENIED: 0, Reason.NOT_FOUND: 2}
"""Which failure speaks for a reference that was looked for in several scopes: the one that leaves it open."""


def _note(reference: Reference, snapshot: Snapshot) -> str | None:
    if snapshot.run.id == reference.id:
        return None
    return f"{reference.id} is a part of {snapshot.run.ref}"


def _unanswered(ref: Ref) -> CloudError:
    return CloudError(Reason.UNPROVEN, f"the answer did not mention {ref}")
