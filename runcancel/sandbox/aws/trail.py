"""CloudTrail's event history: LookupEvents."""

import json
from collections.abc import Callable
from typing import Any

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.audit import ADDRESS, AGENT, MOST, Event, events
from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Action, Call, Document, Refusal, token_page
from runcancel.sandbox.world import Book, World

TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
_SOURCES = {"StartExecution": "states.amazonaws.com"}
_SOURCE = "ssm.amazonaws.com"

_TESTS: dict[str, Callable[[Event, str], bool]] = {
    "EventId": lambda event, value: event.id == value,
    "EventName": lambda event, value: event.action == value,
    "ReadOnly": lambda event, value: value == "false",
    "Username": lambda event, value: event.user == value,
    "ResourceType": lambda event, value: False,
    "ResourceName": lambda event, value: False,
    "EventSource": lambda event, value: value == _source(event),
    "AccessKeyId": lambda event, value: False,
}


def _source(event: Event) -> str:
    return _SOURCES.get(event.action, _SOURCE)


def lookup_events(world: World, book: Book, call: Call) -> Document:
    test = _test(call.params.get("LookupAttributes") or [])
    start, end = _time(call.params.get("StartTime"), 0.0), _time(call.params.get("EndTime"), world.now())
    if start > end:
        raise Refusal(400, "InvalidTimeRangeException", "The start time is after the end time.")
    size = call.params.get("MaxResults", MOST)
    if not isinstance(size, int) or not 1 <= size <= MOST:
        raise Refusal(400, "InvalidMaxResultsException", "MaxResults must be between 1 and 50.")
    in_order = sorted(events(book, world.now()), key=lambda event: (-event.at, event.id))
    bad = Refusal(400, "InvalidNextTokenException", "The token is invalid.")
    rows, token = token_page(
        in_order, call, size=size, keep=lambda event: start <= event.at <= end and test(event), bad_token=bad
    )
    return {"Events": [_row(book, event) for event in rows]} | ({"NextToken": token} if token else {})


def _test(attributes: Any) -> Callable[[Event], bool]:
    invalid = Refusal(400, "InvalidLookupAttributesException", "You can specify only one valid attribute key.")
    if not isinstance(attributes, list) or len(attributes) > 1:
        raise invalid
    for one in attributes:
        test = _TESTS.get(one.get("AttributeKey"))
        if test is None or not one.get("AttributeValue"):
            raise invalid
        return lambda event: test(event, one["AttributeValue"])
    return lambda event: True


def _time(value: Any, otherwise: float) -> float:
    if value is None:
        return otherwise
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refusal(400, "SerializationException", "Expected a number of seconds since the epoch.")
    return float(value)


def _row(book: Book, event: Event) -> Document:
    return {
        "EventId": event.id,
        "EventName": event.action,
        "ReadOnly": "false",
        "EventTime": round(event.at),
        "EventSource": _source(event),
        "Username": event.user,
        "Resources": [],
        "CloudTrailEvent": json.dumps(_document(book, event)),
    }


def _document(book: Book, event: Event) -> Document:
    account = account_id("aws", book.key.account)
    identity: Document = {"type": "AWSService", "invokedBy": event.service}
    if not event.service:
        arn = f"arn:aws:sts::{account}:assumed-role/{event.user}/sandbox"
        identity = {"type": "AssumedRole", "principalId": "AROASANDBOX:sandbox", "arn": arn, "accountId": account}
    answers = {
        "SendCommand": {"command": {"commandId": event.run.id, "documentName": event.run.document}},
        "StartAutomationExecution": {"automationExecutionId": event.run.id},
        "StartExecution": {"executionArn": event.run.id, "startDate": utc(event.run.created)},
    }
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": utc(event.at),
        "eventSource": _source(event),
        "eventName": event.action,
        "awsRegion": book.key.region,
        "sourceIPAddress": event.service or ADDRESS,
        "userAgent": event.service or AGENT,
        "requestParameters": {"documentName": event.run.document, "comment": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        "responseElements": answers[event.action],
        "requestID": event.id,
        "eventID": event.id,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }


ACTIONS: dict[tuple[str, str], Action] = {("cloudtrail", "LookupEvents"): Action(lookup_events, ("Events",), rate=2)}
