"""Text that a person hands over in a file or on standard input."""

import sys
from pathlib import Path

from runcancel.errors import UsageError


def called(name: str) -> str:
    """A file's name as messages have it; `-` is standard input."""
    return "standard input" if name == "-" else name


def text_of(name: str, *, largest: int) -> str:
    """The text of a file, or of standard input for `-`, without a byte order mark.

    Raises `UsageError` when it cannot be read, is no UTF-8, or has more than `largest` bytes (a multiple of 1 MiB).
    """
    try:
        data = sys.stdin.buffer.read(largest + 1) if name == "-" else _bytes(Path(name), largest + 1)
        if len(data) > largest:
            raise UsageError(f"{called(name)} is larger than {largest >> 20} MiB; nothing was sent")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{called(name)} cannot be read: {error.strerror}; nothing was sent") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{called(name)}, line {line}: not UTF-8 text; nothing was sent") from None
    except AttributeError:
        raise UsageError("standard input is closed; nothing was sent") from None


def _bytes(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)
