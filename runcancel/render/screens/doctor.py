"""How a scope's health reads: in words, cell by cell, and the files below."""

from collections.abc import Iterator, Mapping, Sequence

from runcancel.model.reports import FileCheck, ScopeCheck, TriggerCheck
from runcancel.render.screens.words import Pieces
from runcancel.text import duration, safe

_WORDS: Mapping[bool | None, str] = {True: "{}", False: "not {}", None: "{}?"}


def can(one: ScopeCheck) -> str:
    """`list read cancel?`: what is permitted, not permitted, not known; by kinds where they differ."""
    checks = {
        check.kind: _words({"list": check.list, "read": check.read, "cancel": check.cancel})
        for check in one.permissions
    }
    kinds = _by_words(checks)
    return next(iter(kinds)) if len(kinds) == 1 else _listed(kinds)


def on_triggers(one: ScopeCheck) -> str:
    """`list read disable? enable?`: the same of triggers, without what runcancel never does."""
    kinds = _by_words({check.kind: _words_of_trigger(check) for check in one.triggers})
    if {(check.list, check.read) for check in one.triggers} == {(True, True)} and len(kinds) <= 2:
        switched = _by_words({check.kind: _words_of_trigger(check) for check in one.triggers if check.switchable})
        if len(switched) == 1:
            return next(iter(switched))
    return _listed(kinds)


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


def _by_words(kinds: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """The kinds of which the same is known."""
    groups: dict[str, list[str]] = {}
    for kind, words in kinds.items():
        groups.setdefault(words, []).append(kind)
    return groups


def _listed(kinds: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in kinds.items())


def _words_of_trigger(check: TriggerCheck) -> str:
    switches = {"disable": check.disable, "enable": check.enable} if check.switchable else {}
    return _words({"list": check.list, "read": check.read, **switches})


def _words(checks: Mapping[str, bool | None]) -> str:
    return ", ".join(
        part for part in (" ".join(_names_with(checks, (True, None))), " ".join(_names_with(checks, (False,)))) if part
    )


def _names_with(checks: Mapping[str, bool | None], values: Sequence[bool | None]) -> Iterator[str]:
    return (_WORDS[result].format(name) for name, result in checks.items() if result in values)
