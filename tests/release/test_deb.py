"""The deb, installed by dpkg into a root that has glibc, zlib, a shell, and nothing else."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runcancel import __version__
from runcancel.cli.verbs import VERBS

from .conftest import NOBODY, Root, bare_root, ran

ROOT = Path(__file__).parents[2]
PROGRAM = "/usr/bin/runcancel"
RUN = "tencent:ap-guangzhou:inv-ib2lld37"


def test_it_names_what_it_needs(deb: Path) -> None:
    fields = ("Package", "Version", "Depends", "Homepage")
    shown = subprocess.run(["dpkg-deb", "-f", deb, *fields], check=True, capture_output=True, text=True).stdout
    about = dict(line.split(": ", 1) for line in shown.splitlines())
    assert (about["Package"], about["Version"]) == ("runcancel", __version__)
    assert re.fullmatch(r"libc6 \(>= 2\.\d\d\), zlib1g", about["Depends"])


def test_its_folder_is_that_of_the_archive(root: Root, folder: Path) -> None:
    there = root.path / "usr/lib/runcancel"
    files = [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and folder / "share" not in path.parents
    ]
    assert len(files) > 1000
    assert [str(file) for file in files if (there / file).read_bytes() != (folder / file).read_bytes()] == []


def test_an_older_libc_is_refused(deb: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "root").mkdir()
    root = Root(path=bare_root(tmp_path / "root"))
    status = root.path / "var/lib/dpkg/status"
    status.write_text(re.sub(r"^Version: 2\..*$", "Version: 2.17-1", status.read_text(), flags=re.MULTILINE))
    done = root.dpkg("-i", str(deb))
    assert done.returncode != 0
    assert "depends on libc6 (>= 2." in done.stderr


def test_the_demo_runs_where_there_is_no_python_no_home_and_no_time_zone(root: Root) -> None:
    assert not (root.path / "usr/share/zoneinfo").exists()
    done = root.run(PROGRAM, "sandbox", "demo", "--story", "schedule", user=NOBODY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert root.run("/bin/sh", "-c", "command -v python3").returncode != 0


def test_zones_of_schedules_come_with_it(root: Root) -> None:
    shell = "runcancel triggers -o jsonl"
    done = root.run(PROGRAM, "sandbox", "exec", "--", "/bin/sh", "-c", shell, user=NOBODY)
    zoned = [line for line in done.stdout.splitlines() if '"timezone":"Asia/Shanghai"' in line]
    assert zoned, done.stdout + done.stderr
    assert any('"next_start_at":"20' in line for line in zoned)


def test_nothing_can_be_written_and_nobody_is_known(root: Root) -> None:
    done = root.run(PROGRAM, "--version", user=NOBODY, read_only=True)
    assert (done.returncode, done.stdout) == (0, f"runcancel {__version__}\n")
    done = root.run(PROGRAM, "sandbox", "demo", user=NOBODY, read_only=True)
    assert done.returncode == 1
    assert done.stderr.startswith("runcancel: cannot make a home directory for the sandbox: ")
    done = root.run(PROGRAM, "list", "-p", "aws", "-r", "us-east-2", user=NOBODY, read_only=True)
    assert done.returncode == 4, done.stderr
    assert "internal error" not in done.stderr


def test_completion_comes_with_it(root: Root) -> None:
    script = """
    PATH="$1/usr/bin:$PATH"; . "$1/usr/share/bash-completion/completions/runcancel"
    COMP_LINE='runcancel can' COMP_POINT=13 COMP_WORDS=(runcancel can) COMP_CWORD=1; _runcancel; echo "${COMPREPLY[@]}"
    """
    done = ran(["bash", "--norc", "-c", script, "-", root.path], environ={"PATH": os.defpath})
    assert done.stdout.split() == ["cancel"], done.stderr
    shipped = {
        "usr/share/bash-completion/completions/runcancel": "runcancel.bash",
        "usr/share/zsh/vendor-completions/_runcancel": "_runcancel",
        "usr/share/fish/vendor_completions.d/runcancel.fish": "runcancel.fish",
    }
    for there, name in shipped.items():
        assert (root.path / there).read_bytes() == (ROOT / "completions" / name).read_bytes()


def test_fish_finds_the_completion_by_itself(root: Root) -> None:
    if shutil.which("fish") is None:
        pytest.skip("needs fish")
    environ = {
        "PATH": f"{root.path}/usr/bin:{os.defpath}",
        "XDG_DATA_DIRS": f"{root.path}/usr/share",
        "HOME": str(root.path / "tmp"),
    }
    done = ran(["fish", "-c", "complete -C 'runcancel can'"], environ=environ)
    assert done.stdout.startswith("cancel\t"), done.stderr


@pytest.mark.parametrize("page", ["runcancel", *(f"runcancel-{verb}" for verb in VERBS)])
def test_man_has_every_page(root: Root, page: str) -> None:
    if shutil.which("man") is None:
        pytest.skip("needs man")
    environ = {"PATH": os.defpath, "MANPATH": f"{root.path}/usr/share/man", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = ran(["man", page], environ=environ)
    assert done.returncode == 0, done.stderr
    assert page.upper() in done.stdout.splitlines()[0]


def test_the_example_of_a_policy_is_one(root: Root) -> None:
    there = root.path / "etc/runcancel"
    assert (there / "policy.toml.example").stat().st_mode & 0o777 == 0o644
    shutil.copy(there / "policy.toml.example", there / "policy.toml")
    try:
        denied = "runcancel cancel aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
        done = root.run(PROGRAM, "sandbox", "exec", "--", "/bin/sh", "-c", denied)
    finally:
        (there / "policy.toml").unlink()
    assert done.returncode == 6, done.stderr
    assert "denied by the site policy: patch nights" in done.stderr


def test_licences_and_a_changelog_come_with_it(root: Root) -> None:
    documents = root.path / "usr/share/doc/runcancel"
    assert (documents / "copyright").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (documents / "changelog.gz").is_file()
    assert len([*(documents / "licences").iterdir()]) > 20


def test_an_upgrade_keeps_and_a_purge_removes_everything(deb: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "root").mkdir()
    root = Root(path=bare_root(tmp_path / "root"))
    before = {str(path) for path in root.path.rglob("*")}
    for _ in range(2):
        done = root.dpkg("-i", str(deb))
        assert done.returncode == 0, done.stderr
        assert root.run(PROGRAM, "--version").returncode == 0
    done = root.dpkg("--purge", "runcancel")
    assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(root.path)) for path in root.path.rglob("*") if str(path) not in before}
    assert {name for name in left if not name.startswith(("var/", "usr"))} <= {"etc"}
    assert not [name for name in left if "runcancel" in name and not name.startswith("var/lib/dpkg")]
