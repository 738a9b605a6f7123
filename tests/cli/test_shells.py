"""Completion in the shells themselves, where they are installed."""

import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest
from outside import RUNCANCEL, Outside

COMPLETIONS = Path(__file__).parents[2] / "completions"
LINES = {
    "runcancel list --region=aws:us-e": ["--region=aws:us-east-1", "--region=aws:us-east-2"],
    "runcancel list -r aws:us-e": ["aws:us-east-1", "aws:us-east-2"],
    "runcancel contexts ": ["add", "list", "remove", "show", "use"],
    "runcancel contexts sh": ["show"],
    "runcancel list -c my": ["my prod"],
    "runcancel kill --no-w": ["--no-wait"],
}


@pytest.fixture
def ready(outside: Outside) -> Outside:
    """With a context whose name has a space, and with a file that only `-f` takes."""
    assert outside.run("contexts", "add", "my prod", "-p", "aws").code == 0
    (outside.home / "runs.txt").touch()
    outside.environ |= {"PATH": f"{RUNCANCEL.parent}:/usr/local/bin:/usr/bin:/bin", "TERM": "xterm"}
    return outside


def needs(shell: str) -> str:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    return path


def offered_by_fish(ready: Outside, line: str) -> list[str]:
    script = f"source {COMPLETIONS / 'runcancel.fish'}; complete -C '{line}'"
    done = subprocess.run(
        [needs("fish"), "--no-config", "-c", script],
        env=ready.environ,
        cwd=ready.home,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return sorted(each.partition("\t")[0] for each in done.stdout.splitlines())


@pytest.mark.parametrize(("line", "words"), LINES.items(), ids=LINES)
def test_fish_completes(line: str, words: list[str], ready: Outside) -> None:
    assert set(words) <= set(offered_by_fish(ready, line))
    assert "runs.txt" not in offered_by_fish(ready, line)


def test_fish_completes_files_where_nothing_else_fits(ready: Outside) -> None:
    assert offered_by_fish(ready, "runcancel cancel -f ru") == ["runs.txt"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("runcancel list --region=aws:us-e", "--region=aws:us-east-"),
        ("runcancel contexts sh", "runcancel contexts show"),
        ("runcancel contexts ", "remove"),
        ("runcancel list -c my", "-c my\\ prod"),
        ("runcancel cancel -f ru", "-f runs.txt"),
    ],
)
def test_zsh_completes(line: str, shown: str, ready: Outside) -> None:
    rc = f"PS1='> '; autoload -Uz compinit; compinit -u -D; source {COMPLETIONS / '_runcancel'}; print ready"
    (ready.home / ".zshrc").write_text(rc + "\n")
    child = pexpect.spawn(
        needs("zsh"),
        ["-i"],
        env=ready.environ | {"ZDOTDIR": str(ready.home)},
        cwd=str(ready.home),
        dimensions=(30, 120),
        encoding="utf-8",
        timeout=30,
    )
    try:
        child.expect_exact("ready")
        child.expect_exact("> ")
        child.send(f"{line}\t")
        child.expect_exact(shown[len(line) :] if shown.startswith(line) else shown.rpartition(" ")[2])
    finally:
        child.close(force=True)
