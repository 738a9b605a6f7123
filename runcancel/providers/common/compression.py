"""Answers that a server compresses, which it may do without a request."""

import zlib

from runcancel.providers.common.connections import LARGEST, TooLarge

_PIECE = 1 << 16  # bytes that are decompressed at once
_GZIP = b"\x1f\x8b"
"""How a member of a gzip file begins."""

_MOST_MEMBERS = 1000  # of one answer: a server that compresses piece by piece makes one of each


def decompressed(content: bytes, encoding: str) -> bytes:
    """The content without its `Content-Encoding`, which a server may use without a request.

    Raises `TooLarge`, and ValueError for what is damaged or encoded otherwise than by gzip or deflate.
    """
    names = [name for each in encoding.lower().split(",") if (name := each.strip()) not in ("", "identity")]
    for name in reversed(names):
        if name not in ("gzip", "x-gzip", "deflate") or len(names) > 2:
            raise ValueError(encoding)
        content = _inflated(content)
    return content


def _inflated(content: bytes) -> bytes:
    """All members of a gzip file, or one zlib stream. What follows the last of them is no part of it."""
    parts: list[bytes] = []
    size = members = at = 0
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as its first bytes show
    try:
        while True:
            piece = inflate.unconsumed_tail
            if not piece:
                piece = content[at : at + _PIECE]
                at += len(piece)
            if not piece:
                raise ValueError("cut off")
            parts.append(inflate.decompress(piece, _PIECE))
            size += len(parts[-1])
            if size > LARGEST:
                raise TooLarge
            if not inflate.eof:
                continue
            at -= len(inflate.unused_data)
            members += 1
            if content[:2] != _GZIP or content[at : at + 2] != _GZIP:
                return b"".join(parts)
            if members == _MOST_MEMBERS:
                raise ValueError(f"more than {_MOST_MEMBERS} members")
            inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    except zlib.error as error:
        raise ValueError(str(error)) from None
