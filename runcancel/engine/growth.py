"""What is new of an output that grows: pure functions over its bytes now and a mark of what was printed before."""

from zlib import crc32

from msgspec import Struct, structs

from runcancel.engine.decoding import decode, encoding_of, is_cut, resolved_encoding
from runcancel.model.logs import Capture, Output


class Mark(Struct, frozen=True):
    """How much of one stream was printed; its text is not kept.

    `position` counts the bytes that were written, those that the cloud cut included; `length` and `crc` are of what
    stood before the mark when it was made.
    """

    position: int = 0
    length: int = 0
    crc: int = 0


class Marks(Struct, frozen=True):
    """The marks of both streams of one output."""

    stdout: Mark = Mark()
    stderr: Mark = Mark()


BEGIN = Marks()


def fresh(capture: Capture, marks: Marks, encoding: str | None) -> tuple[Output, Marks]:
    """The output with the text that is new in it, in whole lines until it has ended, and the next marks."""
    record = capture.record
    if capture.content is None:
        out, stdout = _of_text(record.stdout, record, marks.stdout)
        err, stderr = _of_text(record.stderr, record, marks.stderr)
        damaged = "\ufffd" in f"{out or ''}{err or ''}"
        return structs.replace(record, stdout=out, stderr=err, damaged=damaged), Marks(stdout, stderr)
    cut = is_cut(record)
    encoding_used = resolved_encoding(encoding, capture.content) if encoding else encoding_of(capture.content, cut=cut)
    piece, stdout = new_part(capture.content, marks.stdout, record, line_feed="\n".encode(encoding_used))
    decoded = decode(piece, encoding_used, cut=cut)
    record = structs.replace(
        record,
        stdout=decoded.text,
        encoding=encoding_used,
        damaged=decoded.damaged or (not capture.intact and record.state.over),
    )
    return record, Marks(stdout, marks.stderr)


def new_part(content: bytes, mark: Mark, record: Output, *, line_feed: bytes) -> tuple[bytes, Mark]:
    """The bytes behind the mark, to the end of the last line, or all where the output has ended; and the next mark.

    A beginning that is another one belongs to a new round of a run that repeats, or is what a cloud left of an output
    whose middle it cut.
    """
    if not content:
        return b"", mark
    total = len(content) + (record.dropped or 0)
    start = _start(content, mark, total=total, cut=bool(record.dropped), width=len(line_feed))
    end = len(content) if record.state.over else _end_of_lines(content, start, line_feed)
    position = total - (len(content) - end)
    return content[start:end], Mark(position, end, crc32(content[:end]))


def _start(content: bytes, mark: Mark, *, total: int, cut: bool, width: int) -> int:
    if mark.length <= len(content) and crc32(content[: mark.length]) == mark.crc:
        return mark.length
    if not cut or total < mark.position:
        return 0
    return max(len(content) // 2, len(content) - (total - mark.position)) // width * width


def _end_of_lines(content: bytes, start: int, line_feed: bytes) -> int:
    """Behind the last line feed; of a wide encoding only one that begins at a character counts."""
    at = content.rfind(line_feed, start)
    while at >= 0 and (at - start) % len(line_feed):
        at = content.rfind(line_feed, start, at + len(line_feed) - 1)
    return start if at < 0 else at + len(line_feed)


def _of_text(text: str | None, record: Output, mark: Mark) -> tuple[str | None, Mark]:
    if text is None:
        return None, mark
    piece, mark = new_part(text.encode("utf-8", "surrogatepass"), mark, record, line_feed=b"\n")
    return piece.decode("utf-8", "surrogatepass"), mark
