"""One setting at a time: what its flag or its variable says, and what is no value."""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from runcancel.errors import UsageError

T = TypeVar("T")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


class Choice(Struct, Generic[T], frozen=True):
    """A value and where it came from: a flag, the name of a variable, or "default"."""

    value: T
    origin: str

    @property
    def typed(self) -> bool:
        """Whether somebody typed it on this command line."""
        return self.origin.startswith("-")


def text(flag: str, value: str | None, environ: Mapping[str, str]) -> Choice[str | None]:
    """One text setting: the flag, else its `RUNCANCEL_…` variable, else None."""
    if value is not None:
        return Choice(plain(flag, value), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(plain(name, environ[name]), name)
    return Choice(None, "default")


def several(flag: str, values: Iterable[str], environ: Mapping[str, str]) -> Choice[tuple[str, ...]]:
    """One setting that takes several words, each once: the flags, else its variable, else none."""
    given = tuple(values)
    if given:
        return Choice(_split(flag, given), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(_split(name, (environ[name],)), name)
    return Choice((), "default")


def switch(flag: str, given: bool | None, environ: Mapping[str, str]) -> bool:
    """One on-off setting. Raises `UsageError` for a variable that is neither on nor off."""
    if given:
        return True
    name = variable(flag)
    value = environ.get(name, "").strip().lower()
    if value in _YES | _NO:
        return value in _YES
    raise UsageError(f"{name} is “{value}”: give 1 or 0")


def duration(flag: str, value: str) -> float:
    """Seconds out of `90`, `90s`, `1.5m`, `2h`. Raises `UsageError`."""
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise UsageError(f"{flag} “{value}” is no duration: give seconds or a unit, as in 90, 90s, 2m, 1h")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def plain(origin: str, value: str) -> str:
    """A value as given. Raises `UsageError` for an empty one (an unset variable) or one that looks like an option."""
    if not value:
        raise UsageError(f"{origin} has an empty value: an unset variable? Nothing was sent")
    if not value.isprintable():
        raise UsageError(f"{origin} has a value with characters that do not show; nothing was sent")
    if value.startswith("-"):
        raise UsageError(f"{origin} has the value “{value}”, which looks like an option; nothing was sent")
    return value


def plain_file(flag: str, value: str) -> str:
    """A file's name as given, or `-` for standard streams. Raises `UsageError` as `plain` does."""
    return value if value == "-" else plain(flag, value)


def variable(flag: str) -> str:
    """The variable that stands for a flag: `--no-input` is `RUNCANCEL_NO_INPUT`."""
    return "RUNCANCEL_" + flag.lstrip("-").replace("-", "_").upper()


def _split(origin: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(origin, part.strip()) for value in values for part in value.split(",")))
