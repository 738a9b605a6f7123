"""Collected only when RUNCANCEL_DIST names a folder that `make dist` has written (`make test-dist`)."""

import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

DIST = os.environ.get("RUNCANCEL_DIST")
collect_ignore_glob = [] if DIST else ["test_*.py"]
NOBODY = "65532:65532"
_SYSTEM = ("libc6", "zlib1g")
CHROOT = shutil.which("chroot", path=f"{os.defpath}:/usr/sbin:/sbin") or "chroot"


@dataclass(frozen=True, kw_only=True)
class Root:
    """A root file system that has glibc, zlib, a shell, a package, and nothing else: no Python, no time zones."""

    path: Path

    def run(
        self, *argv: str, user: str = "0:0", environ: dict[str, str] | None = None, read_only: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, with these variables and no other."""
        inside = [CHROOT, f"--userspec={user}", str(self.path), *argv]
        if read_only:
            script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
            inside = ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, str(self.path), *inside]
        return ran(inside, environ={"PATH": os.defpath} | (environ or {}))

    def dpkg(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Let the machine's dpkg work on this root."""
        return ran(["dpkg", f"--root={self.path}", "--force-not-root", *argv], environ=dict(os.environ))


def ran(argv: Sequence[str | Path], *, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command with exactly these variables, in an empty place."""
    return subprocess.run(
        argv, env=environ, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="session")
def dist() -> Path:
    """What `make dist` has written."""
    return Path(DIST or "")


@pytest.fixture(scope="session")
def folder(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The self-contained build out of its archive."""
    (archive,) = dist.glob("*.tar.xz")
    there = tmp_path_factory.mktemp("folder")
    with tarfile.open(archive) as packed:
        packed.extractall(there, filter="data")
    (folder,) = there.iterdir()
    return folder


@pytest.fixture(scope="session")
def deb(dist: Path) -> Path:
    """The package for Debian."""
    (file,) = dist.glob("*.deb")
    return file


@pytest.fixture(scope="session")
def root(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A bare root in which dpkg has installed the deb, with the versions of glibc and zlib that this machine has."""
    if os.geteuid() != 0 or shutil.which("dpkg") is None:
        pytest.skip("needs root and dpkg")
    root = Root(path=bare_root(tmp_path_factory.mktemp("root")))
    done = root.dpkg("-i", str(deb))
    assert done.returncode == 0, done.stderr
    return root


def bare_root(path: Path) -> Path:
    """The files of libc6, zlib1g and dash, the folders that every system has, and a database of dpkg."""
    path.chmod(0o755)
    for name in ("bin", "dev", "etc", "lib", "lib64", "usr/bin", "var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (path / name).mkdir(parents=True)
    (path / "tmp").mkdir(mode=0o1777)
    (path / "tmp").chmod(0o1777)
    os.mknod(path / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (path / "dev" / "null").chmod(0o666)
    for name in ("/bin/sh", *(file for package in _SYSTEM for file in _files(package))):
        there = path / name.removeprefix("/usr").lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, there)
    about = subprocess.run(["dpkg-query", "-s", *_SYSTEM], check=True, capture_output=True, text=True).stdout
    (path / "var/lib/dpkg/status").write_text(about)
    return path


def _files(package: str) -> list[str]:
    """The shared libraries of a package of this machine."""
    listed = subprocess.run(["dpkg-query", "-L", package], check=True, capture_output=True, text=True).stdout
    return [name for name in listed.splitlines() if ".so" in Path(name).name and Path(name).is_file()]
