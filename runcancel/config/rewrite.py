"""One change of the user's configuration as a whole: no other process writes meanwhile, and no half file is left."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runcancel.config import folders
from runcancel.config.file import LARGEST, Config, check, read, text_of
from runcancel.config.folders import NO_HOME, NOWHERE
from runcancel.errors import UsageError


def rewrite(file: Path, change: Callable[[str, Config], tuple[str, Config]]) -> None:
    """Read, change and replace the file while no other process does; comments and order stay.

    `change` gives the new text and what it should mean; a text that means anything else is never written.
    """
    from tomlkit.exceptions import TOMLKitError

    if file.is_relative_to(NOWHERE):
        raise UsageError(f"there is no location for the configuration: {NO_HOME}; nothing was changed")
    by_hand = UsageError(f"{file} has a layout that cannot be edited automatically; nothing was changed")
    try:
        folders.make_folder(file.parent)
        with _alone(file):
            text = text_of(file) or ""
            written, desired = change(text, read(file, text))
            check(file, desired)
            if not _means(file, written, desired):
                raise by_hand
            if len(written.encode()) > LARGEST:
                raise UsageError(f"{file} would be larger than {LARGEST >> 20} MiB; nothing was changed")
            _replace(file, written)
    except TOMLKitError:
        raise by_hand from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; nothing was changed") from None


def _means(file: Path, text: str, desired: Config) -> bool:
    try:
        return read(file, text) == desired
    except UsageError:
        return False


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with os.fdopen(os.open(file.parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r") as lock:
        folders.give(lock.fileno(), file.parent)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(file: Path, text: str) -> None:
    """The whole new file or the whole old one, whatever happens; the owner stays."""
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".config-")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            folders.give(opened.fileno(), file if file.exists() else file.parent)
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
