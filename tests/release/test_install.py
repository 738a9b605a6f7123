"""The ways of docs/install.md that use what `make dist` has written."""

import os
import sys
from pathlib import Path

import pytest
from recipes import BLOCKS, installed

from runcancel import __version__

HERE = ("tar", "wheelhouse")


@pytest.mark.parametrize("way", HERE)
def test_a_way_to_install(dist: Path, tmp_path: Path, way: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "dist").symlink_to(dist)
    (place / "python3").symlink_to(
        Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    )
    done = installed(way, tmp_path / "home", place, f"{place}:{os.defpath}")
    assert done.returncode == 0, done.stderr
    assert f"runcancel {__version__}\n" in done.stdout


def test_every_way_of_the_page_is_tried() -> None:
    assert BLOCKS.keys() == {"uv", "pipx", "pip", *HERE}
