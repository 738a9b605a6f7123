"""One setting at a time: its flag, its variable, and empty values."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from msgspec import Struct

from runcancel.errors import UsageError

T = TypeVar("T")

_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# patterns as text: compiled when they are first used
_AGE = "".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _SECONDS)
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_EPOCHS = ((r"[0-9]{10}(?:\.[0-9]+)?", "seconds"), (r"[0-9]{13}", "milliseconds"))
"""The form of a number of seconds or milliseconds since 1970, from 2001 to 2286."""
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_DATED = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].+)?"
_LONGEST = 100 * 365.25 * 86400.0  # seconds
_A_TIME = "give an age as in 2h, a date as in 2026-11-21, a time as in 2026-11-21T03:00:00Z, or seconds since 1970"
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


class Choice(Struct, Generic[T], frozen=True):
    """A value and where it came from: a flag, the name of a variable, or "default"."""

    value: T
    origin: str

    @property
    def typed(self) -> bool:
        """Whether it was typed on this command line."""
        return self.origin.startswith("-")


def text(flag: str, value: str | None, environ: Mapping[str, str]) -> Choice[str | None]:
    """One text setting: the flag, else its `RUNCANCEL_…` variable, else None."""
    if value is not None:
        return Choice(plain(flag, value), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(plain(name, environ[name]), name)
    return Choice(None, "default")


def user_name() -> str:
    """Who runs this program: as the environment or the system names the user, else the number."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this number
        return str(os.getuid())


def this_machine() -> str:
    """What tells this machine, since its start, and this container apart from others with the same host name."""
    import os
    import socket

    parts = [socket.gethostname()]
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:  # there is no /proc: the name has to do
        pass
    return " ".join(parts)


def several(flag: str, values: Iterable[str], environ: Mapping[str, str]) -> Choice[tuple[str, ...]]:
    """One setting that takes several words, each once: the flags, else its variable, else none."""
    typed = tuple(values)
    if typed:
        return Choice(_split(flag, typed), flag)
    name = variable(flag)
    if environ.get(name):
        return Choice(_split(name, (environ[name],)), name)
    return Choice((), "default")


def switch(flag: str, flag_value: bool | None, environ: Mapping[str, str]) -> bool:
    """One on-off setting. Raises `UsageError` for a variable that is neither on nor off."""
    if flag_value:
        return True
    name = variable(flag)
    value = environ.get(name, "").strip().lower()
    if value in _YES | _NO:
        return value in _YES
    raise UsageError(f"{name} is “{value}”. Expected 1 or 0")


def duration(flag: str, value: str, *, with_unit: bool = False) -> float:
    """Seconds out of `90s`, `1.5m`, `1h30m`, `2w`, or of a bare number of seconds, unless it has to be `with_unit`.

    Raises `UsageError`.
    """
    value = value.strip()
    bare = re.fullmatch(_NUMBER, value) is not None
    seconds = float(value) if bare else _age(value)
    if seconds is None:
        raise UsageError(
            f"{flag} “{value}” is not a duration; nothing was sent",
            hint="give a number with a unit, as in 90s, 2m, 1h30m",
        )
    if bare and with_unit and seconds > 0:
        raise UsageError(f"{flag} “{value}” has no unit; nothing was sent", hint=f"as in {flag} 30m, {flag} 12h")
    if seconds > _LONGEST:
        raise UsageError(f"{flag} “{value}” is too long; nothing was sent")
    return seconds


def moment(flag: str, value: str, now: datetime) -> datetime:
    """A time: an age before now, RFC 3339, a date, or seconds or milliseconds since 1970.

    A date or time without a zone is local. Raises `UsageError`, also for a bare number that is none of these: taken for
    an age it would select nearly everything.
    """
    value = plain(flag, value).strip()
    seconds = _age(value.removesuffix(" ago"))
    if seconds is not None:
        try:
            return now - timedelta(seconds=seconds)
        except OverflowError:
            raise UsageError(f"{flag} “{value}” is too long ago; nothing was sent") from None
    for pattern, unit in _EPOCHS:
        if re.fullmatch(pattern, value):
            return _1970 + timedelta(**{unit: float(value)})
    if re.fullmatch(_NUMBER, value):
        raise UsageError(
            f"{flag} “{value}” has no unit and is not a time; nothing was sent", hint=f"{_A_TIME} (date +%s)"
        )
    return _dated(flag, value)


def past(flag: str, value: str, now: datetime) -> datetime:
    """A time as `moment` reads it. Raises `UsageError` for one that is still to come: everything is older than that."""
    instant = moment(flag, value, now)
    if instant > now:
        raise UsageError(f"{flag} “{value}” is in the future; nothing was sent", hint=_A_TIME)
    return instant


def _age(value: str) -> float | None:
    """Seconds out of numbers with units, the largest unit first; None for anything else."""
    match = re.fullmatch(_AGE, value)
    if match is None or not any(match.groups()):
        return None
    return sum(float(number) * size for number, size in zip(match.groups(), _SECONDS.values(), strict=True) if number)


def _dated(flag: str, value: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value if re.fullmatch(_DATED, value) else "")
    except ValueError:
        raise UsageError(f"{flag} “{value}” is not a time; nothing was sent", hint=_A_TIME) from None
    try:
        return parsed.astimezone(UTC)
    except (OverflowError, OSError, ValueError):  # the first and last day of the calendar
        raise UsageError(f"{flag} “{value}” is out of range; nothing was sent") from None


def plain(origin: str, value: str) -> str:
    """A value as given. Raises `UsageError` as `check_given` does, and for characters that do not show."""
    check_given(origin, value)
    if not value.isprintable():
        raise UsageError(f"{origin} contains non-printable characters; nothing was sent")
    return value


def check_given(origin: str, value: str) -> None:
    """Raise `UsageError` for an empty value (an unset variable) or one that looks like an option."""
    if not value:
        raise UsageError(f"{origin} is empty (an unset variable?); nothing was sent")
    if value.startswith("-"):
        raise UsageError(f"{origin} has the value “{value}”, which looks like an option; nothing was sent")


def check_partner(option: str, partner: str, *, is_given: bool, is_there: bool) -> None:
    """Raise `UsageError` for an option that would do nothing, because `partner`, which it needs, is not there."""
    if is_given and not is_there:
        raise UsageError(f"{option} needs {partner}; nothing was sent")


def plain_file(flag: str, value: str) -> str:
    """A file's name as given, or `-` for standard streams. Raises `UsageError` as `plain` does."""
    return value if value == "-" else plain(flag, value)


def variable(flag: str) -> str:
    """The variable of a flag: `--no-input` is `RUNCANCEL_NO_INPUT`."""
    return "RUNCANCEL_" + flag.lstrip("-").replace("-", "_").upper()


def _split(origin: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(origin, part.strip()) for value in values for part in value.split(",")))
