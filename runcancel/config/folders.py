"""The user's folders for configuration and journal: where they are, who owns them, and who else can write there.

A user without a home folder is a normal one. No other user may write the user's configuration and journal.
"""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

NOWHERE = Path(os.devnull, "no-home")
"""Below it no file can be: where the files of a user are who has no home folder."""

NO_HOME = "there is no home directory; set HOME or an XDG variable"


_CONFIGURATION, _STATE = "XDG_CONFIG_HOME", "XDG_STATE_HOME"
_BELOW_HOME = {_CONFIGURATION: ".config", _STATE: ".local/state"}  # XDG Base Directory Specification 0.8
_ON_A_MAC = "Library/Application Support"
_SHARED = stat.S_IWOTH


def configuration(environ: Mapping[str, str]) -> Path:
    """The program's folder for the user's configuration; below `NOWHERE` for a user who has no home folder."""
    return _folder(environ, _CONFIGURATION)


def state(environ: Mapping[str, str]) -> Path:
    """The program's folder for what it keeps; below `NOWHERE` for a user who has no home folder."""
    return _folder(environ, _STATE)


def _folder(environ: Mapping[str, str], variable: str) -> Path:
    from_variable = Path(environ.get(variable, ""))
    if from_variable.is_absolute():  # the specification ignores others
        return from_variable / "runcancel"
    home = Path(os.path.expanduser("~"))  # "~" where there is neither HOME nor a passwd entry
    below = _ON_A_MAC if sys.platform == "darwin" else _BELOW_HOME[variable]
    return home / below / "runcancel" if home.is_absolute() else NOWHERE


def writable_by_all(path: Path) -> Path | None:
    """The first of a file and the folders above it that every user can write; None where none is.

    Folders that keep entries from others (`/tmp`) are fine, and so is what is above the user's home: whoever can
    write there has the user's shell already.
    """
    home = Path(os.path.expanduser("~"))
    for each in (path, *path.parents):
        if each == home:
            return None
        try:
            mode = each.stat().st_mode
        except OSError:
            continue
        if mode & _SHARED and not mode & stat.S_ISVTX:
            return each
    return None


def nearest(folder: Path) -> Path:
    """The folder, or the first one above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.exists()), folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it for their owner alone, whatever the umask. Raises `OSError`.

    Root in somebody's home (`sudo -E`) gives them to whom the folder above belongs.
    """
    for each in reversed(list(_missing(folder))):
        each.mkdir(mode=0o700, exist_ok=True)
        give(each, each.parent)


def give(path: Path | int, like: Path) -> None:
    """Let a file or folder of root's belong to whom `like` belongs; another user's stay what they are."""
    if os.geteuid() == 0:
        about = like.stat()
        if about.st_uid != 0:
            os.chown(path, about.st_uid, about.st_gid)


def _missing(folder: Path) -> Iterator[Path]:
    for each in (folder, *folder.parents):
        if each.exists():
            return
        yield each
