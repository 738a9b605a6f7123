"""Changing the user's configuration: comments and order stay, and no other process writes meanwhile."""

import fcntl
import io
import os
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

from msgspec import structs

from runcancel import ownership
from runcancel.config.file import Config, Context, check, read, text_of
from runcancel.config.folders import NO_HOME, NOWHERE
from runcancel.config.references import nearest
from runcancel.config.toml import hidden
from runcancel.errors import UsageError


def add(file: Path, name: str, context: Context) -> None:
    """Write a new context at the end of the file. Raises `UsageError` for a name that is taken or cannot be one."""
    if hidden(name) or name.startswith("-") or name != name.strip() or "," in name:
        raise UsageError(
            f"“{name}” cannot be the name of a context: it is empty, hidden, looks like an option, "
            "or holds a comma or outer spaces; nothing was changed"
        )

    def change(text: str, now: Config) -> tuple[str, Config]:
        if name in now.contexts or name in now.groups:
            raise UsageError(f"a context or group “{name}” already exists; nothing was changed")
        desired = structs.replace(now, contexts=now.contexts | {name: context})
        return f"{text}{_gap(text)}{_table(name, context)}", desired

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
        removed = {group for group, members in left.items() if not members and now.groups[group]}
        desired = Config(
            default=tuple(one for one in now.default if one != name and one not in removed),
            contexts={one: context for one, context in now.contexts.items() if one != name},
            groups={group: members for group, members in left.items() if group not in removed},
            caps=now.caps,
        )
        stood.extend(
            f"group {group}{', which is removed with it' if group in removed else ''}"
            for group, members in now.groups.items()
            if name in members
        )
        stood.extend(["default"] if desired.default != now.default else [])
        return _without(text, name, now, desired), desired

    _write(file, change)
    return tuple(stood)


def use(file: Path, names: Sequence[str]) -> None:
    """Write what is used when nothing is named. Raises `UsageError` for an unknown name."""

    def change(text: str, now: Config) -> tuple[str, Config]:
        import tomlkit

        now.expand(names)
        desired = structs.replace(now, default=tuple(dict.fromkeys(names)))
        document = tomlkit.parse(text)
        if "default" not in document:
            return _before_tables(text, tomlkit.dumps({"default": desired.default})), desired
        _fit(document, "default", desired.default)
        return tomlkit.dumps(document), desired

    _write(file, change)


def _table(name: str, context: Context) -> str:
    """A context as TOML; what is not set is left out."""
    import tomlkit

    values = {key: value for key, value in structs.asdict(context).items() if value}
    contexts = tomlkit.table(is_super_table=True)
    contexts[name] = values
    return tomlkit.dumps({"contexts": contexts})


def _without(text: str, name: str, now: Config, desired: Config) -> str:
    """The text without a context and without its name in lists."""
    import tomlkit

    cut = _cut(text, name)
    document: MutableMapping[str, Any] = tomlkit.parse(text if cut is None else cut)
    if cut is None:  # written inline or with dotted keys
        del document["contexts"][name]
    for group, members in now.groups.items():
        if members != desired.groups.get(group):
            _fit(document["groups"], group, desired.groups.get(group))
    if now.default != desired.default:
        _fit(document, "default", desired.default)
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
    existing = table[key]
    for one in [one for one in existing if one not in names]:
        existing.remove(one)
    if list(existing) == list(names[: len(existing)]):
        existing.extend(names[len(existing) :])
    else:
        table[key] = list(names)


def _write(file: Path, change: Callable[[str, Config], tuple[str, Config]]) -> None:
    """Read, change and replace the file while no other process does; comments and order stay.

    `change` gives the new text and what it should mean; a text that means anything else is never written.
    """
    from tomlkit.exceptions import TOMLKitError

    if file.is_relative_to(NOWHERE):
        raise UsageError(f"there is no location for the configuration: {NO_HOME}; nothing was changed")
    by_hand = UsageError(f"{file} has a layout that cannot be edited automatically; nothing was changed")
    try:
        ownership.make_folder(file.parent)
        with _alone(file):
            text = text_of(file) or ""
            written, desired = change(text, read(file, text))
            check(file, desired)
            if not _means(file, written, desired):
                raise by_hand
            _replace(file, written)
    except TOMLKitError:
        raise by_hand from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; nothing was changed") from None


def _means(file: Path, text: str, desired: Config) -> bool:
    try:
        return read(file, text) == desired
    except UsageError:
        return False


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with os.fdopen(os.open(file.parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r") as lock:
        ownership.give(lock.fileno(), file.parent)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(file: Path, text: str) -> None:
    """The whole new file or the whole old one, whatever happens; the owner stays."""
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".config-")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            ownership.give(opened.fileno(), file if file.exists() else file.parent)
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
