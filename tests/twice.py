"""Two builds of the last commit, from two folders, at two times, under two umasks: the same bytes, or exit 1.

Run by `make test-build` with the Python that has the locked build tools.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def built(folder: Path, umask: int, stamp: str) -> dict[str, str]:
    """The names and digests of what `python -m build` makes of the last commit in a folder of its own."""
    source = folder / "source"
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-m"], cwd=source, input=archive, check=True, umask=umask)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(source)]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": stamp, "TZ": f"Etc/GMT-{umask % 12}"}
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
    for name in sorted(one.keys() | two.keys()):
        same = one.get(name) == two.get(name)
        print(f"{one.get(name)}  {name}" if same else f"differs: {name}: {one.get(name)} and {two.get(name)}")
    return int(one != two or len(one) != 2)


if __name__ == "__main__":
    sys.exit(main())
