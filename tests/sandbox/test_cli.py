"""`runcancel sandbox serve` and `exec` as a shell sees them."""

import json
import os
import signal
import urllib.request
from pathlib import Path

from children import Child
from outside import RUNCANCEL, Done, ran, warm

ENVIRONMENT = {**os.environ, "AWS_PROFILE": "prod"}


def start(*argv: str, **env: str) -> Child:
    return Child(warm(), ("sandbox", *argv), environ={**ENVIRONMENT, **env}, cwd=Path.cwd())


def run(*argv: str, **env: str) -> Done:
    child = start(*argv, **env)
    out, err = child.communicate(timeout=20)
    return Done(argv=argv, code=child.wait(), out=out, err=err)


def test_exec_returns_the_exit_code_of_the_child_and_isolates_it() -> None:
    script = "echo $AWS_ENDPOINT_URL; echo ${AWS_PROFILE:-none}; echo $HOME; exit 7"
    done = ran([RUNCANCEL], "sandbox", "exec", "--", "sh", "-c", script, environ=ENVIRONMENT)  # in its own interpreter
    endpoint, profile, home = done.out.split()
    assert done.code == 7
    assert endpoint.startswith("http://127.0.0.1:")
    assert profile == "none"
    assert not Path(home).exists()


def test_a_shell_inside_says_where_it_is() -> None:
    done = run("exec", "--", "bash", "-i", "-c", 'printf %s "$PS1"')
    assert done.out.startswith("(sandbox) ")


def test_exec_runs_no_file_that_a_variable_names(tmp_path: Path) -> None:
    stray = tmp_path / "stray.sh"
    stray.write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:1\n")
    for name, shell in (("BASH_ENV", "bash"), ("ENV", "sh")):
        done = run("exec", "--", shell, "-c", "echo $AWS_ENDPOINT_URL ${" + name + ":-none}", **{name: str(stray)})
        assert done.code == 0, str(done)
        endpoint, kept = done.out.split()
        assert (endpoint.startswith("http://127.0.0.1:"), endpoint != "http://127.0.0.1:1", kept) == (
            True,
            True,
            "none",
        )


def test_exec_of_nothing_is_127_and_bad_rules_are_wrong_usage() -> None:
    assert run("exec", "--", "no-such-command").code == 127
    assert run("exec", "--fault", "nonsense", "--", "true").code == 2


def test_exec_hands_signals_on() -> None:
    script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    with start("exec", "--", "sh", "-c", script) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 9


def test_serve_prints_what_a_shell_needs_and_ends_on_a_signal() -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with start("serve") as server:
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
        shown = run(verb, "--help").out
        assert max(map(len, shown.splitlines())) <= 80
        assert "Examples:" in shown
