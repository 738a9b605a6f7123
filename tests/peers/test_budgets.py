"""The budgets of one process, by the instructions that it executes: `benchmarks/budgets.py` has the bounds."""

from collections.abc import Sequence

import pytest

from benchmarks.budgets import BUDGETS
from benchmarks.instructions import Counter, counter, counts
from benchmarks.place import AWS_V2, tools


@pytest.fixture
def count_with() -> Counter:
    """What counts here: `perf` or valgrind."""
    found = counter()
    if found is None:
        pytest.skip("neither perf nor valgrind can count instructions here")
    return found


@pytest.mark.parametrize(
    "keys",
    [
        ["version", "help", "completion"],
        ["aws status", "aws cancel"],
        ["aws v1 status", "aws v1 cancel"],
        ["tencent status", "tencent cancel"],
        ["alibaba status", "alibaba cancel"],
    ],
    ids=lambda keys: keys[0],
)
def test_one_process_keeps_its_budget(keys: Sequence[str], count_with: Counter) -> None:
    if keys[0] == "aws status" and "aws v2" not in tools():
        pytest.skip(f"no aws of version 2 on the path or in {AWS_V2}")

    ratios = {one.budget: one.ratio for one in counts(count_with, of=keys)}

    assert sorted(ratios) == sorted(keys)
    assert {key: ratio for key, ratio in ratios.items() if ratio > (BUDGETS[key].tested or 0)} == {}
