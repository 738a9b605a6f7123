"""`docs/layout.md` against the code: every file it names is there, every line of its picture is an import."""

import re
from pathlib import Path

import pytest
from sources import ROOT, imports

from runcancel.cli.verbs import VERBS
from runcancel.providers import PROVIDERS

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "layout.md").read_text(encoding="utf-8")
EDGES = re.findall(r"^    (\S+\.py) (-->|-\.->) (\S+\.py)$", PAGE, re.MULTILINE)


def test_every_line_of_the_picture_is_an_import() -> None:
    assert [edge for edge in EDGES if (edge[2] in imports(edge[0])) is not (edge[1] == "-->")] == []


def test_what_the_picture_shows_as_loaded_by_name_stands_in_a_table() -> None:
    files = [Path(there) for _, line, there in EDGES if line != "-->"]

    assert {file.parent.name if file.name == "__init__.py" else file.stem for file in files} <= {*VERBS, *PROVIDERS}


def test_the_picture_is_one_piece_and_begins_at_the_command() -> None:
    reached, waiting = {"cli/__init__.py"}, ["cli/__init__.py"]
    while waiting:
        here = waiting.pop()
        new = {there for start, _, there in EDGES if start == here} - reached
        reached |= new
        waiting += new

    assert len(EDGES) > 30
    assert {file for start, _, there in EDGES for file in (start, there)} == reached


def test_every_file_between_the_borders_is_named() -> None:
    listed = set(re.findall(r"^  (\w+\.py|\w+/) +\S", PAGE, re.MULTILINE))

    there = {path.name for path in ROOT.glob("*.py") if not path.name.startswith("__")}
    there |= {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py") if path.parent.name != "schemas"}
    assert listed == there


def test_every_path_that_the_page_mentions_exists() -> None:
    rooms = "cli|render|providers|sandbox|engine|config|model|runtime|journal|guards"
    for name in set(re.findall(rf"`((?:{rooms})/[\w/]+\.py|\w+\.py)`", PAGE)):
        assert (ROOT / name).is_file() or list(ROOT.rglob(name)), name
    for name in set(re.findall(r"`((?:tests|docs|benchmarks|completions)/[\w/.]+)`", PAGE)):
        assert (REPOSITORY / name).exists(), name


@pytest.mark.parametrize("room", ["model", "runtime", "config", "engine", "journal", "guards"])
def test_every_file_of_a_room_is_named(room: str) -> None:
    inside = re.search(rf"^  {room}/ .*\n((?:    .*\n)*)", PAGE, re.MULTILINE)

    assert inside is not None
    listed = set(re.findall(r"^    (\w+\.py) +\S", inside.group(1), re.MULTILINE))
    assert listed == {path.name for path in (ROOT / room).glob("*.py") if path.name != "__init__.py"}


def test_the_root_holds_only_what_has_no_better_room() -> None:
    assert len([path for path in ROOT.glob("*.py") if not path.name.startswith("__")]) <= 6
