"""Manual pages out of the same declarations as help: one for the program and one for each verb."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runcancel import __version__
from runcancel.cli.actions import Action
from runcancel.cli.app import app, load
from runcancel.cli.panels import grouped
from runcancel.cli.topics import TOPICS
from runcancel.cli.verbs import ALIASES, VERBS
from runcancel.errors import INTERRUPTED, MEANINGS

_PROGRAM = "runcancel"
_EXIT_CODES = "Exit codes:"
_FILES = (
    ("~/.config/runcancel/config.toml", "Contexts, groups and limits; $XDG_CONFIG_HOME moves it."),
    ("~/.local/state/runcancel/journal.sqlite3", "The journal of operations; $XDG_STATE_HOME moves it."),
    ("/etc/runcancel/policy.toml", "The rules of the site."),
)
_FLAG = re.compile(r"(?<![\w-])(--?[A-Za-z][\w-]*)")


def pages() -> Mapping[str, str]:
    """File name -> manual page, in the form of man(7)."""
    texts = {f"{_PROGRAM}.1": _page("", _program())}
    return texts | {f"{_PROGRAM}-{verb}.1": _page(verb, _of_verb(verb)) for verb in VERBS}


def write_all(folder: Path) -> None:
    """Write every page into a folder, and take away pages of verbs that are no more."""
    folder.mkdir(exist_ok=True)
    current = pages()
    for file in folder.glob("*.1"):
        if file.name not in current:
            file.unlink()
    for name, text in current.items():
        (folder / name).write_text(text, encoding="ascii")


def _page(verb: str, body: Iterable[str]) -> str:
    name = f"{_PROGRAM}-{verb}" if verb else _PROGRAM
    head = f'.TH "{_escaped(name.upper())}" 1 "" "{_PROGRAM} {__version__}" "{_PROGRAM}"'
    return "".join(f"{line}\n" for line in ('.\\" Written by make generate out of the help.', head, *body))


def _program() -> Iterator[str]:
    program = app(VERBS)
    does, *more = _paragraphs(program.help or "")
    yield from _name(_PROGRAM, does)
    yield from (".SH SYNOPSIS", f".B {_PROGRAM}", _text("VERB [OPTIONS] [ARGUMENTS]"), ".br")
    yield from (f".B {_PROGRAM} {_escaped('--version')}",)
    yield from (".SH DESCRIPTION", _text(does), *_prose(more), ".SH COMMANDS")
    for verb, text in VERBS.items():
        yield from (".TP", f".BR {_escaped(f'{_PROGRAM}-{verb}')} (1)", _text(text))
    yield from (".PP", _text(f"Aliases: {', '.join(f'{alias} ({verb})' for alias, verb in ALIASES.items())}."))
    for topic, lines in TOPICS.items():
        if topic != "exit-codes":
            yield from (f'.SH "{_escaped(topic.upper())}"', *_verbatim(lines()))
    yield from _exit_status()
    yield ".SH FILES"
    for file, text in _FILES:
        yield from (".TP", f".I {_escaped(file)}", _text(text))
    yield from _see_also(VERBS)


def _of_verb(verb: str) -> Iterator[str]:
    command = load(verb)
    ctx = command.make_context(f"{_PROGRAM} {verb}", [], resilient_parsing=True)
    does = _paragraphs(command.help)[0]
    yield from _name(f"{_PROGRAM}-{verb}", does)
    yield from (".SH SYNOPSIS", *_synopsis(command, ctx, ctx.command_path))
    yield from _described(command.help)
    subcommands: Mapping[str, Any] = getattr(command, "commands", {})
    for name, sub in subcommands.items():
        inner = sub.make_context(name, [], parent=ctx, resilient_parsing=True)
        yield from (f'.SH "{_escaped(name.upper())}"', *_synopsis(sub, inner, inner.command_path))
        yield from (".PP", *_described(sub.help, title=".PP"), *_options(sub, inner, title=".PP"))
    if not subcommands:
        yield from _options(command, ctx)
    actions: Mapping[str, Action] = getattr(command, "actions", {})
    yield from (".SH ACTIONS",) if actions else ()
    for name, action in actions.items():
        yield from (".SS " + _escaped(f"{name} {action.takes}".rstrip()), _text(action.does))
        yield from (*_verbatim(action.examples), ".PP", _text(action.more))
    yield from _see_also(other for other in VERBS if other != verb)


def _name(name: str, does: str) -> Iterator[str]:
    yield from (".SH NAME", f"{_escaped(name)} \\- {_escaped(does.rstrip('.').replace(chr(10), ' '))}")


def _synopsis(command: Any, ctx: Any, path: str) -> Iterator[str]:
    yield f".B {_escaped(path)}"
    yield _text(" ".join(command.collect_usage_pieces(ctx)))


def _described(help: str, *, title: str = ".SH DESCRIPTION") -> Iterator[str]:
    """Description, examples and exit codes out of a help text."""
    does, *more = _paragraphs(help)
    examples = [part for part in more if part.startswith("Examples:")]
    rest = [part for part in more if not part.startswith("Examples:")]
    codes = [part.partition(_EXIT_CODES)[2] for part in rest if _EXIT_CODES in part]
    prose = [part.partition(_EXIT_CODES)[0].strip() for part in rest]
    yield from (title, _text(does), *_prose(part for part in prose if part))
    for part in examples:
        yield from (".SH EXAMPLES" if title.startswith(".SH") else ".PP", *_verbatim(part.splitlines()[1:]))
    for part in codes:
        yield from (".SH EXIT STATUS" if title.startswith(".SH") else ".PP", _text(part.strip()))
        yield from (".PP", f"All exit codes are in\n.BR {_PROGRAM} (1).")


def _options(command: Any, ctx: Any, *, title: str = ".SH OPTIONS") -> Iterator[str]:
    yield title
    for group, rows in grouped(command, ctx).items():
        yield f'.SS "{group}"' if title.startswith(".SH") else ".PP"
        for term, text in rows:
            yield from (".TP", _term(term), _text(text))


def _exit_status() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code, meaning in (*((str(int(code)), text) for code, text in MEANINGS.items()), ("129, 130, 143", INTERRUPTED)):
        yield from (".TP", f".B {code}", _text(meaning))


def _see_also(verbs: Iterable[str]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    names = [_PROGRAM, *(f"{_PROGRAM}-{verb}" for verb in verbs)]
    for name in names:
        yield f".BR {_escaped(name)} (1){',' if name != names[-1] else ''}"


def _paragraphs(help: str) -> list[str]:
    """The paragraphs of a help text; the mark that keeps its lines apart is left out."""
    lines = "\n".join(line.strip("\b") for line in help.splitlines())
    return [part.strip("\n") for part in re.split(r"\n\s*\n", lines) if part.strip()]


def _prose(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        yield from (".PP", _text(part))


def _verbatim(lines: Iterable[str]) -> Iterator[str]:
    """Lines as they are, from the first column: as wide as help, they fit a terminal as help does."""
    yield from (".in 0", ".EX")
    yield from (_guarded(_escaped(line.rstrip())) for line in lines)
    yield from (".EE", ".in")


def _text(text: str) -> str:
    """Running text on one line."""
    return _guarded(_escaped(" ".join(text.split())))


def _term(term: str) -> str:
    """`-t, --target ID`: options bold, names of values in italics."""
    parts = _FLAG.split(term)
    return "".join(
        f"\\fB{_escaped(part)}\\fR" if index % 2 else re.sub(r"[^\s,/]+", lambda m: f"\\fI{_escaped(m[0])}\\fR", part)
        for index, part in enumerate(parts)
    )


def _escaped(text: str) -> str:
    """Text that roff prints unchanged."""
    text = text.replace("\\", "\\(rs").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text)


def _guarded(line: str) -> str:
    return f"\\&{line}" if line.startswith(".") else line
