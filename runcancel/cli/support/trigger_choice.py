"""From the command line to the triggers of a change: they are found and read, nothing is sent."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.cli.support.files import called
from runcancel.cli.support.named import no_operation, text_of_input, whole_id
from runcancel.cli.support.searched import scopes_to_search
from runcancel.cli.support.source import RunChoice, empty_shard, shard_of
from runcancel.cli.support.trigger_plans import read_trigger_plan
from runcancel.cli.triggering import Change
from runcancel.config.references import Reference, parse_all
from runcancel.config.search_scopes import unusable
from runcancel.engine import selection
from runcancel.engine.lookup import LookupResult, look_up
from runcancel.engine.retry import READ_WITHIN
from runcancel.engine.saved import read_list
from runcancel.engine.search import split_gaps
from runcancel.engine.selection import Selection
from runcancel.engine.trigger_search import find_triggers
from runcancel.engine.verdict import failed
from runcancel.environment import check_partner, plain, plain_file
from runcancel.errors import CloudError, JournalError, Refused, UsageError
from runcancel.journal.restores import LAST, disabled_by, unrestored
from runcancel.model.outcomes import Action, LeftOver, Outcome, PlanItem
from runcancel.model.runs import Problem, Ref, Scope
from runcancel.model.states import Reason, Verdict
from runcancel.model.triggers import Trigger, TriggerState, TriggerVerdict
from runcancel.providers import provider, trigger_kind_of

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0  # seconds between two readings of what fails for a time

_LINES = {"trigger": "ref", "trigger-outcome": "trigger"}
"""Lines of jsonl that name a trigger, each with the key of its reference."""

_BY_NAME = frozenset({"references", "filters"})
"""Sources that do not hold how a trigger was found: what was changed since is not known."""

_DISABLED = (TriggerVerdict.DISABLED, TriggerVerdict.REQUESTED, TriggerVerdict.IN_DOUBT)
"""What a restore undoes."""


class TriggerChoice:
    """The one source of a change, and its triggers. Raises `UsageError` for none or several sources."""

    def __init__(
        self,
        session: Session,
        args: Change,
        action: Action,
        resumed: LeftOver | None,
        *,
        operation: str | None,
        force: bool,
    ) -> None:
        self._session = session
        self._args = args
        self._action = action
        self._resumed = resumed
        self._force = force
        self._shard = shard_of(session, args.sources.shard, of_plan=args.sources.plan is not None)
        self._editions: Mapping[Ref, str] = {}
        used: dict[str, Callable[[], RunChoice]] = {}
        if args.refs:
            used["references"] = self._choose_named
        if args.filters.any:
            used["filters"] = self._choose_matches
        if args.sources.from_ is not None:
            used["--from"] = self._listed
        if args.sources.plan is not None:
            used["--plan"] = self._saved
        if resumed is not None:
            used["--resume"] = self._choose_remaining
        if operation is not None:
            word = plain("--operation", operation)
            used["--operation"] = lambda: self._restored(word)
        check_partner(
            "--allow-incomplete", "-f FILE", is_given=args.allow_incomplete, is_there=args.sources.from_ is not None
        )
        check_partner(
            "--force", "--operation, -f FILE, --plan or --resume", is_given=force, is_there=not used.keys() <= _BY_NAME
        )
        if len(used) > 1:
            raise UsageError(f"{' and '.join(used)} cannot be used together; nothing was sent")
        if not used:
            example = session.command(action.verb, "--name", "nightly-patching", "-n")
            raise UsageError(
                "no trigger was selected; nothing was sent", hint=f"name triggers, or add a filter: {example}"
            )
        (self._source,) = used.values()

    def choose(self) -> RunChoice:
        """Find and read them. Raises `UsageError`, `Refused` or `CloudError`."""
        choice = self._source()
        return structs.replace(choice, selection=self._changeable(choice.selection))

    def _choose_named(self) -> RunChoice:
        references = parse_all(self._args.refs or (), triggers=True)
        for reference in references:
            for name in reference.providers:
                fixed = [kind for kind in provider(name).trigger_kinds if kind in reference.kinds(name)]
                if fixed and all(not getattr(kind, "switchable", True) for kind in fixed):
                    inspect = self._session.command("triggers", "--kind", fixed[0].name, "-o", "wide")
                    raise UsageError(
                        f"{reference.text}: {fixed[0].fixed_because}; nothing was sent",
                        hint=f"To inspect it: {inspect}",
                    )
        by_hand = self._session.request.values.keys().isdisjoint({"refs"})
        return RunChoice(selection=selection.of_named(self._look_up(references), ()), by_hand=by_hand)

    def _choose_matches(self) -> RunChoice:
        """A filter finds only what is not in the requested state yet, unless --status says which state."""
        session, query = self._session, self._args.filters.query()
        if not query.states:
            query = structs.replace(query, states=frozenset(TriggerState) - {session.clouds.switch.goal})
        scopes = tuple(one for one in scopes_to_search(session) if provider(one.provider).trigger_kinds)
        answering: set[Scope] = set()
        triggers: list[Trigger] = []
        gaps: list[Problem] = list(unusable(session.settings))
        for one in find_triggers(
            scopes, query, session.clouds, session.workers, answering=answering, within=session.read_within
        ):
            if isinstance(one, Trigger):
                triggers.append(one)
            else:
                gaps.append(one)
        real, notes = split_gaps(gaps, scopes)
        results = [
            LookupResult(reference=Reference.of(one.ref), snapshot=session.clouds.switch.snapshot(one))
            for one in triggers
        ]
        return RunChoice(
            selection=selection.of_found(results, ()),
            by_hand=False,
            gaps=real,
            replied=bool(answering),
            notes=notes,
        )

    def _listed(self) -> RunChoice:
        file = plain_file("--from", self._args.sources.from_ or "")
        text = text_of_input(self._session, file)
        listed = read_list(text, called(file), keys=_LINES, triggers=True)
        if not listed.complete and not self._args.allow_incomplete:
            raise UsageError(
                f"{called(file)} is an incomplete list: it is marked so, or it was cut off; nothing was sent",
                hint=f"To list everything: {self._session.command('triggers', '--limit', '0', '-o', 'jsonl')}   "
                "To proceed anyway: add --allow-incomplete",
            )
        disabled = _disabled_in(text)
        references = listed.references
        if disabled is not None and self._session.clouds.switch.enable:
            references = tuple(Reference.of(ref) for ref in disabled)
            self._editions = disabled
        choice = selection.of_found(self._look_up(references), ())
        return RunChoice(selection=choice, by_hand=False, from_stdin=file == "-")

    def _saved(self) -> RunChoice:
        file = self._args.sources.plan or ""
        text = text_of_input(self._session, file)
        saved = read_trigger_plan(text, called(file), now=datetime.now(UTC), verb=self._action.verb)
        planned = [one for one in saved.triggers if one.send]
        whole = None
        if self._shard is not None:
            from runcancel.cli.support.whole_plan import whole_trigger_plan

            whole = whole_trigger_plan(self._session, planned, saved.identities, self._shard)
            here = {item.run for item in whole.part}
            planned = [one for one in planned if one.trigger in here]
        self._editions = {one.trigger: one.before.edition for one in planned}
        results = self._look_up([Reference.of(one.trigger) for one in planned])
        return RunChoice(
            selection=selection.of_found(results, ()),
            by_hand=False,
            planned_by=saved.identities,
            plan=saved.digest,
            whole=whole,
            coverage=() if whole is None or whole.part else (empty_shard(whole.shard),),
            from_stdin=file == "-",
        )

    def _choose_remaining(self) -> RunChoice:
        operation = self._resumed
        if operation is None:
            return RunChoice(selection=Selection(items=()), by_hand=True)
        items = [item for item in operation.items if isinstance(item, PlanItem)]
        self._editions = {item.run: item.trigger.edition for item in items if item.trigger is not None}
        results = self._look_up([Reference.of(item.run) for item in items])
        sent_refs = frozenset(item.run for item in operation.sent_before)
        return RunChoice(selection=selection.of_plan(items, results, already_sent=sent_refs), by_hand=True)

    def _restored(self, word: str) -> RunChoice:
        """What an operation found enabled and disabled. Raises `UsageError` for an operation that disabled nothing.

        Raises `CloudError` for one that is not in the journal.
        """
        session = self._session
        try:
            journal = session.journal.read()
            id = None
            if journal is not None:
                id = next(unrestored(journal), None) if word == LAST else whole_id(journal, word)
            disabled = {} if journal is None or id is None else disabled_by(journal, id)
        except JournalError as error:
            raise Refused(f"{error}; nothing was sent") from None
        if id is None and word == LAST:
            raise CloudError(
                Reason.NOT_FOUND,
                "no operation that disabled a trigger is left to restore; nothing was sent",
                hint="see: runcancel history",
            )
        if id is None:
            raise no_operation(word)
        if not disabled:
            raise UsageError(f"operation {id} disabled no trigger; nothing was sent", hint="see: runcancel history")
        self._editions = disabled
        results = self._look_up([Reference.of(ref) for ref in disabled])
        return RunChoice(selection=selection.of_found(results, ()), by_hand=False)

    def _look_up(self, references: Sequence[Reference]) -> list[LookupResult]:
        """Read triggers. What fails for a time is read again until --lookup-timeout: unread it is not changed."""
        session = self._session
        clock, clouds = session.workers.clock, session.clouds
        until = clock.monotonic() + (session.read_within or READ_WITHIN)
        clouds.switch.one_try = True
        try:
            results = session.look_up(references)
            wait = _SHORTEST_PAUSE
            while again := [one for one in results if _may_pass(one)]:
                busy = all(one.problem is not None and one.problem.code is Reason.BUSY for one in again)
                wait = _SHORTEST_PAUSE if busy else min(2 * wait, _LONGEST_PAUSE)  # the limiter holds what is throttled
                if clock.monotonic() + wait >= until:
                    break
                session.workers.pause(wait)
                unread, seconds = [one.reference for one in again], until - clock.monotonic()
                readings = look_up(unread, session.settings, clouds, session.workers, within=seconds)
                fresh = {one.reference: one for one in readings}
                results = [fresh.get(one.reference, one) for one in results]
        finally:
            clouds.switch.one_try = False
        return results

    def _changeable(self, selection: Selection) -> Selection:
        """The selection without what this program does not change, and what somebody changed since."""
        changeable: list[PlanItem] = []
        decided: list[Outcome] = list(selection.decided)
        for item in selection.items:
            problem = self._why_not(item) if item.ask else None
            if problem is None:
                changeable.append(item)
            else:
                outcome = failed(item.run, problem)
                decided.append(structs.replace(outcome, verdict=Verdict.SKIPPED, name=item.name, before=item.state))
        return structs.replace(selection, items=tuple(changeable), decided=tuple(decided))

    def _why_not(self, item: PlanItem) -> Problem | None:
        trigger = item.trigger
        if trigger is None:
            return None
        kind = trigger_kind_of(item.run)
        if trigger.fixed_because is not None or kind is None or not kind.switchable:
            hint = None if trigger.command is None else f"To inspect it: {trigger.command}"
            message = f"not changed: {trigger.fixed_because}"
            return Problem(code=Reason.NOT_CANCELLABLE, message=message, hint=hint, ref=item.run)
        before = self._editions.get(item.run)
        if before and trigger.edition and before != trigger.edition and not self._force:
            message = "it is not as it was when it was disabled: somebody may have changed it; nothing was sent"
            return Problem(code=Reason.DRIFTED, message=message, ref=item.run)
        return None


def _may_pass(result: LookupResult) -> bool:
    """Whether another reading may succeed. A scope that did not reply in time has had its time."""
    return result.problem is not None and result.problem.retryable and result.problem.code is not Reason.TIMED_OUT


def _disabled_in(text: str) -> dict[Ref, str] | None:
    """What the output of `disable -o jsonl` says was found enabled and disabled, with its edition; None for others."""
    disabled: dict[Ref, str] = {}
    outcomes = 0
    for line in text.splitlines():
        if not line.lstrip(" \t\ufeff").startswith("{"):
            continue
        entry = json.loads(line.strip(" \t\r\ufeff"))
        if entry.get("type") != "trigger-outcome":
            continue
        outcomes += 1
        before = entry.get("before")
        if (
            isinstance(before, dict)
            and before.get("state") == TriggerState.ENABLED
            and entry.get("verdict") in _DISABLED
        ):
            disabled[Ref.parse(str(entry.get("trigger")))] = str(before.get("edition") or "")
    return disabled if outcomes else None
