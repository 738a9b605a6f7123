"""A JSON document as YAML that every parser reads back as the same data.

Block style, keys in their order. Only a plain word of ASCII stands unquoted; what would not show as itself is escaped
(https://yaml.org/spec/1.2.2, flow scalar styles).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runcancel.text import is_plain

_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9._/@,+=()%;-]*(?:[ :]+[A-Za-z0-9._/@,+=()%;-]+)*")
_BREAK = ": "
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that some version of YAML reads as something else."""

_LONGEST_KEY = 100  # characters of a key that stands on the line of its value: parsers take 1,024
_INDENT = "  "


def dump(data: Any) -> str:
    """Data as `json.loads` gives it, as one YAML document that ends with a line feed."""
    lines: list[str] = []
    if isinstance(data, (dict, list)) and data:
        _block(data, "", lines)
    else:
        lines.append(_scalar(data))
    return "\n".join(lines) + "\n"


def _block(value: Any, pad: str, lines: list[str]) -> None:
    """The lines of a list or an object that is not empty."""
    if isinstance(value, dict):
        _object(value, pad, lines)
        return
    for each in value:
        if isinstance(each, (dict, list)) and each:
            at = len(lines)
            _block(each, pad + _INDENT, lines)
            lines[at] = f"{pad}- {lines[at][len(pad) + len(_INDENT) :]}"
        else:
            lines.append(f"{pad}- {_scalar(each)}")


def _object(value: dict[str, Any], pad: str, lines: list[str]) -> None:
    """The lines of an object: the loop in which thousands of rows spend their time."""
    for key, each in value.items():
        kind = type(each)
        if each and (kind is dict or kind is list):
            lines.append(_key(key, pad))
            _block(each, pad if kind is list else pad + _INDENT, lines)
        else:
            lines.append(f"{_key(key, pad)} {_SCALARS[kind](each)}")


@lru_cache(maxsize=4096)
def _key(key: str, pad: str) -> str:
    text = _text(key)
    return f"{pad}{text}:" if len(text) <= _LONGEST_KEY else f"{pad}? {text}\n{pad}:"


def _scalar(value: Any) -> str:
    return _SCALARS[type(value)](value)


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    if _WORD.fullmatch(text) and _BREAK not in text and text.lower() not in _RESERVED:
        return text
    if is_plain(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if " " <= char <= "~":
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _float(value: float) -> str:
    text = repr(value)
    return text.replace("e", ".0e", 1) if "." not in text else text  # without a dot it is a text in YAML 1.1


_SCALARS: Mapping[type, Callable[[Any], str]] = {
    str: _text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    int: str,
    float: _float,
    dict: lambda _: "{}",
    list: lambda _: "[]",
}
