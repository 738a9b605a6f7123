"""What a command's session has from its start to its end."""

import os
from pathlib import Path

import pytest

from runcancel.cli import options
from runcancel.cli.session import Session


def test_a_session_has_the_variables_of_its_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Threads read them while the session of an SDK takes the empty ones out of the process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "")
    session = Session.open("status", options.Everywhere(provider=["aws"]))

    before = dict(session.settings.environ)
    del os.environ["AWS_PROFILE"]

    assert session.settings.environ == before
