"""A change of triggers from the command line to its report: the machinery of a cancel, about what starts runs."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from runcancel.cli.session import Session
from runcancel.cli.support.admission import Admission
from runcancel.cli.support.dry_run import callers_of_plan, show_plan
from runcancel.cli.support.execution import Execution, recorder_of, wait_policy
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.resume import left_over
from runcancel.cli.support.source import RunChoice
from runcancel.cli.support.trigger_choice import TriggerChoice
from runcancel.cli.triggering import Change
from runcancel.engine.cancel import Admit
from runcancel.engine.events import Progress
from runcancel.engine.retry import READ_WITHIN
from runcancel.engine.switching import trigger_outcome, trigger_plans
from runcancel.environment import check_partner
from runcancel.errors import Goal
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.guards.limits import lowest
from runcancel.model.outcomes import DISABLE, ENABLE, Limits, Outcome, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Reason
from runcancel.model.triggers import NOT_SWITCHED, Trigger, TriggerVerdict
from runcancel.render import Writer
from runcancel.render.documents import Record
from runcancel.render.screens.words import counted


class Switching:
    """One `disable` or `enable`. `operation`: what is restored; `force`: also what was changed since."""

    def __init__(
        self, session: Session, args: Change, *, enable: bool, operation: str | None = None, force: bool = False
    ) -> None:
        self._session = session
        self._args = args
        self._action = ENABLE if enable else DISABLE
        session.clouds.switch.enable = enable
        resume = args.sources.resume
        check_partner("--take-over", "--resume ID", is_given=args.take_over, is_there=resume is not None)
        means = {"take_over": args.take_over, "dry_run": args.dry_run}
        self._resumed = None if resume is None else left_over(session.journal, resume, verb=self._action.verb, **means)
        session.notes.say(*(() if self._resumed is None else self._resumed.remarks))
        self._choice = TriggerChoice(session, args, self._action, self._resumed, operation=operation, force=force)

    def run(self) -> int:
        """Choose, check, confirm, send, read back, report; the exit code."""
        session, args = self._session, self._args
        guard = Guard(session, dry_run=args.dry_run, action=self._action)
        session.asks_caller = guard.asks_caller
        session.read_within = session.seconds("--lookup-timeout", args.waiting.lookup_timeout, READ_WITHIN)
        if args.dry_run:
            return self._show_plan(guard)
        policy = wait_policy(session, args.waiting)
        recorder = recorder_of(session, self._action.verb, args.record, self._resumed, self._limits)
        choice = self._choice.choose()
        if recorder is not None:
            recorder.record_states(choice.selection.items)
            if choice.plan is not None:
                recorder.of_plan(choice.plan, None if choice.whole is None else choice.whole.shard)
        callers = callers_of_plan(session, choice, required=not choice.by_hand or guard.asks_accounts)
        session.notes.say(*(f"note: {note}" for note in (*choice.notes, *choice.selection.notes)))
        admission = Admission(
            session=session,
            guard=guard,
            limits=self._limits,
            guarantee=None,
            callers=callers,
            sent_before=self._sent_elsewhere(choice),
            recorder=recorder,
            action=self._action,
            typed=frozenset() if args.max_triggers is None else frozenset({"--max-triggers"}),
        )
        flags = GivenConfirmation(yes=args.confirmation.yes, confirm=args.confirmation.confirm)
        requirement = self._admit(admission, choice, flags)
        admission.announce(choice, requirement, flags)
        choice = admission.confirmed(choice, requirement, flags)
        if not (choice.selection.items or choice.whole) and self._resumed is None:
            recorder = None  # nothing is sent: the journal shows no operation
        empty = choice.whole is not None and not choice.whole.part  # the plan has triggers, and other shards have them
        goal = Goal(waited=args.waiting.wait, require_match=args.require_match and not empty)
        execution = _Disabling if not session.clouds.switch.enable else _Enabling
        return execution(session, policy, goal, recorder).run(choice, admit=None)

    def _sent_elsewhere(self, choice: RunChoice) -> tuple[PlanItem, ...]:
        """What counts for the limit beside the triggers of this process."""
        before = () if self._resumed is None else self._resumed.sent_before
        return (*before, *(() if choice.whole is None else choice.whole.elsewhere))

    def _admit(self, admission: Admission, choice: RunChoice, flags: GivenConfirmation) -> ConfirmationRequirement:
        if choice.whole is None:
            return admission.admit(choice, flags)
        from runcancel.cli.support.sharding import admit_shard, part

        requirement = admit_shard(admission, choice, flags)
        self._session.notes.say(*part(choice, self._action.noun))
        return requirement

    @property
    def _limits(self) -> Limits:
        before = Limits() if self._resumed is None else self._resumed.limits
        typed = self._args.max_triggers
        limits = Limits(max_runs=before.max_runs if typed is None else typed)
        return lowest(limits, self._session.settings.config.caps.trigger_limits)

    def _show_plan(self, guard: Guard) -> int:
        session, verb = self._session, self._action.verb
        choice_before = self._choice.choose()
        callers = callers_of_plan(session, choice_before, required=True)
        choice = guard.shown(choice_before, callers)
        return show_plan(
            session,
            f"{verb}-plan",
            trigger_plans(choice.selection.items),
            choice,
            callers,
            later=f"To {verb} exactly these later: save this with -o json, then runcancel {verb} --plan FILE",
            require_match=self._args.require_match,
        )


class _Switch(Execution):
    """What is sent, read back and reported of triggers."""

    noun: ClassVar[str] = "trigger"
    requests: ClassVar[str] = "requests"

    def run(self, choice: RunChoice, *, admit: Admit | None) -> int:
        """Switch what is chosen; the exit code."""
        self._before: dict[Ref, Trigger | None] = {item.run: item.trigger for item in choice.selection.items}
        return super().run(choice, admit=admit)

    def _screens(self, answer: Writer) -> list[Progress]:
        return []

    def _row(self, outcome: Outcome) -> Record:
        ref = outcome.run if isinstance(outcome.run, Ref) else None
        after = None if ref is None or not outcome.was_sent else self._session.clouds.switch.readings.get(ref)
        before = None if ref is None else self._before.get(ref)
        return trigger_outcome(outcome, enable=self.verb == "enable", before=before, after=after)

    def _hints(self, operation: str | None) -> Sequence[str]:
        if not self._outcomes:
            return ()
        counts = Counter(self._verdict(outcome) for outcome in self._outcomes)
        parts = ", ".join(f"{counts[one]:,} {one}" for one in TriggerVerdict if counts[one])
        under = "" if operation is None else f"; operation {operation}"
        return (*self._ways_on(operation), f"{counted(len(self._outcomes), 'trigger')}: {parts}{under}")

    def _ways_on(self, operation: str | None) -> Sequence[str]:
        """What may be done next."""
        return ()

    def _verdict(self, outcome: Outcome) -> TriggerVerdict:
        return trigger_outcome(outcome, enable=self.verb == "enable", before=None, after=None).verdict

    def _word(self, outcome: Outcome) -> str:
        return str(self._verdict(outcome))

    def _further(self, operation: str | None) -> tuple[str, ...]:
        return ()


class _Disabling(_Switch):
    verb: ClassVar[str] = "disable"

    def _ways_on(self, operation: str | None) -> Sequence[str]:
        may_be = any(outcome.verdict not in NOT_SWITCHED for outcome in self._outcomes)
        restore = self._session.command("enable", "--operation", operation or "")
        return (f"To restore: {restore}",) if may_be and operation else ()


class _Enabling(_Switch):
    verb: ClassVar[str] = "enable"

    def _ways_on(self, operation: str | None) -> Sequence[str]:
        drifted = sum(outcome.error is not None and outcome.error.code is Reason.DRIFTED for outcome in self._outcomes)
        return ("To enable also what was changed since: add --force",) if drifted else ()
