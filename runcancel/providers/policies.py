"""What a minimal policy is asked for with and comes as, whatever the vendor's language of policies."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Narrowing(Struct, frozen=True, kw_only=True):
    """How narrow a policy is wanted. None and empty: not narrowed in this respect.

    `account` is the vendor's own number; `window` the id of a maintenance window (AWS); `kinds` are kinds of runs.
    """

    read_only: bool = False
    account: str | None = None
    regions: tuple[str, ...] = ()
    window: str | None = None
    kinds: frozenset[str] = frozenset()


class Policy(Struct, frozen=True, kw_only=True):
    """A policy as the vendor's console takes it, and whole sentences about what it could not say."""

    document: Mapping[str, Any]
    notes: tuple[str, ...] = ()
