"""Everything of a release in one folder: `python release/make.py FOLDER`.

The wheel and the source distribution; where PyInstaller can work also the self-contained build: an archive, a deb and
an rpm. Beside them an SBOM of each, and SHA256SUMS. One commit gives the same bytes with the same Python: the time of
every file is SOURCE_DATE_EPOCH, its mode is set here, and no path of the machine gets in.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

import archive
import packages
import sbom

SOURCE = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build into the folder that argv names; what was in it is removed."""
    out = Path(sys.argv[1]).resolve()
    stamp = int(os.environ["SOURCE_DATE_EPOCH"])
    os.umask(0o022)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="runcancel-build-") as work:
        wheel = python_packages(out)
        sbom.write(out / f"{wheel.name.removesuffix('-py3-none-any.whl')}.cdx.json", sbom.of_packages(SOURCE))
        reason = cannot_freeze()
        if reason is None:
            frozen = freeze(wheel, Path(work))
            about = packages.About(version=wheel.name.split("-")[1], machine=platform.machine(), stamp=stamp)
            tree = archive.assemble(SOURCE, frozen, Path(work, about.folder))
            sbom.write(out / f"{about.folder}.cdx.json", sbom.of_folder(SOURCE, tree))
            archive.write(tree, out / f"{about.folder}.tar.xz", stamp)
            for form in ("deb", "rpm"):
                packages.write(form, tree, out, about)
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())}
    text = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (out / "SHA256SUMS").write_text(text, encoding="ascii")
    sys.stdout.write(text)
    if reason is not None:
        sys.stderr.write(f"no self-contained build, deb and rpm: {reason}\n")
    return 0


def python_packages(out: Path) -> Path:
    """Build the wheel and the source distribution; return the wheel."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(SOURCE))
    (wheel,) = out.glob("*.whl")
    return wheel


def cannot_freeze() -> str | None:
    """Why this Python cannot make a self-contained build for Linux."""
    if platform.system() != "Linux":
        return f"they are built on Linux, and this is {platform.system()}"
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return f"{sys.executable} has no shared libpython"
    missing = [tool for tool in ("ldd", "objdump", "strip") if shutil.which(tool) is None]
    return f"{', '.join(missing)} not found" if missing else None


def freeze(wheel: Path, work: Path) -> Path:
    """The folder that PyInstaller makes of what is in the wheel."""
    tree = work / "wheel"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tree)
    spec = SOURCE / "release" / "runcancel.spec"
    options = ("--noconfirm", "--log-level", "WARN", "--distpath", str(work / "dist"), "--workpath", str(work / "work"))
    run(
        *(sys.executable, "-m", "PyInstaller", *options, str(spec), "--", str(tree)),
        PYTHONHASHSEED="0",
        PYTHONDONTWRITEBYTECODE="1",
        PYINSTALLER_CONFIG_DIR=str(work / "cache"),
        LC_ALL="C.UTF-8",
    )
    return work / "dist" / "runcancel"


def run(*command: str, **variables: str) -> None:
    """Run a tool; what it prints appears only if it fails."""
    done = subprocess.run(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"{' '.join(command)}: exit {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
