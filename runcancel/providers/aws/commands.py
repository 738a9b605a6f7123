"""Commands of Run Command and their invocations, one per node."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import structs

from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Invocation, InvocationFilter, Ref, Run, Scope, Snapshot
from runcancel.model.states import Reason, State
from runcancel.providers.aws.facts import COMMAND
from runcancel.providers.aws.fields import INSTANCE, alarms, counted, record, same, time_of, word
from runcancel.providers.aws.states import COMMAND_FILTER, command_confirmed, command_state
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import NO_RUN, JsonObject, checked_id, number, rows, text, wire_time
from runcancel.providers.common.paging import distinct, first, in_pieces
from runcancel.providers.common.scripts import contains, with_parameters

_MOST = 50  # rows per page, and instances per cancel
_COUNTERS = {"CompletedCount": "completed", "ErrorCount": "errors", "DeliveryTimedOutCount": "delivery_timed_out"}
_LONGEST_VALUE = 128  # characters of the value of a filter
_NOT_STARTED = -1  # a plugin's ResponseCode


class Commands:
    """Commands are kept for 30 days. One that was just sent is not visible everywhere at once."""

    kind = COMMAND

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(self, ref: Ref, *, full: bool) -> Snapshot:
        """See `Cloud.read`. AWS reports no start and end of a command: a full reading takes them from the nodes."""
        run = _run(ref, self._command(ref))
        if not full:
            return Snapshot(run=run)
        listed = tuple(self.invocations(ref, InvocationFilter(), run_exists=True))
        return Snapshot.full(_with_times(run, listed), listed)

    def runs(self, scope: Scope, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. AWS filters by time, stage and document, and by a state that one of its words covers."""
        times = {"InvokedAfter": query.since, "InvokedBefore": query.until}
        filters = [{"key": key, "value": wire_time(time)} for key, time in times.items() if time is not None]
        if query.states in COMMAND_FILTER:
            filters.append({"key": "Status", "value": COMMAND_FILTER[query.states]})
        elif query.states and not any(state.over for state in query.states):
            filters.append({"key": "ExecutionStage", "value": "Executing"})
        if query.document is not None and len(query.document) <= _LONGEST_VALUE:
            filters.append({"key": "DocumentName", "value": query.document})
        params = {"Filters": filters} if filters else {}
        for row in self._wire.pages("ListCommands", params, unique="CommandId", size=_MOST, state=_state):
            ref = Ref(scope=scope, kind=COMMAND.name, id=text(row.get("CommandId")) or "")
            if COMMAND.matches(ref.id) and (query.script is None or contains(_script(row), query.script)):
                yield Snapshot(run=_run(ref, row))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the parameters of the command."""
        return _script(self._command(ref))

    def invocations(self, ref: Ref, criteria: InvocationFilter, *, run_exists: bool = False) -> Iterator[Invocation]:
        """See `Cloud.invocations`. An unknown command lists nothing too, hence `run_exists`: it was read before."""
        return first((invocation for invocation, _ in self.rows(ref, criteria, run_exists=run_exists)), criteria.limit)

    def rows(
        self, ref: Ref, criteria: InvocationFilter, *, run_exists: bool = False
    ) -> Iterator[tuple[Invocation, JsonObject]]:
        """The invocations that pass `criteria` but for its limit, and the row of each from AWS."""
        any_row = run_exists
        for row in self._listed(ref, criteria):
            any_row = True
            invocation = _invocation(ref, row)
            if criteria.matches(invocation):
                yield invocation, row
        if not any_row:
            self._command(ref)

    def cancel(self, ref: Ref, targets: Sequence[str]) -> Iterator[str]:
        """See `Cloud.cancel`. Every id is checked before the first request goes."""
        ids = [checked_id(target, INSTANCE) for target in distinct(targets)]

        def send(piece: Sequence[str]) -> str:
            ids_given = {"InstanceIds": list(piece)} if piece else {}
            return self._wire.ask("CancelCommand", {"CommandId": ref.id, **ids_given})

        return in_pieces(ids, _MOST, send, about_one=_is_about_one)

    def _listed(self, ref: Ref, criteria: InvocationFilter) -> Iterator[JsonObject]:
        """The rows AWS has; filtered by it for one target, or for states that one word of its filter covers."""
        params: dict[str, Any] = {"CommandId": ref.id, "Details": True}
        if criteria.states in COMMAND_FILTER:
            params["Filters"] = [{"key": "Status", "value": COMMAND_FILTER[criteria.states]}]
        if len(criteria.targets) == 1 and all(map(INSTANCE.fullmatch, criteria.targets)):
            params["InstanceId"] = next(iter(criteria.targets))
        narrowed = len(params) > 2
        size = min(_MOST, criteria.limit or _MOST) if criteria == InvocationFilter(limit=criteria.limit) else _MOST
        try:
            of = {"CommandId": ref.id}
            action = "ListCommandInvocations"
            yield from self._wire.pages(action, params, unique="InstanceId", size=size, state=_state, of=of)
        except CloudError as error:
            if not (narrowed and _is_about_one(error)):
                raise
            # AWS refuses to filter by an instance that is gone, though its invocation is still listed.
            yield from self._listed(ref, InvocationFilter())

    def _command(self, ref: Ref) -> JsonObject:
        """The command. Raises `Reason.NOT_FOUND`."""
        reply = self._wire.call("ListCommands", {"CommandId": ref.id})
        ours = [row for row in rows(reply, "Commands") if same(row.get("CommandId"), ref.id)]
        if ours:
            return max(ours, key=lambda row: _state(row).openness)
        raise CloudError(Reason.NOT_FOUND, NO_RUN, action="ListCommands")


def _is_about_one(error: CloudError) -> bool:
    """Whether AWS refuses one instance: it has ended, is not registered, or is not permitted."""
    return error.provider_code == "InvalidInstanceId"


def _script(row: JsonObject) -> str | None:
    return with_parameters(None, record(row.get("Parameters")))


def _state(row: JsonObject) -> State:
    """The state by the words alone."""
    return command_state(word(row.get("Status")), text(row.get("StatusDetails")))


def _run(ref: Ref, row: JsonObject) -> Run:
    return Run.at(
        ref,
        COMMAND,
        state=_state(row),
        provider_status=word(row.get("Status")),
        status_detail=text(row.get("StatusDetails")),
        name=text(row.get("DocumentName")),
        created_at=time_of(row.get("RequestedDateTime")),
        target_count=number(row.get("TargetCount")),
        comment=text(row.get("Comment")),
        document=text(row.get("DocumentName")),
        alarms=alarms(row),
        vendor_counts=counted(row, _COUNTERS),
        repeats=False,
    )


def _with_times(run: Run, listed: Sequence[Invocation]) -> Run:
    ended = max((one.ended_at for one in listed if one.ended_at), default=None)
    return structs.replace(
        run,
        started_at=min((one.started_at for one in listed if one.started_at), default=None),
        ended_at=ended if run.state.over else None,
    )


def _invocation(ref: Ref, row: JsonObject) -> Invocation:
    plugins = rows(row, "CommandPlugins")
    details = text(row.get("StatusDetails"))
    codes = [
        code for code in (number(plugin.get("ResponseCode")) for plugin in plugins) if code not in (None, _NOT_STARTED)
    ]
    starts = _times(plugins, "ResponseStartDateTime")
    ends = _times(plugins, "ResponseFinishDateTime")
    state = command_state(word(row.get("Status")), details, ran=bool(starts or codes))
    instance = text(row.get("InstanceId"))
    return Invocation(
        run=ref,
        id=instance or ref.id,
        task=None,
        target=instance,
        target_name=text(row.get("InstanceName")),
        state=state,
        provider_status=word(row.get("Status")),
        status_detail=details,
        exit_code=codes[-1] if codes else None,
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None) if state.over else None,
        child=None,
        owner=None,
        window_target=None,
        confirmed=command_confirmed(details),
        document=text(row.get("DocumentName")),
    )


def _times(plugins: Sequence[JsonObject], key: str) -> list[datetime]:
    return [time for time in (time_of(plugin.get(key)) for plugin in plugins) if time is not None]
