"""The script of a run: decoded out of what a vendor keeps, and searched for a text."""

import binascii
import json
from base64 import b64decode
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping
from typing import Any

from runcancel.providers.common.fields import text

_MAIN = "commands"
"""The parameter that holds the lines of a script, in the documents that run one."""

_ENCODINGS = ("utf-8-sig", "gb18030")
"""Tried in this order: scripts for Windows machines in China are often in GBK, which GB 18030 extends."""


def decoded_script(value: object) -> str:
    """The text of a script that travels as base64; what is no base64 is the text itself.

    UTF-16 is recognized by its byte order mark, GB 18030 by being valid where UTF-8 is not; of other bytes those that
    are no UTF-8 are replaced.
    """
    encoded = text(value) or ""
    try:
        data = b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return encoded
    return _decoded(data)


def with_parameters(script: str | None, parameters: object) -> str | None:
    """The script, and below it the parameters of the run, one a line; None where there is neither.

    `parameters` is an object, or an object as JSON text. Its lines of commands, if it has any, are the script.
    """
    values = _parameters(parameters)
    lines = [script] if script else []
    if isinstance(values.get(_MAIN), list | str):
        lines.append("\n".join(_values(values[_MAIN])))
    lines += [f"{name}: {', '.join(_values(value))}" for name, value in sorted(values.items()) if name != _MAIN]
    return "\n".join(lines) or None


def contains(script: str | None, part: str | None) -> bool:
    """Whether a script has a text in it; every script has no text. Line ends of Windows count as line ends."""
    if part is None:
        return True
    return script is not None and (part in script or part in script.replace("\r\n", "\n"))


def _decoded(data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _parameters(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except (ValueError, RecursionError):
            return {"parameters": value}
    return value if isinstance(value, Mapping) else {}


def _values(value: object) -> Iterator[str]:
    """The texts of a parameter: one, several, or a structure as JSON."""
    for one in value if isinstance(value, list) else [value]:
        yield one if isinstance(one, str) else json.dumps(one, ensure_ascii=False, default=str)
