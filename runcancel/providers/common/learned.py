"""Secrets that pass by in requests for credentials and in their answers: remembered, so that no text repeats them."""

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from runcancel.redaction import is_secret, remember, remember_fields, secrets_in

_LONG = 16  # characters: what is shorter in a path is a word
_SHOWN = re.compile(r"(?i)(?:arn|name|action)$")
"""What the query of an API names and messages repeat: a role, a session. It is no secret."""
_ELEMENT = re.compile(r"<([A-Za-z_]{1,64})>([^<>]{8,})</")


def from_request(headers: Mapping[str, str], body: bytes) -> None:
    """Remember what a request for credentials carries: tokens in headers, and in a form or JSON."""
    remember(*secrets_in(headers))
    _from_document(body)


def from_reply(method: str, content: bytes) -> None:
    """Remember the secrets of a reply with credentials: in JSON, in XML, or as the token of a PUT."""
    text = content.decode("utf-8", "replace").strip()
    if method == "PUT" and _LONG <= len(text) < 4096 and "\n" not in text:
        remember(text)
    for name, value in _ELEMENT.findall(text):
        remember(value.strip() if is_secret(name) else None)
    _from_document(content)


def from_url(url: str) -> None:
    """Remember what may be secret in a URL: the user, long parts of the path, the query."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
    except ValueError:
        return
    remember(parts.password, unquote(parts.password or ""))
    pairs = parse_qsl(parts.query)
    hidden = [value for name, value in pairs if not _SHOWN.search(name)]
    whole = parts.query if len(hidden) == len(pairs) else ""
    for piece in (*parts.path.split("/"), whole, *hidden):
        remember(piece if len(piece) >= _LONG else None)


def _from_document(content: bytes) -> None:
    if content.lstrip()[:1] in (b"{", b"["):
        try:
            remember_fields(json.loads(content))
        except (ValueError, RecursionError):
            return
    elif b"=" in content and b"<" not in content:
        remember_fields(dict(parse_qsl(content.decode("utf-8", "replace"))))
