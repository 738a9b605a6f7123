"""`runcancel cancel`: look up, plan, confirm, send, watch, report."""

import math
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.cli.support.ask import nobody, obtain_confirmation
from runcancel.cli.support.flowing import Flowing, flowing
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.resume import left_over
from runcancel.cli.support.select import Chosen, choose, looked_again, selection_request
from runcancel.config.references import full
from runcancel.engine import selection
from runcancel.engine.cancel import Admit, Flow, carry_out
from runcancel.engine.events import CombinedProgress, Progress, Shielded
from runcancel.engine.retry import DEFAULT_GIVE_UP_AFTER, READ_WITHIN, WaitPolicy
from runcancel.engine.selection import Selection
from runcancel.errors import IN_DOUBT, Exit, Goal, Interrupted, Refused, exit_of_cancel, exit_of_plan
from runcancel.guards import confirmation
from runcancel.guards.confirmation import GivenConfirmation
from runcancel.journal import store as journal_
from runcancel.journal.recorder import Recorder, new_operation
from runcancel.model.outcomes import Limits, Operation, Outcome, PlanItem
from runcancel.model.runs import Problem
from runcancel.model.states import Guarantee, Reason, Verdict
from runcancel.render import Caller, End
from runcancel.render.event_lines import EventLines
from runcancel.render.screens.announce import announce
from runcancel.render.screens.verdicts import hints
from runcancel.render.screens.words import counted
from runcancel.text import command, duration

PLAN_LIVES = timedelta(hours=1)

_SETTLED = frozenset({Reason.NOT_FOUND, Reason.NOT_CANCELLABLE, Reason.USAGE})
"""Failures that a resume would meet again: no run is left to cancel."""


def cancel(
    session: Session,
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REF...]",
            help="Runs: [context@][provider:][region:][kind/]id.",
            autocompletion=options.recent_references,
        ),
    ] = None,
    *,
    target: options.Targets = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan; send nothing.")] = False,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="FILE", help="Cancel exactly what a saved dry run lists.")
    ] = None,
    from_: options.ReferenceFile = None,
    operation: options.OfOperation = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="ID",
            help="Continue an interrupted operation.",
            autocompletion=options.recent_operations,
        ),
    ] = None,
    filters: options.Filters,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to the confirmation [y/N].")] = False,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME|COUNT", help="Confirm with a context name or the number of runs."),
    ] = None,
    max_runs: Annotated[
        int | None,
        typer.Option(
            "--max-runs", metavar="N", min=0, max=options.MOST, help="Refuse to cancel more runs than this [20]."
        ),
    ] = None,
    max_targets: Annotated[
        int | None,
        typer.Option(
            "--max-targets", metavar="N", min=0, max=options.MOST, help="Refuse to cancel more targets than this."
        ),
    ] = None,
    require_guarantee: Annotated[
        Guarantee | None,
        typer.Option("--require-guarantee", metavar="LEVEL", help="Refuse if a run has a weaker guarantee."),
    ] = None,
    require_match: Annotated[bool, typer.Option("--require-match", help="Exit 5 if nothing matches.")] = False,
    allow_incomplete: Annotated[bool, typer.Option("--allow-incomplete", help="Accept an incomplete list.")] = False,
    stop_running: Annotated[
        bool,
        typer.Option("--stop-running", help="AWS windows: also cancel the commands and automations they started."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch until every run has ended.")] = True,
    timeout: options.Timeout = None,
    give_up_after: options.GiveUpAfter = None,
    accept_reported: options.AcceptReported = False,
    lookup_timeout: options.LookupTimeout = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Reason, kept in the journal.")] = None,
    journal: Annotated[
        bool | None,
        typer.Option(
            "--require-journal/--no-journal", help="Refuse without a journal / write none.", show_default=False
        ),
    ] = None,
) -> int:
    """Cancel runs and report the verified state of each target.

    \b
    Examples:
      runcancel cancel                           (on a terminal: choose by number)
      runcancel cancel tencent:ap-guangzhou:inv-ib2lld37
      runcancel cancel t-7d2a745b412b4601 --target i-bp1a --dry-run
      runcancel cancel --name patch-openssl -r all --max-runs 50
      runcancel list --older-than 2h -o jsonl | runcancel cancel -f - --confirm 7
      runcancel cancel --name deploy-4711 -n -o json > plan.json
      runcancel cancel --plan plan.json --yes
      runcancel cancel 02f05632-d0bc-470d-b1e5-c59a8d4f2a10 --stop-running

    What a cancel can do depends on the cloud. Tencent Cloud stops running targets.
    AWS commands and automations are best effort. AWS maintenance windows and
    Alibaba Cloud cancel only pending targets. The plan shows it before any request.

    Exit codes: 0 verified stopped or already ended, 1 failed, 2 wrong usage,
    3 partial: some targets keep running, 4 not permitted, 5 not found, 6 nothing
    sent: refused or not confirmed, 7 incomplete, 8 sent but not verified stopped.
    """
    filtered = filters.any
    query = filters.query()
    file = journal_.path(session.settings.environ)
    resumed_from = None if resume is None else left_over(file, resume, pause=session.workers.pause)
    filtered = filtered or (bool(target) and not (refs or from_ or operation or plan or resume))
    request = selection_request(
        refs or (),
        query if filtered else None,
        from_,
        operation,
        plan,
        target,
        left_over=None if resumed_from is None else resumed_from.items,
        stop_running=stop_running,
        allow_incomplete=allow_incomplete,
        why_not_pick=nobody(session, from_stdin=False),
    )
    # What a request names, it selects: only a hand that types the names needs no question.
    by_hand = session.request.values.keys().isdisjoint({"refs", "resume"})
    sent = frozenset(() if resumed_from is None else (item.run for item in resumed_from.sent))
    request = structs.replace(request, by_hand=by_hand, sent=sent)
    limits = _limits(session, Limits() if resumed_from is None else resumed_from.limits, max_runs, max_targets)
    policy = WaitPolicy(
        wait=wait,
        timeout=session.patience(timeout),
        give_up_after=session.seconds("--give-up-after", give_up_after, DEFAULT_GIVE_UP_AFTER),
    )
    session.read_within = session.seconds("--lookup-timeout", lookup_timeout, READ_WITHIN)
    guard = Guard(session, dry_run=dry_run)
    entry = resumed_from.operation if resumed_from is not None else new_operation("cancel", sys.argv[1:], reason)
    if journal is not False and not dry_run:
        session.clouds.operation = entry.id
    session.asks_caller = guard.asks_caller
    goal = Goal(waited=wait, accept_reported=accept_reported, require_match=require_match)
    recorder = _recorder(session, file, entry, limits, journal, resumed=resumed_from is not None)
    flow = flowing(session, request, guard, limits=limits, guarantee=require_guarantee, confirm=confirm)
    if flow is not None and not dry_run:
        nothing = Chosen(selection=Selection(items=()), by_hand=True)
        return _carry_out(session, nothing, policy, recorder, admit=None, flow=flow, goal=goal)
    chosen = choose(session, request).beside(() if resumed_from is None else resumed_from.partial)
    items = chosen.selection.items
    callers = _callers(session, items, chosen) if not chosen.by_hand or dry_run or guard.asks_accounts else ()
    if chosen.planned_by:
        selection.check_identities(chosen.planned_by, {caller.scope: caller.principal for caller in callers})
    if dry_run:
        return _show_plan(session, guard.shown(chosen, callers), callers, require_match=require_match)
    session.notes.say(*(f"note: {note}" for note in (*chosen.notes, *chosen.selection.notes)))

    def admit(all_items: Sequence[PlanItem]) -> None:
        guard.check(all_items, callers)
        confirmation.check_guarantee(all_items, require_guarantee)
        confirmation.check_limits(
            all_items, limits, sent=() if resumed_from is None else resumed_from.sent, configured=_configured(session)
        )

    admit(items)
    if items:
        session.notes.say(*announce(items, callers, width=session.err.width))
    wanted = confirmation.required(
        items, chosen=not chosen.by_hand, accounts=_accounts(items, callers), protected=session.protected(items)
    )
    wanted = guard.stricter(wanted, items, callers)
    if obtain_confirmation(session, wanted, GivenConfirmation(yes=yes, confirm=confirm), from_stdin=chosen.from_stdin):
        chosen = looked_again(session, chosen)
        items = chosen.selection.items
        session.notes.say(*(f"note: {note}" for note in chosen.selection.notes))
        admit(items)
    if not items and resumed_from is None:
        recorder = None

    def admit_late(all_items: Sequence[PlanItem]) -> None:
        admit(all_items)
        if guard.stricter(wanted, all_items, callers).level > wanted.level:
            raise Refused(
                "the site policy requires confirmation, and this run started after it; nothing was sent for it"
            )

    return _carry_out(
        session, chosen, policy, recorder, admit=admit_late if stop_running else None, flow=None, goal=goal
    )


def _recorder(
    session: Session, file: Path, operation: Operation, limits: Limits, journal: bool | None, *, resumed: bool
) -> Recorder | None:
    """What writes the operation down; None with --no-journal. It begins with the first intent."""
    if journal is False:
        return None
    return Recorder(
        file,
        operation,
        limits=limits,
        warn=session.notes.warn,
        required=journal is True,
        resumed=resumed,
    )


def _limits(session: Session, given: Limits, max_runs: int | None, max_targets: int | None) -> Limits:
    """The limits of the command line, else those `given` before; the configuration may lower them."""
    configured = _configured(session)
    return Limits(
        max_runs=_least(given.max_runs if max_runs is None else max_runs, configured.max_runs),
        max_targets=_least(given.max_targets if max_targets is None else max_targets, configured.max_targets),
    )


def _configured(session: Session) -> Limits:
    caps = session.settings.config.caps
    return Limits(max_runs=caps.max_runs, max_targets=caps.max_targets)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _callers(session: Session, items: Sequence[PlanItem], chosen: Chosen) -> tuple[Caller, ...]:
    scopes = dict.fromkeys(full(item.run).scope for item in items if item.ask)
    return tuple(Caller.of(scope, who) for scope, who in session.identities(tuple(scopes)).items())


def _accounts(items: Sequence[PlanItem], callers: Sequence[Caller]) -> dict[str, str]:
    """Whose account each run is in: an id where known, else provider and context."""
    known = {caller.scope: f"{caller.scope.split(':')[0]} {caller.account}" for caller in callers if caller.account}
    scopes = {item.run: full(item.run).scope for item in items}
    return {run: known.get(str(scope), f"{scope.provider} {scope.context or ''}") for run, scope in scopes.items()}


def _carry_out(
    session: Session,
    chosen: Chosen,
    policy: WaitPolicy,
    recorder: Recorder | None,
    *,
    admit: Admit | None,
    goal: Goal,
    flow: Flowing | None,
) -> int:
    if recorder is not None:
        session.workers.last_words = (
            f"stopped at once; cancels already sent continue; operation {recorder.id}. To continue:\n"
            f"  runcancel cancel --resume {recorder.id}"
        )
    if flow is not None:
        flow.begin(recorder)
    answer = session.writer("cancel")
    outcomes: list[Outcome] = []
    broken: list[Exception] = []
    signum: int | None = None

    def put(outcome: Outcome) -> None:
        outcomes.append(outcome)
        try:
            answer.row(outcome)
        except Exception as error:  # noqa: BLE001 - what cannot be printed is cancelled all the same
            broken.append(error)

    for outcome in chosen.selection.decided:
        put(outcome)
    shown = Shielded(session.progress(asking=True, timeout=policy.timeout if policy.wait else None))

    def tick() -> None:
        _tell_failures(session, policy)
        shown.tick()

    session.workers.tick = tick
    watchers: list[Progress] = [] if recorder is None else [recorder]
    if session.format == "jsonl":
        watchers.append(Shielded(EventLines(answer)))
    progress: Progress = CombinedProgress(*watchers, shown)
    try:
        items = chosen.selection.items
        for outcome in carry_out(
            items,
            session.clouds,
            session.workers,
            policy,
            progress,
            admit=admit,
            flow=None if flow is None else Flow(flow.lookup, flow.choose, _looked_up_within(session, policy)),
        ):
            put(outcome)
    except Interrupted as signal:
        signum = signal.signum
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - it is reported beside the outcome of each run
        broken.append(error)
    if not outcomes and not chosen.gaps:
        what = "no run is left to cancel" if chosen.by_hand else "No runs match"
        session.notes.say(f"{what}; nothing was sent")
    if not outcomes:
        session.notes.say(*chosen.coverage)
    code = exit_of_cancel((one.ending for one in outcomes), goal, chosen.searched, signum=signum)
    code = code or int(Exit.FAILED) if broken else code
    if recorder is not None:
        recorder.end(code)
    operation = None if recorder is None else recorder.operation
    problems = (*chosen.gaps, *(outcome.error for outcome in outcomes if outcome.error is not None))
    problems += tuple(_internal(session, error, operation) for error in broken[:1])
    notes = (
        *(() if signum is None else (_what_goes_on(outcomes),)),
        *hints(outcomes, accept_reported=goal.accept_reported),
        *_next(outcomes, operation),
    )
    complete = signum is None and not chosen.gaps and not broken
    answer.end(End(exit_code=code, errors=problems, complete=complete, operation=operation, notes=notes))
    return code


def _looked_up_within(session: Session, policy: WaitPolicy) -> float:
    """Seconds for the readings of a flow; no longer than the tries after them may take."""
    return min(session.read_within or READ_WITHIN, policy.give_up_after or math.inf)


def _tell_failures(session: Session, policy: WaitPolicy) -> None:
    """Say at once what does not answer, and for how long it is tried."""
    for scope, error in session.clouds.traffic.failures():
        limit = policy.limit(error.reason, doubtful=error.reason in IN_DOUBT)
        if limit is None:
            continue
        flag = "--give-up-after" if error.reason is Reason.UNREACHABLE else "--timeout"
        within = "without end" if limit == math.inf else f"for {duration(limit)}"
        hint = f" ({error.hint})" if error.hint else ""
        session.notes.say(f"{scope}: {error.message}{hint}; it is tried again {within} ({flag})")


def _internal(session: Session, error: Exception, operation: str | None) -> Problem:
    """The internal error of a cancel; with `--debug` its frames go to stderr."""
    if session.debug:
        traceback.print_exception(error)
    under = "" if operation is None else f" (operation {operation})"
    return Problem(
        code=Reason.INTERNAL,
        message=f"internal error: {type(error).__name__}{under}; cancels already sent continue, nothing more was sent",
        hint="this is a bug of runcancel; the same command with --debug shows where",
    )


def _next(outcomes: Sequence[Outcome], operation: str | None) -> tuple[str, ...]:
    """How to continue with the rest, if there is a rest."""
    left = any(
        outcome.verdict in (Verdict.SKIPPED, Verdict.FAILED, Verdict.IN_DOUBT)
        and (outcome.error is None or outcome.error.code not in _SETTLED)
        for outcome in outcomes
    )
    return (f"To continue with the rest: {command('cancel', '--resume', operation)}",) if left and operation else ()


def _show_plan(session: Session, chosen: Chosen, callers: Sequence[Caller], *, require_match: bool) -> int:
    now = datetime.now(UTC).replace(microsecond=0)
    answer = session.writer("plan")
    for item in chosen.selection.items:
        answer.row(item)
    decided = tuple(outcome.error for outcome in chosen.selection.decided if outcome.error is not None)
    problems = (*chosen.gaps, *decided)
    code = exit_of_plan(
        (problem.code for problem in decided),
        chosen.searched,
        planned=bool(chosen.selection.items),
        require_match=require_match,
    )
    answer.end(
        End(
            exit_code=code,
            errors=problems,
            complete=not problems,
            identities=tuple(callers),
            created_at=now,
            expires_at=now + PLAN_LIVES,
            notes=(
                *chosen.notes,
                *chosen.selection.notes,
                *chosen.coverage,
                "Dry run: nothing was sent",
                *session.suggest(
                    "To cancel exactly these later: save this with -o json, then runcancel cancel --plan FILE"
                ),
            ),
        )
    )
    return code


def _what_goes_on(outcomes: Sequence[Outcome]) -> str:
    doubt = sum(outcome.verdict is Verdict.IN_DOUBT for outcome in outcomes)
    unsent = sum(outcome.verdict is Verdict.SKIPPED for outcome in outcomes)
    sent = sum(outcome.sent for outcome in outcomes) - doubt
    return (
        f"interrupted: {counted(sent, 'cancel')} sent, {doubt:,} uncertain, {unsent:,} not sent; "
        "cancels already sent continue"
    )
