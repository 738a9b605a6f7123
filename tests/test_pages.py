"""The pages for newcomers and for incidents: every command runs, and the output on the page is what is printed."""

import re
import shlex
from itertools import groupby
from pathlib import Path
from string import Template

import pytest
from outside import TENCENT, WINDOW, Outside

from runcancel.cli.app import load
from runcancel.cli.verbs import VERBS

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"\b\d\d:\d\d\b", "HH:MM"),
    (r"\b\d+(?:\.\d)?[smh]\b", "DURATION"),
    (r"\b01[0-9A-Z]{24}\b", "OPERATION"),
    (r"\s+", " "),
)
"""What differs from one try to the next, and the widths that follow from it."""
_KNOWN = {
    "RUN": TENCENT,
    "WINDOW": WINDOW,
    "NAME": "patch-openssl",
    "LINE": "/opt/jobs/patch-openssl.sh",
    "DOCUMENT": "AWS-RunShellScript",
    "SCRIPT": "/opt/jobs/nightly-cleanup.sh",
    "TRIGGER": "aws:us-east-2:rule/default/nightly-cleanup",
    "TICKET": "OPS-4711",
}
"""What somebody at the card knows."""


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    found = _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def steady(text: str) -> list[str]:
    """The lines without what varies; the same line twice in a row (stdout and stderr) is one."""
    for pattern, instead in _VARIES[:-1]:
        text = re.sub(pattern, instead, text)
    lines = [re.sub(*_VARIES[-1], line).strip() for line in text.splitlines()]
    return [line for line, _ in groupby(line for line in lines if line)]


def shown(page: list[str], printed: list[str]) -> bool:
    """Whether the lines of the page were printed in that order, one after the other; `…` stands for anything."""
    pattern = "\n".join("(?:.*\n)*?.*" if line == "…" else re.escape(line).replace("…", ".*") for line in page)
    return re.search(f"^{pattern}$", "\n".join(printed), re.MULTILINE) is not None


def check(block: str, outside: Outside) -> None:
    """Run the commands of a block in their order; each prints what stands below it."""
    for step in block.removeprefix("$ ").split("\n$ "):
        command, _, excerpt = step.partition("\n")
        done = outside.shell(f"exec 2>&1\n{command}", env={"RUNCANCEL_OUTPUT": "table", "COLUMNS": "100"})
        assert shown(steady(excerpt), steady(done.out)), f"{command}\n{excerpt}\n--- printed\n{done.out}"


def test_the_quickstart_prints_what_the_page_shows(outside: Outside) -> None:
    for block in blocks("quickstart.md", "console"):
        check(block, outside)


@pytest.mark.parametrize("block", blocks("faq.md", "console"), ids=lambda block: block.splitlines()[0][2:50])
def test_an_answer_prints_what_the_page_shows(block: str, outside: Outside) -> None:
    check(block, outside)


_NO_TERMINAL = re.compile(r"cancel -r all |enable ")
"""What needs a confirmation: without a terminal nothing is sent, and the exit code is 6."""


def test_every_line_of_the_incident_card_runs(outside: Outside) -> None:
    known = dict(_KNOWN)
    for line in "".join(blocks("incident.md", "sh")).splitlines():
        command = line.partition(" # ")[0].partition(" > ")[0]
        done = outside.run(*shlex.split(Template(command.removeprefix("runcancel")).substitute(known)))
        assert done.code == (6 if _NO_TERMINAL.search(command) else 0), f"{line}\n{done}"
        if "OPERATION" not in known and command.startswith("runcancel history"):
            known["OPERATION"] = done.rows[-1]["id"]


def test_the_comparison_quotes_the_first_error(outside: Outside) -> None:
    clouds = ("AWS_", "ALIBABA_", "TENCENTCLOUD_", "RUNCANCEL_")
    bare = {name: None for name in outside.environ if name.startswith(clouds)}
    page = (DOCS / "compare.md").read_text(encoding="utf-8")

    first, typo = outside.run("list", env=bare), outside.run("cancl")

    assert (first.code, typo.code) == (2, 2)
    assert f"`{first.err.splitlines()[0].removeprefix('runcancel: ')}`" in page, str(first)
    assert "did you mean runcancel cancel?" in typo.err


_SPAN = re.compile(r"`((?:runcancel )?(?:" + "|".join(VERBS) + r") [^`]+)`")
_WORDS = {"REF": TENCENT, "NAME": "patch-openssl", "TEXT": "patch", "VERB": "cancel", "FILE": "/dev/null"}
"""What stands for something in the text of a page."""
_APART = ("runcancel sandbox ", "runcancel contexts add ", "runcancel schema ", "runcancel cancel -f runs.jsonl")
"""What is run by tests of its own."""
TEXTS = {
    str(page.relative_to(DOCS.parent)): re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for page in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
}


def spans(page: str) -> list[str]:
    """The calls in the sentences and tables of a page, each once."""
    return list(dict.fromkeys(" ".join(span.split()) for span in _SPAN.findall(TEXTS[page])))


@pytest.mark.parametrize("page", [page for page in TEXTS if spans(page)])
def test_an_option_in_a_sentence_is_one_of_its_verb(page: str) -> None:
    """`verb --option` in a sentence names an option that the verb has."""
    for span in spans(page):
        verb, *words = span.removeprefix("runcancel ").partition(";")[0].split()
        loaded = load(verb)
        commands = [loaded, *getattr(loaded, "commands", {}).values()]
        there = {name for one in commands for param in one.params for name in [*param.opts, *param.secondary_opts]}
        unknown = {word for word in words if word.startswith("-") and word not in {*there, "-", "--", "--help"}}
        assert not unknown, span


@pytest.mark.parametrize("page", [page for page in TEXTS if spans(page)])
def test_a_whole_command_in_a_sentence_can_be_typed(page: str, outside: Outside) -> None:
    """What begins with `runcancel` and has more than a verb is not wrong usage."""
    if any("last" in span.split() for span in spans(page)):
        outside.run("disable", _KNOWN["TRIGGER"])
        outside.run("cancel", TENCENT)
    for span in spans(page):
        words = shlex.split(span) if "…" not in span else []
        if words[:1] == ["runcancel"] and words[2:] and "ID" not in words and not span.startswith(_APART):
            done = outside.run(*(_WORDS.get(word, word) for word in words[1:]))
            assert done.code != 2, f"{span}\n{done}"
