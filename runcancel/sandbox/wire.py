"""What every pretended cloud shares on the wire: a request, a reply, a refusal, a page."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from runcancel.sandbox.world import Book, World

Document = dict[str, Any]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reused: bool = False  # its connection has served a request before
    _values: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = {name.lower(): value.strip() for name, value in reversed(self.headers)}
        object.__setattr__(self, "_values", values)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path or "/"

    def header(self, name: str) -> str:
        """The first value of a header, by its name in small letters."""
        return self._values.get(name, "")


@dataclass(slots=True)
class Reply:
    """What goes back, and how badly: faults edit it."""

    status: int
    body: bytes
    headers: dict[str, str]
    drop: bool = False
    cut: bool = False
    wait: float = 0.0
    drip: float = 0.0


class Refusal(Exception):
    """An error in the vendor's own words."""

    def __init__(self, status: int, code: str, message: str = "", **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra


@dataclass(slots=True)
class Call:
    """One parsed request: the caller, the action, the service and the region. Faults may change the paging."""

    provider: str
    service: str
    action: str
    account: int
    region: str
    params: Document
    version: str = ""
    principal: str = ""
    overlap: int = 0
    changed: bool = False
    reused: bool = False

    def size(self) -> int:
        """How much one request takes: ids that are named, or rows of a page."""
        lists = [len(value) for value in self.params.values() if isinstance(value, list)]
        pages = [int(self.params.get(name) or 0) for name in ("Limit", "MaxResults", "maxResults")]
        return max(lists) if lists and "Offset" not in self.params else max(*pages, 0)

    def texts(self) -> Iterator[str]:
        yield from _texts(self.params)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


@dataclass(frozen=True, slots=True)
class Action:
    """`rows`: the keys of the list in the reply; `cancels`: it changes the world; `rate`: calls in `per` seconds."""

    answer: Callable[[World, Book, Call], Document]
    rows: tuple[str, ...] = ()
    cancels: bool = False
    rate: float | None = None
    per: float = 1.0


class Dialect(Protocol):
    """How one cloud speaks."""

    provider: str

    def read(self, request: Request) -> Call: ...
    def action_of(self, call: Call) -> Action: ...
    def accept(self, call: Call, document: Document, request_id: str) -> Reply: ...
    def refuse(self, request: Request, refusal: Refusal, request_id: str) -> Reply: ...
    def throttled(self, call: Call) -> Refusal: ...
    def denied(self, call: Call) -> Refusal: ...
    def expired(self, call: Call) -> Refusal: ...
    def skewed(self, call: Call) -> Refusal: ...
    def broken(self, call: Call, status: int) -> Refusal: ...
    def not_stoppable(self, call: Call) -> Refusal: ...


def encode(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Any]
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """An opaque token that only continues the query it came from."""

    call: Call
    bad_token: Refusal

    def _query(self) -> str:
        call = self.call
        same = {key: value for key, value in call.params.items() if key not in ("NextToken", "MaxResults")}
        text = json.dumps([call.action, call.account, call.region, same], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def write(self, offset: int | None) -> str:
        return "" if offset is None else base64.b64encode(f"{self._query()}:{offset}".encode()).decode()

    def read(self, token: str | None) -> int:
        if not token:
            return 0
        try:
            query, offset = base64.b64decode(token, validate=True).decode().split(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise self.bad_token from None
        if query != self._query():
            raise self.bad_token
        return int(offset)


def page(rows: Sequence[Row], *, offset: int, size: int, keep: Callable[[Row], bool], overlap: int = 0) -> Page:
    """One page of what `keep` keeps; the offset counts unfiltered rows, so a long list is never judged twice.

    `overlap` pretends that so many new rows arrived at the head since the page before.
    """
    start = max(0, offset - overlap) if offset else 0
    rows_of_page: list[Row] = []
    for index in range(start, len(rows)):
        if keep(rows[index]):
            if len(rows_of_page) == size:
                return Page(rows_of_page, index)
            rows_of_page.append(rows[index])
    return Page(rows_of_page, None)


def token_page(
    rows: Sequence[Row], call: Call, *, size: int, keep: Callable[[Row], bool], bad_token: Refusal
) -> tuple[list[Row], str]:
    """A page and the token of the next one, empty when there is none."""
    cursor = Cursor(call, bad_token)
    offset = cursor.read(call.params.get("NextToken"))
    rows_of_page = page(rows, offset=offset, size=size, keep=keep, overlap=call.overlap)
    return rows_of_page.rows, cursor.write(rows_of_page.next_offset)
