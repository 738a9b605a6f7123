"""The groups in which help shows options."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runcancel.cli.options import MOST

ARGUMENTS = "Arguments"

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
_MOST = 30  # columns of the options beside which their text stands


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


def write_options(
    command: Any, ctx: Any, formatter: Any, keep: Callable[[Any], bool] = lambda _: True, *, action: str = ""
) -> None:
    """Write the arguments of a command, then its options in groups, all texts in one column; those to `keep`."""
    groups = grouped(command, ctx, keep, action=action)
    width = max((len(term) for name, rows in groups.items() if name != ARGUMENTS for term, _ in rows), default=0)
    for name, rows in groups.items():
        pad = 0 if name == ARGUMENTS else min(width, _MOST)
        with formatter.section(name):
            formatter.write_dl([(rows[0][0].ljust(pad), rows[0][1]), *rows[1:]], col_max=_MOST)
