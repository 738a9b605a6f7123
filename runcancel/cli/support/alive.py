"""Whether another process is still carrying an operation out: it is not resumed at the same time, unless taken over."""

import os
from collections.abc import Iterable, Sequence

from runcancel.environment import this_machine
from runcancel.errors import Refused
from runcancel.journal.leases import LIFETIME
from runcancel.model.events import JournalEvent, Resumed
from runcancel.model.incident import NextStep
from runcancel.model.outcomes import Operation, Started
from runcancel.model.states import Stage
from runcancel.text import command, duration


def other_process(
    operation: Operation, events: Sequence[JournalEvent], silence: float | None, *, take_over: bool, dry_run: bool
) -> tuple[str, ...]:
    """Sentences about a process that may still carry the operation out; `silence`: seconds since its last sign of life.

    Raises `Refused` for one that lives, as far as can be known, unless it is taken over or nothing is sent.
    """
    if silence is None or not _is_alive(operation, events, silence):
        return ()
    id = operation.id
    sign = f"last sign of life {duration(max(0.0, silence))} ago"
    if take_over:
        return (f"Operation {id} is taken over from {_owner(operation, events)} ({sign}), which may still send",)
    message = f"operation {id} is still being carried out by {_owner(operation, events)} ({sign})"
    take = f"To continue it from here at once: {command(operation.verb, '--resume', id, '--take-over')}"
    if dry_run:
        return (f"{message[0].upper()}{message[1:]}. {take}",)
    raise Refused(
        f"{message}; nothing was sent",
        hint=f"To watch it: {_watch(operation)}. {take}. If it is gone, --resume continues in "
        f"{duration(LIFETIME - silence)}",
    )


def way_on(
    operation: Operation, events: Iterable[JournalEvent], silence: float | None, *, label: str = "Unfinished"
) -> str:
    """The command about an unfinished operation: behind `label` its resume, or how to watch it while it is alive."""
    known = tuple(events)
    if _is_alive(operation, known, silence):
        return f"In progress by {_owner(operation, known)}: {_watch(operation)}"
    return f"{label}: {command(operation.verb, '--resume', operation.id)}"


def to_watch(operation: Operation, events: Sequence[JournalEvent], silence: float | None) -> NextStep | None:
    """The step of a report about an operation that is in progress; None for any other."""
    if not _is_alive(operation, events, silence):
        return None
    text = f"Operation {operation.id} is in progress by {_owner(operation, events)}. To watch it:"
    return NextStep(text=text, command=_watch(operation))


def _watch(operation: Operation) -> str:
    words = ("wait", "--operation", operation.id) if operation.verb == "cancel" else ("history", operation.id)
    return command(*words)


def _is_alive(operation: Operation, events: Sequence[JournalEvent], silence: float | None) -> bool:
    """Whether a process may be carrying it out now."""
    return operation.state is Stage.OPEN and silence is not None and abs(silence) < LIFETIME and not _is_gone(events)


def _owner(operation: Operation, events: Sequence[JournalEvent]) -> str:
    """Who continued it last, or else who began it."""
    resumed = next((event for event in reversed(events) if isinstance(event, Resumed)), operation)
    return f"{resumed.user}@{resumed.host}"


def _is_gone(events: Sequence[JournalEvent]) -> bool:
    """Whether the process ran on this machine and has ended. One with the id of this process is an earlier one."""
    starts = [event for event in events if isinstance(event, Started)]
    return bool(starts) and all(map(_has_ended, starts))


def _has_ended(started: Started) -> bool:
    if started.host != this_machine():
        return False
    return started.pid == os.getpid() or not _runs(started.pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to another user, or is no number of a process
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return not file.read().rpartition(b")")[2].startswith(b" Z")  # it has ended, and nobody has noticed
    except OSError:  # there is no /proc
        return True
