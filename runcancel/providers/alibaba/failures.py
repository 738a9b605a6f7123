"""What an error of Alibaba Cloud means: vendor code, HTTP status and body to one of our reasons."""

from collections.abc import Mapping
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import OWN_WORDS, STATUSES, map_status, number, sentence, word
from runcancel.providers.common.http import Reply

REASONS = {
    "InvalidInvokeId.NotFound": Reason.NOT_FOUND,
    "InvalidInstanceId.NotFound": Reason.NOT_FOUND,
    "EntityNotExists": Reason.NOT_FOUND,
    "InstanceIds.ExceedLimit": Reason.INVALID,
    "RegionId.ApiNotSupported": Reason.INVALID,
    "InvalidRegionId.NotFound": Reason.INVALID,
    "InvalidAccessKeyId.NotFound": Reason.BAD_CREDENTIALS,
    "InvalidAccessKeyId.Inactive": Reason.BAD_CREDENTIALS,
    "InvalidAccessKeyId": Reason.BAD_CREDENTIALS,
    "SignatureDoesNotMatch": Reason.BAD_CREDENTIALS,
    "IncompleteSignature": Reason.BAD_CREDENTIALS,
    "MissingAccessKeyId": Reason.BAD_CREDENTIALS,
    "MissingSecurityToken": Reason.BAD_CREDENTIALS,
    "InvalidTimeStamp": Reason.BAD_CREDENTIALS,
    "InvalidTimeStamp.Expired": Reason.BAD_CREDENTIALS,
    "InvalidSecurityToken": Reason.BAD_CREDENTIALS,
    "InvalidSecurityToken.Expired": Reason.EXPIRED_CREDENTIALS,
    "SignatureNonceUsed": Reason.BUSY,  # refused unread; every attempt carries a new nonce
    "InvalidStsToken": Reason.BAD_CREDENTIALS,
    "ExpiredStsToken": Reason.EXPIRED_CREDENTIALS,
    "Forbidden": Reason.DENIED,
    "User.NoPermission": Reason.DENIED,
    "NoPermission": Reason.DENIED,
    "Operation.Forbidden": Reason.DENIED,
    "Throttling": Reason.BUSY,
    "Rejected.Throttling": Reason.BUSY,
    "SystemBusy": Reason.BUSY,
    "RequestTimeout": Reason.DOWN,
    "ServiceUnavailable": Reason.DOWN,
    "InternalError": Reason.DOWN,
    "ServiceTimeout": Reason.DOWN,
}
"""Vendor code to reason. A dotted code that is not listed means what its first part means."""

STOP_REASONS = {**REASONS, "Operation.Forbidden": Reason.NOT_CANCELLABLE}
"""The same for StopInvocation, where `Operation.Forbidden` speaks of the run and not of permission."""

_HINTS = {
    "InvalidTimeStamp.Expired": "The clock of this machine is off by more than 15 minutes.",
    "InvalidRegionId.NotFound": "Is the region spelled right?",
    "SignatureDoesNotMatch": "The access key secret does not belong to the access key id.",
}


def failure(action: str, permission: str, reply: Reply, body: object) -> CloudError:
    """The error that an answer carries. `body` is the decoded JSON, None when it was none."""
    document: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    code = word(document.get("Code")) or word(document.get("code"))
    throttled = (number(reply.headers.get("x-acs-retry-after")) or 0) > 0
    reason = _reason(action, code, reply.status_code, throttled=throttled)
    message = sentence(document.get("Message") or document.get("message"), f"HTTP {reply.status_code}")
    return CloudError(
        reason,
        _message(reason, message, document, permission),
        provider_code=code,
        request_id=word(document.get("RequestId")) or word(document.get("requestId")),
        retry_after=_retry_after(reply),
        action=action,
        hint=_HINTS.get(code or ""),
    )


def _retry_after(reply: Reply) -> float | None:
    """Seconds out of `x-acs-retry-after` (milliseconds) or `retry-after` (seconds); None where neither is positive."""
    for name, unit in (("x-acs-retry-after", 0.001), ("retry-after", 1.0)):
        wait = number(reply.headers.get(name))
        if wait is not None and wait > 0:
            return wait * unit
    return None


def _reason(action: str, code: str | None, status: int, *, throttled: bool) -> Reason:
    """`throttled`: `x-acs-retry-after` came along, which the vendor's SDK takes for a throttle, whatever the code."""
    table = STOP_REASONS if action == "StopInvocation" else REASONS
    reason = map_status(table, code, None) or map_status(table, (code or "").partition(".")[0], None)
    if reason is not None:
        return reason
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Reason.DOWN
    if throttled:
        return Reason.BUSY
    return Reason.INVALID if code is not None and status >= 400 else Reason.UNPROVEN


def _message(reason: Reason, message: str, document: Mapping[str, Any], permission: str) -> str:
    if reason is Reason.DENIED:
        detail = document.get("AccessDeniedDetail")
        action = word(detail.get("AuthAction")) if isinstance(detail, Mapping) else None
        return f"not permitted: {action or permission}"
    return OWN_WORDS.get(reason, message)
