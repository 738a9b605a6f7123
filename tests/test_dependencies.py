"""docs/dependencies.md against pyproject.toml: every package that is declared is explained, and no other."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.dependencies import LOADED

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CARD = {"typer", "rich", "boto3", "alibabacloud-ecs20140526", "tencentcloud-sdk-python", "pytest", "moto"}


def names(requirements: list[str]) -> set[str]:
    return {Requirement(text).name.lower() for text in requirements}


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def first_cells(text: str) -> set[str]:
    """The packages in the first column of a table."""
    return {name for cell in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(.+?)`", cell)}


def test_every_package_at_run_time_is_explained_and_no_other() -> None:
    assert first_cells(section("At run time")) == names(PROJECT["project"]["dependencies"])


def test_every_package_of_the_card_has_its_line() -> None:
    assert first_cells(section("The packages of the project's card, one by one")) == CARD


def test_what_was_left_out_is_not_declared() -> None:
    assert not first_cells(section("What was left out")) & names(PROJECT["project"]["dependencies"])


def test_every_package_for_development_is_named() -> None:
    declared = [*PROJECT["project"]["optional-dependencies"]["dev"], *PROJECT["dependency-groups"]["build"]]
    said = {name.lower() for name in re.findall(r"`([\w-]+)`", section("For development"))}
    assert names(declared) <= said


def test_every_package_at_run_time_has_its_price() -> None:
    measured = set(re.findall(r"^\| ([\w-]+) \| \d+ \|", section("Measured"), re.MULTILINE))
    assert names(PROJECT["project"]["dependencies"]) <= measured == LOADED.keys()
