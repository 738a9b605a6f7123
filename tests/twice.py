"""Two builds of the last commit, from two folders, at two times, under two umasks: the same bytes, or exit 1.

`make test-build` runs it with the Python that has the locked build tools. The first build is left in the folder that
argv names.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def built(folder: Path, umask: int, stamp: str) -> dict[str, str]:
    """The names and digests of what `release/make.py` makes of the last commit in a folder of its own."""
    source = folder / "source"
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-m"], cwd=source, input=archive, check=True, umask=umask)
    command = [sys.executable, str(source / "release" / "make.py"), str(folder / "dist")]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": stamp, "TZ": f"Etc/GMT-{umask % 12}", "HOME": str(folder)}
    subprocess.run(command, env=environ, check=True, umask=umask, stdout=subprocess.DEVNULL)
    files = sorted((folder / "dist").iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main() -> int:
    """Print the digests; 1 when the two builds differ."""
    stamp = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        one, two = (built(Path(folder, name), umask, stamp) for name, umask in (("a", 0o022), ("b/c", 0o077)))
        shutil.rmtree(sys.argv[1], ignore_errors=True)
        shutil.copytree(Path(folder, "a", "dist"), sys.argv[1])
    for name in sorted(one.keys() | two.keys()):
        same = one.get(name) == two.get(name)
        print(f"{one.get(name)}  {name}" if same else f"differs: {name}: {one.get(name)} and {two.get(name)}")
    return int(one != two or len(one) < 4)


if __name__ == "__main__":
    sys.exit(main())
