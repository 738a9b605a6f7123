"""Scopes before a sandbox of their own."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fakes import HandClock
from opened import Open

from runcancel.model.runs import Scope
from runcancel.providers import provider
from runcancel.providers.base import Cloud, Connection
from runcancel.runtime.throttle import Pace, Tries
from runcancel.sandbox import Sandbox, SandboxOptions

TRIES = Tries(throttled=3.0, within=3.0)
"""Enough for two repetitions, on a clock that is moved by hand."""


@pytest.fixture
def open_at() -> Iterator[Open]:
    """Starts a sandbox with faults and connects to a scope in it; nothing moves but by requests."""
    with ExitStack() as boxes:

        def start(scope: Scope, *faults: str, tick: float = 0.5, **options: Any) -> tuple[Sandbox, Cloud]:
            box = boxes.enter_context(Sandbox(SandboxOptions(tick=tick, faults=faults, **options)))
            environ = {"HOME": "/nowhere", **box.environment()}
            connection = Connection(scope=scope, endpoint_url=box.url, read_timeout=5)
            return box, provider(scope.provider).connect(connection, environ, Pace(HandClock(), tries=lambda: TRIES))

        yield start
