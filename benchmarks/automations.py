"""A cancel at one request a second: when the verdicts come while most of the runs are still to be sent."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.limits import most_in_a_window
from benchmarks.place import HOME_REGION, RUNCANCEL, Place, sandbox

_STOP, _READS = "StopAutomationExecution", ("GetAutomationExecution", "DescribeAutomationExecutions")


class _Line(msgspec.Struct):
    type: str = ""
    run: str = ""
    verdict: str = ""


@dataclass(frozen=True, kw_only=True)
class Slow:
    """One cancel of `runs` automations, all seconds from its start.

    `verdicts` counts them by word, `judged` are the seconds at which they came, `waits` those from an accepted stop to
    the verdict of its run; `most` are the largest numbers of stops and of reads in one second, by the server's log.
    `peak` is in MB.
    """

    runs: int
    first_sent: float
    last_sent: float
    verdicts: Mapping[str, int]
    judged: Sequence[float]
    waits: Sequence[float]
    stops: int
    reads: int
    most: tuple[int, int]
    peak: float
    threads: int
    code: int


def slow(runs: int) -> Slow:
    """Cancel so many automations of one account and region, with the documented limits enforced."""
    with sandbox(limits=True) as place:
        ids = place.add("aws", kind="automation", count=runs, runs_for=36_000.0)
        return _cancelled(place, ids)


def _cancelled(place: Place, ids: Sequence[str]) -> Slow:
    refs = [f"aws:{HOME_REGION['aws']}:automation/{id}" for id in ids]
    argv = [str(RUNCANCEL), "cancel", *refs, "--max-runs", "1000000", "-o", "jsonl"]
    began = time.time()
    peak, threads = 0.0, 0
    judged: dict[str, float] = {}
    verdicts: Counter[str] = Counter()
    with subprocess.Popen(argv, env=place.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        for text in process.stdout or ():
            line = msgspec.json.decode(text, type=_Line)
            if line.type == "outcome":
                judged[line.run.rpartition("/")[2]] = time.time()
                verdicts[line.verdict] += 1
                peak, threads = max(peak, _peak(process.pid)), max(threads, _threads(process.pid))
    log = place.box.log.shown()
    stops = [each for each in log if each["action"] == _STOP]
    sent = {each["params"]["AutomationExecutionId"]: each["real_time"] for each in stops if each["error"] is None}
    reads = [each["arrived"] for each in log if each["action"] in _READS]
    return Slow(
        runs=len(ids),
        first_sent=min(sent.values()) - began,
        last_sent=max(sent.values()) - began,
        verdicts=verdicts,
        judged=sorted(moment - began for moment in judged.values()),
        waits=sorted(moment - sent[id] for id, moment in judged.items() if id in sent),
        stops=len(stops),
        reads=len(reads),
        most=(most_in_a_window([each["arrived"] for each in stops], 1.0), most_in_a_window(reads, 1.0)),
        peak=peak,
        threads=threads,
        code=process.returncode,
    )


def _peak(pid: int) -> float:
    """MB that the process held at most until now; unlike `ru_maxrss` nothing of its parent counts."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


if __name__ == "__main__":
    for size in map(int, sys.argv[1:] or ["1000"]):
        one = slow(size)
        print(
            f"{one.runs} automations: stops sent from {one.first_sent:.1f} to {one.last_sent:.1f} s, "
            f"verdicts from {one.judged[0]:.1f} to {one.judged[-1]:.1f} s ({dict(one.verdicts)}), exit {one.code}; "
            f"from an accepted stop to its verdict {one.waits[len(one.waits) // 2]:.1f} s (median), "
            f"{one.waits[-1]:.1f} s at most; {one.stops} stops, {one.reads} reads, "
            f"in one second at most {one.most[0]} and {one.most[1]}; {one.peak:.0f} MB, {one.threads} threads"
        )
