"""A document that is valid against a schema and says nothing: every key, each value as plain as its type allows."""

from collections.abc import Callable, Mapping
from typing import Any

from runcancel.render.schemas import schema

_TIME = "2026-11-21T03:00:00Z"


def sample(name: str) -> Any:
    """The sample document of one of the names of `SCHEMAS`, as JSON data. Raises KeyError for another name."""
    whole = schema(name)
    return _of(whole, whole["$defs"], name)


def _of(part: Mapping[str, Any], parts: Mapping[str, Any], key: str) -> Any:
    if "$ref" in part:
        return _of(parts[part["$ref"].rpartition("/")[2]], parts, key)
    if "anyOf" in part:
        return _of(min(part["anyOf"], key=lambda each: each.get("type") == "null"), parts, key)
    for word in ("const", "enum"):
        if word in part:
            return part[word] if word == "const" else part[word][0]
    return _MADE[part["type"]](part, parts, key)


def _object(part: Mapping[str, Any], parts: Mapping[str, Any], key: str) -> Any:
    if "properties" in part:
        return {name: _of(part["properties"][name], parts, name) for name in part["required"]}
    if "additionalProperties" not in part:  # anything: a document of somebody else's making
        return {}
    names = part.get("propertyNames", {"type": "string"})
    return {str(_of(names, parts, "key")): _of(part["additionalProperties"], parts, key)}


def _string(part: Mapping[str, Any], _: Mapping[str, Any], key: str) -> str:
    return _TIME if part.get("format") == "date-time" else key


_MADE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], str], Any]] = {
    "object": _object,
    "array": lambda part, parts, key: [_of(part["items"], parts, key)],
    "string": _string,
    "integer": lambda *_: 0,
    "number": lambda *_: 0.0,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
}
