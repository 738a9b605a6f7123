"""The clouds: a table name -> module that exports a `PROVIDER`, and how a kind of run is found.

A provider module imports no SDK at its top (`--help` and completion read its tables); `connect` does.
"""

from functools import cache
from importlib import import_module

from runcancel.model.runs import Kind, Ref
from runcancel.model.triggers import TriggerKind
from runcancel.providers.base import Provider

PROVIDERS = {
    "aws": "runcancel.providers.aws",
    "alibaba": "runcancel.providers.alibaba",
    "tencent": "runcancel.providers.tencent",
}


def provider(name: str) -> Provider:
    """The provider of that name. Raises KeyError for a name not in the table, TypeError for a module without one."""
    return _exported(PROVIDERS[name])


@cache
def _exported(module: str) -> Provider:
    record = getattr(import_module(module), "PROVIDER", None)
    if not isinstance(record, Provider):
        raise TypeError(f"{module} exports no PROVIDER")
    return record


def kind_of(ref: Ref) -> Kind:
    """The kind record of a reference, of a run or of a trigger."""
    one = provider(ref.scope.provider)
    return next(kind for kind in (*one.kinds, *one.trigger_kinds) if kind.name == ref.kind)


def trigger_kind_of(ref: Ref) -> TriggerKind | None:
    """The kind record of the reference of a trigger; None for that of a run, or of a cloud that is not in the table."""
    if ref.scope.provider not in PROVIDERS:
        return None
    kinds = provider(ref.scope.provider).trigger_kinds
    return next((kind for kind in kinds if kind.name == ref.kind), None)
