"""The user's configuration: contexts, groups and caps, in one TOML file that keeps its comments when it is written."""

import fcntl
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import platformdirs
from msgspec import Struct, structs

from runcancel.errors import CloudError, UsageError
from runcancel.providers import PROVIDERS
from runcancel.refs import NOT_A_REGION, REGION, nearest
from runcancel.text import is_plain

T = TypeVar("T")

_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_NO_PROVIDER = "Object missing required field `provider`"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
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
        """The contexts of names and groups, in order, each once.

        Raises `UsageError` for a name that is neither, and for an empty group: nothing must not mean everything.
        """
        found: dict[str, None] = {}
        for name in names:
            if name not in self.contexts and name not in self.groups:
                known = (*self.contexts, *self.groups)
                there = f"there are {', '.join(known)}" if known else "none is configured"
                raise UsageError(
                    f"no context or group “{name}”: {there}{nearest(name, known)}; nothing was sent",
                    hint=f"a vendor's own profile is named with --profile {name}",
                )
            members = self.groups.get(name, (name,))
            if not members:
                raise UsageError(f"the group “{name}” has no contexts; nothing was sent")
            found |= dict.fromkeys(members)
        return tuple(found)


_KEYS: Mapping[str, type[Struct]] = {"": Config, "contexts": Context, "caps": Caps}
"""What may stand in the file, by the first word of the place."""


def path(environ: Mapping[str, str]) -> Path:
    """Where the file is: `config.toml` in the user's configuration directory."""
    named = Path(environ.get("XDG_CONFIG_HOME", ""))
    folder = named / "runcancel" if named.is_absolute() else platformdirs.user_config_path("runcancel")
    return folder / "config.toml"


def load(file: Path) -> Config:
    """Read the file; a missing one is empty.

    Raises `UsageError`: for TOML that cannot be read with its line, for anything else with the whole path of the key.
    """
    text = _text(file)
    return Config() if text is None else _config(file, text)


def add(file: Path, name: str, context: Context) -> None:
    """Write a new context at the end of the file. Raises `UsageError` for a name that is taken or cannot be one."""
    if _hidden(name) or name.startswith("-") or name != name.strip() or "," in name:
        raise UsageError(
            f"“{name}” cannot be the name of a context: it is empty, hidden, looks like an option, "
            "or holds a comma or outer spaces; nothing was changed"
        )

    def change(text: str, now: Config) -> tuple[str, Config]:
        if name in now.contexts or name in now.groups:
            raise UsageError(f"there is a context or group “{name}” already; nothing was changed")
        wanted = structs.replace(now, contexts=now.contexts | {name: context})
        return f"{text}{_gap(text)}{_table(name, context)}", wanted

    _write(file, change)


def remove(file: Path, name: str) -> tuple[str, ...]:
    """Take a context out, of groups and of the default, too; where else it stood. Raises `UsageError`.

    A group that would be empty goes as well.
    """
    stood: list[str] = []

    def change(text: str, now: Config) -> tuple[str, Config]:
        if name not in now.contexts:
            raise UsageError(f"no context “{name}”{nearest(name, now.contexts)}; nothing was changed")
        left = {group: tuple(one for one in members if one != name) for group, members in now.groups.items()}
        gone = {group for group, members in left.items() if not members and now.groups[group]}
        wanted = Config(
            default=tuple(one for one in now.default if one != name and one not in gone),
            contexts={one: context for one, context in now.contexts.items() if one != name},
            groups={group: members for group, members in left.items() if group not in gone},
            caps=now.caps,
        )
        stood.extend(
            f"group {group}{', which is gone with it' if group in gone else ''}"
            for group, members in now.groups.items()
            if name in members
        )
        stood.extend(["default"] if wanted.default != now.default else [])
        return _without(text, name, now, wanted), wanted

    _write(file, change)
    return tuple(stood)


def use(file: Path, names: Sequence[str]) -> None:
    """Write what is used when nothing is named. Raises `UsageError` for an unknown name."""

    def change(text: str, now: Config) -> tuple[str, Config]:
        import tomlkit

        now.expand(names)
        wanted = structs.replace(now, default=tuple(dict.fromkeys(names)))
        document = tomlkit.parse(text)
        if "default" not in document:
            return _before_tables(text, tomlkit.dumps({"default": wanted.default})), wanted
        _fit(document, "default", wanted.default)
        return tomlkit.dumps(document), wanted

    _write(file, change)


def record(file: Path, text: str, kind: type[T], keys: Mapping[str, type[Struct]]) -> T:
    """TOML as a record; `keys` tells what may stand in it, by the first word of the place. Raises `UsageError`."""
    data = _data(file, text)
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {_sentence(_named(str(error), data), keys)}; nothing was sent") from None


def _config(file: Path, text: str) -> Config:
    found = record(file, text, Config, _KEYS)
    _check(file, found)
    return found


def _data(file: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is no TOML: {error}; nothing was sent") from None
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply; nothing was sent") from None
    except ValueError:  # thousands of digits
        raise UsageError(f"{file} holds a number that is too long; nothing was sent") from None


def _check(file: Path, found: Config) -> None:
    """What the types do not say."""
    for table, names in (("contexts", found.contexts), ("groups", found.groups)):
        for name in names:
            if _hidden(name):
                raise _wrong(file, f"{table}.{_key(name)}", "is a name that is empty or does not show")
    for name, context in found.contexts.items():
        _check_context(file, f"contexts.{_key(name)}", context)
    for group, members in found.groups.items():
        key = f"groups.{_key(group)}"
        if group in found.contexts:
            raise _wrong(file, key, "is the name of a context, too")
        for index, member in enumerate(members):
            if member not in found.contexts:
                raise _wrong(file, f"{key}[{index}]", f"names no context “{member}”{nearest(member, found.contexts)}")
    known = (*found.contexts, *found.groups)
    for index, name in enumerate(found.default):
        if name not in known:
            raise _wrong(file, f"default[{index}]", f"names no context or group “{name}”{nearest(name, known)}")
    for key, cap in structs.asdict(found.caps).items():
        if cap is not None and cap < 0:
            raise _wrong(file, f"caps.{key}", "is below zero")


def _check_context(file: Path, key: str, context: Context) -> None:
    if context.provider not in PROVIDERS:
        there = f"there are {', '.join(PROVIDERS)}{nearest(context.provider, PROVIDERS)}"
        raise _wrong(file, f"{key}.provider", f"is “{context.provider}”: {there}")
    for word in ("profile", "endpoint_url", "sts_endpoint_url", "site"):
        value = getattr(context, word)
        if value is not None and _hidden(value):
            raise _wrong(file, f"{key}.{word}", "is empty or does not show: leave the key out")
    for index, region in enumerate(context.regions):
        if region != "all" and not REGION.fullmatch(region):
            raise _wrong(file, f"{key}.regions[{index}]", f"“{region}” {NOT_A_REGION}; or “all”")
    for word, url in (("endpoint_url", context.endpoint_url), ("sts_endpoint_url", context.sts_endpoint_url)):
        if url is not None:
            _check_endpoint(file, f"{key}.{word}", url)


def _check_endpoint(file: Path, key: str, url: str) -> None:
    from runcancel.providers.transport import Endpoint

    try:
        Endpoint.of(url)
    except CloudError as error:
        raise UsageError(f"{file}: {key}: {error.message}") from None


def _hidden(name: str) -> bool:
    return not name.strip() or not is_plain(name)


def _key(name: str) -> str:
    """A name as it stands in a key: in quotes where TOML wants them."""
    return name if _BARE.fullmatch(name) else f'"{name}"'


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
                return error.replace(f"{table}[...]", f"{table}.{_key(name)}", 1)
    return error


def _sentence(error: str, keys: Mapping[str, type[Struct]]) -> str:
    """What msgspec says, with the place first and a near key for an unknown one."""
    place = _PLACE.search(error)
    key = place[1] if place else ""
    what = _PLACE.sub("", error)
    unknown = _UNKNOWN.match(what)
    if what == _NO_PROVIDER:
        return f"{key}.provider is missing: there are {', '.join(PROVIDERS)}"
    if unknown is None:
        return f"{key}: {what}" if key else what
    known = keys.get(key.partition(".")[0].partition("[")[0], keys[""]).__struct_fields__
    whole = f"{key}.{_key(unknown[1])}" if key else _key(unknown[1])
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


def _table(name: str, context: Context) -> str:
    """A context as TOML; what is not set is left out."""
    import tomlkit

    values = {key: value for key, value in structs.asdict(context).items() if value}
    contexts = tomlkit.table(is_super_table=True)
    contexts[name] = values
    return tomlkit.dumps({"contexts": contexts})


def _without(text: str, name: str, now: Config, wanted: Config) -> str:
    """The text without a context and without its name in lists."""
    import tomlkit

    cut = _cut(text, name)
    document: MutableMapping[str, Any] = tomlkit.parse(text if cut is None else cut)
    if cut is None:  # written inline or with dotted keys
        del document["contexts"][name]
    for group, members in now.groups.items():
        if members != wanted.groups.get(group):
            _fit(document["groups"], group, wanted.groups.get(group))
    if now.default != wanted.default:
        _fit(document, "default", wanted.default)
    return tomlkit.dumps(document)


def _cut(text: str, name: str) -> str | None:
    """The text without the lines of `[contexts.NAME]`; None when there is no such header.

    tomlkit would take the comments above the next header out, too: for it they are part of this table.
    """
    lines = _lines(text)
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    for start, end in pairwise((*headers, len(lines))):
        if _is_header(lines[start], name):
            behind = dropwhile(lambda line: not line.strip(), _comments(lines[start:end]))
            return "".join((*lines[:start], *behind, *lines[end:]))
    return None


def _is_header(line: str, name: str) -> bool:
    import tomllib

    try:
        return tomllib.loads(line.strip()) == {"contexts": {name: {}}}
    except ValueError:
        return False


def _comments(lines: Sequence[str]) -> Sequence[str]:
    """The comments and blank lines at the end of some lines."""
    last = max(index for index, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    return lines[last + 1 :]


def _before_tables(text: str, added: str) -> str:
    """The text with a line before its first table, and before the comment right above that."""
    lines = _lines(text)
    at = next((index for index, line in enumerate(lines) if line.lstrip().startswith("[")), None)
    if at is None:
        return f"{text}{_gap(text)}{added}"
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return "".join((*lines[:at], added, "\n", *lines[at:]))


def _lines(text: str) -> list[str]:
    """Lines as TOML counts them, each with its end."""
    return io.StringIO(text, newline="\n").readlines()


def _gap(text: str) -> str:
    return "" if not text else "\n" if text.endswith("\n") else "\n\n"


def _fit(table: MutableMapping[str, Any], key: str, names: Sequence[str] | None) -> None:
    """Make a list hold these names (None: take it out), with the comments beside those that stay."""
    if names is None:
        del table[key]
        return
    held = table[key]
    for one in [one for one in held if one not in names]:
        held.remove(one)
    if list(held) == list(names[: len(held)]):
        held.extend(names[len(held) :])
    else:
        table[key] = list(names)


def _write(file: Path, change: Callable[[str, Config], tuple[str, Config]]) -> None:
    """Read, change and replace the file while no other process does; comments and order stay.

    `change` gives the new text and what it should mean; a text that means anything else is never written.
    """
    from tomlkit.exceptions import TOMLKitError

    by_hand = UsageError(f"{file} is written in a way only you can change: do it by hand; nothing was changed")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(file):
            text = _text(file) or ""
            written, wanted = change(text, _config(file, text))
            _check(file, wanted)
            if not _means(file, written, wanted):
                raise by_hand
            _replace(file.resolve(), written)
    except TOMLKitError:
        raise by_hand from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; nothing was changed") from None


def _means(file: Path, text: str, wanted: Config) -> bool:
    try:
        return _config(file, text) == wanted
    except UsageError:
        return False


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with os.fdopen(os.open(file.parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(file: Path, text: str) -> None:
    """The whole new file or the whole old one, whatever happens; a link is written through."""
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".config-")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
