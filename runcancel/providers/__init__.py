"""The clouds: a table name -> module, and how a kind of run is found.

A provider module imports no SDK at its top (`--help` and completion read its tables); `connect` does.
"""

from importlib import import_module
from typing import cast

from runcancel.model.runs import Kind, Ref
from runcancel.providers.base import Provider

PROVIDERS = {
    "aws": "runcancel.providers.aws",
    "alibaba": "runcancel.providers.alibaba",
    "tencent": "runcancel.providers.tencent",
}


def provider(name: str) -> Provider:
    """The provider module of that name. Raises KeyError for a name that is not in the table."""
    return cast(Provider, import_module(PROVIDERS[name]))


def kind_of(ref: Ref) -> Kind:
    """The kind record of a reference."""
    return next(kind for kind in provider(ref.scope.provider).KINDS if kind.name == ref.kind)
