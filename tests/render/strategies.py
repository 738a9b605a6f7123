"""Any record at all: every string field holds any unicode, surrogates and controls included."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType, structs

from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Problem, Ref, Run, RunName, Scope

T = TypeVar("T", bound=Struct)

ANY_TEXT = st.text(alphabet=st.characters(), max_size=12) | st.sampled_from(
    ["\x1b[2J", "[bold]x[/]", "a\tb\nc", "\u202e\u2028", "\udc80", ":smile:", "\x9b31m", "=1+1"]
)
_SIMPLE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: ANY_TEXT,
    int: st.integers(0, 10**9),
    float: st.floats(0, 1e6),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    type(None): st.none(),
    RunName: ANY_TEXT.map(RunName),
    Ref: st.builds(
        Ref,
        scope=st.builds(
            Scope, provider=ANY_TEXT, region=ANY_TEXT, context=st.none() | st.sampled_from(["prod", "a b@c"])
        ),
        kind=ANY_TEXT,
        id=ANY_TEXT,
    ),
    UnsetType: st.just(UNSET),
}


def any_of(kind: type[T]) -> st.SearchStrategy[T]:
    """Any record of that kind."""
    fields = {field.name: _strategy(field.type) for field in structs.fields(kind)}
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def _strategy(hint: Any) -> st.SearchStrategy[Any]:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of(*map(_strategy, parts))
    if origin is tuple:
        return st.lists(_strategy(parts[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(_strategy(parts[0]), _strategy(parts[1]), max_size=4)
    return st.sampled_from(list(hint)) if issubclass(hint, Enum) else any_of(hint)


KINDS: Mapping[str, type[Struct]] = {"status": Run, "invocations": Invocation, "plan": PlanItem, "cancel": Outcome}
ROWS: Mapping[str, st.SearchStrategy[list[Any]]] = {
    name: st.lists(cast(st.SearchStrategy[Any], any_of(kind)), max_size=3) for name, kind in KINDS.items()
}
PROBLEMS = st.lists(any_of(Problem), max_size=2).map(tuple)
