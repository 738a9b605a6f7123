"""Help of the actions of a verb: `contexts add --help`."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from runcancel.cli.panels import OWN, panel_of, write_options


class Action(Struct, frozen=True, kw_only=True):
    """What one action of a verb takes and does. `options`: those of the verb's own options that it takes.

    `connection`: it takes the options of the connection as well.
    """

    takes: str
    does: str
    examples: tuple[str, ...]
    more: str
    options: tuple[str, ...] = ()
    connection: bool = False


def write_help(verb: Any, ctx: Any, name: str, actions: Mapping[str, Action]) -> str:
    """The help of one action as text."""
    action = actions[name]
    path = f"{ctx.command_path} {name}"
    formatter = ctx.make_formatter()
    formatter.write_usage(path, f"[OPTIONS] {action.takes}".rstrip())
    with formatter.indentation():
        formatter.write_paragraph()
        formatter.write_text(action.does)
        formatter.write_paragraph()
        formatter.write("  Examples:\n" + "".join(f"    {example}\n" for example in action.examples))
        formatter.write_paragraph()
        formatter.write_text(action.more)
    write_options(verb, ctx, formatter, keep=lambda param: _taken(param, action), action=name)
    text: str = formatter.getvalue()
    return text


def _taken(param: Any, action: Action) -> bool:
    if param.param_type_name == "argument":
        return False
    panel = panel_of(param.opts)
    if panel == OWN:
        return any(name in action.options for name in param.opts)
    return panel not in ("Connection", "Waiting") or (panel == "Connection" and action.connection)
