"""Runs of ECS Cloud Assistant: read, list and stop invocations."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
from runcancel.model.queries import Query
from runcancel.model.runs import (
    AuditEvent,
    Identity,
    Invocation,
    InvocationFilter,
    Kind,
    Ref,
    Run,
    Scope,
    Snapshot,
    least_ended,
)
from runcancel.model.states import Reason, State
from runcancel.providers.alibaba.logs import as_instance, output
from runcancel.providers.alibaba.states import NEVER_READ, invocation_state, run_state, status_filters
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.base import AuditLog, Checkup
from runcancel.providers.common.fields import (
    NO_RUN,
    JsonObject,
    caller,
    checked_id,
    checked_targets,
    moment,
    number,
    proven_regions,
    rows,
    text,
)
from runcancel.providers.common.http import believed
from runcancel.providers.common.paging import by_token, first, in_pieces
from runcancel.providers.common.scripts import contains, decoded_script, with_parameters

_INSTANCE = re.compile(r"m?i-[a-z0-9]{1,64}")
"""The ids of instances that the vendor's filter accepts; no row has another."""

_TARGETS_PER_STOP = 50
_PAGE = 50  # rows, the vendor's most
_TIMED = {"Timed": "true"}  # runs that repeat; its default is documented as false, which leaves them out
_HAS_EXIT_CODE = frozenset({"Success", "Failed", "Terminated", "Timeout"})  # elsewhere the vendor fills in a 0
_COMMAND_ID = re.compile(r"c-[0-9a-z]{8,64}")

_STS = re.compile(r"sts(-vpc)?(\.[a-z0-9-]+)?\.aliyuncs\.com")
"""Where the vendor's own STS answers."""


class CloudAssistant:
    """One scope of Alibaba Cloud."""

    def __init__(self, ecs: Wire, sts: Wire, *, scope: Scope, kind: Kind, audit: Callable[[], AuditLog]) -> None:
        self._ecs = ecs
        self._sts = sts
        self._scope = scope
        self._kind = kind
        self._audit = audit

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """One request per run; it brings every invocation, so `full` makes no difference."""
        for ref in refs:
            try:
                yield ref, self._snapshot(ref)
            except CloudError as error:
                if error.reason not in (Reason.NOT_FOUND, Reason.INVALID):
                    raise
                yield ref, error

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """The run's invocations that pass `criteria`; the vendor lists all of them in one answer."""
        return first(filter(criteria.matches, self._snapshot(ref).invocations), criteria.limit)

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`. Of a run that repeats this is the last round of every instance."""
        once = _once(self._find(ref))
        params = {**self._parameters_of(ref), "ContentEncoding": "Base64"}
        if len(criteria.targets) == 1 and all(map(_INSTANCE.fullmatch, criteria.targets)):
            params["InstanceId"] = next(iter(criteria.targets))
        for row in self._results(params):
            if text(row.get("InstanceId")):
                invocation = _invocation(ref, as_instance(row), once=once)
                if criteria.matches(invocation):
                    yield output(invocation, row)

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the content of the command."""
        return _script(self._find(ref))

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """StopInvocation, in pieces of 50 instances; yields the request ids."""
        params = self._parameters_of(ref)

        def send(piece: Sequence[str]) -> str:
            listed = {f"InstanceId.{index}": target for index, target in enumerate(piece, start=1)}
            return str(self._ecs.call("StopInvocation", {**params, **listed}, once=True)["RequestId"])

        return in_pieces(checked_targets(targets), _TARGETS_PER_STOP, send, about_one=_is_about_one)

    def runs(self, query: Query) -> Iterator[Snapshot]:
        """See `Cloud.runs`. The vendor filters by command, and by state while only what is not over is wanted.

        An end has several words.
        What repeats goes round between its states and could slip through several questions, so it is requested in one.
        """
        if (query.kinds and self._kind.name not in query.kinds) or (query.states and query.states <= NEVER_READ):
            return
        statuses = [{} if word is None else {"InvokeStatus": word} for word in status_filters(query.states)]
        by_command = query.document is not None and _COMMAND_ID.fullmatch(query.document)
        common = {"RegionId": self._scope.region, **({"CommandId": by_command[0]} if by_command else {})}
        keys: set[int] = set()
        for filters in (*statuses, _TIMED):
            for row in self._pages({**common, **filters}):
                id = text(row.get("InvokeId")) or ""
                if hash(id) in keys or not self._kind.id_pattern.fullmatch(id):
                    continue
                snapshot = _read(Ref(scope=self._scope, kind=self._kind.name, id=id), self._kind, row)
                if query.script is not None and not contains(_script(row), query.script):
                    continue
                if query.matches(snapshot.run):  # else a later question may still meet it
                    keys.add(hash(id))
                    yield snapshot

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`. Needs `actiontrail:LookupEvents`."""
        return self._audit().of(runs)

    def regions(self) -> tuple[str, ...]:
        """See `Cloud.regions`: ECS DescribeRegions. A region whose machines are sold out still has runs."""
        regions = rows(self._ecs.call("DescribeRegions", {}), "Regions", "Region")
        return proven_regions(text(row.get("RegionId")) for row in regions)

    def identity(self) -> Identity:
        """STS GetCallerIdentity."""
        answer = self._sts.call("GetCallerIdentity", {})
        trusted = believed(self._sts.endpoint, self._ecs.endpoint, _STS)
        return caller(answer.get("AccountId"), answer.get("Arn"), believed=trusted)

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        return self._ecs.checkup().with_fallback(self._sts.checkup())

    def _snapshot(self, ref: Ref) -> Snapshot:
        return _read(ref, self._kind, self._find(ref))

    def _pages(self, params: Mapping[str, str]) -> Iterator[JsonObject]:
        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            following = {} if token is None else {"NextToken": token}
            page = self._ecs.call("DescribeInvocations", {**params, "MaxResults": str(_PAGE), **following})
            if not isinstance(page.get("Invocations"), Mapping):
                raise CloudError(Reason.UNPROVEN, "the reply has no listing", action="DescribeInvocations")
            return rows(page, "Invocations", "Invocation"), page.get("NextToken")

        return by_token(
            fetch,
            key=lambda row: hash(text(row.get("InvokeId")) or repr(row)),
            openness=lambda row: run_state(row, ())[0].openness,
        )

    def _results(self, params: Mapping[str, str]) -> Iterator[JsonObject]:
        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            following = {} if token is None else {"NextToken": token}
            page = self._ecs.call("DescribeInvocationResults", {**params, "MaxResults": str(_PAGE), **following})
            listing = page.get("Invocation")
            if not isinstance(listing, Mapping):
                raise CloudError(Reason.UNPROVEN, "the reply has no listing", action="DescribeInvocationResults")
            results = rows(listing, "InvocationResults", "InvocationResult")
            return tuple(row for row in results if row.get("InvokeId") == params["InvokeId"]), listing.get("NextToken")

        return by_token(fetch, key=lambda row: hash(text(row.get("InstanceId")) or repr(row)))

    def _find(self, ref: Ref) -> JsonObject:
        """The run's row. The vendor's pages do not document whether schedules are listed without `Timed`: both are
        requested.
        """
        params = self._parameters_of(ref)
        for extra in ({}, _TIMED):
            answer = self._ecs.call("DescribeInvocations", {**params, **extra})
            listed = rows(answer, "Invocations", "Invocation")
            ours = [row for row in listed if row.get("InvokeId") == ref.id]
            if ours:
                return _joined(ours)
            if listed:
                raise CloudError(Reason.UNPROVEN, "the reply is about other runs", action="DescribeInvocations")
        raise CloudError(Reason.NOT_FOUND, NO_RUN, action="DescribeInvocations")

    def _parameters_of(self, ref: Ref) -> dict[str, str]:
        return {"RegionId": self._scope.region, "InvokeId": checked_id(ref.id, self._kind.id_pattern)}


def _is_about_one(error: CloudError) -> bool:
    """Whether the vendor refuses one instance."""
    return (error.provider_code or "").startswith("InvalidInstanceId")


def _joined(ours: Sequence[JsonObject]) -> JsonObject:
    """One row of those that name the same run: the least ended, with the instances of all."""
    if len(ours) == 1:
        return ours[0]
    entries = [entry for row in ours for entry in rows(row, "InvokeInstances", "InvokeInstance")]
    least = max(ours, key=lambda row: run_state(row, ())[0].openness)
    return {**least, "InvokeInstances": {"InvokeInstance": entries}}


def _read(ref: Ref, kind: Kind, row: JsonObject) -> Snapshot:
    once = _once(row)
    listed = least_ended(
        _invocation(ref, entry, once=once)
        for entry in rows(row, "InvokeInstances", "InvokeInstance")
        if text(entry.get("InstanceId"))
    )
    return Snapshot.full(_run(ref, kind, row, listed), listed)


def _script(row: JsonObject) -> str | None:
    return with_parameters(decoded_script(row.get("CommandContent")), row.get("Parameters"))


def _once(row: JsonObject) -> bool:
    return row.get("RepeatMode") in (None, "", "Once")


def _run(ref: Ref, kind: Kind, row: JsonObject, listed: Sequence[Invocation]) -> Run:
    state, word = run_state(row, [one.state for one in listed])
    starts = [one.started_at for one in listed if one.started_at]
    ends = [one.ended_at for one in listed if one.ended_at] if state.over else []
    return Run.at(
        ref,
        kind,
        state=state,
        provider_status=word,
        status_detail=_schedule(row),
        name=text(row.get("CommandName")),
        created_at=moment(row.get("CreationTime")),
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None),
        target_count=len(listed),
        comment=text(row.get("CommandDescription")),
        document=text(row.get("CommandId")),
        repeats=not _once(row),
        next_start_at=None if state.over else _next_start(row),
    )


def _schedule(row: JsonObject) -> str | None:
    """How a run repeats, for a person; None for one that runs once."""
    mode = text(row.get("RepeatMode"))
    if mode in (None, "Once"):
        return None
    return f"{mode} {text(row.get('Frequency')) or ''}".strip()


def _next_start(row: JsonObject) -> datetime | None:
    """When the next round of a run that repeats begins. Nothing is known of the next reboot."""
    if row.get("RepeatMode") != "Period":
        return None
    from runcancel.providers.common.schedules import alibaba  # only runs that repeat need it

    created = moment(row.get("CreationTime"))
    return alibaba(text(row.get("Frequency")) or "", created=created, now=datetime.now(UTC)).next_start_at


def _invocation(ref: Ref, row: JsonObject, *, once: bool) -> Invocation:
    state, word = invocation_state(row, once=once)
    target = text(row.get("InstanceId")) or ""
    return Invocation(
        run=ref,
        id=target,
        task=None,
        target=target,
        target_name=None,
        state=state,
        provider_status=word,
        status_detail=_detail(row),
        exit_code=number(row.get("ExitCode")) if word in _HAS_EXIT_CODE else None,
        started_at=moment(row.get("StartTime")),
        ended_at=_ended(row, state),
        child=None,
        owner=None,
        window_target=None,
        confirmed=state is not State.TERMINATED,  # the agent reports it before it kills
    )


def _ended(row: JsonObject, state: State) -> datetime | None:
    """When it ended: a target that never started has only the time of the stop."""
    return (moment(row.get("FinishTime")) or moment(row.get("StopTime"))) if state.over else None


def _detail(row: JsonObject) -> str | None:
    """The vendor's error code and text of one instance."""
    parts = [part for part in (text(row.get("ErrorCode")), text(row.get("ErrorInfo"))) if part]
    return ": ".join(parts) or None
