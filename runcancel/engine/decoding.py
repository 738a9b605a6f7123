"""What targets wrote as text: the encoding that was chosen, or the one that the bytes show."""

import codecs
from codecs import getincrementaldecoder

from msgspec import Struct, structs

from runcancel.model.logs import Capture, Output

UTF8 = "utf-8"

_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks."""

_UNMARKED = {"utf-8-sig": UTF8, "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""Encodings that a mark at the beginning completes, and what they are without one."""

_NUL_SHARE = {True: 2, False: 10}
"""More than one pair of bytes in so many has a NUL where text is UTF-16; by whether the bytes are UTF-8 as well."""


class Decoded(Struct, frozen=True):
    """Text from bytes. `damaged`: some bytes were not text and are U+FFFD."""

    text: str
    damaged: bool


def is_encoding(name: str) -> bool:
    """Whether bytes become text by this encoding, whatever they are."""
    every = codecs.BOM_UTF16_LE + bytes(range(256))
    try:
        every.decode(name, "replace")  # raises for one that makes bytes of bytes
        getincrementaldecoder(_without_mark(name))("replace").decode(every, True)
    except (LookupError, UnicodeError, TypeError, ValueError):  # unknown; of no bytes to text; not for every byte
        return False
    return True


def encoding_of(content: bytes, *, cut: bool = False) -> str:
    """The encoding that the bytes show by a mark or by NULs, else UTF-8. `cut` as in `decode`."""
    marked = _marked(content)
    if marked is not None:
        return marked
    low, high = content[1::2].count(0), content[::2].count(0)
    if bool(low) == bool(high):  # none, or at both places of a pair: NULs of its own
        return UTF8
    is_utf8 = _strictly(content, UTF8, cut=cut) is not None
    if (low + high) * _NUL_SHARE[is_utf8] <= len(content) // 2:
        return UTF8
    wide = "utf-16-le" if low else "utf-16-be"
    return UTF8 if _strictly(content, wide, cut=cut) is None else wide


def resolved_encoding(encoding: str, content: bytes) -> str:
    """A chosen encoding with what a mark at the beginning of the bytes adds to it."""
    name = _without_mark(encoding)
    marked = _marked(content)
    completes = marked is not None and codecs.lookup(encoding).name in _UNMARKED and marked[:6] == name[:6]
    return marked if completes and marked is not None else name


def decode(content: bytes, encoding: str, *, cut: bool = False) -> Decoded:
    """The text of bytes, without a byte order mark. `cut`: a character that is not all there is left out at the end."""
    text = _strictly(content, encoding, cut=cut)
    if text is not None:
        return Decoded(text.removeprefix("\ufeff"), damaged=False)
    text = getincrementaldecoder(encoding)("replace").decode(content, not cut)
    return Decoded(text.removeprefix("\ufeff"), damaged=True)


def as_text(capture: Capture, encoding: str | None) -> Output:
    """The output with its text; `encoding` None is the one that the bytes show.

    Of a cloud that keeps text nobody knows what it replaced: U+FFFD stands for damage.
    """
    record = capture.record
    if capture.content is None:
        return structs.replace(record, damaged="\ufffd" in f"{record.stdout or ''}{record.stderr or ''}")
    cut = is_cut(record)
    encoding_used = resolved_encoding(encoding, capture.content) if encoding else encoding_of(capture.content, cut=cut)
    decoded = decode(capture.content, encoding_used, cut=cut)
    return structs.replace(
        record, stdout=decoded.text, encoding=encoding_used, damaged=decoded.damaged or not capture.intact
    )


def is_cut(record: Output) -> bool:
    """Whether more was written than is there, or may still come: the last character may be a part of one."""
    return record.truncated or not record.state.over


def _marked(content: bytes) -> str | None:
    return next((name for mark, name in _MARKS if content.startswith(mark)), None)


def _without_mark(encoding: str) -> str:
    name = codecs.lookup(encoding).name
    return _UNMARKED.get(name, name)


def _strictly(content: bytes, encoding: str, *, cut: bool) -> str | None:
    """The text; None where some bytes are none."""
    try:
        return getincrementaldecoder(encoding)("strict").decode(content, not cut)
    except UnicodeError:
        return None
