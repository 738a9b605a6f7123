"""Runs of every kind, built from their descriptions."""

from collections.abc import Callable
from dataclasses import replace

from runcancel.sandbox.alibaba import building
from runcancel.sandbox.aws import state_machines
from runcancel.sandbox.aws.automations import Automation
from runcancel.sandbox.aws.commands import Command
from runcancel.sandbox.aws.state_machines import MachineExecution
from runcancel.sandbox.aws.windows import Execution, Share, Task, Window, Windows, follow
from runcancel.sandbox.spec import (
    BadSpec,
    RunSpec,
    build_as,
    cancel_time,
    lives,
    machines,
    step_of,
    steps_of,
    targets_of,
)
from runcancel.sandbox.tencent.invocations import Invocation as TencentInvocation
from runcancel.sandbox.world import WAITING, Book, Life, Run, Target, Word

TASK_SHARES = 10
_NOT_STARTED = WAITING | {Word.CANCELLED}


def build(book: Book, spec: RunSpec, now: float) -> Run:
    builder = BUILDERS.get((book.key.provider, spec.kind))
    if builder is None:
        raise BadSpec(f"{book.key.provider} has no runs of kind {spec.kind}")
    return build_as(builder, book, spec, now)


def _command(book: Book, spec: RunSpec, now: float) -> Command:
    return Command(
        id=spec.id or book.dice.uuid(),
        kind=spec.kind,
        name=spec.name,
        created=now - spec.age,
        targets=targets_of(book, spec, now),
        kills=spec.terminates,
        bucket=spec.bucket,
        cancelled_at=cancel_time(spec, now),
        document=spec.document or "AWS-RunShellScript",
        comment=spec.description or spec.name,
        steps=spec.steps,
        by_tag=spec.by_tag,
    )


_ACTIONS = ("aws:assertAwsResourceProperty", "aws:runCommand", "aws:executeScript", "aws:changeInstanceState")


def _automation(book: Book, spec: RunSpec, now: float) -> Automation:
    return _fanned_out(book, spec, now) if spec.fanout else _runbook(book, spec, steps_of(book, spec, now), now)


def _runbook(book: Book, spec: RunSpec, steps: list[Target], now: float) -> Automation:
    return Automation(
        id=spec.id or book.dice.uuid(),
        kind=spec.kind,
        name=spec.document or spec.name,
        created=now - spec.age,
        targets=steps,
        actions=tuple(_ACTIONS[index % len(_ACTIONS)] for index in range(len(steps))),
        cancelled_at=cancel_time(spec, now),
        document=spec.document or spec.name,
        waits=spec.waits,
    )


def _fanned_out(book: Book, spec: RunSpec, now: float) -> Automation:
    parent = _runbook(book, spec, [], now)
    led = lives(spec, now)
    alone = {word: replace(spec, targets={word: 1}, id="") for word in dict(led)}
    for (machine, _), (word, life) in zip(machines(book, len(led)), led, strict=True):
        child = _runbook(book, alone[word], [step_of(book, spec, 1, word, life)], now)
        child.on, child.parent = machine, parent.id
        book.add(child)
        parent.children.append(child)
    return parent


def window_run(book: Book, spec: RunSpec, now: float) -> Execution:
    run = Execution(
        id=spec.id or book.dice.uuid(),
        kind=spec.kind,
        name=spec.name,
        created=now - spec.age,
        targets=[],
        window=_window_of(book, spec),
        opens=now + spec.waits_for,
        fixed=Word.SKIPPED if spec.skipped else None,
        cancelled_at=cancel_time(spec, now),
    )
    follow(book, run)
    add_tasks(book, run, spec, now)
    run.wake()
    return run


def add_tasks(book: Book, run: Execution, spec: RunSpec, now: float) -> None:
    """One task for ended targets, one for running targets, and one for every ten pending targets."""
    led = lives(spec, now)
    seats = list(zip(machines(book, len(led)), led, strict=True))
    groups = (
        [seat for seat in seats if seat[1][0] not in _NOT_STARTED and seat[1][0] is not Word.RUNNING],
        [seat for seat in seats if seat[1][0] is Word.RUNNING],
    )
    for group in groups:
        if group:
            run.tasks.append(_started_task(book, run, spec, group))
    machines_waiting = [machine for (machine, _), (word, _) in seats if word in _NOT_STARTED]
    for at in range(0, len(machines_waiting), TASK_SHARES):
        run.tasks.append(_pending_task(book, run, spec, machines_waiting[at : at + TASK_SHARES]))


def _window_of(book: Book, spec: RunSpec) -> Window:
    windows = book.beside(Windows)
    for window in windows.values():
        if spec.window in (window.id, window.name) or (not spec.window and window.name == spec.name):
            return window
    new_window = Window(id=f"mw-0{book.dice.hexadecimal(16)}", name=spec.window or spec.name)
    windows[new_window.id] = new_window
    return new_window


_Seat = tuple[tuple[str, str], tuple[Word, Life]]


def _started_task(book: Book, run: Execution, spec: RunSpec, group: list[_Seat]) -> Task:
    """A started task: one invocation over all machines for commands unless `separate`, one each for everything else."""
    task = _task(book, run, spec)
    task.started_at = run.created + 1
    together = [group] if spec.sort == "RUN_COMMAND" and not spec.separate else [[seat] for seat in group]
    for seats in together:
        share = _share(book, tuple(machine for (machine, _), _ in seats))
        start = _CHILDREN.get(spec.sort)
        if start is None:
            share.life = seats[0][1][1]
            share.execution = book.dice.uuid()
        else:
            share.child = start(book, run, task, seats)
            share.execution = share.child.id
            book.add(share.child)
        task.shares.append(share)
    return task


def _pending_task(book: Book, run: Execution, spec: RunSpec, targets: list[str]) -> Task:
    task = _task(book, run, spec)
    task.lasts = spec.runs_for
    task.listed = spec.listed
    task.shares = [_share(book, (machine,)) for machine in targets]
    for share in task.shares:
        share.cancels = int(run.cancelled_at is not None)
    return task


_DOCUMENTS = {
    "RUN_COMMAND": "AWS-RunShellScript",
    "AUTOMATION": "AWS-RestartEC2Instance",
    "LAMBDA": "arn:aws:lambda:us-east-2:111122223333:function:tidy",
    "STEP_FUNCTIONS": "arn:aws:states:us-east-2:111122223333:stateMachine:tidy",
}


def _task(book: Book, run: Execution, spec: RunSpec) -> Task:
    arn = spec.document or _DOCUMENTS[spec.sort]
    return Task(id=book.dice.uuid(), sort=spec.sort, arn=arn, shares=[], priority=len(run.tasks) + 1)


def _share(book: Book, instances: tuple[str, ...]) -> Share:
    return Share(id=book.dice.uuid(), instances=instances, owner="ops", window_target=book.dice.uuid())


def _child_command(book: Book, run: Execution, task: Task, seats: list[_Seat]) -> Run:
    targets = [
        Target(id=machine, life=life, name=name, stdout=f"{name}: patching\n") for (machine, name), (_, life) in seats
    ]
    return Command(
        id=book.dice.uuid(),
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
        id=book.dice.uuid(),
        kind="automation",
        name=task.arn,
        created=run.created + 1,
        targets=[Target(id="restart", life=life, task=book.dice.uuid())],
        actions=("aws:changeInstanceState",),
        document=task.arn,
        on=machine,
        wake=run.wake,
    )


def _child_execution(book: Book, run: Execution, task: Task, seats: list[_Seat]) -> Run:
    life = replace(seats[0][1][1], settle=0.0)
    started = state_machines.execution(book, task.arn.rpartition(":")[2], book.dice.uuid(), life, run.created + 1)
    started.wake = run.wake
    return started


def _state_machine(book: Book, spec: RunSpec, now: float) -> MachineExecution:
    """Its `id` is the name of the execution, `name` or `document` that of its state machine."""
    ((_, life),) = lives(spec, now)
    machine, name = spec.document or spec.name, spec.id or book.dice.uuid()
    execution = state_machines.execution(book, machine, name, life, now - spec.age)
    execution.cancelled_at = cancel_time(spec, now)
    return execution


_CHILDREN: dict[str, Callable[[Book, Execution, Task, list[_Seat]], Run]] = {
    "RUN_COMMAND": _child_command,
    "AUTOMATION": _child_automation,
    "STEP_FUNCTIONS": _child_execution,
}


def tencent_run(book: Book, spec: RunSpec, now: float) -> TencentInvocation:
    return TencentInvocation(
        id=spec.id or f"inv-{book.dice.code(8)}",
        kind=spec.kind,
        name=spec.name,
        created=now - spec.age,
        targets=targets_of(book, spec, now, task="invt-"),
        kills=spec.terminates,
        bucket=spec.bucket,
        upload_error=spec.upload_error,
        cancelled_at=cancel_time(spec, now),
        command=f"cmd-{book.dice.code(8)}",
        description=spec.description,
        source=spec.source,
        instance_kind=spec.instance_kind,
    )


BUILDERS: dict[tuple[str, str], Callable[[Book, RunSpec, float], Run]] = {
    ("aws", "command"): _command,
    ("aws", "automation"): _automation,
    ("aws", "maintenance-window"): window_run,
    ("aws", "state-machine"): _state_machine,
    ("alibaba", "invocation"): building.invocation,
    ("alibaba", "oos"): building.execution,
    ("tencent", "invocation"): tencent_run,
}
