"""One connected scope of Alibaba Cloud: the two kinds behind one contract."""

from collections.abc import Iterator, Sequence

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
from runcancel.model.queries import Query
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Ref, Run, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin
from runcancel.providers.alibaba.facts import INVOCATION, OOS
from runcancel.providers.alibaba.invocations import CloudAssistant
from runcancel.providers.alibaba.oos import Executions
from runcancel.providers.base import Checkup, NoTriggers, Triggers


class AlibabaCloud:
    """See `Cloud`."""

    def __init__(self, assistant: CloudAssistant, executions: Executions) -> None:
        self._assistant = assistant
        self._executions = executions

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """See `Cloud.read`."""
        for ref in refs:
            if ref.kind != OOS.name:
                yield from self._assistant.read((ref,), full=full)
                continue
            try:
                yield ref, self._executions.read(ref, full=full)
            except CloudError as error:
                if error.reason not in (Reason.NOT_FOUND, Reason.INVALID):
                    raise
                yield ref, error

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`."""
        return self._of(ref).invocations(ref, criteria)

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`."""
        return self._of(ref).logs(ref, criteria, finished)

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`."""
        return self._of(ref).script(ref)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """See `Cloud.cancel`."""
        if ref.kind != OOS.name:
            return self._assistant.cancel(ref, targets)
        if targets:
            raise CloudError(Reason.INVALID, "an execution of OOS cannot be cancelled in part; nothing was sent")
        return self._executions.cancel(ref)

    def runs(self, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`."""
        if query.covers(INVOCATION):
            yield from self._assistant.runs(query)
        if query.covers(OOS):
            yield from self._executions.runs(query)

    def triggers(self) -> Triggers:
        """See `Cloud.triggers`."""
        return AlibabaTriggers(self._executions)

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`."""
        return self._assistant.audit(runs)

    def regions(self) -> tuple[str, ...]:
        """See `Cloud.regions`."""
        return self._assistant.regions()

    def identity(self) -> Identity:
        """See `Cloud.identity`."""
        return self._assistant.identity()

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        return self._assistant.checkup()

    def _of(self, ref: Ref) -> CloudAssistant | Executions:
        return self._executions if ref.kind == OOS.name else self._assistant


class AlibabaTriggers(NoTriggers):
    """Schedules are runs here; see `Triggers`."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """See `Triggers.origins`. An invocation does not contain what sent it."""
        return self._executions.origins([ref for ref in refs if ref.kind == OOS.name])
