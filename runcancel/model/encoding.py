"""Records as JSON and back: the one place where the name of a run becomes text, and text the name of a run.

In the text that is printed everything shows as itself or is escaped.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from runcancel.model.runs import Ref, RunName
from runcancel.text import is_plain, safe

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
    """The JSON Schema of a type that is no plain data: a name of a run is a string. Raises NotImplementedError."""
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


def encode(value: object) -> str:
    """A record or JSON data on one line. What would not show as itself is `\\uXXXX`; a lone surrogate becomes text."""
    return _plain(_json(value).decode())


def pretty(value: object) -> str:
    """The same, indented by two spaces, over several lines."""
    return msgspec.json.format(encode(value), indent=2)


def escape(char: str) -> str:
    """A character as JSON can have it in ASCII: `\\uXXXX`, two of them beyond the first plane."""
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _json(value: object) -> bytes:
    try:
        return to_json(value)
    except UnicodeEncodeError:
        return to_json(_without_surrogates(to_builtins(value)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(safe(char) if "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return [_without_surrogates(each) for each in value] if isinstance(value, (list, tuple)) else value


def _plain(text: str) -> str:
    if is_plain(text):
        return text
    strange = "".join(char for char in {*text} if not is_plain(char))  # a few, in a document of a megabyte
    return re.sub(f"[{re.escape(strange)}]", lambda match: escape(match[0]), text)
