"""Runs of every kind, built from their descriptions."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from runcancel.sandbox.alibaba.invocations import Invocation as AlibabaInvocation
from runcancel.sandbox.aws.automations import Automation
from runcancel.sandbox.aws.commands import Command
from runcancel.sandbox.aws.windows import Execution, Share, Task, Window, follow, foreign_id
from runcancel.sandbox.spec import BadSpec, RunSpec, asked_at, lives, machines, targets_of
from runcancel.sandbox.tencent.invocations import Invocation as TencentInvocation
from runcancel.sandbox.world import WAITING, Book, Life, Run, Target, Word

TASK_SHARES = 10


def build(book: Book, wanted: RunSpec, now: float) -> Run:
    builder = BUILDERS.get((book.place.provider, wanted.kind))
    if builder is None:
        raise BadSpec(f"{book.place.provider} has no runs of kind {wanted.kind}")
    run = builder(book, wanted, now)
    run.fresh = wanted.fresh
    if wanted.stubborn:
        run.mark_stubborn()
    book.add(run)
    return run


def _command(book: Book, wanted: RunSpec, now: float) -> Command:
    return Command(
        id=wanted.id or book.uuid(),
        kind=wanted.kind,
        name=wanted.name,
        created=now - wanted.age,
        targets=targets_of(book, wanted, now),
        kills=wanted.terminates,
        bucket=wanted.bucket,
        asked=asked_at(wanted, now),
        document=wanted.document or "AWS-RunShellScript",
        comment=wanted.name,
        steps=wanted.steps,
        by_tag=wanted.by_tag,
    )


_ACTIONS = ("aws:assertAwsResourceProperty", "aws:runCommand", "aws:executeScript", "aws:changeInstanceState")


def _automation(book: Book, wanted: RunSpec, now: float) -> Automation:
    return _fanned_out(book, wanted, now) if wanted.fanout else _runbook(book, wanted, now)


def _runbook(book: Book, wanted: RunSpec, now: float) -> Automation:
    """Steps follow one another; what waits begins when the step before is over."""
    steps: list[Target] = []
    before = now
    for index, (word, alone) in enumerate(lives(wanted, now)):
        life = alone
        if word is Word.PENDING:
            ended = bool(steps) and not steps[-1].life.begins < math.inf
            dead = ended or (
                bool(steps) and steps[-1].life.over(now) and steps[-1].life.word(now) is not Word.SUCCEEDED
            )
            first = before if steps else now + wanted.waits_for
            life = replace(life, begins=math.inf if dead else first, ends=math.inf if dead else first + wanted.runs_for)
        before = life.ends
        text = wanted.stdout or f"step {index + 1}\n"
        errors = "error: exit status 1" if word is Word.FAILED else ""
        steps.append(Target(id=f"step{index + 1}", life=life, task=book.uuid(), stdout=text, stderr=errors))
    return Automation(
        id=wanted.id or book.uuid(),
        kind=wanted.kind,
        name=wanted.document or wanted.name,
        created=now - wanted.age,
        targets=steps,
        actions=tuple(_ACTIONS[index % len(_ACTIONS)] for index in range(len(steps))),
        asked=asked_at(wanted, now),
        document=wanted.document or wanted.name,
        waits=wanted.waits,
    )


def _fanned_out(book: Book, wanted: RunSpec, now: float) -> Automation:
    parent = _runbook(book, replace(wanted, targets={}, fanout=False), now)
    parent.asked = asked_at(wanted, now)
    led = lives(wanted, now)
    for (machine, _), (word, _life) in zip(machines(book, len(led)), led, strict=True):
        child = _runbook(book, replace(wanted, targets={word: 1}, id=""), now)
        child.on, child.parent = machine, parent.id
        book.add(child)
        parent.children.append(child)
    return parent


def _window(book: Book, wanted: RunSpec, now: float) -> Execution:
    run = Execution(
        id=wanted.id or book.uuid(),
        kind=wanted.kind,
        name=wanted.name,
        created=now - wanted.age,
        targets=[],
        window=_window_of(book, wanted),
        opens=now + wanted.waits_for,
        fixed=Word.SKIPPED if wanted.skipped else None,
        asked=asked_at(wanted, now),
    )
    follow(book, run)
    add_tasks(book, run, wanted, now)
    run.wake()
    return run


def add_tasks(book: Book, run: Execution, wanted: RunSpec, now: float) -> None:
    """A task for what is over, one for what runs, and one for every ten targets not begun."""
    led = lives(wanted, now)
    seats = list(zip(machines(book, len(led)), led, strict=True))
    groups = (
        [seat for seat in seats if seat[1][0] not in WAITING | {Word.RUNNING, Word.CANCELLED}],
        [seat for seat in seats if seat[1][0] is Word.RUNNING],
    )
    for group in groups:
        if group:
            run.tasks.append(_begun(book, run, wanted, group))
    left = [machine for (machine, _), (word, _) in seats if word in WAITING | {Word.CANCELLED}]
    for at in range(0, len(left), TASK_SHARES):
        run.tasks.append(_waiting(book, run, wanted, left[at : at + TASK_SHARES]))


def _window_of(book: Book, wanted: RunSpec) -> Window:
    known = cast(dict[str, Window], book.extras.setdefault("windows", {}))
    for window in known.values():
        if wanted.window in (window.id, window.name) or (not wanted.window and window.name == wanted.name):
            return window
    made = Window(id=f"mw-0{book.dice.getrandbits(64):016x}", name=wanted.window or wanted.name)
    known[made.id] = made
    return made


_Seat = tuple[tuple[str, str], tuple[Word, Life]]


def _begun(book: Book, run: Execution, wanted: RunSpec, group: list[_Seat]) -> Task:
    """A started task: one invocation over all machines for commands unless `separate`, one each for everything else."""
    task = _task(book, run, wanted)
    task.begun = run.created + 1
    together = [group] if wanted.sort == "RUN_COMMAND" and not wanted.separate else [[seat] for seat in group]
    for seats in together:
        share = _share(book, tuple(machine for (machine, _), _ in seats))
        start = _CHILDREN.get(wanted.sort)
        if start is None:
            share.life = seats[0][1][1]
            share.execution = foreign_id(book, task)
        else:
            share.child = start(book, run, task, seats)
            share.execution = share.child.id
            book.add(share.child)
        task.shares.append(share)
    return task


def _waiting(book: Book, run: Execution, wanted: RunSpec, left: list[str]) -> Task:
    task = _task(book, run, wanted)
    task.lasts = wanted.runs_for
    task.listed = wanted.listed
    task.shares = [_share(book, (machine,)) for machine in left]
    for share in task.shares:
        share.cancels = int(run.asked is not None)
    return task


_DOCUMENTS = {
    "RUN_COMMAND": "AWS-RunShellScript",
    "AUTOMATION": "AWS-RestartEC2Instance",
    "LAMBDA": "arn:aws:lambda:us-east-2:111122223333:function:tidy",
    "STEP_FUNCTIONS": "arn:aws:states:us-east-2:111122223333:stateMachine:tidy",
}


def _task(book: Book, run: Execution, wanted: RunSpec) -> Task:
    arn = wanted.document or _DOCUMENTS[wanted.sort]
    return Task(id=book.uuid(), sort=wanted.sort, arn=arn, shares=[], priority=len(run.tasks) + 1)


def _share(book: Book, instances: tuple[str, ...]) -> Share:
    return Share(id=book.uuid(), instances=instances, owner="ops", window_target=book.uuid())


def _child_command(book: Book, run: Execution, task: Task, seats: list[_Seat]) -> Run:
    targets = [
        Target(id=machine, life=life, name=name, stdout=f"{name}: patching\n") for (machine, name), (_, life) in seats
    ]
    return Command(
        id=book.uuid(),
        kind="command",
        name=task.arn,
        created=run.created + 1,
        targets=targets,
        document=task.arn,
        comment=f"{run.id}:{task.id}",
        wake=run.wake,
    )


def _child_automation(book: Book, run: Execution, task: Task, seats: list[_Seat]) -> Run:
    (machine, _), (_, life) = seats[0]
    return Automation(
        id=book.uuid(),
        kind="automation",
        name=task.arn,
        created=run.created + 1,
        targets=[Target(id="restart", life=life, task=book.uuid())],
        actions=("aws:changeInstanceState",),
        document=task.arn,
        on=machine,
        wake=run.wake,
    )


_CHILDREN: dict[str, Callable[[Book, Execution, Task, list[_Seat]], Run]] = {
    "RUN_COMMAND": _child_command,
    "AUTOMATION": _child_automation,
}


def _alibaba(book: Book, wanted: RunSpec, now: float) -> AlibabaInvocation:
    return AlibabaInvocation(
        id=wanted.id or f"t-{book.dice.getrandbits(128):032x}",
        kind=wanted.kind,
        name=wanted.name,
        created=now - wanted.age,
        targets=targets_of(book, wanted, now),
        kills=wanted.terminates,
        bucket=wanted.bucket,
        upload_error=wanted.upload_error,
        asked=asked_at(wanted, now),
        command=f"c-{book.code(20)}",
        description=wanted.description,
        repeat=wanted.repeat,
        frequency=wanted.frequency,
    )


def _tencent(book: Book, wanted: RunSpec, now: float) -> TencentInvocation:
    return TencentInvocation(
        id=wanted.id or f"inv-{book.code(8)}",
        kind=wanted.kind,
        name=wanted.name,
        created=now - wanted.age,
        targets=targets_of(book, wanted, now, task="invt-"),
        kills=wanted.terminates,
        bucket=wanted.bucket,
        upload_error=wanted.upload_error,
        asked=asked_at(wanted, now),
        command=f"cmd-{book.code(8)}",
        description=wanted.description,
        source=wanted.source,
        instance_kind=wanted.instance_kind,
    )


BUILDERS: dict[tuple[str, str], Callable[[Book, RunSpec, float], Run]] = {
    ("aws", "command"): _command,
    ("aws", "automation"): _automation,
    ("aws", "maintenance-window"): _window,
    ("alibaba", "invocation"): _alibaba,
    ("tencent", "invocation"): _tencent,
}
