"""What `pytest --workers` reports is what pytest reports, and a worker that dies is no test that passes."""

import os
import subprocess
import sys
from pathlib import Path

_CONFTEST = """
import pytest
from workers import Workers


def pytest_configure(config):
    config.pluginmanager.register(Workers(2, lambda: None))
"""
_EVERY_ENDING = """
import os, warnings
import pytest


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    yield tmp_path_factory.mktemp("shared")
    print("taken down")


def test_passes(shared):
    warnings.warn("mind the gap")


def test_fails(shared):
    print("what it printed")
    assert 1 + 1 == 3


def test_is_skipped():
    pytest.skip("not here")


@pytest.mark.xfail(reason="not yet")
def test_is_expected_to_fail():
    raise ValueError
"""
_DIES = "import os\n\n\ndef test_dies():\n    os._exit(0)\n\n\ndef test_never_begins():\n    pass\n"


def _said(folder: Path, *options: str, **files: str) -> tuple[int, str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", *options]
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_ending_is_reported(tmp_path: Path) -> None:
    code, said = _said(tmp_path, conftest=_CONFTEST, test_every=_EVERY_ENDING, test_dies=_DIES)

    assert code == 1, said
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 warning, 2 errors" in said
    assert "assert (1 + 1) == 3" in said
    for part in ("what it printed", "mind the gap", "not here", "test_dies.py::test_dies", "::test_never_begins"):
        assert part in said, part


def test_it_stops_where_pytest_is_told_to(tmp_path: Path) -> None:
    many = "\n\n".join(f"def test_{number}():\n    assert False" for number in range(100))

    code, said = _said(tmp_path, "-x", conftest=_CONFTEST, test_many=many)

    assert code == 1, said
    assert "stopping after" in said
    assert said.count("FAILED") < 20, said
