"""`runcancel sandbox serve` and `exec` as a shell sees them."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

PROGRAM = [sys.executable, "-m", "runcancel", "sandbox"]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "prod"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=20, check=False
    )


def test_exec_returns_the_exit_code_of_the_child_and_isolates_it() -> None:
    done = run("exec", "--", "sh", "-c", "echo $AWS_ENDPOINT_URL; echo ${AWS_PROFILE:-none}; echo $HOME; exit 7")
    endpoint, profile, home = done.stdout.split()
    assert done.returncode == 7
    assert endpoint.startswith("http://127.0.0.1:")
    assert profile == "none"
    assert not Path(home).exists()


def test_a_shell_inside_says_where_it_is() -> None:
    done = run("exec", "--", "bash", "-i", "-c", 'printf %s "$PS1"')
    assert done.stdout.startswith("(sandbox) ")


def test_exec_runs_no_file_that_a_variable_names(tmp_path: Path) -> None:
    stray = tmp_path / "stray.sh"
    stray.write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:1\n")
    for name, shell in (("BASH_ENV", "bash"), ("ENV", "sh")):
        done = subprocess.run(
            [*PROGRAM, "exec", "--", shell, "-c", "echo $AWS_ENDPOINT_URL ${" + name + ":-none}"],
            env={**ENVIRONMENT, name: str(stray)},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        endpoint, kept = done.stdout.split()
        assert (endpoint.startswith("http://127.0.0.1:"), endpoint != "http://127.0.0.1:1", kept) == (
            True,
            True,
            "none",
        )


def test_exec_of_nothing_is_127_and_bad_rules_are_wrong_usage() -> None:
    assert run("exec", "--", "no-such-command").returncode == 127
    assert run("exec", "--fault", "nonsense", "--", "true").returncode == 2


def test_exec_hands_signals_on() -> None:
    script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [*PROGRAM, "exec", "--", "sh", "-c", script], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 9


def test_serve_prints_what_a_shell_needs_and_ends_on_a_signal() -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with subprocess.Popen(
            [*PROGRAM, "serve"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            assert server.stderr is not None
            lines = []
            while not lines or not lines[-1].startswith("export ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
                lines.append(server.stdout.readline())
            assert "AWS_PROFILE" in lines[0]
            assert lines[0].startswith("unset ")
            url = next(line for line in lines if "AWS_ENDPOINT_URL" in line).split("=", 1)[1].strip()
            with urllib.request.urlopen(f"{url}/_sandbox/time", timeout=5) as reply:
                assert json.load(reply)["now"] > 0
            server.send_signal(number)
            assert server.wait(timeout=10) == code
            assert "inv-ib2lld37" in server.stderr.read()


def test_help_fits_eighty_columns() -> None:
    for verb in ("serve", "exec"):
        shown = run(verb, "--help").stdout
        assert max(map(len, shown.splitlines())) <= 80
        assert "Examples:" in shown
