"""What the pretended audit logs have: the request that started each run, a while after it was sent."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runcancel.sandbox.aws.commands import Command
from runcancel.sandbox.aws.state_machines import MachineExecution
from runcancel.sandbox.tencent.invocations import Invocation as TencentInvocation
from runcancel.sandbox.world import Book, Run

DELAY = 60.0
"""Seconds of world time after which an event can be looked up."""

KEPT = 90 * 86_400.0
ADDRESS = "203.0.113.7"
AGENT = "aws-cli/2.31.0 sandbox"
MOST = 50  # events per page, in every log


@dataclass(frozen=True, slots=True)
class Event:
    """One request that started a run. `service`: no person sent it, but a part of the cloud."""

    action: str
    run: Run
    service: str = ""

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.run.id))

    @property
    def at(self) -> float:
        """Logs have the time of the request, which is a little before the run was made."""
        return self.run.created - 1

    @property
    def user(self) -> str:
        return self.service or self.run.started_by


def events(book: Book, now: float) -> Iterator[Event]:
    for run in book.runs.values():
        event = _STARTS[book.key.provider](run)
        if event is not None and now - KEPT <= run.created <= now - DELAY:
            yield event


def _aws(run: Run) -> Event | None:
    if run.kind == "command":
        by_window = isinstance(run, Command) and run.wake is not None
        return Event("SendCommand", run, "ssm.amazonaws.com" if by_window else "")
    if run.kind == "state-machine":
        by_window = isinstance(run, MachineExecution) and run.wake is not None
        return Event("StartExecution", run, "ssm.amazonaws.com" if by_window else "")
    return Event("StartAutomationExecution", run) if run.kind == "automation" and not run.parent else None


def _by_request(run: Run) -> Event | None:
    """A command that is kept is invoked, another one is run at once; a schedule sends no request."""
    if isinstance(run, TencentInvocation) and run.source != "USER":
        return None
    if run.kind == "oos":
        return None if run.parent else Event("StartExecution", run)
    return Event("InvokeCommand" if run.id[-1] in "02468bdfhjlnprtvxz" else "RunCommand", run)


_STARTS: dict[str, Callable[[Run], Event | None]] = {"aws": _aws, "alibaba": _by_request, "tencent": _by_request}
