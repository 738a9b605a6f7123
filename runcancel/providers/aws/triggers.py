"""What starts AWS runs by itself, behind one contract: windows, rules, schedules, associations.

Windows and rules have a switch that changes nothing else. Schedules and associations have none: their updates write
every field, and an update of an association runs it at once.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Protocol

from runcancel.errors import CloudError
from runcancel.model.runs import Ref, Scope
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin, Trigger, TriggerKind, TriggerQuery
from runcancel.providers.aws.event_triggers import Rules, Schedules
from runcancel.providers.aws.facts import ASSOCIATION, AUTOMATION, RULE, SCHEDULE, TRIGGER_KINDS, WINDOW
from runcancel.providers.aws.window_triggers import Associations, WindowTriggers
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import checked_id, text


class TriggersOfOneKind(Protocol):
    """The triggers of one kind in one scope; see `Triggers` for what its methods do."""

    def find(self, *, script: str | None) -> Iterator[Trigger]:
        """All of them, or those whose script contains a text."""
        ...

    def read(self, ref: Ref) -> Trigger:
        """One of them."""
        ...

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """The request id."""
        ...


class AwsTriggers:
    """See `Triggers`. `wire_of` opens the client of a service, which only the kinds that need it pay for."""

    def __init__(self, wire_of: Callable[[str], Wire], *, scope: Scope, profile: str | None) -> None:
        self._wire_of = cache(wire_of)
        self._scope = scope
        self._profile = profile

    def find(self, query: TriggerQuery) -> Iterator[Trigger]:
        """See `Triggers.find`."""
        for kind in TRIGGER_KINDS:
            if not query.kinds or kind.name in query.kinds:
                yield from self._of(kind).find(script=query.script)

    def read(self, ref: Ref) -> Trigger:
        """See `Triggers.read`."""
        return self._of(_kind_of(ref)).read(ref)

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """See `Triggers.switch`."""
        return self._of(_kind_of(ref)).switch(ref, enabled=enabled)

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """See `Triggers.origins`. An SSM command does not contain its sender."""
        executions = [ref for ref in refs if ref.kind == WINDOW.name]
        if executions:
            yield from WindowTriggers(self._wire_of("ssm"), scope=self._scope).origins(executions)
        for ref in refs:
            if ref.kind == AUTOMATION.name and (origin := self._of_automation(ref)) is not None:
                yield ref, origin

    def _of_automation(self, ref: Ref) -> Origin | None:
        """An automation names the association that started it."""
        reply = self._wire_of("ssm").call("GetAutomationExecution", {"AutomationExecutionId": ref.id})
        execution = reply.get("AutomationExecution")
        id = text(execution.get("AssociationId")) if isinstance(execution, dict) else None
        if id is None or not ASSOCIATION.id_pattern.fullmatch(id):
            return None
        association = Ref(scope=self._scope, kind=ASSOCIATION.name, id=id)
        try:
            return Origin.by(self.read(association))
        except CloudError:  # it may be deleted, or reading it not permitted: its name is known all the same
            return Origin(trigger=association, known=True, repeats=False)

    def _of(self, kind: TriggerKind) -> TriggersOfOneKind:
        if kind is RULE:
            return Rules(self._wire_of("events"), scope=self._scope)
        if kind is SCHEDULE:
            return Schedules(self._wire_of("scheduler"), scope=self._scope, profile=self._profile)
        if kind is ASSOCIATION:
            return Associations(self._wire_of("ssm"), scope=self._scope, profile=self._profile)
        return WindowTriggers(self._wire_of("ssm"), scope=self._scope)


def _kind_of(ref: Ref) -> TriggerKind:
    """The kind of a reference whose id has the shape of one. Raises `CloudError` for any other."""
    for kind in TRIGGER_KINDS:
        if kind.name == ref.kind:
            checked_id(ref.id, kind.id_pattern)
            return kind
    raise CloudError(Reason.INVALID, f"AWS has no trigger kind “{ref.kind}”; nothing was sent")
