"""One source: what help, the manual pages and the pages share is declared once, and the pages are fresh."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from outside import TENCENT, Outside
from parts import PAGES, ROOT, named, parts, written
from sources import MODULES, nodes, source

from runcancel.cli.app import load
from runcancel.cli.tables import variables
from runcancel.cli.verbs import VERBS
from runcancel.environment import variable
from runcancel.guards.site_policy import ACTIONS, Rule
from runcancel.model.states import Effect, Verdict
from runcancel.providers import PROVIDERS, provider

HELP = ROOT / "tests" / "cli" / "golden" / "help"
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
    for module in MODULES:
        for node in nodes(module) if '"--' in source(module) else ():
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in _READERS and str(node.args[0].value).startswith("--"):
                    yield str(node.args[0].value)


def listed() -> set[str]:
    return {name for row in variables().rows for name in row[0].split(", ") if name.startswith("RUNCANCEL_")}


def test_every_variable_of_the_program_is_listed_and_no_other() -> None:
    assert listed() == {variable(flag) for flag in flags()} | {"RUNCANCEL_JOURNAL_URL"}


def test_the_page_of_the_policy_has_every_key_and_every_word_of_it() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| (.*) \|$", page, re.MULTILINE)
    keys = {key: text for terms, text in rows for key in re.findall(r"`(\w+)`", terms)}
    clouds = [provider(name) for name in PROVIDERS]

    assert set(keys) == {field.name for field in structs.fields(Rule)} - {"why"}
    assert re.findall(r"`([\w-]+)`", keys["providers"]) == list(PROVIDERS)
    assert set(re.findall(r"`([\w-]+)`", keys["kinds"])) == {kind.name for cloud in clouds for kind in cloud.kinds}
    assert set(re.findall(r"`([\w-]+)`", keys["actions"])) == set(ACTIONS)


@pytest.mark.parametrize(("title", "words"), [("Effects, per target", Effect), ("Verdicts, per run", Verdict)])
def test_the_page_of_guarantees_has_a_row_for_each_word(title: str, words: type[Effect]) -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == set(map(str, words))


def test_the_keys_that_the_page_describes_are_in_the_schemas() -> None:
    page = (ROOT / "docs" / "scripting.md").read_text(encoding="utf-8")
    section = page.partition("### Vendor data of a run\n")[2].partition("\n## ")[0]
    keys = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    schema = json.loads((ROOT / "runcancel" / "schemas" / "status.json").read_text(encoding="utf-8"))
    (run,) = [one for name, one in schema["$defs"].items() if "trigger_known" in one.get("properties", {})]

    assert len(keys) >= 11
    assert [key for key in keys if key not in run["properties"]] == []


@cache
def options(verb: str) -> set[str]:
    """Every option of a verb and of its actions."""
    return _options(load(verb))


def _options(command: Any) -> set[str]:
    names = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    return names.union({"--help"}, *(_options(inner) for inner in getattr(command, "commands", {}).values()))


def typed(page: Path) -> Iterator[tuple[str, str]]:
    """Every verb that a page shows with an option."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for verb, rest in re.findall(rf"runcancel ({'|'.join(VERBS)})\b([^`|;#&>\n]*)", text):
        for name in re.findall(r"(?<!\S)--[a-z][\w-]*", rest.split(" -- ")[0]):
            yield verb, name


def test_every_option_of_a_command_that_is_shown_exists() -> None:
    shown = [(page.name, verb, name) for page in (*PAGES, *HELP.glob("*.txt")) for verb, name in typed(page)]

    assert len(shown) > 100
    assert [(page, verb, name) for page, verb, name in shown if name not in options(verb)] == []


_USES = {"RUNCANCEL_GIVE_UP_AFTER": ("cancel", TENCENT), "RUNCANCEL_JOURNAL_URL": ("history",)}
"""What reads a variable that a dry run does not need."""


@pytest.mark.parametrize("name", sorted(listed()))
def test_a_variable_that_is_listed_is_read(name: str, outside: Outside) -> None:
    done = outside.run(*_USES.get(name, ("cancel", TENCENT, "--dry-run")), env={name: "-"})

    assert done.code == 2, str(done)
    assert name in done.err
