"""Writes `summaries/`: what help and completion show of each command, out of the declarations of the verbs."""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runcancel.cli.actions import Action
from runcancel.cli.app import app, load
from runcancel.cli.bundles import Offers
from runcancel.cli.panels import OWN, grouped, records, taken_by
from runcancel.cli.support import request
from runcancel.cli.support.summary import FOLDER, PROGRAM, Argument, Option, Summary
from runcancel.cli.verbs import VERBS

_FUNCTIONS = "runcancel.cli.support.offers"
_ANY_LENGTH = 1000  # characters of a first sentence


def texts() -> Mapping[str, str]:
    """File name -> summary as JSON, for the program, each verb, each subcommand and each action."""
    return {f"{name}.json": json.dumps(each, indent=1, ensure_ascii=False) + "\n" for name, each in _summaries()}


def write_all() -> None:
    """Write every summary, and take away those of commands that are no more."""
    folder, current = Path(FOLDER), texts()
    for file in folder.glob("*.json"):
        if file.name not in current:
            file.unlink()
    for name, text in current.items():
        (folder / name).write_text(text, encoding="utf-8")


def _summaries() -> Iterator[tuple[str, Summary]]:
    yield PROGRAM, _summary(app(VERBS))
    for verb in VERBS:
        command = load(verb)
        yield verb, _summary(command)
        for name, sub in _commands(command).items():
            yield f"{verb}-{name}", _summary(sub, parent=_context(command))
        for name, action in _actions(command).items():
            yield f"{verb}-{name}", _of_action(command, name, action)


def _summary(command: Any, parent: Any = None) -> Summary:
    ctx = _context(command, parent)
    params = command.get_params(ctx)
    commands = _commands(command)
    return Summary(
        usage=" ".join(command.collect_usage_pieces(ctx)),
        help=inspect.cleandoc(command.help),
        epilog=inspect.cleandoc(command.epilog or ""),
        groups={OWN: records(params, ctx)} if commands else grouped(command, ctx),
        commands={name: sub.get_short_help_str(_ANY_LENGTH) for name, sub in commands.items()},
        actions=list(_actions(command)),
        interspersed=command.allow_interspersed_args and ctx.allow_interspersed_args,
        options=[_option(param, command) for param in params if param.param_type_name == "option"],
        arguments=[
            Argument(many=param.nargs == -1, offers=offers(param, command))
            for param in params
            if param.param_type_name == "argument"
        ],
    )


def _of_action(command: Any, name: str, action: Action) -> Summary:
    """The page of an action; its options are completed as those of its verb."""
    examples = "".join(f"\n  {example}" for example in action.examples)
    return Summary(
        usage=f"[OPTIONS] {action.takes}".rstrip(),
        help=f"{action.does}\n\n\b\nExamples:{examples}\n\n{action.more}",
        epilog="",
        groups=grouped(command, _context(command), lambda param: taken_by(action, param), action=name),
        commands={},
        actions=[],
        interspersed=True,
        options=[],
        arguments=[],
    )


def _context(command: Any, parent: Any = None) -> Any:
    return command.make_context(command.name, [], parent=parent, resilient_parsing=True)


def _commands(command: Any) -> Mapping[str, Any]:
    commands: Mapping[str, Any] = getattr(command, "commands", {})
    return commands


def _actions(command: Any) -> Mapping[str, Action]:
    actions: Mapping[str, Action] = getattr(command, "actions", {})
    return actions


def _option(param: Any, command: Any) -> Option:
    return Option(
        names=sorted(param.opts) if param.name == "help" else list(param.opts),  # those of help come out of a set
        off=list(param.secondary_opts),
        help=" ".join((param.help or "").split()),
        takes_value=not param.is_flag,
        only=list(request.KINDS) if request.SKELETON in param.opts else [],
        many=param.multiple,
        offers=offers(param, command),
    )


def offers(param: Any, command: Any) -> list[str] | str:
    """The values that a parameter offers; for one that looks at what was typed, the function that finds them."""
    declared = {} if command.callback is None else inspect.signature(command.callback, eval_str=True).parameters
    metadata = getattr(declared[param.name].annotation, "__metadata__", ()) if param.name in declared else ()
    for source in (each.source for each in metadata if isinstance(each, Offers)):
        return f"{_FUNCTIONS}:{source}" if isinstance(source, str) else [str(value) for value in source()]
    choices: Iterable[str] = getattr(param.type, "choices", ())
    return [str(getattr(each, "value", each)) for each in choices]
