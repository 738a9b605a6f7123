"""Any command line at all: an exit code out of the table, no traceback, and nothing sent when the code is 2."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from outside import COMMAND, KILLED, NOBODY, TENCENT, WINDOW, Outside, check_document

from fuzz.budget import tries
from runcancel import cli
from runcancel.sandbox import Sandbox, SandboxOptions
from runcancel.sandbox.isolation import child_environment

CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130})

WORDS = (
    *(
        "cancel",
        "status",
        "list",
        "invocations",
        "wait",
        "history",
        "contexts",
        "schema",
        "show",
        "add",
        "remove",
        "use",
    ),
    *(COMMAND, WINDOW, KILLED, TENCENT, NOBODY, "inv-ib2lld37", "t-7d2a745b412b4601b2d47f6a768d0001", "canecl"),
    *("aws", "alibaba", "tencent", "aws:us-east-2", "prod", "default", "/dev/null", "/", ".", "no-such-file"),
)
OPTIONS = (
    *("-c", "--context", "-p", "--provider", "--profile", "-r", "--region", "-o", "--output", "-q", "-v", "--debug"),
    *("--no-input", "--color", "--timeout", "-t", "--target", "-n", "--dry-run", "--plan", "-f", "--from", "--status"),
    *("--kind", "--name", "--name-glob", "--since", "--until", "--older-than", "-y", "--yes", "--confirm", "--limit"),
    *("--max-runs", "--max-targets", "--reason", "--wait", "--no-wait", "--require-guarantee", "--require-match"),
    *("--resume", "--no-journal", "--require-journal", "--allow-incomplete", "--exit-status", "--task", "--for", "-h"),
    *("--help", "--version", "--watch", "--parameters", "--query", "--stop-running", "--", "-", "--no-such-option"),
)
VALUES = (
    *(
        "json",
        "jsonl",
        "tsv",
        "table",
        "wide",
        "ref",
        "always",
        "never",
        "all",
        "running",
        "ended",
        "stopped",
        "0",
        "1",
    ),
    *("-1", "1e9", "99999999999999999999", "2h", "1.5m", "0s", "2026-11-21", "2026-13-01", "9999-12-31T23:59:59-14:00"),
    *(
        "0001-01-01",
        "us-east-2",
        "cn-hangzhou",
        "all,us-east-1",
        "aws:all",
        "x:y",
        "",
        " ",
        ",",
        "*",
        "patch-*",
        "[",
        "'",
    ),
    *("command", "invocation", "stops-running", "best-effort", "pending-only", "i-0a1", "9999999d", "1e400h"),
    *("0x10", "١٢", "\udcff", "\x1b[2J", "\u202e", "a\nb", "\x00", "%ff@inv-ib2lld37", "@", "/", ":", "[/x]", "[bold]"),
    *("../../etc/passwd", "169.254.169.254", "A" * 3000),
)
_word = st.sampled_from(WORDS) | st.sampled_from(OPTIONS) | st.sampled_from(VALUES) | st.text(max_size=6)
_joined = st.builds("{}={}".format, st.sampled_from(OPTIONS), st.sampled_from(VALUES))
_verb = st.sampled_from([*cli.VERBS][:8])
command_lines = st.builds(lambda verb, rest: [verb, *rest], _verb, st.lists(_word | _joined, max_size=6)) | st.lists(
    _word | _joined, max_size=4
)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Clouds in which nobody waits long, and this process led to them."""
    home = tmp_path_factory.mktemp("argv")
    with Sandbox(SandboxOptions(speed=200.0)) as box, pytest.MonkeyPatch.context() as patch:
        environ = child_environment({}, box.environment(), home)
        patch.delenv("RUNCANCEL_DEBUG", raising=False)
        for name, value in {**environ, "RUNCANCEL_TIMEOUT": "1", "RUNCANCEL_NO_INPUT": "1"}.items():
            patch.setenv(name, value)
        patch.chdir(home)
        patch.setattr(sys, "stdin", None)
        yield box


def called(argv: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.run(argv)
    return code, out.getvalue(), err.getvalue()


def runs_here(argv: list[str]) -> bool:
    """Whether a command line ends by itself: a sandbox that serves does not, and a demo takes its time."""
    return "sandbox" not in argv and "completion" not in " ".join(argv)


@tries(100)
@given(command_lines.filter(runs_here))
@example(["list", "--since", "9999-12-31T23:59:59-14:00"])
@example(["list", "--older-than", "1e400h"])
@example(["status", "\udcff"])
@example(["cancel", "--from", "/"])
@example(["history", "\x00"])
def test_any_command_line_ends_in_the_table(box: Sandbox, argv: list[str]) -> None:
    box.log.clear()

    code, out, err = called(argv)

    assert code in CODES, (argv, code, err)
    assert "Traceback" not in err, err
    assert "internal error" not in out + err, (argv, err)
    if code == 2:
        assert box.log.shown() == [], argv
        assert err.strip() or out.strip(), argv
    err.encode()
    if out and "-h" not in argv and "--help" not in argv:
        check_stdout(argv, out)


def check_stdout(argv: list[str], out: str) -> None:
    """What begins like a document is a whole one, as its schema says."""
    format = next((argv[at + 1] for at, word in enumerate(argv[:-1]) if word in ("-o", "--output")), None)
    if format == "json" and "schema" not in argv:
        check_document(json.loads(out))
    elif format == "jsonl" and "schema" not in argv:
        lines = [json.loads(line) for line in out.splitlines()]
        assert lines[-1]["type"] == "end"


@pytest.fixture(scope="module")
def command(begin: Callable[..., Outside]) -> Outside:
    """The real command, for a few of the same."""
    return begin()


@tries(4)
@given(command_lines.filter(runs_here).filter(lambda argv: not any("\x00" in word for word in argv)))
def test_the_same_in_a_process_of_its_own(command: Outside, argv: list[str]) -> None:
    command.box.log.clear()
    sendable = [word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for word in argv]

    done = command.run(*sendable, env={"RUNCANCEL_TIMEOUT": "1"})

    assert done.code in CODES
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert done.code != 2 or command.requests() == []


def test_a_word_that_is_no_text_is_refused_in_one_line(command: Outside) -> None:
    done = command.shell("runcancel status $'\\xff\\xfe' -o json")

    assert done.code == 2, str(done)
    assert json.loads(done.out)["errors"][0]["code"] == "usage"
