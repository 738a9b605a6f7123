"""`runcancel cancel`: look, plan, ask, watch, judge, report."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from runcancel import settings
from runcancel.cancel import Patience, Progress, carry_out, plan
from runcancel.cli.session import Session
from runcancel.errors import CloudError, Interrupted, UsageError, exit_of_cancel, exit_of_reading
from runcancel.find import Sight
from runcancel.judge import failed
from runcancel.model import Outcome, PlanItem, Reason, Snapshot, Verdict
from runcancel.providers import kind_of
from runcancel.refs import full
from runcancel.render import End
from runcancel.render.announce import announce
from runcancel.render.verdicts import hints

PLAN_LIVES = timedelta(hours=1)


def cancel(
    session: Session,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Runs: [provider:][region:][kind/]id.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", metavar="ID", help="Only this target (repeatable).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be asked; send nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until the end is seen.")] = True,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="How long to watch a run [60s]; 0 looks once.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with the result.")] = None,
) -> int:
    """Cancel runs and tell for every target what is true now.

    \b
    Examples:
      runcancel cancel tencent:ap-guangzhou:inv-ib2lld37
      runcancel cancel t-7d2a745b412b4601 --target i-bp1a --dry-run
      runcancel cancel aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b --timeout 5m

    What a cancel can do differs: Tencent Cloud stops what runs; AWS commands and
    automations promise nothing; AWS maintenance windows and Alibaba Cloud cancel
    only what has not started. It is said before anything is sent.

    Exit codes: 0 seen stopped or over before, 1 failed, 2 wrong usage, 3 partial:
    something keeps running, 4 not permitted, 5 not found, 8 accepted but not seen
    stopped in time.
    """
    patience = Patience(wait=wait, timeout=_seconds(session, timeout))
    targets = tuple(dict.fromkeys(settings.plain("--target", one) for one in target or ()))
    sights = session.look(refs, full=True)
    snapshots = _runs(sights, targets)
    missing = tuple(failed(sight.reference.text, sight.problem) for sight in sights if sight.problem is not None)
    items = tuple(plan(snapshot, [one for one in targets if _has(snapshot, one)]) for snapshot in snapshots)
    if dry_run:
        return _show_plan(session, items, missing)
    session.notes.say(*announce(items, width=session.err.width))
    return _carry_out(session, items, missing, patience, reason)


def _carry_out(
    session: Session, items: Sequence[PlanItem], missing: Sequence[Outcome], patience: Patience, reason: str | None
) -> int:
    answer = session.writer("cancel")
    outcomes: list[Outcome] = []
    signum: int | None = None

    def put(outcome: Outcome) -> None:
        outcomes.append(outcome)
        answer.row(outcome)

    for outcome in missing:
        put(outcome)
    try:
        for outcome in carry_out(items, session.clouds, session.desk, patience, _progress(session)):
            put(outcome)
    except Interrupted as signal:
        signum = signal.signum
    endings = [(outcome.verdict, outcome.error.code if outcome.error else None) for outcome in outcomes]
    code = exit_of_cancel(endings, waited=patience.wait) if signum is None else 128 + signum
    notes = hints(outcomes) if signum is None else (_what_goes_on(endings), *hints(outcomes))
    problems = tuple(outcome.error for outcome in outcomes if outcome.error is not None)
    answer.end(End(exit_code=code, errors=problems, complete=signum is None, notes=notes))
    return code


def _show_plan(session: Session, items: Sequence[PlanItem], missing: Sequence[Outcome]) -> int:
    now = datetime.now(UTC).replace(microsecond=0)
    answer = session.writer("plan")
    for item in items:
        answer.row(item)
    problems = tuple(outcome.error for outcome in missing if outcome.error is not None)
    code = exit_of_reading(problem.code for problem in problems)
    answer.end(
        End(
            exit_code=code,
            errors=problems,
            complete=not problems,
            created_at=now,
            expires_at=now + PLAN_LIVES,
            notes=("nothing was sent: this is a plan",),
        )
    )
    return code


def _runs(sights: Sequence[Sight], targets: Sequence[str]) -> tuple[Snapshot, ...]:
    """The snapshots to act on, each run once. Raises `UsageError` where acting would be more than was said."""
    for sight in sights:
        if sight.problem is not None and sight.problem.code is Reason.USAGE:
            raise UsageError(f"{sight.problem.message}; nothing was sent")
        if sight.snapshot is not None and sight.snapshot.run.id != sight.reference.id:
            raise _part_of(sight, sight.snapshot)
    snapshots = tuple({sight.snapshot.run.ref: sight.snapshot for sight in sights if sight.snapshot}.values())
    if targets:
        _check_targets(snapshots, targets)
    return snapshots


def _check_targets(snapshots: Sequence[Snapshot], targets: Sequence[str]) -> None:
    whole = [snapshot.run.ref for snapshot in snapshots if not kind_of(full(snapshot.run.ref)).in_part]
    if whole:
        raise UsageError(
            f"{whole[0]} cannot be cancelled in part: its cloud takes the whole run or nothing; nothing was sent",
            hint="without --target the whole run is cancelled",
        )
    strangers = [one for one in targets if not any(_has(snapshot, one) for snapshot in snapshots)]
    if strangers and snapshots:
        raise CloudError(Reason.NOT_FOUND, f"no run here has the target {', '.join(strangers)}; nothing was sent")
    without = [snapshot.run.ref for snapshot in snapshots if not any(_has(snapshot, one) for one in targets)]
    if without:
        raise CloudError(Reason.NOT_FOUND, f"{without[0]} has none of the targets named; nothing was sent")


def _has(snapshot: Snapshot, target: str) -> bool:
    return any(one.target == target for one in snapshot.invocations)


def _part_of(sight: Sight, snapshot: Snapshot) -> UsageError:
    parts = [one.target for one in snapshot.invocations if sight.reference.id == one.id and one.target]
    only = (
        f"runcancel cancel {snapshot.run.ref} --target {parts[0]}" if parts else f"runcancel cancel {snapshot.run.ref}"
    )
    return UsageError(
        f"{sight.reference.id} is a part of {snapshot.run.ref}, not a run; nothing was sent",
        hint=f"to cancel {'it alone' if parts else 'the whole run'}: {only}",
    )


def _seconds(session: Session, timeout: str | None) -> float:
    choice = settings.text("--timeout", timeout, session.settings.environ)
    return settings.DEFAULT_TIMEOUT if choice.value is None else settings.duration(choice.origin, choice.value)


def _progress(session: Session) -> Progress:
    from runcancel.render.progress import progress

    shown = progress(sys.stderr, terminal=session.err, environ=session.settings.environ, quiet=session.quiet)
    session.desk.tick = shown.tick
    return shown


def _what_goes_on(outcomes: Sequence[tuple[Verdict, Reason | None]]) -> str:
    asked = sum(verdict in (Verdict.REQUESTED, Verdict.PARTIAL, Verdict.STOPPED) for verdict, _ in outcomes)
    doubt = sum(verdict is Verdict.FAILED and reason is Reason.INTERRUPTED for verdict, reason in outcomes)
    unasked = sum(verdict is Verdict.SKIPPED for verdict, _ in outcomes)
    return (
        f"interrupted: {asked} asked, {doubt} in doubt, {unasked} not asked; "
        "an interrupt takes nothing back: what was asked goes on"
    )
