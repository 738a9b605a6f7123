"""Which operations on triggers the caller may use in each scope, as far as reading alone shows it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import structs

from runcancel.engine.connections import Clouds
from runcancel.engine.search import as_completed
from runcancel.engine.trigger_search import Line
from runcancel.errors import CloudError
from runcancel.model.reports import TriggerCheck
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Reason
from runcancel.model.triggers import TriggerKind, TriggerQuery
from runcancel.providers import provider
from runcancel.runtime.workers import Workers

_TELLS = frozenset({Reason.NOT_FOUND, Reason.INVALID})
"""Failures of a reading that only a permitted caller gets."""


def examine_triggers(
    scopes: Sequence[Scope], clouds: Clouds, workers: Workers, *, within: float
) -> dict[Scope, tuple[TriggerCheck, ...]]:
    """Ask each scope, kind by kind, for its first trigger and for a reading of it; what has not replied `within` so
    many seconds is not known. Nothing is changed, hence nothing is known of `disable` and `enable`.

    Raises `Interrupted` after a signal.
    """
    kinds = {(scope, kind.name): kind for scope in scopes for kind in provider(scope.provider).trigger_kinds}
    sources = {key: partial(_tried, clouds, key[0], kind) for key, kind in kinds.items()}
    checks = {key: _unknown(kind) for key, kind in kinds.items()}
    arriving = as_completed(sources, workers, queue=lambda key: Line(*key), within=within)
    checks |= {key: check for key, check in arriving if isinstance(check, TriggerCheck)}
    return {scope: tuple(check for key, check in checks.items() if key[0] == scope) for scope in scopes}


def _unknown(kind: TriggerKind) -> TriggerCheck:
    return TriggerCheck(kind=kind.name, switchable=kind.switchable, list=None, read=None)


def _tried(clouds: Clouds, scope: Scope, kind: TriggerKind) -> Iterator[TriggerCheck]:
    """Whether the kind can be listed and read: by its first trigger, else by an id that no trigger has.

    On a worker.
    """
    triggers = clouds.at(scope).triggers()
    ref = Ref(scope=scope, kind=kind.name, id=kind.probe_id)

    def first() -> None:
        nonlocal ref
        trigger = next(iter(triggers.find(TriggerQuery(kinds=frozenset({kind.name})))), None)
        ref = ref if trigger is None else trigger.ref

    listed, denied = _permitted(first)
    read, refused = (None, ()) if listed is None else _permitted(lambda: triggers.read(ref))
    actions = tuple(dict.fromkeys((*denied, *refused)))
    yield structs.replace(_unknown(kind), list=listed, read=read, denied=actions)


def _permitted(call: Callable[[], object]) -> tuple[bool | None, tuple[str, ...]]:
    """Permitted, not permitted or not known, and the operation that was denied."""
    try:
        call()
    except CloudError as error:
        if error.reason is Reason.DENIED:
            return False, () if error.action is None else (error.action,)
        return (True if error.reason in _TELLS else None), ()
    return True, ()
