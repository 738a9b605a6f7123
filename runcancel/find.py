"""Look at given runs: which scope and kind a reference means, and what stands there now."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from runcancel import settings as settings_
from runcancel.clouds import Batch, Clouds, read
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model import Kind, Problem, Ref, Scope, Snapshot
from runcancel.pace import Clock
from runcancel.providers import kind_of
from runcancel.providers.reading import chunks
from runcancel.refs import Reference
from runcancel.settings import Settings
from runcancel.vocabulary import Reason
from runcancel.workers import Workers


class Sight(Struct, frozen=True, kw_only=True):
    """What was found under one reference: a snapshot or a problem. `note` is what a person should know beside it."""

    reference: Reference
    snapshot: Snapshot | None
    problem: Problem | None = None
    note: str | None = None


class _Probe(Struct, frozen=True, kw_only=True):
    """One place where references may be found: several ids where the kind is known, else one id and its kinds."""

    scope: Scope
    kinds: tuple[Kind, ...]
    references: tuple[Reference, ...]


_Answer = tuple[Reference, Snapshot | CloudError]


def look(
    references: Sequence[Reference], settings: Settings, clouds: Clouds, workers: Workers, *, full: bool = True
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

    def work(probe: _Probe) -> tuple[_Answer, ...]:
        return _answers(clouds, probe, workers.clock, full=full)

    for done in workers.map(work, probes, queue=lambda probe: probe.scope):
        for reference, answer in done.value():
            answers[reference].append((done.item.scope, answer))
            open_places[reference] -= 1
            if not open_places[reference]:
                yield _settle(reference, answers.pop(reference))


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


def _answers(clouds: Clouds, probe: _Probe, clock: Clock, *, full: bool) -> tuple[_Answer, ...]:
    if len(probe.kinds) > 1:
        return ((probe.references[0], _first_hit(clouds, probe, clock, full=full)),)
    of = {reference: reference.at(probe.scope, probe.kinds[0]) for reference in probe.references}
    batch = Batch(scope=probe.scope, kind=probe.kinds[0], refs=tuple(dict.fromkeys(of.values())))
    by_ref = _again(clouds, batch, dict(read(clouds, batch, full=full)), clock, full=full)
    return tuple((reference, by_ref[ref]) for reference, ref in of.items())


def _first_hit(clouds: Clouds, probe: _Probe, clock: Clock, *, full: bool) -> Snapshot | CloudError:
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
    """The answers, after what is not found was looked for again: a run may be fresh and not show everywhere yet."""
    found = dict(answers)
    for pause in batch.kind.grace:
        missing = tuple(ref for ref, answer in found.items() if _not_found(answer))
        if not missing:
            break
        clock.sleep(pause)
        found |= read(clouds, structs.replace(batch, refs=missing), full=full)
    return found


def _not_found(answer: Snapshot | CloudError) -> bool:
    return isinstance(answer, CloudError) and answer.reason is Reason.NOT_FOUND


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
