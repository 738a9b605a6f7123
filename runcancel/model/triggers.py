"""What starts runs by itself: its kinds, its records, and what became of a change of one."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct, structs

from runcancel.model.runs import Kind, Problem, Ref, Run, RunName, Snapshot
from runcancel.model.states import Guarantee, Reason, Verdict


class TriggerState(StrEnum):
    """Whether a trigger starts runs."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    UNKNOWN = "unknown"  # a vendor's word that is not mapped


class TriggerKind(Kind, frozen=True, kw_only=True):
    """What is known beforehand about one kind of trigger.

    `action` disables it and `enable_action` enables it: what each does is in `promise` and `enable_promise`. The
    actions are empty where this program never changes such a trigger,
    for the reason `fixed_because`. `title` is what its vendor calls it. `starts` are the kinds of run that
    it starts. `policy_help` is the help of the option that restricts an access policy to one trigger; None where the
    vendor cannot.
    """

    guarantee: Guarantee = Guarantee.STOPS_RUNNING
    action: str = ""
    permission: str = ""
    enable_action: str = ""
    enable_permission: str = ""
    enable_promise: str = ""
    probe_id: str = ""
    in_part: bool = False
    title: str
    form: str  # what its references look like, for messages: "rule/BUS/NAME"
    starts: tuple[str, ...]
    fixed_because: str | None = None
    policy_help: str | None = None

    @property
    def switchable(self) -> bool:
        """Whether this program can disable and enable it."""
        return bool(self.action)

    def promise_of(self, *, enable: bool) -> str:
        """What a change does to it, in one sentence for a person."""
        return self.enable_promise if enable and self.switchable else self.promise


class Trigger(Struct, frozen=True, kw_only=True):
    """One trigger as one reading saw it. Times are UTC.

    `schedule` is the vendor's own expression, `timezone` the zone it counts in, `schedule_text` the same in words.
    `documents` is what it runs, as the vendor names it, `targets` on what. `fixed_because`: why this program does
    not change it, and `command` is what a person can paste instead. `others`: how many things it starts or notifies
    that are no runs; `tasks`: how many things it starts in all. `effect_unknown`: why that is not known, where it may
    not be read; then these are empty, and so is an `edition` that needs them. `edition` changes whenever somebody
    changes the trigger in other ways than switching it: what a restore compares.
    """

    ref: Ref
    provider: str
    account: str | None
    context: str | None
    region: str
    kind: str
    id: str
    name: str | None
    state: TriggerState
    provider_status: str
    schedule: str | None = None
    timezone: str | None = None
    schedule_text: str | None = None
    next_start_at: datetime | None = None
    starts: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tasks: int = 1
    others: int = 0
    edition: str = ""
    fixed_because: str | None = None
    command: str | None = None
    effect_unknown: str | None = None

    @classmethod
    def at(
        cls,
        ref: Ref,
        kind: TriggerKind,
        *,
        name: str | None,
        state: TriggerState,
        provider_status: str,
        schedule: str | None = None,
        timezone: str | None = None,
        schedule_text: str | None = None,
        next_start_at: datetime | None = None,
        documents: tuple[str, ...] = (),
        targets: tuple[str, ...] = (),
        tasks: int = 1,
        others: int = 0,
        edition: str = "",
        fixed_because: str | None = None,
        command: str | None = None,
        effect_unknown: str | None = None,
    ) -> "Trigger":
        """The trigger named by `ref`, with what follows from its name and kind filled in."""
        return cls(
            ref=ref,
            provider=ref.scope.provider,
            account=None,
            context=ref.scope.context,
            region=ref.scope.region,
            kind=ref.kind,
            id=ref.id,
            name=name or None,
            state=state,
            provider_status=provider_status,
            schedule=schedule or None,
            timezone=timezone or None,
            schedule_text=schedule_text or None,
            next_start_at=None if state is TriggerState.DISABLED else next_start_at,
            starts=kind.starts,
            documents=documents,
            targets=targets,
            tasks=tasks,
            others=others,
            edition=edition,
            fixed_because=fixed_because or kind.fixed_because,
            command=command,
            effect_unknown=effect_unknown,
        )


class TriggerQuery(Struct, frozen=True, kw_only=True):
    """Which triggers to find. Empty sets and None mean any; `starts_by`: with a next start at or before then."""

    states: frozenset[TriggerState] = frozenset()
    kinds: frozenset[str] = frozenset()
    name: str | None = None  # exact: the trigger's name or a document that it runs
    name_glob: str | None = None
    document: str | None = None
    script: str | None = None  # a text in the script that it runs: only the provider can tell
    starts_by: datetime | None = None

    def matches(self, trigger: Trigger) -> bool:
        """Whether a trigger passes every filter but the one for its script."""
        names = [name for name in (trigger.name, *trigger.documents) if name]
        return (
            (not self.states or trigger.state in self.states)
            and (not self.kinds or trigger.kind in self.kinds)
            and (self.name is None or self.name in names)
            and (self.name_glob is None or any(fnmatchcase(name, self.name_glob) for name in names))
            and (self.document is None or self.document in trigger.documents)
            and (
                self.starts_by is None
                or (trigger.next_start_at is not None and trigger.next_start_at <= self.starts_by)
            )
        )


class Origin(Struct, frozen=True, kw_only=True):
    """Where a run comes from and whether it comes back, as far as the vendor reports it.

    `trigger` is what started it, if anything did; `known` is false where the vendor does not report it: None then
    means nothing. `state` is that of the trigger. `repeats`: whether the run itself is a schedule. `next_start_at`: of
    the run or its trigger.
    """

    trigger: Ref | None = None
    known: bool = False
    state: TriggerState | None = None
    repeats: bool | None = None
    next_start_at: datetime | None = None

    @classmethod
    def of(cls, run: Run) -> "Origin":
        """What the reading of a run shows of it."""
        return cls(trigger=run.trigger, known=run.trigger_known, repeats=run.repeats, next_start_at=run.next_start_at)

    @classmethod
    def by(cls, trigger: Trigger) -> "Origin":
        """A run that this trigger started."""
        enabled = trigger.state is TriggerState.ENABLED
        return cls(
            trigger=trigger.ref,
            known=True,
            state=trigger.state,
            repeats=False,
            next_start_at=trigger.next_start_at if enabled else None,
        )

    @property
    def is_final(self) -> bool:
        """Whether it is known that nothing starts the run again: no trigger started it, and it is no schedule."""
        return self.known and self.trigger is None and not self.repeats

    def is_settled(self, *, scanned: bool) -> bool:
        """Whether nothing more can be read of it. `scanned`: a scan of the triggers finds what started such a run."""
        return self.state is not None if self.trigger is not None else self.known or not scanned

    def put_into(self, run: Run) -> Run:
        """The run with what is known now."""
        return structs.replace(
            run,
            trigger=self.trigger,
            trigger_known=self.known,
            repeats=run.repeats if self.repeats is None else self.repeats,
            next_start_at=self.next_start_at,
        )


class TriggerVerdict(StrEnum):
    """What was seen to become of one trigger."""

    DISABLED = "disabled"  # seen disabled
    ENABLED = "enabled"  # seen enabled
    UNCHANGED = "unchanged"  # it was in the requested state before, and nothing was sent
    REQUESTED = "requested"  # accepted; not seen in the requested state
    IN_DOUBT = "in-doubt"  # sent, or perhaps sent; no reply or reading shows the result
    FAILED = "failed"  # certainly not accepted
    DRIFTED = "drifted"  # somebody changed it since it was disabled: nothing was sent
    SKIPPED = "skipped"  # not sent

    @classmethod
    def of(cls, verdict: Verdict, *, enable: bool, error: Problem | None = None) -> "TriggerVerdict":
        """The verdict of the engine, which is about runs, in the words for triggers."""
        if error is not None and error.code is Reason.DRIFTED:
            return cls.DRIFTED
        if verdict is Verdict.STOPPED:
            return cls.ENABLED if enable else cls.DISABLED
        return _VERDICTS.get(verdict, cls.FAILED)


_VERDICTS: Mapping[Verdict, TriggerVerdict] = {
    Verdict.ENDED: TriggerVerdict.UNCHANGED,
    Verdict.REQUESTED: TriggerVerdict.REQUESTED,
    Verdict.IN_DOUBT: TriggerVerdict.IN_DOUBT,
    Verdict.SKIPPED: TriggerVerdict.SKIPPED,
}
"""What the verdict on a run is for a trigger; `stopped` is its requested state, any other has failed."""

NOT_SWITCHED = frozenset({Verdict.FAILED, Verdict.SKIPPED, Verdict.ENDED})
"""After these verdicts of the engine a trigger is as it was found. After any other it may have been switched."""

TRIGGER_VERBS = ("disable", "enable")
"""The operations that change triggers."""


class TriggerPlan(Struct, frozen=True, kw_only=True):
    """What a change would do to one trigger. `send` is false where nothing would be sent, and `why` has the reason."""

    trigger: Ref
    name: str | None
    send: bool
    why: str
    promise: str
    before: Trigger


class TriggerOutcome(Struct, frozen=True, kw_only=True):
    """What was requested of one trigger and what was seen before and afterwards."""

    trigger: RunName
    name: str | None
    verdict: TriggerVerdict
    before: Trigger | None
    after: Trigger | None
    request_ids: tuple[str, ...]
    error: Problem | None


class TriggerSnapshot(Snapshot, frozen=True, kw_only=True):
    """A reading of a trigger as the engine takes it: it runs until it is in the requested state, then it ended.

    `promise`: what the change does.
    """

    trigger: Trigger
    promise: str
