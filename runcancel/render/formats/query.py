"""`--query`: a JMESPath expression over an answer's document, and how its result is printed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jmespath
import msgspec
from jmespath.functions import Functions
from msgspec import Struct

from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.model.encoding import encode, pretty
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.render.formats.delimited import csv_line, tsv_line
from runcancel.render.formats.machine import Json
from runcancel.render.formats.yaml import dump
from runcancel.render.screens.notes import Notes
from runcancel.render.sink import Sink
from runcancel.text import safe

_LARGEST = 2**63  # what JSON of ours holds as an integer; beyond it a number is a float
_QUOTED = 200  # characters of a message of jmespath: it quotes what it met, however long


class QueryError(Exception):
    """An expression does not fit the document that it met."""


class Expression:
    """A JMESPath expression that can be read (https://jmespath.org/specification.html).

    Raises `UsageError` for one that cannot, for a function that does not exist, or too many arguments.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._expression = _read(text)
        _check(self._expression.parsed, text)

    def of(self, document: Any) -> Any:
        """What the expression finds in JSON data, as JSON data. Raises `QueryError`."""
        try:
            return _data(self._expression.search(document))
        except Exception as error:  # noqa: BLE001 - jmespath lets through whatever Python says to a wrong type
            message = " ".join(str(error).split()) or type(error).__name__
            raise QueryError(message if len(message) <= _QUOTED else f"{message[:_QUOTED]} …") from None


class Queried(Json):
    """The result of a query on the document. If it fails, stderr reports it and the whole document is printed."""

    def __init__(self, name: str, sink: Sink, *, query: Expression, format: str, notes: Notes | None) -> None:
        super().__init__(name, sink)
        self._query = query
        self._format = format
        self._notes = notes

    def _text(self, whole: Struct) -> str:
        data = msgspec.json.decode(encode(whole))
        try:
            return printed(self._query.of(data), self._format)
        except QueryError as error:
            if self._notes is not None:
                self._notes.problem(_not_applied(error))
            return printed(data, self._format if self._format == "yaml" else "json")


def printed(result: Any, format: str) -> str:
    """JSON data in one of the formats of `QUERYABLE`.

    For tsv and csv an item of a list is a line and an inner list its fields; objects of the same keys have a header
    before them; what is nested deeper is JSON; null is nothing.
    """
    return _PRINTERS[format](result)


def _not_applied(error: QueryError) -> Problem:
    return Problem(
        code=Reason.USAGE,
        message=f"--query cannot be applied: {error}",
        hint="the exit code is that of the command; stdout has the full document",
    )


def _read(text: str) -> Any:
    if not text.strip():
        raise UsageError("--query is empty (an unset variable?); nothing was sent")
    try:
        return jmespath.compile(text)
    except ValueError as error:  # what jmespath raises is one, too
        at = getattr(error, "lex_position", len(text))
        raise UsageError(
            f"--query is not valid JMESPath at character {at + 1} (marked ^): "
            f"{safe(' '.join(f'{text[:at]}^{text[at:]}'.split()))}; nothing was sent",
            hint="see https://jmespath.org. Example: --query 'runs[].ref'",
        ) from None
    except RecursionError:
        raise UsageError("--query is nested too deeply; nothing was sent") from None


def _check(node: Mapping[str, Any], text: str) -> None:
    if node.get("type") == "function_expression":
        _check_call(node["value"], len(node["children"]))
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            _check(child, text)


def _check_call(name: str, count: int) -> None:
    functions: Mapping[str, Any] = Functions.FUNCTION_TABLE
    if name not in functions:
        raise UsageError(
            f"--query: JMESPath has no function “{safe(name)}”{nearest(name, functions)}; nothing was sent"
        )
    signature = functions[name]["signature"]
    many = any(part.get("variadic") for part in signature)
    if count < len(signature) or (count > len(signature) and not many):
        arity = f"{len(signature)}{' or more' if many else ''}"
        raise UsageError(f"--query: {name}() takes {arity} arguments, not {count}; nothing was sent")


def _data(value: Any) -> Any:
    """The same as JSON data: a number that JSON lacks is null, an expression that was never called is no data."""
    if isinstance(value, Mapping):
        return {str(key): _data(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_data(each) for each in value]
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is not None and not isinstance(value, (str, int, float)):
        raise QueryError("its result is an expression, not data")
    return value


def _rows(result: Any) -> Iterator[Sequence[Any]]:
    items = result if isinstance(result, list) else [] if result is None else [result]
    headed = bool(items) and all(isinstance(item, dict) and item.keys() == items[0].keys() for item in items)
    if headed:
        yield tuple(items[0])
    for item in items:
        if headed:
            yield [_field(item[key]) for key in items[0]]
        elif isinstance(item, list):
            yield [_field(each) for each in item]
        else:
            yield [_field(item)]


def _field(value: Any) -> Any:
    return encode(value) if isinstance(value, (dict, list)) else value


def _json_text(result: Any) -> str:
    return pretty(result) + "\n"


_PRINTERS: Mapping[str, Callable[[Any], str]] = {
    "json": _json_text,
    "yaml": dump,
    "tsv": lambda result: "".join(map(tsv_line, _rows(result))),
    "csv": lambda result: "".join(map(csv_line, _rows(result))),
}
