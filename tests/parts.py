"""The marked parts of the pages: facts that the program declares, written as Markdown.

python tests/parts.py            write every part anew
python tests/parts.py --check    report the pages whose parts are stale
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from runcancel.cli.tables import TABLES, Table, words
from runcancel.model.meanings import WORDS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_PART = re.compile(
    r"(?P<begin><!-- (?P<name>[\w-]+): begin \(make generate writes this part\) -->\n).*?"
    r"(?P<end><!-- (?P=name): end -->)",
    re.DOTALL,
)
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*\b")
"""An option in a text."""
_NAMES: Mapping[str, frozenset[int]] = {
    "exit-codes": frozenset(),
    "cancels": frozenset({0, 1, 2}),
    "guarantees": frozenset({0, 1}),
    "variables": frozenset({0}),
    "permissions": frozenset({0, 1, 2}),
    "formats": frozenset({0}),
    "triggers": frozenset({0, 2}),
}
"""The columns of each table that hold names alone."""


def parts() -> Mapping[str, str]:
    """Name of a part -> its text."""
    lists = {f"words-{title.lower().replace(' ', '-')}": _list(words(title)) for title in WORDS}
    return lists | {name: _table(make(), _NAMES[name]) for name, make in TABLES.items()}


def written(text: str, texts: Mapping[str, str]) -> str:
    """A page with its parts as they are now. Raises KeyError for a part that nothing declares."""
    return _PART.sub(lambda part: f"{part['begin']}\n{texts[part['name']]}\n{part['end']}", text)


def named(text: str) -> list[str]:
    """The names of the parts of a page."""
    return [part["name"] for part in _PART.finditer(text)]


def _table(table: Table, names: frozenset[int]) -> str:
    cells = (tuple(_cell(cell, name=column in names) for column, cell in enumerate(row)) for row in table.rows)
    titles, *rows = ("| " + " | ".join(row) + " |\n" for row in (table.titles, *cells))
    return "".join((titles, "|" + "---|" * len(table.titles) + "\n", *rows))


def _list(table: Table) -> str:
    return "".join(f"- `{term}`: {_cell(text, name=False)}.\n" for term, text in table.rows)


def _cell(text: str, *, name: bool) -> str:
    if name:
        return ", ".join(f"`{one}`" for one in text.split(", ") if one)
    return _OPTION.sub(lambda found: f"`{found[0]}`", text).replace("|", "\\|")


def stale() -> Iterator[Path]:
    """The pages with a part that is not as the program declares it."""
    texts = parts()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if written(text, texts) != text:
            yield page


def main(check: bool) -> int:
    """Write the parts, or report the stale pages."""
    texts = parts()
    pages = list(stale())
    for page in pages:
        if check:
            print(f"{page.relative_to(ROOT)} is stale: make generate")
        else:
            page.write_text(written(page.read_text(encoding="utf-8"), texts), encoding="utf-8")
    return 1 if check and pages else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
