"""The steps of the Containerfile, carried out in a bare root: no engine, the same commands, the same user."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from runcancel import __version__

from .conftest import DIST, Root, bare_root

FILE = Path(__file__).parents[2] / "Containerfile"
STEPS = [
    tuple(line.split(" ", 1))
    for line in re.sub(r"\\\n", " ", FILE.read_text(encoding="utf-8")).splitlines()
    if line and not line.startswith("#")
]


def test_it_has_only_steps_that_this_test_carries_out() -> None:
    assert [step for step, _ in STEPS] == ["FROM", "ARG", "RUN", "USER", "ENTRYPOINT", "CMD"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A root after the RUN step: dpkg works on it from outside, since it has none."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    root = Root(path=bare_root(tmp_path_factory.mktemp("image")))
    run = re.sub(r"--mount=\S+ ", "", dict(STEPS)["RUN"])
    command = run.replace("dpkg ", f"dpkg --root={root.path} ").replace("/dist/", f"{DIST}/")
    machine = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout
    environ = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "TARGETARCH": machine.strip()}
    subprocess.run(["/bin/sh", "-ec", command], env=environ, check=True, capture_output=True)
    return root


def test_it_runs_as_nobody_on_a_root_that_is_read_only(image: Root) -> None:
    steps = dict(STEPS)
    entry, words, user = json.loads(steps["ENTRYPOINT"]), json.loads(steps["CMD"]), steps["USER"]
    assert int(user.partition(":")[0]) > 0
    done = image.run(*entry, "--version", user=user, environ={}, read_only=True)
    assert (done.returncode, done.stdout) == (0, f"runcancel {__version__}\n"), done.stderr
    shown = image.run(*entry, *words, user=user, environ={}, read_only=True)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: runcancel" in shown.stdout
