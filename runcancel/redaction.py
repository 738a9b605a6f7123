"""Secrets that this process holds, and texts without them: before anything is printed, logged or stored.

A secret is found as it stands and as others write it: percent-encoded (once or more often), JSON-escaped, as HTML
entities, in base64, in hexadecimal digits, and cut off at its end.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

HIDDEN = "…"
"""The text that replaces a secret."""

_SHORTEST = 4  # characters; what is shorter is no secret, and stands in every text
_HEAD = 16  # characters by which a secret is found; the rest of it may be missing
_ENCODED_FROM = 8  # characters of a secret that is also looked for in base64
_SURE = 16  # characters of a secret that is taken out of data, too: a word like "test" stays there
_HEADER = 8  # characters of a token in a header
# patterns as text: compiled when they are first used, of which a command needs few
_RUN = r"[0-9A-Za-z]+"
_NAME = r"(?i)secret|token|passw|private_?key|access_?key$|assertion"
_NO_NAME = r"(?i)(?:file|path|uri|url|arn|id|profile|region|type|expir\w*|ttl\S*|next_?token)$"
_SIGNATURE = r"(?i)(signature[\"']?\s*(?:=|:|%3d|\\u003d)\s*[\"']?)[0-9a-z+/%=_-]{16,}"
_USER = r"(?<=://)[^/?#]*@"
_QUERY = r"(?s)(://[^?#]*)[?#].*"
_LETTERS = r"%(?:25)*[3-7][0-9A-Fa-f]|\\(?:u00|x)[3-7]|&(?:amp;)*#"
"""Letters and digits that are encoded, although no encoder has to: then no part of a secret may stand as it is."""


class _Form(Struct, frozen=True):
    """One spelling of a secret: `anchor` is a part of its head that most encodings leave as it is."""

    spelling: str
    anchor: str


_known: dict[str, None] = {}


def remember(*secrets: str | None) -> None:
    """From now on these are taken out of every text that leaves this process."""
    for secret in secrets:
        if secret is not None and len(secret) >= _SHORTEST:
            _known.setdefault(secret)


def remember_fields(fields: object) -> None:
    """Remember every text, at any depth, under a name that means a secret."""
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            if isinstance(value, str):
                remember(value if is_secret(str(name)) else None)
            else:
                remember_fields(value)
    elif isinstance(fields, list | tuple):
        for value in fields:
            remember_fields(value)


def remember_variables(environ: Mapping[str, str]) -> None:
    """Remember the secrets in variables: those of 8 characters and more, under a name that means one."""
    for name, value in environ.items():
        if len(value) >= _ENCODED_FROM and is_secret(name):
            remember(value)


@lru_cache(maxsize=4096)  # the same headers go with every request
def is_secret(name: str) -> bool:
    """Whether the value of a name is a secret, and neither an id nor the path of a file."""
    return re.search(_NAME, name) is not None and re.search(_NO_NAME, name) is None


def redact(text: str) -> str:
    """The text without any secret that was remembered, and without signatures."""
    return _without(re.sub(_SIGNATURE, rf"\1{HIDDEN}", text), tuple(_known))


def redact_all(value: Any) -> Any:
    """A record of texts, lists and mappings with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact_all(name): redact_all(each) for name, each in value.items()}
    return [redact_all(each) for each in value] if isinstance(value, list | tuple) else value


def bare_urls(text: str) -> str:
    """The text with every URL in it cut down to scheme, host and path: the rest may be a way to sign in."""
    return re.sub(_QUERY, r"\1", re.sub(_USER, "", text)) if "://" in text else text


def redact_sent(text: str, secrets: Iterable[str | None]) -> str:
    """A part of an answer without the secrets of its request. Short ones stay: they could be words of the data."""
    return _without(text, [secret for secret in secrets if secret is not None and len(secret) >= _SURE])


def redact_reply(content: bytes, secrets: Iterable[str | None]) -> bytes:
    """The same for a body."""
    text = content.decode("latin-1")
    clean = redact_sent(text, secrets)
    return content if clean is text else clean.replace(HIDDEN, "...").encode("latin-1")


def _without(text: str, secrets: Iterable[str]) -> str:
    encoded = re.search(_LETTERS, text) is not None
    for secret in secrets:
        for form in _forms(secret):
            if encoded or form.anchor in text:
                text = _cut(text, form.spelling)
    return text


def _cut(text: str, spelling: str) -> str:
    head = _head(spelling[:_HEAD])
    parts, position = [], 0
    while match := head.search(text, position):
        end = match.end()
        for char in spelling[_HEAD:]:
            following = _char(char).match(text, end)
            if following is None:
                break
            end = following.end()
        parts += [text[position : match.start()], HIDDEN]
        position = end
    return "".join([*parts, text[position:]]) if parts else text


@lru_cache(maxsize=4096)
def _head(head: str) -> re.Pattern[str]:
    return re.compile("".join(map(_written, head)))  # compiled only for a text that may hold it: it takes milliseconds


@lru_cache(maxsize=4096)
def _forms(secret: str) -> tuple[_Form, ...]:
    spellings = [secret]
    raw = secret.encode()
    if len(secret) >= _ENCODED_FROM:
        spellings += [_base64(raw, before) for before in range(3)] + [raw.hex(), raw.hex().upper()]
    return tuple(_form(spelling) for spelling in dict.fromkeys(spellings))


def _form(spelling: str) -> _Form:
    head = spelling[:_HEAD]
    anchor = max(re.findall(_RUN, head), key=len, default="")
    return _Form(spelling=spelling, anchor=anchor)


def _base64(raw: bytes, before: int) -> str:
    """The part of base64 that does not depend on what stands around, after `before` bytes of something else."""
    whole = b64encode(bytes(before) + raw).decode()
    return whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]


@cache
def _char(char: str) -> re.Pattern[str]:
    return re.compile(_written(char))


@cache
def _written(char: str) -> str:
    """A pattern of one character as others write it: `%2B`, `%252b`, a JSON escape, an HTML entity, base64 for URLs."""
    code = ord(char)
    other = re.escape(char) if char.isalnum() else rf"\\*{re.escape(char)}"
    plain = {"+": r"[+\- ]", "/": r"\\*[/_]"}.get(char, other)
    if code > 0xFF:
        return plain
    hexed = f"(?i:{code:02x})"
    return rf"(?:{plain}|%(?:25)*{hexed}|\\+(?:u00|x){hexed}|&(?:amp;)*#(?:[xX]0*{hexed}|0*{code});)"


def secrets_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets in headers that are sent, a session token or a bearer token; what signs one request is none."""
    names = []
    for name, value in headers.items():
        bearer = name.lower() == "authorization" and "signature" not in value.lower()
        if (bearer or is_secret(name)) and len(value) >= _HEADER and not value.isdigit():
            names += [value, value.rpartition(" ")[2]]
    return tuple(dict.fromkeys(names))
