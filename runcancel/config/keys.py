"""Keys in the text of a TOML file: renamed and added where they stand, so that comments and order stay."""

import io
import json
import re
import tomllib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from runcancel.config.toml import key_of

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_HEADER = re.compile(rf"(\s*\[\s*)({_KEY})(?:(\s*\.\s*)({_KEY}))?(\s*\].*)", re.DOTALL)
_ENTRY = re.compile(rf"(\s*)({_KEY})(\s*[.=].*)", re.DOTALL)
_DOTTED = re.compile(rf"(\s*{_KEY}\s*\.\s*)({_KEY})(\s*[.=].*)", re.DOTALL)


def lines_of(text: str) -> list[str]:
    """Lines as TOML counts them, each with its end."""
    return io.StringIO(text, newline="\n").readlines()


def renamed(text: str, table: str, old: str, new: str) -> str:
    """The text with one key of a table renamed, however it is written."""
    changed = "".join(_renamed_lines(lines_of(text), table, old, new))
    return changed if changed != text else _renamed_inline(text, table, old, new)


def added(text: str, table: str, line: str) -> str:
    """The text with a line at the end of a table, before the comments that follow it; the table is made if need be."""
    lines = lines_of(text)
    headers = [index for index, one in enumerate(lines) if _HEADER.fullmatch(one)]
    here = next((index for index in headers if _is_header(lines[index], table)), None)
    if here is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{table}]\n{line}\n"
    end = next((index for index in headers if index > here), len(lines))
    last = max(index for index in range(here, end) if _has_content(lines[index]))
    closed = lines[last] if lines[last].endswith("\n") else f"{lines[last]}\n"
    return "".join((*lines[:last], closed, f"{line}\n", *lines[last + 1 :]))


def list_line(name: str, members: Sequence[str]) -> str:
    """A key with a list of names, as TOML."""
    return f"{_written(name)} = [{', '.join(json.dumps(one, ensure_ascii=False) for one in members)}]"


def _renamed_lines(lines: Sequence[str], table: str, old: str, new: str) -> Iterator[str]:
    section: tuple[str, ...] = ()
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header:
            section = tuple(_read(key) for key in (header[2], header[4]) if key)
            if section == (table, old):
                yield f"{header[1]}{header[2]}{header[3]}{_written(new)}{header[5]}"
                continue
        entry = None if header else _entry(line, section, table)
        yield line if entry is None or _read(entry[2]) != old else f"{entry[1]}{_written(new)}{entry[3]}"


def _entry(line: str, section: tuple[str, ...], table: str) -> re.Match[str] | None:
    """A line whose key is one of the table: below its header, or dotted before the first header."""
    if section == (table,):
        return _ENTRY.fullmatch(line)
    dotted = None if section else _DOTTED.fullmatch(line)
    return dotted if dotted is not None and _read(dotted[1].rpartition(".")[0].strip()) == table else None


def _renamed_inline(text: str, table: str, old: str, new: str) -> str:
    """The same for a table that is written in one line."""
    import tomlkit

    document: MutableMapping[str, Any] = tomlkit.parse(text)
    if old in document.get(table, {}):
        table_after = tomlkit.inline_table()
        table_after.update({new if key == old else key: value for key, value in document[table].items()})
        document[table] = table_after
    return tomlkit.dumps(document)


def _is_header(line: str, table: str) -> bool:
    header = _HEADER.fullmatch(line)
    return header is not None and header[4] is None and _read(header[2]) == table


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _read(key: str) -> str:
    """A key as TOML reads it; as it stands where it is none."""
    try:
        return str(tomllib.loads(f"key = {key}")["key"]) if key[:1] in "\"'" else key
    except tomllib.TOMLDecodeError:
        return key


def _written(name: str) -> str:
    """A name as a key: bare where it can be, else in quotes. Names of the configuration are printable."""
    bare = key_of(name)
    return bare if bare == name else json.dumps(name, ensure_ascii=False)
