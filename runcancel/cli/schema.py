"""`runcancel schema`: the JSON Schema of an output."""

import sys
from importlib.resources import files
from typing import Annotated

import typer

from runcancel.cli.session import Session
from runcancel.errors import UsageError
from runcancel.refs import nearest


def _names() -> list[str]:
    found = (entry.name for entry in files("runcancel.schemas").iterdir())
    return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))


def schema(
    session: Session,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Which output; none lists them.", autocompletion=_names),
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
        raise UsageError(f"no schema “{name}”: there are {', '.join(names)}{nearest(name, names)}")
    sys.stdout.write(files("runcancel.schemas").joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return 0
