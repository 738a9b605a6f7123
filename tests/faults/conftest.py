"""How long the campaigns are, and what they add up to."""

from collections import Counter

import pytest

FIGURES: Counter[str] = Counter()
"""What the campaigns of this process did, for the last lines of a soak."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak N`: N random cases instead of the few of the suite, and every kill."""
    parser.addoption("--soak", type=int, default=0, help="random fault cases to run, and the long campaign of kills")
    parser.addoption("--first-seed", type=int, default=0, help="the seed of the first random fault case")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> int:
    """How many random cases a soak wants; 0 is no soak."""
    return int(request.config.getoption("soak", 0) or 0)


@pytest.fixture(scope="session")
def first_seed(request: pytest.FixtureRequest) -> int:
    """Where to begin, to repeat one case."""
    return int(request.config.getoption("first_seed", 0) or 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of a soak."""
    if FIGURES and terminalreporter.config.getoption("soak", 0):
        terminalreporter.section("figures")
        for name, count in sorted(FIGURES.items()):
            terminalreporter.line(f"{count:8}  {name}")
