"""Typer as this program needs it: verbs loaded when called, options that every verb shares, strict repetition."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from runcancel.cli import options
from runcancel.cli.bundles import arguments, filled, flattened, options_of
from runcancel.cli.session import Session
from runcancel.cli.support import request
from runcancel.cli.support.failures import Ending
from runcancel.cli.verbs import ALIASES, OTHER_WORDS, VERBS
from runcancel.config.references import closest, did_you_mean
from runcancel.environment import check_given
from runcancel.text import quoted

if TYPE_CHECKING:
    from runcancel.cli.actions import Action

_FREE = frozenset({"reason", "cli_input_json", "generate_cli_skeleton"})
"""Options whose value is nobody's word: a text, or JSON, about which they say themselves what is wrong."""

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


class Verb(TyperCommand):
    """A command that refuses an option given twice where only one value can hold."""

    actions: "Mapping[str, Action]" = MappingProxyType({})
    """Help of what its first word may be, for a verb that has such a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, with what a request holds. Raises typer's usage error naming a repeated option."""
        args = request.spelled_out(args, self.params)
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        spellings: set[str] = set()
        for param in order:
            single = isinstance(param, TyperOption) and not param.multiple and not param.is_flag
            if single and param.opts[0] in spellings and not ctx.resilient_parsing:
                ctx.fail(f"{max(param.opts, key=len)} was given twice but takes one value; nothing was sent")
            if param.secondary_opts and not ctx.resilient_parsing:
                _check_opposites(ctx, args, param, times=order.count(param))
            spellings.add(param.opts[0])
        if not ctx.resilient_parsing and "help" in values and values.get("action") in self.actions:
            _show_help(ctx, values["action"])
        if not ctx.resilient_parsing and "help" not in values:
            self._check_values(values)
            self._take_request(ctx, {name: value for name, value in values.items() if value is not None})
        return super().parse_args(ctx, args)

    def _check_values(self, typed: Mapping[str, Any]) -> None:
        """Raise `UsageError` for an option whose value is empty or looks like the next option."""
        for param in self.params:
            if not isinstance(param, TyperOption) or param.is_flag or param.name in _FREE:
                continue
            values = typed.get(param.name or "")
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str) and value != "-":
                    check_given(max(param.opts, key=len), value)

    def _take_request(self, ctx: Any, typed: Mapping[str, Any]) -> None:
        """Answer `--generate-cli-skeleton` and leave, or let `--cli-input-json` stand in for what was not typed."""
        if "generate_cli_skeleton" in typed:
            from runcancel.cli.support.skeleton import show

            show(typed["generate_cli_skeleton"], self, typed)
            ctx.exit(0)
        if "cli_input_json" in typed:
            values = request.read(typed["cli_input_json"], self.params, typed=typed)
            ctx.default_map = dict(values.values)
            ctx.meta[request.FLAG] = values
            if isinstance(ctx.obj, Ending):
                ctx.obj.request = values

    def get_help(self, ctx: Any) -> str:
        """The help out of the summary of this verb."""
        return _help(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """The option, which prints that help."""
        return _printing(super().get_help_option(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line in the common spelling: a required word has no brackets."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """A command that has subcommands."""

    def get_help(self, ctx: Any) -> str:
        """The help out of the summary of this command."""
        return _help(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """The option, which prints that help."""
        return _printing(super().get_help_option(ctx))


class Verbs(Group):
    """The program: lists its verbs without loading them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The verb, loaded from its module. Raises typer's usage error with a did-you-mean."""
        typed = args[0] if args else ""
        if typed not in self.commands and not ctx.resilient_parsing and not typed.startswith("-"):
            ctx.fail(f"no such command “{quoted(typed)}”{_suggestion(typed)}; nothing was sent")
        name, _, rest = super().resolve_command(ctx, args)
        command = None if name is None else load(name)
        alone = isinstance(command, TyperGroup) and not rest
        return name, command, ["--help"] if alone else rest


def _check_opposites(ctx: Any, args: list[str], param: Any, *, times: int) -> None:
    """Raise typer's usage error for an option and its opposite: neither of them is certainly what was meant."""
    sides = [next((word for word in args if word in side), None) for side in (param.opts, param.secondary_opts)]
    if times > 1 and all(sides):
        ctx.fail(f"{' and '.join(map(str, sides))} cannot be used together; nothing was sent")


def _help(ctx: Any, *action: str) -> str:
    from runcancel.cli.support.page import page

    return page(*ctx.command_path.split()[1:], *action).removesuffix("\n")


def _show_help(ctx: Any, *action: str) -> None:
    """Print the help and leave. Typer's own way cannot print it where stdout lacks a character."""
    from runcancel.cli.support import flushed

    ctx.exit(flushed(0, f"{_help(ctx, *action)}\n"))


def _printing(option: Any) -> Any:
    """The help option, with the way to print of this program."""
    if option is not None:
        option.callback = lambda ctx, _, value: _show_help(ctx) if value and not ctx.resilient_parsing else None
    return option


def app(verbs: Mapping[str, str]) -> Verbs:
    """The program over a table of verbs: name -> what it does."""
    return Verbs(
        name="runcancel",
        help="Find, inspect, cancel and verify remote command runs on AWS, Alibaba Cloud and Tencent Cloud.\n\n"
        "A requested cancel is never reported as stopped; every verb reports verified states.",
        epilog="Try it without a cloud account: runcancel sandbox demo\n\n"
        "More: runcancel help exit-codes, references, filters, formats, guarantees, states, recurring, resume, "
        "environment",
        commands={name: TyperCommand(name, help=text, rich_markup_mode=None) for name, text in verbs.items()},
        params=[
            TyperOption(param_decls=["--version", "-V"], is_flag=True, help="Print the version."),
            TyperOption(
                param_decls=["--show-completion"],
                metavar="SHELL",
                help="Print a completion script: bash, zsh, fish, powershell.",
            ),
        ],
        context_settings=HELP,
        rich_markup_mode=None,
        no_args_is_help=True,
    )


def _suggestion(word: str) -> str:
    """A did-you-mean clause: what the word of another tool is here, else the nearest verb or alias."""
    near = OTHER_WORDS.get(word) or closest(word, [*VERBS, *ALIASES])
    return "" if near is None else did_you_mean(f"runcancel {ALIASES.get(near, near)}")


def load(name: str) -> Any:
    """The command of one verb: its module's `app`, or its function of the same name."""
    module = import_module(f"runcancel.cli.verbs.{name}")
    if hasattr(module, "app"):
        group = typer.main.get_command(module.app)
        group.context_settings.update(HELP)
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    body = _body(module, name)
    connects = "session" in inspect.signature(body).parameters  # a verb that connects to nothing needs no session
    single.command(name, cls=Verb, context_settings=HELP)(with_session(name, body) if connects else body)
    command = typer.main.get_command(single)
    if isinstance(command, Verb):
        command.actions = getattr(module, "ACTIONS", command.actions)
    command.params.extend(request.options() if connects else ())
    return command


def _body(module: ModuleType, name: str) -> Callable[..., int]:
    """The function of a verb; one that is named like a builtin has an underscore behind it."""
    body: Callable[..., int] = getattr(module, name, None) or getattr(module, f"{name}_")
    return body


def with_session(name: str, body: Callable[..., int]) -> Callable[..., int]:
    """Give a verb the options that mean the same everywhere; what they make is its first argument, the session.

    A bundle among the parameters of a verb stands for its options. An option of the verb hides one of that name that
    means the same everywhere.
    """
    own = [param for key, param in inspect.signature(body, eval_str=True).parameters.items() if key != "session"]
    flat = flattened(own)
    names = {param.name for param in flat}
    shared = [param for param in options_of(options.Everywhere) if param.name not in names]

    def call(ctx: typer.Context, **values: Any) -> int:
        session = Session.open(name, filled(options.Everywhere, {one.name: values.pop(one.name) for one in shared}))
        session.request = ctx.meta.get(request.FLAG, session.request)
        with session:
            return session.ended(body(session, **arguments(own, values)))

    call.__doc__ = body.__doc__
    keyword = inspect.Parameter.KEYWORD_ONLY
    first = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    params = [first, *(param.replace(kind=keyword) for param in flat + shared)]
    call.__annotations__ = {}  # Typer evaluates them, and needs none where it has a signature
    vars(call)["__signature__"] = inspect.Signature(params)  # what Typer reads the options off
    return call
