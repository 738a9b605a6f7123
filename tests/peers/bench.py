"""A sandbox with three commands in front of it: `aws`, `tccli` and `runcancel`, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from runcancel.sandbox import Sandbox, SandboxOptions
from runcancel.sandbox.accounts import DEFAULT_REGION
from runcancel.sandbox.control import truth
from runcancel.sandbox.isolation import child_environment

RUNCANCEL = Path(sys.executable).with_name("runcancel")
"""The installed command beside the Python that runs the tests."""

NODE_PEER = Path(__file__).parent / "node" / "peer.mjs"

Environ = Mapping[str, str | None]
NOTHING: Environ = {}

_VENDOR_CODE = re.compile(r"An error occurred \((\w+)\)|\[TencentCloudSDKException] code:([\w.]+)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")


class Bench:
    """`env` of a call is set for it alone; a variable that is None is taken away."""

    def __init__(self, peers: Path, home: Path, **options: Any) -> None:
        self.home = home
        self.box = Sandbox(SandboxOptions(**options))
        self._peers = peers
        self._environment = child_environment(os.environ, self.box.environment(), home)

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.box.close()

    def run(self, *argv: str | Path, stdin: str = "", env: Environ = NOTHING) -> subprocess.CompletedProcess[str]:
        environment = {**self._environment, "PATH": f"{self._peers}{os.pathsep}{os.environ['PATH']}", **env}
        kept = {name: value for name, value in environment.items() if value is not None}
        return subprocess.run(
            argv, env=kept, input=stdin, capture_output=True, text=True, timeout=50, check=False, cwd=self.home
        )

    def aws(self, operation: str, *arguments: str, query: str = "@") -> Any:
        """What `aws ssm` reads; `query` is JMESPath."""
        return _document(self.run("aws", "ssm", operation, *arguments, "--query", query))

    def aws_refusal(self, operation: str, *arguments: str, env: Environ = NOTHING) -> str:
        """The error code with which `aws ssm` ends."""
        return _code(self.run("aws", "ssm", operation, *arguments, env=env))

    def tccli(self, action: str, *arguments: str, query: str = "@") -> Any:
        """What `tccli tat` reads; `query` is JMESPath."""
        return _document(self.run(*self._tccli(action), *arguments, "--filter", query))

    def tccli_refusal(self, action: str, *arguments: str, env: Environ = NOTHING) -> str:
        """The error code with which `tccli tat` ends."""
        return _code(self.run(*self._tccli(action), *arguments, env=env))

    def node(self, folder: Path, vendor: str, action: str, env: Environ = NOTHING, **params: Any) -> Any:
        """What the vendor's SDK for Node.js in `folder` reads: `reply`, or `code` and `message` of its error."""
        return _document(self.run("node", NODE_PEER, folder, vendor, action, json.dumps(params), env=env))

    def runcancel(self, verb: str, *arguments: str, code: int = 0, env: Environ = NOTHING) -> Any:
        """The JSON document of a verb that ends with `code`."""
        done = self.run(RUNCANCEL, verb, *arguments, "-o", "json", env=env)
        assert done.returncode == code, f"exit {done.returncode}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def run_named(self, provider: str, kind: str, name: str) -> str:
        """The id of the home region's run of that name; the one with most targets, when there are several."""
        found = (
            each
            for each in truth(self.box.world)
            if (each["provider"], each["kind"], each["name"]) == (provider, kind, name)
            and each["region"] == DEFAULT_REGION[provider]
        )
        return str(max(found, key=lambda each: len(each["targets"]))["id"])

    def effective(self) -> list[str]:
        """The actions that changed something, in order."""
        return [each["action"] for each in self.box.log.shown() if each["effective"]]

    def _tccli(self, action: str) -> tuple[str, ...]:
        # Without `http://` tccli speaks https.
        return ("tccli", "tat", action, "--endpoint", self.box.url)


def narrowed(ours: Iterable[Mapping[str, Any]], *, to: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Our records with no more keys than the vendor's have."""
    keys = {key for record in to for key in record}
    return plain({key: record[key] for key in keys} for record in ours)


def plain(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records in the order of their ids; times in milliseconds, an empty text as null."""
    said = [{key: _plain(key, value) for key, value in record.items()} for record in records]
    return sorted(said, key=lambda record: str(record["id"]))


def counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows there are in each state."""
    return dict(Counter(row["state"] for row in rows))


def _plain(key: str, value: Any) -> Any:
    if value == "":
        return None
    if not key.endswith("_at") or value is None:
        return value
    seconds = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
    return round(seconds * 1000)


def _document(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, f"{done.args} ends with {done.returncode}: {done.stderr}{done.stdout}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def _code(done: subprocess.CompletedProcess[str]) -> str:
    found = _VENDOR_CODE.search(done.stderr)
    assert done.returncode != 0, f"{done.args} was not refused: {done.stdout}"
    assert found is not None, f"{done.args} gives no code: {done.stderr}"
    return found[1] or found[2]
