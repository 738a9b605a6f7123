"""Step Functions: an execution of a STANDARD state machine is a run. EXPRESS ones can be neither read nor stopped."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.model.queries import Query
from runcancel.model.runs import Invocation, InvocationFilter, Ref, Run, Scope, Snapshot
from runcancel.model.states import State
from runcancel.providers.aws.facts import STATE_MACHINE
from runcancel.providers.aws.fields import unless_deleted, word
from runcancel.providers.aws.states import execution_state, execution_words
from runcancel.providers.aws.wire import OpenWire
from runcancel.providers.common.fields import JsonObject, moment, text
from runcancel.providers.common.paging import first

_MOST = 1000  # rows per page
_EXPRESS = "EXPRESS"
_DATA_LEFT_OUT = "METADATA_ONLY"
"""Without input and output a reading needs no permission for the key that encrypts them, and they do not travel."""


class StateMachines:
    """The client of Step Functions is opened when it is first needed."""

    kind = STATE_MACHINE

    def __init__(self, open_: OpenWire) -> None:
        self._open = open_

    def read(self, ref: Ref, *, full: bool) -> Snapshot:
        """See `Cloud.read`. One answer tells all of it."""
        run = _run(ref, self._execution(ref))
        return Snapshot.full(run, (_row(run),))

    def runs(self, scope: Scope, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. AWS lists executions state machine by state machine, one status or all in one listing."""
        for machine in self._pages("ListStateMachines", "stateMachineArn", {}):
            arn, name = text(machine.get("stateMachineArn")), text(machine.get("name"))
            if arn is None or machine.get("type") == _EXPRESS or query.document not in (None, name):
                continue
            for status in execution_words(query.states) or ("",):
                params = {"stateMachineArn": arn} | ({"statusFilter": status} if status else {})
                for row in self._listed(params, query.since):
                    ref = Ref(scope=scope, kind=STATE_MACHINE.name, id=text(row.get("executionArn")) or "")
                    if STATE_MACHINE.matches(ref.id):
                        yield Snapshot(run=_run(ref, row))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the input of the execution. Its steps are those of its state machine."""
        return text(self._open("stepfunctions").call("DescribeExecution", {"executionArn": ref.id}).get("input"))

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`: the execution itself is the only row."""
        row = _row(_run(ref, self._execution(ref)))
        return first((row,) if criteria.matches(row) else (), criteria.limit)

    def cancel(self, ref: Ref, _targets: Sequence[str]) -> Iterator[str]:
        """See `Cloud.cancel`. With an error or a cause AWS would want a permission for the key of the state machine."""
        yield self._open("stepfunctions").ask("StopExecution", {"executionArn": ref.id})

    def _execution(self, ref: Ref) -> JsonObject:
        params = {"executionArn": ref.id, "includedData": _DATA_LEFT_OUT}
        return self._open("stepfunctions").call("DescribeExecution", params)

    def _listed(self, params: Mapping[str, str], since: datetime | None) -> Iterator[JsonObject]:
        """The executions of one state machine. AWS lists the newest first, those that ended by the time of their end.

        A state machine may be deleted while the others are listed: it has no executions then.
        """
        of = {"stateMachineArn": params["stateMachineArn"]}
        with unless_deleted():
            for row in self._pages("ListExecutions", "executionArn", params, of=of):
                ended = moment(row.get("stopDate"))
                if since is not None and ended is not None and ended < since:
                    return
                yield row

    def _pages(
        self, action: str, unique: str, params: Mapping[str, str], *, of: Mapping[str, str] | None = None
    ) -> Iterator[JsonObject]:
        wire = self._open("stepfunctions")
        names = {"size_name": "maxResults", "next_name": "nextToken"}
        return wire.pages(action, params, unique=unique, size=_MOST, state=_state, of=of, **names)


def _state(row: JsonObject) -> State:
    """The state by the word alone."""
    return execution_state(word(row.get("status")))


def _run(ref: Ref, reply: JsonObject) -> Run:
    """An execution. Its ARN ends in the names of the state machine and of the execution."""
    machine, _, name = ref.id.split(":", 6)[-1].partition(":")
    return Run.at(
        ref,
        STATE_MACHINE,
        state=_state(reply),
        provider_status=word(reply.get("status")),
        repeats=False,
        status_detail=text(reply.get("redriveStatusReason")),
        name=text(reply.get("name")) or name,
        started_at=moment(reply.get("startDate")),
        ended_at=moment(reply.get("stopDate")),
        document=machine.partition("/")[0],
    )


def _row(run: Run) -> Invocation:
    return Invocation(
        run=run.ref,
        id=run.name or run.id,
        task=None,
        target=None,
        target_name=run.name,
        state=run.state,
        provider_status=run.provider_status,
        status_detail=run.status_detail,
        exit_code=None,
        started_at=run.started_at,
        ended_at=run.ended_at,
        child=None,
        owner=None,
        window_target=None,
        document=run.document,
    )
