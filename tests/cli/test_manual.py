"""Manual pages: made of the same declarations as help, fresh, and without a warning of man."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from runcancel import __version__
from runcancel.cli.app import load
from runcancel.cli.manual import pages, write_all
from runcancel.cli.topics import TOPICS
from runcancel.cli.verbs import VERBS
from runcancel.errors import MEANINGS

REPOSITORY = Path(__file__).parents[2]
PAGES = pages()
every_page = pytest.mark.parametrize("name", PAGES)


def plain(page: str) -> str:
    """The text of a page as a terminal shows it, on one line."""
    text = re.sub(r"\\f[BIR]", "", page).replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "")
    text = re.sub(r"\\\[u([0-9A-F]{4,6})\]", lambda found: chr(int(found[1], 16)), text)
    return " ".join(
        text.replace("\\(rs", "\\")
        .replace("\\(dq", '"')
        .replace("\\(ti", "~")
        .replace("\\(ga", "`")
        .replace("\\(ha", "^")
        .split()
    )


def test_there_is_a_page_for_the_program_and_for_each_verb() -> None:
    assert set(PAGES) == {"runcancel.1", *(f"runcancel-{verb}.1" for verb in VERBS)}


@every_page
def test_the_pages_that_are_kept_are_fresh(name: str) -> None:
    """To write them anew: make generate."""
    assert (REPOSITORY / "man" / name).read_text(encoding="ascii") == PAGES[name]


def test_no_other_page_is_kept(tmp_path: Path) -> None:
    assert {file.name for file in (REPOSITORY / "man").iterdir()} == set(PAGES)
    (tmp_path / "runcancel-gone.1").touch()
    write_all(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(PAGES)


@every_page
def test_a_page_has_the_sections_that_readers_look_for(name: str) -> None:
    page = PAGES[name]

    assert f'.TH "{name.removesuffix(".1").upper()}" 1 "" "runcancel {__version__}"' in page.replace("\\-", "-")
    sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-1] == "SEE ALSO"


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_in_the_page_of_its_verb(verb: str) -> None:
    command, text = load(verb), plain(PAGES[f"runcancel-{verb}.1"])
    for each in (command, *getattr(command, "commands", {}).values()):
        for param in each.params:
            for name in param.opts if param.param_type_name == "option" else ():
                assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), name
    for action in getattr(command, "actions", {}).values():
        assert action.does in text


def test_the_page_of_the_program_has_topics_and_exit_codes() -> None:
    text = plain(PAGES["runcancel.1"])

    for verb, does in VERBS.items():
        assert f"runcancel-{verb} (1) {does}" in text
    for meaning in MEANINGS.values():
        assert meaning in text
    for topic, lines in TOPICS.items():
        if topic != "exit-codes":
            assert " ".join(" ".join(lines()).split()) in text, topic


@every_page
def test_man_finds_nothing_wrong(name: str) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(REPOSITORY / "man" / name)],
        env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/local/bin:/usr/bin:/bin", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stderr == ""
    shown = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "NAME" in shown
    assert not re.search(r"\\[f(&\[]|^\.[A-Z]{2}", shown, re.MULTILINE)


def test_packages_have_the_pages() -> None:
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]

    assert "man" in build["sdist"]["include"]
    assert build["wheel"]["shared-data"] == {"man": "share/man/man1"}
