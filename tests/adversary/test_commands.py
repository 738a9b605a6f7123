"""Every command that is printed can be pasted: a shell sees the words that were meant, and runs nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import AUTOMATION, COMMAND, FANOUT, ONE_SHOT, TENCENT, WINDOW, Outside, id_of

from runcancel.text import command, safe

HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a'b\"c",
    "*",
    "~",
    "a\nb",
    "$HOME",
    "a&&touch pwned",
    "\\",
)
_PRINTED = re.compile(r"(?:^|: )((?:runcancel|aws) [a-z-]+ .*)$")


def parsed(text: str, folder: Path) -> list[str]:
    """The words that a shell makes of a line."""
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {text}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(errors="surrogateescape").split("\0")[:-1]


@given(st.lists(st.text(min_size=1, max_size=12) | st.sampled_from(HOSTILE), min_size=1, max_size=4))
def test_a_shell_reads_the_words_that_were_meant(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()
    before = sorted(folder.iterdir())

    assert parsed(command(*words), folder) == ["runcancel", *map(safe, words)]
    assert sorted(folder.iterdir()) == before


def printed(text: str) -> list[str]:
    """The commands in what was printed."""
    return [match[1] for line in text.splitlines() for match in [_PRINTED.search(line.strip())] if match]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_target_id_of_a_hostile_cloud_is_a_word(outside: Outside, hostile: str) -> None:
    ref = outside.add("tencent", targets={"running": 1}, name=hostile)
    with outside.box.world.lock:
        (target,) = outside.box.world.book("tencent", 0, "ap-guangzhou").runs[id_of(ref)].targets
        target.id = hostile
    part = outside.json("invocations", ref)["invocations"][0]["id"]

    done = outside.run("cancel", part)

    assert done.code == 2, str(done)
    (told,) = printed(done.err)
    assert parsed(told, outside.home) == ["runcancel", "cancel", ref, "--target", safe(hostile)]
    assert not (outside.home / "pwned").exists()


def test_every_command_that_is_printed_is_one(outside: Outside) -> None:
    """Of many ends: targets that keep running, unverified ends, refusals, histories; in contexts of hostile names."""
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    name = "$(touch pwned);é"
    (folder / "config.toml").write_text(
        "".join(f'[contexts."{name}{cloud}"]\nprovider = "{cloud}"\n' for cloud in ("aws", "alibaba", "tencent"))
    )
    step = outside.add("aws", "maintenance-window", targets={"running": 1}, sort="STEP_FUNCTIONS")
    contexts = [word for cloud in ("aws", "alibaba", "tencent") for word in ("-c", f"{name}{cloud}")]
    outside.faults("CancelInvocation=stubborn")

    said = [
        outside.run("cancel", WINDOW, step, AUTOMATION, ONE_SHOT, TENCENT, "--timeout", "0", *contexts).err,
        outside.run("cancel", FANOUT, COMMAND, "--max-runs", "1", *contexts).err,
        outside.run("contexts", "list", name).err,
        outside.run("list", "-c", "$(touch pwned)").err,
    ]
    operation = outside.json("history")["operations"][0]["id"]
    said.append(outside.run("history", operation).err)

    commands = [told for text in said for told in printed(text)]
    assert len(commands) > 5, said
    for told in commands:
        words = parsed(told, outside.home)
        assert words[0] in ("runcancel", "aws")
        assert "…" not in told
    assert not (outside.home / "pwned").exists()
