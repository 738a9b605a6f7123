"""The two places where a journal can be: a file, and a database of a real PostgreSQL."""

from pathlib import Path

import pytest

from journal.places import Place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty journal in each of the two places."""
    file = tmp_path / "state" / "journal.sqlite3"
    return Place(str(file) if request.param == "sqlite" else request.getfixturevalue("team_url"), file)
