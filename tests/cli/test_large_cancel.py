"""The end of a large cancel as a person, a pipe and a CI log have it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import Outside
from terminal import Terminal

CANCEL = (
    "cancel",
    "--name",
    "deploy-4711",
    "-r",
    "aws:us-east-2,aws:eu-west-1,cn-hangzhou,ap-guangzhou",
    "--max-runs",
    "60",
    "--confirm",
    "40",
)
COUNTS = {"stopped": 24, "partial": 4, "failed": 12}


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Outside]:
    """Forty runs of one deploy: 24 stop, 4 keep targets running, 12 may not be cancelled with this key."""
    with Outside(tmp_path / "home", fleet=False, speed=60) as outside:
        spec = {"name": "deploy-4711", "document": "deploy-4711", "settle": 0, "runs_for": 36000}
        for _ in range(24):
            outside.add("tencent", **spec, targets={"running": 2, "pending": 1})
        for _ in range(4):
            outside.add("alibaba", **spec, targets={"pending": 2, "running": 1}, terminates=False)
        for _ in range(12):
            outside.add("aws", "command", **spec, region="eu-west-1", targets={"running": 2})
        outside.faults({"kind": "denied", "provider": "aws", "action": "CancelCommand"})
        yield outside


def counts(text: str) -> dict[str, int]:
    """How many runs there are of each verdict, by the heads of the groups."""
    heads = re.findall(r"^(stopped|ended|reported|partial|requested|in-doubt|skipped|failed) +(\d+) runs?", text, re.M)
    assert len(heads) == len(dict(heads))
    return {word: int(number) for word, number in heads}


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_person_sees_the_worst_last_and_then_the_totals(width: int, deploy: Outside) -> None:
    with Terminal(deploy, *CANCEL, columns=width, lines=60) as terminal:
        assert terminal.end() == 3
        rows = terminal.rows

    report = rows[next(at for at, row in enumerate(rows) if row.startswith("stopped")) :]
    assert counts("\n".join(report)) == COUNTS
    assert list(counts("\n".join(report))) == ["stopped", "partial", "failed"]
    assert len(report) <= 24, "it fits on a small terminal"
    assert sum("not permitted: ssm:CancelCommand" in row for row in report) == 1
    assert sum("To continue with the rest" in row for row in report) == 1
    end = " ".join(" ".join(report[-3:]).split())
    assert "40 runs: 24 stopped, 4 partial, 12 failed; 4 targets keep running; " in end
    assert re.search(r"; operation [0-9A-Z]{26}$", end)


@pytest.mark.parametrize("format", ["tsv", "json", "jsonl"])
def test_a_pipe_has_the_result_on_stdout_and_the_end_on_stderr(format: str, deploy: Outside) -> None:
    done = deploy.run(*CANCEL, "-o", format, env={"CI": "true"})

    assert done.code == 3
    assert counts(done.err) == COUNTS
    last = done.err.splitlines()[-1]
    assert last.startswith("40 runs: 24 stopped, 4 partial, 12 failed; 4 targets keep running; ")
    assert re.search(r"; operation [0-9A-Z]{26}$", last)
    assert "40 runs: " not in done.out
    if format == "tsv":
        assert len(done.rows) == 40
    elif format == "json":
        assert len(done.document["outcomes"]) == len(done.outcomes) == 40
    else:
        assert {line["type"] for line in done.lines} == {"sent", "seen", "outcome", "error", "end"}
        assert sum(line["type"] == "outcome" for line in done.lines) == 40


def test_quiet_leaves_one_line_per_cause(deploy: Outside) -> None:
    done = deploy.run(*CANCEL, "-q", "-o", "json")

    (error,) = [line for line in done.err.splitlines() if not line.startswith("  ")]
    assert error.startswith("runcancel: 12 runs: not permitted: ssm:CancelCommand")
    assert len(json.loads(done.out)["errors"]) == 12


def test_a_resumed_operation_ends_alike(deploy: Outside) -> None:
    deploy.run(*CANCEL, "-o", "json")
    deploy.faults()

    done = deploy.run("cancel", "--resume", "last", "-o", "tsv")

    assert counts(done.err) == {"stopped": 12, "partial": 4}
    assert done.err.splitlines()[-1].startswith("16 runs: 12 stopped, 4 partial; ")


def test_a_wait_for_many_runs_names_what_is_late_once(deploy: Outside) -> None:
    deploy.run(*CANCEL, "--no-wait", "-o", "json")

    done = deploy.run("wait", "--operation", "last", "--for", "ended", "--timeout", "1s", "-o", "tsv")

    assert done.code == 8
    assert "runcancel: 16 runs: still running after 1 s" in done.err
    assert re.match(r"\d+ runs: .*\d+ running", done.err.splitlines()[-1])


def test_a_resume_of_what_is_being_cancelled_says_so_in_one_line(tmp_path: Path) -> None:
    with Outside(tmp_path / "home", fleet=False, speed=0) as outside:
        for _ in range(24):
            outside.add("tencent", name="deploy-4711", targets={"running": 2}, settle=30)
        cancel = ("cancel", "--name", "deploy-4711", "--max-runs", "24", "--confirm", "24", "--yes", "--no-wait")
        sent = outside.run(*cancel, "-o", "tsv")
        outside.box.clock.advance(5)
        done = outside.run("cancel", "--resume", "last", "--timeout", "1s", "-o", "tsv")

    assert "not verified as ended;" not in "".join(line for line in sent.err.splitlines() if ": cancel" in line)
    notes = [line for line in done.err.splitlines() if "already being cancelled" in line]
    assert notes == [
        "24 runs not sent: they are already being cancelled; no second cancel is sent",
    ]
    assert sum(": cancelling" in line for line in done.err.splitlines()) == 0
    assert done.err.splitlines()[-1].startswith("24 runs: 24 requested; 48 targets not verified as ended; operation ")


@pytest.mark.parametrize("width", [80, 200])
def test_a_wait_on_a_terminal_ends_in_groups(width: int, deploy: Outside) -> None:
    deploy.run(*CANCEL, "-o", "json")

    with Terminal(deploy, "wait", "--operation", "last", "--timeout", "1s", columns=width, lines=60) as terminal:
        assert terminal.end() == 8
        assert re.search(r"^terminated +24 runs  72 targets  deploy-4711$", terminal.text, re.M)
        assert re.search(r"^running +16 runs  ", terminal.text, re.M)
        assert terminal.rows[-1].startswith("40 runs: 24 terminated, 16 running")
