"""The user's folders for configuration and journal; a user without a home folder is a normal one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

NOWHERE = Path(os.devnull, "no-home")
"""Below it no file can be: where the files of a user are who has no home folder."""

NO_HOME = "there is no home folder: set HOME or an XDG variable"


def user_folder(environ: Mapping[str, str], variable: str, default: Callable[[str], Path]) -> Path:
    """The program's folder below the one that `variable` names, else below `default`.

    It is below `NOWHERE` for a user with no HOME and no passwd entry.
    """
    named = Path(environ.get(variable, ""))
    if named.is_absolute():
        return named / "runcancel"
    try:
        folder = default("runcancel")
    except RuntimeError:  # platformdirs 4.10 raises it; older ones return a path that begins with "~"
        return NOWHERE
    return folder if folder.is_absolute() else NOWHERE
