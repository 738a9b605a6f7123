"""The user's folders for configuration and journal; a user without a home folder is a normal one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NOWHERE = Path(os.devnull, "no-home")
"""Below it no file can be: where the files of a user are who has no home folder."""

NO_HOME = "there is no home directory; set HOME or an XDG variable"


_CONFIGURATION, _STATE = "XDG_CONFIG_HOME", "XDG_STATE_HOME"
_BELOW_HOME = {_CONFIGURATION: ".config", _STATE: ".local/state"}  # XDG Base Directory Specification 0.8
_ON_A_MAC = "Library/Application Support"


def configuration(environ: Mapping[str, str]) -> Path:
    """The program's folder for the user's configuration; below `NOWHERE` for a user who has no home folder."""
    return _folder(environ, _CONFIGURATION)


def state(environ: Mapping[str, str]) -> Path:
    """The program's folder for what it keeps; below `NOWHERE` for a user who has no home folder."""
    return _folder(environ, _STATE)


def _folder(environ: Mapping[str, str], variable: str) -> Path:
    named = Path(environ.get(variable, ""))
    if named.is_absolute():  # the specification ignores others
        return named / "runcancel"
    home = Path(os.path.expanduser("~"))  # "~" where there is neither HOME nor a passwd entry
    below = _ON_A_MAC if sys.platform == "darwin" else _BELOW_HOME[variable]
    return home / below / "runcancel" if home.is_absolute() else NOWHERE
