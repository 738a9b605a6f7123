"""Listings page by page, and batches: every row once, whatever a list does while it is read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import JsonObject, text

T = TypeVar("T")
R = TypeVar("R")

_NAMED = 3  # targets in a message
_STUCK_AFTER = 3  # pages in a row that bring nothing new


def _same(_: JsonObject) -> int:
    return 0


def by_token(
    fetch: Callable[[str | None], tuple[Iterable[JsonObject], object]],
    *,
    key: Callable[[JsonObject], T],
    openness: Callable[[JsonObject], int] = _same,
) -> Iterator[JsonObject]:
    """All rows of a listing paged by token, each key once. `fetch` gets None first, returns rows and the next token.

    Of rows that contradict each other the one of greater `openness` counts: a later page may bring it after another. An
    absent or empty token ends the listing. Raises `Reason.UNPROVEN` for a token that comes twice.
    """
    token: str | None = None
    tokens: set[str] = set()
    ranks: dict[T, int] = {}
    while True:
        page, following = fetch(token)
        yield from _new(page, key, openness, ranks)
        token = text(following)
        if token is None:
            return
        if token in tokens:
            raise CloudError(Reason.UNPROVEN, "the listing repeats a page token and would never end")
        tokens.add(token)


def by_offset(
    fetch: Callable[[int], tuple[Sequence[JsonObject], int | None]],
    *,
    key: Callable[[JsonObject], T],
    size: int,
    openness: Callable[[JsonObject], int] = _same,
) -> Iterator[JsonObject]:
    """All rows of a listing paged by offset, each key once. `fetch` returns rows and the vendor's total, if any.

    Of rows that contradict each other the one of greater `openness` counts: a later page may bring it after another.
    The list may change while it is read, so a page may repeat rows. A page that brings nothing new although the total
    says there is more is no end: rows may have come in at the head. Raises `Reason.UNPROVEN` when that goes on.
    """
    offset = stuck = 0
    ranks: dict[T, int] = {}
    while True:
        page, total = fetch(offset)
        offset += min(len(page), size)  # a row given twice must not push another one out of sight
        count = len(ranks)
        yield from _new(page, key, openness, ranks)
        fresh = len(ranks) > count
        ended = offset >= total if total is not None else len(page) < size
        if not page or (ended and (fresh or total is None or len(ranks) >= total)):
            return
        stuck = 0 if fresh else stuck + 1
        if stuck >= _STUCK_AFTER:
            raise CloudError(Reason.UNPROVEN, "the listing repeats the same page and would never end")
        offset = 0 if ended else offset


def _new(
    page: Iterable[JsonObject],
    key: Callable[[JsonObject], T],
    openness: Callable[[JsonObject], int],
    counts: dict[T, int],
) -> Iterator[JsonObject]:
    """The rows of a page that are new, or more open than what was seen under their key before."""
    for name, row in merged(page, key, openness).items():
        rank = openness(row)
        if rank > counts.get(name, -1):
            counts[name] = rank
            yield row


def merged(
    page: Iterable[JsonObject], key: Callable[[JsonObject], T], openness: Callable[[JsonObject], int]
) -> dict[T, JsonObject]:
    """One row per key: of rows that contradict each other the one of greater `openness`."""
    by_key: dict[T, JsonObject] = {}
    for row in page:
        row_there = by_key.setdefault(name := key(row), row)
        if openness(row) > openness(row_there):
            by_key[name] = row
    return by_key


def first(items: Iterable[T], limit: int) -> Iterator[T]:
    """The first `limit` items; all when `limit` is 0."""
    return islice(items, limit) if limit else iter(items)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in pieces of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def halved(
    items: Sequence[T], ask: Callable[[Sequence[T]], R], *, spoils: Callable[[CloudError], bool]
) -> Iterator[tuple[Sequence[T], R | CloudError]]:
    """The answers to all items: a batch that is refused for its size or for one of its items is halved.

    `ask` gets a batch; `spoils` recognizes such a refusal. Yields each batch that was answered with its answer, and an
    item that is refused alone with the error. Raises every other `CloudError`.
    """
    try:
        answer: R | CloudError = ask(items)
    except CloudError as error:
        if not spoils(error):
            raise
        if len(items) > 1:
            middle = len(items) // 2
            yield from halved(items[:middle], ask, spoils=spoils)
            yield from halved(items[middle:], ask, spoils=spoils)
            return
        answer = error
    yield items, answer


def in_pieces(
    targets: Sequence[str],
    size: int,
    send: Callable[[Sequence[str]], str],
    *,
    about_one: Callable[[CloudError], bool],
) -> Iterator[str]:
    """Cancel targets in pieces of at most `size`, of everything without targets; yields the request ids.

    `about_one` recognizes the refusal of a piece for one of its ids. Such a piece is halved, so that one target that is
    gone does not keep the others running. Raises, after all others were sent, the first refusal of a target alone, with
    all `targets` that were refused. Any other `CloudError` ends it at once.
    """
    refused: dict[str, CloudError] = {}
    for piece in chunks(targets, size) if targets else ((),):
        for part, answer in halved(piece, send, spoils=about_one):
            if not isinstance(answer, CloudError):
                yield answer
            elif not part:
                raise answer
            else:
                refused[part[0]] = answer
    if refused:
        error = next(iter(refused.values()))
        error.targets = tuple(refused)
        error.message += f" (targets: {_shortened(error.targets)})"
        raise error


def _shortened(targets: Sequence[str]) -> str:
    more = f" and {len(targets) - _NAMED} more" if len(targets) > _NAMED else ""
    return ", ".join(targets[:_NAMED]) + more


def distinct(items: Iterable[T]) -> tuple[T, ...]:
    """The items without repetition, in their order."""
    return tuple(dict.fromkeys(items))
