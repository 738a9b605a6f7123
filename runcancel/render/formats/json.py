"""Records as JSON text in which everything shows as itself or is escaped."""

from typing import Any

import msgspec

from runcancel.model.encoding import to_builtins, to_json
from runcancel.text import is_plain, safe


def encode(value: object) -> str:
    """A record or JSON data on one line. What would not show as itself is `\\uXXXX`; a lone surrogate becomes text."""
    return _plain(_json(value).decode())


def pretty(value: object) -> str:
    """The same, indented."""
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
    return text if is_plain(text) else "".join(char if is_plain(char) else escape(char) for char in text)
