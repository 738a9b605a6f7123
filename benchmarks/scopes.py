"""One listing over very many scopes: calls per second of wall clock and of CPU, peak memory, most threads at once."""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample, measured
from benchmarks.place import REGIONS, RUNCANCEL, Place, sandbox

ACCOUNTS = 5


@dataclass(frozen=True, kw_only=True)
class Breadth:
    """`list` over `scopes` scopes. `threads` is the most that were seen at once, the caller's included."""

    scopes: int
    calls: int
    threads: int
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
            scopes=contexts * sum(map(len, REGIONS.values())),
            calls=place.calls(),
            threads=watcher.stop(),
            sample=sample,
        )


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
                except OSError:
                    continue


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ["10000"]):
        begun = time.perf_counter()
        one = breadth(size)
        print(
            f"{one.scopes} scopes: {one.calls} calls, {one.threads} threads, {one.sample.peak:.0f} MB, "
            f"{one.sample.wall:.1f} s, {one.sample.cpu:.1f} s CPU, {one.rate:.0f} calls/s of CPU "
            f"({time.perf_counter() - begun:.0f} s with the sandbox)"
        )
