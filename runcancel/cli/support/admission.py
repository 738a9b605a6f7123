"""The checks between a plan and its first request: limits, guarantees, the site policy, the confirmation."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from runcancel.cli.session import Session
from runcancel.cli.support.accounts import Accounts
from runcancel.cli.support.ask import cannot_ask, obtain_confirmation
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.select import looked_again
from runcancel.cli.support.source import RunChoice
from runcancel.engine.verdict import failed
from runcancel.errors import Refused
from runcancel.guards import confirmation, limits
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.guards.limits import Excess
from runcancel.journal.recorder import Recorder
from runcancel.model.events import ConfirmedBy
from runcancel.model.outcomes import CANCEL, DISABLE, Action, Limits, Outcome, PlanItem
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Guarantee, Verdict
from runcancel.render import Caller
from runcancel.render.screens.announce import announce, listing
from runcancel.render.screens.notes import collapsed
from runcancel.text import command


class Admission(Struct, frozen=True, kw_only=True):
    """The guards of one cancel.

    `sent` is what the same operation sent before it was interrupted, `typed` the options that set limits. `recorder`
    keeps who confirmed it and whose credentials are used.
    """

    session: Session
    guard: Guard
    limits: Limits
    guarantee: Guarantee | None
    callers: Sequence[Caller]
    sent_before: Sequence[PlanItem] = ()
    typed: frozenset[str] = frozenset()
    action: Action = CANCEL
    recorder: Recorder | None = None
    triggers: tuple[PlanItem, ...] = ()  # what is disabled first
    accounts: Accounts | None = None  # in place of those that the vendors report now

    def admit(self, choice: RunChoice, flags: GivenConfirmation) -> ConfirmationRequirement:
        """The confirmation that the plan needs. Raises `Refused` as `check`, naming every option that is missing."""
        excesses = self._excesses(choice.selection.items)
        required = self.requirement(choice)
        if not excesses:
            return required
        wrong = flags.confirm is not None and not confirmation.fits(required, flags)
        silent = not confirmation.fits(required, flags) and bool(cannot_ask(self.session, from_stdin=choice.from_stdin))
        more = [confirmation.option(required, flags)] if wrong or silent else []
        replaced = wrong or any(one.option in self.typed for one in excesses)
        raise limits.over_limit(excesses, more=more, replaced=replaced)

    def check(self, items: Sequence[PlanItem]) -> None:
        """Raise `Refused` when a rule, a guarantee or a limit does not let all of these be cancelled."""
        if excesses := self._excesses(items):
            raise limits.over_limit(excesses)

    def check_late(self, items: Sequence[PlanItem], requirement: ConfirmationRequirement) -> None:
        """The same for runs that started after the confirmation of `requirement`, together with those before.

        `REF` in the hint of the refusal is a run that is refused: what helps is a cancel of its own.
        """
        if excesses := self._excesses(items):
            alone = f"To cancel it: {command('cancel', 'REF')}"
            fixed = any(one.fixed and one.most == 0 for one in excesses)
            raise Refused(limits.over_limit(excesses).message, hint=None if fixed else alone)
        if self.guard.stricter(requirement, items, self.callers).level > requirement.level:
            raise Refused(
                "the site policy requires confirmation, and this run started after it; nothing was sent for it",
                hint=f"To cancel it: {command('cancel', 'REF', '--confirm', '1')}",
            )

    def announce(
        self,
        choice: RunChoice,
        requirement: ConfirmationRequirement,
        flags: GivenConfirmation,
        *,
        also: Sequence[str] = (),
    ) -> None:
        """Show on stderr what the cancel leaves out, which runs it is about, what it can do and who cancels; `also`
        the sentences of a hold.

        Before a question it is shown whatever the options, and the callers are looked up for it.
        """
        question = not confirmation.fits(requirement, flags)
        items = choice.to_confirm if question else choice.selection.items
        if not items and not also:
            return
        callers = self.callers or (callers_of(self.session, items) if question else ())
        unread = (outcome.error for outcome in choice.selection.decided if outcome.error is not None)
        missing = (*choice.gaps, *unread)
        lines: tuple[str, ...] = ()
        if self.triggers or self.action is not CANCEL:
            from runcancel.render.screens.switching import announce_switch

            lines = announce_switch(self.triggers, (), DISABLE.verb)
            if self.action is not CANCEL:
                lines = announce_switch(items, callers, self.action.verb, missing=missing)
        if self.action is CANCEL:
            plan = announce(items, callers, missing=missing, width=self.session.err.width) if items else ()
            lines = (*lines, *plan, *also)
        if question and not cannot_ask(self.session, from_stdin=choice.from_stdin):
            self.session.notes.show(*lines)
        else:
            self.session.notes.say(*lines)

    def _listing(self, items: Sequence[PlanItem]) -> tuple[str, ...]:
        if self.action is CANCEL and not self.triggers:
            return listing(items, width=self.session.err.width)
        from runcancel.render.screens.switching import trigger_listing

        runs = listing(items, width=self.session.err.width) if self.action is CANCEL else ()
        return (*trigger_listing(self.triggers if self.action is CANCEL else items), *runs)

    def confirmed(self, choice: RunChoice, requirement: ConfirmationRequirement, flags: GivenConfirmation) -> RunChoice:
        """The plan once it is confirmed: read again if that took a person's time. Raises `Refused`."""
        items = choice.to_confirm
        how = obtain_confirmation(
            self.session,
            requirement,
            flags,
            from_stdin=choice.from_stdin,
            listing=lambda: self._listing(items),
        )
        if self.recorder is not None:
            self.recorder.confirmed(how, typed_text=flags.confirm, runs=requirement.count)
            self.recorder.called_by((one.scope, one.account, one.principal) for one in self.callers)
        if how is not ConfirmedBy.TERMINAL:
            return choice
        again = looked_again(self.session, choice)
        self.session.notes.say(*(f"note: {note}" for note in collapsed(again.selection.notes)))
        self.check(again.selection.items)
        return again

    def _excesses(self, items: Sequence[PlanItem]) -> tuple[Excess, ...]:
        self.guard.check(items, self.callers)
        limits.check_guarantee(items, self.guarantee)
        return limits.excesses(
            items, self.limits, sent_before=self.sent_before, configured=self._configured, noun=self.action.noun
        )

    @property
    def _configured(self) -> Limits:
        """What no option raises."""
        caps = self.session.settings.config.caps
        return caps.limits if self.action is CANCEL else caps.trigger_limits

    def owners(self, scopes: Iterable[Scope]) -> set[str]:
        """Whose accounts these scopes are in."""
        names = _account_names(self.callers)
        return {_owner(scope, names) for scope in scopes}

    def requirement(self, choice: RunChoice) -> ConfirmationRequirement:
        """The confirmation that these runs need."""
        items = choice.selection.items
        required = confirmation.required(
            items,
            by_filter=not choice.by_hand,
            accounts=_accounts(items, self.callers),
            protected=(self.accounts or self.session.accounts).protected(items),
            action=self.action,
        )
        return self.guard.stricter(required, items, self.callers)


def callers_of(session: Session, items: Sequence[PlanItem]) -> tuple[Caller, ...]:
    """Who cancels in each scope of the plan."""
    scopes = dict.fromkeys(item.run.scope for item in items if item.ask)
    return tuple(Caller.of(scope, who) for scope, who in session.accounts.identities(tuple(scopes)).items())


def not_admitted(item: PlanItem, error: Refused) -> Outcome:
    """The outcome of a run or trigger for which nothing is sent, because a guard does not permit it."""
    return structs.replace(
        failed(item.run, error.about(item.run)),
        verdict=Verdict.SKIPPED,
        name=item.name,
        comment=item.comment,
        document=item.document,
        before=item.state,
        guarantee=item.guarantee,
    )


def _accounts(items: Sequence[PlanItem], callers: Sequence[Caller]) -> dict[Ref, str]:
    """Whose account each run is in: an id where known, else provider and context."""
    names = _account_names(callers)
    return {item.run: _owner(item.run.scope, names) for item in items}


def _account_names(callers: Sequence[Caller]) -> dict[str, str]:
    return {caller.scope: f"{caller.scope.split(':')[0]} {caller.account}" for caller in callers if caller.account}


def _owner(scope: Scope, names: Mapping[str, str]) -> str:
    return names.get(str(scope), f"{scope.provider} {scope.context or ''}")
