"""This program itself: the command that starts it again, and the environment of the commands that it starts."""

import os
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LIBRARIES = "LD_LIBRARY_PATH"


def own_command(interpreter: object = sys) -> tuple[str, ...]:
    """The words that start this program again, whatever PATH holds.

    A self-contained build is its own executable and has no `-m`. A Python looks into the current folder first unless
    it has `-P`, and another `runcancel` may be there.
    """
    executable = str(getattr(interpreter, "executable", ""))
    return (executable,) if _is_frozen(interpreter) else (executable, "-P", "-m", "runcancel")


def write_launcher(folder: "Path", interpreter: object = sys) -> None:
    """Write a `runcancel` that starts this program, for a folder in PATH."""
    import shlex  # not before: a self-contained build comes by here at every start

    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / "runcancel"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(own_command(interpreter))} "$@"\n', encoding="utf-8")
    launcher.chmod(0o700)


def restore_environment(environ: MutableMapping[str, str] = os.environ, interpreter: object = sys) -> None:
    """Remove what a self-contained build has set for itself: a command that it starts must not load its libraries."""
    if not _is_frozen(interpreter):
        return
    bundle = str(getattr(interpreter, "_MEIPASS", ""))
    folders = [folder for folder in environ.pop(_LIBRARIES, "").split(os.pathsep) if folder not in ("", bundle)]
    if folders:
        environ[_LIBRARIES] = os.pathsep.join(folders)
    for name in [name for name in environ if name.startswith("_PYI_") or name == f"{_LIBRARIES}_ORIG"]:
        del environ[name]


def _is_frozen(interpreter: object) -> bool:
    """Whether this is a self-contained build. PyInstaller, like every tool of its kind, sets `sys.frozen`."""
    return bool(getattr(interpreter, "frozen", False))
