"""Runs of Alibaba Cloud, built from their descriptions."""

from dataclasses import replace

from runcancel.sandbox.alibaba import oos, rounds
from runcancel.sandbox.alibaba.invocations import Invocation, earlier_rounds
from runcancel.sandbox.alibaba.oos import OosExecution
from runcancel.sandbox.spec import RunSpec, build_as, cancel_time, lives, steps_of, targets_of
from runcancel.sandbox.world import Book, Run, Target, Word


def invocation(book: Book, spec: RunSpec, now: float) -> Invocation:
    run = Invocation(
        id=spec.id or f"t-{book.dice.hexadecimal(32)}",
        kind=spec.kind,
        name=spec.name,
        created=now - spec.age,
        targets=targets_of(book, spec, now),
        kills=spec.terminates,
        bucket=spec.bucket,
        upload_error=spec.upload_error,
        cancelled_at=cancel_time(spec, now),
        command=f"c-{book.dice.code(20)}",
        description=spec.description,
        repeat=spec.repeat,
        frequency=spec.frequency,
    )
    if run.timed:
        run.past = earlier_rounds(run)
        rounds.follow_invocation(book, run, spec.runs_for, now)
    return run


def execution(book: Book, spec: RunSpec, now: float) -> OosExecution:
    """Tasks of a template, one after the other; the running ones have started runs."""
    steps = steps_of(book, spec, now) if spec.category == "Other" else []
    if not steps:
        steps = [Target(id="timer", life=life, task="timer") for _, life in lives(spec, now)]
    run = OosExecution(
        id=spec.id or f"exec-{book.dice.hexadecimal(20)}",
        kind=spec.kind,
        name=spec.document or spec.name,
        created=now - spec.age,
        targets=steps,
        kills=spec.terminates,
        cancelled_at=cancel_time(spec, now),
        document=spec.document or spec.name,
        description=spec.description,
        category=spec.category,
        every=spec.every,
        actions=(oos.RUN_COMMAND if spec.category == "Other" else oos.TIMER,) * len(steps),
    )
    for at, step in enumerate(steps):
        step.task = f"{run.id}.{at + 1:04d}"
        if spec.starts and step.life.word(now) is Word.RUNNING:
            run.runs[at] = [_started_by_task(book, run, kind, now) for kind in spec.starts]
    if run.category == "TimerTrigger":
        rounds.follow_timer(book, run, lambda then: _round_of_timer(book, run, spec, then), now)
    return run


def _round_of_timer(book: Book, timer: OosExecution, spec: RunSpec, now: float) -> Run:
    """A child execution of the same template, whose task starts an invocation."""
    child = replace(spec, id="", targets={"running": 1}, age=0, category="Other", starts=())
    child_run = build_as(execution, book, child, now)
    child_run.parent = timer.id
    task = child_run.targets[0]
    task.life = replace(task.life, begins=now)
    child_run.runs[0] = [_started_by_task(book, child_run, kind, now) for kind in spec.starts or ("invocation",)]
    book.start(child_run)
    return child_run


def _started_by_task(book: Book, parent: OosExecution, kind: str, now: float) -> Run:
    spec = RunSpec(
        kind=kind, name=parent.name, targets={"running": 2, "pending": 2}, age=min(60.0, now - parent.created)
    )
    child: Run
    if kind == oos.KIND:
        child = build_as(execution, book, replace(spec, targets={"running": 1}), now)
    else:
        child = build_as(invocation, book, spec, now)
    child.parent = parent.id
    return child
