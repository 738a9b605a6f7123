"""Packages for Debian and for Red Hat of the self-contained build, made by nfpm."""

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archive import sorted_paths

HOME = "https://github.com/runcancel/runcancel"
SUMMARY = "find, inspect, cancel and verify remote command runs in the cloud"
DESCRIPTION = """\
scancel for AWS Systems Manager and Step Functions, Alibaba Cloud ECS Cloud
Assistant and OOS, and Tencent Cloud TAT: one vocabulary, one output and one set
of exit codes. A requested cancel is never reported as stopped."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SYMBOL = re.compile(rb"\x00GLIBC_2\.(\d+)(?=\x00|\.)")
_OWN = ("/usr/lib/runcancel", "/usr/share/doc/runcancel", "/etc/runcancel")
"""Folders of this package alone: they are removed with it."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What names a build."""

    version: str
    machine: str
    stamp: int

    @property
    def folder(self) -> str:
        """The name of its archive and of the folder in it."""
        return f"runcancel-{self.version}-linux-{self.machine}"


def write(form: str, tree: Path, out: Path, about: About) -> None:
    """Write the package of a form (`deb`, `rpm`) into `out`."""
    nfpm = Path(sys.executable).parent / "nfpm"
    with tempfile.TemporaryDirectory() as work:
        config = Path(work, "nfpm.yaml")
        contents = [*_contents(form, tree, Path(work))]
        config.write_text(json.dumps(_config(form, tree, about) | {"contents": contents}))  # JSON is YAML
        subprocess.run(
            [nfpm, "package", "--config", config, "--packager", form, "--target", out],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def newest_symbol(tree: Path) -> str:
    """The version of glibc that the build needs: the newest one of which a file of it names a symbol."""
    found = {0}
    for file in sorted_paths([tree]):
        if file.is_file():
            content = file.read_bytes()
            if content.startswith(b"\x7fELF"):
                found |= {int(minor) for minor in _SYMBOL.findall(content)}
    return f"2.{max(found)}"


def _config(form: str, tree: Path, about: About) -> dict[str, Any]:
    glibc = newest_symbol(tree)
    # the executable itself is linked with the zlib of the system; everything else is in the folder
    needs = {
        "deb": [f"libc6 (>= {glibc})", "zlib1g"],
        "rpm": [f"glibc >= {glibc}", "zlib"],
    }
    return {
        "name": "runcancel",
        "arch": _ARCHITECTURES.get(about.machine, about.machine),
        "version": about.version,
        "maintainer": f"the authors of runcancel <{HOME}>",
        "description": f"{SUMMARY}\n{DESCRIPTION}",
        "homepage": HOME,
        "license": "Apache-2.0",
        "section": "admin",
        "priority": "optional",
        "mtime": datetime.fromtimestamp(about.stamp, UTC).isoformat().replace("+00:00", "Z"),
        "depends": needs[form],
        "deb": {"compression": "zstd"},
        "rpm": {"summary": SUMMARY, "compression": "zstd:19", "buildhost": "localhost", "group": "Applications/System"},
    }


def _contents(form: str, tree: Path, work: Path) -> Iterator[dict[str, Any]]:
    yield {"src": "../lib/runcancel/runcancel", "dst": "/usr/bin/runcancel", "type": "symlink"}
    folders: set[str] = set()
    for path in sorted_paths(tree.iterdir()):
        there = _target(form, path.relative_to(tree))
        if path.is_dir() or there is None:
            continue
        folders |= {str(parent) for parent in Path(there).parents if str(parent).startswith(_OWN)}
        mode = 0o755 if there == "/usr/lib/runcancel/runcancel" else 0o644
        kind = {"type": "config"} if there.startswith("/etc/") else {}
        packed = there.startswith("/usr/share/") and there.endswith(".gz")
        source = _packed(path, work) if packed else path
        yield {"src": str(source), "dst": there, "file_info": {"mode": mode, "owner": "root", "group": "root"}, **kind}
    for folder in sorted(folders):
        yield {"dst": folder, "type": "dir", "file_info": {"mode": 0o755, "owner": "root", "group": "root"}}


def _packed(file: Path, folder: Path) -> Path:
    packed = folder / f"{file.name}.gz"
    packed.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    return packed


def _target(form: str, path: Path) -> str | None:
    """Where a file of the build is installed."""
    name = str(path)
    if not name.startswith("share/"):
        return f"/usr/lib/runcancel/{name}"
    if path.name == "policy.toml.example":
        return "/etc/runcancel/policy.toml.example"
    if name == "share/doc/runcancel/LICENSE" and form == "deb":
        return "/usr/share/doc/runcancel/copyright"
    if form == "deb":
        name = name.replace("/zsh/site-functions/", "/zsh/vendor-completions/").replace("CHANGELOG.md", "changelog")
    return f"/usr/{name}.gz" if "/man/" in name or name.endswith("/changelog") else f"/usr/{name}"
