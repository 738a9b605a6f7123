"""Collected only when RUNCANCEL_PEERS names the virtual environment of the vendors' CLIs (`make test-peers`)."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .bench import Bench

PEERS = os.environ.get("RUNCANCEL_PEERS")
collect_ignore_glob = [] if PEERS else ["test_*.py"]


@pytest.fixture(scope="session")
def peers() -> Path:
    """Where `aws` and `tccli` stand."""
    folder = Path(PEERS or "") / "bin"
    missing = [name for name in ("aws", "tccli") if not (folder / name).exists()]
    assert not missing, f"RUNCANCEL_PEERS={PEERS} has no {' and no '.join(missing)}; `make test-peers` installs them"
    return folder


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder with the vendors' SDKs for Node.js."""
    folder = Path(PEERS or "") / "node"
    if not (folder / "node_modules").is_dir():
        why = "npm was not on PATH, or could not install them, when `make test-peers` installed the peers"
        pytest.skip(f"{folder} has no SDKs for Node.js: {why}")
    return folder


@pytest.fixture(scope="module")
def still(peers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A world that stands still, for tests that only read."""
    with Bench(peers, tmp_path_factory.mktemp("home"), speed=0) as bench:
        yield bench


@pytest.fixture
def start(peers: Path, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a world of the test's own; with `tick=1` every request moves it by a second."""
    made: list[Bench] = []

    def begin(**options: Any) -> Bench:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        made.append(Bench(peers, home, **options))
        return made[-1]

    yield begin
    for bench in made:
        bench.close()


@pytest.fixture
def moving(start: Callable[..., Bench]) -> Bench:
    """A world of the test's own that moves with every request."""
    return start(tick=1)
