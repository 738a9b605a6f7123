"""What every region holds from the start: runs of every kind in many states, and the well-known ones."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from runcancel.sandbox import trigger_seeds
from runcancel.sandbox.accounts import DEFAULT_REGION
from runcancel.sandbox.aws import triggers
from runcancel.sandbox.aws.windows import Window, Windows
from runcancel.sandbox.fleet import add_tasks, build, window_run
from runcancel.sandbox.spec import RunSpec, build_as
from runcancel.sandbox.world import Book

HOSTILE_NAME = "patch \x1b[31mred\x1b[0m \u202egnp.exe\u2066 [/x] =1+1"
HOSTILE_OUTPUT = (
    "\x1b]0;owned\x07\x1b[2J\x1b[1;1Hyou are root\r\n\u202esdrawkcab\u202c zero\u200bwidth \x9b31m c1 \x00 nul\n"
    '=HYPERLINK("http://example.invalid")\n[bold red]markup[/]\n'
)
GBK_OUTPUT = "".join(("整理磁盘\r\n", "完成\r\n")).encode("gbk").decode("utf-8", "surrogateescape")
"""What a Windows machine in China writes: no UTF-8."""

LONG_OUTPUT = "".join(f"line {number:05d} of a long and chatty job\n" for number in range(1, 1201))

COMMAND, AUTOMATION, WINDOW, INVOCATION = "command", "automation", "maintenance-window", "invocation"
STATE_MACHINE = "state-machine"
HOUR, DAY = 3600.0, 86_400.0

_WINDOWS = (
    "nightly-patching", "weekly-inventory", "agent-update", "log-rotation", "disk-cleanup", "cert-renewal",
    "db-vacuum", "cache-flush", "kernel-update", "backup-verify", "node-drain", "compliance-scan",
)  # fmt: skip

_AWS = (
    RunSpec(kind=COMMAND, name="rolling restart", targets={"succeeded": 20, "running": 15, "pending": 40}, age=600),
    RunSpec(kind=COMMAND, name="collect facts", targets={"running": 4}, age=90, steps=("collectFacts", "sendFacts")),
    RunSpec(kind=COMMAND, name="waits for offline machines", targets={"delayed": 3, "running": 1}, age=240),
    RunSpec(kind=COMMAND, name="not begun", targets={"pending": 5}, age=20, document="AWS-RunPatchBaseline"),
    RunSpec(kind=COMMAND, name="done", targets={"succeeded": 12}, age=2 * HOUR),
    RunSpec(kind=COMMAND, name="broken", targets={"succeeded": 2, "failed": 3}, age=3 * HOUR, exit_code=3),
    RunSpec(kind=COMMAND, name="too slow", targets={"timed_out": 2, "task_timeout": 1}, age=5 * HOUR),
    RunSpec(kind=COMMAND, name="stopped by hand", targets={"cancelled": 2, "terminated": 3}, age=6 * HOUR),
    RunSpec(kind=COMMAND, name="too many errors", targets={"failed": 1, "max_errors": 4}, age=8 * HOUR),
    RunSpec(kind=COMMAND, name="nobody home", targets={"undelivered": 2}, age=DAY),
    RunSpec(kind=COMMAND, name="no such tag", targets={}, age=DAY, by_tag=True),
    RunSpec(kind=COMMAND, name=HOSTILE_NAME, targets={"running": 2, "failed": 1}, age=400, stdout=HOSTILE_OUTPUT),
    RunSpec(
        kind=COMMAND,
        name="chatty",
        targets={"succeeded": 2, "running": 1},
        age=500,
        stdout=LONG_OUTPUT,
        bucket="ops-logs",
    ),
    RunSpec(kind=AUTOMATION, name="AWS-RestartEC2Instance", targets={"succeeded": 1, "running": 1, "pending": 1}),
    RunSpec(kind=AUTOMATION, name="Wait-For-Approval", targets={"running": 1, "pending": 2}, waits=True, age=900),
    RunSpec(kind=AUTOMATION, name="Rebuild-Golden-Image", targets={"succeeded": 30, "running": 1, "pending": 31}),
    RunSpec(kind=AUTOMATION, name="Not-Begun", targets={"pending": 3}, age=30),
    RunSpec(kind=AUTOMATION, name="AWS-StopEC2Instance", targets={"succeeded": 3}, age=4 * HOUR),
    RunSpec(kind=AUTOMATION, name="Broken-Runbook", targets={"succeeded": 1, "failed": 1, "pending": 2}, age=5 * HOUR),
    RunSpec(kind=AUTOMATION, name="Slow-Runbook", targets={"timed_out": 1, "pending": 1}, age=6 * HOUR),
    RunSpec(kind=AUTOMATION, name="Stopped-Runbook", targets={"terminated": 1, "pending": 1}, age=7 * HOUR),
    RunSpec(kind=AUTOMATION, name="Patch-Fleet", targets={"succeeded": 20, "running": 42}, fanout=True, age=700),
    RunSpec(kind=WINDOW, name="weekly-inventory", targets={"succeeded": 10, "running": 10, "pending": 45}, age=1000),
    RunSpec(kind=WINDOW, name="agent-update", targets={"pending": 12}, age=10, listed=False),
    RunSpec(kind=WINDOW, name="log-rotation", targets={"running": 2, "pending": 2}, sort="LAMBDA", age=120),
    RunSpec(kind=WINDOW, name="disk-cleanup", targets={"running": 1, "pending": 2}, sort="STEP_FUNCTIONS", age=150),
    RunSpec(kind=WINDOW, name="node-drain", targets={"running": 3, "pending": 4}, sort="AUTOMATION", age=200),
    RunSpec(kind=WINDOW, name="nightly-patching", targets={"succeeded": 6, "failed": 2}, age=DAY),
    RunSpec(kind=WINDOW, name="nightly-patching", targets={"succeeded": 2, "timed_out": 1}, age=2 * DAY),
    RunSpec(kind=WINDOW, name="nightly-patching", targets={"succeeded": 5, "cancelled": 7}, age=3 * DAY),
    RunSpec(kind=WINDOW, name="nightly-patching", targets={}, skipped=True, age=4 * DAY),
)
_NIGHTS = tuple(
    RunSpec(kind=WINDOW, name="nightly-patching", targets={"succeeded": 2}, age=(5 + night) * DAY) for night in range(9)
)
_ALIBABA = (
    RunSpec(kind=INVOCATION, name="rolling-restart", targets={"succeeded": 20, "running": 15, "pending": 40}),
    RunSpec(kind=INVOCATION, name="collect-facts", targets={"running": 4}, age=90, terminates=False),
    RunSpec(kind=INVOCATION, name="not-begun", targets={"pending": 5}, age=20),
    RunSpec(
        kind=INVOCATION, name="hourly-report", targets={"scheduled": 3}, repeat="Period", frequency="0 {minute} * * * ?"
    ),
    RunSpec(kind=INVOCATION, name="done", targets={"succeeded": 12}, age=2 * HOUR),
    RunSpec(kind=INVOCATION, name="broken", targets={"failed": 3}, age=3 * HOUR, exit_code=3),
    RunSpec(kind=INVOCATION, name="half-broken", targets={"succeeded": 2, "failed": 3}, age=3.5 * HOUR),
    RunSpec(kind=INVOCATION, name="too-slow", targets={"timed_out": 2}, age=5 * HOUR),
    RunSpec(kind=INVOCATION, name="stopped-by-hand", targets={"cancelled": 2, "terminated": 3}, age=6 * HOUR),
    RunSpec(kind=INVOCATION, name="stopped-late", targets={"succeeded": 2, "cancelled": 2}, age=7 * HOUR),
    RunSpec(kind=INVOCATION, name="nobody-home", targets={"undelivered": 2, "invalid": 1, "error": 1}, age=DAY),
    RunSpec(kind=INVOCATION, name=HOSTILE_NAME, targets={"running": 2, "failed": 1}, age=400, stdout=HOSTILE_OUTPUT),
    RunSpec(
        kind=INVOCATION,
        name="chatty",
        targets={"succeeded": 2, "running": 1},
        age=500,
        stdout=LONG_OUTPUT,
        bucket="ops-logs",
    ),
)
_TENCENT = (
    RunSpec(kind=INVOCATION, name="rolling-restart", targets={"succeeded": 20, "running": 15, "pending": 40}, age=600),
    RunSpec(kind=INVOCATION, name="collect-facts", targets={"running": 4}, age=90),
    RunSpec(kind=INVOCATION, name="on-its-way", targets={"delivering": 3, "delayed": 2, "running": 1}, age=20),
    RunSpec(kind=INVOCATION, name="not-begun", targets={"pending": 5}, age=15),
    RunSpec(kind=INVOCATION, name="done", targets={"succeeded": 12}, age=2 * HOUR),
    RunSpec(kind=INVOCATION, name="broken", targets={"failed": 3}, age=3 * HOUR, exit_code=3),
    RunSpec(kind=INVOCATION, name="half-broken", targets={"succeeded": 2, "failed": 3}, age=3.5 * HOUR),
    RunSpec(kind=INVOCATION, name="too-slow", targets={"timed_out": 2, "task_timeout": 1}, age=5 * HOUR),
    RunSpec(kind=INVOCATION, name="stopped-by-hand", targets={"cancelled": 2, "terminated": 3}, age=6 * HOUR),
    RunSpec(kind=INVOCATION, name="stopped-late", targets={"succeeded": 2, "cancelled": 2}, age=7 * HOUR),
    RunSpec(kind=INVOCATION, name="nobody-home", targets={"undelivered": 2, "start_failed": 1}, age=DAY),
    RunSpec(kind=INVOCATION, name=HOSTILE_NAME, targets={"running": 2, "failed": 1}, age=400, stdout=HOSTILE_OUTPUT),
    RunSpec(
        kind=INVOCATION,
        name="chatty",
        targets={"succeeded": 2, "running": 1},
        age=500,
        stdout=LONG_OUTPUT,
        bucket="ops-logs",
    ),
    *(
        RunSpec(kind=INVOCATION, name="hourly-report", targets={"succeeded": 2}, age=hours * HOUR, source="INVOKER")
        for hours in range(1, 12)
    ),
)
_DEFRAG = RunSpec(
    kind=INVOCATION,
    name="defrag",
    targets={"failed": 1},
    age=4 * HOUR,
    stdout=GBK_OUTPUT,
    bucket="ops-logs",
    upload_error="the role may not write to the bucket",
)
RECIPES: dict[str, tuple[RunSpec, ...]] = {
    "aws": (*_AWS, *_NIGHTS, replace(_DEFRAG, kind=COMMAND)),
    "alibaba": (*_ALIBABA, _DEFRAG),
    "tencent": (
        *_TENCENT,
        _DEFRAG,
        RunSpec(
            kind=INVOCATION,
            name="light-cleanup",
            targets={"succeeded": 1, "running": 2, "pending": 2},
            age=200,
            instance_kind="LIGHTHOUSE",
        ),
        RunSpec(
            kind=INVOCATION, name="edge-inventory", targets={"succeeded": 2, "running": 2}, age=260, instance_kind="TAT"
        ),
    ),
}

_T = "t-7d2a745b412b4601b2d47f6a768d"
WELL_KNOWN: dict[str, tuple[RunSpec, ...]] = {
    "aws": (
        RunSpec(
            kind=WINDOW,
            id="02f05632-d0bc-470d-b1e5-c59a8d4f2a10",
            name="nightly-patching",
            targets={"succeeded": 5, "running": 3, "pending": 17},
            age=300,
            runs_for=900,
            separate=True,
        ),
        RunSpec(
            kind=COMMAND,
            id="4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b",
            name="deploy 4711",
            targets={"succeeded": 12, "running": 88},
            age=240,
        ),
        RunSpec(
            kind=AUTOMATION,
            id="6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d",
            name="Blue-Green-Switch",
            targets={"succeeded": 2, "running": 1, "pending": 3},
            age=420,
        ),
        RunSpec(
            kind=AUTOMATION,
            id="7b8c9d0e-1f2a-4b3c-8d4e-5f6a7b8c9d0e",
            name="AWS-RestartEC2Instance",
            targets={"succeeded": 1, "running": 5, "pending": 2},
            fanout=True,
            age=360,
        ),
        RunSpec(
            kind=WINDOW,
            id="0e1f2a3b-4c5d-4e6f-8a7b-8c9d0e1f2a3b",
            name="cert-renewal",
            targets={"succeeded": 4},
            age=DAY,
        ),
        RunSpec(
            kind=COMMAND,
            id="1f2a3b4c-5d6e-4f70-8a9b-0c1d2e3f4a5b",
            name="deploy 4710",
            targets={"succeeded": 9},
            age=DAY,
        ),
        RunSpec(
            kind=AUTOMATION,
            id="2a3b4c5d-6e7f-4081-9a2b-3c4d5e6f7a8b",
            name="AWS-StartEC2Instance",
            targets={"succeeded": 4},
            age=DAY,
        ),
    ),
    "alibaba": (
        RunSpec(
            kind=INVOCATION,
            id=f"{_T}0001",
            name="patch-openssl",
            targets={"pending": 31, "running": 9},
            terminates=False,
            age=720,
        ),
        RunSpec(kind=INVOCATION, id=f"{_T}0002", name="reindex", targets={"pending": 4, "running": 6}, age=480),
        RunSpec(
            kind=INVOCATION,
            id=f"{_T}0003",
            name="rotate-logs",
            targets={"scheduled": 6, "running": 2},
            repeat="Period",
            frequency="0 {minute} {hour} * * ?",
            terminates=False,
            age=300,
        ),
        RunSpec(kind=INVOCATION, id=f"{_T}0009", name="install-agent", targets={"succeeded": 7, "failed": 1}, age=DAY),
    ),
    "tencent": (
        RunSpec(
            kind=INVOCATION, id="inv-ib2lld37", name="patch-openssl", targets={"running": 9, "pending": 3}, age=180
        ),
        RunSpec(kind=INVOCATION, id="inv-0ended0001", name="install-agent", targets={"succeeded": 6}, age=DAY),
    ),
}
_MACHINES = (
    RunSpec(kind=STATE_MACHINE, id="etl-2026-11-27", name="nightly-etl", targets={"running": 1}, age=540),
    RunSpec(kind=STATE_MACHINE, id="etl-2026-11-26", name="nightly-etl", targets={"succeeded": 1}, age=DAY),
    RunSpec(kind=STATE_MACHINE, id="etl-2026-11-25", name="nightly-etl", targets={"terminated": 1}, age=2 * DAY),
    RunSpec(kind=STATE_MACHINE, id="reindex-17", name="reindex", targets={"failed": 1}, age=3 * HOUR),
    RunSpec(kind=STATE_MACHINE, id="reindex-16", name="reindex", targets={"timed_out": 1}, age=5 * HOUR),
    RunSpec(kind=STATE_MACHINE, id="reindex-18", name="reindex", targets={"running": 1}, age=75),
)
_OOS = (
    RunSpec(
        kind="oos",
        id="exec-7d2a745b412b4601b2d4",
        name="patch-fleet",
        targets={"succeeded": 1, "running": 1, "pending": 2},
        age=420,
        description="patch night of the web fleet",
    ),
    RunSpec(
        kind="oos", id="exec-7d2a745b412b4601b2d5", name="patch-fleet", targets={"succeeded": 3}, age=DAY,
    ),
    RunSpec(
        kind="oos", id="exec-7d2a745b412b4601b2d6", name="restart-web", targets={"succeeded": 1, "failed": 1}, age=HOUR,
    ),
    RunSpec(
        kind="oos",
        id="exec-7d2a745b412b4601b2d7",
        name="nightly-cleanup",
        targets={"scheduled": 1},
        age=3 * DAY,
        category="TimerTrigger",
    ),
)  # fmt: skip
"""They come last and have ids of their own, so that no other run gets another id because of them."""

NIGHTLY = "mw-0c50858d01c0ffee0"


def furnish(book: Book, now: float) -> None:
    """Fill a book; everything in it follows from the book's own dice."""
    with book.dice.repeated():
        _fill(book, now)


def _fill(book: Book, now: float) -> None:
    provider, home = book.key.provider, book.key.account == 0
    home = home and book.key.region == DEFAULT_REGION[provider]
    if provider == "aws":
        _windows(book, now, nightly=NIGHTLY if home else "")
    for spec in (WELL_KNOWN[provider] if home else ()) + RECIPES[provider]:
        build(book, _jittered(book, spec, now), now)
    if provider == "aws":
        _mixed_window(book, now)
        trigger_seeds.aws(book, now)
        for spec in _MACHINES:
            build(book, spec, now)
    if provider == "alibaba":
        for spec in _OOS:
            build(book, spec, now)
    if provider == "tencent":
        trigger_seeds.tencent(book, now)


def _jittered(book: Book, spec: RunSpec, now: float) -> RunSpec:
    """The next round of what repeats is in an hour or in a day: no test lasts as long."""
    if not spec.id:
        spec = book.dice.draw(lambda dice: replace(spec, age=spec.age + dice.random() * 10))
    if not spec.frequency:
        return spec
    last = datetime.fromtimestamp(now - 60, ZoneInfo("Asia/Shanghai"))
    return replace(spec, frequency=spec.frequency.format(minute=last.minute, hour=last.hour))


def _windows(book: Book, now: float, *, nightly: str) -> None:
    """Every window starts in a day or so: no test lasts as long."""
    windows = book.beside(Windows)
    for name in _WINDOWS:
        window_id = nightly if name == "nightly-patching" and nightly else f"mw-0{book.dice.hexadecimal(16)}"
        windows[window_id] = Window(
            id=window_id,
            name=name,
            description=f"{name}, every night",
            enabled=name != "db-vacuum",
            at=(now - HOUR) % DAY // 60 * 60,
            tasks=[("RUN_COMMAND", "AWS-RunShellScript", f"/opt/jobs/{name}.sh")],
        )
    for window in windows.values():
        triggers.follow(book, window, partial(trigger_seeds.execution, book, window), now)


def _mixed_window(book: Book, now: float) -> None:
    """One execution whose tasks are of all four sorts, the second in progress."""
    plan = (
        RunSpec(kind=WINDOW, name="compliance-scan", targets={"succeeded": 2}, age=250),
        RunSpec(kind=WINDOW, name="compliance-scan", targets={"running": 2}, sort="AUTOMATION", age=250),
        RunSpec(kind=WINDOW, name="compliance-scan", targets={"pending": 2}, sort="LAMBDA", age=250),
        RunSpec(kind=WINDOW, name="compliance-scan", targets={"pending": 1}, sort="STEP_FUNCTIONS", age=250),
    )
    execution = build_as(window_run, book, plan[0], now)
    for part in plan[1:]:
        add_tasks(book, execution, part, now)
    execution.wake()
