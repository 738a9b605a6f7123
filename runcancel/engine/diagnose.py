"""The checks of scopes by reading only: identity, clock and permissions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, structs

from runcancel.engine.connections import Clouds
from runcancel.engine.verdict import CancelResponse, RequestStatus
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.queries import Query
from runcancel.model.reports import PermissionCheck
from runcancel.model.runs import Identity, InvocationFilter, Kind, Ref, Scope
from runcancel.model.states import Reason
from runcancel.providers import provider
from runcancel.providers.base import Checkup, Cloud
from runcancel.runtime.workers import Workers

_TELLS = frozenset({Reason.NOT_FOUND, Reason.NOT_CANCELLABLE, Reason.INVALID})
"""Failures that only a permitted caller gets."""

_SILENT = frozenset({Reason.UNREACHABLE, Reason.LOST})
"""Failures after which a next request makes no sense."""

_IN_VAIN = CREDENTIALS - {Reason.DENIED} | {Reason.USAGE, Reason.NOT_CONFIGURED}
"""Failures that every other request to the scope would have, too."""


class Examined(Struct, frozen=True, kw_only=True):
    """What was seen of one scope. `connection` is None where it could not even be opened."""

    scope: Scope
    identity: Identity | None = None
    connection: Checkup | None = None
    permissions: tuple[PermissionCheck, ...] = ()
    errors: tuple[CloudError, ...] = ()


def examine(scopes: Sequence[Scope], clouds: Clouds, workers: Workers) -> tuple[Examined, ...]:
    """Ask each scope who we are, then, kind by kind, for one page and for one run. Raises `Interrupted`."""
    seen = {scope: Examined(scope=scope) for scope in scopes}
    for done in workers.map(lambda scope: clouds.at(scope).identity(), scopes, queue=lambda scope: scope):
        seen[done.item] = _identified(seen[done.item], done.error, done.value)
    checks = [(scope, kind) for scope in scopes if _worth_asking(seen[scope]) for kind in _kinds(scope)]
    for tried in workers.map(lambda pair: _tried(clouds.at(pair[0]), *pair), checks, queue=lambda pair: pair[0]):
        check, errors = tried.value()
        one = seen[tried.item[0]]
        errors = () if tried.item[1].by_kind_only else errors  # whoever does not use such a kind lacks nothing
        seen[one.scope] = structs.replace(one, permissions=(*one.permissions, check), errors=(*one.errors, *errors))
    return tuple(_finished(one, clouds) for one in seen.values())


Cancels = Mapping[tuple[str, str, str], tuple[datetime, bool]]
"""Scope, kind and key -> when a cancel there was last accepted (true) or denied."""


def last_cancels(answers: Iterable[tuple[datetime, Ref, CancelResponse]]) -> Cancels:
    """The last cancel per scope, kind and key. The responses come newest first; one without a key is ignored."""
    latest: dict[tuple[str, str, str], tuple[datetime, bool]] = {}
    for at, ref, answer in answers:
        denied = answer.problem is not None and answer.problem.code is Reason.DENIED
        if answer.key is not None and (denied or answer.status is RequestStatus.ACCEPTED):
            latest.setdefault((str(ref.scope), ref.kind, answer.key), (at, not denied))
    return latest


def with_cancels(one: Examined, cancels: Cancels) -> tuple[PermissionCheck, ...]:
    """The permissions of a scope, with what the journal knows about cancels there by the same key."""
    key = "" if one.connection is None else one.connection.key or ""

    def with_cancel(check: PermissionCheck) -> PermissionCheck:
        at, allowed = cancels.get((str(one.scope), check.kind, key), (None, None))
        return structs.replace(check, cancel=allowed, cancel_seen_at=at)

    return tuple(with_cancel(check) for check in one.permissions)


def _identified(one: Examined, error: BaseException | None, value: Callable[[], Identity]) -> Examined:
    if error is None:
        return structs.replace(one, identity=value())
    if not isinstance(error, CloudError):
        raise error
    return structs.replace(one, errors=(error,))


def _worth_asking(one: Examined) -> bool:
    return not any(error.reason in _IN_VAIN for error in one.errors)


def _kinds(scope: Scope) -> tuple[Kind, ...]:
    return provider(scope.provider).kinds


def _tried(cloud: Cloud, scope: Scope, kind: Kind) -> tuple[PermissionCheck, tuple[CloudError, ...]]:
    """Whether the kind can be listed and read: by the newest run, else by an id that no run has."""
    ref = Ref(scope=scope, kind=kind.name, id=kind.probe_id)

    def first_page() -> None:
        nonlocal ref
        snapshot = next(iter(cloud.runs(Query(kinds=frozenset({kind.name})))), None)
        ref = ref if snapshot is None else snapshot.run.ref

    def one_run() -> None:
        for _, snapshot in cloud.read((ref,), full=False):
            if isinstance(snapshot, CloudError) and snapshot.reason not in _TELLS:
                raise snapshot
        next(iter(cloud.invocations(ref, InvocationFilter(limit=1))), None)

    listed = _permitted(first_page)
    silent = listed is not None and listed.reason in _SILENT
    read = listed if silent else _permitted(one_run)
    errors = tuple(dict.fromkeys(answer for answer in (listed, read) if isinstance(answer, CloudError)))
    return PermissionCheck(kind=kind.name, list=_word(listed), read=_word(read)), errors


def _permitted(call: Callable[[], None]) -> CloudError | None:
    try:
        call()
    except CloudError as error:
        return None if error.reason in _TELLS else error
    return None


def _word(answer: CloudError | None) -> bool | None:
    """Permitted, not permitted, or not known."""
    return None if answer is not None and answer.reason is not Reason.DENIED else answer is None


def _finished(one: Examined, clouds: Clouds) -> Examined:
    order = [kind.name for kind in _kinds(one.scope)]
    one = structs.replace(one, permissions=tuple(sorted(one.permissions, key=lambda check: order.index(check.kind))))
    try:
        return structs.replace(one, connection=clouds.at(one.scope).checkup())
    except CloudError:
        return one
