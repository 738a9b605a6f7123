"""Invokers of Tencent Cloud TAT: what starts invocations by a schedule, and the switch of each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from runcancel.errors import CloudError
from runcancel.model.runs import Kind, Ref, Scope
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin, Trigger, TriggerKind, TriggerQuery, TriggerState
from runcancel.providers.common.fields import NO_TRIGGER, JsonObject, checked_id, decoded, digest, rows, text, texts
from runcancel.providers.common.paging import by_offset, chunks, distinct
from runcancel.providers.common.schedules import Schedule, crontab, once
from runcancel.providers.tencent.wire import Wire

_PAGE = 100  # the vendor's most, for a page and for ids of a read
_ZONE = "Asia/Shanghai"  # TAT reads crontabs as Beijing time
_STATES = {True: TriggerState.ENABLED, False: TriggerState.DISABLED}


class Invokers:
    """See `Triggers`."""

    def __init__(self, tat: Wire, *, scope: Scope, kind: TriggerKind, run_kind: Kind) -> None:
        self._tat = tat
        self._scope = scope
        self._kind = kind
        self._run_kind = run_kind

    def find(self, query: TriggerQuery) -> Iterator[Trigger]:
        """See `Triggers.find`. The commands of a page are read in one call, for their names and scripts."""
        if query.kinds and self._kind.name not in query.kinds:
            return
        for page in chunks(tuple(self._listed()), _PAGE):
            commands = self._known_commands(page, needed=query.script is not None)
            for row in page:
                command = commands.get(text(row.get("CommandId")) or "", {})
                if query.script is None or query.script in decoded(command.get("Content")).text:
                    yield self._trigger(row, command)

    def read(self, ref: Ref) -> Trigger:
        """See `Triggers.read`."""
        id = self._id(ref)
        invokers = rows(self._tat.call("DescribeInvokers", {"InvokerIds": [id], "Limit": 1}), "InvokerSet")
        row = next((each for each in invokers if text(each.get("InvokerId")) == id), None)
        if row is None and invokers:
            raise CloudError(Reason.UNPROVEN, "the reply is about another invoker", action="DescribeInvokers")
        if row is None:
            raise CloudError(Reason.NOT_FOUND, NO_TRIGGER, action="DescribeInvokers")
        return self._trigger(row, self._known_commands([row]).get(text(row.get("CommandId")) or "", {}))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """EnableInvoker or DisableInvoker: neither changes anything else."""
        action = "EnableInvoker" if enabled else "DisableInvoker"
        return str(self._tat.call(action, {"InvokerId": self._id(ref)}, once=True)["RequestId"])

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """By `InvocationSource` of each run, and by the records of every invoker where one of them says INVOKER."""
        sources = self._sources([ref.id for ref in refs])
        pending = {ref.id: ref for ref in refs if sources.get(ref.id) == "INVOKER"}
        for ref in refs:
            if sources.get(ref.id) == "USER":
                yield ref, Origin(known=True, repeats=False)
        if not pending:
            return
        invokers = {text(row.get("InvokerId")) or "": row for row in self._listed()}
        for record in self._records(tuple(invokers)):
            id = text(record.get("InvocationId")) or ""
            row = invokers.get(text(record.get("InvokerId")) or "")
            if id in pending and row is not None:
                yield pending.pop(id), Origin.by(self._trigger(row, {}))
        yield from ((ref, Origin(repeats=False)) for ref in pending.values())

    def _listed(self) -> Iterator[JsonObject]:
        def page(offset: int) -> tuple[Sequence[JsonObject], int | None]:
            answer = self._tat.call("DescribeInvokers", {"Limit": _PAGE, "Offset": offset})
            return rows(answer, "InvokerSet"), _total(answer)

        for row in by_offset(page, key=lambda row: text(row.get("InvokerId")), size=_PAGE):
            if self._kind.id_pattern.fullmatch(text(row.get("InvokerId")) or ""):
                yield row

    def _records(self, ids: Sequence[str]) -> Iterator[JsonObject]:
        """The starts of these invokers, as far as the vendor keeps them."""
        for piece in chunks(ids, _PAGE):

            def page(offset: int, piece: Sequence[str] = piece) -> tuple[Sequence[JsonObject], int | None]:
                params = {"InvokerIds": list(piece), "Limit": _PAGE, "Offset": offset}
                answer = self._tat.call("DescribeInvokerRecords", params)
                return rows(answer, "InvokerRecordSet"), _total(answer)

            yield from by_offset(page, key=lambda row: text(row.get("InvocationId")), size=_PAGE)

    def _known_commands(self, invokers: Sequence[JsonObject], *, needed: bool = False) -> dict[str, JsonObject]:
        """What these invokers run; without it, unless it is `needed`, where reading commands is not permitted."""
        try:
            return self._commands(invokers)
        except CloudError as error:
            if needed or error.reason not in (Reason.DENIED, Reason.NOT_FOUND, Reason.INVALID):
                raise
            return {}

    def _commands(self, invokers: Sequence[JsonObject]) -> dict[str, JsonObject]:
        """What these invokers run, by id."""
        ids = distinct(id for row in invokers if (id := text(row.get("CommandId"))))
        by_id: dict[str, JsonObject] = {}
        for piece in chunks(ids, _PAGE):
            answer = self._tat.call("DescribeCommands", {"CommandIds": list(piece), "Limit": _PAGE})
            by_id |= {text(row.get("CommandId")) or "": row for row in rows(answer, "CommandSet")}
        return by_id

    def _sources(self, ids: Sequence[str]) -> dict[str, str]:
        by_id: dict[str, str] = {}
        for piece in chunks(distinct(id for id in ids if self._run_kind.id_pattern.fullmatch(id)), _PAGE):
            answer = self._tat.call("DescribeInvocations", {"InvocationIds": list(piece), "Limit": _PAGE})
            for row in rows(answer, "InvocationSet"):
                by_id[text(row.get("InvocationId")) or ""] = (text(row.get("InvocationSource")) or "").upper()
        return by_id

    def _id(self, ref: Ref) -> str:
        if ref.kind != self._kind.name:
            raise CloudError(Reason.INVALID, f"Tencent Cloud has no trigger kind “{ref.kind}”; nothing was sent")
        return checked_id(ref.id, self._kind.id_pattern)

    def _trigger(self, row: JsonObject, command: JsonObject) -> Trigger:
        enabled = row.get("Enable")
        timing = row.get("ScheduleSettings")
        settings: JsonObject = timing if isinstance(timing, Mapping) else {}
        schedule = _schedule(settings)
        id, runs = text(row.get("InvokerId")) or "", text(command.get("CommandName")) or text(row.get("CommandId"))
        return Trigger.at(
            Ref(scope=self._scope, kind=self._kind.name, id=id),
            self._kind,
            name=text(row.get("Name")),
            state=_STATES[enabled] if isinstance(enabled, bool) else TriggerState.UNKNOWN,
            provider_status="" if enabled is None else str(enabled).lower(),
            schedule=text(settings.get("Recurrence")) or text(settings.get("InvokeTime")),
            timezone=_ZONE if text(settings.get("Recurrence")) else None,
            schedule_text=schedule.text,
            next_start_at=schedule.next_start_at,
            documents=(runs,) if runs else (),
            targets=texts(row.get("InstanceIds")),
            edition=digest(
                *(row.get(key) for key in ("Name", "Type", "CommandId", "Username", "Parameters")),
                row.get("InstanceIds"),
                settings,
            ),
        )


def _total(answer: JsonObject) -> int | None:
    total = answer.get("TotalCount")
    return total if isinstance(total, int) else None


def _schedule(settings: JsonObject) -> Schedule:
    """`Policy` RECURRENCE has a crontab in Beijing time, ONCE a time with its zone."""
    now = datetime.now(UTC)
    if recurrence := text(settings.get("Recurrence")):
        return crontab(recurrence, _ZONE, now=now)
    at = text(settings.get("InvokeTime"))
    return Schedule() if at is None else once(at, _ZONE, now=now)
