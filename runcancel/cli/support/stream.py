"""Rows of one run, chunk by chunk from a worker, so that memory stays limited and signals are noticed."""

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import TypeVar

from runcancel.cli.session import Session
from runcancel.model.runs import Ref
from runcancel.providers.base import Cloud

T = TypeVar("T")


def in_chunks(session: Session, ref: Ref, read: Callable[[Cloud], Iterator[T]], *, chunk: int) -> Iterator[T]:
    """What `read` yields of the run's cloud, at most `chunk` rows fetched ahead. Raises `CloudError`, `Interrupted`."""
    opened: list[Iterator[T]] = []

    def some(_: int) -> list[T]:
        if not opened:
            opened.append(read(session.clouds.at(ref.scope)))
        return list(islice(opened[0], chunk))

    for number in count():
        (done,) = session.workers.map(some, (number,), queue=lambda _: ref.scope)
        rows = done.value()
        yield from rows
        if len(rows) < chunk:
            return
