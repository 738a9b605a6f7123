"""The help of a command as text: from its summary, as wide as the terminal, at most 80 columns."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from runcancel.cli.support.summary import PROGRAM, Summary, summary
from runcancel.cli.verbs import ALIASES, VERBS

ARGUMENTS, COMMANDS = "Arguments", "Commands"
HELP = ("-h", "--help")

_NARROWEST, _WIDEST = 50, 78  # columns, without two at the right edge
_MOST = 30  # columns of the options beside which their text stands
_GAP = 2
_SQUEEZED = 20  # columns
_AS_IT_IS = "\b"  # before a paragraph whose lines stay


class _Wrapper(textwrap.TextWrapper):
    """Wraps as Typer does: a word that is longer than a line is cut where the line ends, wherever that is."""

    def _handle_long_word(self, reversed_chunks: list[str], cur_line: list[str], cur_len: int, width: int) -> None:
        room = max(width - cur_len, 1)
        cur_line.append(reversed_chunks[-1][:room])
        reversed_chunks[-1] = reversed_chunks[-1][room:]


def requested(argv: Sequence[str]) -> str | None:
    """The help that a command line requests with nothing else in it; None if it says more, or something else."""
    if not argv:
        return page()
    *words, flag = argv
    if flag not in HELP or len(words) > 2:
        return None
    path = [ALIASES.get(word, word) for word in words[:1]] + words[1:]
    if path and path[0] not in VERBS:
        return None
    if len(path) > 1:
        verb = summary(path[0])
        if path[1] not in (*verb["commands"], *verb["actions"]):
            return None
    return page(*path)


def page(*path: str) -> str:
    """The help of a command, or of an action of a verb."""
    columns = shutil.get_terminal_size().columns
    width = max(min(columns - 2, _WIDEST), _NARROWEST)
    return "\n".join(_blocks(summary(*path), " ".join((PROGRAM, *path)), width))


def _blocks(one: Summary, name: str, width: int) -> Iterator[str]:
    """The parts between which an empty line stands; each ends with a line break."""
    yield _usage(f"Usage: {name} ", one["usage"], width)
    yield _paragraphs(one["help"], width, indent="  ") + "\n"
    pad = max((len(term) for group, rows in one["groups"].items() if group != ARGUMENTS for term, _ in rows), default=0)
    for group, rows in one["groups"].items():
        yield f"{group}:\n{_list(rows, width, pad=0 if group == ARGUMENTS else pad)}"
    if one["commands"]:
        room = width - 6 - max(map(len, one["commands"]))
        yield f"{COMMANDS}:\n{_list([(word, brief(text, room)) for word, text in one['commands'].items()], width)}"
    if one["epilog"]:
        yield _paragraphs(one["epilog"], width, indent="  ") + "\n"


def _usage(head: str, words: str, width: int) -> str:
    """The words behind the head, or below it where they would be squeezed."""
    if len(head) + _SQUEEZED <= width:
        return _fill(words, width, initial_indent=head, subsequent_indent=" " * len(head)) + "\n"
    indent = " " * (len("Usage: ") + 4)
    return f"{head}\n{_fill(words, width, initial_indent=indent, subsequent_indent=indent)}\n"


def brief(sentence: str, room: int) -> str:
    """As many words of a sentence as there is room for."""
    if len(sentence) <= room:
        return sentence
    words = sentence.split()
    while words and len(" ".join(words)) + 3 > room:
        words.pop()
    return f"{' '.join(words)}..."


def _list(rows: Sequence[tuple[str, str]], width: int, *, pad: int = 0) -> str:
    """Terms, each with its text beside it, or below it where the term is too long."""
    column = min(max(pad, *(len(term) for term, _ in rows)), _MOST) + _GAP
    lines: list[str] = []
    for term, text in rows:
        first, *more = _paragraphs(text, max(width - column - _GAP, 10)).splitlines() or ("",)
        if not first:
            lines.append(f"  {term}")
        elif len(term) <= column - _GAP:
            lines.append(f"  {term:<{column}}{first}")
        else:
            lines += [f"  {term}", f"  {'':<{column}}{first}"]
        lines += [f"  {'':<{column}}{line}" for line in more]
    return "".join(f"{line}\n" for line in lines)


def _paragraphs(text: str, width: int, *, indent: str = "") -> str:
    """Paragraphs, each filled to the width, and an empty line between them."""
    return "\n\n".join(_filled(part.split("\n"), width, indent) for part in text.split("\n\n"))


def _filled(lines: Sequence[str], width: int, indent: str) -> str:
    if lines[0] == _AS_IT_IS:
        return "\n".join(f"{indent}{line}" for line in lines[1:])
    return _fill(" ".join(lines), width, initial_indent=indent, subsequent_indent=indent)


def _fill(text: str, width: int, *, initial_indent: str = "", subsequent_indent: str = "") -> str:
    return _Wrapper(width, initial_indent=initial_indent, subsequent_indent=subsequent_indent).fill(text)
