"""What is loaded and what is not: a command pays for the cloud that it talks to and for nothing else."""

import subprocess
import sys

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

LOADED = "import sys; from runcancel.cli import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
DRAWN, STORED = {"rich"}, {"sqlite3"}
MOST_MODULES = 105
"""What one cancel of a Tencent run loads of this program; `docs/layout.md` has the figure."""
SDKS = {
    *("botocore", "boto3", "urllib3", "tencentcloud"),
    *("alibabacloud_credentials", "alibabacloud_tea_openapi", "Tea"),
}
NEVER = {"boto3", "requests", "aiohttp", "cryptography", "alibabacloud_tea_openapi", "Tea", "asyncio", "pydantic"}
ONE_OF_EACH = pytest.mark.parametrize("ref", [COMMAND, KILLED, TENCENT], ids=["aws", "alibaba", "tencent"])


def loaded(outside: Outside, *argv: str, **env: str) -> set[str]:
    """Every top-level package that a command imports."""
    return {name.partition(".")[0] for name in modules(outside, *argv, **env)}


def modules(outside: Outside, *argv: str, **env: str) -> set[str]:
    """Every module that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *argv],
        env={**outside.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def test_a_cancel_loads_few_modules_of_its_own(outside: Outside) -> None:
    own = {name for name in modules(outside, "cancel", TENCENT, "--yes", "-o", "ref") if name.startswith("runcancel")}

    assert len(own) <= MOST_MODULES


@ONE_OF_EACH
def test_a_status_loads_no_sdk(ref: str, outside: Outside) -> None:
    found = loaded(outside, "status", ref, "-o", "json")

    assert not found & SDKS
    assert not found & (DRAWN | STORED | NEVER)


@ONE_OF_EACH
def test_a_cancel_loads_the_journal_and_no_more(ref: str, outside: Outside) -> None:
    found = loaded(outside, "cancel", ref, "--no-wait", "-o", "json")

    assert not found & SDKS
    assert not found & (DRAWN | NEVER)


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (["--version"], {}),
        (["--help"], {}),
        (["cancel", "--help"], {}),
        (["history", "--help"], {}),
        ([], {"_RUNCANCEL_COMPLETE": "bash", "_RUNCANCEL_LINE": "runcancel ca"}),
        (["cancel", "nonsense"], {}),
    ],
    ids=["version", "help", "cancel help", "history help", "completion", "wrong usage"],
)
def test_what_asks_no_cloud_loads_no_sdk_no_table_and_no_database(
    argv: list[str], env: dict[str, str], outside: Outside
) -> None:
    assert not loaded(outside, *argv, **env) & (SDKS | DRAWN | STORED | NEVER | {"tomllib"})


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (["--version"], {}),
        (["--help"], {}),
        (["cancel", "--help"], {}),
        (["contexts", "add", "-h"], {}),
        ([], {"_RUNCANCEL_COMPLETE": "bash", "_RUNCANCEL_LINE": "runcancel ca"}),
        ([], {"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": "runcancel cancel --no"}),
        ([], {"_RUNCANCEL_COMPLETE": "fish", "_RUNCANCEL_LINE": "runcancel list -o js"}),
    ],
    ids=["version", "help", "cancel help", "action help", "a verb", "an option", "a word"],
)
def test_what_is_known_beforehand_is_said_before_anything_is_loaded(
    argv: list[str], env: dict[str, str], outside: Outside
) -> None:
    assert not loaded(outside, *argv, **env) & {"typer", "msgspec", "inspect"}
