"""TOML as a record. An error names its position in the file."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.text import is_plain

T = TypeVar("T")

# patterns as text: compiled when they are first used
_KEY = r" - at `\$\.?(.*)`$"
_UNKNOWN = r"Object contains unknown field `(.*)`"
_MISSING = r"Object missing required field `(.*)`"
_BARE = r"[A-Za-z0-9_-]+"


def record(
    file: Path,
    text: str,
    kind: type[T],
    keys: Mapping[str, type[Struct]],
    *,
    choices: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> T:
    """TOML as a record. Raises `UsageError`.

    `keys`: what it may have, by the first word of the place; `choices` what a missing key may be.
    """
    data = _data(file, text)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        message = _sentence(_name_of(str(error), data, kind), keys, choices)
        raise UsageError(f"{file}: {message}; nothing was sent") from None


def hidden(name: str) -> bool:
    """Whether a name is empty or not printable."""
    return not name.strip() or not is_plain(name)


def unselectable(name: str) -> bool:
    """Whether `-c` cannot name it: it splits at commas, strips spaces and takes nothing that looks like an option."""
    return hidden(name) or name.startswith("-") or name != name.strip() or "," in name


def key_of(name: str) -> str:
    """A name as a part of a key, in quotes if TOML needs them."""
    return name if re.fullmatch(_BARE, name) else f'"{name}"'


def wrong(file: Path, key: str, what: str) -> UsageError:
    """What is wrong at one place of a file, as one line."""
    return UsageError(f"{file}: {key} {what}; nothing was sent")


def _data(file: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}; nothing was sent") from None
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply; nothing was sent") from None
    except ValueError:  # thousands of digits
        raise UsageError(f"{file} contains a number that is too long; nothing was sent") from None


def _name_of(error: str, data: Mapping[str, Any], kind: type) -> str:
    """Name the member of a table, for which msgspec prints `contexts[...]`."""
    for table, member_type in get_type_hints(kind).items():
        members = data.get(table)
        if f"$.{table}[...]" not in error or get_origin(member_type) is not dict or not isinstance(members, dict):
            continue
        for name, member in members.items():
            try:
                msgspec.convert(member, get_args(member_type)[1])
            except msgspec.ValidationError:
                return error.replace(f"{table}[...]", f"{table}.{key_of(name)}", 1)
    return error


def _sentence(error: str, keys: Mapping[str, type[Struct]], choices: Mapping[str, Collection[str]]) -> str:
    """The error of msgspec with the position first, and the correction."""
    match = re.search(_KEY, error)
    key = match[1] if match else ""
    what = re.sub(_KEY, "", error)
    if missing := re.match(_MISSING, what):
        there = f". Expected one of: {', '.join(choices[missing[1]])}" if missing[1] in choices else ""
        return f"{key}.{missing[1]} is missing{there}".removeprefix(".")
    unknown = re.match(_UNKNOWN, what)
    if unknown is None:
        return f"{key}: {what}" if key else what
    keys_there = keys.get(key.partition(".")[0].partition("[")[0], keys[""]).__struct_fields__
    whole = f"{key}.{key_of(unknown[1])}" if key else key_of(unknown[1])
    return f"unknown key {whole}. Expected one of: {', '.join(keys_there)}{nearest(unknown[1], keys_there)}"
