"""How long the campaigns are, and what they add up to."""

from collections import Counter

import pytest

FIGURES: Counter[str] = Counter()
"""What the campaigns of this process did, for the last lines of a soak."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak N`: N random cases instead of the few of the suite, and every kill. `--grid`: the whole grid."""
    parser.addoption("--grid", action="store_true", help="every fault at every action instead of a few of them")
    parser.addoption("--soak", type=int, default=0, help="random fault cases to run, and the long campaign of kills")
    parser.addoption("--first-seed", type=int, default=0, help="the seed of the first random fault case")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> int:
    """How many random cases a soak wants; 0 is no soak."""
    return int(request.config.getoption("soak", 0) or 0)


@pytest.fixture(scope="session")
def whole_grid(request: pytest.FixtureRequest) -> bool:
    """Whether every case of the grid is to be played."""
    return bool(request.config.getoption("grid", False))


@pytest.fixture(scope="session")
def first_seed(request: pytest.FixtureRequest) -> int:
    """Where to begin, to repeat one case."""
    return int(request.config.getoption("first_seed", 0) or 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of a soak or a grid."""
    config = terminalreporter.config
    if FIGURES and (config.getoption("soak", 0) or config.getoption("grid", False)):
        terminalreporter.section("figures")
        for name, count in sorted(FIGURES.items()):
            terminalreporter.line(f"{count:8}  {name}")
