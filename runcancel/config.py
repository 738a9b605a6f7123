"""The user's configuration: contexts, groups and caps, in one TOML file that keeps its comments when it is written."""

import fcntl
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
from msgspec import Struct

from runcancel.errors import UsageError
from runcancel.providers import PROVIDERS
from runcancel.refs import nearest
from runcancel.text import is_plain

Document = MutableMapping[str, Any]
"""The file as tomlkit holds it."""

_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_LARGEST = 1024 * 1024  # bytes of a configuration


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named way to connect: a provider, the vendor's own profile, and regions ("all" for every one)."""

    provider: str
    profile: str | None = None
    regions: tuple[str, ...] = ()
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    site: str | None = None
    protected: bool = False


class Caps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps that hold besides those of the command line: the lower one counts."""

    max_runs: int | None = None
    max_targets: int | None = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `default` names what is used when nothing is named on the command line."""

    default: tuple[str, ...] = ()
    contexts: dict[str, Context] = {}
    groups: dict[str, tuple[str, ...]] = {}
    caps: Caps = Caps()

    def expand(self, names: Iterable[str]) -> tuple[str, ...]:
        """The contexts of names and groups, in order, each once. Raises `UsageError` for a name that is neither."""
        found: dict[str, None] = {}
        for name in names:
            if name not in self.contexts and name not in self.groups:
                known = (*self.contexts, *self.groups)
                there = f"there are {', '.join(known)}" if known else "none is configured"
                raise UsageError(
                    f"no context or group “{name}”: {there}{nearest(name, known)}; nothing was sent",
                    hint=f"a vendor's own profile is named with --profile {name}",
                )
            found |= dict.fromkeys(self.groups.get(name, (name,)))
        return tuple(found)


_KEYS: Mapping[str, type[Struct]] = {"": Config, "contexts": Context, "caps": Caps}
"""What may stand in the file, by the first word of the place."""


def path(environ: Mapping[str, str]) -> Path:
    """Where the file is: `config.toml` in the user's configuration directory."""
    named = environ.get("XDG_CONFIG_HOME")
    folder = Path(named) / "runcancel" if named else platformdirs.user_config_path("runcancel")
    return folder / "config.toml"


def load(file: Path) -> Config:
    """Read the file; a missing one is empty.

    Raises `UsageError`: for TOML that cannot be read with its line, for anything else with the whole path of the key.
    """
    text = _text(file)
    return Config() if text is None else _config(file, text)


def add(file: Path, name: str, context: Context) -> None:
    """Write a new context. Raises `UsageError` for a name that is taken or cannot be one."""
    if not name or not is_plain(name) or name.startswith("-"):
        raise UsageError(f"“{name}” cannot be the name of a context: it is empty, hidden, or looks like an option")

    def change(document: Document, now: Config) -> None:
        import tomlkit

        if name in now.contexts or name in now.groups:
            raise UsageError(f"there is a context or group “{name}” already; nothing was changed")
        table = tomlkit.table()
        for key, value in msgspec.to_builtins(context).items():
            if value not in (None, False, ()):
                table[key] = list(value) if isinstance(value, (list, tuple)) else value
        _table(document, "contexts")[name] = table

    _write(file, change)


def remove(file: Path, name: str) -> tuple[str, ...]:
    """Take a context out, of groups and of the default, too; where else it stood. Raises `UsageError`."""
    stood: list[str] = []

    def change(document: Document, now: Config) -> None:
        if name not in now.contexts:
            raise UsageError(f"no context “{name}”{nearest(name, now.contexts)}; nothing was changed")
        del _table(document, "contexts")[name]
        for group, members in now.groups.items():
            if name in members:
                stood.append(f"group {group}")
                _table(document, "groups")[group] = [one for one in members if one != name]
        if name in now.default:
            stood.append("default")
            document["default"] = [one for one in now.default if one != name]

    _write(file, change)
    return tuple(stood)


def use(file: Path, names: Sequence[str]) -> None:
    """Write what is used when nothing is named. Raises `UsageError` for an unknown name."""

    def change(document: Document, now: Config) -> None:
        now.expand(names)
        document["default"] = list(names)

    _write(file, change)


def _config(file: Path, text: str) -> Config:
    data: dict[str, Any] = {}
    try:
        data = tomllib.loads(text)
        found = msgspec.convert(data, Config)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is no TOML: {error}; nothing was sent") from None
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply; nothing was sent") from None
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {_sentence(_named(str(error), data))}; nothing was sent") from None
    _check(file, found)
    return found


def _check(file: Path, found: Config) -> None:
    """What holds between keys."""
    for name, context in found.contexts.items():
        if context.provider not in PROVIDERS:
            there = f"there are {', '.join(PROVIDERS)}{nearest(context.provider, PROVIDERS)}"
            raise _wrong(file, f"contexts.{name}.provider", f"is “{context.provider}”: {there}")
        if name in found.groups:
            raise _wrong(file, f"groups.{name}", "is the name of a context, too")
    for group, members in found.groups.items():
        for member in members:
            if member not in found.contexts:
                raise _wrong(file, f"groups.{group}", f"names no context “{member}”{nearest(member, found.contexts)}")
    for name in found.default:
        if name not in found.contexts and name not in found.groups:
            raise _wrong(file, "default", f"names no context or group “{name}”")
    for key, cap in (("max_runs", found.caps.max_runs), ("max_targets", found.caps.max_targets)):
        if cap is not None and cap < 0:
            raise _wrong(file, f"caps.{key}", "is below zero")


def _wrong(file: Path, key: str, what: str) -> UsageError:
    return UsageError(f"{file}: {key} {what}; nothing was sent")


_MEMBERS: Mapping[str, Any] = {"contexts": Context, "groups": tuple[str, ...]}


def _named(error: str, data: Mapping[str, Any]) -> str:
    """msgspec says `contexts[...]` for any member of a table: say which one it is."""
    for table, kind in _MEMBERS.items():
        members = data.get(table)
        if f"$.{table}[...]" not in error or not isinstance(members, dict):
            continue
        for name, member in members.items():
            try:
                msgspec.convert(member, kind)
            except msgspec.ValidationError:
                return error.replace(f"{table}[...]", f"{table}.{name}", 1)
    return error


def _sentence(error: str) -> str:
    """What msgspec says, with the place first and a near key for an unknown one."""
    place = _PLACE.search(error)
    key = place[1] if place else ""
    what = _PLACE.sub("", error)
    unknown = _UNKNOWN.match(what)
    if unknown is None:
        return f"{key}: {what}" if key else what
    known = _KEYS.get(key.partition(".")[0].partition("[")[0], Config).__struct_fields__
    whole = f"{key}.{unknown[1]}" if key else unknown[1]
    return f"no key {whole}: there are {', '.join(known)}{nearest(unknown[1], known)}"


def _text(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; nothing was sent") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{file} is larger than {_LARGEST >> 20} MiB; nothing was sent")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text; nothing was sent") from None


def _table(document: Document, key: str) -> Any:
    import tomlkit

    if key not in document:
        document[key] = tomlkit.table(is_super_table=True)
    return document[key]


def _write(file: Path, change: Callable[[Document, Config], None]) -> None:
    """Read, change and replace the file while no other process does; comments and order stay."""
    import tomlkit

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(file):
            text = _text(file) or ""
            document = tomlkit.parse(text) if text else tomlkit.document()
            change(document, _config(file, text))
            written = tomlkit.dumps(document)
            _config(file, written)
            _replace(file.resolve(), written)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; nothing was changed") from None


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with (file.parent / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(file: Path, text: str) -> None:
    """The whole new file or the whole old one, whatever happens; a link is written through."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".config-")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
