"""CloudAudit: DescribeEvents, which tells of every region of an account."""

import json
from collections.abc import Callable
from typing import Any

from runcancel.sandbox.accounts import REGIONS, account_id
from runcancel.sandbox.audit import ADDRESS, MOST, Event, events
from runcancel.sandbox.wire import Action, Call, Document, Refusal
from runcancel.sandbox.world import Book, World

_RANGE = 30 * 86_400
FIELDS: dict[str, type] = {
    **{"StartTime": int, "EndTime": int, "NextToken": int, "MaxResults": int},
    **{"LookupAttributes": list, "IsReturnLocation": int},
}

_TESTS: dict[str, Callable[[Event, str], bool]] = {
    "RequestId": lambda event, value: event.id == value,
    "EventName": lambda event, value: event.action == value,
    "ActionType": lambda event, value: value == "Write",
    "PrincipalId": lambda event, value: False,
    "ResourceType": lambda event, value: value == "tat",
    "ResourceId": lambda event, value: event.run.id == value,
    "ResourceName": lambda event, value: event.run.name == value,
    "AccessKeyId": lambda event, value: False,
    "SensitiveAction": lambda event, value: value == "0",
    "ApiErrorCode": lambda event, value: value == "0",
    "CamErrorCode": lambda event, value: value == "0",
    "SourceIPAddress": lambda event, value: value == ADDRESS,
}


def describe_events(world: World, book: Book, call: Call) -> Document:
    tests = [_test(one) for one in call.params.get("LookupAttributes") or []]
    start, end = call.params.get("StartTime"), call.params.get("EndTime")
    if start is None or end is None:
        raise Refusal(200, "MissingParameter", "The request is missing StartTime or EndTime.")
    if start > end or end - start >= _RANGE:
        raise Refusal(200, "InvalidParameter.Time", "The time range must be less than 30 days.")
    size, offset = call.params.get("MaxResults", MOST), call.params.get("NextToken", 0)
    if not 1 <= size <= MOST:
        raise Refusal(200, "InvalidParameterValue.MaxResult", "MaxResults: at most 50.")
    books = [world.book("tencent", call.account, region) for region in REGIONS["tencent"]]
    pairs = [(each, event) for each in books for event in events(each, world.now())]
    pairs.sort(key=lambda pair: (-pair[1].at, pair[1].id))
    matching = [pair for pair in pairs if start <= pair[1].at <= end and all(test(pair[1]) for test in tests)]
    rows = matching[offset : offset + size]
    over = offset + size >= len(matching)
    listed = [_row(each, event) for each, event in rows]
    return {"Events": listed, "ListOver": over, "NextToken": offset + len(rows), "TotalCount": len(matching)}


def _test(attribute: Any) -> Callable[[Event], bool]:
    fields = attribute if isinstance(attribute, dict) else {}
    test = _TESTS.get(str(fields.get("AttributeKey")))
    if test is None:
        raise Refusal(200, "InvalidParameterValue.AttributeKey", "The AttributeKey is invalid.")
    return lambda event: test(event, str(fields.get("AttributeValue", "")))


def _row(book: Book, event: Event) -> Document:
    account = account_id("tencent", book.key.account)
    return {
        "EventId": event.id,
        "Username": event.user,
        "EventTime": str(round(event.at)),
        "CloudAuditEvent": json.dumps(_document(book, event, account)),
        "ResourceTypeCn": "tat",
        "ErrorCode": 0,
        "EventName": event.action,
        "SecretId": "",
        "EventSource": "tat.tencentcloudapi.com",
        "RequestID": event.id,
        "ResourceRegion": book.key.region,
        "AccountID": int(account),
        "SourceIPAddress": ADDRESS,
        "EventNameCn": event.action,
        "Resources": {"ResourceType": "tat", "ResourceName": event.run.name},
        "EventRegion": book.key.region,
        "Location": "",
    }


def _document(book: Book, event: Event, account: str) -> Document:
    return {
        "userIdentity": {
            "type": "CAMUser",
            "accountId": account,
            "principalId": f"1000001{book.key.account:05d}",
            "userName": event.user,
        },
        "eventRegion": book.key.region,
        "eventVersion": 2,
        "requestID": event.id,
        "eventID": event.id,
        "apiVersion": "3.0",
        "eventType": "ApiCall",
        "actionType": "Write",
        "userAgent": "SDK_PYTHON_3.1.106",
        "eventTime": round(event.at),
        "eventName": event.action,
        "resourceType": "tat",
        "sourceIPAddress": ADDRESS,
        "requestParameters": {"Region": book.key.region, "CommandType": "SHELL"},
        "responseElements": {"InvocationId": event.run.id, "RequestId": event.id},
    }


ACTIONS: dict[tuple[str, str], Action] = {
    ("cloudaudit", "DescribeEvents"): Action(describe_events, ("Events",), rate=20)
}
