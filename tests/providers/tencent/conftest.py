"""The scope that the tests of one vendor speak of."""

from functools import partial

import pytest
from opened import GUANGZHOU, Open


@pytest.fixture
def opened(open_at: Open) -> Open:
    return partial(open_at, GUANGZHOU)
