"""Step Functions: executions of state machines, as far as they are listed, read and stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.wire import Action, Call, Document, Refusal, token_page
from runcancel.sandbox.world import ACTIVE, Book, Life, Run, Target, Word, World

KIND = "state-machine"
TARGET = "AWSStepFunctions."
SERVICE = "states"
JSON_TYPE = "application/x-amz-json-1.0"

WORDS: Mapping[Word, str] = {
    Word.PENDING: "PENDING_REDRIVE",
    Word.RUNNING: "RUNNING",
    Word.CANCELLING: "RUNNING",
    Word.CANCELLED: "ABORTED",
    Word.TERMINATED: "ABORTED",
    Word.SUCCEEDED: "SUCCEEDED",
    Word.FAILED: "FAILED",
    Word.TIMED_OUT: "TIMED_OUT",
}
_EXPRESS = "click-stream"
"""The name of a state machine whose executions are neither listed nor stopped."""


@dataclass(slots=True, kw_only=True)
class MachineExecution(Run):
    """One execution; its only target is itself."""

    wake: Callable[[], None] | None = None

    @property
    def machine(self) -> str:
        """The ARN of its state machine."""
        return self.id.rpartition(":")[0].replace(":execution:", ":stateMachine:")


def execution(book: Book, machine: str, name: str, life: Life, created: float) -> MachineExecution:
    """An execution of the state machine of that name. AWS stops one at once."""
    account = account_id("aws", book.key.account)
    return MachineExecution(
        id=f"arn:aws:states:{book.key.region}:{account}:execution:{machine}:{name}",
        kind=KIND,
        name=name,
        created=created,
        targets=[Target(id=name, life=replace(life, begins=min(life.begins, created), settle=0.0))],
        document=machine,
    )


def _find(book: Book, call: Call) -> MachineExecution:
    arn = call.params["executionArn"]
    if ":express:" in arn:
        raise Refusal(400, "InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: express: {arn}'")
    execution = book.find(MachineExecution, arn)
    if execution is None:
        raise Refusal(400, "ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    return execution


def describe(world: World, book: Book, call: Call) -> Document:
    one = _find(book, call)
    document = _row(one, world.now()) | {"redriveCount": 0, "redriveStatus": "NOT_REDRIVABLE"}
    if call.params.get("includedData") == "METADATA_ONLY":
        return document
    return document | {"input": one.script or "{}", "inputDetails": {"included": True}}


def stop(world: World, book: Book, call: Call) -> Document:
    """An execution that has ended is answered like one that is stopped."""
    one = _find(book, call)
    now = world.now()
    if one.state(now) in ACTIVE and one.cancelled_at is None:
        call.changed = one.targets[0].cancel(now, kills=True)
        one.cancelled_at = now
        if one.wake is not None:
            one.wake()
    return {"stopDate": _stamp(one.ended(now) or now)}


def list_machines(world: World, book: Book, call: Call) -> Document:
    machines = dict.fromkeys(one.machine for one in book.runs_of(MachineExecution))
    express = f"arn:aws:states:{book.key.region}:{account_id('aws', book.key.account)}:stateMachine:{_EXPRESS}"
    rows = [_machine(arn, "STANDARD") for arn in sorted(machines)] + [_machine(express, "EXPRESS")]
    return _page("stateMachines", rows, call)


def _machine(arn: str, sort: str) -> Document:
    name = arn.rpartition(":")[2]
    return {"stateMachineArn": arn, "name": name, "type": sort, "creationDate": 1760000000.0}


def list_executions(world: World, book: Book, call: Call) -> Document:
    arn, status = call.params.get("stateMachineArn", ""), call.params.get("statusFilter")
    if status == WORDS[Word.PENDING]:
        raise Refusal(400, "ValidationException", "PENDING_REDRIVE needs a mapRunArn.")
    if arn.endswith(f":{_EXPRESS}"):
        text = f"This operation is not supported by this type of state machine: '{arn}'"
        raise Refusal(400, "StateMachineTypeNotSupported", text)
    executions = [one for one in book.listed(MachineExecution) if one.machine == arn]
    if not executions:
        raise Refusal(400, "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    executions.sort(key=lambda one: -(one.ended(world.now()) or one.created))
    rows = [_row(one, world.now()) for one in executions]
    return _page("executions", [row for row in rows if status in (None, row["status"])], call)


def _row(one: MachineExecution, now: float) -> Document:
    ended = one.ended(now)
    row: Document = {
        "executionArn": one.id,
        "stateMachineArn": one.machine,
        "name": one.name,
        "status": WORDS.get(one.state(now), "FAILED"),
        "startDate": _stamp(one.created),
    }
    return row if ended is None else {**row, "stopDate": _stamp(ended)}


def _stamp(at: float) -> float:
    return round(at, 3)


def _page(name: str, rows: Sequence[Document], call: Call) -> Document:
    bad = Refusal(400, "InvalidToken", "Invalid Token: 'Invalid token'")
    others = {key: value for key, value in call.params.items() if key not in ("nextToken", "maxResults")}
    same = replace(call, params={**others, "NextToken": call.params.get("nextToken")})
    size = int(call.params.get("maxResults") or 0) or 100
    rows_of_page, token = token_page(rows, same, size=size, keep=lambda _: True, bad_token=bad)
    return {name: rows_of_page} | ({"nextToken": token} if token else {})


ACTIONS: Mapping[tuple[str, str], Action] = {
    (SERVICE, "ListStateMachines"): Action(list_machines, ("stateMachines",)),
    (SERVICE, "ListExecutions"): Action(list_executions, ("executions",)),
    (SERVICE, "DescribeExecution"): Action(describe),
    (SERVICE, "StopExecution"): Action(stop, cancels=True),
}
