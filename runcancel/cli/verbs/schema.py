"""`runcancel schema`: the JSON Schema of an output."""

import json
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import typer

from runcancel.cli.bundles import Offers
from runcancel.cli.session import Session
from runcancel.config.references import nearest
from runcancel.errors import UsageError


def _folder() -> Traversable:
    return files("runcancel") / "schemas"


def _names() -> list[str]:
    names = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def schema(
    session: Session,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of an output; without it, list all."),
        Offers(_names),
    ] = None,
) -> int:
    """Print the JSON Schema of an output.

    \b
    Examples:
      runcancel schema
      runcancel schema cancel > cancel.schema.json

    Changes are additive within a format version: ignore keys you do not know.
    """
    names = _names()
    if name is None:
        sys.stdout.write("".join(f"{each}\n" for each in names))
        return 0
    if name not in names:
        raise UsageError(f"no schema “{name}”. Expected one of: {', '.join(names)}{nearest(name, names)}")
    text = _folder().joinpath(f"{name}.json").read_text(encoding="utf-8")
    sys.stdout.write(text if session.query is None and session.format != "yaml" else _other(session, text))
    return 0


def _other(session: Session, text: str) -> str:
    """The schema as YAML, or what a query finds in it."""
    from runcancel.render.formats.query import QueryError, printed

    data = json.loads(text)
    try:
        return printed(data if session.query is None else session.query.of(data), session.format)
    except QueryError as error:
        raise UsageError(f"--query cannot be applied: {error}") from None
