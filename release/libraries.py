"""What a self-contained build has beside Python packages: the interpreter, its libraries, and their licences."""

import decimal
import platform
import sqlite3
import ssl
import sysconfig
import zlib
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from xml.parsers import expat

TEXTS = Path(__file__).parent / "licences"


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library, the files it may be in, and its licence. Without files it may be part of another one."""

    name: str
    licence: str
    files: tuple[str, ...] = ()
    version: str | None = None
    text: Path | None = None

    @property
    def licence_text(self) -> str:
        """The text of its licence."""
        return (self.text or TEXTS / f"{self.name}.txt").read_text(encoding="utf-8")

    def has(self, name: str) -> bool:
        """Whether a file is of this library."""
        return name.startswith(tuple(f"{file}." for file in self.files))


def libraries(licence: Path) -> tuple[Library, ...]:
    """Every library that a build may have. `licence` is the text of Apache-2.0."""
    python = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    debian = Path(f"/usr/share/doc/python{sysconfig.get_python_version()}/copyright")
    tool = distribution("pyinstaller")
    copying = next(file for file in tool.files or () if file.name.startswith("COPYING"))
    return (
        Library(
            name="python",
            licence="PSF-2.0",
            files=(f"libpython{sysconfig.get_python_version()}",),
            version=platform.python_version(),
            text=python if python.is_file() else debian,
        ),
        Library(
            name="pyinstaller-bootloader",
            licence="GPL-2.0-or-later WITH Bootloader-exception",
            version=tool.version,
            text=Path(str(copying.locate())),
        ),
        Library(
            name="openssl",
            licence="Apache-2.0",
            files=("libssl", "libcrypto"),
            version=ssl.OPENSSL_VERSION.split()[1],
            text=licence,
        ),
        Library(name="sqlite", licence="blessing", files=("libsqlite3",), version=sqlite3.sqlite_version),
        Library(name="zlib", licence="Zlib", files=("libz",), version=zlib.ZLIB_RUNTIME_VERSION),
        Library(name="expat", licence="MIT", files=("libexpat",), version=expat.EXPAT_VERSION.partition("_")[2]),
        Library(name="mpdecimal", licence="BSD-2-Clause", files=("libmpdec",), version=_decimal()),
        Library(name="libffi", licence="MIT", files=("libffi",)),
        Library(name="bzip2", licence="bzip2-1.0.6", files=("libbz2",)),
        Library(name="xz", licence="0BSD", files=("liblzma",)),
        Library(name="libuuid", licence="BSD-3-Clause", files=("libuuid",)),
        Library(name="libedit", licence="BSD-3-Clause", files=("libedit",)),
        Library(name="ncurses", licence="X11-distribute-modifications-variant", files=("libncursesw", "libtinfo")),
    )


def shared_files(folder: Path) -> list[Path]:
    """The shared libraries of a build that are no modules of Python."""
    return sorted(file for file in folder.glob("lib*.so*") if file.is_file())


def unknown_files(folder: Path, known: tuple[Library, ...]) -> list[str]:
    """Shared libraries whose licence nobody has looked up."""
    return [file.name for file in shared_files(folder) if not any(one.has(file.name) for one in known)]


def _decimal() -> str | None:
    version: str | None = getattr(decimal, "__libmpdec_version__", None)
    return version
