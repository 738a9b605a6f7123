"""What is loaded and what is not: a command pays for the cloud that it talks to and for nothing else."""

from collections.abc import Mapping

from outside import COMMAND, KILLED, TENCENT, Done, Outside

DRAWN, STORED = {"rich"}, {"sqlite3"}
MOST_MODULES = 105
"""What one cancel of a Tencent run loads of this program; `docs/layout.md` has the figure."""
SDKS = {
    *("botocore", "boto3", "urllib3", "tencentcloud"),
    *("alibabacloud_credentials", "alibabacloud_tea_openapi", "Tea"),
}
NEVER = {"boto3", "requests", "aiohttp", "cryptography", "alibabacloud_tea_openapi", "Tea", "asyncio", "pydantic"}
ONE_OF_EACH = (COMMAND, KILLED, TENCENT)


def loaded(done: Done) -> set[str]:
    """Every top-level package that a command imported."""
    return {name.partition(".")[0] for name in modules(done)}


def modules(done: Done) -> set[str]:
    """Every module that a command imported, in a fork that named them."""
    return {*done.err.splitlines()[-1].split()}


def test_a_cancel_loads_few_modules_of_its_own(outside: Outside) -> None:
    (done,) = outside.forks(("cancel", TENCENT, "--yes", "-o", "ref"), modules=True)

    assert len({name for name in modules(done) if name.startswith("runcancel")}) <= MOST_MODULES


def test_a_status_loads_no_sdk(outside: Outside) -> None:
    for done in outside.forks(*(("status", ref, "-o", "json") for ref in ONE_OF_EACH), modules=True):
        assert not loaded(done) & (SDKS | DRAWN | STORED | NEVER), str(done)


def test_a_cancel_loads_the_journal_and_no_more(outside: Outside) -> None:
    for done in outside.forks(*(("cancel", ref, "--no-wait", "-o", "json") for ref in ONE_OF_EACH), modules=True):
        assert not loaded(done) & (SDKS | DRAWN | NEVER), str(done)


def completing(shell: str, line: str) -> dict[str, str]:
    return {"_RUNCANCEL_COMPLETE": shell, "_RUNCANCEL_LINE": line}


HELP: Mapping[tuple[str, ...], dict[str, str]] = {("--version",): {}, ("--help",): {}, ("cancel", "--help"): {}}


def test_what_asks_no_cloud_loads_no_sdk_no_table_and_no_database(outside: Outside) -> None:
    calls = {**HELP, ("history", "--help"): {}, (): completing("bash", "runcancel ca"), ("cancel", "nonsense"): {}}

    for done in outside.forks(*calls, own=[*calls.values()], modules=True):
        assert not loaded(done) & (SDKS | DRAWN | STORED | NEVER | {"tomllib"}), str(done)


def test_what_is_known_beforehand_is_said_before_anything_is_loaded(outside: Outside) -> None:
    calls = {**HELP, ("contexts", "add", "-h"): {}}
    words = {"bash": "runcancel ca", "zsh": "runcancel cancel --no", "fish": "runcancel list -o js"}
    lines = [completing(shell, line) for shell, line in words.items()]

    for done in outside.forks(*calls, *[()] * len(lines), own=[*calls.values(), *lines], modules=True):
        assert not loaded(done) & {"typer", "msgspec", "inspect"}, str(done)
