"""Who sent a command or started an automation: the event history of CloudTrail, which keeps 90 days."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from runcancel.model.runs import AuditEvent, Ref, Run
from runcancel.providers.aws.facts import KINDS
from runcancel.providers.aws.fields import record
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.audit import EVENTS, event_document, events_of
from runcancel.providers.common.fields import JsonObject, moment, text


class CloudTrail:
    """The events of one region. AWS answers two lookups a second per account and region, by one attribute each."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def of(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`."""
        for kind in KINDS:
            ours = [run for run in runs if run.kind == kind.name]
            for ref, action, event in events_of(ours, kind.started_with, self._look_up):
                yield ref, _event(action, event)

    def _look_up(self, action: str, start: datetime, end: datetime) -> Iterator[JsonObject]:
        params = {
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": action}],
            "StartTime": start,
            "EndTime": end,
        }
        for row in self._wire.pages("LookupEvents", params, unique="EventId", size=EVENTS):
            yield {**event_document(row.get("CloudTrailEvent")), "row": row}


def _event(action: str, event: JsonObject) -> AuditEvent:
    row, identity = record(event.get("row")), record(event.get("userIdentity"))
    names = (identity.get("arn"), identity.get("invokedBy"), row.get("Username"), identity.get("principalId"))
    return AuditEvent(
        action=action,
        principal=next((name for name in map(text, names) if name), None),
        at=moment(row.get("EventTime")) or moment(event.get("eventTime")),
        address=text(event.get("sourceIPAddress")),
        agent=text(event.get("userAgent")),
        id=text(row.get("EventId")),
    )
