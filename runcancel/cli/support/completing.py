"""What completion offers for a line: out of the summaries of the commands, without Typer, SDK or network."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TextIO

from runcancel.cli.support.page import brief
from runcancel.cli.support.summary import Argument, Option, Summary, summary
from runcancel.cli.verbs import ALIASES

ASK = "_RUNCANCEL_COMPLETE"
"""The variable in which a shell script names its shell to request completions."""

LINE = "_RUNCANCEL_LINE"
"""The command line up to the cursor."""

Offer = tuple[str, str]
"""A value, and its help."""

_BRIEF = 45  # characters of what a command does
_FORMATS: Mapping[str, Callable[[str, str], str]] = {
    "bash": lambda value, help: value,
    "zsh": lambda value, help: value.replace("\\", "\\\\").replace(":", "\\:") + (f":{help}" if help else ""),
    "fish": lambda value, help: f"{value}\t{help}",
    "powershell": lambda value, help: f"{value}\t{help}",
}


def answer_shell() -> int:
    """Reply to the shell that is named in the environment."""
    answer(os.environ[ASK], os.environ.get(LINE, ""), sys.stdout)
    return 0


def answer(shell: str, line: str, out: TextIO) -> None:
    """Write the completions of `line`, one per line, in the format of `shell`. Silent on any failure."""
    try:
        form = _FORMATS[shell]
        offers = candidates(*words(line))
        out.write("".join(f"{form(value, help)}\n" for value, help in offers))
    except Exception:  # noqa: BLE001 - a completion that fails must not print into the line being typed
        return


def words(line: str) -> tuple[list[str], str]:
    """The complete words after the program's name, and the word at the cursor."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    parsed: list[str] = []
    try:
        parsed.extend(lexer)
    except ValueError:  # an open quotation: what was read before it counts
        parsed.append(lexer.token)
    incomplete = "" if not line or line[-1:].isspace() else parsed.pop()
    return parsed[1:], incomplete


def candidates(args: Sequence[str], incomplete: str) -> list[Offer]:
    """Values with their help that complete `incomplete` after `args`."""
    before = [*(ALIASES.get(word, word) for word in args[:1]), *args[1:]]
    typed = _Typed.of(before)
    flag, equals, value = incomplete.partition("=")
    whole = ""  # a shell compares with the whole word that stands there
    if incomplete == "=":
        incomplete = ""
    elif equals and flag[:1] == "-":
        before, incomplete = [*before, flag], value
        whole = f"{flag}=" if any(flag in option["names"] for option in typed.command["options"]) else ""
    is_option = incomplete.startswith("-") and "--" not in before
    offers = typed.commands_and_options(incomplete) if is_option else typed.values(before, incomplete)
    return [(f"{whole}{value}", " ".join(help.split())) for value, help in offers if value.startswith(incomplete)]


class _Typed:
    """What was typed before the cursor: for which command, which of its options, and its arguments."""

    def __init__(self, command: Summary) -> None:
        self.command = command
        self.options: list[Option] = []
        self.args: list[str] = []

    @classmethod
    def of(cls, words: Sequence[str], *path: str) -> "_Typed":
        """Read words as the parser does; what comes after a mistake is not read."""
        typed = cls(summary(*path))
        typed._read([*words])
        if typed.args and typed.args[0] in typed.command["commands"]:
            return cls.of(typed.args[1:], *path, typed.args[0])
        return typed

    def commands_and_options(self, incomplete: str) -> list[Offer]:
        """Subcommands, and the options that can still be given."""
        offers = [(name, brief(text, _BRIEF)) for name, text in self.command["commands"].items()]
        if incomplete and not incomplete[0].isalnum():
            open_ = (option for option in self.command["options"] if option["many"] or option not in self.options)
            offers += [(name, option["help"]) for option in open_ for name in (*option["names"], *option["off"])]
        return offers

    def values(self, before: Sequence[str], incomplete: str) -> list[Offer]:
        """Values of the option in front of the cursor, else of the next argument."""
        param: Option | Argument
        for param in self.command["options"]:
            if before and param["takes_value"] and before[-1] in param["names"]:
                return self._offers(param, incomplete)
        for at, param in enumerate(self.command["arguments"]):
            if param["many"] or at >= len(self.args):
                return self._offers(param, incomplete)
        return self.commands_and_options(incomplete)

    def _offers(self, param: Option | Argument, incomplete: str) -> list[Offer]:
        offers = param["offers"]
        if not isinstance(offers, str):
            return [(value, "") for value in offers]
        module, _, name = offers.partition(":")
        values: list[Offer] = getattr(import_module(module), name)(self.args, incomplete)
        return values

    def _read(self, rest: list[str]) -> None:
        by_name = {name: option for option in self.command["options"] for name in (*option["names"], *option["off"])}
        while rest:
            word = rest.pop(0)
            if word == "--":
                break
            if word[:1] == "-" and len(word) > 1:
                if not self._option(word, rest, by_name):
                    self.args = []
                    return
            elif self.command["interspersed"]:
                self.args.append(word)
            else:
                rest.insert(0, word)
                break
        self.args += rest

    def _option(self, word: str, rest: list[str], by_name: Mapping[str, Option]) -> bool:
        """Take one word of options and what belongs to it; whether it is right."""
        name, equals, _ = word.partition("=")
        if name in by_name:
            return self._take(by_name[name], rest, joined=bool(equals))
        if word.startswith("--"):
            return False
        for at, letter in enumerate(word[1:], start=2):
            option = by_name.get(f"-{letter}")
            if option is None or not self._take(option, rest, joined=option["takes_value"] and at < len(word)):
                return False
            if option["takes_value"]:
                break
        return True

    def _take(self, option: Option, rest: list[str], *, joined: bool) -> bool:
        if joined and not option["takes_value"]:
            return False
        may_stand_alone = option["only"] and not (rest and rest[0] in option["only"])
        if option["takes_value"] and not joined and not may_stand_alone:
            if not rest:
                return False
            del rest[0]
        self.options.append(option)
        return True
