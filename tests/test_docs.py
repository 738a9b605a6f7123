"""Every command of the README and of the pages, run in the order in which it stands; every link leads somewhere.

`docs/runbooks.md`, `docs/scripting.md` and `docs/policy.md` have tests of their own.
"""

import re
from pathlib import Path

import pytest
from outside import KILLED, ONE_SHOT, TENCENT, Outside

from runcancel.cli.verbs import VERBS
from runcancel.errors import MEANINGS, Exit

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guarantees.md", "docs/permissions.md")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(rf"^(?:\$ )?(runcancel (?:{'|'.join(VERBS)})\b.*?)(?: {{3,}}.*| +# .*)?$", re.MULTILINE)
_EXPECTED = {
    "runcancel cancel": 2,  # without a terminal there is no list to choose from
    "runcancel cancel --name patch-openssl": 6,  # two accounts, and no terminal to confirm on
    "runcancel cancel -r all --name patch-openssl --max-runs 50": 6,  # several accounts, and no terminal to confirm on
    "runcancel cancel t-7d2a745b412b4601b2d47f6a768d0001 --target i-bp1fexample": 5,
    "runcancel contexts import --aws-organization --role ops": 6,  # it asks before it writes
    "runcancel report -o html > incident.html": 5,  # the cancel above waits for a confirmation
    "runcancel doctor -c prod -o json": 2,  # the context does not exist
}
"""The exit code of a command where it is not 0."""
_PARTIAL = {"plan.json", "runs.jsonl"}
"""Recipes that end with 3: Alibaba Cloud does not stop what has started."""


def blocks(page: str, *languages: str) -> list[str]:
    """The code blocks of a page in one of the languages."""
    found = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_does_what_it_is_there_for(page: str, outside: Outside) -> None:
    commands = [found.rstrip() for block in blocks(page, "", "console") for found in _COMMAND.findall(block)]
    assert commands
    for command in commands:
        done = outside.shell(f"set -euo pipefail\n{command}")
        assert done.code == _EXPECTED.get(command, 0), f"{command}\n{done}"
        assert "internal error" not in done.err


@pytest.mark.parametrize(
    "recipe", [*blocks("README.md", "sh"), *blocks("docs/selecting.md", "sh"), *blocks("docs/triggers.md", "sh")]
)
def test_every_recipe_runs_as_it_stands(recipe: str, outside: Outside) -> None:
    done = outside.shell(f"set -euo pipefail\n{recipe}", env={"RUN": TENCENT})

    assert done.code == (3 if any(file in recipe for file in _PARTIAL) else 0), str(done)


@pytest.mark.parametrize(("run", "says"), [(ONE_SHOT, "keep running"), (KILLED, "not verified")])
def test_the_readme_tells_the_exit_codes_apart(run: str, says: str, outside: Outside) -> None:
    (recipe,) = [block for block in blocks("README.md", "sh") if "case $code" in block]

    done = outside.shell(f"set -euo pipefail\n{recipe}", env={"RUN": run})

    assert done.code == 0, str(done)
    assert says in done.out


_KNOWN = (
    ("REF", TENCENT),
    ("i-0848fb9bd9b0c6bdc", "TARGET"),
    ("i-bp1a2b3c", "TARGET"),
    ("| gunzip | tar -t", "| wc -c"),
)
"""What a reader puts in place of the examples on the pages."""


@pytest.mark.parametrize("page", ["docs/logs.md", "docs/report.md"])
def test_every_command_of_a_page_runs_with_what_a_reader_knows(page: str, outside: Outside) -> None:
    target = outside.targets(TENCENT, "running")[0]
    outside.shell(f"runcancel cancel {TENCENT} --dry-run -o json > plan.json")
    outside.shell(
        "for i in 0 1; do runcancel cancel --plan plan.json --shard $i/2 --yes -o jsonl > shard-$i.jsonl; done"
    )
    commands = [command.rstrip() for block in blocks(page, "", "console") for command in _COMMAND.findall(block)]
    assert len(commands) >= 4
    for command in commands:
        typed = command
        for word, instead in _KNOWN:
            typed = typed.replace(word, instead)
        done = outside.shell(typed.replace("TARGET", target))
        assert done.code == (1 if "| grep" in command else 0), f"{command}\n{done}"  # no target printed it
        assert "internal error" not in done.err


def test_every_test_that_backs_a_promise_exists() -> None:
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    named = set(re.findall(r"tests/[\w/*]+(?:\.py|/)", text))

    assert len(named) > 60
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """The places of a page that a link can lead to, as GitHub and the site name them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_into_a_page_leads_to_a_title(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for file, place in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", text):
        target = ((ROOT / page).parent / file) if file else ROOT / page
        assert place in anchors(target), f"{file}#{place}"


def test_the_incident_page_has_the_meaning_of_exit_code_7_as_the_program_has_it() -> None:
    page = (ROOT / "docs" / "incident.md").read_text(encoding="utf-8")

    assert f"\n| 7 | {MEANINGS[Exit.INCOMPLETE]} |" in page


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text(encoding="utf-8")):
            waiting.append((page.parent / target).resolve())

    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= {page.name for page in seen}


def test_the_set_up_of_completion_starts_from_an_empty_home(outside: Outside) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for shell, script in re.findall(r"^```sh shell=(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        done = outside.shell(f"set -euo pipefail\n{script}")

        assert done.code == 0, f"{shell}\n{done}"
        (written,) = re.findall(r"> ~/(\S+)", script)
        assert (outside.home / written).stat().st_size > 100
