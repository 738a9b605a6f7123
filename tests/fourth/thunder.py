"""The imaginary cloud on a bad day: the part of its contract that NIMBUS_RAISES names raises anything."""

import os
from collections.abc import Iterator
from typing import Any, NoReturn

import nimbus
from msgspec import structs


def _strike(*_: Any, **__: Any) -> NoReturn:
    raise {"memory": MemoryError, "key": KeyError}.get(os.environ.get("NIMBUS_WITH", ""), RuntimeError)(
        os.environ["NIMBUS_KEY"]
    )


def _strike_later(*_: Any, **__: Any) -> Iterator[Any]:
    yield from ()
    _strike()


_NAME = os.environ["NIMBUS_RAISES"]
if hasattr(nimbus.Nimbus, _NAME):
    setattr(nimbus.Nimbus, _NAME, _strike_later if os.environ.get("NIMBUS_LATER") else _strike)
    _NAME = ""
PROVIDER = structs.replace(nimbus.PROVIDER, **({_NAME: _strike} if _NAME else {}))
