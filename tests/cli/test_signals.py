"""SIGINT, SIGTERM and SIGHUP in every verb, wherever it waits: acknowledged at once, one document, 128 + the signal."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest
import yaml
from children import Child
from outside import COMMAND, ENDED, KILLED, TENCENT, Outside, check_document

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FORMATS = ("json", "jsonl", "yaml")
EVERYWHERE = "*=hang"
TURNS = int(os.environ.get("RUNCANCEL_TEST_TURNS", "1"))

WAITS: dict[str, tuple[Sequence[str], str]] = {
    "status": (("status", TENCENT), "DescribeInvocations=hang"),
    "status of three clouds": (("status", TENCENT, KILLED, COMMAND), EVERYWHERE),
    "status --watch": (("status", TENCENT, "--watch"), "DescribeInvocations=hang,after=1"),
    "invocations": (("invocations", COMMAND), "ListCommandInvocations=hang"),
    "list": (("list",), EVERYWHERE),
    "list, one cloud": (("list", "-p", "aws,tencent"), "DescribeInvocations=hang"),
    "list of every region": (("list", "-r", "all", "-p", "tencent"), "DescribeRegions=hang"),
    "logs": (("logs", ENDED[3]), "DescribeInvocationResults=hang"),
    "wait": (("wait", KILLED), "DescribeInvocations=hang"),
    "wait, watching": (("wait", TENCENT, "--for", "failed"), "DescribeInvocations=hang,after=1"),
    "doctor": (("doctor",), EVERYWHERE),
    "cancel, looking": (("cancel", COMMAND), "ListCommands=hang"),
    "cancel, searching": (("cancel", "--name", "x", "--yes"), EVERYWHERE),
    "cancel, sending": (("cancel", COMMAND), "CancelCommand=hang"),
    "cancel, watching": (("cancel", TENCENT), "DescribeInvocations=hang,after=1"),
    "dry run": (("cancel", "-n", "--name", "x"), EVERYWHERE),
}


@dataclass
class Ended:
    code: int
    out: str
    err: str
    heard: float  # seconds from the signal to the first byte on stderr
    took: float  # seconds from the signal to the end


@contextlib.contextmanager
def started(outside: Outside, *argv: str) -> Iterator[Child]:
    child = outside.start(*argv, stdin=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def signalled(child: Child, signum: int) -> Ended:
    assert child.stderr is not None
    begun = time.monotonic()
    child.send_signal(signum)
    select.select([child.stderr], [], [], 20)
    heard = time.monotonic() - begun
    held, child.stdin = child.stdin, None  # open, so that whoever reads it goes on waiting
    out, err = child.communicate(timeout=20)
    took = time.monotonic() - begun
    if held is not None:
        held.close()
    return Ended(child.returncode, out, err, heard, took)


def hung(outside: Outside, fault: str) -> None:
    """Come back when a request hangs: nothing else will happen then."""
    deadline = time.monotonic() + 20
    while not any(rule["hits"] for rule in outside.box.board.shown()):
        assert time.monotonic() < deadline, f"{fault} did not strike: {outside.actions()}"
        time.sleep(0.01)


ROUNDS = [(waits, (at + turn) % 3) for at, waits in enumerate(WAITS) for turn in range(TURNS)]
"""Each way to wait with one signal and one format; with more turns every pair of them."""


@pytest.mark.parametrize(("waits", "turn"), ROUNDS)
def test_a_signal_ends_every_verb_wherever_it_waits(waits: str, turn: int, outside: Outside) -> None:
    argv, fault = WAITS[waits]
    signum, format = SIGNALS[turn], FORMATS[turn]
    outside.faults(fault)
    with started(outside, *argv, "-o", format) as child:
        hung(outside, fault)
        ended = signalled(child, signum)

    assert ended.code == 128 + signum, ended
    assert ended.err.count("no new requests") == 1, ended
    assert ended.heard < 0.4 < 3 > ended.took, ended
    assert "Traceback" not in ended.err
    if format == "json":
        check_document(json.loads(ended.out))
    elif format == "yaml":
        check_document(yaml.safe_load(ended.out))
    else:
        assert [json.loads(line)["type"] for line in ended.out.splitlines()].count("end") == 1


READS_STDIN = {
    "-f -": ("cancel", "-f", "-", "--yes"),
    "--plan -": ("cancel", "--plan", "-", "--yes"),
    "--cli-input-json -": ("cancel", "--cli-input-json", "-"),
    "status --cli-input-json -": ("status", "--cli-input-json", "-"),
}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc to see who reads")
@pytest.mark.parametrize(("reads", "signum"), [(reads, SIGNALS[at % 3]) for at, reads in enumerate(READS_STDIN)])
def test_the_first_signal_ends_a_verb_that_reads_stdin(reads: str, signum: int, outside: Outside) -> None:
    with started(outside, *READS_STDIN[reads], "-o", "json") as child:
        reading_stdin(child.pid)
        ended = signalled(child, signum)

    assert ended.code == 128 + signum, ended
    assert ended.took < 2
    check_document(json.loads(ended.out))
    assert not outside.requests()


def reading_stdin(pid: int) -> None:
    """Come back when a thread of the process waits in read(0, …)."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                if (task / "syscall").read_text().split()[:2] == ["0", "0x0"]:
                    return
        time.sleep(0.01)
    pytest.skip("the kernel does not tell what a thread waits for")


def test_the_second_signal_names_the_operation_and_how_to_go_on(outside: Outside) -> None:
    outside.faults("CancelInvocation=hang")
    child = outside.seat("cancel", TENCENT, timeout=20, encoding="utf-8")
    outside.wait_for("CancelInvocation")
    begun = time.monotonic()
    child.sendintr()
    child.expect("SIGINT: no new requests")
    child.sendintr()
    child.expect(r"\r\nruncancel: stopped at once")
    child.expect(r"operation ([0-9A-Z]{26})[^\r]*\r\n  runcancel cancel --resume \1")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 130
    assert time.monotonic() - begun < 2
    resumed = outside.run("history", "-o", "json")
    assert child.match is not None
    assert len(resumed.document["operations"]) == 1


def test_an_interrupt_at_a_question_is_130_and_sends_nothing(outside: Outside) -> None:
    child = outside.seat("cancel", "-p", "tencent", "--name-glob", "*", timeout=20, encoding="utf-8")
    child.expect(r"\[y/N")
    child.sendintr()
    child.expect("interrupted")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 130
    assert not outside.writes()


@pytest.mark.parametrize("without", [("HOME",), ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")])
def test_threads_at_the_end_crash_no_interpreter(without: Sequence[str], outside: Outside) -> None:
    """Errors leave while other clouds still load their code: the exit code stays, and no signal kills."""
    env: dict[str, str | None] = dict.fromkeys(without)
    for _ in range(6):
        done = outside.run("list", "-p", "aws,alibaba,tencent", "-o", "json", env={**env, "ALIBABA_CLOUD_SITE": "no"})
        assert done.code in (0, 2, 7), str(done)
        assert os.WIFEXITED(done.code)


UNSENT = {
    ("list", "-p", "tencent"): "runcancel: interrupted\n",
    ("cancel", "--name", "x", "-p", "tencent"): "runcancel: interrupted; nothing was sent\n",
    ("disable", "--name", "x", "-p", "tencent"): "runcancel: interrupted; nothing was sent\n",
}


@pytest.mark.parametrize("argv", UNSENT, ids=[argv[0] for argv in UNSENT])
def test_only_a_verb_that_changes_something_states_that_nothing_was_sent(
    outside: Outside, argv: tuple[str, ...]
) -> None:
    outside.faults("DescribeInvocations=hang", "DescribeInvokers=hang")

    done, _ = outside.interrupted(
        signal.SIGINT, *argv, until="DescribeInvokers" if "disable" in argv else "DescribeInvocations"
    )

    assert done.code == 130
    assert done.err.endswith(UNSENT[argv]), str(done)
