"""OOS: executions of templates, their tasks, and the invocations that tasks started."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.alibaba.invocations import Invocation
from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Action, Call, Document, Refusal, token_page
from runcancel.sandbox.world import ACTIVE, STOPPED, Book, Run, Word, World

_Row = TypeVar("_Row")
KIND = "oos"
SERVICE, VERSION = "oos", "2019-06-01"

WORDS: Mapping[Word, str] = {
    Word.PENDING: "Pending",
    Word.SCHEDULED: "Waiting",
    Word.RUNNING: "Running",
    Word.CANCELLING: "Running",
    Word.CANCELLED: "Cancelled",
    Word.TERMINATED: "Cancelled",
    Word.SUCCEEDED: "Success",
    Word.FAILED: "Failed",
    Word.SKIPPED: "Skipped",
}
RUN_COMMAND, TIMER = "ACS::ECS::RunCommand", "ACS::TimerTrigger"


@dataclass(slots=True, kw_only=True)
class OosExecution(Run):
    """Its targets are its tasks. `runs`: what each task has started, by its place. A timer starts a run `every` so many
    seconds, and does so until it is cancelled.
    """

    actions: tuple[str, ...] = ()
    runs: dict[int, list[Run]] = field(default_factory=dict)
    category: str = "Other"
    description: str = ""
    every: float = 86_400.0

    def due(self, now: float) -> float:
        """The next second after `now` at which a timer starts a run."""
        return now - (now - self.created) % self.every + self.every

    def words(self, now: float) -> list[Word]:
        """A timer runs as long as one of its rounds does."""
        busy = any(run.state(now) in ACTIVE for run in self.runs.get(0, ())) if self.category != "Other" else False
        words = [target.life.word(now) for target in self.targets]
        return [Word.RUNNING if busy and word is Word.SCHEDULED else word for word in words]

    def state(self, now: float) -> Word:
        words = [word for _, word, _ in self.truth(now)]
        if self.cancelled_at is not None and Word.CANCELLING not in words:
            return Word.TERMINATED if Word.TERMINATED in words else Word.CANCELLED
        return next((word for word in _ROLL_UP if word in words), Word.SUCCEEDED)

    def truth(self, now: float) -> Iterator[tuple[str, Word, int]]:
        """A task left pending in an ended execution never runs."""
        words = self.words(now)
        over = not set(words) & (ACTIVE - {Word.PENDING})
        ended = over and bool(set(words) - {Word.PENDING})
        for target, word in zip(self.targets, words, strict=True):
            never_began = ended and word is Word.PENDING and self.cancelled_at is None
            yield target.id, Word.SKIPPED if never_began else word, target.life.cancels

    def ended(self, now: float) -> float | None:
        if self.state(now) in ACTIVE:
            return None
        ends = [end for target in self.targets if (end := target.life.ended(now)) is not None]
        return max(ends, default=self.created)


_ROLL_UP = (Word.CANCELLING, Word.RUNNING, Word.SCHEDULED, Word.PENDING, Word.FAILED, Word.TERMINATED, Word.CANCELLED)


def cancel(world: World, book: Book, call: Call) -> Document:
    one = book.get(OosExecution, call.params.get("ExecutionId", ""))
    now = world.now()
    if one is None:
        raise Refusal(404, "EntityNotExists.Execution", "The specified execution does not exist.")
    if one.state(now) not in ACTIVE or one.cancelled_at is not None:
        raise Refusal(400, "InvalidOperation", "The execution has ended and cannot be cancelled.")
    one.cancelled_at = now
    stopped = [target.cancel(now, kills=one.kills) for target in one.targets]
    call.changed = any(stopped)
    return {}


def list_executions(world: World, book: Book, call: Call) -> Document:
    now, params = world.now(), call.params
    id = params.get("ExecutionId")
    execution = book.find(OosExecution, id) if id else None
    runs = ([execution] if execution else []) if id else book.listed(OosExecution)
    tests: dict[str, Callable[[OosExecution, str], bool]] = {
        "Status": lambda one, value: WORDS.get(one.state(now)) == value,
        "TemplateName": lambda one, value: value in one.name,
        "ExecutedBy": lambda one, value: one.started_by == value,
        "Category": lambda one, value: one.category == value,
        "ParentExecutionId": lambda one, value: one.parent == value,
        "StartDateAfter": lambda one, value: (utc(one.created) or "") >= value,
        "StartDateBefore": lambda one, value: (utc(one.created) or "") <= value,
    }
    children = params.get("IncludeChildExecution") == "true" or "ParentExecutionId" in params

    def keep(one: OosExecution) -> bool:
        matches = all(test(one, params[key]) for key, test in tests.items() if params.get(key))
        return matches and (children or not one.parent)

    rows, paging = _page(runs, call, keep, fewest=10)
    return {"Executions": [_execution(book, one, now) for one in rows], "TotalCount": len(runs), **paging}


def _execution(book: Book, one: OosExecution, now: float) -> Document:
    ended = one.ended(now)
    row: Document = {
        "ExecutionId": one.id,
        "TemplateName": one.name,
        "TemplateId": f"t-{one.id[5:25]}",
        "TemplateVersion": "v1",
        "Description": one.description,
        "Category": one.category,
        "Status": WORDS[one.state(now)],
        "ExecutedBy": f"{one.started_by}({account_id('alibaba', book.key.account)})",
        "RamRole": "OOSServiceRole",
        "Mode": "Automatic",
        "IsParent": bool(one.runs),
        "ParentExecutionId": one.parent,
        "Parameters": {"commandContent": one.script} if one.script else {},
        "Counters": {},
        "CurrentTasks": [],
        "CreateDate": utc(one.created),
        "StartDate": utc(one.created),
        "EndDate": utc(ended) or "",
        "UpdateDate": utc(ended or now),
        "Tags": {},
    }
    return row | (
        {"NextScheduleTime": utc(one.due(now))} if one.category == "TimerTrigger" and one.state(now) in ACTIVE else {}
    )


def list_tasks(world: World, book: Book, call: Call) -> Document:
    one = book.get(OosExecution, call.params.get("ExecutionId", ""))
    now = world.now()
    tasks = [] if one is None else [_task(one, at, word, now) for at, (_, word, _) in enumerate(one.truth(now))]
    rows, paging = _page(tasks, call, lambda _: True, fewest=20)
    return {"TaskExecutions": rows, **paging}


def _task(one: OosExecution, at: int, word: Word, now: float) -> Document:
    target, started = one.targets[at], one.runs.get(at, [])
    started_at, ended = target.life.started(now), target.life.ended(now)
    executions = (run.id for run in started if isinstance(run, OosExecution))
    child = next(executions, "") if one.category == "Other" else ""
    return {
        "ExecutionId": one.id,
        "TaskExecutionId": target.task,
        "TaskName": target.id,
        "TaskAction": one.actions[at],
        "Status": WORDS.get(word, "Failed"),
        "StatusMessage": "the task did not succeed" if word is Word.FAILED else "",
        "ChildExecutionId": child,
        "TemplateId": f"t-{one.id[5:25]}",
        "CreateDate": utc(one.created),
        "StartDate": utc(started_at) or "",
        "EndDate": (utc(ended) or "") if word not in ACTIVE else "",
        "Properties": "{}",
        "Outputs": "{}",
    }


def list_invocations(world: World, book: Book, call: Call) -> Document:
    now, id = world.now(), call.params.get("TaskExecutionId")
    rows = [
        {
            "InvocationTaskExecutionId": target.task,
            "InvocationTaskName": target.id,
            "InvocationId": run.id,
            "RegionId": book.key.region,
            "Status": _status(run, now),
        }
        for one in book.runs_of(OosExecution)
        for at, target in enumerate(one.targets)
        if target.task == id
        for run in one.runs.get(at, [])
        if isinstance(run, Invocation)
    ]
    return {"TaskExecutionInvocations": rows}


def _status(run: Run, now: float) -> str:
    word = run.state(now)
    return "Cancelled" if word in STOPPED else WORDS.get(word, "Failed")


def _page(
    rows: Sequence[_Row], call: Call, keep: Callable[[_Row], bool], *, fewest: int
) -> tuple[list[_Row], Document]:
    size = str(call.params.get("MaxResults", "50"))
    if not size.isdecimal() or not fewest <= int(size) <= 100:
        raise Refusal(400, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid.")
    bad = Refusal(400, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid.")
    rows_of_page, token = token_page(rows, call, size=int(size), keep=keep, bad_token=bad)
    return rows_of_page, {"MaxResults": int(size), "NextToken": token}


ACTIONS: Mapping[tuple[str, str], Action] = {
    (SERVICE, "CancelExecution"): Action(cancel, cancels=True),
    (SERVICE, "ListExecutions"): Action(list_executions, ("Executions",)),
    (SERVICE, "ListTaskExecutions"): Action(list_tasks, ("TaskExecutions",)),
    (SERVICE, "ListTaskExecutionInvocations"): Action(list_invocations, ("TaskExecutionInvocations",)),
}
