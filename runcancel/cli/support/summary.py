"""What help and completion show of each command, as `make generate` has written it: read without Typer."""

import json
import os
from collections.abc import Sequence
from typing import TypedDict

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "summaries")

PROGRAM = "runcancel"


class Argument(TypedDict):
    """One argument. `offers`: the values that completion offers, or the function that finds them."""

    many: bool
    offers: Sequence[str] | str


class Option(TypedDict):
    """One option. `off`: spellings that switch it off. `only`: the values that may follow as a word of their own."""

    names: Sequence[str]
    off: Sequence[str]
    help: str
    takes_value: bool
    only: Sequence[str]
    many: bool
    offers: Sequence[str] | str


class Summary(TypedDict):
    """One command. A name in `commands` has a summary of its own: a subcommand, or an action with its page alone."""

    usage: str
    help: str
    epilog: str
    groups: dict[str, list[tuple[str, str]]]
    commands: dict[str, str]
    actions: Sequence[str]
    interspersed: bool
    options: Sequence[Option]
    arguments: Sequence[Argument]


def summary(*path: str) -> Summary:
    """The summary of a command: its words after the program's name. Raises `OSError` for words that name none."""
    with open(os.path.join(FOLDER, f"{'-'.join(path) or PROGRAM}.json"), encoding="utf-8") as file:
        content: Summary = json.load(file)
    return content
