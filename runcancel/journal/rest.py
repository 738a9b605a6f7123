"""The commands that continue with what an operation has left, so that no guard refuses them again."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from runcancel.journal.base import Entry
from runcancel.journal.outcomes import outcome_of
from runcancel.model.outcomes import Operation, Outcome
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Reason, Verdict
from runcancel.providers import kind_of
from runcancel.text import command

LEFT = (Verdict.SKIPPED, Verdict.FAILED, Verdict.REQUESTED, Verdict.IN_DOUBT)
"""Verdicts on a run that may still be cancelled."""

_FEW = 3  # runs and commands that are printed


class Rest(Struct, frozen=True, kw_only=True):
    """What is left to cancel. `targets`: of the runs that were to be cancelled in part.

    `refused`: a guard has refused another run, which a resume would select, too.
    """

    runs: tuple[RunName, ...]
    targets: Mapping[RunName, Sequence[str]]
    refused: bool

    def commands(self, operation: Operation) -> tuple[str, ...]:
        """One resume, or what cancels the same without what was refused; none if nothing is left."""
        if not self.runs:
            return ()
        if not self.refused:
            return (command(operation.verb, "--resume", operation.id),)
        verb, chases = operation.verb, "--stop-running" in operation.argv
        whole = [run for run in self.runs if not self.targets.get(run)]
        above = [run for run in whole if chases and isinstance(run, Ref) and kind_of(run).starts_runs]
        others = [run for run in whole if run not in above]
        lines = [_some(verb, above, "--stop-running"), _some(verb, others)]
        lines += [_part(verb, run, self.targets[run]) for run in self.runs if run not in whole]
        return _at_most([line for line in lines if line])


def rest_of(entries: Iterable[Entry]) -> Rest:
    """What an operation has left, by the journal."""
    pairs = [(entry, outcome_of(entry)) for entry in entries]
    return Rest(
        runs=tuple(entry.item.run for entry, outcome in pairs if is_left(outcome)),
        targets={entry.item.run: entry.item.targets for entry, _ in pairs},
        refused=any(entry.item.ask and is_refused(outcome) for entry, outcome in pairs),
    )


def is_left(outcome: Outcome) -> bool:
    """Whether a further cancel of the run makes sense."""
    return outcome.verdict in LEFT and not outcome.is_final


def is_refused(outcome: Outcome) -> bool:
    """Whether a guard has refused the run."""
    return outcome.error is not None and outcome.error.code is Reason.REFUSED


def _at_most(commands: Sequence[str]) -> tuple[str, ...]:
    more = len(commands) - _FEW
    *first, last = commands[:_FEW]
    return (*first, f"{last} (and {more:,} more)" if more > 0 else last)


def _some(verb: str, runs: Sequence[RunName], *flags: str) -> str:
    more = f" (and {len(runs) - _FEW:,} more)" if len(runs) > _FEW else ""
    return f"{command(verb, *runs[:_FEW], *flags)}{more}" if runs else ""


def _part(verb: str, run: RunName, targets: Sequence[str]) -> str:
    return command(verb, run, *(word for target in targets for word in ("--target", target)))
