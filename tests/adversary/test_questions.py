"""A question: asked where a person sits, again after a wrong answer, never where nobody does."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pexpect
import pytest
from outside import KILLED, SWITCHES, TENCENT, Outside, id_of, named

LIST = f"{TENCENT}\n{KILLED}\n"


def in_a_shell(outside: Outside, script: str) -> Any:
    """A shell on a terminal, which the command and its pipe are jobs of."""
    return pexpect.spawn(
        "bash",
        ["--norc", "-c", script],
        env={**outside.environ, "PATH": outside.shell_path, "TERM": "xterm-256color"},
        dimensions=(50, 200),
        cwd=str(outside.home),
        timeout=60,
        encoding="utf-8",
    )


def fed(outside: Outside, text: str, *argv: str) -> Any:
    """The command on a terminal, with a text on its stdin."""
    reads, writes = os.pipe()
    os.write(writes, text.encode())
    os.close(writes)
    return outside.seat(*argv, stdin=reads, lines=50, columns=200, encoding="utf-8")


def conversation(child: Any, answers: Sequence[str]) -> tuple[int, str]:
    """The exit code, and what was shown; an answer for each question."""
    shown = ""
    for answer in answers:
        child.expect(r"(runs?\? \[y/N/\?\] |\(\? lists them\): )")
        shown += child.before + child.after
        child.send(answer)
    child.expect(pexpect.EOF)
    shown += child.before
    child.close()
    return child.exitstatus if child.exitstatus is not None else 128 + (child.signalstatus or 0), shown


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["2\n"], 0),
        (["1\n", "2\n"], 0),
        (["yes\n", "20\n", "2\n"], 0),
        (["1\n", "3\n", "x\n"], 6),  # asked three times, then it is a no
        (["n\n"], 6),
        (["\n"], 6),
        (["\x04"], 6),
    ],
)
def test_a_list_on_stdin_leaves_the_terminal_to_ask(outside: Outside, answers: list[str], code: int) -> None:
    """Two accounts: the number has to be typed."""
    found, shown = conversation(fed(outside, LIST, "cancel", "-f", "-", "--no-wait"), answers)

    assert found == code, shown
    assert len(outside.writes()) == (2 if code == 0 else 0)


@pytest.mark.parametrize(("answer", "codes"), [("2\n", (0,)), ("\x03", (130, 2))], ids=["a number", "Ctrl-C"])
def test_a_shell_that_pipes_a_list_leaves_it_the_terminal(outside: Outside, answer: str, codes: Sequence[int]) -> None:
    """An interrupt ends the shell and its pipe by the signal, too."""
    script = f"printf %s {shlex.quote(LIST)} | runcancel cancel -f - --no-wait"

    found, shown = conversation(in_a_shell(outside, script), [answer])

    assert found in codes, shown
    assert len(outside.writes()) == (2 if found == 0 else 0)


def test_a_request_on_stdin_leaves_the_terminal_to_ask(outside: Outside) -> None:
    request = json.dumps({"refs": [TENCENT]})

    code, shown = conversation(fed(outside, request, "cancel", "--cli-input-json", "-"), ["what\n", "y\n"])

    assert code == 0, shown
    assert "“what” is not a valid answer" in shown


def test_nobody_is_asked_who_wants_no_questions(outside: Outside) -> None:
    code, shown = conversation(fed(outside, LIST, "cancel", "-f", "-", "--no-input"), [])

    assert code == 6, shown
    assert outside.writes() == []


def test_where_nobody_can_read_the_plan_nobody_is_asked(outside: Outside) -> None:
    script = f"printf %s {shlex.quote(LIST)} | runcancel cancel -f - 2>err.txt"

    code, shown = conversation(in_a_shell(outside, script), [])

    assert code == 6, shown
    assert outside.writes() == []


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("refs", [[TENCENT], [TENCENT, KILLED]])
def test_the_flags_that_are_printed_work_as_they_stand(outside: Outside, refs: list[str], configured: bool) -> None:
    if configured:
        folder = outside.home / ".config" / "runcancel"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text('[contexts."a b"]\nprovider = "tencent"\nprotected = true\n')
    flags = {"--max-runs": "1"}
    for _ in range(4):
        typed = [word for flag, value in flags.items() for word in (flag, value) if word]
        done = outside.run("cancel", "-f", "-", "--no-wait", *typed, stdin="\n".join(refs))
        if done.code != 6:
            break
        assert outside.writes() == []
        (printed,) = re.findall(r"^  To proceed: (?:add|use) (.*?)   ", done.err, re.MULTILINE)
        words = re.findall(r"(--\S+) ?([^-]\S*)?", printed)
        flags |= dict(words)
    assert done.code == 0, str(done)


def test_a_limit_that_no_flag_raises_is_not_said_to_be_raised_by_one(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[caps]\nmax_runs = 1\nmax_targets = 5\n")

    for refs, name in (([TENCENT, KILLED], "max_runs"), ([TENCENT], "max_targets")):
        done = outside.run("cancel", *refs)
        assert done.code == 6, str(done)
        assert f"caps.{name} of the configuration" in done.err
        assert "To proceed" not in done.err


def test_the_configuration_lowers_the_limit_of_triggers(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[caps]\nmax_runs = 9\nmax_triggers = 1\n")
    enabled = ("aws:us-east-2:window/mw-0c50858d01c0ffee0", "tencent:ap-guangzhou:invoker/ivk-u6nwnf8n")

    for argv in (("disable", *enabled), ("disable", *enabled, "--max-triggers", "9")):
        done = outside.run(*argv, "--confirm", "2")
        assert done.code == 6, str(done)
        assert "2 triggers match; the limit is 1 (caps.max_triggers)" in done.err
        assert "caps.max_triggers of the configuration" in done.err
    assert not SWITCHES & set(outside.actions())


def test_targets_that_join_while_a_person_reads_the_plan_are_left_alone(outside: Outside) -> None:
    ref = outside.add("tencent", targets={"running": 2}, name="bad-patch")
    argv = ("cancel", "-p", "tencent", "--name", "bad-patch", "--no-wait")
    child = outside.seat(*argv, lines=50, columns=200, encoding="utf-8")
    child.expect(r"runs?\? \[y/N/\?\] ")
    with outside.box.world.lock:
        run = outside.box.world.book("tencent", 0, "ap-guangzhou").runs[id_of(ref)]
        run.targets.append(replace(run.targets[0], id="ins-joined00", task="invt-joined00"))
    child.send("y\n")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0, child.before
    assert "1 target joined after the plan and will not be cancelled" in child.before
    (request,) = outside.writes()
    assert named(request, outside.targets(ref)) == [each for each in outside.targets(ref) if each != "ins-joined00"]
