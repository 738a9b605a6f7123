"""A sandbox whose replies are changed on their way out: real ones, with something in them that should not be."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from runcancel.sandbox import Sandbox
from runcancel.sandbox.wire import Reply, Request

EVERY = -1
"""A step into every element of a list at once."""

_DEEP = "@@deep@@"  # stands in a document for nesting that no encoder here can write
_DEPTHS = (200, 700, 930, 100_000)

WORDS = (
    *("Success", "Cancelled", "Cancelling", "Terminated", "Stopped", "Pending", "InProgress", "Failed", "TimedOut"),
    *("SUCCESS", "CANCELLED", "CANCELLING", "TERMINATED", "PARTIAL_CANCELLED", "IN_PROGRESS", "RUNNING", "Running"),
)
STRANGE_WORDS = ("HIBERNATING", "cancelled ", "Cancelled\x00", "SUCCESS?", "ＳＵＣＣＥＳＳ", "Succeß", "", "0", "null")
_TIMES = (
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00Z"),
    *("2026-02-30", "20261121T0300", "2026-W47-6", "now", 253402300800, -62135596801, -1, 1e18, 1e308),
)
_NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, float("nan"), float("inf"), float("-inf"), 0.5)
_TEXTS = (
    *("\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe", "\ud800", "\udfff\ud800", "a\tb\r\nc", "\x9b31m", "\u200b", "[/]"),
    *("{}", "[1", "i-0\x00", "i-00000000000000001\nx", "-1", "1e9", "٣", "A" * 5000, "=cmd|'/c calc'!A1", "\U000e0041"),
)
_SHAPES: tuple[Any, ...] = (
    None,
    True,
    False,
    {},
    [],
    [[]],
    [None],
    {"": None},
    {"Invocation": {}},
    [{}],
    [[{}]],
    _DEEP,
)

_value = st.sampled_from([*WORDS, *STRANGE_WORDS, *_TIMES, *_NUMBERS, *_TEXTS, *_SHAPES]) | st.text(max_size=8)


@dataclass(frozen=True)
class Change:
    """One lie: where in the document, and what happens there.

    `steps` lead down from the root; each is taken modulo the size of what it leads into.
    """

    sort: str
    steps: tuple[int, ...] = ()
    value: Any = None
    depth: int = 0

    def apply(self, reply: Reply) -> None:
        raw = _RAW.get(self.sort)
        if raw is not None:
            raw(self, reply)
            return
        try:
            document = json.loads(reply.body)
        except (ValueError, RecursionError):
            reply.body = _in_markup(reply.body, self)
            return
        root = {"": document}
        if self.sort == "everywhere":
            _everywhere(document, self)
        else:
            _walk(root, (0, *self.steps), self)
        text = json.dumps(root[""])
        nested = "[" * self.depth + "]" * self.depth
        reply.body = text.replace(json.dumps(_DEEP), nested).encode()


_STRUCTURAL = ("replace", "replace", "replace", "drop", "rename", "wrap", "twice", "empty", "text", "swap")

_steps = st.lists(st.just(EVERY) | st.integers(0, 40), min_size=3, max_size=8).map(tuple)
_field = st.builds(Change, st.just("everywhere"), st.tuples(st.integers(0, 60)), _value, st.sampled_from(_DEPTHS))
_place = st.builds(Change, st.sampled_from(_STRUCTURAL), _steps, _value, st.sampled_from(_DEPTHS))
_whole = st.builds(
    Change,
    st.sampled_from(["cut", "flip", "status", "type", "body", "header"]),
    st.tuples(st.integers(0, 10_000)),
    st.sampled_from([b"", b"null", b"[]", b"{}", b"\xff\xfe", b"<html>busy</html>", b"NaN", b'"x"', b"[" * 100_000]),
)
lies = st.one_of(
    st.tuples(_field),
    st.tuples(_field, _field),
    st.tuples(_place),
    st.lists(_field | _place, min_size=2, max_size=4).map(tuple),
    st.tuples(_whole),
)
"""One to four changes, made to every reply: mostly small ones, so that what is read is a lie and not a ruin."""


def _everywhere(document: Any, change: Change) -> None:
    """Give a field the value in every object that has it."""
    objects = list(_objects(document))
    names = sorted({name for one in objects for name in one})
    if names:
        name = names[change.steps[0] % len(names)]
        for one in objects:
            if name in one:
                one[name] = change.value


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _walk(holder: Any, steps: Sequence[int], change: Change) -> None:
    """Follow the steps and change what the last one leads to; a scalar ends the way early."""
    keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys:
        return
    step, *rest = steps
    chosen = keys if step == EVERY and isinstance(holder, list) else [keys[step % len(keys)]]
    for key in reversed(chosen):
        inner = holder[key]
        if rest and isinstance(inner, dict | list) and inner:
            _walk(inner, rest, change)
        else:
            _change(holder, key, change)


def _change(holder: Any, key: Any, change: Change) -> None:
    value = holder[key]
    if change.sort == "replace":
        holder[key] = change.value
    elif change.sort == "drop":
        del holder[key]
        if key == "":
            holder[key] = None
    elif change.sort == "rename" and isinstance(holder, dict) and key:
        holder[f"{key}X"] = holder.pop(key)
    elif change.sort == "wrap":
        holder[key] = [value] if change.depth == _DEPTHS[0] else {"": value}
    elif change.sort == "twice" and isinstance(holder, list):
        holder.append(value)
    elif change.sort == "empty":
        holder[key] = type(value)() if value is not None else ""
    elif change.sort == "text":
        holder[key] = json.dumps(value)
    elif change.sort == "swap" and isinstance(holder, list):
        holder.reverse()


def _in_markup(body: bytes, change: Change) -> bytes:
    """The same for the two AWS services that answer in XML: another text in one element."""
    found = list(re.finditer(rb">([^<]*)<", body))
    if not found:
        return body
    at = found[sum(change.steps) % len(found)]
    if change.sort == "drop":
        return body[: at.start()] + body[at.end() :]
    text = str(change.value).encode("utf-8", "surrogatepass")
    return body[: at.start(1)] + text + body[at.end(1) :]


def _cut(change: Change, reply: Reply) -> None:
    reply.body = reply.body[: change.steps[0] % (len(reply.body) + 1)]


def _flip(change: Change, reply: Reply) -> None:
    if reply.body:
        at = change.steps[0] % len(reply.body)
        reply.body = reply.body[:at] + bytes([reply.body[at] ^ 0x80]) + reply.body[at + 1 :]


def _status(change: Change, reply: Reply) -> None:
    reply.status = (200, 201, 203, 301, 302, 307, 400, 403, 404, 409, 429, 500, 503, 599)[change.steps[0] % 14]
    reply.headers["Location"] = "http://127.0.0.1:9/"


def _type(change: Change, reply: Reply) -> None:
    reply.headers["Content-Type"] = ("text/html", "application/xml", "", "application/json; charset=utf-16")[
        change.steps[0] % 4
    ]


def _body(change: Change, reply: Reply) -> None:
    reply.body = change.value


def _header(change: Change, reply: Reply) -> None:
    names = ("x-amzn-RequestId", "x-amz-crc32", "Retry-After", "x-amz-retry-after", "x-acs-retry-after")
    values = ("", "-1", "nan", "1e999", "0", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT")
    reply.headers[names[change.steps[0] % 5]] = values[change.steps[0] % 7]


_RAW: Mapping[str, Any] = {
    "cut": _cut,
    "flip": _flip,
    "status": _status,
    "type": _type,
    "body": _body,
    "header": _header,
}


@dataclass
class Telling:
    """What a liar tells: the changes, to which actions (all when empty), and the last body that it sent."""

    changes: tuple[Change, ...] = ()
    sent: list[bytes] = field(default_factory=list)


class Liar(Sandbox):
    """`telling.changes` are made to every reply from now on."""

    telling = Telling()

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        for change in self.telling.changes:
            change.apply(reply)
        self.telling.sent.append(reply.body)
        return reply
