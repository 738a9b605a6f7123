"""Options of the verbs that change something: where the runs come from, what is allowed, how long it may take."""

from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.bundles import Bundle, Offers
from runcancel.model import outcomes
from runcancel.model.states import Guarantee

Plan = Annotated[
    str | None, typer.Option("--plan", metavar="FILE", help="Carry out exactly what a saved dry run lists.")
]
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="With --plan: only part I of N, from 0; auto/N in a job array."),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="ID", help="Continue an interrupted operation."),
    Offers("operations"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan; send nothing.")]
RequireMatch = Annotated[bool, typer.Option("--require-match", help="Exit 5 if nothing matches.")]
AllowIncomplete = Annotated[bool, typer.Option("--allow-incomplete", help="Accept an incomplete list.")]
MaxTriggers = Annotated[
    int | None,
    typer.Option(
        "--max-triggers", metavar="N", min=0, max=options.MOST, help="Refuse to change more triggers than this [20]."
    ),
]


class Sources(Bundle, frozen=True, kw_only=True):
    """Where the runs come from, if they are neither typed nor found by a filter."""

    plan: Plan = None
    shard: Shard = None
    from_: options.ReferenceFile = None
    operation: options.OfOperation = None
    resume: Resume = None


class Confirmation(Bundle, frozen=True, kw_only=True):
    """The confirmation that the command line gives."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the confirmation [y/N].")] = False
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME|COUNT", help="Confirm with a context name or the number of runs."),
    ] = None


class Limits(Bundle, frozen=True, kw_only=True):
    """What a cancel is refused beyond."""

    max_runs: Annotated[
        int | None,
        typer.Option(
            "--max-runs", metavar="N", min=0, max=options.MOST, help="Refuse to cancel more runs than this [20]."
        ),
    ] = None
    max_targets: Annotated[
        int | None,
        typer.Option(
            "--max-targets", metavar="N", min=0, max=options.MOST, help="Refuse to cancel more targets than this."
        ),
    ] = None
    require_guarantee: Annotated[
        Guarantee | None,
        typer.Option("--require-guarantee", metavar="LEVEL", help="Refuse if a run has a weaker guarantee."),
    ] = None

    @property
    def typed(self) -> frozenset[str]:
        """The options of limits that were given."""
        values = {"--max-runs": self.max_runs, "--max-targets": self.max_targets}
        return frozenset(option for option, value in values.items() if value is not None)

    def over(self, before: outcomes.Limits) -> outcomes.Limits:
        """The limits of the command line, else those that the operation had `before`."""
        return outcomes.Limits(
            max_runs=before.max_runs if self.max_runs is None else self.max_runs,
            max_targets=before.max_targets if self.max_targets is None else self.max_targets,
        )


class Waiting(Bundle, frozen=True, kw_only=True):
    """How long it is tried and watched."""

    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until everything has ended or changed.")] = True
    timeout: options.Timeout = None
    give_up_after: options.GiveUpAfter = None
    lookup_timeout: options.LookupTimeout = None


TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Send at once what another operation or process is already cancelling.")
]


class Record(Bundle, frozen=True, kw_only=True):
    """What is kept in the journal."""

    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Reason, kept in the journal.")] = None
    journal: Annotated[
        bool | None,
        typer.Option(
            "--require-journal/--no-journal", help="Refuse without a journal / write none.", show_default=False
        ),
    ] = None
