"""The thread that uses a team's database: whoever waits for it gives it up in time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runcancel.errors import JournalError
from runcancel.journal.courier import Courier


class Slow:
    """A database whose every transaction takes its time, below the limit of a step."""

    newest_first, clock = "id", "0"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.transactions = 0

    def check(self) -> None:
        return

    def close(self) -> None:
        return

    def lock(self, db: Any, id: str) -> None:
        return

    def has(self, table: str) -> bool:
        return True

    @contextmanager
    def used(self) -> Iterator[Any]:
        with self.changed() as db:
            yield db

    @contextmanager
    def changed(self) -> Iterator[Any]:
        self.transactions += 1
        time.sleep(self._seconds)
        yield None


def test_what_is_posted_meanwhile_goes_into_one_transaction() -> None:
    database, done = Slow(0.05), list[int]()
    courier = Courier(lambda limit: database, "the team journal")
    for number in range(100):
        courier.post(lambda journal, number=number: done.append(number))
    courier.close()

    assert done == list(range(100)), "in their order"
    assert database.transactions < 50


def test_a_server_that_is_too_slow_is_given_up_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runcancel.journal.courier._END", 0.2)
    monkeypatch.setattr("runcancel.journal.courier._TOGETHER", 1)
    courier = Courier(lambda limit: Slow(0.1), "the team journal")
    for _ in range(100):
        courier.post(lambda journal: None)

    with pytest.raises(JournalError, match="no reply within"):
        courier.close()
    with pytest.raises(JournalError):
        courier.post(lambda journal: None)


def test_the_first_failure_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(limit: object) -> Any:
        raise JournalError("the team journal is nowhere")

    courier = Courier(refuse, "the team journal")
    for _ in range(2):
        with pytest.raises(JournalError, match="nowhere"):
            courier.call(lambda journal: None)


def test_a_step_that_hangs_is_given_up_although_its_thread_does_not_return() -> None:
    def hang(limit: Any) -> Any:
        limit(0.05)
        time.sleep(60)

    courier = Courier(hang, "the team journal")

    with pytest.raises(JournalError, match=r"no reply within 0.05 s"):
        courier.call(lambda journal: None)
