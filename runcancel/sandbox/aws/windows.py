"""Maintenance windows: executions of tasks in a row, each starting real commands and automations of the same world."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from runcancel.sandbox.aws import automations, commands, state_machines
from runcancel.sandbox.world import ACTIVE, RUNS_FOR, SETTLE_SECONDS, Book, Life, Run, Target, Word, roll_up

KIND = "maintenance-window"


@dataclass(slots=True, kw_only=True)
class Window:
    id: str
    name: str
    description: str = ""
    enabled: bool = True
    at: float = 10_800.0  # the second of the day
    tasks: list[tuple[str, str, str]] = field(default_factory=list)  # type, document and script of each
    changed: float = 1760000000.0


class Windows(dict[str, Window]):
    """The windows of one book by their ids."""


@dataclass(slots=True, kw_only=True)
class Share:
    """One task invocation: machines, and what was started for them, a child run or a life of its own."""

    id: str
    instances: tuple[str, ...]
    execution: str = ""
    owner: str = ""
    window_target: str = ""
    child: Run | None = None
    life: Life | None = None
    cancels: int = 0

    def word(self, now: float) -> Word:
        if self.child is not None:
            return self.child.state(now)
        return self.life.word(now) if self.life is not None else Word.PENDING

    def started(self, now: float) -> float | None:
        if self.child is not None:
            return self.child.created
        return self.life.started(now) if self.life is not None else None

    def ended(self, now: float) -> float | None:
        if self.child is not None:
            return self.child.ended(now)
        return self.life.ended(now) if self.life is not None else None

    def due(self) -> float:
        lives = [target.life for target in self.child.targets] if self.child is not None else []
        lives += [self.life] if self.life is not None else []
        ends = [life.ends if life.cancelled_at is None else life.cancelled_at + life.settle for life in lives]
        return max((end for end in ends if end < math.inf), default=0.0)


@dataclass(slots=True, kw_only=True)
class Task:
    """A task execution. Unlisted ones show no invocations until they begin."""

    id: str
    sort: str
    arn: str
    shares: list[Share]
    priority: int = 1
    listed: bool = True
    started_at: float | None = None
    lasts: float = RUNS_FOR
    outcome: Word = Word.SUCCEEDED

    def word(self, now: float, cancelled_at: float | None) -> Word:
        if self.started_at is None:
            return Word.PENDING if cancelled_at is None else Word.CANCELLED
        return roll_up([share.word(now) for share in self.shares])

    def ended(self, now: float) -> float | None:
        ends = [share.ended(now) for share in self.shares]
        return None if any(end is None for end in ends) else max((end for end in ends if end is not None), default=None)


@dataclass(slots=True, kw_only=True)
class Execution(Run):
    """One run of a window. A cancel stops only pending tasks, and lasts until the others have ended."""

    window: Window
    tasks: list[Task] = field(default_factory=list)
    fixed: Word | None = None
    opens: float = 0.0
    wake: Callable[[], None] = lambda: None

    def due(self) -> float:
        """When the next task may begin: the first when the window opens, later ones when the one before is over."""
        shares = [share for task in self.tasks if task.started_at is not None for share in task.shares]
        return max((share.due() for share in shares), default=self.opens)

    def cancel_has_ended(self, now: float) -> bool:
        return self.cancelled_at is None or (not self.stubborn and now >= self.cancelled_at + SETTLE_SECONDS)

    def state(self, now: float) -> Word:
        if self.fixed is not None:
            return self.fixed
        words = {task.word(now, self.cancelled_at) for task in self.tasks}
        if self.cancelled_at is not None:
            busy = bool(words & ACTIVE) or not self.cancel_has_ended(now)
            return Word.CANCELLING if busy else Word.CANCELLED
        if words == {Word.PENDING}:
            return Word.PENDING
        if words & ACTIVE:
            return Word.RUNNING
        return next((word for word in (Word.FAILED, Word.TIMED_OUT) if word in words), Word.SUCCEEDED)

    def started(self, now: float) -> float | None:
        return None if self.fixed is not None else self.created

    def ended(self, now: float) -> float | None:
        if self.fixed is not None:
            return self.created
        if self.state(now) in ACTIVE:
            return None
        ends = [end for task in self.tasks if (end := task.ended(now)) is not None]
        if self.cancelled_at is not None:
            ends.append(self.cancelled_at + SETTLE_SECONDS)
        return max(ends, default=self.created + 1)

    def truth(self, now: float) -> Iterator[tuple[str, Word, int]]:
        for task in self.tasks:
            for share in task.shares:
                yield from self._share_truth(task, share, now)

    def _share_truth(self, task: Task, share: Share, now: float) -> Iterator[tuple[str, Word, int]]:
        if isinstance(share.child, commands.Command):
            yield from share.child.truth(now)
            return
        word = task.word(now, self.cancelled_at) if task.started_at is None else share.word(now)
        for instance in share.instances or (share.id,):
            yield instance, word, share.cancels

    def mark_stubborn(self) -> None:
        self.stubborn = True

    def finish(self, now: float) -> None:
        for task in self.tasks:
            for share in task.shares:
                if share.child is not None:
                    share.child.finish(now)
                elif share.life is not None:
                    share.life = share.life.finished(now)


def cancel(execution: Execution, now: float) -> bool:
    if execution.cancelled_at is not None or execution.state(now) not in ACTIVE:
        return False
    execution.cancelled_at = now
    for task in execution.tasks:
        for share in task.shares if task.started_at is None else ():
            share.cancels += 1
    return True


def begin(book: Book, execution: Execution, task: Task, at: float, *, live: bool) -> None:
    """Start a task's commands and automations; `live` ones may be missed by the first reads."""
    task.started_at = at
    start = _STARTS.get(task.sort)
    for share in task.shares:
        life = Life(begins=at + 1, ends=at + task.lasts, outcome=task.outcome)
        if start is None:
            share.life = life
            share.execution = book.dice.uuid()
            continue
        share.child = start(book, execution, task, share, life)
        share.execution = share.child.id
        (book.start if live else book.add)(share.child)


def advance(book: Book, execution: Execution, now: float) -> float | None:
    """Begin what is due and say when to read again; None when nothing is left to begin."""
    while True:
        waiting = next((task for task in execution.tasks if task.started_at is None), None)
        if waiting is None or execution.cancelled_at is not None:
            return None
        due = execution.due()
        busy = any(task.started_at is not None and task.word(now, None) in ACTIVE for task in execution.tasks)
        if busy or due > now:
            return due if due > now else None
        begin(book, execution, waiting, due, live=True)


def follow(book: Book, execution: Execution) -> None:
    """Let the window go on by itself: when its task is over, and whenever somebody stops a child."""

    def step(now: float) -> float | None:
        return advance(book, execution, now)

    def wake() -> None:
        book.watch(execution.due(), step)

    execution.wake = wake
    wake()


def _start_command(book: Book, execution: Execution, task: Task, share: Share, life: Life) -> commands.Command:
    machines = dict(book.instances)
    targets = [
        Target(id=each, life=life, name=machines.get(each, ""), stdout=f"{task.arn} on {each}\n")
        for each in share.instances
    ]
    return commands.Command(
        id=book.dice.uuid(),
        kind=commands.KIND,
        name=task.arn,
        created=life.begins - 1,
        targets=targets,
        document=task.arn,
        comment=f"{execution.id}:{task.id}",
        wake=execution.wake,
    )


def _start_automation(book: Book, execution: Execution, task: Task, share: Share, life: Life) -> automations.Automation:
    return automations.Automation(
        id=book.dice.uuid(),
        kind=automations.KIND,
        name=task.arn,
        created=life.begins - 1,
        targets=[Target(id="runCommand", life=life, task=book.dice.uuid())],
        actions=("aws:runCommand",),
        document=task.arn,
        on=next(iter(share.instances), ""),
        wake=execution.wake,
    )


def start_state_machine(
    book: Book, execution: Execution, task: Task, share: Share, life: Life
) -> state_machines.MachineExecution:
    started = state_machines.execution(book, task.arn.rpartition(":")[2], book.dice.uuid(), life, life.begins - 1)
    started.wake = execution.wake
    return started


_STARTS: dict[str, Callable[[Book, Execution, Task, Share, Life], Run]] = {
    "RUN_COMMAND": _start_command,
    "AUTOMATION": _start_automation,
    "STEP_FUNCTIONS": start_state_machine,
}
