"""How a scope's health reads: in words, cell by cell, and the files below."""

from collections.abc import Iterator, Mapping, Sequence

from runcancel.model.reports import FileCheck, PermissionCheck, ScopeCheck
from runcancel.render.screens.words import Pieces
from runcancel.text import duration, safe

_WORDS: Mapping[bool | None, str] = {True: "{}", False: "not {}", None: "{}?"}


def can(one: ScopeCheck) -> str:
    """`list read cancel?`: what is permitted, not permitted, not known; by kinds where they differ."""
    kinds: dict[str, list[str]] = {}
    for check in one.permissions:
        kinds.setdefault(_words(check), []).append(check.kind)
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in kinds.items())


def credentials(one: ScopeCheck) -> Pieces:
    """The source of the credentials and the key id; nothing if they were not checked."""
    if one.credentials is None:
        return () if one.configured else (("none", None),)
    return ((safe(one.credentials) + (f" (…{safe(one.key)})" if one.key else ""), None),)


def clock(one: ScopeCheck) -> Pieces:
    """By how much the cloud is ahead of us, coloured where that is too much."""
    if one.clock_skew is None:
        return ()
    if not one.clock_skew:
        return (("<1s", None),)
    sign = "+" if one.clock_skew > 0 else "-"
    return ((f"{sign}{duration(abs(one.clock_skew))}", "failed" if one.clock_is_wrong else None),)


def of_files(files: Sequence[FileCheck]) -> Iterator[str]:
    """One line per file."""
    width = max((len(file.name) for file in files), default=0)
    for file in files:
        yield f"{file.name:<{width}}  {safe(file.path)}  ({', '.join(_about(file))})"


def _about(file: FileCheck) -> Iterator[str]:
    if not file.exists:
        yield "none" if file.writable else "none, and it cannot be created"
    elif file.mode is not None:
        yield f"mode {file.mode}"
    if file.exists and not file.readable:
        yield "cannot be read"
    if file.problem is not None:
        yield safe(file.problem)


def _words(check: PermissionCheck) -> str:
    checks = {"list": check.list, "read": check.read, "cancel": check.cancel}
    return ", ".join(
        part for part in (" ".join(_names_with(checks, (True, None))), " ".join(_names_with(checks, (False,)))) if part
    )


def _names_with(checks: Mapping[str, bool | None], values: Sequence[bool | None]) -> Iterator[str]:
    return (_WORDS[known].format(name) for name, known in checks.items() if known in values)
