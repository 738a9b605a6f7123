"""Records as JSON and back: the one place where the name of a run becomes text, and text the name of a run."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from runcancel.model.runs import Ref, RunName

T = TypeVar("T")


def to_json(value: object) -> bytes:
    """A record or plain data as JSON. Raises UnicodeEncodeError for half a surrogate pair."""
    return msgspec.json.encode(value, enc_hook=_to_text)


def to_builtins(value: object) -> Any:
    """A record as plain data: dictionaries, lists, text and numbers."""
    return msgspec.to_builtins(value, enc_hook=_to_text)


def from_json(text: bytes | str, kind: type[T]) -> T:
    """A record out of JSON. Raises `msgspec.ValidationError` with the place, `msgspec.DecodeError` for what is none."""
    return msgspec.json.decode(text, type=kind, dec_hook=_from_text)


def from_builtins(value: object, kind: type[T], *, ref: Callable[[str], Ref] = Ref.parse) -> T:
    """A record out of plain data; `ref` reads its references. Raises `msgspec.ValidationError` with the place."""
    return msgspec.convert(value, kind, dec_hook=lambda kind, text: _from_text(kind, text, ref))


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a type that is no plain data."""
    if issubclass(kind, RunName):
        return {"type": "string"}
    raise NotImplementedError(kind)


def _to_text(value: object) -> str:
    if isinstance(value, RunName):
        return value.text
    raise NotImplementedError(type(value))


def _from_text(kind: type, value: object, ref: Callable[[str], Ref] = Ref.parse) -> RunName:
    if not issubclass(kind, RunName):
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{_JSON_NAMES.get(type(value), type(value).__name__)}`")
    return ref(value) if issubclass(kind, Ref) else RunName.parse(value)


_JSON_NAMES = {dict: "object", list: "array", type(None): "null"}
