"""Clouds that stand still or move, and scopes of theirs opened as the program does."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from fakes import HandClock
from outside import Outside

from contract.examples import EXAMPLES
from runcancel.model.runs import Scope
from runcancel.providers import provider
from runcancel.providers.base import Cloud, Connection
from runcancel.runtime.throttle import Pace, Tries

TRIES = Tries(throttled=30.0, within=3.0)
"""Enough for two repetitions, on a clock that is moved by hand."""

Connect = Callable[..., Cloud]


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Clouds in which time stands still, for tests that only read."""
    return begin(speed=0, runs=[example.added for example in EXAMPLES if example.added])


@pytest.fixture
def moving(outside: Outside) -> Outside:
    """Clouds in their first state in which cancels take their time."""
    for example in EXAMPLES:
        if example.added:
            spec = dict(example.added)
            outside.add(spec.pop("provider"), **spec)
    return outside


@pytest.fixture
def clock() -> HandClock:
    """The time that calls are paced by."""
    return HandClock()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, clock: HandClock) -> Connect:
    """Opens a scope; botocore reads the variables of this very process. A variable that is None is taken away."""

    def open_(
        at: Outside, scope: Scope, *, env: Mapping[str, str | None] = MappingProxyType({}), **options: Any
    ) -> Cloud:
        given: dict[str, str | None] = {**at.environ, **env}
        environ = {key: value for key, value in given.items() if value is not None}
        for key in ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", *env):
            monkeypatch.delenv(key, raising=False)
        for key, value in environ.items():
            monkeypatch.setenv(key, value)
        endpoint = environ.get(f"RUNCANCEL_{scope.provider.upper()}_ENDPOINT_URL")
        connection = Connection(scope=scope, **{"endpoint_url": endpoint, "read_timeout": 1.0, **options})
        return provider(scope.provider).connect(connection, environ, Pace(clock, tries=lambda: TRIES))

    return open_
