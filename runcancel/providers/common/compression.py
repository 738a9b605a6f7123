"""Answers that a server compresses, which it may do without a request."""

import zlib

from runcancel.providers.common.connections import LARGEST, TooLarge

_PIECE = 1 << 16  # bytes that are decompressed at once


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
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as its first bytes show
    parts: list[bytes] = []
    size = 0
    try:
        while content and not inflate.eof:
            parts.append(inflate.decompress(content, _PIECE))
            content = inflate.unconsumed_tail
            size += len(parts[-1])
            if size > LARGEST:
                raise TooLarge
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("cut off")
    return b"".join(parts)
