"""What needs PyPI: the ways of docs/install.md to install the command, and the action that installs what it runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from action import use
from outside import TENCENT, Outside
from recipes import installed

from runcancel import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a clone has it, without what is built in it."""
    there = tmp_path_factory.mktemp("clone") / "runcancel"
    there.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x"], cwd=there, input=archive, check=True)
    return there


@pytest.mark.parametrize("way", ["uv", "pipx", "pip"])
def test_a_way_to_install_upgrade_and_uninstall(peers: Path, source: Path, tmp_path: Path, way: str) -> None:
    path = f"{_python(tmp_path)}:{peers}:{os.defpath}"
    done = installed(way, tmp_path / "home", source, path)
    assert done.returncode == 0, done.stderr
    assert f"runcancel {__version__}\n" in done.stdout
    assert not (tmp_path / "home" / ".local" / "bin" / "runcancel").exists()


def test_the_action_installs_what_it_runs(outside: Outside, tmp_path: Path) -> None:
    environ = {**outside.environ, "PATH": f"{_python(tmp_path)}:{os.defpath}"}
    done = use(tmp_path / "runner", environ, cwd=outside.home, runs=TENCENT)
    assert (done.code, done.outputs["exit-code"]) == (0, "0"), done.log
    assert TENCENT in done.summary


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-actions", ["action.yml"]),
        ("vendor.github-workflows", [".github/workflows/ci.yml", ".github/workflows/release.yml"]),
    ],
)
def test_github_takes_the_files_for_it(peers: Path, schema: str, files: list[str]) -> None:
    command = [peers / "check-jsonschema", "--builtin-schema", schema, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_workflow_and_no_action_can_be_made_to_run_what_others_write(peers: Path) -> None:
    command = [
        peers / "zizmor",
        "--offline",
        "--no-progress",
        "--min-severity",
        "medium",
        "action.yml",
        ".github/workflows",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_containerfile_is_one(peers: Path) -> None:
    linter = shutil.which("hadolint", path=str(peers))
    assert linter is not None
    done = subprocess.run([linter, "Containerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def _python(folder: Path) -> Path:
    """A folder in which `python3` is the Python that runs the tests, without its environment."""
    links = folder / "python"
    links.mkdir()
    (links / "python3").symlink_to(
        Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    )
    return links
