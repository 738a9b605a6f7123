"""Changing the user's configuration: comments and order stay."""

from collections.abc import MutableMapping, Sequence
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

from msgspec import structs

from runcancel.config import keys
from runcancel.config.file import Config, Context
from runcancel.config.references import nearest
from runcancel.config.rewrite import rewrite
from runcancel.config.toml import unselectable
from runcancel.errors import UsageError


def add(file: Path, name: str, context: Context) -> None:
    """Write a new context at the end of the file. Raises `UsageError` for a name that is taken or cannot be one."""
    _check_name(name)

    def change(text: str, now: Config) -> tuple[str, Config]:
        _check_free(name, now)
        desired = structs.replace(now, contexts=now.contexts | {name: context})
        return f"{text}{gap(text)}{table_of(name, context)}", desired

    rewrite(file, change)


def remove(file: Path, name: str) -> tuple[str, ...]:
    """Take a context out, of groups and of the default, too; where else it stood. Raises `UsageError`.

    A group that would be empty goes as well.
    """
    stood: list[str] = []

    def change(text: str, now: Config) -> tuple[str, Config]:
        if name not in now.contexts:
            raise UsageError(f"no context “{name}”{nearest(name, now.contexts)}; nothing was changed")
        groups_after = {group: tuple(one for one in members if one != name) for group, members in now.groups.items()}
        removed = {group for group, members in groups_after.items() if not members and now.groups[group]}
        desired = structs.replace(
            now,
            contexts={one: context for one, context in now.contexts.items() if one != name},
            groups={group: members for group, members in groups_after.items() if group not in removed},
        )
        names = {*desired.contexts, *desired.all_groups}
        desired = structs.replace(desired, default=tuple(one for one in now.default if one in names))
        stood.extend(
            f"group {group}{', which is removed with it' if group in removed else ''}"
            for group, members in now.groups.items()
            if name in members
        )
        stood.extend(["default"] if desired.default != now.default else [])
        return _without(text, name, now, desired), desired

    rewrite(file, change)
    return tuple(stood)


def rename(file: Path, old: str, new: str) -> tuple[str, ...]:
    """Give a context or a group another name, also where groups and the default name it; where else that was.

    Raises `UsageError` for a name that is unknown, taken, or cannot be one.
    """
    _check_name(new)
    stood: list[str] = []

    def change(text: str, now: Config) -> tuple[str, Config]:
        if old not in now.contexts and old not in now.groups:
            raise _unknown(old, now)
        _check_free(new, now)
        table = "contexts" if old in now.contexts else "groups"
        in_group = [group for group, members in now.groups.items() if old in members]
        desired = structs.replace(
            now,
            default=_with(now.default, old, new),
            contexts={_or(name, old, new): context for name, context in now.contexts.items()},
            groups={_or(group, old, new): _with(members, old, new) for group, members in now.groups.items()},
        )
        stood.extend([f"group {group}" for group in in_group] + (["default"] if old in now.default else []))
        return _renamed_in_lists(keys.renamed(text, table, old, new), old, new, in_group), desired

    rewrite(file, change)
    return tuple(stood)


def add_to_group(file: Path, group: str, names: Sequence[str]) -> bool:
    """Add contexts to a group, which is made if need be: whether it was. Raises `UsageError` for an unknown context."""
    _check_name(group)
    is_new: list[bool] = []

    def change(text: str, now: Config) -> tuple[str, Config]:
        for name in names:
            if name not in now.contexts:
                raise UsageError(f"no context “{name}”{nearest(name, now.contexts)}; nothing was changed")
        if group in now.contexts:
            raise UsageError(f"“{group}” is the name of a context; nothing was changed")
        is_new.append(group not in now.groups)
        members = tuple(dict.fromkeys((*now.groups.get(group, ()), *names)))
        desired = structs.replace(now, groups=now.groups | {group: members})
        return _with_group(text, group, members, now), desired

    rewrite(file, change)
    return is_new[0]


def remove_from_group(file: Path, group: str, names: Sequence[str]) -> bool:
    """Take contexts out of a group: whether the group is gone, as it is without names or when it would be empty.

    Raises `UsageError` for an unknown group, and for a context that is not in it.
    """
    gone: list[bool] = []

    def change(text: str, now: Config) -> tuple[str, Config]:
        if group not in now.groups:
            raise UsageError(f"no group “{group}”{nearest(group, now.groups)}; nothing was changed")
        for name in names:
            if name not in now.groups[group]:
                near = nearest(name, now.groups[group])
                raise UsageError(f"“{name}” is not in the group {group}{near}; nothing was changed")
        groups_after = tuple(one for one in now.groups[group] if names and one not in names)
        gone.append(not groups_after)
        groups = {
            one: groups_after if one == group else members
            for one, members in now.groups.items()
            if one != group or groups_after
        }
        default = now.default if groups_after else tuple(one for one in now.default if one != group)
        desired = structs.replace(now, groups=groups, default=default)
        return _fitted(text, now, desired), desired

    rewrite(file, change)
    return gone[0]


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

    rewrite(file, change)


def table_of(name: str, context: Context) -> str:
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
    return _fitted(tomlkit.dumps(document), now, desired)


def _fitted(text: str, now: Config, desired: Config) -> str:
    """The text with the groups and the default that are desired, where they differ from those of now."""
    import tomlkit

    document: MutableMapping[str, Any] = tomlkit.parse(text)
    for group, members in now.groups.items():
        if members != desired.groups.get(group):
            _fit(document["groups"], group, desired.groups.get(group))
    if now.default != desired.default:
        _fit(document, "default", desired.default)
    return tomlkit.dumps(document)


def _with_group(text: str, group: str, members: Sequence[str], now: Config) -> str:
    import tomlkit

    document: MutableMapping[str, Any] = tomlkit.parse(text)
    if group in now.groups:
        _fit(document["groups"], group, members)
        return tomlkit.dumps(document)
    if "groups" in document and not _has_header(text, "groups"):  # written inline or with dotted keys
        document["groups"][group] = list(members)
        return tomlkit.dumps(document)
    return keys.added(text, "groups", keys.list_line(group, members))


def _renamed_in_lists(text: str, old: str, new: str, groups: Sequence[str]) -> str:
    """The text with one name in the lists of these groups and in the default, comments beside it kept."""
    import tomlkit

    document: MutableMapping[str, Any] = tomlkit.parse(text)
    for names in (document.get("default", []), *(document["groups"][group] for group in groups)):
        for index, name in enumerate(names):
            if name == old:
                names[index] = new
    return tomlkit.dumps(document)


def _with(names: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    return tuple(_or(name, old, new) for name in names)


def _or(name: str, old: str, new: str) -> str:
    return new if name == old else name


def _check_name(name: str) -> None:
    """Raise `UsageError` for what no context and no group can be called."""
    if unselectable(name):
        raise UsageError(
            f"“{name}” cannot be the name of a context: it is empty, hidden, looks like an option, "
            "or holds a comma or outer spaces; nothing was changed"
        )


def _check_free(name: str, now: Config) -> None:
    if name in now.contexts or name in now.all_groups:
        raise UsageError(f"a context or group “{name}” already exists; nothing was changed")


def _unknown(name: str, now: Config) -> UsageError:
    names = (*now.contexts, *now.groups)
    there = f". Expected one of: {', '.join(names)}" if names else ""
    return UsageError(f"no context or group “{name}”{there}{nearest(name, names)}; nothing was changed")


def _cut(text: str, name: str) -> str | None:
    """The text without the lines of `[contexts.NAME]`; None when there is no such header.

    tomlkit would take the comments above the next header out, too: for it they are part of this table.
    """
    lines = keys.lines_of(text)
    headers = [index for index, line in enumerate(lines) if line.lstrip().startswith("[")]
    for start, end in pairwise((*headers, len(lines))):
        if _is_header(lines[start], name):
            behind = dropwhile(lambda line: not line.strip(), _comments(lines[start:end]))
            return "".join((*lines[:start], *behind, *lines[end:]))
    return None


def _has_header(text: str, table: str) -> bool:
    return any(_parsed(line) == {table: {}} for line in keys.lines_of(text))


def _is_header(line: str, name: str) -> bool:
    return _parsed(line) == {"contexts": {name: {}}}


def _parsed(line: str) -> object:
    """One line as TOML; None where it is none."""
    import tomllib

    try:
        return tomllib.loads(line.strip())
    except ValueError:
        return None


def _comments(lines: Sequence[str]) -> Sequence[str]:
    """The comments and blank lines at the end of some lines."""
    last = max(index for index, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    return lines[last + 1 :]


def _before_tables(text: str, added: str) -> str:
    """The text with a line before its first table, and before the comment right above that."""
    lines = keys.lines_of(text)
    at = next((index for index, line in enumerate(lines) if line.lstrip().startswith("[")), None)
    if at is None:
        return f"{text}{gap(text)}{added}"
    while at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return "".join((*lines[:at], added, "\n", *lines[at:]))


def gap(text: str) -> str:
    """What separates a text from what is put behind it."""
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
