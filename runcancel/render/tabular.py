"""The options of a table: its columns, the order of rows, the header."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.model.runs import Invocation
from runcancel.render.documents import Record, all_documents, record_of
from runcancel.text import quoted

if TYPE_CHECKING:
    from runcancel.render.column import Column, Value

_DESCENDING = ":desc"


class TableOptions(Struct, frozen=True, kw_only=True):
    """`--columns` (empty: the usual ones), `--sort` as names with whether they descend, and `--no-headers`."""

    columns: tuple[str, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    headers: bool = True


def table_options(verb: str, columns: str | None, sort: str | None, *, headers: bool) -> TableOptions:
    """The options as one value. Raises `UsageError` for a column that no answer of the verb has."""
    if columns is None and sort is None:
        return TableOptions(headers=headers)
    names_there = dict.fromkeys(
        column.name
        for document in all_documents().values()
        if document.verb == verb
        for column in _all(document.record)
    )
    keys = _words("--sort", sort)
    order = tuple((key.removesuffix(_DESCENDING), key.endswith(_DESCENDING)) for key in keys)
    shown = _words("--columns", columns)
    for flag, names in (("--columns", shown), ("--sort", tuple(name for name, _ in order))):
        _check(flag, names, names_there)
    return TableOptions(columns=shown, sort=order, headers=headers)


def check(options: TableOptions, name: str) -> None:
    """Raise `UsageError` for a column that the answer of that name lacks."""
    record = record_of(name) if options.columns or options.sort else None
    if record is not None:
        names_there = [column.name for column in _all(record)]
        _check("--columns", options.columns, names_there)
        _check("--sort", [name for name, _ in options.sort], names_there)


def shown_columns(
    options: TableOptions, record: type[Record], usual: "Sequence[Column[Any]]"
) -> "tuple[Column[Any], ...]":
    """The columns that are shown: those that were named, else the usual ones."""
    if not options.columns:
        return tuple(usual)
    by_name = {column.name: column for column in _all(record)}
    return tuple(by_name[name] for name in options.columns)


def ordered(options: TableOptions, records: Sequence[Record]) -> list[Record]:
    """The records in the requested order; those without a value last, invocations within their run."""
    rows = list(records)
    if not rows or not options.sort:
        return rows
    by_name = {column.name: column for column in _all(type(rows[0]))}
    for name, descending in reversed(options.sort):
        keys = {id(record): by_name[name].data(record) for record in rows}
        there = [record for record in rows if keys[id(record)] is not None]
        there.sort(key=lambda record: _key(keys[id(record)]), reverse=descending)
        rows = [*there, *(record for record in rows if keys[id(record)] is None)]
    if isinstance(rows[0], Invocation):
        runs = {run: at for at, run in enumerate(dict.fromkeys(_run(record) for record in records))}
        rows.sort(key=lambda record: runs[_run(record)])
    return rows


def _all(record: type[Record]) -> "tuple[Column[Any], ...]":
    from runcancel.render.columns import EXTRA, columns_of

    return columns_of(record, wide=True, extra=EXTRA.get(record, {}))


def _run(record: Record) -> object:
    return getattr(record, "run", None)


def _key(value: "Value") -> Any:
    from runcancel.render.column import text_of

    return text_of(value) if isinstance(value, (Mapping, tuple)) else value


def _words(flag: str, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    words = tuple(dict.fromkeys(word.strip().lower() for word in value.split(",")))
    if "" in words:
        raise UsageError(f"{flag} has an empty name: an unset variable? Nothing was sent")
    return words


def _check(flag: str, names: Iterable[str], columns_known: Iterable[str]) -> None:
    columns = list(columns_known)
    for name in names:
        if name not in columns:
            raise UsageError(
                f"{flag} has no column “{quoted(name)}”: there are {', '.join(columns)}{nearest(name, columns)}; "
                "nothing was sent"
            )
