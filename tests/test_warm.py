"""The processes that the suite runs commands in: one after the other in a copy, and nothing of one reaches the next."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator

import pytest
from children import Child
from outside import COMMAND, RUNCANCEL, TENCENT, Outside
from warm import Warm


@pytest.fixture(scope="module")
def program(_worker: Outside) -> Iterator[Warm]:
    """One of its own, so that its first command is the first of a copy."""
    made = Warm(RUNCANCEL, _worker.environ)
    yield made
    made.close()


def _said(program: Warm, outside: Outside, *argv: str, stdin: str = "", **env: str) -> tuple[int, str, str]:
    environ = {**outside.environ, **env}
    return program.run(argv, environ=environ, cwd=outside.home, stdin=stdin, patience=60)


def _child(program: Warm, outside: Outside, *argv: str) -> Child:
    return Child(program, argv, environ=outside.environ, cwd=outside.home)


def _end_copy(program: Warm, outside: Outside) -> None:
    """What runs with `before` takes its copy along: the next command is the first of a new one."""
    program.run(["version"], environ=outside.environ, cwd=outside.home, stdin="", patience=60, before="pass")


def test_a_command_after_others_says_what_it_says_as_the_first(program: Warm, outside: Outside) -> None:
    looks = [("status", COMMAND), ("list", "--limit", "3", "-o", "json"), ("status", "-o", "json", TENCENT), ("bogus",)]
    firsts = []
    for argv in looks:
        firsts.append(_said(program, outside, *argv)[::2])
        _end_copy(program, outside)

    for _ in range(2):
        assert [_said(program, outside, *argv)[::2] for argv in looks] == firsts


def test_stdin_variables_and_files_are_those_of_each_command(program: Warm, outside: Outside) -> None:
    config = outside.home / ".aws" / "config"
    config.parent.mkdir()
    for name in ("night", "nigth"):  # as long as each other
        config.write_text(f"[profile {name}]\n")
        _, _, err = _said(program, outside, "doctor", "-p", "aws", "--profile", "nigt")
        assert f"did you mean “{name}”?" in err

    for ref in (TENCENT, COMMAND):
        code, out, err = _said(program, outside, "cancel", "--dry-run", "-f", "-", stdin=f"{ref}\n")
        assert (code, ref in out) == (0, True), err

    variables: list[dict[str, str]] = [{}, {"RUNCANCEL_OUTPUT": "json"}, {}]
    plain, document, again = [_said(program, outside, "status", TENCENT, **each)[1] for each in variables]
    assert (document[0], plain[0], again[0]) == ("{", "r", "r")


def test_requests_are_logged_for_the_command_that_wants_it(program: Warm, outside: Outside) -> None:
    plain, *logged, again = [
        _said(program, outside, "status", *debug, TENCENT)[2].count("DescribeInvocations")
        for debug in ((), ("--debug",), ("--debug",), ())
    ]

    assert (plain, again) == (0, 0)
    assert logged[0] == logged[1] > 0


def test_what_a_shell_gave_a_command_is_its_own(program: Warm, outside: Outside) -> None:
    """A closed stream, another descriptor, and a signal that it ignores."""
    environ = {**outside.environ, "PATH": f"{program.folder}{os.pathsep}{outside.shell_path}"}
    script = f"trap '' INT; runcancel status {COMMAND} <&- 3>other"
    for _ in range(3):
        done = subprocess.run(["bash", "--norc", "-c", script], env=environ, cwd=outside.home, capture_output=True)
        assert done.returncode == 0, done.stderr

        code, out, err = _said(program, outside, "cancel", "--dry-run", "-f", "-", stdin=f"{TENCENT}\n")
        assert (code, TENCENT in out) == (0, True), err

        outside.reset()
        with _child(program, outside, "wait", COMMAND) as waits:
            outside.wait_for("ListCommandInvocations")
            waits.send_signal(signal.SIGINT)
            assert waits.wait(timeout=20) == 130


def test_what_a_command_leaves_ends_its_copy(program: Warm, outside: Outside) -> None:
    outside.faults("aws:ListCommandInvocations=hang")

    code, out, err = _said(program, outside, "status", COMMAND, "--timeout", "2")

    assert code != 0, (out, err)
    outside.faults()
    assert _said(program, outside, "status", COMMAND)[0] == 0


def test_a_copy_takes_another_command_once_nobody_sends_it_signals(program: Warm, outside: Outside) -> None:
    """One whose threads end a moment too late for a busy machine takes its copy along."""
    for _ in range(20):
        first = _child(program, outside, "status", TENCENT)
        assert first.stdout is not None
        assert TENCENT in first.stdout.read()
        with _child(program, outside, "--version") as beside:
            assert beside.pid != first.pid
        assert first.wait() == 0
        with _child(program, outside, "--version") as after, _child(program, outside, "--version") as another:
            if first.pid in (after.pid, another.pid):
                return
    raise AssertionError("every command took a new copy")


def test_a_copy_that_was_sent_a_signal_takes_no_other_command(program: Warm, outside: Outside) -> None:
    """The command may have ended before, and the signal would reach the next one."""
    for _ in range(4):
        child = _child(program, outside, "--version")
        copy = child._copy
        assert select.select([copy.line], [], [], 20)[0], "it has ended"
        copy.signal(signal.SIGURG)  # which does nothing
        assert child.wait() == 0
        with _child(program, outside, "--version") as after, _child(program, outside, "--version") as another:
            assert copy.pid not in (after.pid, another.pid)
