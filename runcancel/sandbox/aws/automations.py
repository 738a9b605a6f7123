"""Automation: runbooks with steps, and rate-controlled ones with one child execution per target."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.aws.checks import MOST_VALUES, capital_filters, targets
from runcancel.sandbox.aws.commands import stamp
from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Call, Document, Refusal, token_page
from runcancel.sandbox.world import ACTIVE, STOPPED, Book, Run, Word, World

KIND = "automation"
STEPS_SHOWN = 50
_Row = TypeVar("_Row")

STEP_WORDS = {
    Word.PENDING: "Pending",
    Word.DELIVERING: "Pending",
    Word.DELAYED: "Waiting",
    Word.SCHEDULED: "Scheduled",
    Word.RUNNING: "InProgress",
    Word.CANCELLING: "Cancelling",
    Word.CANCELLED: "Cancelled",
    Word.TERMINATED: "Cancelled",
    Word.SUCCEEDED: "Success",
    Word.FAILED: "Failed",
    Word.TIMED_OUT: "TimedOut",
    Word.TASK_TIMEOUT: "TimedOut",
    Word.UNDELIVERED: "Failed",
    Word.START_FAILED: "Failed",
    Word.INVALID: "Rejected",
    Word.ERROR: "Failed",
    Word.MAX_ERRORS: "Exited",
    Word.SKIPPED: "Success",
}


@dataclass(slots=True, kw_only=True)
class Automation(Run):
    """Its targets are its steps; a rate-controlled parent has children instead, each working `on` one machine."""

    actions: tuple[str, ...] = ()
    children: list["Automation"] = field(default_factory=list)
    on: str = ""
    waits: bool = False
    completed: bool = False
    cascades: bool = True
    wake: Callable[[], None] | None = None

    def state(self, now: float) -> Word:
        if self.children:
            return self._state_of_children(now)
        words = self.words(now)
        ends = [word for word in words if word in _STEP_ENDS]
        if ends:
            return ends[0]
        if Word.CANCELLING in words:
            return Word.CANCELLING
        if words and words[0] is Word.PENDING:
            return Word.CANCELLED if self.cancelled_at is not None else Word.PENDING
        return Word.RUNNING if set(words) & ACTIVE else Word.SUCCEEDED

    def _state_of_children(self, now: float) -> Word:
        words = {child.state(now) for child in self.children}
        if self.cancelled_at is not None and (words & ACTIVE or self.stubborn):
            return Word.CANCELLING
        if words & ACTIVE:
            return Word.RUNNING
        return next((word for word in (Word.TERMINATED, *_STEP_ENDS) if word in words), Word.SUCCEEDED)

    def status(self, now: float) -> str:
        state = self.state(now)
        return "Waiting" if self.waits and state is Word.RUNNING else STEP_WORDS[state]

    def started(self, now: float) -> float | None:
        return self.created

    def ended(self, now: float) -> float | None:
        if self.state(now) in ACTIVE:
            return None
        ends = [end for target in self.targets if (end := target.life.ended(now)) is not None]
        ends += [end for child in self.children if (end := child.ended(now)) is not None]
        return max(ends, default=self.cancelled_at or self.created)

    def truth(self, now: float) -> Iterator[tuple[str, Word, int]]:
        """A step left pending in an ended runbook was skipped."""
        over = self.state(now) not in ACTIVE
        for target in self.targets:
            word = target.life.word(now)
            yield target.id, Word.SKIPPED if over and word is Word.PENDING else word, target.life.cancels
        for child in self.children:
            cancels = sum(target.life.cancels for target in child.targets)
            yield child.on, child.state(now), cancels

    def mark_stubborn(self) -> None:
        Run.mark_stubborn(self)
        for child in self.children:
            child.mark_stubborn()

    def finish(self, now: float) -> None:
        for child in self.children:
            child.finish(now)
        for target in self.targets:
            life = target.life
            target.life = replace(life, begins=min(life.begins, now), ends=min(life.ends, now))


_STEP_ENDS = (Word.FAILED, Word.TIMED_OUT, Word.INVALID, Word.MAX_ERRORS, Word.TERMINATED, Word.CANCELLED)


def find(book: Book, identity: str) -> Automation:
    automation = book.find(Automation, identity)
    if automation is None:
        text = f"Automation execution {identity} is not found."
        raise Refusal(400, "AutomationExecutionNotFoundException", text)
    return automation


def stop(world: World, book: Book, call: Call) -> Document:
    automation = find(book, call.params["AutomationExecutionId"])
    now = world.now()
    status = automation.status(now)
    if automation.cancelled_at is not None or automation.state(now) not in ACTIVE:
        text = f"Automation execution {automation.id} cannot be stopped: it is in status {status}."
        raise Refusal(400, "InvalidAutomationStatusUpdateException", text)
    if call.params.get("Type") == "Complete":
        automation.completed = True
        automation.finish(now)
    else:
        halt(automation, now)
    call.changed = True
    return {}


def halt(automation: Automation, now: float) -> None:
    """The step in progress is cancelled, later ones stay pending for ever."""
    automation.cancelled_at = now
    for target in automation.targets:
        if target.life.word(now) is Word.PENDING:
            target.life = replace(target.life, begins=math.inf, ends=math.inf)
        else:
            target.cancel(now, kills=True)
    for child in automation.children if automation.cascades else ():
        if child.state(now) in ACTIVE:
            halt(child, now)
    if automation.wake is not None:
        automation.wake()


def get(world: World, book: Book, call: Call) -> Document:
    automation = find(book, call.params["AutomationExecutionId"])
    now = world.now()
    document = _common(book, automation, now)
    document["StepExecutions"] = [_step(automation, index, now) for index in range(len(automation.targets))][
        :STEPS_SHOWN
    ]
    document["StepExecutionsTruncated"] = len(automation.targets) > STEPS_SHOWN
    document["Parameters"] = {"AutomationAssumeRole": [_role(book)]}
    words = automation.words(now)
    document["ProgressCounters"] = {
        "TotalSteps": len(words),
        "SuccessSteps": words.count(Word.SUCCEEDED),
        "FailedSteps": words.count(Word.FAILED),
        "CancelledSteps": sum(word in STOPPED for word in words),
        "TimedOutSteps": words.count(Word.TIMED_OUT),
    }
    if automation.children:
        document["TargetsSummary"] = _summary(automation, now)
    return {"AutomationExecution": document}


def _summary(automation: Automation, now: float) -> Document:
    words = [child.state(now) for child in automation.children]
    over = [word for word in words if word not in ACTIVE]
    good = over.count(Word.SUCCEEDED)
    return {
        "TotalCount": len(words),
        "StartedCount": sum(word is not Word.PENDING for word in words),
        "CompletedCount": len(over),
        "SuccessfulCount": good,
        "FailedCount": len(over) - good,
    }


def _role(book: Book) -> str:
    return f"arn:aws:iam::{account_id('aws', book.key.account)}:role/automation"


def _common(book: Book, automation: Automation, now: float) -> Document:
    ended = automation.ended(now)
    current = next((i for i, t in enumerate(automation.targets) if t.life.word(now) in ACTIVE), None)
    document: Document = {
        "AutomationExecutionId": automation.id,
        "DocumentName": automation.document,
        "DocumentVersion": "1",
        "AutomationExecutionStatus": automation.status(now),
        "ExecutedBy": f"arn:aws:sts::{account_id('aws', book.key.account)}:assumed-role/ops/sandbox",
        "Mode": "Auto",
        "Outputs": {},
        "Targets": [],
        "TargetMaps": [],
        "ResolvedTargets": {"ParameterValues": [], "Truncated": False},
    }
    if not automation.parent or any(target.life.begins <= now for target in automation.targets):
        document["ExecutionStartTime"] = stamp(automation.created)
    if ended is not None:
        document["ExecutionEndTime"] = stamp(ended)
    if automation.parent:
        document["ParentAutomationExecutionId"] = automation.parent
        document["Target"] = automation.on
    if automation.children:
        ids = [child.on for child in automation.children]
        document |= {"TargetParameterName": "InstanceId", "MaxConcurrency": "10", "MaxErrors": "1"}
        document["Targets"] = targets("ParameterValues", ids)
        document["ResolvedTargets"] = {"ParameterValues": ids[:MOST_VALUES], "Truncated": len(ids) > MOST_VALUES}
    if current is not None and ended is None:
        document |= {"CurrentStepName": automation.targets[current].id, "CurrentAction": automation.actions[current]}
    if automation.state(now) is Word.FAILED:
        document["FailureMessage"] = "Step fails when it is Execute/Cancelling action."
    return document


def _step(automation: Automation, index: int, now: float) -> Document:
    target = automation.targets[index]
    word = target.life.word(now)
    started, ended = target.life.started(now), target.life.ended(now)
    last = index == len(automation.targets) - 1
    step: Document = {
        "StepName": target.id,
        "Action": automation.actions[index],
        "StepStatus": "Waiting" if automation.waits and word is Word.RUNNING else STEP_WORDS[word],
        "StepExecutionId": target.task,
        "TimeoutSeconds": 3600,
        "OnFailure": "Abort",
        "MaxAttempts": 1,
        "IsEnd": last,
        "IsCritical": True,
        "Inputs": {"InstanceIds": f'["{automation.on}"]'} if automation.on else {},
        "Outputs": {"Output": [target.stdout]} if target.stdout and ended is not None else {},
        "ValidNextSteps": [] if last else [automation.targets[index + 1].id],
    }
    if not last:
        step["NextStep"] = automation.targets[index + 1].id
    if started is not None:
        step["ExecutionStartTime"] = stamp(started)
    if started is not None and ended is not None:
        step["ExecutionEndTime"] = stamp(ended)
    if word is Word.SUCCEEDED:
        step["ResponseCode"] = "0"
    if word is Word.FAILED:
        details = {"Script": [target.stderr or "exit status 1"]}
        step |= {"ResponseCode": "1", "FailureMessage": target.stderr or "Step failed.", "Response": "failed"}
        step["FailureDetails"] = {"FailureStage": "Execution", "FailureType": "Step", "Details": details}
    return step


_FilterTest = Callable[[Automation, float, list[str]], bool]

_EXECUTION_FILTERS: dict[str, _FilterTest] = {
    "DocumentNamePrefix": lambda run, now, values: run.document.startswith(tuple(values)),
    "ExecutionStatus": lambda run, now, values: run.status(now) in values,
    "ExecutionId": lambda run, now, values: run.id in values,
    "ParentExecutionId": lambda run, now, values: run.parent in values,
    "CurrentAction": lambda run, now, values: any(
        run.actions[i] in values for i, t in enumerate(run.targets) if t.life.word(now) is Word.RUNNING
    ),
    "StartTimeBefore": lambda run, now, values: (utc(run.created) or "") <= values[0],
    "StartTimeAfter": lambda run, now, values: (utc(run.created) or "") >= values[0],
    "AutomationType": lambda run, now, values: "Local" in values,
    "TagKey": lambda run, now, values: False,
    "TargetResourceGroup": lambda run, now, values: False,
    "AutomationSubtype": lambda run, now, values: False,
    "OpsItemId": lambda run, now, values: False,
}
_STATUSES = (
    "Pending", "InProgress", "Waiting", "Success", "TimedOut", "Cancelling", "Cancelled", "Failed", "PendingApproval",
    "Approved", "Rejected", "Scheduled", "RunbookInProgress", "PendingChangeCalendarOverride",
    "ChangeCalendarOverrideApproved", "ChangeCalendarOverrideRejected", "CompletedWithSuccess", "CompletedWithFailure",
    "Exited",
)  # fmt: skip
_EXECUTION_VALUES = dict.fromkeys(_EXECUTION_FILTERS, ()) | {
    "ExecutionStatus": _STATUSES,
    "AutomationType": ("CrossAccount", "Local"),
    "AutomationSubtype": ("ChangeRequest", "AccessRequest"),
}


def describe(world: World, book: Book, call: Call) -> Document:
    now = world.now()
    filters = capital_filters(call.params, _EXECUTION_VALUES, Refusal(400, "InvalidFilterKey"))

    def keep(run: Automation) -> bool:
        return not run.fresh and all(_EXECUTION_FILTERS[key](run, now, values) for key, values in filters)

    rows, token = _page(book.runs_of(Automation), call, keep)
    entries = [_common(book, run, now) | {"AutomationType": "Local", "LogFile": ""} for run in rows]
    return {"AutomationExecutionMetadataList": entries} | ({"NextToken": token} if token else {})


def _page(rows: Sequence[_Row], call: Call, keep: Callable[[_Row], bool]) -> tuple[list[_Row], str]:
    bad = Refusal(400, "InvalidNextToken", "The specified token isn't valid.")
    return token_page(rows, call, size=call.params.get("MaxResults", 50), keep=keep, bad_token=bad)


_STEP_FILTERS: dict[str, Callable[[Document, list[str]], bool]] = {
    "StartTimeBefore": lambda step, values: (utc(step.get("ExecutionStartTime")) or "~") <= values[0],
    "StartTimeAfter": lambda step, values: (utc(step.get("ExecutionStartTime")) or "") >= values[0],
    "StepExecutionStatus": lambda step, values: step["StepStatus"] in values,
    "StepExecutionId": lambda step, values: step["StepExecutionId"] in values,
    "StepName": lambda step, values: step["StepName"] in values,
    "Action": lambda step, values: step["Action"] in values,
    "ParentStepExecutionId": lambda step, values: False,
    "ParentStepIteration": lambda step, values: False,
    "ParentStepIteratorValue": lambda step, values: False,
}
_STEP_VALUES = dict.fromkeys(_STEP_FILTERS, ()) | {"StepExecutionStatus": _STATUSES}


def describe_steps(world: World, book: Book, call: Call) -> Document:
    automation = find(book, call.params["AutomationExecutionId"])
    now = world.now()
    filters = capital_filters(call.params, _STEP_VALUES, Refusal(400, "InvalidFilterKey"))
    steps = [_step(automation, index, now) for index in range(len(automation.targets))]
    if call.params.get("ReverseOrder"):
        steps.reverse()
    rows, token = _page(steps, call, lambda step: all(_STEP_FILTERS[key](step, values) for key, values in filters))
    return {"StepExecutions": rows} | ({"NextToken": token} if token else {})
