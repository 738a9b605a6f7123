"""The checks of scopes by reading only: identity, clock and permissions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, structs

from runcancel.engine.connections import Clouds
from runcancel.engine.trigger_access import examine_triggers
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.outcomes import CancelResponse
from runcancel.model.queries import Query
from runcancel.model.reports import PermissionCheck, TriggerCheck
from runcancel.model.runs import Identity, InvocationFilter, Kind, Ref, Scope
from runcancel.model.states import Reason, RequestStatus
from runcancel.model.triggers import TriggerKind
from runcancel.providers import PROVIDERS, provider
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
    triggers: tuple[TriggerCheck, ...] = ()
    errors: tuple[CloudError, ...] = ()


def examine(scopes: Sequence[Scope], clouds: Clouds, workers: Workers, *, within: float) -> tuple[Examined, ...]:
    """Ask each scope who we are, then, kind by kind, for one page and for one run, and of the kinds of triggers, too.

    Within `within` seconds, what is not known of the triggers stays unknown. Raises `Interrupted`.
    """
    results = {scope: Examined(scope=scope) for scope in scopes}
    for done in workers.map(lambda scope: clouds.at(scope).identity(), scopes, queue=lambda scope: scope):
        results[done.item] = _identified(results[done.item], done.error, done.value)
    checks = [(scope, kind) for scope in scopes if _worth_asking(results[scope]) for kind in _kinds(scope)]
    for tried in workers.map(lambda pair: _tried(clouds.at(pair[0]), *pair), checks, queue=lambda pair: pair[0]):
        check, errors = tried.value()
        one = results[tried.item[0]]
        errors = () if tried.item[1].by_kind_only else errors  # whoever does not use such a kind lacks nothing
        results[one.scope] = structs.replace(one, permissions=(*one.permissions, check), errors=(*one.errors, *errors))
    triggers = examine_triggers([scope for scope in scopes if _replies(results[scope])], clouds, workers, within=within)
    return tuple(
        _finished(structs.replace(one, triggers=triggers.get(one.scope, ())), clouds) for one in results.values()
    )


LastWrites = Mapping[tuple[str, str, str, str], tuple[datetime, bool]]
"""Scope, kind, permission and key -> when a request that needs it was last accepted there (true) or denied."""


def last_writes(answers: Iterable[tuple[datetime, str, Ref, CancelResponse]]) -> LastWrites:
    """The last cancel, disable and enable per scope, kind and key, from the time, the verb, the run or trigger and the
    response of each. They come newest first; one without a key is ignored.
    """
    latest: dict[tuple[str, str, str, str], tuple[datetime, bool]] = {}
    for at, verb, ref, answer in answers:
        permission = _permission(verb, ref)
        denied = answer.problem is not None and answer.problem.code is Reason.DENIED
        if permission is None or answer.key is None or not (denied or answer.status is RequestStatus.ACCEPTED):
            continue
        latest.setdefault((str(ref.scope), ref.kind, permission, answer.key), (at, not denied))
    return latest


def with_writes(one: Examined, writes: LastWrites) -> Examined:
    """What was seen of a scope, with what the journal knows about requests there by the same key."""
    key = "" if one.connection is None else one.connection.key or ""
    permissions = {kind.name: kind.permission for kind in _kinds(one.scope)}
    switches = {kind.name: (kind.permission, kind.enable_permission) for kind in _trigger_kinds(one.scope)}

    def last(kind: str, permission: str) -> tuple[datetime | None, bool | None]:
        return writes.get((str(one.scope), kind, permission, key), (None, None))

    def of_run(check: PermissionCheck) -> PermissionCheck:
        at, allowed = last(check.kind, permissions[check.kind])
        return structs.replace(check, cancel=allowed, cancel_seen_at=at)

    def of_trigger(check: TriggerCheck) -> TriggerCheck:
        disable, enable = switches[check.kind]
        disabled_at, may_disable = last(check.kind, disable)
        enabled_at, may_enable = last(check.kind, enable)
        return structs.replace(
            check,
            disable=may_disable,
            disable_seen_at=disabled_at,
            enable=may_enable,
            enable_seen_at=enabled_at,
        )

    return structs.replace(
        one, permissions=tuple(map(of_run, one.permissions)), triggers=tuple(map(of_trigger, one.triggers))
    )


def _permission(verb: str, ref: Ref) -> str | None:
    """The permission that a request of this verb needs; None for what this program does not know."""
    cloud = provider(ref.scope.provider) if ref.scope.provider in PROVIDERS else None
    kinds = () if cloud is None else (*cloud.kinds, *cloud.trigger_kinds)
    kind = next((one for one in kinds if one.name == ref.kind), None)
    if isinstance(kind, TriggerKind) and verb == "enable":
        return kind.enable_permission
    return None if kind is None else kind.permission


def _identified(one: Examined, error: BaseException | None, value: Callable[[], Identity]) -> Examined:
    if error is None:
        return structs.replace(one, identity=value())
    if not isinstance(error, CloudError):
        raise error
    return structs.replace(one, errors=(error,))


def _worth_asking(one: Examined) -> bool:
    return not any(error.reason in _IN_VAIN for error in one.errors)


def _replies(one: Examined) -> bool:
    """Whether a kind of run could be judged: then the triggers can be as well."""
    return any(check.list is not None or check.read is not None for check in one.permissions)


def _kinds(scope: Scope) -> tuple[Kind, ...]:
    return provider(scope.provider).kinds


def _trigger_kinds(scope: Scope) -> tuple[TriggerKind, ...]:
    return provider(scope.provider).trigger_kinds


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
