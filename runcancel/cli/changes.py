"""Options of the verbs that change something: where the runs come from, what is allowed, how long it may take."""

from typing import Annotated

import typer

from runcancel.cli import options
from runcancel.cli.bundles import Bundle
from runcancel.model.states import Guarantee


class Sources(Bundle, frozen=True, kw_only=True):
    """Where the runs come from, if they are neither typed nor found by a filter."""

    plan: Annotated[
        str | None, typer.Option("--plan", metavar="FILE", help="Cancel exactly what a saved dry run lists.")
    ] = None
    shard: options.OfPlan = None
    from_: options.ReferenceFile = None
    operation: options.OfOperation = None
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="ID",
            help="Continue an interrupted operation.",
            autocompletion=options.recent_operations,
        ),
    ] = None


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


class Waiting(Bundle, frozen=True, kw_only=True):
    """How long it is tried and watched, and what counts as an end."""

    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until every run has ended.")] = True
    timeout: options.Timeout = None
    give_up_after: options.GiveUpAfter = None
    accept_reported: options.AcceptReported = False
    lookup_timeout: options.LookupTimeout = None


class Record(Bundle, frozen=True, kw_only=True):
    """What is kept in the journal."""

    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Reason, kept in the journal.")] = None
    journal: Annotated[
        bool | None,
        typer.Option(
            "--require-journal/--no-journal", help="Refuse without a journal / write none.", show_default=False
        ),
    ] = None
