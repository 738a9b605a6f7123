"""The groups in which help shows options."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runcancel.cli.actions import Action
from runcancel.cli.options import MOST
from runcancel.cli.support.page import ARGUMENTS

OWN = "Options"
"""The group of what a verb does that no other does; it comes first."""

_NAMES: Mapping[str, str] = {
    "Selection": "plan from operation resume status kind name name-glob document script started-by since until "
    "older-than starts-within task target failed limit require-match allow-incomplete include-schedules",
    "Confirmation and limits": "yes confirm max-runs max-targets max-triggers require-guarantee force",
    "Waiting": "for wait timeout give-up-after accept-reported lookup-timeout watch follow",
    "Journal": "reason require-journal",
    "Connection": "context provider profile region",
    "Output": "output query columns sort no-headers parameters prefix tail encoding raw quiet verbose debug color",
    "Other": "no-input cli-input-json generate-cli-skeleton help",
}
"""Group -> its options by their first long name, in the order of help."""

_PANEL_OF = {f"--{name}": panel for panel, names in _NAMES.items() for name in names.split()}
_NO_LIMIT = re.compile(rf"\s*\[\d+<=x<={MOST}\]")  # a limit that nobody reaches


def panel_of(options: Iterable[str]) -> str:
    """The group of an option, by its spellings."""
    return next((_PANEL_OF[name] for name in options if name in _PANEL_OF), OWN)


def grouped(
    command: Any, ctx: Any, keep: Callable[[Any], bool] = lambda _: True, *, action: str = ""
) -> dict[str, list[tuple[str, str]]]:
    """The arguments and options of a command that are to `keep`: group -> how each is written, and its text.

    In the help of an `action` no text begins with its name.
    """
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in (ARGUMENTS, OWN, *_NAMES)}
    for param in filter(keep, command.get_params(ctx)):
        record = param.get_help_record(ctx)
        if record is not None:
            term, text = record
            if action and text.startswith(f"With {action}: "):
                own = text.removeprefix(f"With {action}: ")
                text = own[:1].upper() + own[1:]
            argument = param.param_type_name == "argument"
            groups[ARGUMENTS if argument else panel_of(param.opts)].append((term, _NO_LIMIT.sub("", text)))
    return {name: rows for name, rows in groups.items() if rows}


def records(params: Iterable[Any], ctx: Any) -> list[tuple[str, str]]:
    """How each of the parameters is written, and its text."""
    return [record for param in params if (record := param.get_help_record(ctx)) is not None]


def taken_by(action: Action, param: Any) -> bool:
    """Whether the help of an action shows this option of its verb."""
    if param.param_type_name == "argument":
        return False
    panel = panel_of(param.opts)
    if panel == OWN:
        return any(name in action.options for name in param.opts)
    return panel not in ("Connection", "Waiting") or (panel == "Connection" and action.connection)
