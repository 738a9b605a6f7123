"""What the parser of the command line refuses, in the words of every other message."""

import re
from collections.abc import Sequence

import typer

from runcancel.cli.verbs import VERBS
from runcancel.config.references import did_you_mean, nearest
from runcancel.model.runs import Problem
from runcancel.model.states import Reason
from runcancel.text import command, quoted

_NOTHING_SENT = "; nothing was sent"
_FIND = {"list": "runs", "triggers": "triggers"}
"""Verbs that take no name as an argument, and what `--name` finds with them."""

_BY_ID = ("history", "report")
"""Verbs whose argument is an operation; the others take it as an option."""

_OTHER_OPTIONS = {
    "--json": "-o json",
    "--yaml": "-o yaml",
    "--csv": "-o csv",
    "--format": "-o",
    "--all-regions": "-r all",
    "--account": "-c",
    "--accounts": "-c",
    "--all-accounts": "-c",
    "--filter": "--name",
}
"""Options of other tools, each with what to type here, if the verb has it."""

_VALUE = r"Invalid value for '?([^\s']+)'?(?: / \S+)?: "
_SENTENCES = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Option '(\S+)' requires an argument\.?", "{0} needs a value"),
        (r"Option '(\S+)' does not take a value\.?", "{0} takes no value"),
        (r"Got unexpected extra argument\(s\) \((.*)\)", "unexpected argument “{0}”"),
        (r"No such option: (.*?)(?: \(Possible options: .*)?", "no such option “{0}”"),
        (r"No such command '(.*?)'\..*", "no such command “{0}”"),
        (r"Missing argument '?(.*?)'?\.?", "missing argument {0}"),
        (_VALUE + r"'(.*)' is not a valid int(?:eger)?(?: range)?\.?", "{0} “{1}” is not a number"),
        (_VALUE + r"(\S+) is not in the range (\d+)<=x<=(\d+)\.?", "{0} {1} is not a number from {2} to {3}"),
        (_VALUE + r"(\S+) is not in the range x>=(\d+)\.?", "{0} {1} is below {2}"),
        (_VALUE + r"'(.*)' is not one of (.*?)\.?", "{0} does not accept “{1}”. Expected one of: {2}"),
        (_VALUE + r"(.*?)\.?", "{0}: {1}"),
    )
)
"""What the parser writes, and how it is printed. A sentence that is not here keeps its words."""


def refusal(error: typer.TyperException, argv: Sequence[str]) -> Problem:
    """The problem of a command line that cannot be parsed: what is wrong, what was not done, what to do next."""
    message = f"{_sentence(error)}{_did_you_mean(error)}".removesuffix(_NOTHING_SENT)
    return Problem(code=Reason.USAGE, message=f"{message}{_NOTHING_SENT}", hint=_next(error, argv))


def _sentence(error: typer.TyperException) -> str:
    text = error.format_message().strip()
    for pattern, words in _SENTENCES:
        if parts := pattern.fullmatch(text):
            return words.format(*(quoted(part.replace("'", "")) for part in parts.groups()))
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _did_you_mean(error: typer.TyperException) -> str:
    """A did-you-mean clause for an option, or for a command below a verb."""
    of = getattr(getattr(error, "ctx", None), "command", None)
    if option := getattr(error, "option_name", None):
        same = _OTHER_OPTIONS.get(option, "")
        if any(same.partition(" ")[0] in param.opts for param in getattr(of, "params", ())):
            return did_you_mean(same)
        long = [name for param in getattr(of, "params", ()) for name in param.opts if name.startswith("--")]
        return nearest(option, long, cutoff=0.7) if option not in long else ""
    word = re.match(r"No such command '(.*?)'", error.format_message())
    return nearest(word[1], getattr(of, "commands", ())) if word else ""


def _next(error: typer.TyperException, argv: Sequence[str]) -> str:
    """Where the right form stands; for a name behind a verb that searches, the command that finds it."""
    extra = re.fullmatch(r"Got unexpected extra argument\(s\) \((\S+)\)", error.format_message().strip())
    if extra and argv[:1] and argv[0] in _FIND:
        return f"To find {_FIND[argv[0]]} by name: {command(argv[0], '--name', extra[1])}"
    if getattr(error, "option_name", None) == "--operation" and argv[:1] and argv[0] in _BY_ID:
        return f"an operation stands alone: {command(argv[0], 'last')}"
    behind = next((word for word in argv if word in VERBS), None)
    if behind is not None and argv[0].startswith("-"):
        return f"options follow the verb: {command(behind)} {argv[0]} …"
    of = getattr(error, "ctx", None)
    path = "runcancel" if of is None else of.command_path
    return f"see: {path} --help" if of is not None or behind is None else f"see: {path} {behind} --help"
