"""Where a benchmark runs: a sandbox, a fresh home, an environment that leads nowhere else, and the commands."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from runcancel.sandbox import Sandbox, SandboxOptions, profiles
from runcancel.sandbox.control import add_runs
from runcancel.sandbox.isolation import child_environment

BIN = Path(sys.executable).parent
RUNCANCEL = BIN / "runcancel"
AWS_V2 = "RUNCANCEL_AWS_V2"
"""The variable that names an `aws` of version 2 that is not on the path."""
SCRIPTS = Path(__file__).parent / "scripts"
REGIONS: Mapping[str, Sequence[str]] = {
    "aws": ("us-east-1", "us-east-2", "eu-west-1", "ap-southeast-1"),
    "alibaba": ("cn-hangzhou", "cn-shanghai", "ap-southeast-1"),
    "tencent": ("ap-guangzhou", "ap-shanghai", "ap-singapore"),
}
HOME_REGION = {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}


class Place:
    """`environ` has one account's keys and the profiles of all."""

    def __init__(self, box: Sandbox, home: Path, *, accounts: int) -> None:
        self.box = box
        profiles.write(home, accounts)
        # Whoever runs this may have switched byte code off: then every start would compile the program anew.
        outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environ = child_environment(outer, box.environment(), home)

    def add(self, provider: str, *, account: int = 0, region: str = "", count: int = 1, **spec: Any) -> list[str]:
        """Add runs of 2 running and 1 pending target, unless told otherwise; their ids."""
        wanted = {"targets": {"running": 2, "pending": 1}, "settle": 0.1, **spec}
        kind = wanted.pop("kind", "command" if provider == "aws" else "invocation")
        place = {"provider": provider, "account": account, "region": region or HOME_REGION[provider]}
        return add_runs(self.box.world, {**place, "kind": kind, "count": count, **wanted})

    def calls(self) -> int:
        """How many API requests came since the last time this was asked."""
        count = len(self.box.log.shown())
        self.box.log.clear()
        return count


@contextmanager
def sandbox(
    *, accounts: int = 1, regions: int = 0, limits: bool = False, faults: Sequence[str] = ()
) -> Iterator[Place]:
    """A sandbox without runs; time goes as on a clock."""
    with (
        tempfile.TemporaryDirectory() as home,
        Sandbox(SandboxOptions(fleet=False, accounts=accounts, regions=regions, limits=limits, faults=faults)) as box,
    ):
        yield Place(box, Path(home), accounts=accounts)


def tools() -> dict[str, str]:
    """The vendors' command lines that are here: name to path. `aws v2` is on the path, or where AWS_V2 names it."""
    beside = os.environ.get("RUNCANCEL_PEERS", str(BIN.parent.parent / ".venv-peers")) + "/bin"
    found = {
        "aws v1": shutil.which("aws", path=beside),
        "aws v2": next((path for path in _aws() if reported(path).startswith("2.")), None),
        "tccli": shutil.which("tccli", path=beside),
        "aliyun": shutil.which("aliyun"),
    }
    return {name: path for name, path in found.items() if path is not None}


@cache
def reported(path: str) -> str:
    """The version that a command line prints."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout or done.stderr).split("\n")[0].split(" ")[0].removeprefix("aws-cli/")


def cpus() -> int:
    """How many processors this may use."""
    return len(os.sched_getaffinity(0))


def _aws() -> Iterator[str]:
    if (named := os.environ.get(AWS_V2)) is not None:
        yield named
    folders = os.environ.get("PATH", "").split(os.pathsep)
    yield from (found for folder in folders if (found := shutil.which("aws", path=folder)))
