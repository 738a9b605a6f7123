"""`cancel --disable-triggers`: what starts the selected runs is disabled first, and nothing of it is left running."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, structs

from runcancel.cli.session import Session
from runcancel.cli.support.admission import Admission, not_admitted
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.source import RunChoice
from runcancel.config.references import Reference
from runcancel.engine.planning import plan
from runcancel.engine.retry import READ_WITHIN
from runcancel.engine.selection import Selection
from runcancel.engine.switching import trigger_plans
from runcancel.engine.trigger_search import origins_of, read_triggers, running_beside
from runcancel.errors import Refused
from runcancel.guards.confirmation import ConfirmationRequirement, GivenConfirmation
from runcancel.guards.limits import counted, lowest
from runcancel.journal.recorder import Recorder
from runcancel.model.outcomes import DISABLE, LeftOver, Limits, Outcome, PlanItem
from runcancel.model.runs import Ref, Scope
from runcancel.model.triggers import Origin, Trigger, TriggerPlan, TriggerState
from runcancel.providers import trigger_kind_of
from runcancel.render import Caller
from runcancel.render.screens.returning import returns, without_trigger
from runcancel.render.screens.switching import announce_switch
from runcancel.text import command


class TriggersFirst(Struct, frozen=True, kw_only=True):
    """The triggers of a cancel. `origins`: what is known of each selected run. `running`: the runs of their kinds that
    had not ended before, None where that is not known for every scope.

    `denied`: triggers that the site policy does not let us disable. `disabled`: those that this operation has disabled
    before it was interrupted. `searched_again`: what they started meanwhile was found before that.
    """

    items: tuple[PlanItem, ...] = ()
    origins: Mapping[Ref, Origin] = {}
    running: frozenset[Ref] | None = frozenset()
    notes: tuple[str, ...] = ()
    denied: tuple[tuple[PlanItem, Refused], ...] = ()
    disabled: tuple[Trigger, ...] = ()
    searched_again: bool = False

    @property
    def any(self) -> bool:
        """Whether the cancel has triggers."""
        return bool(self.items or self.denied or self.disabled)

    def record(self, recorder: Recorder) -> None:
        """Note what runs already; what is not known of it is not noted."""
        if self.running is not None and self.items and not self.disabled:
            recorder.beside(self.running)

    def permitted(self, session: Session, callers: Sequence[Caller]) -> "TriggersFirst":
        """The same without what the site policy denies: a denied trigger never holds up a run."""
        if not self.items:
            return self
        denials = Guard(session, dry_run=False, action=DISABLE).denials(self.items, callers)
        return structs.replace(
            self,
            items=tuple(item for item in self.items if item.run not in denials),
            denied=tuple((item, denials[item.run]) for item in self.items if item.run in denials),
            notes=(*self.notes, *(f"note: {ref} is not disabled: {error.message}" for ref, error in denials.items())),
        )


def find_first(
    session: Session, runs: Sequence[PlanItem], planned: Sequence[Ref] = (), *, late: bool = True
) -> TriggersFirst:
    """The triggers that started these runs, read, within `--lookup-timeout` in all; of a saved plan the `planned` ones
    and no others. `late`: also what runs already.

    Raises `Interrupted` after a signal.
    """
    clock = session.workers.clock
    until = clock.monotonic() + (session.read_within or READ_WITHIN)

    def seconds_left() -> float:
        return max(0.1, until - clock.monotonic())

    origins_read = {item.run: item.origin or Origin() for item in runs if item.parent is None}
    origins, problems = (
        (origins_read, ())
        if planned
        else origins_of(origins_read, session.clouds, session.workers, within=seconds_left())
    )
    trigger_refs = dict.fromkeys(
        planned or (origin.trigger for origin in origins.values() if origin.trigger is not None)
    )
    switchable = [ref for ref in trigger_refs if (kind := trigger_kind_of(ref)) is not None and kind.switchable]
    by_ref, unread = read_triggers(switchable, session.clouds, session.workers, within=seconds_left())
    changeable = [one for one in by_ref.values() if one.fixed_because is None and one.effect_unknown is None]
    running: frozenset[Ref] | None = frozenset() if late else None
    if late and changeable:
        beside, gaps = running_beside(changeable, session.clouds, session.workers, within=seconds_left())
        running = None if gaps else frozenset(beside)
    notes = [f"{problem.scope}: its triggers could not be read: {problem.message}" for problem in problems]
    notes += [f"{problem.ref} could not be read and is not disabled: {problem.message}" for problem in unread]
    notes += [f"{ref} is not disabled: {why}" for ref in trigger_refs if (why := _fixed(ref, by_ref.get(ref)))]
    notes += () if planned else returns({ref: one for ref, one in origins.items() if one.trigger is None})
    notes += () if planned else without_trigger(origins)
    items = tuple(plan(session.clouds.switch.snapshot(one)) for one in changeable)
    return TriggersFirst(items=items, origins=origins, running=running, notes=tuple(f"note: {one}" for one in notes))


def resumed(session: Session, choice: RunChoice, operation: LeftOver) -> tuple[RunChoice, TriggersFirst]:
    """The runs and the triggers that an interrupted operation left, and those that it had disabled already.

    Raises `Interrupted` after a signal.
    """
    items = tuple(item for item in choice.selection.items if item.trigger is not None)
    runs = tuple(item for item in choice.selection.items if item.trigger is None)
    choice = structs.replace(choice, selection=structs.replace(choice.selection, items=runs))
    unfinished = {item.run for item in items}
    before = [item.run for item in operation.triggers if item.run not in unfinished]
    within = session.read_within or READ_WITHIN
    readings, unread = read_triggers(before, session.clouds, session.workers, within=within)
    enabled = [ref for ref, one in readings.items() if one.state is not TriggerState.DISABLED]
    notes = [f"{ref} was enabled since: runs that it started are not searched" for ref in enabled]
    notes += [f"{one.ref} could not be read: {one.message}" for one in unread]
    first = TriggersFirst(
        items=items,
        running=operation.beside,
        notes=tuple(f"note: {one}" for one in notes),
        disabled=tuple(one for ref, one in readings.items() if ref not in enabled),
        searched_again=operation.searched_again,
    )
    return choice, first


def admit_triggers(
    admission: Admission,
    runs: RunChoice,
    requirement: ConfirmationRequirement,
    flags: GivenConfirmation,
    *,
    max_triggers: int | None,
) -> ConfirmationRequirement:
    """The confirmation of the whole: that of the runs, and no weaker than that of the triggers. Raises `Refused`.

    The rules of the site policy about `disable` and a limit of their own apply to the triggers.
    """
    of_triggers = structs.replace(
        admission,
        guard=Guard(admission.session, dry_run=False, action=DISABLE, accounts=admission.accounts),
        limits=lowest(
            Limits() if max_triggers is None else Limits(max_runs=max_triggers),
            admission.session.settings.config.caps.trigger_limits,
        ),
        guarantee=None,
        sent_before=() if runs.whole is None or admission.accounts else runs.whole.triggers_elsewhere,
        action=DISABLE,
        typed=frozenset() if max_triggers is None else frozenset({"--max-triggers"}),
        triggers=(),
    )
    needed = of_triggers.admit(
        structs.replace(runs, selection=Selection(items=admission.triggers)), GivenConfirmation(yes=flags.yes)
    )
    if needed.level <= requirement.level:
        return requirement
    if not requirement.count:
        return needed
    switched = counted(needed.count, "trigger")
    why = ", ".join(part for part in (requirement.why, f"with {switched} {needed.why}".rstrip()) if part)
    return structs.replace(requirement, level=needed.level, why=why)


def shown_first(
    session: Session, runs: RunChoice, first: TriggersFirst, callers: Sequence[Caller]
) -> tuple[tuple[TriggerPlan, ...], tuple[str, ...]]:
    """The triggers of a dry run with the results of the rules about `disable`, and sentences about them."""
    if not first.items:
        return (), first.notes
    guard = Guard(session, dry_run=True, action=DISABLE)
    choice = structs.replace(runs, selection=Selection(items=first.items), notes=())
    shown = guard.shown(choice, callers, whole=False)
    rows = trigger_plans(shown.selection.items)
    return rows, (*first.notes, *shown.notes, *announce_switch(shown.selection.items, (), DISABLE.verb))


LateRuns: TypeAlias = tuple[tuple[PlanItem, ...], tuple[tuple[PlanItem, Outcome], ...], tuple[str, ...]]


class LateStarts:
    """The runs that triggers started between the plan and their disabling."""

    def __init__(
        self, session: Session, admission: Admission, requirement: ConfirmationRequirement, first: TriggersFirst
    ) -> None:
        self._session = session
        self._admission = admission
        self._requirement = requirement
        self._first = first

    def find(self, planned: Sequence[PlanItem]) -> LateRuns:
        """What is to be cancelled of them, outcomes of the rest, and notes. Raises `Interrupted`."""
        session, first = self._session, self._first
        items = (*first.items, *(item for item, _ in first.denied))
        triggers = {item.run: item.trigger for item in items if item.trigger is not None}
        triggers |= {one.ref: one for one in first.disabled}
        if not triggers or first.searched_again:
            return (), (), ()
        if first.running is None:
            return (
                (),
                (),
                (f"note: runs that these triggers started meanwhile were not searched: {_how_to_list(triggers)}",),
            )
        within = session.read_within or READ_WITHIN
        listed, gaps = running_beside(tuple(triggers.values()), session.clouds, session.workers, within=within)
        runs_before = first.running | {item.run for item in planned}
        fresh = {ref: origin for ref, origin in listed.items() if ref not in runs_before}
        origins, unread = origins_of(fresh, session.clouds, session.workers, within=within)
        notes = tuple(
            f"note: {problem.scope}: runs that started meanwhile were not searched: {problem.message}"
            for problem in (*gaps, *unread)
        )
        started = [ref for ref, origin in origins.items() if origin.trigger in triggers]
        results = session.look_up([Reference.of(ref) for ref in started]) if started else []
        runs = [plan(result.snapshot) for result in results if result.snapshot is not None]
        runs = [item for item in runs if item.ask]
        try:
            self._admission.check_late([*planned, *runs], self._requirement)
        except Refused as error:
            return (), tuple((item, not_admitted(item, error)) for item in runs), notes
        return tuple(runs), (), notes


def _fixed(ref: Ref, trigger: Trigger | None) -> str | None:
    """Why a trigger is not changed; None where it is, or could not be read."""
    kind = trigger_kind_of(ref)
    if kind is None:
        return f"it is a run, and a cancel is its end. To cancel it: {command('cancel', str(ref))}"
    if trigger is not None and trigger.fixed_because:
        return trigger.fixed_because
    if trigger is not None and trigger.effect_unknown:
        how = command("disable", str(ref), "--confirm", "1")
        return f"what it starts is unknown ({trigger.effect_unknown}). To disable it: {how}"
    return None if kind.switchable else kind.fixed_because


def _how_to_list(triggers: Mapping[Ref, Trigger]) -> str:
    scopes: dict[Scope, None] = dict.fromkeys(ref.scope for ref in triggers)
    regions = ",".join(dict.fromkeys(f"{scope.provider}:{scope.region}" for scope in scopes))
    return command("list", "-r", regions)
