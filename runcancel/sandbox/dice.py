"""The dice of a book: everything random in it follows from a seed."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Draws:
    """The values drawn in one `repeated` block, and the state of the generator after it."""

    values: tuple[Any, ...]
    state: Any


class Dice:
    """Draws values that must not change: the dice of other worlds may return the same objects."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  ids that repeat, no secrets
        self._record: list[Any] | None = None
        self._replay: Iterator[Any] | None = None

    @contextmanager
    def repeated(self) -> Iterator[None]:
        """Keep the values that the block draws, and return them to the same block of other dice of the seed.

        A sandbox that is reset, and every other sandbox of the process, starts with the same ids.
        """
        blocks = _blocks(self._seed)
        if blocks:
            self._replay = iter(blocks[0].values)
            yield
            self._replay = None
            self._random.setstate(blocks[0].state)
        else:
            self._record = []
            yield
            blocks.append(_Draws(tuple(self._record), self._random.getstate()))
            self._record = None

    def draw(self, make: Callable[[random.Random], _Value]) -> _Value:
        """The value that `make` draws."""
        if self._replay is not None:
            earlier: _Value = next(self._replay)
            return earlier
        value = make(self._random)
        if self._record is not None:
            self._record.append(value)
        return value

    def uuid(self) -> str:
        return self.draw(_uuid)

    def code(self, length: int) -> str:
        return self.draw(lambda generator: code(generator, length))

    def hexadecimal(self, length: int) -> str:
        return self.draw(lambda generator: hexadecimal(generator, length))


def code(generator: random.Random, length: int) -> str:
    """Small letters and digits."""
    return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))


def hexadecimal(generator: random.Random, length: int) -> str:
    return f"{generator.getrandbits(4 * length):0{length}x}"


def _uuid(generator: random.Random) -> str:
    bits = hexadecimal(generator, 32)
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


@lru_cache(maxsize=256)
def _blocks(seed: str) -> list[_Draws]:
    """One entry once a block has ended; two worlds that are filled at the same time append equal ones."""
    return []
