"""Writes what an import of accounts changes into the configuration."""

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from runcancel.config.edit import gap, table_of
from runcancel.config.file import Config, Context
from runcancel.config.imports import Change
from runcancel.config.rewrite import rewrite
from runcancel.errors import UsageError


def write_changes(file: Path, changes: Sequence[Change], config: Config) -> None:
    """Write the changes of an import. Raises `UsageError` where the file is not `config` any more."""
    writes = [one for one in changes if one.writes and one.after is not None]

    def change(text: str, now: Config) -> tuple[str, Config]:
        if now != config:
            raise UsageError(f"{file} was changed meanwhile; nothing was changed", hint="import again")
        desired = structs.replace(now, contexts=now.contexts | {one.name: one.after for one in writes if one.after})
        text = _with_values(text, {one.name: one.after for one in writes if one.before is not None and one.after})
        added = {one.name: one.after for one in writes if one.before is None and one.after}
        tables = "\n".join(table_of(name, context) for name, context in added.items())
        return f"{text}{gap(text)}{tables}" if tables else text, desired

    rewrite(file, change)


def _with_values(text: str, contexts: Mapping[str, Context]) -> str:
    """The text with the values of these contexts, where they differ, comments beside them kept."""
    import tomlkit

    if not contexts:
        return text
    document: MutableMapping[str, Any] = tomlkit.parse(text)
    for name, context in contexts.items():
        table = document["contexts"][name]
        for key, value in structs.asdict(context).items():
            written = list(value) if isinstance(value, tuple) else value
            if not value:
                table.pop(key, None)
            elif table.get(key) != written:
                table[key] = written
    return tomlkit.dumps(document)
