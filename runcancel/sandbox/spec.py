"""The small description of a run, and the lives and machines it has."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from runcancel.sandbox.dice import code, hexadecimal
from runcancel.sandbox.world import (
    ACTIVE,
    RUNS_FOR,
    SETTLE_SECONDS,
    STOPPED,
    WAITING,
    WAITS_FOR,
    Book,
    Life,
    RunType,
    Target,
    Word,
)


class BadSpec(ValueError):
    """A description of a run that cannot be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    r"""`targets` counts lives by their state now; times are seconds. `terminates`: a cancel kills what runs.

    `fanout` makes an automation rate-controlled, its targets child executions; `sort` is the type of a window's tasks;
    `instance_kind` is the sort of Tencent machines: CVM, LIGHTHOUSE, or TAT for registered ones;
    `separate` starts a command for each machine of a window's task instead of one for all. In `stdout` and `stderr` a
    lone surrogate `\udc80` to `\udcff` is a byte that is no UTF-8, and so it is in `script`, which the run executes;
    `starts`: what the running tasks of an execution of OOS have started, `invocation` or `oos`; `category` is its own.
    A timer starts such a run `every` so many seconds.
    `started_by` is the name of who started it. `bucket` is where full outputs go, `upload_error`
    why they do not arrive. With `line_every` a target of Alibaba Cloud or Tencent Cloud writes a line each so many
    seconds.
    """

    kind: str
    name: str = "job"
    targets: Mapping[str, int] = field(default_factory=lambda: {"running": 1})
    id: str = ""
    age: float = 180.0
    terminates: bool = True
    stubborn: bool = False
    settle: float = SETTLE_SECONDS
    runs_for: float = RUNS_FOR
    waits_for: float = WAITS_FOR
    fresh: int = 0
    description: str = ""
    script: str = ""
    started_by: str = "ops"
    document: str = ""
    stdout: str = ""
    stderr: str = ""
    line_every: float = 0.0
    bucket: str = ""
    upload_error: str = ""
    exit_code: int = 0
    repeat: str = "Once"
    frequency: str = ""
    source: str = "USER"
    instance_kind: str = "CVM"
    by_tag: bool = False
    steps: tuple[str, ...] = ("runShellScript",)
    fanout: bool = False
    separate: bool = False
    waits: bool = False
    sort: str = "RUN_COMMAND"
    window: str = ""
    listed: bool = True
    skipped: bool = False
    category: str = "Other"
    every: float = 86_400.0
    starts: tuple[str, ...] = ()


INSTANCE_KINDS = ("CVM", "LIGHTHOUSE", "TAT")


def parse_spec(raw: Mapping[str, Any]) -> RunSpec:
    names = {each.name for each in fields(RunSpec)}
    unknown = raw.keys() - names
    if unknown:
        raise BadSpec(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(names))}")
    if "kind" not in raw:
        raise BadSpec("kind is missing")
    values: dict[str, Any] = {key: tuple(value) if key in ("steps", "starts") else value for key, value in raw.items()}
    spec = RunSpec(**values)
    if spec.instance_kind not in INSTANCE_KINDS:
        raise BadSpec(f"no such instance_kind: {spec.instance_kind}; expected one of: {', '.join(INSTANCE_KINDS)}")
    bad = spec.targets.keys() - {str(word) for word in Word}
    if bad:
        raise BadSpec(f"no such life: {', '.join(sorted(bad))}; expected one of: {', '.join(Word)}")
    return spec


def live(word: Word, spec: RunSpec, now: float) -> Life:
    """A life that reads `word` now."""
    created = now - spec.age
    life = Life(begins=created + 2, ends=now + spec.runs_for, settle=spec.settle)
    if word in WAITING:
        begins = math.inf if word is Word.SCHEDULED else now + spec.waits_for
        return replace(life, waits=word, begins=begins, ends=begins + spec.runs_for)
    if word is Word.RUNNING:
        return replace(life, outcome=Word.SCHEDULED) if spec.repeat == "Period" else life
    if word is Word.CANCELLING:
        return replace(life, cancelled_at=now)
    if word in STOPPED:
        begins = math.inf if word is Word.CANCELLED else life.begins
        settle = min(spec.settle, spec.age / 4)
        return replace(life, begins=begins, cancelled_at=created + spec.age / 2, settle=settle)
    return replace(life, ends=created + 2 + min(45.0, spec.age / 2), outcome=word)


def lives(spec: RunSpec, now: float) -> list[tuple[Word, Life]]:
    """A word and a life for each target; targets of one word share the life."""
    led: list[tuple[Word, Life]] = []
    for name, count in spec.targets.items():
        word = Word(name)
        led += [(word, live(word, spec, now))] * count
    return led


_MACHINE = {"aws": ("i-0", 16), "alibaba": ("i-bp", 18), "tencent": ("ins-", 8)}
_OTHER_MACHINES = {"LIGHTHOUSE": ("lhins-", 8), "TAT": ("rins-", 8)}


def machines(book: Book, count: int, instance_kind: str = "CVM") -> list[tuple[str, str]]:
    """Neighbours of one pool, so that runs share machines; the pool grows when a run is larger than it."""
    pool = book.pool(instance_kind)
    prefix, length = _OTHER_MACHINES.get(instance_kind, _MACHINE[book.key.provider])
    tail = partial(hexadecimal, length=16) if book.key.provider == "aws" else partial(code, length=length)
    missing = range(len(pool) + 1, max(count, 120) + 1)
    if missing:
        pool += book.dice.draw(lambda dice: tuple((prefix + tail(dice), f"web-{number:03d}") for number in missing))
    start = book.dice.draw(lambda dice: dice.randrange(len(pool)))
    return (pool[start:] + pool[:start])[:count]


def targets_of(book: Book, spec: RunSpec, now: float, *, task: str = "") -> list[Target]:
    led = lives(spec, now)
    targets = []
    for (machine, name), (word, life) in zip(machines(book, len(led), spec.instance_kind), led, strict=True):
        failed = word is Word.FAILED
        targets.append(
            Target(
                id=machine,
                life=life,
                name=name,
                task=f"{task}{book.dice.code(8)}" if task else "",
                exit_code=(spec.exit_code or 1) if failed else 0,
                stdout=spec.stdout or f"{name}: {spec.name} begins\n",
                stderr=spec.stderr or ("error: it did not work\n" if failed else ""),
                line_every=spec.line_every,
            )
        )
    return targets


_CANCELLED = STOPPED | {Word.CANCELLING}


def cancel_time(spec: RunSpec, now: float) -> float | None:
    return now - spec.age / 2 if spec.targets.keys() & _CANCELLED else None


def steps_of(book: Book, spec: RunSpec, now: float) -> list[Target]:
    """Targets that follow one another: a step starts when the one before has ended."""
    steps: list[Target] = []
    before = now
    for index, (word, alone) in enumerate(lives(spec, now)):
        life = alone
        if word is Word.PENDING:
            begins = before if steps else now + spec.waits_for
            if steps and not _may_follow(steps[-1].life, now):
                begins = math.inf
            life = replace(life, begins=begins, ends=begins + spec.runs_for)
        before = life.ends
        steps.append(step_of(book, spec, index + 1, word, life))
    return steps


def _may_follow(before: Life, now: float) -> bool:
    return before.begins < math.inf and before.word(now) in ACTIVE | {Word.SUCCEEDED}


def step_of(book: Book, spec: RunSpec, number: int, word: Word, life: Life) -> Target:
    text = spec.stdout or f"step {number}\n"
    errors = "error: exit status 1" if word is Word.FAILED else ""
    return Target(id=f"step{number}", life=life, task=book.dice.uuid(), stdout=text, stderr=errors)


def build_as(builder: Callable[[Book, RunSpec, float], RunType], book: Book, spec: RunSpec, now: float) -> RunType:
    run = builder(book, spec, now)
    run.fresh = spec.fresh
    run.script, run.started_by = spec.script, spec.started_by
    if spec.stubborn:
        run.mark_stubborn()
    book.add(run)
    return run
