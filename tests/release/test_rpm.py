"""The rpm: what it holds, what it needs, and that rpm installs and removes it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runcancel import __version__


@pytest.fixture(scope="module")
def package(dist: Path) -> Path:
    if shutil.which("rpm") is None:
        pytest.skip("needs rpm")
    (file,) = dist.glob("*.rpm")
    return file


def shown(*argv: str | Path) -> str:
    return subprocess.run(["rpm", *argv], check=True, capture_output=True, text=True).stdout


def test_it_names_what_it_is_and_what_it_needs(package: Path) -> None:
    assert shown("-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE}", package) == f"runcancel {__version__} Apache-2.0"
    needs = [line for line in shown("-qp", "--requires", package).splitlines() if not line.startswith("rpmlib")]
    assert [line.partition(" >= 2.")[0] for line in needs] == ["glibc", "zlib"]


def test_its_files_stand_where_red_hat_looks_for_them(package: Path) -> None:
    files = {*shown("-qpl", package).splitlines()}
    assert {
        "/usr/bin/runcancel",
        "/usr/lib/runcancel/runcancel",
        "/usr/share/man/man1/runcancel-cancel.1.gz",
        "/usr/share/bash-completion/completions/runcancel",
        "/usr/share/zsh/site-functions/_runcancel",
        "/usr/share/fish/vendor_completions.d/runcancel.fish",
        "/usr/share/doc/runcancel/LICENSE",
        "/etc/runcancel/policy.toml.example",
    } <= files
    # a folder of the system that a package claims is a conflict
    assert not {"/usr", "/usr/bin", "/usr/lib", "/usr/share", "/etc", "/usr/share/man/man1"} & files
    assert "/etc/runcancel/policy.toml.example" in shown("-qpc", package)


def test_it_is_installed_and_removed(package: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    place = ("--root", str(tmp_path), "--nodeps", "--noscripts")
    shown("-i", *place, package)
    assert os.readlink(tmp_path / "usr/bin/runcancel") == "../lib/runcancel/runcancel"
    program = tmp_path / "usr/lib/runcancel/runcancel"
    done = subprocess.run([program, "--version"], env={}, check=True, capture_output=True, text=True)
    assert done.stdout == f"runcancel {__version__}\n"
    shown("-e", *place, "runcancel")
    assert not (tmp_path / "usr/lib/runcancel").exists()
    assert not (tmp_path / "etc/runcancel").exists()
