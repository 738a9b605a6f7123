"""What the tests from outside share: one sandbox per worker, put back to its start before every test."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databases import REQUIRED, NoServer, Server, shared
from hypothesis import HealthCheck, settings
from outside import Outside, warm
from workers import Workers

# The same examples every time, and a loaded machine is no failure.
settings.register_profile(
    "steady", max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
# For hours instead of seconds, with other examples every time: pytest --hypothesis-profile soak tests/fuzz
settings.register_profile("soak", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--workers N`: run the tests in so many processes; `workers.py` says how."""
    parser.addoption("--workers", type=int, default=0, help="run the tests in so many copies of one process")


def pytest_configure(config: pytest.Config) -> None:
    """What a background job or nohup ignores, its children ignore, too: the commands under test must not."""
    if config.option.workers:
        config.pluginmanager.register(Workers(config.option.workers, warm))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """While tests are collected hardly anything becomes garbage: looking for it took one second in five."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """What is loaded now stays until the end: nobody need look through it for garbage again.

    What tests leave is looked through more seldom than usual: looking took one second in twelve.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)


@pytest.fixture(scope="session")
def _worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with Outside(tmp_path_factory.mktemp("outside") / "home") as made:
        yield made


@pytest.fixture
def outside(_worker: Outside) -> Iterator[Outside]:
    """The command before a sandbox in its first state. Whatever a test does, nothing strange is requested."""
    _worker.reset()
    yield _worker
    assert not _worker.strange()


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Outside]]:
    """Starts a sandbox that the tests of a module share, for what takes seconds."""
    made: list[Outside] = []

    def start(**options: Any) -> Outside:
        made.append(Outside(tmp_path_factory.mktemp("shared") / "home", **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real PostgreSQL, one for all workers. Without one the test is skipped, or fails if one is required."""
    folder = tmp_path_factory.getbasetemp()
    try:
        with shared(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as server:
            yield server
    except NoServer as why:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and there is no PostgreSQL: {why}")
        pytest.skip(f"no PostgreSQL: {why}")


@pytest.fixture(scope="session")
def _migrated(postgres: Server) -> str:
    from runcancel.journal.postgres import PostgresDatabase

    url = postgres.create()
    database = PostgresDatabase.open(url)
    database.migrate()
    database.close()
    return url


@pytest.fixture
def team_url(postgres: Server, _migrated: str) -> str:
    """The URL of an empty team journal that has its tables."""
    postgres.execute("TRUNCATE runcancel.operations, runcancel.prunes CASCADE", database=_migrated.rpartition("/")[2])
    return _migrated
