"""`runcancel enable`: let triggers start runs again."""

from typing import Annotated

import typer

from runcancel.cli.bundles import Bundle, Offers
from runcancel.cli.session import Session
from runcancel.cli.support.switching import Switching
from runcancel.cli.triggering import Change


class Options(Bundle, frozen=True, kw_only=True):
    """What `enable` takes beside the options of every verb."""

    operation: Annotated[
        str | None,
        typer.Option(
            "--operation",
            metavar="ID",
            help="Restore what an operation disabled; last is the newest that is not restored.",
        ),
        Offers("operations"),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="Also enable what somebody has changed since it was disabled.")
    ] = False
    change: Change


def enable(session: Session, args: Options) -> int:
    """Enable triggers, or restore what an operation disabled.

    \b
    Examples:
      runcancel enable --operation last
      runcancel enable --operation 01JDQ --dry-run
      runcancel enable -f disabled.jsonl --confirm 3
      runcancel enable aws:us-east-2:window/mw-0c50858d01c0ffee0

    --operation and -f with the output of runcancel disable -o jsonl restore the
    triggers that were found enabled, and no others. A trigger that somebody has
    changed since is reported as drifted and left alone, unless --force is given.
    A second restore changes nothing.

    Exit codes: 0 verified enabled or enabled before, 1 failed or drifted, 2 wrong usage,
    3 partial, 4 not permitted, 5 not found, 6 nothing sent: refused or not
    confirmed, 7 incomplete, 8 sent but not verified enabled.
    """
    return Switching(session, args.change, enable=True, operation=args.operation, force=args.force).run()
