"""Runs of Tencent Cloud TAT: read, list and cancel invocations."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from runcancel.errors import CloudError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
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
from runcancel.model.states import Reason
from runcancel.model.triggers import TriggerKind
from runcancel.providers.base import AuditLog, Checkup, Triggers
from runcancel.providers.common.fields import (
    NO_RUN,
    JsonObject,
    caller,
    checked_id,
    checked_targets,
    number,
    proven_regions,
    rows,
    text,
)
from runcancel.providers.common.http import believed
from runcancel.providers.common.paging import by_offset, chunks, distinct, first, halved, in_pieces
from runcancel.providers.tencent.records import (
    invocation_of,
    joined,
    openness,
    run_of,
    runs_text,
    script_of,
    task_openness,
)
from runcancel.providers.tencent.states import NEVER_READ
from runcancel.providers.tencent.wire import Wire
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.queries import Query

T = TypeVar("T")

_INSTANCE = re.compile(r"(?:ins|lhins|rins)-[a-z0-9]{1,64}")
"""The ids of instances that the vendor's filter accepts; it refuses the others, which no task has."""

_PAGE = 100  # the vendor's most, for a page, for ids of a read and for targets of a cancel
_OUTPUTS = 50  # tasks per page with up to 24 KB of output each
_FILTER_VALUES = 5
_GROWING = 1.0  # seconds before a page that should not be empty is requested again
_ABOUT_ONE_ID = ("ResourceNotFound", "InvalidParameterValue")  # and the other ids get no answer
_ABOUT_ONE_TARGET = (
    "InvalidParameterValue.InvalidInstanceId",
    "InvalidParameterValue.InstanceIsNotRelatedToInvocation",
    "ResourceNotFound.InstanceNotFound",
)
_TOO_LARGE = ("ResponseSizeLimitExceeded", "RequestSizeLimitExceeded")
_COMMAND_ID = re.compile(r"cmd-[0-9a-z]{8,64}")

_STS = re.compile(r"sts(\.[a-z0-9-]+){0,2}\.tencentcloudapi\.com")
"""Where the vendor's own STS answers."""


class Tat:
    """One scope of Tencent Cloud."""

    def __init__(
        self,
        tat: Wire,
        sts: Wire,
        *,
        scope: Scope,
        kind: Kind,
        invoker: TriggerKind,
        pace: Pace,
        audit: Callable[[], AuditLog],
    ) -> None:
        self._tat = tat
        self._sts = sts
        self._scope = scope
        self._kind = kind
        self._invoker = invoker
        self._pace = pace
        self._audit = audit

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """One request per 100 runs; it brings the status of every task, so `full` makes no difference."""
        valid_ids, wrong = self._split_valid(refs)
        yield from wrong
        owners = self._owners([ref.id for ref in valid_ids if self._kind.is_alias(ref.id)])
        ids = {ref: owners.get(ref.id) if self._kind.is_alias(ref.id) else ref.id for ref in valid_ids}
        refused: dict[str, CloudError] = {}
        runs = self._find(distinct(id for id in ids.values() if id is not None), refused)
        for ref, id in ids.items():
            row = runs.get(id) if id is not None else None
            yield ref, _why_not(refused.get(id or "")) if row is None else self._snapshot(row)

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """The run's tasks that pass `criteria`, page by page. Up to five targets are filtered by the vendor."""
        owner = self._owner(ref)
        size = min(criteria.limit, _PAGE) if criteria.limit and not criteria.states else _PAGE
        ours = (invocation_of(owner, task) for task in self._tasks(owner, criteria, size=size, hide_output=True))
        yield from first(filter(criteria.matches, ours), criteria.limit)

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`."""
        from runcancel.providers.tencent.logs import output

        owner = self._owner(ref)
        for task in self._tasks(owner, criteria, size=_OUTPUTS, hide_output=False):
            invocation = invocation_of(owner, task)
            if criteria.matches(invocation):
                yield output(invocation, task)

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`: the content of the command."""
        owner = self._owner(ref)
        refused: dict[str, CloudError] = {}
        row = self._find([owner.id], refused).get(owner.id)
        if row is None:
            raise _why_not(refused.get(owner.id))
        return script_of(row)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """CancelInvocation, in pieces of 100 instances; yields the request ids."""
        id = self._owner(ref).id

        def send(piece: Sequence[str]) -> str:
            listed = {"InstanceIds": list(piece)} if piece else {}
            answer = self._tat.call("CancelInvocation", {"InvocationId": id, **listed}, once=True)
            return str(answer["RequestId"])

        return in_pieces(checked_targets(targets), _PAGE, send, about_one=_refuses_one_target)

    def runs(self, query: "Query") -> Iterator[Snapshot]:
        """See `Cloud.runs`. The vendor filters by command alone and promises no order."""
        if (query.kinds and self._kind.name not in query.kinds) or (query.states and query.states <= NEVER_READ):
            return
        by_command = query.document is not None and _COMMAND_ID.fullmatch(query.document)
        filters = {"Filters": [{"Name": "command-id", "Values": [by_command[0]]}]} if by_command else {}
        page = partial(self._page, filters)
        listed = by_offset(page, key=lambda row: text(row.get("InvocationId")), size=_PAGE, openness=openness)
        for row in listed:
            if query.script is not None and not runs_text(row, query.script):
                continue
            if self._kind.id_pattern.fullmatch(text(row.get("InvocationId")) or ""):
                yield self._snapshot(row)

    def triggers(self) -> Triggers:
        """See `Cloud.triggers`."""
        from runcancel.providers.tencent.triggers import Invokers

        return Invokers(self._tat, scope=self._scope, kind=self._invoker, run_kind=self._kind)

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`. Needs `cloudaudit:DescribeEvents`."""
        return self._audit().of(runs)

    def regions(self) -> tuple[str, ...]:
        """See `Cloud.regions`: TAT DescribeRegions, the regions of TAT itself."""
        regions = rows(self._tat.call("DescribeRegions", {}), "RegionSet")
        return proven_regions(text(row.get("Region")) for row in regions if row.get("RegionState") != "UNAVAILABLE")

    def identity(self) -> Identity:
        """STS GetCallerIdentity."""
        answer = self._sts.call("GetCallerIdentity", {})
        trusted = believed(self._sts.endpoint, self._tat.endpoint, _STS)
        return caller(answer.get("AccountId"), answer.get("Arn"), believed=trusted)

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        return self._tat.checkup().with_fallback(self._sts.checkup())

    def _page(self, filters: JsonObject, offset: int) -> tuple[Sequence[JsonObject], int | None]:
        """One page of all runs. Raises `Reason.UNPROVEN` if it stays empty and its total is larger."""
        for pause in (_GROWING, None):
            listed, total = self._listed("DescribeInvocations", filters, "InvocationSet", offset=offset, size=_PAGE)
            if listed or (total is not None and offset >= total):
                return listed, total
            if pause is not None:
                self._pace.pause(pause)
        message = f"the listing ends after {offset} rows, but its total is {'nothing' if total is None else total}"
        raise CloudError(Reason.UNPROVEN, message, action="DescribeInvocations")

    def _listed(
        self, action: str, params: JsonObject, rows_in: str, *, offset: int, size: int
    ) -> tuple[Sequence[JsonObject], int | None]:
        """One page of a listing and the vendor's total. One that is too large to be answered comes in halves."""

        def ask(offsets: Sequence[int]) -> JsonObject:
            return self._tat.call(action, {**params, "Limit": len(offsets), "Offset": offsets[0]})

        listed: list[JsonObject] = []
        total: int | None = None
        for _, answer in halved(range(offset, offset + size), ask, spoils=_is_too_large):
            if isinstance(answer, CloudError):
                raise answer
            listed += rows(answer, rows_in)
            total = number(answer.get("TotalCount"))
        return listed, total

    def _tasks(self, owner: Ref, criteria: InvocationFilter, *, size: int, hide_output: bool) -> Iterator[JsonObject]:
        """The run's tasks. Raises `Reason.NOT_FOUND` at the end of a listing without any, if there is no such run."""
        listed = 0
        filters = [{"Name": "invocation-id", "Values": [owner.id]}]
        if 0 < len(criteria.targets) <= _FILTER_VALUES and all(map(_INSTANCE.fullmatch, criteria.targets)):
            filters.append({"Name": "instance-id", "Values": sorted(criteria.targets)})

        def page(offset: int) -> tuple[Sequence[JsonObject], int | None]:
            nonlocal listed
            params = {"Filters": filters, "HideOutput": hide_output}
            action, rows_in = "DescribeInvocationTasks", "InvocationTaskSet"
            tasks, total = self._listed(action, params, rows_in, offset=offset, size=size)
            listed += len(tasks)
            return tasks, total

        def key(row: JsonObject) -> tuple[str | None, str | None]:
            return text(row.get("InvocationId")), text(row.get("InvocationTaskId"))

        for task in by_offset(page, key=key, size=size, openness=task_openness):
            if task.get("InvocationId") == owner.id:
                yield task
        if not listed:
            self._must_exist(owner)

    def _split_valid(self, refs: Sequence[Ref]) -> tuple[list[Ref], list[tuple[Ref, CloudError]]]:
        """The references whose ids may travel, each once, and an error for every other."""
        unique = distinct(refs)
        wrong = [ref for ref in unique if not self._kind.matches(ref.id)]
        error = CloudError(Reason.INVALID, "not an id of a TAT invocation or task; nothing was sent")
        return [ref for ref in unique if ref not in wrong], [(ref, error) for ref in wrong]

    def _owner(self, ref: Ref) -> Ref:
        """The run that the reference names, by its own id or by that of one of its tasks."""
        if not self._kind.is_alias(ref.id):
            checked_id(ref.id, self._kind.id_pattern)
            return ref
        owner = self._owners([ref.id]).get(ref.id)
        if owner is None:
            raise _not_found()
        return self._ref(owner)

    def _owners(self, task_ids: Sequence[str]) -> dict[str, str]:
        """Task id to the id of the invocation it belongs to, for those that exist."""

        def ask(ids: Sequence[str]) -> dict[str, str]:
            params = {"InvocationTaskIds": list(ids), "Limit": _PAGE, "HideOutput": True}
            owners: dict[str, str] = {}
            for row in rows(self._tat.call("DescribeInvocationTasks", params), "InvocationTaskSet"):
                task, owner = text(row.get("InvocationTaskId")), text(row.get("InvocationId"))
                if task is not None and task in ids and owner is not None and self._kind.id_pattern.fullmatch(owner):
                    owners[task] = owner
            return owners

        return dict(self._by_id(distinct(task_ids), ask, refused={}))

    def _find(self, ids: Sequence[str], refused: dict[str, CloudError]) -> dict[str, JsonObject]:
        """The rows of the runs that exist; why the vendor does not answer about one alone goes into `refused`."""
        return dict(self._by_id(ids, self._batch, refused=refused))

    def _by_id(
        self, ids: Sequence[str], ask: Callable[[Sequence[str]], Mapping[str, T]], *, refused: dict[str, CloudError]
    ) -> Iterator[tuple[str, T]]:
        """What the vendor answers about each id. A batch that is refused for one id, or as too large, is halved."""
        for piece in chunks(ids, _PAGE):
            for part, answer in halved(piece, ask, spoils=_spoils):
                if isinstance(answer, CloudError):
                    refused[part[0]] = answer
                else:
                    yield from answer.items()

    def _batch(self, ids: Sequence[str]) -> dict[str, JsonObject]:
        answer = self._tat.call("DescribeInvocations", {"InvocationIds": list(ids), "Limit": _PAGE})
        listed = rows(answer, "InvocationSet")
        pairs = [(text(row.get("InvocationId")), row) for row in listed]
        ours = {id: joined([row for name, row in pairs if name == id]) for id, _ in pairs if id in ids and id}
        if listed and not ours:
            raise CloudError(Reason.UNPROVEN, "the reply is about other runs", action="DescribeInvocations")
        return ours

    def _must_exist(self, ref: Ref) -> None:
        refused: dict[str, CloudError] = {}
        if ref.id not in self._find([ref.id], refused):
            raise _why_not(refused.get(ref.id))

    def _snapshot(self, row: JsonObject) -> Snapshot:
        ref = self._ref(text(row.get("InvocationId")) or "")
        listed = least_ended(invocation_of(ref, task) for task in rows(row, "InvocationTaskBasicInfoSet"))
        return Snapshot.full(run_of(ref, self._kind, row, len(listed)), listed)

    def _ref(self, id: str) -> Ref:
        return Ref(scope=self._scope, kind=self._kind.name, id=id)


def _refuses_one_target(error: CloudError) -> bool:
    return error.provider_code in _ABOUT_ONE_TARGET


def _spoils(error: CloudError) -> bool:
    """Whether an error says something of one id, or of the size of the answer: fewer ids may be answered."""
    return (error.provider_code or "").startswith(_ABOUT_ONE_ID) or _is_too_large(error)


def _is_too_large(error: CloudError) -> bool:
    return (error.provider_code or "").startswith(_TOO_LARGE)


def _why_not(error: CloudError | None) -> CloudError:
    """Why there is nothing to tell of one run: an id that the vendor does not take is one that it does not have."""
    return error if error is not None and _is_too_large(error) else _not_found()


def _not_found() -> CloudError:
    return CloudError(Reason.NOT_FOUND, NO_RUN, action="DescribeInvocations")
