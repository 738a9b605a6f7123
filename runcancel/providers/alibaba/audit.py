"""Who started an invocation: the events of ActionTrail (API 2020-07-06), which keeps 90 days."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.errors import CloudError
from runcancel.model.runs import AuditEvent, Ref, Run
from runcancel.model.states import Reason
from runcancel.providers.alibaba.facts import KINDS
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.common.audit import EVENTS, events_of
from runcancel.providers.common.fields import JsonObject, moment, rows, text, wire_time
from runcancel.providers.common.paging import by_token

VERSION = "2020-07-06"


class ActionTrail:
    """The events of one region. The vendor answers two lookups a second."""

    def __init__(self, wire: Wire, *, region: str) -> None:
        self._wire = wire
        self._region = region

    def of(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`."""
        for kind in KINDS:
            ours = [run for run in runs if run.kind == kind.name]
            for ref, action, event in events_of(ours, kind.started_with, self._look_up):
                yield ref, _event(action, event)

    def _look_up(self, action: str, start: datetime, end: datetime) -> Iterator[JsonObject]:
        params = {
            "RegionId": self._region,
            "LookupAttribute.1.Key": "EventName",
            "LookupAttribute.1.Value": action,
            "StartTime": wire_time(start),
            "EndTime": wire_time(end),
            "MaxResults": str(EVENTS),
        }

        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            page = self._wire.call("LookupEvents", {**params, **({} if token is None else {"NextToken": token})})
            if not isinstance(page.get("Events"), list):
                raise CloudError(Reason.UNPROVEN, "the reply has no listing", action="LookupEvents")
            return rows(page, "Events"), page.get("NextToken")

        return by_token(fetch, key=lambda row: hash(text(row.get("eventId")) or repr(row)))


def _event(action: str, event: JsonObject) -> AuditEvent:
    who = event.get("userIdentity")
    identity: JsonObject = who if isinstance(who, Mapping) else {}
    return AuditEvent(
        action=action,
        principal=text(identity.get("userName")) or text(identity.get("principalId")),
        at=moment(event.get("eventTime")),
        address=text(event.get("sourceIpAddress")),
        agent=text(event.get("userAgent")),
        id=text(event.get("eventId")),
    )
