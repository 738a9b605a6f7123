"""The dice of a book: everything random in it follows from a seed."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

_Drawn = TypeVar("_Drawn")


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
        self._recorded: list[Any] | None = None
        self._replayed: Iterator[Any] | None = None

    @contextmanager
    def repeated(self) -> Iterator[None]:
        """Keep the values that the block draws, and return them to the same block of other dice of the seed.

        A sandbox that is reset, and every other sandbox of the process, starts with the same ids.
        """
        known = _known(self._seed)
        if known:
            self._replayed = iter(known[0].values)
            yield
            self._replayed = None
            self._random.setstate(known[0].state)
        else:
            self._recorded = []
            yield
            known.append(_Draws(tuple(self._recorded), self._random.getstate()))
            self._recorded = None

    def draw(self, make: Callable[[random.Random], _Drawn]) -> _Drawn:
        """The value that `make` draws."""
        if self._replayed is not None:
            replayed: _Drawn = next(self._replayed)
            return replayed
        drawn = make(self._random)
        if self._recorded is not None:
            self._recorded.append(drawn)
        return drawn

    def uuid(self) -> str:
        return self.draw(_uuid)

    def code(self, length: int) -> str:
        """Small letters and digits."""
        return self.draw(lambda dice: "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length)))

    def hexadecimal(self, length: int) -> str:
        return self.draw(lambda dice: f"{dice.getrandbits(4 * length):0{length}x}")

    def below(self, end: int) -> int:
        return self.draw(lambda dice: dice.randrange(end))


def _uuid(dice: random.Random) -> str:
    bits = f"{dice.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


@lru_cache(maxsize=256)
def _known(seed: str) -> list[_Draws]:
    """One entry once a block has ended; two worlds that are filled at the same time append equal ones."""
    return []
