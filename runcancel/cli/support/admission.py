"""What stands between a plan and its first request: limits, guarantees, the site policy, the confirmation."""

from collections.abc import Sequence

from msgspec import Struct

from runcancel.cli.changes import Limits as LimitOptions
from runcancel.cli.session import Session
from runcancel.cli.support.ask import obtain_confirmation
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.select import Chosen, looked_again
from runcancel.errors import Refused
from runcancel.guards import confirmation, limits
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.journal.recorder import Recorder
from runcancel.model.events import ConfirmedBy
from runcancel.model.outcomes import Limits, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Guarantee
from runcancel.render import Caller
from runcancel.render.screens.announce import announce


class Admission(Struct, frozen=True, kw_only=True):
    """The guards of one cancel. `sent` is what the same operation sent before it was interrupted.

    `recorder` keeps who confirmed it and whose credentials are used.
    """

    session: Session
    guard: Guard
    limits: Limits
    guarantee: Guarantee | None
    callers: Sequence[Caller]
    sent: Sequence[PlanItem] = ()
    recorder: Recorder | None = None

    def check(self, items: Sequence[PlanItem]) -> None:
        """Raise `Refused` when a rule, a guarantee or a limit does not let all of these be cancelled."""
        self.guard.check(items, self.callers)
        limits.check_guarantee(items, self.guarantee)
        limits.check_limits(items, self.limits, sent=self.sent, configured=configured(self.session))

    def check_late(self, items: Sequence[PlanItem], requirement: ConfirmationRequirement) -> None:
        """The same for runs that started after the confirmation of `requirement`, together with those before."""
        self.check(items)
        if self.guard.stricter(requirement, items, self.callers).level > requirement.level:
            raise Refused(
                "the site policy requires confirmation, and this run started after it; nothing was sent for it"
            )

    def requirement(self, chosen: Chosen) -> ConfirmationRequirement:
        """The confirmation that the plan needs."""
        items = chosen.selection.items
        required = confirmation.required(
            items,
            chosen=not chosen.by_hand,
            accounts=_accounts(items, self.callers),
            protected=self.session.protected(items),
        )
        return self.guard.stricter(required, items, self.callers)

    def confirmed(self, chosen: Chosen, requirement: ConfirmationRequirement, given: GivenConfirmation) -> Chosen:
        """The plan once it is confirmed: read again if that took a person's time. Raises `Refused`."""
        how = obtain_confirmation(self.session, requirement, given, from_stdin=chosen.from_stdin)
        if self.recorder is not None:
            self.recorder.confirmed(how, given=given.confirm, runs=requirement.count)
            self.recorder.called_by((one.scope, one.account, one.principal) for one in self.callers)
        if how is not ConfirmedBy.TERMINAL:
            return chosen
        again = looked_again(self.session, chosen)
        self.session.notes.say(*(f"note: {note}" for note in again.selection.notes))
        self.check(again.selection.items)
        return again

    def announce(self, items: Sequence[PlanItem]) -> None:
        """Show on stderr what the cancel can do."""
        if items:
            self.session.notes.say(*announce(items, self.callers, width=self.session.err.width))


def limits_of(session: Session, args: LimitOptions, before: Limits) -> Limits:
    """The limits of the command line, else those that the operation had `before`; the configuration may lower them."""
    typed = Limits(
        max_runs=before.max_runs if args.max_runs is None else args.max_runs,
        max_targets=before.max_targets if args.max_targets is None else args.max_targets,
    )
    return limits.lowest(typed, configured(session))


def configured(session: Session) -> Limits:
    """The limits in the configuration, which no option raises."""
    caps = session.settings.config.caps
    return Limits(max_runs=caps.max_runs, max_targets=caps.max_targets)


def callers_of(session: Session, items: Sequence[PlanItem]) -> tuple[Caller, ...]:
    """Who cancels in each scope of the plan."""
    scopes = dict.fromkeys(item.run.scope for item in items if item.ask)
    return tuple(Caller.of(scope, who) for scope, who in session.identities(tuple(scopes)).items())


def _accounts(items: Sequence[PlanItem], callers: Sequence[Caller]) -> dict[Ref, str]:
    """Whose account each run is in: an id where known, else provider and context."""
    known = {caller.scope: f"{caller.scope.split(':')[0]} {caller.account}" for caller in callers if caller.account}
    scopes = {item.run: item.run.scope for item in items}
    return {run: known.get(str(scope), f"{scope.provider} {scope.context or ''}") for run, scope in scopes.items()}
