"""A cancel that disables triggers first: what is sent, read back and reported of both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.cli.support.admission import not_admitted
from runcancel.cli.support.execution import Execution
from runcancel.cli.support.source import RunChoice
from runcancel.cli.support.triggers_first import LateStarts, TriggersFirst
from runcancel.engine.cancel import Admit
from runcancel.engine.events import Progress
from runcancel.engine.flow import Flow
from runcancel.engine.retry import WaitPolicy
from runcancel.engine.selection import Selection
from runcancel.engine.switching import trigger_outcome
from runcancel.errors import Goal, Interrupted
from runcancel.journal.recorder import Recorder
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.runs import Invocation, Ref, Run
from runcancel.model.states import Verdict
from runcancel.model.triggers import NOT_SWITCHED, Trigger, TriggerState
from runcancel.providers import trigger_kind_of
from runcancel.render import Writer
from runcancel.render.documents import Record
from runcancel.render.screens.returning import after_cancel, cancelled
from runcancel.render.screens.words import counted
from runcancel.text import command, safe

if TYPE_CHECKING:
    from runcancel.cli.support.holding import Holding


class CancelAndDisable(Execution):
    """One such cancel: triggers and runs are one operation and one report."""

    def __init__(
        self,
        session: Session,
        policy: WaitPolicy,
        goal: Goal,
        recorder: Recorder | None,
        *,
        first: TriggersFirst,
        late: LateStarts,
        hold: "Holding | None" = None,
    ) -> None:
        super().__init__(session, policy, goal, recorder, hold=hold)
        self._first = first
        self._late = late
        triggers = (*first.items, *(item for item, _ in first.denied))
        self._before: Mapping[Ref, Trigger | None] = {item.run: item.trigger for item in triggers}
        self._notes: tuple[str, ...] = ()

    def run(self, choice: RunChoice, *, admit: Admit | None) -> int:
        """Disable the triggers, cancel what is chosen and what they started meanwhile; the exit code."""
        items = (*self._first.items, *choice.selection.items)
        return super().run(
            structs.replace(choice, selection=structs.replace(choice.selection, items=items)), admit=admit
        )

    def _send(self, selection: Selection, answer: Writer, admit: Admit | None, flow: Flow | None) -> int | None:
        signum = super()._send(selection, answer, admit, flow)
        self._leave(answer, [(item, not_admitted(item, error)) for item, error in self._first.denied])
        if signum is not None or self._broken or self._hold is not None:  # a hold has searched meanwhile
            return signum
        try:
            runs = [item for item in selection.items if item.trigger is None]
            items, unsent, self._notes = self._late.find(runs)
        except Interrupted as signal:
            return signal.signum
        except Exception as error:  # noqa: BLE001 - it is reported beside the outcome of each run
            self._broken.append(error)
            return None
        self._leave(answer, unsent)
        if items:
            self._session.notes.say(
                f"{counted(len(items), 'run')} started meanwhile: {', '.join(str(i.run) for i in items)}"
            )
            signum = super()._send(Selection(items=items), answer, None, None)
        if self._recorder is not None and not self._notes:
            self._recorder.searched_again()
        return signum

    def _leave(self, answer: Writer, unsent: Sequence[tuple[PlanItem, Outcome]]) -> None:
        """Record and report what is not sent."""
        for item, outcome in unsent:
            if self._recorder is not None:
                self._recorder.not_sent(item, outcome)
            self._put(answer, [outcome])

    def _screens(self, answer: Writer) -> list[Progress]:
        return [_RunsOnly(one) for one in super()._screens(answer)]

    def _row(self, outcome: Outcome) -> Record:
        ref = _trigger_of(outcome)
        if ref is None:
            return outcome
        after = self._session.clouds.switch.readings.get(ref) if outcome.was_sent else None
        return trigger_outcome(outcome, enable=False, before=self._before.get(ref), after=after)

    @property
    def _runs(self) -> Sequence[Outcome]:
        return [outcome for outcome in self._outcomes if _trigger_of(outcome) is None]

    def _hints(self, operation: str | None) -> Sequence[str]:
        triggers = [outcome for outcome in self._outcomes if _trigger_of(outcome) is not None]
        lines = [*self._notes, *(_sentence(outcome) for outcome in triggers)]
        lines += super()._hints(operation)
        may_be = self._first.disabled or any(outcome.verdict not in NOT_SWITCHED for outcome in triggers)
        if operation and may_be:
            lines.append(f"To restore the triggers: {command('enable', '--operation', operation)}")
        return lines

    def _further(self, operation: str | None) -> tuple[str, ...]:
        """What was found before is not looked up again; what was disabled does not come back."""
        if not self._first.origins or not self._policy.wait:
            return super()._further(operation)
        readings = self._session.clouds.switch.readings
        origins_read = {}
        origins = {}
        for ref, shown in cancelled(self._runs).items():
            origin = self._first.origins.get(ref, shown)
            reading = None if origin.trigger is None else readings.get(origin.trigger)
            origins_read[ref] = origin if reading is None else structs.replace(origin, state=reading.state)
            if origins_read[ref].state is not TriggerState.DISABLED:
                origins[ref] = origins_read[ref]
        if self._recorder is not None:
            self._recorder.record_origins(origins_read)
        return after_cancel(origins, {one.run: one.verdict for one in self._runs})


def _trigger_of(outcome: Outcome) -> Ref | None:
    """The trigger that an outcome is about; None for one about a run."""
    ref = outcome.run
    return ref if isinstance(ref, Ref) and trigger_kind_of(ref) is not None else None


def _sentence(outcome: Outcome) -> str:
    name = safe(str(outcome.run))
    match outcome.verdict:
        case Verdict.STOPPED:
            return f"disabled: {name}"
        case Verdict.ENDED:
            return f"disabled before: {name}"
        case Verdict.REQUESTED | Verdict.IN_DOUBT:
            return f"not seen disabled: {name}"
    return f"not disabled: {name}"


class _RunsOnly(Progress):
    """An observer that is not shown what becomes of triggers."""

    def __init__(self, observer: Progress) -> None:
        self._observer = observer

    def planned(self, items: Sequence[PlanItem]) -> None:
        """Pass on the runs."""
        self._observer.planned([item for item in items if item.trigger is None])

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        """Pass it on of a run."""
        if trigger_kind_of(ref) is None:
            self._observer.responded(ref, answer)

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        """Pass it on of a run."""
        if trigger_kind_of(ref) is None:
            self._observer.observed(ref, run, invocations)

    def judged(self, outcome: Outcome) -> None:
        """Pass it on of a run."""
        if not isinstance(outcome.run, Ref) or trigger_kind_of(outcome.run) is None:
            self._observer.judged(outcome)

    def tick(self) -> None:
        """Pass it on."""
        self._observer.tick()

    def close(self) -> None:
        """Pass it on."""
        self._observer.close()
