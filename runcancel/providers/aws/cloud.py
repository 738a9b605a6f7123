"""One connected AWS scope: the four kinds behind one contract."""

from collections.abc import Iterator, Mapping, Sequence

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
from runcancel.model.queries import Query
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Kind, Ref, Run, Snapshot
from runcancel.model.states import Reason
from runcancel.providers.aws.automations import Automations
from runcancel.providers.aws.clients import Services
from runcancel.providers.aws.commands import Commands
from runcancel.providers.aws.logs import Logs
from runcancel.providers.aws.state_machines import StateMachines
from runcancel.providers.aws.windows import Windows
from runcancel.providers.aws.wire import Wire
from runcancel.providers.base import Checkup, Connection, Organization, Triggers
from runcancel.providers.common.fields import caller, checked_id, proven_regions, rows, text
from runcancel.providers.common.http import EndpointHealth
from runcancel.runtime.throttle import Pace

_ABOUT_ONE_RUN = frozenset({Reason.NOT_FOUND, Reason.INVALID, Reason.NOT_CANCELLABLE})
"""Failures of a read that show nothing about the next one."""


class Aws:
    """See `Cloud`."""

    def __init__(self, connection: Connection, environ: Mapping[str, str], pace: Pace) -> None:
        self._services = Services(connection, environ, EndpointHealth())
        self._scope = connection.scope
        self._pace = pace
        self._profile = connection.profile
        self._services.assume_role(pace)
        wire = self._wire = Wire(self._services.ssm(), pace, scope=connection.scope)
        windows = Windows(wire)
        commands, automations = Commands(wire), Automations(wire)
        machines = StateMachines(self._wire_of)
        self._kinds = {one.kind.name: one for one in (windows, commands, automations, machines)}
        self._logs = Logs(wire, windows=windows, commands=commands, automations=automations, machines=machines)

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """See `Cloud.read`."""
        for ref in refs:
            try:
                answer: Snapshot | CloudError = self._of(ref).read(ref, full=full)
            except CloudError as error:
                if error.reason not in _ABOUT_ONE_RUN:
                    raise
                answer = error
            yield ref, answer

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`."""
        return self._of(ref).invocations(ref, criteria)

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`."""
        self._of(ref)
        return map(Capture.of_text, self._logs.of(ref, criteria, finished))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`."""
        return self._of(ref).script(ref)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """See `Cloud.cancel`."""
        runs = self._of(ref)
        if targets and not runs.kind.in_part:
            raise CloudError(Reason.INVALID, f"{_article(runs.kind)} cannot be cancelled in part; nothing was sent")
        return runs.cancel(ref, targets)

    def runs(self, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`."""
        for runs in self._kinds.values():
            if query.covers(runs.kind):
                yield from runs.runs(self._scope, query)

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`. Needs `cloudtrail:LookupEvents`."""
        from runcancel.providers.aws.audit import CloudTrail

        return CloudTrail(self._wire_of("cloudtrail")).of(runs)

    def triggers(self) -> Triggers:
        """See `Cloud.triggers`. The clients of other services are opened when they are first needed."""
        from runcancel.providers.aws.triggers import AwsTriggers

        return AwsTriggers(self._wire_of, scope=self._scope, profile=self._profile)

    def organization(self) -> Organization:
        """See `Provider.organization`."""
        from runcancel.providers.aws.organizations import AwsOrganization

        return AwsOrganization(self._wire_of("organizations"), caller=self.identity().account)

    def regions(self) -> tuple[str, ...]:
        """See `Cloud.regions`. Needs `ec2:DescribeRegions`; returns those that are enabled for the account."""
        regions = rows(self._wire_of("ec2").call("DescribeRegions", {}), "Regions")
        return proven_regions(text(row.get("RegionName")) for row in regions)

    def identity(self) -> Identity:
        """See `Cloud.identity`. Needs no permission."""
        sts = self._services.sts()
        believed = self._services.believes(sts)
        if (role := self._services.role) is not None:  # STS named the session when it gave the keys
            return caller(role.account, role.principal, believed=believed)
        reply = Wire(sts, self._pace.apart(), scope=self._scope).call("GetCallerIdentity", {})
        return caller(reply.get("Account"), reply.get("Arn"), believed=believed)

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        return self._services.checkup()

    def _wire_of(self, service: str) -> Wire:
        """The seam to a service; each has a pace of its own."""
        if service == "ssm":
            return self._wire
        return Wire(self._services.beside(service), self._pace.apart(), scope=self._scope)

    def _of(self, ref: Ref) -> Windows | Commands | Automations | StateMachines:
        """The reader of the reference's kind, once its id has the shape of one."""
        if ref.kind not in self._kinds:
            raise CloudError(Reason.INVALID, f"AWS has no kind “{ref.kind}”; nothing was sent")
        runs = self._kinds[ref.kind]
        checked_id(ref.id, runs.kind.id_pattern)
        return runs


def _article(kind: Kind) -> str:
    return f"an {kind.name}" if kind.name[0] in "aeiou" else f"a {kind.name}"
