"""`runcancel cancel`: look up, plan, confirm, send, watch, report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from runcancel.cli import changes, options
from runcancel.cli.bundles import Bundle, Offers
from runcancel.cli.session import Session
from runcancel.cli.support.execution import Execution, recorder_of, wait_policy
from runcancel.cli.support.flowing import flowing
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.source import RunChoice, SelectionRequest, selection_request
from runcancel.engine.retry import READ_WITHIN, WaitPolicy
from runcancel.environment import check_partner
from runcancel.errors import Goal, UsageError
from runcancel.guards.limits import NO_LIMITS, lowest
from runcancel.journal.recorder import Recorder
from runcancel.model.outcomes import Limits, PlanItem
from runcancel.model.triggers import TriggerPlan
from runcancel.render import Caller
from runcancel.render.screens.notes import collapsed
from runcancel.text import command

if TYPE_CHECKING:
    from runcancel.cli.support.admission import Admission
    from runcancel.cli.support.holding import HoldRequest
    from runcancel.cli.support.triggers_first import TriggersFirst
    from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation

_LATER = "To cancel exactly these later: save this with -o json, then runcancel cancel --plan FILE"


class Options(Bundle, frozen=True, kw_only=True):
    """What `cancel` takes beside the options of every verb, in the order of its help."""

    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REF...]",
            help="Runs: [context@][provider:][region:][kind/]id.",
        ),
        Offers("references"),
    ] = None
    target: options.Targets = None
    dry_run: changes.DryRun = False
    sources: changes.Sources
    filters: options.Filters
    confirmation: changes.Confirmation
    limits: changes.Limits
    require_match: changes.RequireMatch = False
    allow_incomplete: changes.AllowIncomplete = False
    stop_running: Annotated[
        bool,
        typer.Option("--stop-running", help="Also cancel what the running tasks have started, at any depth."),
    ] = False
    disable_triggers: Annotated[
        bool | None,
        typer.Option(
            "--disable-triggers/--no-disable-triggers",
            help="First disable the triggers that started these runs / leave those of a plan enabled.",
            show_default=False,
        ),
    ] = None
    max_triggers: changes.MaxTriggers = None
    hold: Annotated[
        str | None,
        typer.Option("--hold", metavar="DURATION", help="Also cancel what matches the filter later, for so long."),
    ] = None
    waiting: changes.Waiting
    accept_reported: options.AcceptReported = False
    record: changes.Record
    take_over: changes.TakeOver = False


def cancel(session: Session, args: Options) -> int:
    """Cancel runs and report the verified state of each target.

    \b
    Examples:
      runcancel cancel                           (on a terminal: choose by number)
      runcancel cancel tencent:ap-guangzhou:inv-ib2lld37
      runcancel cancel inv-ib2lld37 --target ins-7ohwlx7u --dry-run
      runcancel cancel --name patch-openssl -r all --max-runs 50
      runcancel list --older-than 2h -o jsonl | runcancel cancel -f - --confirm 7
      runcancel cancel --name patch-openssl -n -o json > plan.json
      runcancel cancel --plan plan.json --yes
      runcancel cancel --plan plan.json --shard auto/8 --confirm 2
      runcancel cancel 02f05632-d0bc-470d-b1e5-c59a8d4f2a10 --stop-running
      runcancel cancel --name nightly-patching --disable-triggers --confirm 2
      runcancel cancel --name patch-openssl --hold 30m --max-runs 50

    What a cancel can do depends on the cloud and the kind of run: see runcancel
    help guarantees. The plan shows it before any request.

    Exit codes: 0 verified stopped or already ended, 1 failed, 2 wrong usage,
    3 partial: some targets keep running, 4 not permitted, 5 not found, 6 nothing
    sent: refused or not confirmed, 7 incomplete, 8 sent but not verified stopped.
    """
    hold = None if args.hold is None else _hold_request(session, args.hold, args)
    request = selection_request(
        session,
        args.refs or (),
        args.filters,
        args.sources,
        target=args.target,
        stop_running=args.stop_running,
        allow_incomplete=args.allow_incomplete,
        take_over=args.take_over,
        dry_run=args.dry_run,
    )
    _check_partners(args)
    if args.disable_triggers is not None and request.resumed is not None:
        flag = "--disable-triggers" if args.disable_triggers else "--no-disable-triggers"
        raise UsageError(f"--resume already lists every trigger: {flag} cannot be used with it")
    guard = Guard(session, dry_run=args.dry_run)
    session.asks_caller = guard.asks_caller
    session.read_within = session.seconds("--lookup-timeout", args.waiting.lookup_timeout, READ_WITHIN)
    if args.dry_run:
        return _show_plan(session, request, guard, args, hold)
    before = Limits() if request.resumed is None else request.resumed.limits
    limits = lowest(args.limits.over(before), session.settings.config.caps.limits)
    policy = wait_policy(session, args.waiting)
    goal = Goal(waited=args.waiting.wait, accept_reported=args.accept_reported, require_match=args.require_match)
    recorder = recorder_of(session, "cancel", args.record, request.resumed, limits)
    if recorder is not None:
        recorder.takes_over = args.take_over
    guarantee, confirm = args.limits.require_guarantee, args.confirmation.confirm
    if not args.disable_triggers:
        flow = flowing(session, request, guard, limits=limits, guarantee=guarantee, confirm=confirm)
        if flow is not None:
            return Execution(session, policy, goal, recorder).flow(flow)
    return _frozen(session, request, guard, args, limits, (policy, goal, recorder), hold)


def _check_partners(args: Options) -> None:
    disables = bool(args.disable_triggers) or args.sources.plan is not None or args.sources.resume is not None
    check_partner("--max-triggers", "--disable-triggers", is_given=args.max_triggers is not None, is_there=disables)


_Means = tuple[WaitPolicy, Goal, Recorder | None]


def _hold_request(session: Session, value: str, args: Options) -> "HoldRequest":
    from runcancel.cli.support.holding import hold_request

    sources = args.sources
    others = {
        "references": bool(args.refs),
        "--target": bool(args.target),
        "--from": sources.from_ is not None,
        "--plan": sources.plan is not None,
        "--operation": sources.operation is not None,
        "--resume": sources.resume is not None,
    }
    return hold_request(session, value, args.filters, args.limits, others=others)


def _frozen(
    session: Session,
    request: SelectionRequest,
    guard: Guard,
    args: Options,
    limits: Limits,
    means: _Means,
    hold: "HoldRequest | None",
) -> int:
    """Look at all, show the plan, confirm, send; the exit code."""
    from runcancel.cli.support.admission import Admission
    from runcancel.cli.support.dry_run import callers_of_plan
    from runcancel.guards.confirmation import GivenConfirmation

    policy, goal, recorder = means
    choice, first = _choice(session, request, args, limits)
    listed_at = session.workers.clock.monotonic()
    limits = structs.replace(limits, max_runs=choice.max_runs or limits.max_runs)
    if recorder is not None:
        recorder.record_states(choice.selection.items)
        recorder.limits = limits
        if first is not None:
            first.record(recorder)
        if choice.plan is not None:
            recorder.of_plan(choice.plan, None if choice.whole is None else choice.whole.shard)
    callers = callers_of_plan(session, choice, required=not choice.by_hand or guard.asks_accounts)
    callers = callers if hold is None else hold.callers(session, choice)
    first = None if first is None else first.permitted(session, callers)
    session.notes.say(
        *(f"note: {note}" for note in collapsed((*choice.notes, *choice.selection.notes))),
        *(() if first is None else first.notes),
    )
    admission = Admission(
        session=session,
        guard=guard,
        limits=limits,
        guarantee=args.limits.require_guarantee,
        callers=callers,
        sent_before=_sent_elsewhere(request, choice),
        typed=args.limits.typed,
        recorder=recorder,
        triggers=() if first is None else first.items,
    )
    flags = GivenConfirmation(yes=args.confirmation.yes, confirm=args.confirmation.confirm)
    if choice.whole is None:
        requirement = admission.admit(choice, flags)
    else:
        requirement = _admit_shard(admission, choice, flags, args.max_triggers)
    if first is not None and first.items:
        from runcancel.cli.support.triggers_first import admit_triggers

        requirement = admit_triggers(admission, choice, requirement, flags, max_triggers=args.max_triggers)
    if hold is not None:
        requirement = hold.requirement(admission, choice, requirement)
    admission.announce(choice, requirement, flags, also=() if hold is None else hold.sentences)
    choice = admission.confirmed(choice, requirement, flags)
    if not (choice.selection.items or admission.triggers or choice.whole or hold) and request.resumed is None:
        recorder = None  # nothing is sent: the journal shows no operation
    if choice.whole is not None and not choice.whole.part:
        goal = structs.replace(goal, require_match=False)  # the plan has runs, and other shards have them
    admit = (lambda items: admission.check_late(items, requirement)) if args.stop_running else None
    holding = None if hold is None else hold.confirmed(choice, admission, requirement, listed_at=listed_at)
    if first is None or not first.any:
        return Execution(session, policy, goal, recorder, hold=holding).run(choice, admit=admit)
    from runcancel.cli.support.disabling import CancelAndDisable
    from runcancel.cli.support.triggers_first import LateStarts

    late = LateStarts(session, admission, requirement, first)
    execution = CancelAndDisable(session, policy, goal, recorder, first=first, late=late, hold=holding)
    return execution.run(choice, admit=admit)


def _sent_elsewhere(request: SelectionRequest, choice: RunChoice) -> tuple[PlanItem, ...]:
    """What counts for the limits beside the runs of this process: sent before an interruption, or by other shards."""
    before = () if request.resumed is None else request.resumed.sent_before
    return (*before, *(() if choice.whole is None else choice.whole.elsewhere))


def _admit_shard(
    admission: "Admission", choice: RunChoice, flags: "GivenConfirmation", max_triggers: int | None
) -> "ConfirmationRequirement":
    from runcancel.cli.support.sharding import admit_shard

    requirement = admit_shard(admission, choice, flags, max_triggers=max_triggers)
    admission.session.notes.say(*_part(choice))
    return requirement


def _part(choice: RunChoice) -> tuple[str, ...]:
    if choice.whole is None:
        return ()
    from runcancel.cli.support.sharding import part

    return part(choice)


def _choice(
    session: Session, request: SelectionRequest, args: Options, limits: Limits = NO_LIMITS
) -> tuple[RunChoice, "TriggersFirst | None"]:
    """The runs, and the triggers that are disabled first; None where there are none."""
    from runcancel.cli.support.select import choose

    choice = choose(session, request, limits)
    operation = request.resumed
    disables = bool(operation.triggers) if operation is not None else args.disable_triggers
    if choice.whole is not None:
        from runcancel.cli.support.whole_plan import with_triggers

        choice, disables = with_triggers(choice, disables)
    planned = choice.planned_triggers
    if not (bool(planned) if disables is None else disables):
        return _without_triggers(choice), None
    from runcancel.cli.support.triggers_first import find_first, resumed

    if operation is not None:
        return resumed(session, choice, operation)
    late = not args.dry_run and args.hold is None  # a hold searches itself
    return choice, find_first(session, choice.selection.items, planned, late=late)


def _without_triggers(choice: RunChoice) -> RunChoice:
    """The same, with a note where a saved plan lists triggers that are not disabled."""
    if not choice.planned_triggers:
        return choice
    names = ", ".join(map(str, choice.planned_triggers))
    disable = command("disable", *choice.planned_triggers)
    note = f"the plan also lists {names}: not disabled, and may start runs again. To disable: {disable}"
    return structs.replace(choice, notes=(*choice.notes, note))


def _show_plan(
    session: Session, request: SelectionRequest, guard: Guard, args: Options, hold: "HoldRequest | None"
) -> int:
    from runcancel.cli.support.dry_run import callers_of_plan, show_plan

    choice_before, first = _choice(session, request, args)
    callers = (
        callers_of_plan(session, choice_before, required=True) if hold is None else hold.callers(session, choice_before)
    )
    choice = guard.shown(choice_before, callers)
    triggers, remarks = _shown_first(session, choice, first, callers)
    return show_plan(
        session,
        "plan",
        (*triggers, *choice.selection.items),
        choice,
        callers,
        remarks=(*remarks, *_part(choice_before), *(() if hold is None else hold.sentences)),
        later=_LATER,
        require_match=args.require_match,
        further=None if first is not None else lambda: _returns(session, choice),
    )


def _returns(session: Session, choice: RunChoice) -> tuple[str, ...]:
    from runcancel.cli.support.returning import plan_returns

    return plan_returns(session, choice.selection.items)


def _shown_first(
    session: Session, choice: RunChoice, first: "TriggersFirst | None", callers: Sequence[Caller]
) -> tuple[tuple[TriggerPlan, ...], tuple[str, ...]]:
    if first is None:
        return (), ()
    from runcancel.cli.support.triggers_first import shown_first

    return shown_first(session, choice, first, callers)
