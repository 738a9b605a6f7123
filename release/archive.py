"""The folder of a self-contained build with its pages, completions and licences, and the archive of it."""

import re
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

from libraries import libraries, unknown_files
from packaging.requirements import Requirement

COMPLETIONS = {
    "runcancel.bash": "bash-completion/completions/runcancel",
    "_runcancel": "zsh/site-functions/_runcancel",
    "runcancel.fish": "fish/vendor_completions.d/runcancel.fish",
}
"""Files of `completions/`, and where a shell looks for them below a `share` folder."""

BUNDLED = ("pyyaml", "tzdata")
"""What a self-contained build has beside the dependencies: the extra `yaml`, and time zones for a system without."""

_LICENCE = re.compile(r"(^|/)(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*$", re.IGNORECASE)


def assemble(source: Path, frozen: Path, tree: Path) -> Path:
    """Put everything of a self-contained build in `tree`; the modes do not depend on who builds."""
    shutil.copytree(frozen, tree)
    share = tree / "share"
    for page in (source / "man").glob("*.1"):
        place(page, share / "man" / "man1" / page.name)
    for name, there in COMPLETIONS.items():
        place(source / "completions" / name, share / there)
    documents = share / "doc" / "runcancel"
    for name in ("README.md", "CHANGELOG.md", "LICENSE"):
        place(source / name, documents / name)
    place(source / "release" / "policy.toml.example", documents / "policy.toml.example")
    licences(source, tree / "_internal", documents / "licences")
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path == tree / "runcancel" else 0o644)
    return tree


def place(file: Path, there: Path) -> None:
    """Copy the content of a file; its folders are made."""
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, there)


def licences(source: Path, internal: Path, folder: Path) -> None:
    """Write the licence texts of every package and library, one folder or file for each."""
    known = libraries(source / "LICENSE")
    unknown = [*unknown_files(internal, known), *unknown_packages(source, internal)]
    if unknown:
        sys.exit(f"the build has files of an unknown licence: {', '.join(unknown)}")
    folder.mkdir(parents=True)
    for library in known:
        (folder / f"{library.name}.txt").write_text(library.licence_text, encoding="utf-8")
    for package in packages(source):
        texts = [file for file in package.files or () if _LICENCE.search(str(file)) and file.suffix != ".py"]
        texts = [file for file in texts if ".dist-info" in str(file) or "_" in file.parts[-2]]
        if not texts:
            sys.exit(f"{package.name} has no licence text")
        for file in texts:
            place(Path(str(file.locate())), folder / f"{package.name}-{package.version}" / file.name)


def unknown_packages(source: Path, internal: Path) -> list[str]:
    """Modules of a build that are neither of the standard library nor of a package that the program needs."""
    owners = packages_distributions()
    known = {package.name for package in packages(source)}
    system = ("lib", "_sysconfigdata")
    names = {path.name.partition(".")[0] for path in internal.iterdir() if not path.name.startswith(system)}
    names -= {*sys.stdlib_module_names, "runcancel", f"python{sys.version_info.major}"}
    return sorted(name for name in names if not known & {*owners.get(name, ())})


def packages(source: Path) -> list[Distribution]:
    """The packages of a self-contained build, and those that they need."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in (*project["dependencies"], *BUNDLED)]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        waiting += [Requirement(text) for text in found[name].requires or ()]
    return [found[name] for name in sorted(found)]


def write(tree: Path, file: Path, stamp: int) -> None:
    """Write `tree` as a compressed archive: sorted, of nobody, of one time."""

    def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = stamp
        return entry

    # a higher preset takes four times as long to save a tenth
    with tarfile.open(file, "w:xz", format=tarfile.PAX_FORMAT, preset=1) as packed:
        for path in sorted_paths([tree]):
            packed.add(path, path.relative_to(tree.parent), recursive=False, filter=anonymous)


def sorted_paths(roots: Iterable[Path]) -> Iterator[Path]:
    """The paths and everything below them, by name."""
    for root in sorted(roots):
        yield root
        if root.is_dir() and not root.is_symlink():
            yield from sorted_paths(root.iterdir())
