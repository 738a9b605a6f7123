"""`--generate-cli-skeleton`: the keys of a request for a verb, or a sample of its output."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from runcancel.cli.options import format_of, read_query
from runcancel.cli.support.request import KINDS, SKELETON, slots
from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.model.encoding import pretty
from runcancel.render.formats.sample import sample
from runcancel.render.schemas import SCHEMAS
from runcancel.render.sink import Sink

_OTHER: Mapping[str, Mapping[str, Callable[[Mapping[str, Any]], bool]]] = {
    "cancel": {"plan": lambda typed: bool(typed.get("dry_run"))},
    "history": {"operation": lambda typed: typed.get("operation") not in (None, "prune")},
    "contexts": {
        "settings": lambda typed: typed.get("action") == "show",
        "groups": lambda typed: typed.get("action") == "groups",
    },
}
"""Verb -> the documents that it answers with instead of its own, and when."""


def show(kind: str, command: Any, typed: Mapping[str, Any]) -> None:
    """Print the skeleton of a verb; `typed` are the values given by hand. Raises `UsageError`; sends nothing."""
    if kind not in KINDS:
        raise UsageError(f"{SKELETON} is “{kind}”. Expected one of: {' and '.join(KINDS)}{nearest(kind, KINDS)}")
    text = request_skeleton(command) if kind == "input" else _answer(command.name, typed)
    Sink(sys.stdout).write(text)


def request_skeleton(command: Any) -> str:
    """Every key of a request for this verb, with an empty value. Without changes it selects nothing."""
    return pretty({slot.key: slot.empty for slot in slots(command.params) if slot.offered}) + "\n"


def document_name(verb: str, typed: Mapping[str, Any]) -> str:
    """The name of the document that a verb answers with when these values are given."""
    return next((name for name, applies in _OTHER.get(verb, {}).items() if applies(typed)), verb)


def _answer(verb: str, typed: Mapping[str, Any]) -> str:
    name = document_name(verb, typed)
    if name not in SCHEMAS:
        raise UsageError(f"{verb} has no output document; nothing was sent")
    query = typed.get("query")
    format = format_of(typed.get("output"), query=query, environ=os.environ, default="json")
    if query is None:
        format = format if format == "yaml" else "json"
    from runcancel.render.formats.query import QueryError, printed

    try:
        return printed(sample(name) if query is None else read_query(query).of(sample(name)), format)
    except QueryError as error:
        raise UsageError(f"--query cannot be applied to the sample: {error}") from None
