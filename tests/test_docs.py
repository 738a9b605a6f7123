"""Every command of the README and of the pages, run in the order in which it stands; every link leads somewhere.

`docs/runbooks.md`, `docs/scripting.md` and `docs/policy.md` have tests of their own.
"""

import re
from pathlib import Path

import pytest
from outside import Outside

from runcancel.cli.verbs import VERBS

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guarantees.md", "docs/permissions.md")
_COMMAND = re.compile(rf"^(?:\$ )?(runcancel (?:{'|'.join(VERBS)})\b.*?)(?: {{3,}}.*| +# .*)?$", re.MULTILINE)
_EXPECTED = {
    "runcancel cancel": 2,  # alone it asks, and here is nobody
    "runcancel cancel -r all --name patch-openssl --max-runs 50": 6,  # several accounts, and nobody to ask
    "runcancel cancel --plan plan.json --yes": 3,  # what has started on Alibaba Cloud goes on
    "runcancel cancel t-7d2a745b412b4601b2d47f6a768d0001 --target i-bp1fexample": 5,
    "runcancel cancel --resume 01K9ZQ3V7W5T8R2M4N6P0C1D2E": 2,
    "runcancel list --older-than 2h -o jsonl | runcancel cancel -f - --confirm 7": 6,  # not seven of them here
    'runcancel cancel "$RUN" -o json > result.json': 2,  # nothing is named
    "runcancel doctor -c prod -o json": 2,  # no such context here
}
"""The exit code where it is not 0."""


def commands(page: str) -> list[str]:
    """The commands of a page, without what is said beside them."""
    return [found.rstrip() for found in _COMMAND.findall((ROOT / page).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_does_what_it_is_there_for(page: str, outside: Outside) -> None:
    assert commands(page)
    for command in commands(page):
        done = outside.shell(f"set -o pipefail; {command}")
        assert done.code == _EXPECTED.get(command, 0), f"{command}\n{done}"
        assert "internal error" not in done.err


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target


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
