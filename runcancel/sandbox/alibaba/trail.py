"""ActionTrail: LookupEvents of API version 2020-07-06."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.audit import ADDRESS, MOST, Event, events
from runcancel.sandbox.clock import utc
from runcancel.sandbox.wire import Action, Call, Document, Refusal, token_page
from runcancel.sandbox.world import Book, World

_RANGE = 30 * 86_400.0

_TESTS: dict[str, Callable[[Event, str], bool]] = {
    "ServiceName": lambda event, value: value == "Ecs",
    "EventName": lambda event, value: event.action == value,
    "User": lambda event, value: event.user == value,
    "EventId": lambda event, value: event.id == value,
    "ResourceType": lambda event, value: False,
    "ResourceName": lambda event, value: False,
    "EventRW": lambda event, value: value == "Write",
    "EventAccessKeyId": lambda event, value: False,
}


def lookup_events(world: World, book: Book, call: Call) -> Document:
    tests = [_test(one) for one in call.params.get("LookupAttribute") or []]
    now = world.now()
    end = _time(call.params.get("EndTime"), now)
    start = _time(call.params.get("StartTime"), end - 7 * 86_400)
    if start > end or end - start > _RANGE:
        raise Refusal(400, "InvalidParameterTimeRange", "The specified time range is invalid.")
    size = str(call.params.get("MaxResults", "20"))
    if not size.isdecimal() or int(size) > MOST:
        raise Refusal(400, "InvalidParameterMaxResults", "The specified MaxResults is invalid.")
    order = 1 if call.params.get("Direction") == "FORWARD" else -1
    in_order = sorted(events(book, now), key=lambda event: (order * event.at, event.id))
    bad = Refusal(400, "InvalidParameterNextToken", "The specified NextToken is invalid.")
    rows, token = token_page(
        in_order,
        call,
        size=int(size) or MOST,
        keep=lambda event: start <= event.at <= end and all(test(event) for test in tests),
        bad_token=bad,
    )
    period = {"StartTime": utc(start), "EndTime": utc(end)}
    return {"Events": [_document(book, event) for event in rows], **period} | ({"NextToken": token} if token else {})


def _test(attribute: Any) -> Callable[[Event], bool]:
    fields = attribute if isinstance(attribute, dict) else {}
    test = _TESTS.get(str(fields.get("Key")))
    if test is None:
        raise Refusal(400, "InvalidLookupAttribute", "The specified LookupAttribute is invalid.")
    return lambda event: test(event, str(fields.get("Value", "")))


def _time(text: Any, otherwise: float) -> float:
    if not text:
        return otherwise
    try:
        return datetime.strptime(f"{text}+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp()
    except ValueError:
        raise Refusal(400, "InvalidParameterTime", "The specified time is invalid.") from None


def _document(book: Book, event: Event) -> Document:
    account = account_id("alibaba", book.key.account)
    return {
        "eventId": event.id,
        "eventVersion": 1,
        "eventName": event.action,
        "eventType": "ApiCall",
        "eventRW": "Write",
        "eventSource": f"{'oos' if event.run.kind == 'oos' else 'ecs'}.{book.key.region}.aliyuncs.com",
        "serviceName": "Oos" if event.run.kind == "oos" else "Ecs",
        "eventTime": utc(event.at),
        "acsRegion": book.key.region,
        "requestId": event.id.upper(),
        "sourceIpAddress": ADDRESS,
        "userAgent": "AlibabaCloud (linux; amd64) aliyun-cli/3.0.300",
        "userIdentity": {
            "type": "ram-user",
            "principalId": f"2{book.key.account:017d}",
            "accountId": account,
            "userName": event.user,
        },
        "requestParameters": {"RegionId": book.key.region, "Type": "RunShellScript"},
        "responseElements": {"RequestId": event.id.upper(), **_started(event)},
        "recipientAccountId": account,
    }


def _started(event: Event) -> Document:
    return {"Execution": {"ExecutionId": event.run.id}} if event.run.kind == "oos" else {"InvokeId": event.run.id}


ACTIONS: dict[tuple[str, str], Action] = {("actiontrail", "LookupEvents"): Action(lookup_events, ("Events",), rate=2)}
