"""One source: what help, the manual pages and the pages share is declared once, and the pages are fresh."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import TENCENT, Outside
from parts import PAGES, ROOT, named, parts, written

from runcancel.cli.tables import variables
from runcancel.environment import variable

_READERS = {"text", "several", "switch", "one_of", "seconds"}
"""The functions that read a flag or its variable."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_marked_parts_of_a_page_are_fresh(page: Path) -> None:
    """To write them anew: make generate."""
    text = page.read_text(encoding="utf-8")

    assert text == written(text, parts())


def test_every_part_is_in_some_page() -> None:
    assert {name for page in PAGES for name in named(page.read_text(encoding="utf-8"))} == set(parts())


def flags() -> Iterator[str]:
    """Every flag that has a variable: the first argument of a function that reads one."""
    for path in (ROOT / "runcancel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in _READERS and str(node.args[0].value).startswith("--"):
                    yield str(node.args[0].value)


def listed() -> set[str]:
    return {name for row in variables().rows for name in row[0].split(", ") if name.startswith("RUNCANCEL_")}


def test_every_variable_of_the_program_is_listed_and_no_other() -> None:
    assert listed() == {variable(flag) for flag in flags()} | {"RUNCANCEL_JOURNAL_URL"}


_USES = {"RUNCANCEL_GIVE_UP_AFTER": ("cancel", TENCENT), "RUNCANCEL_JOURNAL_URL": ("history",)}
"""What reads a variable that a dry run does not need."""


@pytest.mark.parametrize("name", sorted(listed()))
def test_a_variable_that_is_listed_is_read(name: str, outside: Outside) -> None:
    done = outside.run(*_USES.get(name, ("cancel", TENCENT, "--dry-run")), env={name: "-"})

    assert done.code == 2, str(done)
    assert name in done.err
