"""Any record at all: every string field holds any unicode, surrogates and controls included.

A record has up to some hundred fields, and one draw for each would take ten times as long as what a test does with the
record. So each record is drawn as bytes at once and read off them.
"""

import string
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from itertools import cycle
from types import UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin

from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType, structs

from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import Invocation, Problem, Ref, Run, RunName, Scope

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

HOSTILE = ("\x1b[2J", "[bold]x[/]", "a\tb\nc", "\u202e\u2028", "\udc80", ":smile:", "\x9b31m", "=1+1")
ANY_TEXT = st.text(alphabet=st.characters(), max_size=12) | st.sampled_from(HOSTILE)


class Choices:
    """Choices read off bytes, over and over where a record needs more of them. Zeros choose the plainest of all."""

    def __init__(self, drawn: bytes) -> None:
        self._bytes = cycle(drawn)

    def below(self, limit: int) -> int:
        """A number from 0 to below `limit`."""
        number, reach = next(self._bytes), 256
        while reach < limit:
            number, reach = number << 8 | next(self._bytes), reach << 8
        return number % limit

    def one_of(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]


Reader: TypeAlias = Callable[[Choices], T]

_ASCII = string.ascii_letters + string.digits + string.punctuation + " "
_ODD = "".join(
    char for char in map(chr, range(0x3000)) if unicodedata.category(char) in {"Cc", "Cf", "Cn", "Mn", "Zl", "Zp", "Zs"}
)
_WIDE = "ßéñ补丁磁盘한글あア＝＋Ａ😀👩🇩\ufe0f\u200d\u0301\u3000\U000e0041\U0010ffff\ue000\ufeff"
_SURROGATES = "\ud800\udbff\udc00\udc80\udfff"
_LENGTHS = (2, 0, 1, 1, 3, 3, 4, 5, 6, 8, 10, 12)
_EDGES = (datetime(2026, 11, 21, tzinfo=UTC), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _char(choices: Choices) -> str:
    alphabet = choices.one_of((_ASCII, _ASCII, _ASCII, _ODD, _ODD, _WIDE, _SURROGATES, None))
    return chr(choices.below(sys.maxunicode + 1)) if alphabet is None else choices.one_of(alphabet)


def _text(choices: Choices) -> str:
    if choices.below(4) == 3:
        return choices.one_of(HOSTILE)
    return "".join(_char(choices) for _ in range(choices.one_of(_LENGTHS)))


def _moment(choices: Choices) -> datetime:
    if choices.below(8) == 0:
        return choices.one_of(_EDGES)
    seconds = choices.below(int((_EDGES[2] - _EDGES[1]).total_seconds()))
    return _EDGES[1] + timedelta(seconds=seconds, microseconds=choices.one_of((0, 1, 999_999)))


def _ref(choices: Choices) -> Ref:
    context = choices.one_of((None, "prod", "a b@c"))
    scope = Scope(provider=_text(choices), region=_text(choices), context=context)
    return Ref(scope=scope, kind=_text(choices), id=_text(choices))


def _count(choices: Choices) -> int:
    return choices.below(choices.one_of((3, 256, 10**9 + 1)))


def _seconds(choices: Choices) -> float:
    return choices.one_of((0.0, 5e-324, 0.05, 59.99, 1e6, float(choices.below(10**6)), choices.below(2**24) / 1000))


_SIMPLE: Mapping[Any, Reader[Any]] = {
    str: _text,
    int: _count,
    float: _seconds,
    bool: lambda choices: choices.below(2) == 1,
    datetime: _moment,
    type(None): lambda choices: None,
    RunName: lambda choices: RunName(_text(choices)),
    Ref: _ref,
    UnsetType: lambda choices: UNSET,
}


@st.composite
def any_of(draw: st.DrawFn, kind: type[S]) -> S:
    """Any record of that kind."""
    read: Reader[S] = _record(kind)
    return read(Choices(draw(st.binary(min_size=128, max_size=128))))


@cache
def _record(kind: type[S]) -> Reader[S]:
    fields = {field.name: _reader(field.type) for field in structs.fields(kind)}
    return lambda choices: kind(**{name: read(choices) for name, read in fields.items()})


def _reader(hint: Any) -> Reader[Any]:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if get_origin(hint) is None:
        return _member(list(hint)) if issubclass(hint, Enum) else _record(hint)
    first, *others = [_reader(part) for part in get_args(hint) if part is not ...]
    if get_origin(hint) is tuple:
        return lambda choices: tuple(first(choices) for _ in range(choices.below(4)))
    if get_origin(hint) is dict:
        return lambda choices: {first(choices): others[0](choices) for _ in range(choices.below(5))}
    assert get_origin(hint) in (Union, UnionType), hint
    return lambda choices: choices.one_of((first, *others))(choices)


def _member(members: Sequence[T]) -> Reader[T]:
    return lambda choices: choices.one_of(members)


KINDS: Mapping[str, type[Struct]] = {"status": Run, "invocations": Invocation, "plan": PlanItem, "cancel": Outcome}
ROWS: Mapping[str, st.SearchStrategy[list[Any]]] = {
    name: st.lists(any_of(kind), max_size=3) for name, kind in KINDS.items()
}
PROBLEMS = st.lists(any_of(Problem), max_size=2).map(tuple)
