"""One scope of AWS before the sandbox, or before a script."""

import os
from collections.abc import Iterator

import pytest
from fakes import HandClock

from providers.aws.scripted import Scripted, connect
from runcancel.providers.aws.cloud import Aws
from runcancel.sandbox import Sandbox, SandboxOptions


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def one_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(speed=0)) as started:
        yield started


@pytest.fixture
def box(one_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    one_box.reset()
    for name, value in one_box.environment().items():
        monkeypatch.setenv(name, value)
    return one_box


@pytest.fixture
def cloud(box: Sandbox, clock: HandClock) -> Aws:
    return connect(clock)


@pytest.fixture(scope="session")
def one_wire() -> Iterator[Scripted]:
    started = Scripted()
    yield started
    started.close()


@pytest.fixture
def wire(one_wire: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", one_wire.url)
    one_wire.asked.clear()
    one_wire.script = lambda action, params: {}
    return one_wire


@pytest.fixture
def scripted(wire: Scripted, clock: HandClock) -> Aws:
    return connect(clock)
