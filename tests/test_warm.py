"""The processes that the suite runs commands in: one after the other in a copy, and nothing of one reaches the next."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import COMMAND, TENCENT, Outside, warm
from warm import Warm


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """One of its own, so that its first command is the first of a copy."""
    made = Warm(Path("runcancel"), os.environ)
    yield made
    made.close()


def _said(program: Warm, outside: Outside, *argv: str, stdin: str = "", **env: str) -> tuple[int, str, str]:
    environ = {**outside.environ, **env}
    return program.run(argv, environ=environ, cwd=outside.home, stdin=stdin, patience=60)


def test_a_command_after_others_says_what_it_says_as_the_first(program: Warm, outside: Outside) -> None:
    looks = [("status", COMMAND), ("list", "--limit", "3", "-o", "json"), ("status", "-o", "json", TENCENT), ("bogus",)]
    firsts = []
    for argv in looks:
        firsts.append(_said(program, outside, *argv)[::2])
        while program.idle:  # the next one is the first of a new copy
            program.idle.pop().line.close()

    for _ in range(2):
        assert [_said(program, outside, *argv)[::2] for argv in looks] == firsts


def test_stdin_variables_and_files_are_those_of_each_command(program: Warm, outside: Outside) -> None:
    config = outside.home / ".aws" / "config"
    config.parent.mkdir()
    for name in ("night", "nigth"):  # as long as each other
        config.write_text(f"[profile {name}]\n")
        _, _, err = _said(program, outside, "doctor", "-p", "aws", "--profile", "nigt")
        assert f'did you mean "{name}"?' in err

    for ref in (TENCENT, COMMAND):
        code, out, err = _said(program, outside, "cancel", "--dry-run", "-f", "-", stdin=f"{ref}\n")
        assert (code, ref in out) == (0, True), err

    variables: list[dict[str, str]] = [{}, {"RUNCANCEL_OUTPUT": "json"}, {}]
    plain, document, again = [_said(program, outside, "status", TENCENT, **each)[1] for each in variables]
    assert (document[0], plain[0], again[0]) == ("{", "r", "r")


def test_what_a_command_leaves_ends_its_copy(program: Warm, outside: Outside) -> None:
    outside.faults("aws:ListCommandInvocations=hang")

    code, out, err = _said(program, outside, "status", COMMAND, "--timeout", "2")

    assert code != 0, (out, err)
    outside.faults()
    assert _said(program, outside, "status", COMMAND)[0] == 0


def test_most_commands_of_a_worker_need_no_copy_of_their_own(outside: Outside) -> None:
    """One whose threads end a moment too late for a busy machine takes its copy along."""
    taken = []
    for _ in range(20):
        before = {each.pid for each in warm().idle}
        outside.run("status", TENCENT)
        taken.append(bool(before) and {each.pid for each in warm().idle} == before)
        if any(taken):
            return
    raise AssertionError("every command took a new copy")
