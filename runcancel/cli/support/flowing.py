"""Runs that were typed one by one and that no guard needs to see together: each scope is read and sent by itself."""

from collections.abc import Sequence

from runcancel.cli.session import Session
from runcancel.cli.support.guard import Guard
from runcancel.cli.support.source import Named, SelectionRequest
from runcancel.config import protection, references
from runcancel.engine.flow import Facts, why_frozen
from runcancel.engine.lookup import Lookup, LookupResult
from runcancel.engine.planning import intended, unseen
from runcancel.engine.selection import Selection, of_named
from runcancel.engine.verdict import failed
from runcancel.errors import CloudError, Refused, UsageError
from runcancel.guards.limits import check_guarantee, is_below
from runcancel.journal.recorder import Recorder
from runcancel.model.events import ConfirmedBy
from runcancel.model.outcomes import Limits, Outcome, PlanItem
from runcancel.model.runs import Problem, Ref, RunName
from runcancel.model.states import Guarantee, Reason
from runcancel.providers import kind_of
from runcancel.render.screens.announce import announce
from runcancel.text import command


class Flowing:
    """One such cancel: what is looked up, and what is done with each reading."""

    def __init__(self, session: Session, lookup: Lookup, guarantee: Guarantee | None) -> None:
        self.lookup = lookup
        self._recorder: Recorder | None = None
        self._session = session
        self._guarantee = guarantee
        self._planned: set[Ref] = set()

    def begin(self, recorder: Recorder | None) -> None:
        """Write every reference down before the first request. Raises `Refused` where that is required and fails."""
        self._session.tell_origins(self.lookup.unread)
        self._recorder = recorder
        if recorder is not None:
            recorder.confirmed(ConfirmedBy.NOT_REQUIRED, typed_text=None, runs=len(self.lookup.unread))
            recorder.planned([intended(one.name, self.lookup.candidates(one)) for one in self.lookup.unread])

    def choose(self, results: Sequence[LookupResult]) -> Selection:
        """The runs to send of those that were read. They are recorded and announced when this returns."""
        items: list[PlanItem] = []
        decided: list[Outcome] = []
        readings: list[tuple[RunName, PlanItem | None]] = []
        for result in results:
            decision = self._planned_or_not(result)
            if isinstance(decision, Outcome):
                decided.append(decision)
            elif decision.run in self._planned:  # it was named twice, in different words
                readings.append((result.reference.name, None))
            else:
                self._planned.add(decision.run)
                items.append(decision)
                readings.append((result.reference.name, decision))
        if self._recorder is not None and readings:
            self._recorder.record_read(readings)
        self._announce(items, results)
        return Selection(items=tuple(items), decided=tuple(decided))

    def _planned_or_not(self, result: LookupResult) -> PlanItem | Outcome:
        name = result.reference.name
        try:
            if result.problem is not None:
                if result.unseen is None:
                    return failed(name, result.problem)
                item = unseen(result.unseen, result.problem.message)
            else:
                (item,) = of_named([result], ()).items
            self._check(item)
        except (UsageError, CloudError, Refused) as error:
            if isinstance(error, Refused):
                return failed(name, error.about(name))
            code = error.reason if isinstance(error, CloudError) else Reason.USAGE
            return failed(name, Problem(code=code, message=error.message, hint=error.hint, ref=name))
        return item

    def _check(self, item: PlanItem) -> None:
        """The guards that fire late. Raises `Refused`; nothing was sent for this run."""
        check_guarantee([item], self._guarantee)
        suspect = protection.protected(self._session.settings, item.run.scope) is not None
        protected = self._session.accounts.protected([item]) if suspect else {}
        if protected and item.ask:
            raise Refused(
                f"{item.run} is in the protected context {protected[item.run]}; nothing was sent for it",
                hint=f"To cancel it: {command('cancel', 'REF', '--confirm', '1')}",
            )

    def _announce(self, items: Sequence[PlanItem], results: Sequence[LookupResult]) -> None:
        notes = self._session.notes
        notes.say(*(f"note: {result.note}" for result in results if result.note))
        if items:
            notes.say(*announce(items, (), width=self._session.err.width))


def flowing(
    session: Session,
    request: SelectionRequest,
    guard: Guard,
    *,
    limits: Limits,
    guarantee: Guarantee | None,
    confirm: str | None,
) -> Flowing | None:
    """The cancel that flows; None where it is frozen. Asks no cloud. Raises `UsageError`."""
    if not isinstance(request.source, Named) or not request.by_hand:
        return None
    lookup = Lookup(references.parse_all(request.source.refs), session.settings)
    candidates = tuple(dict.fromkeys(ref for one in lookup.unread for ref in lookup.candidates(one)))
    facts = Facts(
        typed=True,
        references=len(lookup.unread),
        max_runs=limits.max_runs,
        targets=bool(request.targets),
        max_targets=limits.max_targets is not None,
        protected=any(protection.protected(session.settings, ref.scope) is not None for ref in candidates),
        policy=guard.may_match(candidates),
        accounts=guard.asks_accounts_of({ref.scope.provider for ref in candidates})
        or any(protection.needs_caller(session.settings, ref.scope) for ref in candidates),
        counts=guard.counts,
        guarantee=guarantee is not None and _may_be_below(lookup, guarantee),
        confirm=confirm is not None,
        chases=request.stop_running,
        parts=any(kind_of(ref).is_alias(ref.id) for ref in candidates),
    )
    return Flowing(session, lookup, guarantee) if why_frozen(facts) is None else None


def _may_be_below(lookup: Lookup, guarantee: Guarantee) -> bool:
    """Whether the kind of a run is not known, or has a weaker guarantee: then the plan as a whole may be refused."""
    candidates = [lookup.candidates(reference) for reference in lookup.unread]
    return any(len({ref.kind for ref in one}) > 1 or is_below(one[0], guarantee) for one in candidates)
