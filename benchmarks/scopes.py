"""One listing over very many scopes: calls per second of wall clock and of CPU, peak memory, most threads at once.

`python -m benchmarks.scopes 10000` has the three clouds and a few profiles; `500x20` has 500 AWS accounts, each reached
by a role, in 20 regions.
"""

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample, measured
from benchmarks.place import REGIONS, RUNCANCEL, Place, sandbox
from benchmarks.report import Figure, Part, table

ACCOUNTS = 5


@dataclass(frozen=True, kw_only=True)
class Breadth:
    """`list` over `scopes` scopes. `threads` and `files` are the most that were seen at once."""

    what: str
    scopes: int
    calls: int
    threads: int
    files: int
    sample: Sample

    @property
    def rate(self) -> float:
        """Calls per second of the process's own CPU: the sandbox takes the other processors."""
        return self.calls / self.sample.cpu


def breadth(scopes: int) -> Breadth:
    """List runs in so many scopes at least: every provider, its regions, and as many contexts as that takes."""
    contexts = -(-scopes // sum(map(len, REGIONS.values())))
    with sandbox(accounts=ACCOUNTS) as place:
        config = Path(place.environ["HOME"]) / ".config" / "runcancel" / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(_config(contexts), encoding="utf-8")
        argv = [str(RUNCANCEL), "list", "-o", "jsonl", "-q"]
        watcher = _Threads(place)
        sample = measured(argv, place.environ, codes=(0, 7))
        return Breadth(
            what=f"3 clouds, {ACCOUNTS} accounts of each, {3 * contexts:,} contexts",
            scopes=contexts * sum(map(len, REGIONS.values())),
            calls=place.calls(),
            threads=watcher.stop(),
            files=watcher.files,
            sample=sample,
        )


def accounts(number: int, regions: int) -> Breadth:
    """List the runs of so many AWS accounts, each reached by a role, in so many regions."""
    with sandbox(accounts=number, regions=regions) as place:
        config = Path(place.environ["HOME"]) / ".config" / "runcancel" / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        names = place.box.world.regions["aws"][:regions]
        config.write_text(_roles(place, number, names), encoding="utf-8")
        argv = [str(RUNCANCEL), "list", "-o", "jsonl", "-q"]
        watcher = _Threads(place)
        sample = measured(argv, place.environ, codes=(0, 7))
        return Breadth(
            what=f"AWS, {number} accounts by their roles, {len(names)} regions",
            scopes=number * len(names),
            calls=place.calls(),
            threads=watcher.stop(),
            files=watcher.files,
            sample=sample,
        )


def _roles(place: Place, number: int, regions: Sequence[str]) -> str:
    ids = [place.box.account_id("aws", account) for account in range(number)]
    listed = repr(list(regions)).replace("'", '"')
    tables = [
        f'[contexts.a{id}]\nprovider = "aws"\naccount = "{id}"\nrole_arn = "arn:aws:iam::{id}:role/ops"\n'
        f"regions = {listed}\n"
        for id in ids
    ]
    names = ", ".join(f'"a{id}"' for id in ids)
    return "\n".join([f"default = [{names}]", *tables])


def _config(contexts: int) -> str:
    """Contexts of the same few profiles: each is a connection of its own."""
    lines, names = [], []
    for number in range(contexts):
        for provider, regions in REGIONS.items():
            names.append(f"{provider}-{number}")
            lines += [
                f"[contexts.{names[-1]}]",
                f'provider = "{provider}"',
                f'profile = "account{number % ACCOUNTS + 1}"',
                f"regions = {list(regions)!r}".replace("'", '"'),
            ]
    return "\n".join([f"default = {names!r}".replace("'", '"'), *lines])


class _Threads:
    """Counts the threads of the command while it runs."""

    def __init__(self, place: Place) -> None:
        self._home = place.environ["HOME"]
        self._most = 0
        self.files = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._stopped.wait(0.05):
            found = subprocess.run(["pgrep", "-f", f"{RUNCANCEL} list"], capture_output=True, text=True, check=False)
            for pid in found.stdout.split():
                try:
                    environ = Path(f"/proc/{pid}/environ").read_bytes()
                    if f"HOME={self._home}".encode() in environ.split(b"\0"):
                        self._most = max(self._most, len(list(Path(f"/proc/{pid}/task").iterdir())))
                        self.files = max(self.files, len(list(Path(f"/proc/{pid}/fd").iterdir())))
                except OSError:
                    continue


def shown(found: Sequence[Breadth]) -> str:
    """One line per number of scopes."""
    return table(
        (
            "`list` over",
            "scopes",
            "calls",
            "wall clock",
            "CPU",
            "calls per second of CPU",
            "threads",
            "open files",
            "peak memory",
        ),
        (
            (
                one.what,
                f"{one.scopes:,}",
                f"{one.calls:,}",
                f"{one.sample.wall:.0f} s",
                f"{one.sample.cpu:.1f} s",
                f"{one.rate:.0f}",
                str(one.threads),
                str(one.files),
                f"{one.sample.peak:.0f} MB",
            )
            for one in found
        ),
    )


def part(*, quick: bool) -> Part:
    """The part of the page, and the figures of its budgets."""
    found = [breadth(1000)] if quick else [breadth(1000), accounts(500, 20), breadth(10_000)]
    return Part(
        text=shown(found),
        figures={
            "threads": Figure(value=max(one.threads for one in found), how="/proc"),
            "memory": Figure(value=max(one.sample.peak for one in found), how="peak memory"),
            "calls": Figure(value=min(one.rate for one in found), how="CPU time"),
        },
    )


if __name__ == "__main__":
    words = [size.split("x") for size in sys.argv[1:] or ["10000"]]
    print(shown([accounts(*map(int, size)) if len(size) > 1 else breadth(*map(int, size)) for size in words]))
