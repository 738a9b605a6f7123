"""What is left to do after operations, each with the command that does it."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import structs

from runcancel.journal.plans import lacking, plan_reports, shown, unfinished
from runcancel.journal.rest import LEFT, rest_of
from runcancel.journal.timeline import Recorded
from runcancel.model.incident import NextStep
from runcancel.model.outcomes import Operation, Outcome, external, left_alone, left_running
from runcancel.model.runs import RunName
from runcancel.model.states import State, Verdict
from runcancel.model.triggers import TRIGGER_VERBS
from runcancel.text import command

_MOST = 10  # runs that get a command of their own
_ACCEPTED = (Verdict.STOPPED, Verdict.REPORTED, Verdict.PARTIAL)
_UNSURE = (Verdict.REQUESTED, Verdict.IN_DOUBT)


def next_steps(
    recorded: Sequence[Recorded], outcomes: Mapping[RunName, Outcome], in_progress: Mapping[str, NextStep]
) -> tuple[NextStep, ...]:
    """The most urgent first: what was not sent, what keeps running, what is in doubt, what is only reported.

    `in_progress`: the step about each operation that is not to be continued, because a process carries it out.
    """
    return tuple(
        step
        for steps in (
            _shards([one.operation for one in recorded]),
            _resume(recorded, outcomes, in_progress),
            _running(list(outcomes.values())),
            _to_check(recorded, outcomes),
        )
        for step in steps
    )


def restore(outcomes: Sequence[Outcome]) -> tuple[NextStep, ...]:
    """How to restore what the operations did to runs: a cancel is not reversible."""
    if not outcomes:
        return ()
    schedules = [one.run for one in outcomes if one.verdict in _ACCEPTED and _repeated(one)]
    texts = [
        "A cancel cannot be undone. To run a stopped script again, start it where it was started before.",
        *(
            f"{run} was waiting for a scheduled start, which the cancel removed. To restore it, create it again."
            for run in schedules[:_MOST]
        ),
    ]
    if len(schedules) > _MOST:
        texts.append(f"The same holds for {_runs(len(schedules) - _MOST)} more.")
    return tuple(NextStep(text=text, command=None) for text in texts)


def _repeated(outcome: Outcome) -> bool:
    """Whether a run was waiting for its next repetition."""
    return outcome.before is State.SCHEDULED or any(row.before is State.SCHEDULED for row in outcome.invocations)


def _shards(operations: Sequence[Operation]) -> Iterator[NextStep]:
    """How to cancel the shards that are missing: as another shard of the plan was called."""
    for one in lacking(plan_reports(operations)):
        sibling = next(each for each in operations if each.plan == one.plan and each.shard is not None)
        for index in one.missing[:_MOST]:
            text = (
                f"Shard {index} of {one.count} of plan {shown(one.plan)} is missing. To run it before the plan expires:"
            )
            yield NextStep(text=text, command=command(*_as_shard(sibling.argv, f"{index}/{one.count}")))
        if len(one.missing) > _MOST:
            yield NextStep(text=f"{len(one.missing) - _MOST:,} more shards of this plan are missing.", command=None)


def _as_shard(argv: Sequence[str], shard: str) -> tuple[str, ...]:
    """A command line of one shard as that of another."""
    words = list(argv)
    for at, word in enumerate(words):
        if word.startswith("--shard="):
            words[at] = f"--shard={shard}"
        elif word == "--shard" and at + 1 < len(words):
            words[at + 1] = shard
    return tuple(words)


def _resume(
    recorded: Sequence[Recorded], outcomes: Mapping[RunName, Outcome], in_progress: Mapping[str, NextStep]
) -> Iterator[NextStep]:
    open_ = {one.id for one in unfinished([each.operation for each in recorded])}
    for one in recorded:
        if one.operation.id in in_progress:
            yield in_progress[one.operation.id]
            continue
        rest = rest_of(one.entries)
        rest = structs.replace(rest, runs=tuple(run for run in rest.runs if outcomes[run].verdict in LEFT))
        is_open = one.operation.id in open_ and one.operation.verb not in TRIGGER_VERBS
        if not rest.runs and not is_open:
            continue
        what = (
            "is unfinished"
            if is_open
            else f"left {_runs(len(rest.runs))} that {_is(len(rest.runs))} not verified stopped"
        )
        resume = command("cancel", "--resume", one.operation.id)
        for way in rest.commands(one.operation) if rest.runs and not is_open else (resume,):
            yield NextStep(text=f"Operation {one.operation.id} {what}. To continue it:", command=way)


def _running(outcomes: Sequence[Outcome]) -> Iterator[NextStep]:
    """What a cancel left running: what stops it, where something does."""
    parents = left_running(outcomes)
    for run in parents[:_MOST]:
        stop = command("cancel", str(run), "--stop-running")
        yield NextStep(text=f"{run} started runs that keep running. To cancel them too:", command=stop)
    for foreign in external(outcomes):
        runs_on = f"{foreign.what[:1].upper()}{foreign.what[1:]} keeps running"
        end = " To cancel it:" if foreign.command else " It cannot be stopped."
        yield NextStep(text=f"{runs_on}.{end}", command=foreign.command)
    others = left_alone(outcomes)
    for run in others[:_MOST]:
        listing = command("invocations", str(run), "--status", "running")
        yield NextStep(text=f"{run}: the cloud cannot stop what runs. To list the targets that run:", command=listing)
    rest = len(others[_MOST:]) + len(parents[_MOST:])
    if rest:
        yield NextStep(
            text=f"{_runs(rest)} more {'has' if rest == 1 else 'have'} targets that keep running.", command=None
        )


def _to_check(recorded: Sequence[Recorded], outcomes: Mapping[RunName, Outcome]) -> Iterator[NextStep]:
    for one in recorded:
        runs = {entry.item.run for entry in one.entries}
        for verdicts, what in (
            (_UNSURE, "not verified stopped"),
            ((Verdict.REPORTED,), "reported stopped by the cloud, which is not verified"),
        ):
            count = _count(runs, outcomes, verdicts)
            if count:
                status = command("status", "--operation", one.operation.id)
                yield NextStep(
                    text=f"{_runs(count)} {_is(count)} {what}. To read {'it' if count == 1 else 'them'} again:",
                    command=status,
                )


def _count(runs: Collection[RunName], outcomes: Mapping[RunName, Outcome], verdicts: Collection[Verdict]) -> int:
    return sum(outcomes[run].verdict in verdicts for run in runs)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
