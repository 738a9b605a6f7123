"""What others wrote into an answer, as it may be repeated: bounded, and never a web page."""

import re

from runcancel.providers.common.fields import text

LONGEST = 4096
"""Characters of a remote sentence that are quoted."""

_WORD = 128  # characters of a code or of a request id
_WORDS = re.compile(r"[0-9A-Za-z_.,:;#/+=@ -]+")
_PAGE = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|title|h[1-6]|center|script|meta|pre|p|br|hr)\b", re.I)


def is_page(content: bytes) -> bool:
    """Whether something begins like a web page, which a proxy or a server wrote and no API."""
    return _PAGE.search(content[:LONGEST]) is not None


def sentence(value: object, otherwise: str) -> str:
    """A message out of an answer; `otherwise` where there is none or it is a web page."""
    content = text(value)
    if content is None or is_page(content[:LONGEST].encode("utf-8", "replace")):
        return otherwise
    return content if len(content) <= LONGEST else content[: LONGEST - 1] + "…"


def word(value: object) -> str | None:
    """A code or a request id out of an answer, cut where it is longer than any; None for what has another shape."""
    content = text(value)
    if content is None or not _WORDS.fullmatch(content):
        return None
    return content if len(content) <= _WORD else content[: _WORD - 1] + "…"
