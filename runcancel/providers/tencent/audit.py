"""Who started an invocation: the events of CloudAudit (API 2019-03-19), which keeps 90 days."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.errors import CloudError
from runcancel.model.runs import AuditEvent, Kind, Ref, Run
from runcancel.model.states import Reason
from runcancel.providers.common.audit import EVENTS, event_document, events_of
from runcancel.providers.common.fields import JsonObject, moment, number, rows, text
from runcancel.providers.common.paging import by_token
from runcancel.providers.tencent.wire import Wire

VERSION = "2019-03-19"

_REGIONS = frozenset({"ap-guangzhou", "ap-hongkong", "ap-seoul", "ap-singapore", "ap-tokyo", "eu-frankfurt"})
_ELSEWHERE = "ap-guangzhou"


def region_of(region: str) -> str:
    """The region of the audit log of a region: CloudAudit is in a few, for all."""
    return region if region in _REGIONS else _ELSEWHERE


class CloudAudit:
    """The events of an account. The vendor answers 20 lookups a second."""

    def __init__(self, wire: Wire, kind: Kind) -> None:
        self._wire = wire
        self._kind = kind

    def of(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`."""
        for ref, action, event in events_of(runs, self._kind.started_with, self._look_up):
            yield ref, _event(action, event)

    def _look_up(self, action: str, start: datetime, end: datetime) -> Iterator[JsonObject]:
        params = {
            "StartTime": int(start.timestamp()),
            "EndTime": int(end.timestamp()),
            "MaxResults": EVENTS,
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": action}],
        }

        def fetch(token: str | None) -> tuple[tuple[JsonObject, ...], object]:
            following = {} if token is None else {"NextToken": number(token)}
            page = self._wire.call("DescribeEvents", {**params, **following})
            if not isinstance(page.get("ListOver"), bool):
                raise CloudError(Reason.UNPROVEN, "the reply has no listing", action="DescribeEvents")
            return rows(page, "Events"), None if page["ListOver"] else page.get("NextToken")

        for row in by_token(fetch, key=lambda row: hash(text(row.get("EventId")) or repr(row))):
            yield {**event_document(row.get("CloudAuditEvent")), "row": row}


def _event(action: str, event: JsonObject) -> AuditEvent:
    row: JsonObject = event["row"]
    who = event.get("userIdentity")
    identity: JsonObject = who if isinstance(who, Mapping) else {}
    names = (row.get("Username"), identity.get("userName"), identity.get("principalId"))
    return AuditEvent(
        action=action,
        principal=next((name for name in map(text, names) if name), None),
        at=moment(number(row.get("EventTime")) or number(event.get("eventTime"))),  # without a zone it is no time
        address=text(row.get("SourceIPAddress")) or text(event.get("sourceIPAddress")),
        agent=text(event.get("userAgent")),
        id=text(row.get("EventId")),
    )
