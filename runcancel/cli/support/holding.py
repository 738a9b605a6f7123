"""`cancel --hold`: for a time, every run that starts and matches the same filter is cancelled as well."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

from runcancel import environment
from runcancel.cli.changes import Limits
from runcancel.cli.options import Filters
from runcancel.cli.session import Session
from runcancel.cli.support.admission import Admission, not_admitted
from runcancel.cli.support.source import RunChoice
from runcancel.config.references import Reference
from runcancel.engine import hold as hold_
from runcancel.engine.hold import Hold, HoldListings
from runcancel.engine.lookup import LookupResult
from runcancel.engine.requests import Listing
from runcancel.engine.search import born
from runcancel.engine.selection import Selection, of_found
from runcancel.errors import CloudError, Refused, UsageError
from runcancel.guards.confirmation import ConfirmationRequirement, Level
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.queries import Query
from runcancel.model.runs import Ref, Scope, Snapshot
from runcancel.render import Caller
from runcancel.render.screens.words import counted
from runcancel.text import command, duration, local, safe

_FEW = 20  # references in a command
_FILTERS = "--name, --name-glob, --document or --script"


class HoldRequest(Struct, frozen=True, kw_only=True):
    """What `--hold` asks for: the filter, the seconds, and how many runs it may cancel in all."""

    query: Query
    filters: str  # as words of a command line
    seconds: float
    max_runs: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the hold does, for a person who confirms it."""
        return (
            f"Hold for {duration(self.seconds)}: every run that matches {self.filters} is cancelled, also one that "
            f"starts later; at most {counted(self.max_runs, 'run')} in all",
            "The corrected run is cancelled, too, if it matches. Start it after the hold; Ctrl-C ends the hold",
            f"Each scope is listed at most once in {duration(hold_.LISTED_EVERY)}",
        )

    def callers(self, session: Session, choice: RunChoice) -> tuple[Caller, ...]:
        """Who cancels in each scope: that has to be known before anything joins.

        Raises `Refused` where a scope is in a protected context, or may be: nobody confirms what starts later there.
        """
        names = session.accounts.protected_scopes(choice.scopes)
        if names:
            scope, name = next(iter(names.items()))
            raise Refused(
                f"{scope} is in the protected context {name}: --hold cannot be used there; nothing was sent",
                hint="To leave it out: name the other contexts or regions with -c or -r",
            )
        return tuple(Caller.of(scope, who) for scope, who in session.accounts.identities(choice.scopes).items())

    def requirement(
        self, admission: Admission, choice: RunChoice, base: ConfirmationRequirement
    ) -> ConfirmationRequirement:
        """The confirmation of a hold: never none, and by number where what joins may need it."""
        owners = admission.owners(choice.scopes)
        typed = len(owners) > 1 or self.query.document is not None or self.query.script is not None
        level = max(base.level, Level.TYPED if typed else Level.YES)
        why = base.why or (f"in {len(owners)} accounts" if len(owners) > 1 else "")
        why = ", ".join(part for part in (why, f"and what matches within {duration(self.seconds)}") if part)
        return structs.replace(base, level=level, why=why, holds=True)

    def confirmed(
        self, choice: RunChoice, admission: Admission, requirement: ConfirmationRequirement, *, listed_at: float
    ) -> "Holding":
        """The hold once it is confirmed; the first search ended at the monotonic second `listed_at`."""
        return Holding(self, choice, admission, requirement, listed_at=listed_at)


def hold_request(
    session: Session, value: str, filters: Filters, limits: Limits, *, others: Mapping[str, bool]
) -> HoldRequest:
    """What `--hold` asks for. `others`: options that do not go with it, and whether each is given.

    Raises `UsageError`.
    """
    wrong = next((name for name, option_value in others.items() if option_value), None)
    if wrong is not None:
        raise UsageError(f"--hold cancels what a filter finds: {wrong} cannot be used with it; nothing was sent")
    times = {"--until": filters.until, "--older-than": filters.older_than}
    late = next((name for name, time in times.items() if time is not None), None)
    if late is not None:
        raise UsageError(f"--hold cancels runs that start later: {late} cannot be used with it; nothing was sent")
    by_name = {
        "--name": filters.name,
        "--name-glob": filters.name_glob,
        "--document": filters.document,
        "--script": filters.script,
    }
    if not any(by_name.values()):
        raise UsageError(f"--hold needs a filter by {_FILTERS}; nothing was sent")
    if limits.max_runs is None or "max_runs" in session.request.values:
        raise UsageError("--hold needs --max-runs N, the most runs that it may cancel in all; nothing was sent")
    seconds = environment.duration("--hold", value, with_unit=True)
    if seconds < hold_.LISTED_EVERY:  # nothing would be listed before its end
        raise UsageError(
            f"--hold “{safe(value)}” is shorter than {duration(hold_.LISTED_EVERY)}, the time between two listings; "
            "nothing was sent",
            hint="as in --hold 30m",
        )
    words = " ".join(f"{name} {safe(value)}" for name, value in by_name.items() if value)
    most = session.settings.config.caps.max_runs
    return HoldRequest(
        query=filters.query(),
        filters=words,
        seconds=seconds,
        max_runs=limits.max_runs if most is None else min(most, limits.max_runs),
    )


class Holding:
    """A hold that is confirmed: what joins it, and what is reported of it."""

    def __init__(
        self,
        request: HoldRequest,
        choice: RunChoice,
        admission: Admission,
        requirement: ConfirmationRequirement,
        *,
        listed_at: float,
    ) -> None:
        self._session = admission.session
        self._request = request
        self._scopes = choice.scopes
        self._admission = admission
        self._requirement = requirement
        self._listed_at = listed_at
        self._items = list(choice.selection.items)
        self._refs = {item.run for item in self._items}
        self._joined = 0
        self._refused: list[Ref] = []
        self._errors: dict[Listing, CloudError] = {}
        self._failures: Counter[Scope] = Counter()
        self._tried: set[Scope] = set()
        self._has_reply = False
        self._is_full = False

    def begin(self) -> HoldListings:
        """The listings from now on."""
        until = datetime.now(UTC) + timedelta(seconds=self._request.seconds)
        if self._admission.recorder is not None:
            self._admission.recorder.record_hold(until)
        self._session.notes.say(f"Holding until {local(until)}; to end it earlier: Ctrl-C")
        hold = Hold(
            scopes=self._scopes,
            query=self._request.query,
            listed_at=self._listed_at,
            seconds=self._request.seconds,
            choose=self._choose,
            listed=self._listed,
            slow=self._report_slow,
            is_full=lambda: self._is_full,
        )
        return HoldListings(hold, self._session.workers.clock.monotonic())

    def _choose(self, snapshots: Sequence[Snapshot]) -> Selection:
        """The runs to send of those that were found, the oldest first, and the outcomes of the rest."""
        fresh = sorted((one for one in snapshots if one.run.ref not in self._refs), key=lambda one: born(one.run))
        results = [LookupResult(reference=Reference.of(one.run.ref), snapshot=one) for one in fresh]
        facts = {Reference.of(one.run.ref).meaning: one.run.matched_by for one in fresh}
        selected_runs = of_found(results, (), {name: fact for name, fact in facts.items() if fact is not None})
        self._refs |= {one.run.ref for one in fresh}
        refusals = self._refusals(selected_runs.items)
        items = tuple(item for item in selected_runs.items if item.run not in refusals)
        for item in items:
            self._items.append(item)
            self._joined += 1
            name = f" ({safe(item.label)})" if item.label else ""
            self._session.notes.say(
                f"found: {item.run}{name}, {item.state}; run {self._count} of at most {self._request.max_runs}"
            )
        outcomes = [self._leave(item, refusals[item.run]) for item in selected_runs.items if item.run in refusals]
        return Selection(items=items, decided=(*selected_runs.decided, *outcomes))

    @property
    def _count(self) -> int:
        return sum(item.ask for item in self._items)

    def _refusals(self, items: Sequence[PlanItem]) -> dict[Ref, Refused]:
        """Which of these runs limits, rules or the confirmation do not cover: one by one if not all are covered."""
        refusals: dict[Ref, Refused] = {}
        together = list(self._items)
        try:
            self._admit([*together, *items])
        except Refused:
            for item in items:
                try:
                    self._admit([*together, item])
                except Refused as error:
                    refusals[item.run] = error
                else:
                    together.append(item)
            self._is_full = bool(refusals) and sum(item.ask for item in together) >= self._request.max_runs
        return refusals

    def _admit(self, items: Sequence[PlanItem]) -> None:
        """Raise `Refused` if limits, rules or the confirmation do not cover these runs together."""
        self._admission.check_late(items, self._requirement)
        choice = RunChoice(selection=Selection(items=tuple(items)), by_hand=False)
        needed = self._admission.requirement(choice)
        if needed.level > self._requirement.level:
            raise Refused(
                f"{needed.why}: the confirmation of the hold does not cover this; nothing was sent for it",
                hint="To cover such runs: confirm the hold with --confirm N",
            )

    def _leave(self, item: PlanItem, error: Refused) -> Outcome:
        outcome = not_admitted(item, error)
        self._session.notes.say(f"found: {item.run}, {item.state}; not cancelled: {error.message}")
        if self._admission.recorder is not None:
            self._admission.recorder.planned([structs.replace(item, ask=False, why=error.message)])
        self._refused.append(item.run)
        return outcome

    def _listed(self, one: Listing, error: CloudError | None, more: bool) -> None:
        """Note a listing: the first failure of a scope is printed at once, and so is that it replies again."""
        before = self._errors.pop(one, None)
        self._tried.add(one.scope)
        self._has_reply |= error is None
        if error is not None:
            self._errors[one] = error
            self._failures[one.scope] += 1
            if before is None:
                again = f"; it is tried again every {duration(hold_.LISTED_EVERY)}" if more else ""
                self._session.notes.say(f"{one.scope}: {one.kind} was not listed: {error.message}{again}")
        elif before is not None:
            self._session.notes.say(f"{one.scope}: {one.kind} is listed again")

    def _report_slow(self, one: Listing) -> None:
        """Print that a listing has no end yet: what starts there meanwhile is found later, or not at all."""
        self._session.notes.say(
            f"{one.scope}: {one.kind} has not been listed for {duration(hold_.LISTED_EVERY)}: the listing has no reply "
            "yet; runs that start there are found when it has"
        )

    def covered(self, choice: RunChoice) -> RunChoice:
        """The choice with the gaps as the last listings left them."""
        tried = {str(scope) for scope in self._tried}
        other_gaps = tuple(gap for gap in choice.gaps if gap.scope not in tried)
        gaps = tuple(
            structs.replace(error.problem(scope=one.scope), message=f"{one.kind}: {error.message}")
            for one, error in self._errors.items()
        )
        return structs.replace(choice, gaps=(*other_gaps, *gaps), replied=choice.replied or self._has_reply)

    def hints(self, *, interrupted: bool) -> tuple[str, ...]:
        """What became of the hold, for the end of the report."""
        joined = f"{counted(self._joined, 'run')} joined it" if self._joined else "no run joined it"
        if not self._tried:
            joined = "it ended before the first listing, so what started meanwhile is not known"
        end = "ended early" if interrupted or self._is_full else "ended"
        limit = counted(self._request.max_runs, "run")
        why = f", because the limit of {limit} (--max-runs) is reached" if self._is_full else ""
        failures = tuple(
            f"{scope}: {counted(number, 'listing')} failed during the hold" for scope, number in self._failures.items()
        )
        if self._refused:
            failures += (f"To cancel what the hold left alone: {command('cancel', *self._refused[:_FEW])}",)
        return (*failures, f"The hold {end}{why}: {joined}. Runs that start from now on are not cancelled")
