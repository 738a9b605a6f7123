"""Read given runs: the scope and kind of a reference, and the state there now."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from runcancel.config import settings as settings_
from runcancel.config.references import Reference
from runcancel.config.settings import Settings
from runcancel.engine.connections import Batch, Clouds, read
from runcancel.engine.retry import last_try
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.runs import Kind, Problem, Ref, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.providers import kind_of
from runcancel.providers.common.paging import chunks
from runcancel.runtime.throttle import Clock, no_later_than
from runcancel.runtime.workers import TaskGroup, Workers


class LookupResult(Struct, frozen=True, kw_only=True):
    """What was found under one reference: a snapshot or a problem. `note` is what a person should know beside it.

    `unseen` is the run that a reference names exactly, where it could not be read and may be there all the same.
    """

    reference: Reference
    snapshot: Snapshot | None
    problem: Problem | None = None
    note: str | None = None
    unseen: Ref | None = None


class Probe(Struct, frozen=True, kw_only=True):
    """One place where references may be found: several ids where the kind is known, else one id and its kinds."""

    scope: Scope
    kinds: tuple[Kind, ...]
    references: tuple[Reference, ...]


LookupResponse = tuple[Reference, Snapshot | CloudError]


class Lookup:
    """The lookup of references in all their scopes. Probes are sent, and each reference is resolved once.

    Found in one scope is found, whatever else failed. Found in several is a problem: it is not known which was meant.
    """

    def __init__(
        self,
        references: Sequence[Reference],
        settings: Settings,
        *,
        scopes_of: Mapping[str, Sequence[Scope]] | None = None,
    ) -> None:
        """`scopes_of`: the scopes of a reference, by its text, instead of those of the settings.

        Raises `UsageError` where a reference can be nowhere; sends nothing.
        """
        scopes_there = scopes_of or {}
        self.probes = _probes(
            {one: scopes_there.get(one.text) or settings_.scopes_of(settings, one) for one in references}
        )
        self._candidates: dict[Reference, list[tuple[Scope, tuple[Kind, ...]]]] = {one: [] for one in references}
        self._answers: dict[Reference, dict[Scope, Snapshot | CloudError]] = {one: {} for one in references}
        self._unread = dict.fromkeys(references)
        self.unchecked: set[Reference] = set()
        """References with an account that could not be compared with the caller's."""
        for probe in self.probes:
            for reference in probe.references:
                self._candidates[reference].append((probe.scope, probe.kinds))
        self._open = Counter(scope for pairs in self._candidates.values() for scope, _ in pairs)

    @property
    def complete(self) -> bool:
        """Whether every reference has its result."""
        return not self._unread

    @property
    def unread(self) -> tuple[Reference, ...]:
        """The references that are not settled yet."""
        return tuple(self._unread)

    def wants(self, probe: Probe) -> bool:
        """Whether a reference of a probe is not settled yet."""
        return any(reference in self._unread for reference in probe.references)

    def waits_for(self, scope: Scope) -> bool:
        """Whether a reference that may be in this scope is not settled yet."""
        return self._open[scope] > 0

    def candidates(self, reference: Reference) -> tuple[Ref, ...]:
        """Every run that a reference can mean."""
        return tuple(reference.at(scope, kind) for scope, kinds in self._candidates[reference] for kind in kinds)

    def took(self, scope: Scope, answers: Iterable[LookupResponse]) -> list[LookupResult]:
        """Take in what a probe was answered; the references that are settled by it."""
        resolved = []
        for reference, answer in answers:
            if reference in self._unread and not _interrupted(answer):
                self._answers[reference][scope] = answer
                if len(self._answers[reference]) == len({scope for scope, _ in self._candidates[reference]}):
                    resolved.append(self._resolve(reference))
        return resolved

    def overdue(self, seconds: float) -> list[LookupResult]:
        """Resolve what is left: a scope that has not replied within so many seconds is not waited for."""
        for reference in self._unread:
            for scope, _ in self._candidates[reference]:
                late = CloudError(Reason.TIMED_OUT, f"{scope} did not reply within {seconds:g} s")
                self._answers[reference].setdefault(scope, late)
        return [self._resolve(reference) for reference in self.unread]

    def _resolve(self, reference: Reference) -> LookupResult:
        del self._unread[reference]
        self._open.subtract(scope for scope, _ in self._candidates[reference])
        result = _resolve(reference, list(self._answers[reference].items()))
        doubt = f"could not verify that the credentials belong to account {reference.account}"
        unseen = self._unseen(reference, result.problem)
        unchecked = reference in self.unchecked or (unseen is not None and reference.account is not None)
        return structs.replace(result, unseen=unseen, note=doubt if unchecked else result.note)

    def _unseen(self, reference: Reference, problem: Problem | None) -> Ref | None:
        """The run of the reference, if it is exactly one and the failure of its reading shows nothing."""
        candidates = self.candidates(reference)
        if (
            reference.account is not None
            or problem is None
            or problem.code in _TELLING
            or len(candidates) != 1
            or kind_of(candidates[0]).is_alias(candidates[0].id)
        ):
            return None
        return candidates[0]


_TELLING = frozenset(
    {
        *(Reason.NOT_FOUND, Reason.INVALID, Reason.USAGE, Reason.NOT_CONFIGURED, Reason.REFUSED, Reason.INTERRUPTED),
        *CREDENTIALS - {Reason.DENIED},
    }
)
"""Problems of a reading after which a cancel makes no sense."""


def look_up(
    references: Sequence[Reference],
    settings: Settings,
    clouds: Clouds,
    workers: Workers,
    *,
    full: bool = True,
    within: float | None = None,
    scopes_of: Mapping[str, Sequence[Scope]] | None = None,
) -> Iterator[LookupResult]:
    """Read every reference, in parallel, and yield each once, as soon as it is settled.

    `within`: seconds after which what has not answered is not waited for. Raises `UsageError` before the first request,
    `Interrupted` after a signal.
    """
    lookup = Lookup(references, settings, scopes_of=scopes_of)
    now = workers.clock.monotonic()
    until, last_try_at = (math.inf, math.inf) if within is None else (now + within, last_try(now, within))

    def work(probe: Probe) -> tuple[LookupResponse, ...]:
        with no_later_than(last_try_at):
            return answers(clouds, probe, workers.clock, full=full)

    group = TaskGroup[Probe, tuple[LookupResponse, ...]](workers, work)
    try:
        for probe in lookup.probes:
            group.submit(probe, queue=probe.scope)
        while not lookup.complete:
            result = group.next(None if within is None else max(0.0, until - workers.clock.monotonic()))
            if result is None:
                yield from lookup.overdue(within or 0.0)
            else:
                yield from lookup.took(result.item.scope, result.value())
    finally:
        group.close()


def _probes(scopes_of: Mapping[Reference, Sequence[Scope]]) -> tuple[Probe, ...]:
    groups: dict[tuple[Scope, str], dict[Ref, list[Reference]]] = {}
    probes: list[Probe] = []
    for reference, scopes in scopes_of.items():
        for scope in scopes:
            kinds = reference.kinds(scope.provider)
            if len(kinds) == 1:
                same = groups.setdefault((scope, kinds[0].name), {})
                same.setdefault(reference.at(scope, kinds[0]), []).append(reference)
            else:
                probes.append(Probe(scope=scope, kinds=kinds, references=(reference,)))
    for (scope, _), members in groups.items():
        kind = kind_of(next(iter(members)))
        for part in chunks(tuple(members.values()), kind.read_batch):
            written = tuple(reference for same in part for reference in same)
            probes.append(Probe(scope=scope, kinds=(kind,), references=written))
    return tuple(probes)


def answers(
    clouds: Clouds, probe: Probe, clock: Clock, *, full: bool = True, unchecked: set[Reference] | None = None
) -> tuple[LookupResponse, ...]:
    """The reply of one scope for each reference of a probe. Call it on a worker.

    With `unchecked`, a reference that names its account is read only where these credentials are not of another one;
    those of which that could not be found out are put there.
    """
    others = {} if unchecked is None else _of_others(clouds, probe, unchecked)
    ours = tuple(reference for reference in probe.references if reference not in others)
    read_ = _read(clouds, structs.replace(probe, references=ours), clock, full=full) if ours else ()
    return (*others.items(), *read_)


def _of_others(clouds: Clouds, probe: Probe, unchecked: set[Reference]) -> dict[Reference, CloudError]:
    """The references with another account than that of the credentials; none if that is unknown."""
    saying = [reference for reference in probe.references if reference.account is not None]
    if not saying:
        return {}
    try:
        account = clouds.at(probe.scope).identity().account
    except CloudError:
        unchecked.update(saying)
        return {}
    return {
        one: CloudError(
            Reason.USAGE,
            f"“{one.text}” is in account {one.account}, but these credentials belong to account {account}; "
            "nothing was sent",
            hint="use a profile of that account: --profile NAME, -c CONTEXT, or CONTEXT@ before the reference",
        )
        for one in probe.references
        if one.account not in (None, account)
    }


def _read(clouds: Clouds, probe: Probe, clock: Clock, *, full: bool) -> tuple[LookupResponse, ...]:
    if len(probe.kinds) > 1:
        return ((probe.references[0], _first_hit(clouds, probe, clock, full=full)),)
    of = {reference: reference.at(probe.scope, probe.kinds[0]) for reference in probe.references}
    batch = Batch(scope=probe.scope, kind=probe.kinds[0], refs=tuple(dict.fromkeys(of.values())))
    by_ref = _again(clouds, batch, dict(read(clouds, batch, full=full)), clock, full=full)
    return tuple((reference, by_ref[ref]) for reference, ref in of.items())


def _first_hit(clouds: Clouds, probe: Probe, clock: Clock, *, full: bool) -> Snapshot | CloudError:
    """Ask kind after kind, by reads alone, and stop at the first that knows the id.

    Only when none does is it taken for a fresh one and looked for again.
    """
    failures: dict[Batch, CloudError] = {}
    for kind in probe.kinds:
        batch = Batch(scope=probe.scope, kind=kind, refs=(probe.references[0].at(probe.scope, kind),))
        ((_, answer),) = read(clouds, batch, full=full)
        if isinstance(answer, Snapshot):
            return answer
        failures[batch] = answer
        if answer.reason in CREDENTIALS - {Reason.DENIED}:
            break
    for batch, failure in failures.items():
        (answer,) = _again(clouds, batch, {batch.refs[0]: failure}, clock, full=full).values()
        if isinstance(answer, Snapshot):
            return answer
        failures[batch] = answer
    return _worst(list(failures.values()), probe)


def _again(
    clouds: Clouds, batch: Batch, answers: Mapping[Ref, Snapshot | CloudError], clock: Clock, *, full: bool
) -> Mapping[Ref, Snapshot | CloudError]:
    """The replies, after a second lookup of what was not found: a new run may not show everywhere yet."""
    merged = dict(answers)
    for pause in batch.kind.grace:
        missing = tuple(ref for ref, answer in merged.items() if _not_found(answer))
        if not missing:
            break
        clock.sleep(pause)
        merged |= read(clouds, structs.replace(batch, refs=missing), full=full)
    return merged


def _interrupted(answer: Snapshot | CloudError) -> bool:
    return isinstance(answer, CloudError) and answer.reason is Reason.INTERRUPTED


def _not_found(answer: Snapshot | CloudError) -> bool:
    return isinstance(answer, CloudError) and answer.reason is Reason.NOT_FOUND


def _worst(failures: list[CloudError], probe: Probe) -> CloudError:
    """The failure if no kind has the id. It is “not found” only if every kind replied so."""
    telling = [failure for failure in failures if failure.reason is not Reason.NOT_FOUND]
    if not telling:
        kinds = ", ".join(kind.name for kind in probe.kinds)
        return CloudError(
            Reason.NOT_FOUND,
            f"not found in {probe.scope} (searched: {kinds}); "
            "it may be no longer kept, or in another region or account",
        )
    first = telling[0]
    if first.reason is not Reason.DENIED:
        return first
    return CloudError(
        first.reason,
        f"could not check whether it exists in {probe.scope}: {first.message}",
        provider_code=first.provider_code,
        request_id=first.request_id,
        hint="give the kind, as in "
        + f"{probe.scope}:{probe.kinds[0].name}/{probe.references[0].id}, or request the permission",
    )


def _resolve(reference: Reference, answers: list[tuple[Scope, Snapshot | CloudError]]) -> LookupResult:
    hits = [answer for _, answer in answers if isinstance(answer, Snapshot)]
    if len(hits) == 1:
        return LookupResult(reference=reference, snapshot=hits[0], note=_note(reference, hits[0]))
    if hits:
        refs = " and ".join(str(hit.run.ref) for hit in hits)
        message = f"“{reference.text}” matches more than one run: {refs}; use the full form"
        return LookupResult(
            reference=reference, snapshot=None, problem=Problem(code=Reason.USAGE, message=message, ref=reference.name)
        )
    failures = [(scope, answer) for scope, answer in answers if isinstance(answer, CloudError)]
    scope, error = min(failures, key=lambda pair: _RANK.get(pair[1].reason, 1))
    problem = error.problem(scope=scope, ref=reference.name)
    return LookupResult(reference=reference, snapshot=None, problem=problem)


_RANK = {Reason.DENIED: 0, Reason.NOT_FOUND: 2}
"""The failure of a reference that was looked up in several scopes: the one that leaves it open."""


def _note(reference: Reference, snapshot: Snapshot) -> str | None:
    if snapshot.run.id == reference.id:
        return None
    return f"{reference.id} is part of {snapshot.run.ref}"
