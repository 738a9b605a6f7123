"""Vendors' files, read and never written: what is there, as text, and what is wrong with it by file and line."""

import json
import os
import stat
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason

_LARGEST = 8 * 1024 * 1024  # bytes
Sections = Mapping[str, Mapping[str, str]]


def home(environ: Mapping[str, str]) -> Path:
    """The folder below which the vendors keep their files. A path that is nowhere for a user who has no folder."""
    for name in ("HOME", "USERPROFILE"):
        if environ.get(name):
            return Path(environ[name])
    try:
        return Path.home()
    except RuntimeError:  # no passwd entry
        return Path("/nonexistent")


def there(path: Path) -> bool:
    """Whether a path exists. An unreadable one counts as existing; a device such as /dev/null does not."""
    try:
        return not stat.S_ISCHR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def stamp(path: Path) -> tuple[int, int] | None:
    """The time of change and the size of a file; None if they cannot be read."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def json_object(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file, None where there is none. Raises `Reason.NO_CREDENTIALS` with the line and the cause.

    A byte order mark is accepted.
    """
    if not there(path):
        return None
    try:
        document = json.loads(_text(path, _bytes(path)))
    except json.JSONDecodeError as error:
        raise unusable(path, f"is not JSON: {error.msg}", line=error.lineno) from None
    except RecursionError:
        raise unusable(path, "is not JSON: it is nested too deeply") from None
    if not isinstance(document, Mapping):
        raise unusable(path, "has no JSON object")
    return document


def ini(path: Path) -> Sections | None:
    """The sections of an ini file, None where there is none.

    Raises `Reason.NO_CREDENTIALS` with the line and the cause. A byte order mark is accepted.
    """
    return _sections(path, _bytes(path)) if there(path) else None


@lru_cache(maxsize=64)
def _sections(path: Path, data: bytes) -> Sections:
    from configparser import Error, MissingSectionHeaderError, ParsingError, RawConfigParser  # often there is no file

    parser = RawConfigParser()
    try:
        parser.read_string(_text(path, data))
    except MissingSectionHeaderError as error:
        raise unusable(path, "is not an ini file: a value stands before the first section", line=error.lineno) from None
    except ParsingError as error:
        line = error.errors[0][0] if error.errors else None
        raise unusable(path, "is not an ini file: neither a section nor a key with a value", line=line) from None
    except Error as error:
        what = type(error).__name__.removeprefix("Duplicate").removesuffix("Error").lower()
        raise unusable(path, f"has the same {what} twice", line=getattr(error, "lineno", None)) from None
    return {name: dict(parser[name]) for name in parser.sections()}


def token_in(file: str) -> str:
    """The token of a web identity from a file. Raises `Reason.NO_CREDENTIALS`; nothing of it is quoted."""
    path = Path(file)
    if not there(path):
        raise unusable(path, "the web identity token does not exist")
    token = _text(path, _bytes(path)).strip()
    if not token or not token.isascii() or not token.isprintable():
        raise unusable(path, "has no web identity token")
    return token


def unusable(path: Path, why: str, *, line: int | None = None) -> CloudError:
    """The failure of a file; its content is never quoted."""
    location = f"{path}, line {line}" if line else str(path)
    return CloudError(Reason.NO_CREDENTIALS, f"{location}: {why}", action="credentials", hint=f"correct {path}")


def _text(path: Path, data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise unusable(path, "is UTF-16 text; it must be UTF-8")
    data = data.removeprefix(BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unusable(path, "is not UTF-8 text", line=line) from None


def _bytes(path: Path) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise unusable(path, "is not a file")
        return _read(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise unusable(path, f"cannot be read: {(error.strerror or 'unknown reason').lower()}") from None


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, size: int) -> bytes:
    """The bytes of a file, read once as long as it does not change: hundreds of contexts need the same file."""
    if size > _LARGEST:
        raise unusable(path, f"is larger than {_LARGEST >> 20} MiB")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe in its place must not block
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(_LARGEST + 1)
