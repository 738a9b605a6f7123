"""Every example of docs/scripting.md prints what the page says, block by block before a fresh sandbox."""

import re
from pathlib import Path

import pytest
from outside import Outside

PAGE = (Path(__file__).parents[2] / "docs" / "scripting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][2:60])
def test_an_example_prints_what_the_page_says(block: str, outside: Outside) -> None:
    told = ""
    for part in block.removeprefix("$ ").split("\n$ "):
        command = part.partition("\n")[0]
        told += f"$ {command}\n{outside.shell(command).out}"

    assert told == block
